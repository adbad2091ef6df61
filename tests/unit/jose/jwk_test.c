/* SPDX-License-Identifier: MIT */
/*
 * Proven here: keys are written in the one form that RFC 7638 hashes (its own example and the key
 * of RFC 7515 come out right); EC coordinates keep their width whatever they begin with; a key of
 * any other shape is neither written nor read.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/test.h"
#include "thinair/jose.h"

/* RFC 7515 appendix A.3.1. */
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_JWK "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"

/* RFC 7638 section 3.1. */
#define RSA_N                                                                                      \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP" \
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY" \
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f" \
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RSA_JWK "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"

/* So many bytes of zeros. */
#define ZEROS_31 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZEROS_32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ZEROS_48 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void check_thumbprint(const char *jwk, const char *expected) {
    struct air_public_key key;
    char thumbprint[AIR_THUMBPRINT_SIZE];
    struct air_crypto *crypto = air_fake_crypto_new(1);
    assert_ok(air_jwk_read(air_span_text(jwk), &key));
    assert_ok(air_jwk_thumbprint(crypto, &key, thumbprint));
    assert_span(air_span_of(thumbprint, sizeof(thumbprint)), expected);
    air_fake_crypto_free(crypto);
}

static void check_written(const struct air_public_key *key, const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(air_jwk_write(key, &out));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
}

static void check_read_fails(const char *jwk, enum air_error expected) {
    struct air_public_key key;
    memset(&key, 0x5A, sizeof(key));
    struct air_public_key before = key;
    enum air_error error = air_jwk_read(air_span_text(jwk), &key);
    if (error != expected || memcmp(&key, &before, sizeof(key)) != 0) {
        fail_msg("%s: %s", jwk, air_error_name(error));
    }
}

static void check_not_written(const struct air_public_key *key) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before");
    assert_int_equal(air_jwk_write(key, &out), AIR_ERR_BAD_KEY);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static void thumbprints_agree_with_rfc_7638(void **state) {
    (void)state;
    check_thumbprint(RSA_JWK, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    check_thumbprint(EC_JWK, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

/* RFC 7638's example carries these members too; RFC 7515's has the private d. */
static void ignores_order_white_space_and_other_members(void **state) {
    (void)state;
    check_thumbprint("{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\",\"n\":\"" RSA_N
                     "\", \"e\" : \"AQAB\"}",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    check_thumbprint("{\n\"y\":\"" EC_Y "\",\"x\":\"" EC_X
                     "\",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\",\"use\":\"sig\","
                     "\"kty\":\"EC\",\"crv\":\"P-256\"}\n",
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

static void writes_what_it_read(void **state) {
    (void)state;
    static const char *const texts[] = {EC_JWK, RSA_JWK,
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" ZEROS_32 "\",\"y\":\"" EC_Y "\"}"};
    for (size_t i = 0; i < 3; i++) {
        struct air_public_key key;
        assert_ok(air_jwk_read(air_span_text(texts[i]), &key));
        check_written(&key, texts[i]);
    }
}

static void keeps_the_width_of_coordinates_that_begin_with_zeros(void **state) {
    (void)state;
    struct air_public_key key = {.type = AIR_KEY_ECDSA_P256, .x_or_n_size = 32, .y_or_e_size = 32};
    check_written(
        &key, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" ZEROS_32 "\",\"y\":\"" ZEROS_32 "\"}");
    key = (struct air_public_key){.type = AIR_KEY_ECDSA_P384, .x_or_n_size = 48, .y_or_e_size = 48};
    check_written(
        &key, "{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"" ZEROS_48 "\",\"y\":\"" ZEROS_48 "\"}");
}

static void round_trips_every_type(void **state) {
    (void)state;
    struct air_crypto *crypto = air_fake_crypto_new(7);
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    for (unsigned type = AIR_KEY_ECDSA_P256; type <= AIR_KEY_RSA_4096; type++) {
        uint64_t handle = 0;
        struct air_public_key key;
        struct air_public_key back;
        assert_ok(crypto->key_generate_slow(crypto->self, (enum air_key_type)type, &handle));
        assert_ok(crypto->key_public(crypto->self, handle, &key));
        air_buffer_clear(&out);
        assert_ok(air_jwk_write(&key, &out));
        assert_ok(air_jwk_read(air_buffer_span(&out), &back));
        assert_memory_equal(&key, &back, sizeof(key));
    }
    air_buffer_deinit(&out);
    air_fake_crypto_free(crypto);
}

static void appends_without_a_comma_of_its_own(void **state) {
    (void)state;
    struct air_public_key key;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(air_jwk_read(SPAN(EC_JWK), &key));
    air_buffer_append_text(&out, "{\"oldKey\":");
    assert_ok(air_jwk_write(&key, &out));
    assert_span(air_buffer_span(&out), "{\"oldKey\":" EC_JWK);
    air_buffer_deinit(&out);
}

static void refuses_coordinates_of_another_width(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" ZEROS_31
                                        "\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" ZEROS_31 "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"AA\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" ZEROS_31 ZEROS_31 "\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"\",\"y\":\"" EC_Y "\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_read_fails(texts[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_malformed_keys(void **state) {
    (void)state;
    static const char *const texts[] = {"", "[]", "\"EC\"", "{}", "{\"kty\":1}", "{\"kty\":\"EC\"}",
        "{\"kty\":\"RSA\"}", "{\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "=\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":1,\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"\"}", "{\"e\":\"\",\"kty\":\"RSA\",\"n\":\"AQ\"}",
        "{\"e\":\"AAEAAQ\",\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}",
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"AP__\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_read_fails(texts[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_other_kinds_of_key(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"kty\":\"oct\",\"k\":\"AQ\"}", "{\"kty\":\"ec\"}",
        "{\"kty\":\"\"}", "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" EC_X "\"}",
        "{\"crv\":\"P-521\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"crv\":\"p-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"AQAB\"}",
        "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" EC_X "\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_read_fails(texts[i], AIR_ERR_UNSUPPORTED);
    }
}

/* 2047 bits: the modulus has 256 octets, but its top bit is clear. One octet over 4096 bits. */
static void refuses_rsa_sizes_next_to_the_supported_ones(void **state) {
    (void)state;
    static const size_t sizes[] = {255, 256, 257, 384, 512, 513};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t modulus[513] = {0x7F, 1};
        struct air_buffer jwk;
        air_buffer_init(&jwk, 4096);
        air_buffer_append_text(&jwk, "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"");
        air_base64url_encode(air_span_of(modulus, sizes[i]), &jwk);
        air_buffer_append_text(&jwk, "\"}");
        air_buffer_append_byte(&jwk, 0);
        air_buffer_truncate(&jwk, jwk.size - 1);
        check_read_fails((const char *)jwk.data, AIR_ERR_UNSUPPORTED);
        air_buffer_deinit(&jwk);
    }
}

static void refuses_to_read_over_the_limit(void **state) {
    (void)state;
    struct air_public_key key;
    struct air_buffer jwk;
    air_buffer_init(&jwk, AIR_JWS_SIZE_MAX + 1);
    air_buffer_append_text(&jwk, EC_JWK);
    while (jwk.size < AIR_JWS_SIZE_MAX) {
        air_buffer_append_byte(&jwk, ' ');
    }
    assert_ok(air_jwk_read(air_buffer_span(&jwk), &key));
    air_buffer_append_byte(&jwk, ' ');
    assert_int_equal(air_jwk_read(air_buffer_span(&jwk), &key), AIR_ERR_LIMIT);
    air_buffer_deinit(&jwk);
}

static void refuses_to_write_a_key_that_is_not_whole(void **state) {
    (void)state;
    struct air_public_key key = {0};
    check_not_written(&key);
    key = (struct air_public_key){.type = AIR_KEY_ECDSA_P256, .x_or_n_size = 31, .y_or_e_size = 32};
    check_not_written(&key);
    key = (struct air_public_key){.type = AIR_KEY_ECDSA_P384, .x_or_n_size = 48, .y_or_e_size = 32};
    check_not_written(&key);
    key = (struct air_public_key){.type = AIR_KEY_RSA_2048, .x_or_n_size = 256, .y_or_e_size = 1};
    check_not_written(&key); /* the modulus begins with zeros */
    key.x_or_n[0] = 0x80;
    check_not_written(&key); /* the exponent is 0 */
    key.y_or_e[0] = 3;
    key.type = AIR_KEY_RSA_4096;
    check_not_written(&key);
    key.type = AIR_KEY_RSA_2048;
    key.y_or_e_size = 0;
    check_not_written(&key);
    key.y_or_e_size = sizeof(key.y_or_e) + 1;
    check_not_written(&key);
}

static void names_the_algorithm_of_each_key(void **state) {
    (void)state;
    static const char *const names[] = {"", "ES256", "ES384", "RS256", "RS256", "RS256"};
    for (unsigned type = AIR_KEY_NONE; type <= AIR_KEY_RSA_4096; type++) {
        enum air_algorithm algorithm = air_algorithm_for_key((enum air_key_type)type);
        assert_string_equal(air_algorithm_text(algorithm), names[type]);
    }
}

static enum air_error read_write_and_hash(void *context) {
    struct air_crypto *crypto = context;
    struct air_public_key key;
    char thumbprint[AIR_THUMBPRINT_SIZE];
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    enum air_error error = air_jwk_read(SPAN(RSA_JWK), &key);
    if (error == AIR_OK) {
        error = air_jwk_write(&key, &out);
    }
    if (error == AIR_OK) {
        error = air_jwk_thumbprint(crypto, &key, thumbprint);
    }
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    struct air_crypto *crypto = air_fake_crypto_new(1);
    air_test_each_allocation(read_write_and_hash, crypto);
    air_fake_crypto_fail_at(crypto, 1, AIR_ERR_CRYPTO);
    assert_int_equal(read_write_and_hash(crypto), AIR_ERR_CRYPTO);
    air_fake_crypto_free(crypto);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbprints_agree_with_rfc_7638),
        cmocka_unit_test(ignores_order_white_space_and_other_members),
        cmocka_unit_test(writes_what_it_read),
        cmocka_unit_test(keeps_the_width_of_coordinates_that_begin_with_zeros),
        cmocka_unit_test(round_trips_every_type),
        cmocka_unit_test(appends_without_a_comma_of_its_own),
        cmocka_unit_test(refuses_coordinates_of_another_width),
        cmocka_unit_test(refuses_malformed_keys),
        cmocka_unit_test(refuses_other_kinds_of_key),
        cmocka_unit_test(refuses_rsa_sizes_next_to_the_supported_ones),
        cmocka_unit_test(refuses_to_read_over_the_limit),
        cmocka_unit_test(refuses_to_write_a_key_that_is_not_whole),
        cmocka_unit_test(names_the_algorithm_of_each_key),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
