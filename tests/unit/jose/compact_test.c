/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a compact JWS, with a header of the caller's own, verifies with its own key and with
 * nothing changed; what is not three parts, or has a header that a message could choose its check
 * by, is refused; a header can be read from either serialization. The signed examples of RFC 7515
 * are in openssl_test.c.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/jose/signer.h"
#include "thinair/jose.h"

#define HEADER "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"1\"}"
#define PAYLOAD "{\"iss\":\"joe\"}"

/* Append the compact JWS of a signing input by the signer's key. */
static enum air_error sign_input(
    const struct air_signer *signer, air_span input, struct air_buffer *out) {
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    enum air_error error = signer->crypto->key_sign(
        signer->crypto->self, signer->key, AIR_ES256, input, signature, &size);
    return error != AIR_OK ? error
                           : air_jws_assemble_compact(input, air_span_of(signature, size), out);
}

static enum air_error sign(
    const struct air_signer *signer, air_span header, air_span payload, struct air_buffer *out) {
    struct air_buffer input;
    air_buffer_init(&input, AIR_JWS_SIZE_MAX);
    enum air_error error = air_jws_signing_input_own(AIR_ES256, header, payload, &input);
    if (error == AIR_OK) {
        error = sign_input(signer, air_buffer_span(&input), out);
    }
    air_buffer_deinit(&input);
    return error;
}

/* A compact JWS whose header and payload are any texts, signed all the same. */
static void forge(const struct air_signer *signer, const char *header, const char *payload,
    struct air_buffer *out) {
    struct air_buffer input;
    air_buffer_init(&input, AIR_JWS_SIZE_MAX);
    air_base64url_encode(air_span_text(header), &input);
    air_buffer_append_byte(&input, '.');
    assert_ok(air_buffer_append_text(&input, payload));
    assert_ok(sign_input(signer, air_buffer_span(&input), out));
    air_buffer_deinit(&input);
}

static void check_verdict(const struct air_signer *signer, air_span jws, enum air_error expected) {
    struct air_buffer payload;
    air_buffer_init(&payload, AIR_JWS_SIZE_MAX);
    air_buffer_append_text(&payload, "before");
    enum air_error error =
        air_jws_verify_compact(signer->crypto, &signer->public_key, jws, &payload);
    if (error != expected || (error != AIR_OK && payload.size != 6)) {
        fail_msg("%.*s: %s", (int)jws.size, (const char *)jws.data, air_error_name(error));
    }
    air_buffer_deinit(&payload);
}

static void check_forged(
    const struct air_signer *signer, const char *header, enum air_error expected) {
    struct air_buffer jws;
    air_buffer_init(&jws, 4096);
    forge(signer, header, "e30", &jws);
    check_verdict(signer, air_buffer_span(&jws), expected);
    air_buffer_deinit(&jws);
}

static void check_header(const char *jws, const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(air_jws_header_read(air_span_text(jws), &out));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
}

static void check_no_header(const char *jws, enum air_error expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before");
    assert_int_equal(air_jws_header_read(air_span_text(jws), &out), expected);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static void check_not_signed(
    enum air_algorithm algorithm, const char *header, enum air_error expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before");
    assert_int_equal(
        air_jws_signing_input_own(algorithm, air_span_text(header), SPAN("x"), &out), expected);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static void signs_the_very_bytes_of_the_header(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(
        air_jws_signing_input_own(AIR_ES256, SPAN("{ \"alg\" : \"ES256\" }"), SPAN(PAYLOAD), &out));
    assert_span(air_buffer_span(&out), "eyAiYWxnIiA6ICJFUzI1NiIgfQ.eyJpc3MiOiJqb2UifQ");
    air_buffer_clear(&out);
    assert_ok(air_jws_assemble_compact(SPAN("aGVh.cGF5"), SPAN("sign"), &out));
    assert_span(air_buffer_span(&out), "aGVh.cGF5.c2lnbg");
    air_buffer_deinit(&out);
}

static void verifies_what_it_signed(void **state) {
    struct air_signer *signer = *state;
    static const char *const payloads[] = {PAYLOAD, "", "not JSON"};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct air_buffer jws;
        struct air_buffer payload;
        air_buffer_init(&jws, 4096);
        air_buffer_init(&payload, 4096);
        assert_ok(sign(signer, SPAN(HEADER), air_span_text(payloads[i]), &jws));
        assert_ok(air_jws_verify_compact(
            signer->crypto, &signer->public_key, air_buffer_span(&jws), &payload));
        assert_span(air_buffer_span(&payload), payloads[i]);
        air_buffer_deinit(&payload);
        air_buffer_deinit(&jws);
    }
}

static void reads_the_header_of_both_serializations(void **state) {
    (void)state;
    check_header("eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "{\"alg\":\"ES256\"}");
    check_header("eyJhbGciOiJFUzI1NiJ9..c2ln", "{\"alg\":\"ES256\"}");
    check_header("\n {\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"e30\",\"signature\":"
                 "\"c2ln\"}",
        "{\"alg\":\"ES256\"}");
}

static void refuses_to_read_what_is_no_header(void **state) {
    (void)state;
    static const char *const broken[] = {"", ".", "..", "eyJhbGciOiJFUzI1NiJ9",
        "eyJhbGciOiJFUzI1NiJ9.e30", "eyJhbGciOiJFUzI1NiJ9.e30.", "W10.e30.c2ln", "e30=.e30.c2ln",
        ".e30.c2ln", "{}", "{\"protected\":\"e30\"}",
        "{\"protected\":\"W10\",\"payload\":\"e30\",\"signature\":\"c2ln\"}",
        "{\"protected\":\"e30\",\"payload\":\"e30\",\"signature\":\"c2ln\",\"header\":{}}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        check_no_header(broken[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_to_sign_headers_it_would_not_accept(void **state) {
    (void)state;
    check_not_signed(AIR_ALGORITHM_NONE, "{\"alg\":\"none\"}", AIR_ERR_ARGUMENT);
    check_not_signed(AIR_ES256, "{\"alg\":\"none\"}", AIR_ERR_UNSUPPORTED);
    check_not_signed(AIR_ES256, "{\"alg\":\"ES384\"}", AIR_ERR_UNSUPPORTED);
    check_not_signed(AIR_ES256, "{\"alg\":\"es256\"}", AIR_ERR_UNSUPPORTED);
    check_not_signed(AIR_ES256, "{\"kid\":\"1\"}", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "{\"alg\":256}", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "{\"alg\":\"ES256\",\"b64\":true}", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "{\"alg\":\"none\",\"alg\":\"ES256\"}", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "[\"alg\"]", AIR_ERR_MALFORMED);
    check_not_signed(AIR_ES256, "", AIR_ERR_MALFORMED);
}

static void refuses_to_assemble_half_an_input(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_int_equal(air_jws_assemble_compact(SPAN("aGVh"), SPAN("sign"), &out), AIR_ERR_MALFORMED);
    assert_int_equal(air_jws_assemble_compact(SPAN(""), SPAN("sign"), &out), AIR_ERR_MALFORMED);
    assert_int_equal(out.size, 0);
    air_buffer_deinit(&out);
}

/* RFC 8725 sections 2.1 and 3.1: "none", and a public key taken for an HMAC secret. */
static void refuses_any_algorithm_but_the_keys_own(void **state) {
    struct air_signer *signer = *state;
    check_forged(signer, "{\"alg\":\"ES256\"}", AIR_OK);
    static const char *const algorithms[] = {
        "none", "None", "HS256", "ES384", "RS256", "es256", ""};
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        struct air_buffer header;
        air_buffer_init(&header, 256);
        air_buffer_append_text(&header, "{\"alg\":\"");
        air_buffer_append_text(&header, algorithms[i]);
        air_buffer_append_text(&header, "\"}");
        assert_ok(air_buffer_append_byte(&header, 0));
        check_forged(signer, (const char *)header.data, AIR_ERR_UNSUPPORTED);
        air_buffer_deinit(&header);
    }
}

static void refuses_extensions_and_broken_headers(void **state) {
    struct air_signer *signer = *state;
    static const char *const headers[] = {"{}", "[]", "", "ES256", "{\"alg\":null}",
        "{\"alg\":[\"ES256\"]}", "{\"alg\":\"ES256\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"b64\":false}", "{\"alg\":\"none\",\"alg\":\"ES256\"}"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        check_forged(signer, headers[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_what_is_not_three_parts(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer jws;
    air_buffer_init(&jws, 4096);
    assert_ok(sign(signer, SPAN(HEADER), SPAN(PAYLOAD), &jws));
    air_span whole = air_buffer_span(&jws);
    size_t first = air_span_find(whole, '.');
    size_t second = first + 1 + air_span_find(air_span_skip(whole, first + 1), '.');
    check_verdict(signer, air_span_take(whole, 0), AIR_ERR_MALFORMED);
    check_verdict(signer, air_span_take(whole, first), AIR_ERR_MALFORMED);
    check_verdict(signer, air_span_take(whole, second), AIR_ERR_MALFORMED);
    check_verdict(signer, air_span_take(whole, second + 1), AIR_ERR_MALFORMED);
    check_verdict(signer, air_span_skip(whole, first), AIR_ERR_MALFORMED);
    check_verdict(signer, air_span_skip(whole, first + 1), AIR_ERR_MALFORMED);
    assert_ok(air_buffer_append_text(&jws, ".e30"));
    check_verdict(signer, air_buffer_span(&jws), AIR_ERR_MALFORMED);
    /* RFC 7516 section 3.1: five parts are a JWE. */
    assert_ok(air_buffer_append_text(&jws, ".e30"));
    check_verdict(signer, air_buffer_span(&jws), AIR_ERR_MALFORMED);
    air_buffer_deinit(&jws);
}

static void refuses_every_changed_byte(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer jws;
    struct air_buffer payload;
    air_buffer_init(&jws, 4096);
    air_buffer_init(&payload, 4096);
    assert_ok(sign(signer, SPAN(HEADER), SPAN(PAYLOAD), &jws));
    for (size_t i = 0; i < jws.size; i++) {
        uint8_t before = jws.data[i];
        jws.data[i] = before == 'A' ? 'B' : 'A';
        enum air_error error = air_jws_verify_compact(
            signer->crypto, &signer->public_key, air_buffer_span(&jws), &payload);
        if (error == AIR_OK || payload.size != 0) {
            fail_msg("byte %zu", i);
        }
        jws.data[i] = before;
    }
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
}

static void refuses_a_payload_that_is_not_base64url(void **state) {
    struct air_signer *signer = *state;
    static const char *const payloads[] = {"e30=", "e3+", " e30", "e", "e3\n0"};
    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct air_buffer jws;
        air_buffer_init(&jws, 4096);
        forge(signer, "{\"alg\":\"ES256\"}", payloads[i], &jws);
        check_verdict(signer, air_buffer_span(&jws), AIR_ERR_MALFORMED);
        air_buffer_deinit(&jws);
    }
}

static void refuses_a_jws_over_the_limit(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer payload;
    struct air_buffer jws;
    air_buffer_init(&payload, AIR_JWS_SIZE_MAX);
    air_buffer_init(&jws, AIR_JWS_SIZE_MAX * 2);
    assert_non_null(air_buffer_extend(&payload, AIR_JWS_SIZE_MAX / 4 * 3));
    assert_int_equal(sign(signer, SPAN(HEADER), air_buffer_span(&payload), &jws), AIR_ERR_LIMIT);
    assert_int_equal(jws.size, 0);
    air_buffer_truncate(&payload, payload.size - 50);
    assert_int_equal(sign(signer, SPAN(HEADER), air_buffer_span(&payload), &jws), AIR_ERR_LIMIT);
    assert_int_equal(jws.size, 0);
    air_buffer_truncate(&payload, payload.size - 250);
    assert_ok(sign(signer, SPAN(HEADER), air_buffer_span(&payload), &jws));
    check_verdict(signer, air_buffer_span(&jws), AIR_OK);
    check_verdict(signer, air_span_of(jws.data, AIR_JWS_SIZE_MAX + 1), AIR_ERR_LIMIT);
    air_buffer_deinit(&jws);
    air_buffer_deinit(&payload);
}

static void keeps_the_buffer_when_it_is_full(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer whole;
    air_buffer_init(&whole, 4096);
    assert_ok(sign(signer, SPAN(HEADER), SPAN("{}"), &whole));
    for (size_t size_max = 6; size_max < whole.size + 6; size_max++) {
        struct air_buffer out;
        air_buffer_init(&out, size_max);
        air_buffer_append_text(&out, "before");
        assert_int_equal(sign(signer, SPAN(HEADER), SPAN("{}"), &out), AIR_ERR_LIMIT);
        assert_span(air_buffer_span(&out), "before");
        air_buffer_deinit(&out);
    }
    air_buffer_deinit(&whole);
}

static enum air_error sign_and_verify(void *context) {
    struct air_signer *signer = context;
    struct air_buffer jws;
    struct air_buffer out;
    air_buffer_init(&jws, 4096);
    air_buffer_init(&out, 4096);
    enum air_error error = sign(signer, SPAN(HEADER), SPAN(PAYLOAD), &jws);
    if (error == AIR_OK) {
        error = air_jws_header_read(air_buffer_span(&jws), &out);
    }
    if (error == AIR_OK) {
        air_buffer_clear(&out);
        error = air_jws_verify_compact(
            signer->crypto, &signer->public_key, air_buffer_span(&jws), &out);
    }
    air_buffer_deinit(&out);
    air_buffer_deinit(&jws);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    air_test_each_allocation(sign_and_verify, *state);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, air_signer_begin, air_signer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(signs_the_very_bytes_of_the_header),
        with_fixture(verifies_what_it_signed),
        with_fixture(reads_the_header_of_both_serializations),
        with_fixture(refuses_to_read_what_is_no_header),
        with_fixture(refuses_to_sign_headers_it_would_not_accept),
        with_fixture(refuses_to_assemble_half_an_input),
        with_fixture(refuses_any_algorithm_but_the_keys_own),
        with_fixture(refuses_extensions_and_broken_headers),
        with_fixture(refuses_what_is_not_three_parts),
        with_fixture(refuses_every_changed_byte),
        with_fixture(refuses_a_payload_that_is_not_base64url),
        with_fixture(refuses_a_jws_over_the_limit),
        with_fixture(keeps_the_buffer_when_it_is_full),
        with_fixture(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
