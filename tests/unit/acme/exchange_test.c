/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a request gets a nonce, is signed over the CA's own URL and sent (RFC 8555 sections
 * 6.2 to 6.4); a nonce is spent once, and after badNonce the next one is the one that came with the
 * rejection (section 6.5, R-B5); every failure ends with its error and a sentence. How: exchanges
 * played by hand, each request read back with the public key.
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/exchange.h"
#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/test.h"

#define URL "https://ca.test/new-order"
#define KID "https://ca.test/account/1"
#define BAD_NONCE "{\"type\":\"urn:ietf:params:acme:error:badNonce\"}"

static const struct air_time now = {.wall_ms = INT64_C(1795446245000), .boot_ms = 5000};

struct bench {
    struct air_crypto *crypto;
    struct air_session session;
    struct air_exchange exchange;
    struct air_action action;
    struct air_buffer reason;
    bool is_done;
};

static void begin(struct bench *bench, enum air_exchange_kind kind, const char *payload) {
    *bench = (struct bench){.crypto = air_fake_crypto_new(7)};
    struct air_session *session = &bench->session;
    const struct air_crypto *crypto = bench->crypto;
    session->crypto = crypto;
    assert_ok(crypto->key_generate(crypto->self, AIR_KEY_ECDSA_P256, &session->account_key));
    assert_ok(crypto->key_public(crypto->self, session->account_key, &session->account_public));
    session->account_url = air_span_text(kind == AIR_EXCHANGE_KID ? KID : NULL);
    session->directory_url = SPAN("https://ca.test/dir");
    session->new_nonce_url = SPAN("https://ca.test/nonce");
    session->trust = SPAN("roots");
    air_buffer_init(&bench->reason, 1024);
    assert_ok(air_exchange_begin(&bench->exchange, kind, SPAN(URL), air_span_text(payload), 1234));
}

static void end(struct bench *bench) {
    air_exchange_deinit(&bench->exchange);
    air_buffer_deinit(&bench->reason);
    air_fake_crypto_free(bench->crypto);
}

static void next(struct bench *bench) {
    assert_ok(air_exchange_next(&bench->exchange, &bench->session, now.boot_ms, &bench->action));
}

/* The next action is this request. */
static void asks(struct bench *bench, const char *method, const char *url) {
    next(bench);
    assert_int_equal(bench->action.kind, AIR_ACTION_HTTP);
    assert_span(bench->action.http.method, method);
    assert_span(bench->action.http.url, url);
    assert_span(bench->action.http.trust, "roots");
    assert_int_equal(bench->action.http.body_max, 1234);
    assert_int_equal(bench->action.http.deadline_ms, AIR_REQUEST_DEADLINE_MS);
}

static enum air_error take(struct bench *bench, const struct air_result *result) {
    return air_exchange_accept(
        &bench->exchange, &bench->session, result, now, &bench->is_done, &bench->reason);
}

static enum air_error answer(
    struct bench *bench, uint32_t status, const char *nonce, const char *body) {
    const struct air_http_header header = {SPAN("Replay-Nonce"), air_span_text(nonce)};
    struct air_result result = {0};
    result.http.status = status;
    result.http.headers = &header;
    result.http.headers_count = nonce != NULL ? 1 : 0;
    result.http.body = air_span_text(body);
    return take(bench, &result);
}

/* The request that was asked for last carries this protected header and payload. */
static void carries(const struct bench *bench, const char *expected_header, const char *payload) {
    struct air_buffer text;
    json_t *jws = NULL;
    air_buffer_init(&text, 65536);
    assert_ok(air_jws_verify(
        bench->crypto, &bench->session.account_public, bench->action.http.body, &text));
    assert_span(air_buffer_span(&text), payload);
    air_buffer_clear(&text);
    assert_ok(air_json_read(bench->action.http.body, &jws));
    assert_ok(air_base64url_decode(air_json_text(jws, "protected"), &text));
    assert_span(air_buffer_span(&text), expected_header);
    json_decref(jws);
    air_buffer_deinit(&text);
}

static void carries_nonce(const struct bench *bench, const char *nonce) {
    char header[300];
    (void)snprintf(header, sizeof header,
        "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"nonce\":\"%s\",\"url\":\"" URL "\"}", nonce);
    carries(bench, header, "{}");
}

static void asks_for_a_nonce_then_signs_and_sends(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    asks(&bench, "HEAD", "https://ca.test/nonce");
    assert_int_equal(bench.action.http.body.size, 0);
    assert_ok(answer(&bench, 200, "n1", ""));
    assert_false(bench.is_done);
    assert_false(bench.exchange.was_sent);
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "n1");
    assert_true(bench.exchange.was_sent);
    assert_ok(answer(&bench, 201, "n2", "{}"));
    assert_true(bench.is_done);
    end(&bench);
}

static void keeps_the_nonce_of_the_answer_for_the_next_request(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_session_keep_nonce(&bench.session, SPAN("pooled"), now.boot_ms);
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "pooled");
    assert_ok(answer(&bench, 403, "fresh", "{}"));
    assert_true(bench.is_done);
    assert_ok(air_exchange_begin(&bench.exchange, AIR_EXCHANGE_KID, SPAN(URL), SPAN("{}"), 1234));
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "fresh");
    end(&bench);
}

static void get_needs_no_nonce_and_keeps_none(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_GET, "");
    asks(&bench, "GET", URL);
    assert_int_equal(bench.action.http.body.size, 0);
    assert_ok(answer(&bench, 200, "n1", "{}"));
    assert_true(bench.is_done);
    assert_int_equal(bench.session.nonces_count, 0);
    end(&bench);
}

static void post_as_get_has_an_empty_payload(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "");
    air_session_keep_nonce(&bench.session, SPAN("n"), now.boot_ms);
    asks(&bench, "POST", URL);
    carries(
        &bench, "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"nonce\":\"n\",\"url\":\"" URL "\"}", "");
    end(&bench);
}

static void new_account_carries_the_key_itself(void **state) {
    (void)state;
    struct bench bench;
    struct air_buffer header;
    begin(&bench, AIR_EXCHANGE_JWK, "{}");
    air_session_keep_nonce(&bench.session, SPAN("n"), now.boot_ms);
    asks(&bench, "POST", URL);
    air_buffer_init(&header, 1000);
    air_buffer_append_text(&header, "{\"alg\":\"ES256\",\"jwk\":");
    assert_ok(air_jwk_write(&bench.session.account_public, &header));
    air_buffer_append_text(&header, ",\"nonce\":\"n\",\"url\":\"" URL "\"}");
    assert_ok(air_buffer_append_byte(&header, 0));
    carries(&bench, (const char *)header.data, "{}");
    air_buffer_deinit(&header);
    end(&bench);
}

static void bad_nonce_is_answered_with_the_nonce_that_came_with_it(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_session_keep_nonce(&bench.session, SPAN("older"), now.boot_ms);
    air_session_keep_nonce(&bench.session, SPAN("stale"), now.boot_ms);
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "stale");
    assert_ok(answer(&bench, 400, "given", BAD_NONCE));
    assert_false(bench.is_done);
    assert_false(bench.exchange.was_sent);
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "given");
    end(&bench);
}

static void bad_nonce_without_a_nonce_takes_another(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_session_keep_nonce(&bench.session, SPAN("pooled"), now.boot_ms);
    air_session_keep_nonce(&bench.session, SPAN("stale"), now.boot_ms);
    asks(&bench, "POST", URL);
    assert_ok(answer(&bench, 400, NULL, BAD_NONCE));
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "pooled");
    assert_ok(answer(&bench, 400, "not a nonce", BAD_NONCE));
    asks(&bench, "HEAD", "https://ca.test/nonce");
    end(&bench);
}

static void gives_up_after_so_many_bad_nonces(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_session_keep_nonce(&bench.session, SPAN("n"), now.boot_ms);
    for (int i = 0; i < AIR_BAD_NONCES_MAX; i++) {
        asks(&bench, "POST", URL);
        assert_ok(answer(&bench, 400, "again", BAD_NONCE));
        assert_false(bench.is_done);
    }
    asks(&bench, "POST", URL);
    assert_ok(answer(&bench, 400, "again", BAD_NONCE));
    assert_true(bench.is_done);
    end(&bench);
}

static void other_refusals_are_the_answer(void **state) {
    (void)state;
    static const struct {
        uint32_t status;
        const char *body;
    } rows[] = {
        {400, "{\"type\":\"urn:ietf:params:acme:error:malformed\"}"},
        {400, "<html>badNonce</html>"},
        {400, "{\"type\":\"badNonce\"}"},
        {403, BAD_NONCE},
        {200, BAD_NONCE},
        {500, BAD_NONCE},
        {429, ""},
        {0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;
        begin(&bench, AIR_EXCHANGE_KID, "{}");
        air_session_keep_nonce(&bench.session, SPAN("n"), now.boot_ms);
        asks(&bench, "POST", URL);
        assert_ok(answer(&bench, rows[i].status, NULL, rows[i].body));
        assert_true(bench.is_done);
        end(&bench);
    }
}

static void an_unsigned_request_is_never_repeated_for_a_nonce(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_GET, "");
    asks(&bench, "GET", URL);
    assert_ok(answer(&bench, 400, "n", BAD_NONCE));
    assert_true(bench.is_done);
    end(&bench);
}

static void refuses_a_new_nonce_without_a_nonce(void **state) {
    (void)state;
    static const struct {
        uint32_t status;
        const char *nonce;
    } rows[] = {
        {200, NULL}, {204, ""}, {200, "a b"}, {200, "a=="}, {404, "n"}, {301, "n"}, {0, "n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench bench;
        char sentence[100];
        begin(&bench, AIR_EXCHANGE_KID, "{}");
        asks(&bench, "HEAD", "https://ca.test/nonce");
        assert_int_equal(answer(&bench, rows[i].status, rows[i].nonce, ""), AIR_ERR_REFUSED);
        assert_false(bench.is_done);
        (void)snprintf(sentence, sizeof sentence, "the CA's newNonce gave no nonce: HTTP status %u",
            (unsigned)rows[i].status);
        assert_span(air_buffer_span(&bench.reason), sentence);
        end(&bench);
    }
}

static void a_new_nonce_that_fails_by_overload_may_succeed_later(void **state) {
    (void)state;
    static const uint32_t statuses[] = {429, 500, 502, 503, 504, 599};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct bench bench;
        begin(&bench, AIR_EXCHANGE_KID, "{}");
        asks(&bench, "HEAD", "https://ca.test/nonce");
        const enum air_error error = answer(&bench, statuses[i], NULL, "<html>");
        assert_int_equal(air_error_class(error), AIR_CLASS_RETRY);
        assert_true(bench.reason.size > 0);
        end(&bench);
    }
}

static void passes_on_what_the_host_says(void **state) {
    (void)state;
    static const enum air_error errors[] = {AIR_ERR_NETWORK, AIR_ERR_TIMEOUT, AIR_ERR_TLS,
        AIR_ERR_LIMIT, AIR_ERR_CANCELLED, AIR_ERR_MALFORMED};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct bench bench;
        const struct air_result silent = {.error = errors[i]};
        const struct air_result spoken = {.error = errors[i], .explanation = SPAN("the why")};
        begin(&bench, AIR_EXCHANGE_KID, "{}");
        asks(&bench, "HEAD", "https://ca.test/nonce");
        assert_int_equal(take(&bench, &silent), errors[i]);
        assert_span(air_buffer_span(&bench.reason), air_error_text(errors[i]));
        air_buffer_clear(&bench.reason);
        assert_int_equal(take(&bench, &spoken), errors[i]);
        assert_span(air_buffer_span(&bench.reason), "the why");
        assert_false(bench.is_done);
        end(&bench);
    }
}

static void hands_the_signature_out_when_the_port_is_slow(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_fake_crypto_sign_later(bench.crypto, true);
    air_session_keep_nonce(&bench.session, SPAN("n1"), now.boot_ms);
    next(&bench);
    assert_int_equal(bench.action.kind, AIR_ACTION_SIGN);
    assert_int_equal(bench.action.sign.key, bench.session.account_key);
    assert_int_equal(bench.action.sign.algorithm, AIR_ES256);
    assert_int_equal(bench.session.nonces_count, 0);
    next(&bench); /* asked again, it wants the same with the same nonce */
    assert_int_equal(bench.action.kind, AIR_ACTION_SIGN);
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    assert_ok(bench.crypto->key_sign_slow(bench.crypto->self, bench.action.sign.key,
        bench.action.sign.algorithm, bench.action.sign.data, signature, &size));
    struct air_result result = {0};
    result.sign.signature = air_span_of(signature, size);
    assert_ok(take(&bench, &result));
    assert_false(bench.is_done);
    asks(&bench, "POST", URL);
    carries_nonce(&bench, "n1");
    end(&bench);
}

static void a_signature_that_fails_ends_the_exchange(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_fake_crypto_sign_later(bench.crypto, true);
    air_session_keep_nonce(&bench.session, SPAN("n1"), now.boot_ms);
    next(&bench);
    const struct air_result result = {.error = AIR_ERR_CRYPTO, .explanation = SPAN("token gone")};
    assert_int_equal(take(&bench, &result), AIR_ERR_CRYPTO);
    assert_span(air_buffer_span(&bench.reason), "token gone");
    assert_false(bench.exchange.was_sent);
    end(&bench);
}

static void a_port_that_cannot_sign_at_all_is_an_error(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_session_keep_nonce(&bench.session, SPAN("n1"), now.boot_ms);
    air_fake_crypto_fail_at(bench.crypto, 1, AIR_ERR_CRYPTO);
    assert_int_equal(air_exchange_next(&bench.exchange, &bench.session, now.boot_ms, &bench.action),
        AIR_ERR_CRYPTO);
    next(&bench);
    carries_nonce(&bench, "n1"); /* it never left: it is as good as before */
    end(&bench);
}

static void refuses_calls_out_of_turn(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_GET, "");
    asks(&bench, "GET", URL);
    assert_ok(answer(&bench, 200, NULL, ""));
    assert_int_equal(air_exchange_next(&bench.exchange, &bench.session, now.boot_ms, &bench.action),
        AIR_ERR_STATE);
    assert_int_equal(answer(&bench, 200, NULL, ""), AIR_ERR_STATE);
    air_exchange_deinit(&bench.exchange);
    assert_int_equal(air_exchange_next(&bench.exchange, &bench.session, now.boot_ms, &bench.action),
        AIR_ERR_STATE);
    end(&bench);
}

static void refuses_a_url_over_its_limit(void **state) {
    (void)state;
    static char url[2049];
    struct air_exchange exchange = {0};
    memset(url, 'u', sizeof url);
    assert_int_equal(air_exchange_begin(&exchange, AIR_EXCHANGE_GET, air_span_of(url, sizeof url),
                         air_span_text(NULL), 1),
        AIR_ERR_LIMIT);
    assert_int_equal(exchange.phase, AIR_EXCHANGE_IDLE);
    assert_null(exchange.url.data);
}

/* A whole exchange with one badNonce; a call that ran out of memory is made again. */
static enum air_error play(struct bench *bench) {
    static const char *const nonces[] = {"n1", "n2", "n3"};
    static const char *const bodies[] = {"", BAD_NONCE, "{}"};
    static const uint32_t statuses[] = {200, 400, 200};
    struct air_exchange *exchange = &bench->exchange;
    enum air_error error = AIR_OK;
    for (int i = 0; i < 3; i++) {
        do {
            error = air_exchange_next(exchange, &bench->session, now.boot_ms, &bench->action);
        } while (error == AIR_ERR_NO_MEMORY);
        assert_ok(error);
        do {
            error = answer(bench, statuses[i], nonces[i], bodies[i]);
        } while (error == AIR_ERR_NO_MEMORY);
        assert_ok(error);
    }
    air_memory_fail_at(0); /* what follows is the test's own */
    carries_nonce(bench, "n2");
    assert_true(bench->is_done);
    return AIR_OK;
}

static enum air_error play_once(void *context) {
    struct bench *bench = context;
    enum air_error error = AIR_ERR_NO_MEMORY;
    bench->session.nonces_count = 0;
    while (error == AIR_ERR_NO_MEMORY) {
        error = air_exchange_begin(&bench->exchange, AIR_EXCHANGE_KID, SPAN(URL), SPAN("{}"), 1234);
    }
    error = play(bench);
    air_exchange_deinit(&bench->exchange);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    struct bench bench;
    begin(&bench, AIR_EXCHANGE_KID, "{}");
    air_exchange_deinit(&bench.exchange);
    air_test_each_allocation(play_once, &bench);
    end(&bench);
}

static int leaves_nothing(void **state) {
    (void)state;
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_for_a_nonce_then_signs_and_sends),
        cmocka_unit_test(keeps_the_nonce_of_the_answer_for_the_next_request),
        cmocka_unit_test(get_needs_no_nonce_and_keeps_none),
        cmocka_unit_test(post_as_get_has_an_empty_payload),
        cmocka_unit_test(new_account_carries_the_key_itself),
        cmocka_unit_test(bad_nonce_is_answered_with_the_nonce_that_came_with_it),
        cmocka_unit_test(bad_nonce_without_a_nonce_takes_another),
        cmocka_unit_test(gives_up_after_so_many_bad_nonces),
        cmocka_unit_test(other_refusals_are_the_answer),
        cmocka_unit_test(an_unsigned_request_is_never_repeated_for_a_nonce),
        cmocka_unit_test(refuses_a_new_nonce_without_a_nonce),
        cmocka_unit_test(a_new_nonce_that_fails_by_overload_may_succeed_later),
        cmocka_unit_test(passes_on_what_the_host_says),
        cmocka_unit_test(hands_the_signature_out_when_the_port_is_slow),
        cmocka_unit_test(a_signature_that_fails_ends_the_exchange),
        cmocka_unit_test(a_port_that_cannot_sign_at_all_is_an_error),
        cmocka_unit_test(refuses_calls_out_of_turn),
        cmocka_unit_test(refuses_a_url_over_its_limit),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, leaves_nothing);
}
