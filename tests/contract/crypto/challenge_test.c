/* SPDX-License-Identifier: MIT */
/*
 * Proven: the certificate for tls-alpn-01 passes a validator stricter than RFC 8737, the way Let's
 * Encrypt's is: issuer and subject have the same bytes, the signature fits its own key, the two
 * extensions are there once and have exactly the expected bytes, encoded here by hand.
 */

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "src/base/pem.h"
#include "src/base/time_text.h"
#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"
#include "tests/support/allocation.h"

#define NOW_MS INT64_C(1795000000000)
#define DAY_MS INT64_C(86400000)

/* Stands for the SHA-256 of a key authorization. */
static const uint8_t digest[AIR_SHA256_SIZE] = {0x65, 0xa2, 0x60, 0x16, 0xd2, 0x15, 0xe1, 0x60,
    0x34, 0xb7, 0x63, 0x33, 0x37, 0xb9, 0x1b, 0x4a, 0x4d, 0x2c, 0x7d, 0x17, 0x76, 0x19, 0x98, 0xda,
    0xc5, 0x1a, 0x9a, 0x49, 0x30, 0x0a, 0xea, 0x52};

struct pair {
    struct air_buffer certificate;
    struct air_buffer key;
};

static void pair_init(struct pair *pair) {
    air_buffer_init(&pair->certificate, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&pair->key, AIR_KEY_PEM_SIZE_MAX);
}

static void pair_deinit(struct pair *pair) {
    air_buffer_deinit(&pair->certificate);
    air_buffer_deinit(&pair->key);
}

static X509 *create(const struct air_crypto *port, air_span name, struct pair *pair) {
    pair_init(pair);
    assert_ok(port->challenge_certificate(
        port->self, name, digest, NOW_MS, &pair->certificate, &pair->key));
    return air_oracle_certificate(air_buffer_span(&pair->certificate));
}

static void assert_same_name(const X509 *certificate) {
    unsigned char *issuer = NULL;
    unsigned char *subject = NULL;
    int issuer_size = i2d_X509_NAME(X509_get_issuer_name(certificate), &issuer);
    int subject_size = i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
    assert_true(issuer_size > 0);
    assert_int_equal(issuer_size, subject_size);
    assert_memory_equal(issuer, subject, (size_t)issuer_size);
    OPENSSL_free(issuer);
    OPENSSL_free(subject);
}

static void assert_passes_the_strict_validator(const struct air_crypto *port, air_span name) {
    struct pair pair;
    X509 *certificate = create(port, name, &pair);
    assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
    assert_same_name(certificate);
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
    assert_int_equal(X509_get_ext_count(certificate), 2);

    struct air_buffer names;
    air_buffer_init(&names, 1024);
    air_oracle_names(&name, 1, &names);
    air_oracle_assert_extension(
        X509_get_ext(certificate, 0), SPAN("\x55\x1d\x11"), false, air_buffer_span(&names));
    uint8_t identifier[34] = {0x04, 0x20};
    memcpy(identifier + 2, digest, sizeof(digest));
    air_oracle_assert_extension(X509_get_ext(certificate, 1),
        SPAN("\x2b\x06\x01\x05\x05\x07\x01\x1f"), true, air_span_of(identifier, 34));
    air_buffer_deinit(&names);
    X509_free(certificate);
    pair_deinit(&pair);
}

static void passes_the_strict_validator(void **state) {
    char longest[253];
    memset(longest, 'a', sizeof(longest));
    longest[63] = longest[127] = longest[191] = '.';
    assert_passes_the_strict_validator(*state, SPAN("example.net"));
    assert_passes_the_strict_validator(*state, SPAN("a-1.xn--bcher-kva.example"));
    /* Longer than a common name can be, and past the short form of DER lengths. */
    assert_passes_the_strict_validator(*state, air_span_of(longest, sizeof(longest)));
}

/* RFC 8737 section 3: OID, critical, and the wrapped digest, as one run of bytes. */
static void identifier_has_the_published_encoding(void **state) {
    static const uint8_t head[] = {0x30, 0x31, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01,
        0x1f, 0x01, 0x01, 0xff, 0x04, 0x22, 0x04, 0x20};
    struct pair pair;
    unsigned char *der = NULL;
    X509 *certificate = create(*state, SPAN("example.net"), &pair);
    int size = i2d_X509_EXTENSION(X509_get_ext(certificate, 1), &der);
    assert_int_equal(size, sizeof(head) + sizeof(digest));
    assert_memory_equal(der, head, sizeof(head));
    assert_memory_equal(der + sizeof(head), digest, sizeof(digest));
    OPENSSL_free(der);
    X509_free(certificate);
    pair_deinit(&pair);
}

static void key_is_a_fresh_p256_of_its_own(void **state) {
    const struct air_crypto *port = *state;
    struct pair first;
    struct pair second;
    X509 *certificate = create(port, SPAN("example.net"), &first);
    X509_free(create(port, SPAN("example.net"), &second));
    assert_false(air_span_equal(air_buffer_span(&first.key), air_buffer_span(&second.key)));

    uint64_t handle = 0;
    struct air_public_key public_key;
    assert_ok(port->key_import(port->self, air_buffer_span(&first.key), &handle));
    assert_ok(port->key_public(port->self, handle, &public_key));
    assert_int_equal(public_key.type, AIR_KEY_ECDSA_P256);
    EVP_PKEY *oracle = air_oracle_key(port, handle);
    assert_int_equal(EVP_PKEY_eq(oracle, X509_get0_pubkey(certificate)), 1);
    EVP_PKEY_free(oracle);
    X509_free(certificate);
    pair_deinit(&first);
    pair_deinit(&second);
}

static void serials_are_positive_and_differ(void **state) {
    struct pair first;
    struct pair second;
    X509 *one = create(*state, SPAN("example.net"), &first);
    X509 *two = create(*state, SPAN("example.net"), &second);
    const ASN1_INTEGER *serial = X509_get0_serialNumber(one);
    assert_int_not_equal(ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(two)), 0);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); /* not V_ASN1_NEG_INTEGER */
    X509_free(one);
    X509_free(two);
    pair_deinit(&first);
    pair_deinit(&second);
}

static void is_valid_around_now(void **state) {
    const struct air_crypto *port = *state;
    const air_time_ms times[] = {0, NOW_MS, air_time_from_civil(2049, 12, 31),
        air_time_from_civil(2050, 1, 1), air_time_from_civil(9999, 12, 1)};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct pair pair;
        struct air_certificate_info info;
        pair_init(&pair);
        assert_ok(port->challenge_certificate(
            port->self, SPAN("example.net"), digest, times[i], &pair.certificate, &pair.key));
        assert_ok(port->certificate_read(port->self, air_buffer_span(&pair.certificate), &info));
        assert_true(info.not_before_ms <= times[i] - DAY_MS / 24);
        assert_true(info.not_after_ms >= times[i] + DAY_MS);
        pair_deinit(&pair);
    }
}

static void is_one_block_each(void **state) {
    struct pair pair;
    size_t count = 0;
    X509_free(create(*state, SPAN("example.net"), &pair));
    assert_true(air_pem_is_only(air_buffer_span(&pair.certificate), "CERTIFICATE", &count));
    assert_int_equal(count, 1);
    assert_true(air_pem_is_only(air_buffer_span(&pair.key), "PRIVATE KEY", &count));
    assert_int_equal(count, 1);
    pair_deinit(&pair);
}

static void refuses_bad_names(void **state) {
    const struct air_crypto *port = *state;
    const air_span bad[] = {
        air_span_of(NULL, 0),
        SPAN("*.example.net"),
        SPAN("Example.net"),
        SPAN("example.net."),
        SPAN("example.net\0"),
        SPAN("192.0.2.1"),
        SPAN("exam/ple.net"),
    };
    struct pair pair;
    pair_init(&pair);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(port->challenge_certificate(
                             port->self, bad[i], digest, NOW_MS, &pair.certificate, &pair.key),
            AIR_ERR_BAD_NAME);
    }
    assert_int_equal(pair.certificate.size, 0);
    assert_int_equal(pair.key.size, 0);
    pair_deinit(&pair);
}

static void refuses_times_no_certificate_can_have(void **state) {
    const struct air_crypto *port = *state;
    const air_time_ms bad[] = {INT64_MIN, INT64_MAX, air_time_from_civil(9999, 12, 31)};
    struct pair pair;
    pair_init(&pair);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(port->challenge_certificate(port->self, SPAN("example.net"), digest,
                             bad[i], &pair.certificate, &pair.key),
            AIR_ERR_ARGUMENT);
    }
    assert_int_equal(pair.certificate.size, 0);
    assert_int_equal(pair.key.size, 0);
    pair_deinit(&pair);
}

static void appends_both_or_nothing(void **state) {
    const struct air_crypto *port = *state;
    struct pair pair;
    pair_init(&pair);
    air_buffer_init(&pair.certificate, 100);
    assert_ok(air_buffer_append_text(&pair.key, "before"));
    assert_int_equal(port->challenge_certificate(port->self, SPAN("example.net"), digest, NOW_MS,
                         &pair.certificate, &pair.key),
        AIR_ERR_LIMIT);
    assert_int_equal(pair.certificate.size, 0);
    assert_span(air_buffer_span(&pair.key), "before");
    pair_deinit(&pair);
}

static enum air_error create_one(void *context) {
    const struct air_crypto *port = context;
    struct pair pair;
    pair_init(&pair);
    enum air_error error = port->challenge_certificate(
        port->self, SPAN("example.net"), digest, NOW_MS, &pair.certificate, &pair.key);
    assert_true((error == AIR_OK) == (pair.certificate.size > 0));
    assert_true((error == AIR_OK) == (pair.key.size > 0));
    pair_deinit(&pair);
    return error;
}

static void survives_failing_allocations(void **state) {
    air_test_each_allocation(create_one, *state);
}

int air_contract_challenge(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(passes_the_strict_validator),
        CONTRACT_TEST(identifier_has_the_published_encoding),
        CONTRACT_TEST(key_is_a_fresh_p256_of_its_own),
        CONTRACT_TEST(serials_are_positive_and_differ),
        CONTRACT_TEST(is_valid_around_now),
        CONTRACT_TEST(is_one_block_each),
        CONTRACT_TEST(refuses_bad_names),
        CONTRACT_TEST(refuses_times_no_certificate_can_have),
        CONTRACT_TEST(appends_both_or_nothing),
        CONTRACT_TEST(survives_failing_allocations),
    };
    return cmocka_run_group_tests_name("challenge", tests, NULL, NULL);
}
