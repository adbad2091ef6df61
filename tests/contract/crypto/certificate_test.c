/* SPDX-License-Identifier: MIT */
/*
 * Proven: what a certificate says about itself is read exactly: dates from 1950 to 9999, the
 * serial number's octets with a leading 00 (RFC 9773 section 4.1), key identifier, key type, names.
 * Certificates are made by test_pki; damaged ones are refused whole.
 */

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "src/base/time_text.h"
#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"
#include "tests/support/test_pki.h"

#define NOW_MS INT64_C(1795000000000)
#define HOUR_MS INT64_C(3600000)

/* One pki for all tests of the file. */
static struct air_test_pki *pki;

struct fixture {
    struct air_buffer key;
    struct air_buffer chain;
    struct air_test_leaf leaf;
};

static void fixture_init(struct fixture *fixture) {
    air_buffer_init(&fixture->key, 65536);
    air_buffer_init(&fixture->chain, 4 * AIR_CHAIN_SIZE_MAX);
    air_test_key_make(AIR_KEY_ECDSA_P256, &fixture->key);
    fixture->leaf = (struct air_test_leaf){
        .key = air_buffer_span(&fixture->key),
        .names = "DNS:example.net",
        .usage = "serverAuth",
        .not_before_ms = NOW_MS,
        .not_after_ms = NOW_MS + HOUR_MS,
    };
}

static void fixture_deinit(struct fixture *fixture) {
    air_buffer_deinit(&fixture->key);
    air_buffer_deinit(&fixture->chain);
}

static air_span issue(struct fixture *fixture) {
    air_buffer_clear(&fixture->chain);
    air_test_pki_issue_leaf(pki, &fixture->leaf, &fixture->chain);
    return air_buffer_span(&fixture->chain);
}

static void assert_read_refused(
    const struct air_crypto *port, air_span chain, enum air_error expected) {
    struct air_certificate_info info = {.serial_size = 77};
    assert_int_equal(port->certificate_read(port->self, chain, &info), expected);
    assert_int_equal(info.serial_size, 77);
}

/* RFC 5280 section 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050. */
static void reads_dates_of_every_century(void **state) {
    const struct air_crypto *port = *state;
    const air_time_ms dates[] = {
        air_time_from_civil(1950, 1, 1),
        air_time_from_civil(1970, 1, 1) - 1000,
        air_time_from_civil(2000, 2, 29) + 23 * HOUR_MS,
        air_time_from_civil(2038, 1, 19) + 4 * HOUR_MS,
        air_time_from_civil(2050, 1, 1) - 1000,
        air_time_from_civil(2050, 1, 1),
        air_time_from_civil(9999, 12, 31) + 24 * HOUR_MS - 1000,
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 1; i < sizeof(dates) / sizeof(dates[0]); i++) {
        struct air_certificate_info info;
        fixture.leaf.not_before_ms = dates[i - 1];
        fixture.leaf.not_after_ms = dates[i];
        assert_ok(port->certificate_read(port->self, issue(&fixture), &info));
        assert_int_equal(info.not_before_ms, dates[i - 1]);
        assert_int_equal(info.not_after_ms, dates[i]);
    }
    fixture_deinit(&fixture);
}

static void assert_serial(const struct air_crypto *port, const char *serial, air_span expected) {
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    fixture.leaf.serial = serial;
    assert_ok(port->certificate_read(port->self, issue(&fixture), &info));
    assert_int_equal(info.serial_size, expected.size);
    assert_memory_equal(info.serial, expected.data, expected.size);
    fixture_deinit(&fixture);
}

/* The first is the example of RFC 9773 section 4.1. */
static void reads_the_octets_of_serials(void **state) {
    assert_serial(*state, "87654321", SPAN("\x00\x87\x65\x43\x21"));
    assert_serial(*state, "7f", SPAN("\x7f"));
    assert_serial(*state, "80", SPAN("\x00\x80"));
    assert_serial(*state, "0", SPAN("\x00"));
    assert_serial(*state, "-1", SPAN("\xff"));
    assert_serial(*state, "7fffffffffffffffffffffffffffffffffffffff",
        SPAN("\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
}

static void refuses_serials_longer_than_the_limit(void **state) {
    char serial[2 * AIR_SERIAL_SIZE_MAX + 3];
    struct fixture fixture;
    fixture_init(&fixture);
    memset(serial, '1', sizeof(serial));
    serial[sizeof(serial) - 1] = '\0';
    fixture.leaf.serial = serial;
    assert_read_refused(*state, issue(&fixture), AIR_ERR_LIMIT);
    fixture_deinit(&fixture);
}

static void reads_the_issuers_key_identifier(void **state) {
    const struct air_crypto *port = *state;
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    X509 *intermediate = air_oracle_certificate(air_test_pki_intermediate(pki));
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(intermediate);
    assert_ok(port->certificate_read(port->self, issue(&fixture), &info));
    assert_int_equal(info.authority_key_id_size, ASN1_STRING_length(id));
    assert_memory_equal(
        info.authority_key_id, ASN1_STRING_get0_data(id), info.authority_key_id_size);
    X509_free(intermediate);
    fixture_deinit(&fixture);
}

static void knows_when_there_is_no_key_identifier(void **state) {
    const struct air_crypto *port = *state;
    static const uint8_t digest[AIR_SHA256_SIZE];
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    assert_ok(port->challenge_certificate(
        port->self, SPAN("example.net"), digest, NOW_MS, &fixture.chain, &fixture.key));
    assert_ok(port->certificate_read(port->self, air_buffer_span(&fixture.chain), &info));
    assert_int_equal(info.authority_key_id_size, 0);
    fixture_deinit(&fixture);
}

static void assert_key_type(const struct air_crypto *port, enum air_key_type type) {
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    air_buffer_clear(&fixture.key);
    air_test_key_make(type, &fixture.key);
    fixture.leaf.key = air_buffer_span(&fixture.key);
    assert_ok(port->certificate_read(port->self, issue(&fixture), &info));
    assert_int_equal(info.key_type, type);
    fixture_deinit(&fixture);
}

static void tells_the_type_of_key(void **state) {
    assert_key_type(*state, AIR_KEY_ECDSA_P256);
    assert_key_type(*state, AIR_KEY_ECDSA_P384);
    assert_key_type(*state, AIR_KEY_RSA_2048);
}

static void tells_a_key_of_no_known_type(void **state) {
    const struct air_crypto *port = *state;
    struct fixture fixture;
    struct air_certificate_info info;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    fixture_init(&fixture);
    air_buffer_clear(&fixture.key);
    air_oracle_pkcs8(key, NULL, &fixture.key);
    fixture.leaf.key = air_buffer_span(&fixture.key);
    assert_ok(port->certificate_read(port->self, issue(&fixture), &info));
    assert_int_equal(info.key_type, AIR_KEY_NONE);
    EVP_PKEY_free(key);
    fixture_deinit(&fixture);
}

static void digests_the_public_key_info(void **state) {
    const struct air_crypto *port = *state;
    struct fixture fixture;
    struct air_certificate_info info;
    uint8_t expected[AIR_SHA256_SIZE];
    unsigned char *der = NULL;
    fixture_init(&fixture);
    X509 *certificate = air_oracle_certificate(issue(&fixture));
    int size = i2d_PUBKEY(X509_get0_pubkey(certificate), &der);
    assert_true(size > 0);
    assert_ok(port->sha256(port->self, air_span_of(der, (size_t)size), expected));
    assert_ok(port->certificate_read(port->self, air_buffer_span(&fixture.chain), &info));
    assert_memory_equal(info.spki_sha256, expected, sizeof(expected));
    OPENSSL_free(der);
    X509_free(certificate);
    fixture_deinit(&fixture);
}

static void passes_over_other_blocks(void **state) {
    const struct air_crypto *port = *state;
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    (void)issue(&fixture);
    assert_ok(air_buffer_append_text(&fixture.key, "subject: none\n"));
    assert_ok(air_buffer_append_span(&fixture.key, air_buffer_span(&fixture.chain)));
    assert_ok(port->certificate_read(port->self, air_buffer_span(&fixture.key), &info));
    assert_int_equal(info.not_before_ms, NOW_MS);
    fixture_deinit(&fixture);
}

static void refuses_what_is_no_certificate(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    assert_read_refused(*state, air_span_of(NULL, 0), AIR_ERR_MALFORMED);
    assert_read_refused(*state, SPAN("certificate"), AIR_ERR_MALFORMED);
    assert_read_refused(*state, SPAN("-----BEGIN CERTIFICATE-----\n"), AIR_ERR_MALFORMED);
    assert_read_refused(*state,
        SPAN("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), AIR_ERR_MALFORMED);
    assert_read_refused(*state, SPAN("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        AIR_ERR_MALFORMED);
    assert_read_refused(*state, air_buffer_span(&fixture.key), AIR_ERR_MALFORMED);
    fixture_deinit(&fixture);
}

static void assert_der_refused(const struct air_crypto *port, const uint8_t *der, size_t size) {
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_CHAIN_SIZE_MAX);
    air_oracle_pem("CERTIFICATE", air_span_of(der, size), &pem);
    assert_read_refused(port, air_buffer_span(&pem), AIR_ERR_MALFORMED);
    air_buffer_deinit(&pem);
}

static void refuses_damaged_der(void **state) {
    struct fixture fixture;
    uint8_t der[4096] = {0};
    unsigned char *end = der;
    fixture_init(&fixture);
    X509 *certificate = air_oracle_certificate(issue(&fixture));
    int size = i2d_X509(certificate, &end);
    assert_true(size > 0 && (size_t)size < sizeof(der));
    assert_der_refused(*state, der, (size_t)size + 1);
    for (size_t cut = 1; cut < (size_t)size; cut += 17) {
        assert_der_refused(*state, der, cut);
    }
    X509_free(certificate);
    fixture_deinit(&fixture);
}

static void refuses_over_long_text(void **state) {
    const struct air_crypto *port = *state;
    struct fixture fixture;
    struct air_certificate_info info;
    fixture_init(&fixture);
    (void)issue(&fixture);
    size_t fill = AIR_CHAIN_SIZE_MAX - fixture.chain.size;
    memset(air_buffer_extend(&fixture.chain, fill), '\n', fill);
    assert_ok(port->certificate_read(port->self, air_buffer_span(&fixture.chain), &info));
    assert_ok(air_buffer_append_byte(&fixture.chain, '\n'));
    assert_read_refused(port, air_buffer_span(&fixture.chain), AIR_ERR_LIMIT);
    fixture_deinit(&fixture);
}

static void collect(void *context, air_span name) {
    struct air_buffer *list = context;
    assert_ok(air_buffer_append_span(list, name));
    assert_ok(air_buffer_append_byte(list, ';'));
}

static void assert_names(
    const struct air_crypto *port, struct fixture *fixture, const char *expected) {
    struct air_buffer list;
    air_buffer_init(&list, 4096);
    assert_ok(port->certificate_names(port->self, issue(fixture), collect, &list));
    assert_span(air_buffer_span(&list), expected);
    air_buffer_deinit(&list);
}

static void reads_names_in_order_and_lower_case(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.leaf.names = "DNS:B.Example.NET,IP:192.0.2.1,DNS:*.a.example.net,email:a@example.net";
    assert_names(*state, &fixture, "b.example.net;*.a.example.net;");
    fixture.leaf.names = "IP:192.0.2.1";
    assert_names(*state, &fixture, "");
    fixture.leaf.names = NULL;
    assert_names(*state, &fixture, "");
    fixture_deinit(&fixture);
}

static void assert_names_refused(const struct air_crypto *port, struct fixture *fixture) {
    struct air_buffer list;
    air_buffer_init(&list, 4096);
    assert_int_equal(
        port->certificate_names(port->self, issue(fixture), collect, &list), AIR_ERR_MALFORMED);
    assert_int_equal(list.size, 0);
    air_buffer_deinit(&list);
}

/* R-A6. The good name before the bad one must not be visited. */
static void refuses_names_no_host_has(void **state) {
    const air_span bad[] = {
        SPAN("example.net\0.example.org"),
        SPAN("b\xc3\xbc"
             "cher.example"),
        SPAN("a b.example"),
        SPAN("a.*.example"),
        SPAN("evil\n.example"),
        air_span_of("", 0),
    };
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.leaf.names = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const air_span names[] = {SPAN("example.net"), bad[i]};
        struct air_buffer der;
        air_buffer_init(&der, 4096);
        air_oracle_names(names, 2, &der);
        fixture.leaf.names_der = air_buffer_span(&der);
        assert_names_refused(*state, &fixture);
        air_buffer_deinit(&der);
    }
    fixture_deinit(&fixture);
}

static void refuses_lists_that_cannot_be_read(void **state) {
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.leaf.names_der = SPAN("\x30\x05\x82\x03"
                                  "a.b"); /* a second list beside the first */
    assert_names_refused(*state, &fixture);
    fixture.leaf.names = NULL;
    fixture.leaf.names_der = SPAN("\x30\x05\x82\x04"
                                  "a.b");
    assert_names_refused(*state, &fixture);
    fixture_deinit(&fixture);
}

static int make_pki(void **state) {
    (void)state;
    pki = air_test_pki_new();
    return 0;
}

static int free_pki(void **state) {
    (void)state;
    air_test_pki_free(pki);
    return 0;
}

int air_contract_certificate(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(reads_dates_of_every_century),
        CONTRACT_TEST(reads_the_octets_of_serials),
        CONTRACT_TEST(refuses_serials_longer_than_the_limit),
        CONTRACT_TEST(reads_the_issuers_key_identifier),
        CONTRACT_TEST(knows_when_there_is_no_key_identifier),
        CONTRACT_TEST(tells_the_type_of_key),
        CONTRACT_TEST(tells_a_key_of_no_known_type),
        CONTRACT_TEST(digests_the_public_key_info),
        CONTRACT_TEST(passes_over_other_blocks),
        CONTRACT_TEST(refuses_what_is_no_certificate),
        CONTRACT_TEST(refuses_damaged_der),
        CONTRACT_TEST(refuses_over_long_text),
        CONTRACT_TEST(reads_names_in_order_and_lower_case),
        CONTRACT_TEST(refuses_names_no_host_has),
        CONTRACT_TEST(refuses_lists_that_cannot_be_read),
    };
    return cmocka_run_group_tests_name("certificate", tests, make_pki, free_pki);
}
