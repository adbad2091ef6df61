/* SPDX-License-Identifier: MIT */
/*
 * Proven here: with a real crypto library, the signed examples of RFC 7515 verify; signatures and
 * coordinates keep their width in enough random cases that a lost leading zero (one in 128) would
 * be seen.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/memory.h"
#include "tests/support/test.h"
#include "thinair/jose.h"
#include "thinair/openssl.h"

/* RFC 7515 appendices A.2 and A.3: the same payload, by two keys. */
#define PAYLOAD                                                                                    \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
#define RS256_HEADER "eyJhbGciOiJSUzI1NiJ9"
#define RS256_SIGNATURE                                                                            \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5" \
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb" \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO" \
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define RSA_JWK                                                                                    \
    "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""                                                     \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4" \
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re" \
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX" \
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}"
#define ES256_HEADER "eyJhbGciOiJFUzI1NiJ9"
#define ES256_SIGNATURE                                                                            \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EC_JWK                                                                                     \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static int set_up(void **state) {
    struct air_crypto *crypto = NULL;
    enum air_error error = air_crypto_openssl_new(&crypto);
    *state = crypto;
    return error == AIR_OK ? 0 : -1;
}

static int tear_down(void **state) {
    air_crypto_openssl_free(*state);
    return air_memory_live() == 0 ? 0 : -1;
}

static void check_example(const struct air_crypto *crypto, const char *jwk, const char *header,
    const char *signature, enum air_error expected) {
    struct air_public_key key;
    struct air_buffer jws;
    struct air_buffer payload;
    air_buffer_init(&jws, 4096);
    air_buffer_init(&payload, 4096);
    air_json_begin(&jws, NULL, '{');
    air_json_put_text(&jws, "payload", SPAN(PAYLOAD));
    air_json_put_text(&jws, "protected", air_span_text(header));
    air_json_put_text(&jws, "signature", air_span_text(signature));
    air_json_end(&jws, '}');
    assert_ok(jws.error);
    assert_ok(air_jwk_read(air_span_text(jwk), &key));
    assert_int_equal(air_jws_verify(crypto, &key, air_buffer_span(&jws), &payload), expected);
    if (expected == AIR_OK) {
        assert_span(air_buffer_span(&payload),
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    }
    air_buffer_deinit(&payload);
    air_buffer_deinit(&jws);
}

static void verifies_the_examples_of_rfc_7515(void **state) {
    check_example(*state, RSA_JWK, RS256_HEADER, RS256_SIGNATURE, AIR_OK);
    check_example(*state, EC_JWK, ES256_HEADER, ES256_SIGNATURE, AIR_OK);
}

static void refuses_examples_with_the_wrong_signature(void **state) {
    static const char short_signature[] = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5d"
                                          "jxLa8ISlSApmWQxfKTUJqPP3-Kg6NU";
    check_example(*state, EC_JWK, ES256_HEADER, RS256_SIGNATURE, AIR_ERR_REFUSED);
    check_example(*state, EC_JWK, ES256_HEADER, short_signature, AIR_ERR_REFUSED);
    check_example(*state, RSA_JWK, RS256_HEADER, ES256_SIGNATURE, AIR_ERR_REFUSED);
    check_example(*state, EC_JWK, RS256_HEADER, ES256_SIGNATURE, AIR_ERR_UNSUPPORTED);
}

static void check_compact_example(
    const struct air_crypto *crypto, const char *jwk, const char *jws, enum air_error expected) {
    struct air_public_key key;
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    assert_ok(air_jwk_read(air_span_text(jwk), &key));
    assert_int_equal(air_jws_verify_compact(crypto, &key, air_span_text(jws), &payload), expected);
    assert_true((payload.size == 70) == (expected == AIR_OK));
    air_buffer_deinit(&payload);
}

/* Appendices A.2 and A.3 as they are printed; A.1, whose alg is HS256; A.5, which is unsecured. */
static void takes_of_the_compact_examples_those_with_a_signature(void **state) {
    check_compact_example(*state, RSA_JWK, RS256_HEADER "." PAYLOAD "." RS256_SIGNATURE, AIR_OK);
    check_compact_example(*state, EC_JWK, ES256_HEADER "." PAYLOAD "." ES256_SIGNATURE, AIR_OK);
    check_compact_example(
        *state, EC_JWK, RS256_HEADER "." PAYLOAD "." RS256_SIGNATURE, AIR_ERR_UNSUPPORTED);
    check_compact_example(
        *state, EC_JWK, ES256_HEADER "." PAYLOAD "." RS256_SIGNATURE, AIR_ERR_REFUSED);
    check_compact_example(*state, EC_JWK,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        AIR_ERR_UNSUPPORTED);
    check_compact_example(*state, EC_JWK, "eyJhbGciOiJub25lIn0." PAYLOAD ".", AIR_ERR_MALFORMED);
    check_compact_example(
        *state, EC_JWK, "eyJhbGciOiJub25lIn0." PAYLOAD ".AA", AIR_ERR_UNSUPPORTED);
}

/* Sign a payload of its own each time and verify it; tell how many signatures have a first octet of
 * 0 at one of the given places. */
static size_t sign_many(const struct air_crypto *crypto, enum air_key_type type, size_t count,
    size_t signature_size, size_t second_half) {
    uint64_t key = 0;
    size_t short_count = 0;
    struct air_public_key public_key;
    assert_ok(crypto->key_generate_slow(crypto->self, type, &key));
    assert_ok(crypto->key_public(crypto->self, key, &public_key));
    struct air_jws_header header = {
        .algorithm = air_algorithm_for_key(type), .jwk = &public_key, .url = SPAN("https://ca/")};
    struct air_buffer buffers[4];
    for (size_t i = 0; i < 4; i++) {
        air_buffer_init(&buffers[i], 65536);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < 4; j++) {
            air_buffer_clear(&buffers[j]);
        }
        json_t *json = NULL;
        air_buffer_append_number(&buffers[0], (int64_t)i);
        assert_ok(air_jws_sign(crypto, key, &header, air_buffer_span(&buffers[0]), &buffers[1]));
        assert_ok(air_jws_verify(crypto, &public_key, air_buffer_span(&buffers[1]), &buffers[2]));
        assert_true(air_span_equal(air_buffer_span(&buffers[0]), air_buffer_span(&buffers[2])));
        assert_ok(air_json_read(air_buffer_span(&buffers[1]), &json));
        assert_ok(air_base64url_decode(air_json_text(json, "signature"), &buffers[3]));
        json_decref(json);
        assert_int_equal(buffers[3].size, signature_size);
        short_count += buffers[3].data[0] == 0 || buffers[3].data[second_half] == 0;
    }
    for (size_t i = 0; i < 4; i++) {
        air_buffer_deinit(&buffers[i]);
    }
    crypto->key_free(crypto->self, key);
    return short_count;
}

/* RFC 7518 section 3.4. That none of 2,000 has a short R or S happens once in six million runs. */
static void es256_signatures_keep_their_width(void **state) {
    assert_true(sign_many(*state, AIR_KEY_ECDSA_P256, 2000, 64, 32) > 0);
}

static void es384_signatures_keep_their_width(void **state) {
    sign_many(*state, AIR_KEY_ECDSA_P384, 100, 96, 48);
}

static void rs256_signatures_verify(void **state) {
    sign_many(*state, AIR_KEY_RSA_2048, 200, 256, 0);
}

/* RFC 7518 section 6.2.1.2: 32 octets are 43 digits. */
static void coordinates_keep_their_width(void **state) {
    const struct air_crypto *crypto = *state;
    for (size_t i = 0; i < 300; i++) {
        uint64_t key = 0;
        struct air_public_key public_key;
        struct air_public_key back;
        struct air_buffer jwk;
        json_t *json = NULL;
        air_buffer_init(&jwk, 4096);
        assert_ok(crypto->key_generate(crypto->self, AIR_KEY_ECDSA_P256, &key));
        assert_ok(crypto->key_public(crypto->self, key, &public_key));
        assert_ok(air_jwk_write(&public_key, &jwk));
        assert_ok(air_jwk_read(air_buffer_span(&jwk), &back));
        assert_memory_equal(back.x_or_n, public_key.x_or_n, 32);
        assert_memory_equal(back.y_or_e, public_key.y_or_e, 32);
        assert_ok(air_json_read(air_buffer_span(&jwk), &json));
        assert_int_equal(air_json_text(json, "x").size, 43);
        assert_int_equal(air_json_text(json, "y").size, 43);
        json_decref(json);
        air_buffer_deinit(&jwk);
        crypto->key_free(crypto->self, key);
    }
}

#define with_crypto(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_crypto(verifies_the_examples_of_rfc_7515),
        with_crypto(refuses_examples_with_the_wrong_signature),
        with_crypto(takes_of_the_compact_examples_those_with_a_signature),
        with_crypto(es256_signatures_keep_their_width),
        with_crypto(es384_signatures_keep_their_width),
        with_crypto(rs256_signatures_verify),
        with_crypto(coordinates_keep_their_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
