/* SPDX-License-Identifier: MIT */
/*
 * Proven: private keys are taken from PKCS#8, SEC 1 and PKCS#1, and nothing else is: no encrypted
 * key (and nobody is asked for a password), no key of another kind, no damaged one, no two, nothing
 * around one. OpenSSL writes the texts; the damaged ones are cut here.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"

#define PEM_SIZE_MAX 65536

static EVP_PKEY *make(const char *algorithm, const char *group) {
    EVP_PKEY *key = group == NULL ? EVP_PKEY_Q_keygen(NULL, NULL, algorithm)
                                  : EVP_PKEY_Q_keygen(NULL, NULL, algorithm, group);
    assert_non_null(key);
    return key;
}

static EVP_PKEY *make_rsa(size_t bits) {
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);
    assert_non_null(key);
    return key;
}

static void assert_import(
    const struct air_crypto *port, const struct air_buffer *pem, enum air_error expected) {
    uint64_t key = 0;
    assert_int_equal(port->key_import(port->self, air_buffer_span(pem), &key), expected);
    assert_true((key != 0) == (expected == AIR_OK));
}

/* Import a text put together from up to three parts. */
static void assert_import_parts(const struct air_crypto *port, const char *before,
    const struct air_buffer *pem, const char *after, enum air_error expected) {
    struct air_buffer text;
    air_buffer_init(&text, PEM_SIZE_MAX);
    assert_ok(air_buffer_append_text(&text, before));
    assert_ok(air_buffer_append_span(&text, air_buffer_span(pem)));
    assert_ok(air_buffer_append_text(&text, after));
    assert_import(port, &text, expected);
    air_buffer_deinit(&text);
}

/* Import a key that OpenSSL made, as PKCS#8, and free it. */
static void assert_import_key(
    const struct air_crypto *port, EVP_PKEY *key, enum air_error expected) {
    struct air_buffer pem;
    air_buffer_init(&pem, PEM_SIZE_MAX);
    air_oracle_pkcs8(key, NULL, &pem);
    assert_import(port, &pem, expected);
    air_buffer_deinit(&pem);
    EVP_PKEY_free(key);
}

static void assert_import_der(
    const struct air_crypto *port, const char *label, air_span der, enum air_error expected) {
    struct air_buffer pem;
    air_buffer_init(&pem, PEM_SIZE_MAX);
    air_oracle_pem(label, der, &pem);
    assert_import(port, &pem, expected);
    air_buffer_deinit(&pem);
}

static void write_p256(struct air_buffer *pem) {
    EVP_PKEY *key = make("EC", "P-256");
    air_buffer_init(pem, PEM_SIZE_MAX);
    air_oracle_pkcs8(key, NULL, pem);
    EVP_PKEY_free(key);
}

static size_t write_der(EVP_PKEY *key, uint8_t *der) {
    int size = i2d_PrivateKey(key, &der);
    assert_true(size > 0);
    return (size_t)size;
}

static void takes_pkcs8(void **state) {
    assert_import_key(*state, make("EC", "P-256"), AIR_OK);
    assert_import_key(*state, make("EC", "P-384"), AIR_OK);
    assert_import_key(*state, make_rsa(2048), AIR_OK);
}

static void assert_import_traditional(const struct air_crypto *port, EVP_PKEY *key) {
    struct air_buffer pem;
    air_buffer_init(&pem, PEM_SIZE_MAX);
    air_oracle_traditional(key, NULL, &pem);
    assert_import(port, &pem, AIR_OK);
    air_buffer_deinit(&pem);
    EVP_PKEY_free(key);
}

static void takes_sec1_and_pkcs1(void **state) {
    assert_import_traditional(*state, make("EC", "P-256"));
    assert_import_traditional(*state, make("EC", "P-384"));
    assert_import_traditional(*state, make_rsa(2048));
}

/* What `openssl ecparam -genkey` writes. */
static void takes_curve_parameters_before_the_key(void **state) {
    struct air_buffer pem;
    EVP_PKEY *key = make("EC", "P-256");
    air_buffer_init(&pem, PEM_SIZE_MAX);
    air_oracle_pem("EC PARAMETERS", SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), &pem);
    air_oracle_traditional(key, NULL, &pem);
    assert_import(*state, &pem, AIR_OK);
    air_buffer_deinit(&pem);
    EVP_PKEY_free(key);
}

static void takes_white_space_around(void **state) {
    struct air_buffer pem;
    write_p256(&pem);
    assert_import_parts(*state, " \r\n\n", &pem, "\n\r\n\t ", AIR_OK);
    air_buffer_deinit(&pem);
}

static void refuses_text_around(void **state) {
    struct air_buffer pem;
    write_p256(&pem);
    assert_import_parts(*state, "my key:\n", &pem, "", AIR_ERR_MALFORMED);
    assert_import_parts(*state, "", &pem, "that was it", AIR_ERR_MALFORMED);
    assert_import_parts(*state, "", &pem, "-----BEGIN PRIVATE KEY-----\n", AIR_ERR_MALFORMED);
    assert_import_parts(*state,
        "-----BEGIN EC PARAMETERS-----\n-----END EC PARAMETERS-----\njunk\n", &pem, "",
        AIR_ERR_MALFORMED);
    air_buffer_deinit(&pem);
}

static void refuses_two_keys(void **state) {
    struct air_buffer pem;
    write_p256(&pem);
    struct air_buffer twice;
    air_buffer_init(&twice, PEM_SIZE_MAX);
    assert_ok(air_buffer_append_span(&twice, air_buffer_span(&pem)));
    assert_ok(air_buffer_append_span(&twice, air_buffer_span(&pem)));
    assert_import(*state, &twice, AIR_ERR_MALFORMED);
    air_buffer_deinit(&twice);
    air_buffer_deinit(&pem);
}

static void refuses_what_is_not_pem(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = 0;
    uint8_t der[256];
    EVP_PKEY *made = make("EC", "P-256");
    air_span texts[] = {
        air_span_of(NULL, 0),
        SPAN(" \n"),
        SPAN("secret"),
        SPAN("-----BEGIN PRIVATE KEY-----\n"),
        SPAN("-----BEGIN PRIVATE KEY-----\nMII\n-----END EC PRIVATE KEY-----\n"),
        SPAN("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"),
        SPAN("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
        air_span_of(der, write_der(made, der)),
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(port->key_import(port->self, texts[i], &key), AIR_ERR_MALFORMED);
    }
    assert_int_equal(key, 0);
    EVP_PKEY_free(made);
}

static void refuses_encrypted_keys_without_asking(void **state) {
    struct air_buffer pem;
    EVP_PKEY *key = make("EC", "P-256");
    air_buffer_init(&pem, PEM_SIZE_MAX);
    air_oracle_pkcs8(key, "secret", &pem);
    assert_import(*state, &pem, AIR_ERR_BAD_KEY);
    air_buffer_clear(&pem);
    air_oracle_traditional(key, "secret", &pem);
    assert_import(*state, &pem, AIR_ERR_BAD_KEY);
    air_buffer_deinit(&pem);
    EVP_PKEY_free(key);
}

static void refuses_other_blocks(void **state) {
    uint8_t der[256];
    EVP_PKEY *key = make("EC", "P-256");
    air_span bytes = air_span_of(der, write_der(key, der));
    const char *const labels[] = {"PUBLIC KEY", "CERTIFICATE", "ENCRYPTED PRIVATE KEY",
        "DSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ANY PRIVATE KEY", "EC PARAMETERS"};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        bool is_parameters = strcmp(labels[i], "EC PARAMETERS") == 0;
        assert_import_der(
            *state, labels[i], bytes, is_parameters ? AIR_ERR_MALFORMED : AIR_ERR_BAD_KEY);
    }
    EVP_PKEY_free(key);
}

static void refuses_other_algorithms_and_curves(void **state) {
    assert_import_key(*state, make("EC", "P-521"), AIR_ERR_BAD_KEY);
    assert_import_key(*state, make("EC", "secp256k1"), AIR_ERR_BAD_KEY);
    assert_import_key(*state, make("EC", "brainpoolP256r1"), AIR_ERR_BAD_KEY);
    assert_import_key(*state, make("ED25519", NULL), AIR_ERR_BAD_KEY);
    assert_import_key(*state, make("X25519", NULL), AIR_ERR_BAD_KEY);
}

static void refuses_rsa_of_other_sizes(void **state) {
    assert_import_key(*state, make_rsa(1024), AIR_ERR_BAD_KEY);
    assert_import_key(*state, make_rsa(2056), AIR_ERR_BAD_KEY);

    /* Made once and kept, because making one takes up to a minute. */
    struct air_buffer pem;
    char text[PEM_SIZE_MAX];
    FILE *file = fopen(AIR_TEST_DATA "/rsa-8192.pem", "r");
    assert_non_null(file);
    air_buffer_init(&pem, PEM_SIZE_MAX);
    assert_ok(air_buffer_append(&pem, text, fread(text, 1, sizeof(text), file)));
    assert_int_equal(fclose(file), 0);
    assert_true(pem.size > 4096);
    assert_import(*state, &pem, AIR_ERR_BAD_KEY);
    air_buffer_deinit(&pem);
}

/* CA/B Forum Baseline Requirements 6.1.6: below 2^256; CAs take far less. */
static void refuses_rsa_with_a_long_exponent(void **state) {
    EVP_PKEY *key = NULL;
    BIGNUM *exponent = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(BN_hex2bn(&exponent, "10000000000000001F") > 0);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, exponent), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    BN_free(exponent);
    assert_import_key(*state, key, AIR_ERR_BAD_KEY);
}

static void refuses_rsa_pss(void **state) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    assert_import_key(*state, key, AIR_ERR_BAD_KEY);
}

/* RFC 5480 section 2.1.1: no CA certifies one. */
static void refuses_curves_spelt_out(void **state) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[] = "P-256";
    char encoding[] = "explicit";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof(encoding) - 1),
        OSSL_PARAM_END,
    };
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(context, parameters), 1);
    assert_int_equal(EVP_PKEY_generate(context, &key), 1);
    EVP_PKEY_CTX_free(context);
    assert_import_key(*state, key, AIR_ERR_BAD_KEY);
}

static void refuses_damaged_keys(void **state) {
    uint8_t der[256];
    EVP_PKEY *key = make("EC", "P-256");
    size_t size = write_der(key, der);
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size), AIR_OK);
    assert_import_der(*state, "RSA PRIVATE KEY", air_span_of(der, size), AIR_ERR_BAD_KEY);
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size - 1), AIR_ERR_BAD_KEY);
    der[size] = 0;
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size + 1), AIR_ERR_BAD_KEY);
    der[0] ^= 1;
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size), AIR_ERR_BAD_KEY);
    assert_import_der(*state, "PRIVATE KEY", SPAN("\x30\x00"), AIR_ERR_BAD_KEY);
    EVP_PKEY_free(key);
}

/* SEC 1 DER of a P-256 key: version, then 04 20 and the scalar; the point is its last 65 bytes. */
static void refuses_halves_that_do_not_belong_together(void **state) {
    uint8_t der[256];
    uint8_t other_der[256];
    EVP_PKEY *key = make("EC", "P-256");
    EVP_PKEY *other = make("EC", "P-256");
    size_t size = write_der(key, der);
    assert_int_equal(write_der(other, other_der), size);
    assert_memory_equal(der + 5, "\x04\x20", 2);
    memcpy(der + size - 65, other_der + size - 65, 65);
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size), AIR_ERR_BAD_KEY);
    der[size - 1] ^= 1; /* not on the curve */
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(der, size), AIR_ERR_BAD_KEY);
    memset(other_der + 7, 0, 32); /* no scalar at all */
    assert_import_der(*state, "EC PRIVATE KEY", air_span_of(other_der, size), AIR_ERR_BAD_KEY);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void refuses_over_long_text(void **state) {
    struct air_buffer pem;
    write_p256(&pem);
    size_t fill = AIR_KEY_PEM_SIZE_MAX - pem.size;
    memset(air_buffer_extend(&pem, fill), '\n', fill);
    assert_import(*state, &pem, AIR_OK);
    assert_ok(air_buffer_append_byte(&pem, '\n'));
    assert_import(*state, &pem, AIR_ERR_LIMIT);
    air_buffer_deinit(&pem);
}

int air_contract_key_import(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(takes_pkcs8),
        CONTRACT_TEST(takes_sec1_and_pkcs1),
        CONTRACT_TEST(takes_curve_parameters_before_the_key),
        CONTRACT_TEST(takes_white_space_around),
        CONTRACT_TEST(refuses_text_around),
        CONTRACT_TEST(refuses_two_keys),
        CONTRACT_TEST(refuses_what_is_not_pem),
        CONTRACT_TEST(refuses_encrypted_keys_without_asking),
        CONTRACT_TEST(refuses_other_blocks),
        CONTRACT_TEST(refuses_other_algorithms_and_curves),
        CONTRACT_TEST(refuses_rsa_of_other_sizes),
        CONTRACT_TEST(refuses_rsa_with_a_long_exponent),
        CONTRACT_TEST(refuses_rsa_pss),
        CONTRACT_TEST(refuses_curves_spelt_out),
        CONTRACT_TEST(refuses_damaged_keys),
        CONTRACT_TEST(refuses_halves_that_do_not_belong_together),
        CONTRACT_TEST(refuses_over_long_text),
    };
    return cmocka_run_group_tests_name("key import", tests, NULL, NULL);
}
