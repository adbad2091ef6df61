/* SPDX-License-Identifier: MIT */
/*
 * Proven: signatures have the widths of RFC 7518 section 3, also when R or S begins with zeros
 * (R-A13), and OpenSSL verifies them; verifying takes nothing else: no other width, no DER, no
 * other data, key or algorithm, no key that is none.
 */

#include <openssl/core_names.h>
#include <string.h>

#include "src/base/base64url.h"
#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"

/* One signature in 256 has a leading zero: so many without one do not happen. */
#define TRIES_MAX 20000

struct signature {
    uint8_t bytes[AIR_SIGNATURE_SIZE_MAX];
    size_t size;
};

static air_span span_of(const struct signature *signature) {
    return air_span_of(signature->bytes, signature->size);
}

static void sign(const struct air_crypto *port, uint64_t key, enum air_algorithm algorithm,
    air_span data, struct signature *out) {
    enum air_error error = port->key_sign(port->self, key, algorithm, data, out->bytes, &out->size);
    if (error == AIR_ERR_LATER) {
        error = port->key_sign_slow(port->self, key, algorithm, data, out->bytes, &out->size);
    }
    assert_ok(error);
}

static void assert_signs(const struct air_crypto *port, enum air_key_type type,
    enum air_algorithm algorithm, size_t width) {
    uint64_t key = air_oracle_generate(port, type);
    EVP_PKEY *oracle = air_oracle_key(port, key);
    struct air_public_key public_key;
    assert_ok(port->key_public(port->self, key, &public_key));
    const air_span texts[] = {SPAN("e30.e30"), SPAN("\0\0"), air_span_of(NULL, 0)};
    for (size_t i = 0; i < 3; i++) {
        struct signature signature = {{0}, 0};
        sign(port, key, algorithm, texts[i], &signature);
        assert_int_equal(signature.size, width);
        assert_true(texts[i].size == 0 ||
                    air_oracle_verify(oracle, algorithm, texts[i], span_of(&signature)));
        assert_ok(port->verify(port->self, &public_key, algorithm, texts[i], span_of(&signature)));
    }
    EVP_PKEY_free(oracle);
}

static void signs_with_every_type(void **state) {
    const struct air_crypto *port = *state;
    assert_signs(port, AIR_KEY_ECDSA_P256, AIR_ES256, 64);
    assert_signs(port, AIR_KEY_ECDSA_P384, AIR_ES384, 96);
    assert_signs(port, AIR_KEY_RSA_2048, AIR_RS256, 256);
    assert_signs(port, AIR_KEY_RSA_3072, AIR_RS256, 384);
}

static void assert_short_half(const struct air_crypto *port, enum air_key_type type,
    enum air_algorithm algorithm, size_t width, size_t half) {
    uint64_t key = air_oracle_generate(port, type);
    EVP_PKEY *oracle = air_oracle_key(port, key);
    struct air_public_key public_key;
    assert_ok(port->key_public(port->self, key, &public_key));
    bool found = false;
    for (int tries = 0; tries < TRIES_MAX && !found; tries++) {
        struct signature signature = {{0}, 0};
        sign(port, key, algorithm, SPAN("data"), &signature);
        assert_int_equal(signature.size, 2 * width);
        found = signature.bytes[half * width] == 0;
        if (found) {
            assert_true(air_oracle_verify(oracle, algorithm, SPAN("data"), span_of(&signature)));
            assert_ok(port->verify(
                port->self, &public_key, algorithm, SPAN("data"), span_of(&signature)));
        }
    }
    assert_true(found);
    EVP_PKEY_free(oracle);
}

static void short_halves_are_padded(void **state) {
    const struct air_crypto *port = *state;
    assert_short_half(port, AIR_KEY_ECDSA_P256, AIR_ES256, 32, 0);
    assert_short_half(port, AIR_KEY_ECDSA_P256, AIR_ES256, 32, 1);
    assert_short_half(port, AIR_KEY_ECDSA_P384, AIR_ES384, 48, 0);
}

/* RFC 7515 appendix A.3. */
static void verifies_the_published_signature(void **state) {
    const struct air_crypto *port = *state;
    static const char data[] =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ";
    struct air_buffer bytes;
    air_buffer_init(&bytes, 128);
    assert_ok(air_base64url_decode(SPAN("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), &bytes));
    assert_ok(air_base64url_decode(SPAN("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"), &bytes));
    assert_ok(
        air_base64url_decode(SPAN("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                                  "pmWQxfKTUJqPP3-Kg6NU1Q"),
            &bytes));
    assert_int_equal(bytes.size, 128);
    struct air_public_key key = {.type = AIR_KEY_ECDSA_P256, .x_or_n_size = 32, .y_or_e_size = 32};
    memcpy(key.x_or_n, bytes.data, 32);
    memcpy(key.y_or_e, bytes.data + 32, 32);
    assert_ok(
        port->verify(port->self, &key, AIR_ES256, SPAN(data), air_span_of(bytes.data + 64, 64)));
    air_buffer_deinit(&bytes);
}

static void refuses_algorithms_of_other_keys(void **state) {
    const struct air_crypto *port = *state;
    const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_ECDSA_P384, AIR_KEY_RSA_2048};
    const enum air_algorithm fitting[] = {AIR_ES256, AIR_ES384, AIR_RS256};
    for (size_t i = 0; i < 3; i++) {
        uint64_t key = air_oracle_generate(port, types[i]);
        struct air_public_key public_key;
        struct signature signature = {{0}, 7};
        assert_ok(port->key_public(port->self, key, &public_key));
        for (int algorithm = AIR_ALGORITHM_NONE; algorithm <= AIR_RS256; algorithm++) {
            enum air_algorithm wrong = (enum air_algorithm)algorithm;
            if (wrong == fitting[i]) {
                continue;
            }
            assert_int_equal(port->key_sign(port->self, key, wrong, SPAN("data"), signature.bytes,
                                 &signature.size),
                AIR_ERR_BAD_KEY);
            assert_int_equal(port->key_sign_slow(port->self, key, wrong, SPAN("data"),
                                 signature.bytes, &signature.size),
                AIR_ERR_BAD_KEY);
            assert_int_equal(signature.size, 7);
            assert_int_equal(port->verify(port->self, &public_key, wrong, SPAN("data"),
                                 air_span_of(signature.bytes, 64)),
                AIR_ERR_BAD_KEY);
        }
    }
}

static void refuses_to_sign_without_a_key(void **state) {
    const struct air_crypto *port = *state;
    struct signature signature = {{0}, 7};
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    port->key_free(port->self, key);
    const uint64_t handles[] = {0, key, key + 1};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(port->key_sign(port->self, handles[i], AIR_ES256, SPAN("data"),
                             signature.bytes, &signature.size),
            AIR_ERR_ARGUMENT);
    }
    assert_int_equal(signature.size, 7);
}

static void assert_refuses_changes(
    const struct air_crypto *port, enum air_key_type type, enum air_algorithm algorithm) {
    uint64_t key = air_oracle_generate(port, type);
    uint64_t other = air_oracle_generate(port, type);
    struct air_public_key public_key;
    struct air_public_key other_key;
    struct signature good = {{0}, 0};
    assert_ok(port->key_public(port->self, key, &public_key));
    assert_ok(port->key_public(port->self, other, &other_key));
    sign(port, key, algorithm, SPAN("data"), &good);

    assert_int_equal(port->verify(port->self, &public_key, algorithm, SPAN("dat"), span_of(&good)),
        AIR_ERR_REFUSED);
    assert_int_equal(port->verify(port->self, &other_key, algorithm, SPAN("data"), span_of(&good)),
        AIR_ERR_REFUSED);
    for (size_t at = 0; at < good.size; at += 13) {
        struct signature bad = good;
        bad.bytes[at] ^= 0x10;
        assert_int_equal(
            port->verify(port->self, &public_key, algorithm, SPAN("data"), span_of(&bad)),
            AIR_ERR_REFUSED);
    }
    const size_t sizes[] = {0, 1, good.size / 2, good.size - 1, good.size + 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct signature bad = good;
        bad.size = sizes[i];
        assert_int_equal(
            port->verify(port->self, &public_key, algorithm, SPAN("data"), span_of(&bad)),
            AIR_ERR_REFUSED);
    }
}

static void refuses_changed_signatures(void **state) {
    assert_refuses_changes(*state, AIR_KEY_ECDSA_P256, AIR_ES256);
    assert_refuses_changes(*state, AIR_KEY_ECDSA_P384, AIR_ES384);
    assert_refuses_changes(*state, AIR_KEY_RSA_2048, AIR_RS256);
}

/* A zero or an order-sized half must not pass (RFC 7518 says nothing; CVE-2022-21449 did). */
static void refuses_degenerate_signatures(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    struct air_public_key public_key;
    struct signature bad = {{0}, 64};
    assert_ok(port->key_public(port->self, key, &public_key));
    assert_int_equal(port->verify(port->self, &public_key, AIR_ES256, SPAN("data"), span_of(&bad)),
        AIR_ERR_REFUSED);
    memset(bad.bytes, 0xff, 64);
    assert_int_equal(port->verify(port->self, &public_key, AIR_ES256, SPAN("data"), span_of(&bad)),
        AIR_ERR_REFUSED);
}

static void refuses_der_signatures(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    EVP_PKEY *oracle = air_oracle_key(port, key);
    struct air_public_key public_key;
    struct signature der = {{0}, AIR_SIGNATURE_SIZE_MAX};
    assert_ok(port->key_public(port->self, key, &public_key));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, oracle), 1);
    assert_int_equal(EVP_DigestSign(context, der.bytes, &der.size, (const uint8_t *)"data", 4), 1);
    assert_int_equal(port->verify(port->self, &public_key, AIR_ES256, SPAN("data"), span_of(&der)),
        AIR_ERR_REFUSED);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(oracle);
}

static void assert_bad_key(const struct air_crypto *port, const struct air_public_key *key,
    enum air_algorithm algorithm, const struct signature *signature) {
    assert_int_equal(port->verify(port->self, key, algorithm, SPAN("data"), span_of(signature)),
        AIR_ERR_BAD_KEY);
}

static void refuses_points_that_are_none(void **state) {
    const struct air_crypto *port = *state;
    uint64_t handle = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    struct air_public_key good;
    struct signature signature = {{0}, 0};
    assert_ok(port->key_public(port->self, handle, &good));
    sign(port, handle, AIR_ES256, SPAN("data"), &signature);

    struct air_public_key bad = good;
    bad.x_or_n_size = 31;
    assert_bad_key(port, &bad, AIR_ES256, &signature);
    bad = good;
    bad.y_or_e_size = 33;
    assert_bad_key(port, &bad, AIR_ES256, &signature);
    bad = good;
    bad.y_or_e[31] ^= 1;
    assert_bad_key(port, &bad, AIR_ES256, &signature);
    bad = good;
    memset(bad.x_or_n, 0xff, 32);
    assert_bad_key(port, &bad, AIR_ES256, &signature);
    bad = good;
    bad.type = AIR_KEY_NONE;
    assert_bad_key(port, &bad, AIR_ES256, &signature);
    bad.type = AIR_KEY_ECDSA_P384;
    assert_bad_key(port, &bad, AIR_ES384, &signature);
}

static void refuses_rsa_keys_that_are_none(void **state) {
    const struct air_crypto *port = *state;
    uint64_t handle = air_oracle_generate(port, AIR_KEY_RSA_2048);
    struct air_public_key good;
    struct signature signature = {{0}, 0};
    assert_ok(port->key_public(port->self, handle, &good));
    sign(port, handle, AIR_RS256, SPAN("data"), &signature);

    struct air_public_key bad = good;
    bad.x_or_n_size = 255;
    assert_bad_key(port, &bad, AIR_RS256, &signature);
    bad = good;
    bad.x_or_n[0] = 0;
    assert_bad_key(port, &bad, AIR_RS256, &signature);
    bad = good;
    bad.y_or_e_size = 0;
    assert_bad_key(port, &bad, AIR_RS256, &signature);
    bad = good;
    bad.y_or_e_size = 1; /* exponent 1: everything is its own signature */
    assert_bad_key(port, &bad, AIR_RS256, &signature);
    bad = good;
    bad.y_or_e[2] = 2;
    assert_bad_key(port, &bad, AIR_RS256, &signature);
    bad = good;
    bad.type = AIR_KEY_RSA_4096;
    assert_bad_key(port, &bad, AIR_RS256, &signature);
}

int air_contract_signature(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(signs_with_every_type),
        CONTRACT_TEST(short_halves_are_padded),
        CONTRACT_TEST(verifies_the_published_signature),
        CONTRACT_TEST(refuses_algorithms_of_other_keys),
        CONTRACT_TEST(refuses_to_sign_without_a_key),
        CONTRACT_TEST(refuses_changed_signatures),
        CONTRACT_TEST(refuses_degenerate_signatures),
        CONTRACT_TEST(refuses_der_signatures),
        CONTRACT_TEST(refuses_points_that_are_none),
        CONTRACT_TEST(refuses_rsa_keys_that_are_none),
    };
    return cmocka_run_group_tests_name("signature", tests, NULL, NULL);
}
