/* SPDX-License-Identifier: MIT */
/*
 * Proven here: signing inputs have the bytes RFC 7515 and RFC 8555 ask for; what is signed verifies
 * with its own key and with nothing changed; whatever would let a message choose how it is checked
 * is refused; failures leave the caller's buffer as it was.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/jose/signer.h"
#include "thinair/jose.h"

#define URL "https://ca.example/acme/new-order"
#define KID "https://ca.example/acme/acct/1"

static const struct air_jws_header kid_header = {.algorithm = AIR_ES256,
    .nonce = {(const uint8_t *)"n0nce", 5},
    .url = {(const uint8_t *)URL, sizeof(URL) - 1},
    .kid = {(const uint8_t *)KID, sizeof(KID) - 1}};

/* The two halves of a signing input, decoded. */
static void check_input(
    const struct air_jws_header *header, air_span payload, const char *expected_header) {
    struct air_buffer input;
    struct air_buffer decoded;
    air_buffer_init(&input, 65536);
    air_buffer_init(&decoded, 65536);
    assert_ok(air_jws_signing_input(header, payload, &input));
    air_span rest = air_buffer_span(&input);
    air_span half;
    assert_true(air_span_next(&rest, '.', &half));
    assert_ok(air_base64url_decode(half, &decoded));
    assert_span(air_buffer_span(&decoded), expected_header);
    air_buffer_clear(&decoded);
    assert_ok(air_base64url_decode(rest, &decoded));
    assert_true(air_span_equal(air_buffer_span(&decoded), payload));
    air_buffer_deinit(&decoded);
    air_buffer_deinit(&input);
}

static void writes_only_the_members_that_are_given(void **state) {
    struct air_signer *signer = *state;
    check_input(&kid_header, SPAN("{}"),
        "{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"nonce\":\"n0nce\",\"url\":\"" URL "\"}");
    struct air_jws_header header = {.algorithm = AIR_RS256};
    check_input(&header, SPAN(""), "{\"alg\":\"RS256\"}");
    header = (struct air_jws_header){.algorithm = AIR_ES384, .url = SPAN("a\"b")};
    check_input(&header, SPAN("\0\xFF"), "{\"alg\":\"ES384\",\"url\":\"a\\\"b\"}");
    struct air_buffer expected;
    air_buffer_init(&expected, 4096);
    air_buffer_append_text(&expected, "{\"alg\":\"ES256\",\"jwk\":");
    assert_ok(air_jwk_write(&signer->public_key, &expected));
    air_buffer_append_text(&expected, ",\"nonce\":\"n\"}");
    air_buffer_append_byte(&expected, 0);
    header = (struct air_jws_header){
        .algorithm = AIR_ES256, .nonce = SPAN("n"), .jwk = &signer->public_key};
    check_input(&header, SPAN("x"), (const char *)expected.data);
    air_buffer_deinit(&expected);
}

/* RFC 8555 section 6.3: the payload of POST-as-GET is the empty text, not "{}". */
static void writes_an_empty_payload_as_an_empty_text(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(air_jws_sign(signer->crypto, signer->key, &kid_header, SPAN(""), &out));
    air_buffer_append_byte(&out, 0);
    assert_non_null(strstr((const char *)out.data, "\"payload\":\"\","));
    air_buffer_deinit(&out);
}

static void assembles_the_flattened_form(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before:");
    assert_ok(air_jws_assemble(SPAN("aGVh.cGF5"), SPAN("sign"), &out));
    assert_span(air_buffer_span(&out),
        "before:{\"protected\":\"aGVh\",\"payload\":\"cGF5\",\"signature\":\"c2lnbg\"}");
    air_buffer_clear(&out);
    assert_int_equal(air_jws_assemble(SPAN("aGVh"), SPAN("sign"), &out), AIR_ERR_MALFORMED);
    assert_int_equal(air_jws_assemble(SPAN(""), SPAN("sign"), &out), AIR_ERR_MALFORMED);
    assert_int_equal(out.size, 0);
    air_buffer_deinit(&out);
}

static void signs_and_verifies_with_every_type_of_key(void **state) {
    struct air_signer *signer = *state;
    struct air_crypto *crypto = signer->crypto;
    struct air_buffer jws;
    struct air_buffer payload;
    air_buffer_init(&jws, 65536);
    air_buffer_init(&payload, 65536);
    for (unsigned type = AIR_KEY_ECDSA_P256; type <= AIR_KEY_RSA_4096; type++) {
        uint64_t key = 0;
        struct air_public_key public_key;
        assert_ok(crypto->key_generate_slow(crypto->self, (enum air_key_type)type, &key));
        assert_ok(crypto->key_public(crypto->self, key, &public_key));
        struct air_jws_header header = {
            .algorithm = air_algorithm_for_key(public_key.type), .jwk = &public_key};
        air_buffer_clear(&jws);
        air_buffer_clear(&payload);
        assert_ok(air_jws_sign(crypto, key, &header, SPAN("{\"a\":1}"), &jws));
        assert_ok(air_jws_verify(crypto, &public_key, air_buffer_span(&jws), &payload));
        assert_span(air_buffer_span(&payload), "{\"a\":1}");
        assert_int_equal(
            air_jws_verify(crypto, &signer->public_key, air_buffer_span(&jws), &payload),
            type == AIR_KEY_ECDSA_P256 ? AIR_ERR_REFUSED : AIR_ERR_UNSUPPORTED);
    }
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
}

static void refuses_headers_that_contradict_themselves(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    struct air_jws_header header = {.url = SPAN(URL)};
    assert_int_equal(air_jws_signing_input(&header, SPAN(""), &out), AIR_ERR_ARGUMENT);
    header = kid_header;
    header.jwk = &signer->public_key;
    assert_int_equal(air_jws_signing_input(&header, SPAN(""), &out), AIR_ERR_ARGUMENT);
    struct air_public_key broken = signer->public_key;
    broken.x_or_n_size = 31;
    header = (struct air_jws_header){.algorithm = AIR_ES256, .jwk = &broken};
    assert_int_equal(air_jws_signing_input(&header, SPAN(""), &out), AIR_ERR_BAD_KEY);
    assert_int_equal(out.size, 0);
    assert_ok(out.error);
    air_buffer_deinit(&out);
}

static void hands_on_what_the_port_answers(void **state) {
    struct air_signer *signer = *state;
    struct air_crypto *crypto = signer->crypto;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_fake_crypto_sign_later(crypto, true);
    assert_int_equal(air_jws_sign(crypto, signer->key, &kid_header, SPAN(""), &out), AIR_ERR_LATER);
    air_fake_crypto_sign_later(crypto, false);
    air_fake_crypto_fail_at(crypto, 1, AIR_ERR_CRYPTO);
    assert_int_equal(
        air_jws_sign(crypto, signer->key, &kid_header, SPAN(""), &out), AIR_ERR_CRYPTO);
    assert_int_equal(air_jws_sign(crypto, 999, &kid_header, SPAN(""), &out), AIR_ERR_BAD_KEY);
    struct air_jws_header header = kid_header;
    header.algorithm = AIR_RS256;
    assert_int_equal(air_jws_sign(crypto, signer->key, &header, SPAN(""), &out), AIR_ERR_BAD_KEY);
    assert_int_equal(out.size, 0);
    air_buffer_deinit(&out);
}

/* Sign a JWS whose protected header is any text, as an attacker with the key could. */
static void forge(struct air_signer *signer, const char *header, struct air_buffer *out) {
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    struct air_buffer input;
    air_buffer_init(&input, 4096);
    air_base64url_encode(air_span_text(header), &input);
    assert_ok(air_buffer_append_text(&input, ".cGF5"));
    assert_ok(signer->crypto->key_sign(signer->crypto->self, signer->key, AIR_ES256,
        air_buffer_span(&input), signature, &signature_size));
    air_buffer_clear(out);
    assert_ok(
        air_jws_assemble(air_buffer_span(&input), air_span_of(signature, signature_size), out));
    air_buffer_deinit(&input);
}

static void check_verdict(struct air_signer *signer, air_span jws, enum air_error expected) {
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    enum air_error error = air_jws_verify(signer->crypto, &signer->public_key, jws, &payload);
    if (error != expected || (error != AIR_OK && payload.size != 0)) {
        fail_msg("%.*s: %s", (int)jws.size, (const char *)jws.data, air_error_name(error));
    }
    air_buffer_deinit(&payload);
}

/* RFC 8725 section 3.1; "none" is RFC 7518 section 3.6. */
static void refuses_any_algorithm_but_the_keys_own(void **state) {
    struct air_signer *signer = *state;
    static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}",
        "{\"alg\":\"RS256\"}", "{\"alg\":\"ES384\"}", "{\"alg\":\"es256\"}", "{\"alg\":\"\"}",
        "{\"alg\":\"ES256 \"}"};
    struct air_buffer jws;
    air_buffer_init(&jws, 4096);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        forge(signer, headers[i], &jws);
        check_verdict(signer, air_buffer_span(&jws), AIR_ERR_UNSUPPORTED);
    }
    forge(signer, "{\"alg\":\"ES256\"}", &jws);
    check_verdict(signer, air_buffer_span(&jws), AIR_OK);
    air_buffer_deinit(&jws);
}

static void refuses_extensions_and_broken_headers(void **state) {
    struct air_signer *signer = *state;
    static const char *const headers[] = {"", "{}", "[]", "{\"alg\":1}", "{\"alg\":null}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", "{\"alg\":\"ES256\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"crit\":null}", "{\"alg\":\"ES256\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"b64\":true}", "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"none\",\"alg\":\"ES256\"}", "{\"alg\":\"ES256\"", "{\"alg\":\"ES256\"}x"};
    struct air_buffer jws;
    air_buffer_init(&jws, 4096);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        forge(signer, headers[i], &jws);
        check_verdict(signer, air_buffer_span(&jws), AIR_ERR_MALFORMED);
    }
    air_buffer_deinit(&jws);
}

static void refuses_what_is_not_a_flattened_jws(void **state) {
    struct air_signer *signer = *state;
    static const char *const texts[] = {"", "{}", "[]", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.cGF5.c2ln",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\"}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\",\"signature\":\"\"}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\",\"signature\":1}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\",\"signature\":\"c2ln=\"}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"signature\":\"c2ln\"}",
        "{\"payload\":\"cGF5\",\"signature\":\"c2ln\"}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9=\",\"payload\":\"cGF5\",\"signature\":\"c2ln\"}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\",\"signature\":\"c2ln\","
        "\"header\":{\"alg\":\"ES256\"}}",
        "{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"payload\":\"cGF5\",\"signature\":\"c2ln\","
        "\"signatures\":[]}",
        "{\"payload\":\"cGF5\",\"signatures\":[{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\","
        "\"signature\":\"c2ln\"}]}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_verdict(signer, air_span_text(texts[i]), AIR_ERR_MALFORMED);
    }
}

static void refuses_a_payload_that_is_not_base64url(void **state) {
    struct air_signer *signer = *state;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    struct air_buffer jws;
    air_buffer_init(&jws, 4096);
    air_span input = SPAN("eyJhbGciOiJFUzI1NiJ9.cGF5=");
    assert_ok(signer->crypto->key_sign(
        signer->crypto->self, signer->key, AIR_ES256, input, signature, &signature_size));
    assert_ok(air_jws_assemble(input, air_span_of(signature, signature_size), &jws));
    check_verdict(signer, air_buffer_span(&jws), AIR_ERR_MALFORMED);
    air_buffer_deinit(&jws);
}

static void refuses_every_changed_byte(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer jws;
    struct air_buffer payload;
    air_buffer_init(&jws, 4096);
    air_buffer_init(&payload, 4096);
    assert_ok(air_jws_sign(signer->crypto, signer->key, &kid_header, SPAN("{\"a\":1}"), &jws));
    for (size_t i = 0; i < jws.size; i++) {
        jws.data[i] ^= 1;
        assert_int_not_equal(
            air_jws_verify(signer->crypto, &signer->public_key, air_buffer_span(&jws), &payload),
            AIR_OK);
        jws.data[i] ^= 1;
        assert_int_not_equal(
            air_jws_verify(signer->crypto, &signer->public_key, air_span_of(jws.data, i), &payload),
            AIR_OK);
    }
    assert_int_equal(payload.size, 0);
    check_verdict(signer, air_buffer_span(&jws), AIR_OK);
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
}

static void refuses_a_key_without_a_type(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer jws;
    struct air_buffer payload;
    struct air_public_key none = {0};
    air_buffer_init(&jws, 4096);
    air_buffer_init(&payload, 4096);
    forge(signer, "{\"alg\":\"\"}", &jws);
    assert_int_equal(air_jws_verify(signer->crypto, &none, air_buffer_span(&jws), &payload),
        AIR_ERR_UNSUPPORTED);
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
}

static void refuses_a_jws_over_the_limit(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer payload;
    struct air_buffer out;
    air_buffer_init(&payload, AIR_JWS_SIZE_MAX);
    air_buffer_init(&out, 2 * AIR_JWS_SIZE_MAX);
    /* 4 characters for each 3 bytes: the input fits, but not with the JSON around it. */
    assert_non_null(air_buffer_extend(&payload, AIR_JWS_SIZE_MAX / 4 * 3 - 150));
    assert_int_equal(
        air_jws_sign(signer->crypto, signer->key, &kid_header, air_buffer_span(&payload), &out),
        AIR_ERR_LIMIT);
    assert_int_equal(out.size, 0);
    air_buffer_truncate(&payload, payload.size - 300);
    assert_ok(
        air_jws_sign(signer->crypto, signer->key, &kid_header, air_buffer_span(&payload), &out));
    check_verdict(signer, air_span_of(out.data, AIR_JWS_SIZE_MAX + 1), AIR_ERR_LIMIT);
    air_buffer_deinit(&out);
    air_buffer_deinit(&payload);
}

static void keeps_the_buffer_when_it_is_full(void **state) {
    struct air_signer *signer = *state;
    struct air_buffer whole;
    air_buffer_init(&whole, 4096);
    assert_ok(air_jws_sign(signer->crypto, signer->key, &kid_header, SPAN("{}"), &whole));
    for (size_t size_max = 6; size_max < whole.size + 6; size_max++) {
        struct air_buffer out;
        air_buffer_init(&out, size_max);
        air_buffer_append_text(&out, "before");
        assert_int_equal(air_jws_sign(signer->crypto, signer->key, &kid_header, SPAN("{}"), &out),
            AIR_ERR_LIMIT);
        assert_span(air_buffer_span(&out), "before");
        air_buffer_deinit(&out);
    }
    air_buffer_deinit(&whole);
}

static enum air_error sign_and_verify(void *context) {
    struct air_signer *signer = context;
    struct air_jws_header header = {
        .algorithm = AIR_ES256, .nonce = SPAN("n"), .jwk = &signer->public_key};
    struct air_buffer jws;
    struct air_buffer payload;
    air_buffer_init(&jws, 4096);
    air_buffer_init(&payload, 4096);
    enum air_error error = air_jws_sign(signer->crypto, signer->key, &header, SPAN("{}"), &jws);
    if (error == AIR_OK) {
        error =
            air_jws_verify(signer->crypto, &signer->public_key, air_buffer_span(&jws), &payload);
    }
    assert_true(error == AIR_OK || payload.size == 0);
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    air_test_each_allocation(sign_and_verify, *state);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, air_signer_begin, air_signer_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(writes_only_the_members_that_are_given),
        with_fixture(writes_an_empty_payload_as_an_empty_text),
        with_fixture(assembles_the_flattened_form),
        with_fixture(signs_and_verifies_with_every_type_of_key),
        with_fixture(refuses_headers_that_contradict_themselves),
        with_fixture(hands_on_what_the_port_answers),
        with_fixture(refuses_any_algorithm_but_the_keys_own),
        with_fixture(refuses_extensions_and_broken_headers),
        with_fixture(refuses_what_is_not_a_flattened_jws),
        with_fixture(refuses_a_payload_that_is_not_base64url),
        with_fixture(refuses_every_changed_byte),
        with_fixture(refuses_a_key_without_a_type),
        with_fixture(refuses_a_jws_over_the_limit),
        with_fixture(keeps_the_buffer_when_it_is_full),
        with_fixture(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
