/* SPDX-License-Identifier: MIT */
/*
 * Proven: a request has exactly the subject that was given, our key, exactly the ordered names in
 * their order, and must-staple when asked for; its signature fits. OpenSSL reads it back; the
 * subject and the extensions' values are compared byte for byte with ones encoded here. Names that
 * no CA takes and subjects beyond their bounds are refused.
 */

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"
#include "tests/support/allocation.h"

/* 2.5.29.17, 1.3.6.1.5.5.7.1.24 */
#define SAN_OID SPAN("\x55\x1d\x11")
#define TLS_FEATURE_OID SPAN("\x2b\x06\x01\x05\x05\x07\x01\x18")

static X509_REQ *create(const struct air_crypto *port, uint64_t key, const air_span *names,
    size_t names_count, bool must_staple) {
    struct air_buffer der;
    air_buffer_init(&der, AIR_CSR_SIZE_MAX);
    assert_ok(port->csr_create(port->self, key, NULL, names, names_count, must_staple, &der));
    const unsigned char *end = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &end, (long)der.size);
    assert_non_null(request);
    assert_ptr_equal(end, der.data + der.size);
    air_buffer_deinit(&der);
    return request;
}

static void assert_names(
    X509_REQ *request, const air_span *names, size_t names_count, int extensions_count) {
    struct air_buffer expected;
    air_buffer_init(&expected, AIR_CSR_SIZE_MAX);
    air_oracle_names(names, names_count, &expected);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    assert_int_equal(sk_X509_EXTENSION_num(extensions), extensions_count);
    air_oracle_assert_extension(
        sk_X509_EXTENSION_value(extensions, 0), SAN_OID, false, air_buffer_span(&expected));
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    air_buffer_deinit(&expected);
}

static void assert_request(
    const struct air_crypto *port, enum air_key_type type, int signature_nid) {
    const air_span names[] = {
        SPAN("www.example.net"), SPAN("*.a.example.net"), SPAN("example.net")};
    uint64_t key = air_oracle_generate(port, type);
    EVP_PKEY *oracle = air_oracle_key(port, key);
    X509_REQ *request = create(port, key, names, 3, false);
    assert_int_equal(X509_REQ_get_version(request), X509_REQ_VERSION_1);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
    assert_int_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(request), oracle), 1);
    assert_int_equal(X509_REQ_verify(request, oracle), 1);
    assert_int_equal(X509_REQ_get_signature_nid(request), signature_nid);
    assert_int_equal(X509_REQ_get_attr_count(request), 1);
    assert_names(request, names, 3, 1);
    X509_REQ_free(request);
    EVP_PKEY_free(oracle);
}

static void asks_for_the_names_with_every_type(void **state) {
    assert_request(*state, AIR_KEY_ECDSA_P256, NID_ecdsa_with_SHA256);
    assert_request(*state, AIR_KEY_ECDSA_P384, NID_ecdsa_with_SHA384);
    assert_request(*state, AIR_KEY_RSA_2048, NID_sha256WithRSAEncryption);
}

/* RFC 7633; the value is the one CAs know (SEQUENCE of INTEGER 5). */
static void asks_for_must_staple(void **state) {
    const struct air_crypto *port = *state;
    const air_span name = SPAN("example.net");
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    X509_REQ *request = create(port, key, &name, 1, true);
    assert_names(request, &name, 1, 2);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    air_oracle_assert_extension(sk_X509_EXTENSION_value(extensions, 1), TLS_FEATURE_OID, false,
        SPAN("\x30\x03\x02\x01\x05"));
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
}

static X509_REQ *create_for(const struct air_crypto *port, const struct air_subject *subject) {
    const air_span name = SPAN("example.net");
    struct air_buffer der;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    air_buffer_init(&der, AIR_CSR_SIZE_MAX);
    assert_ok(port->csr_create(port->self, key, subject, &name, 1, false, &der));
    const unsigned char *end = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &end, (long)der.size);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    air_buffer_deinit(&der);
    return request;
}

static void assert_subject(
    const struct air_crypto *port, const struct air_subject *subject, air_span expected) {
    X509_REQ *request = create_for(port, subject);
    unsigned char *der = NULL;
    int size = i2d_X509_NAME(X509_REQ_get_subject_name(request), &der);
    assert_true(air_span_equal(air_span_of(der, (size_t)size), expected));
    OPENSSL_free(der);
    X509_REQ_free(request);
}

/* RFC 5280 appendix A.1: X520countryName is a PrintableString; the others are UTF8String. */
static void says_who_asks(void **state) {
    const struct air_subject whole = {.country = SPAN("CH"),
        .state = SPAN("Bern"),
        .locality = SPAN("Z\xC3\xBCrich"),
        .organization = SPAN("A, \"B\" + C=D")};
    const struct air_subject part = {.organization = SPAN("Example")};
    const struct air_subject nothing = {0};
    assert_subject(*state, &whole,
        SPAN("\x30\x45\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02"
             "CH\x31\x0d\x30\x0b\x06\x03\x55\x04\x08\x0c\x04"
             "Bern\x31\x10\x30\x0e\x06\x03\x55\x04\x07\x0c\x07"
             "Z\xC3\xBCrich\x31\x15\x30\x13\x06\x03\x55\x04\x0a\x0c\x0c"
             "A, \"B\" + C=D"));
    assert_subject(*state, &part,
        SPAN("\x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x0a\x0c\x07"
             "Example"));
    assert_subject(*state, &nothing, SPAN("\x30\x00"));
    assert_subject(*state, NULL, SPAN("\x30\x00"));
}

/* Four bytes for each character. */
static void fill_characters(char text[512]) {
    for (size_t i = 0; i < 512; i += 4) {
        memcpy(text + i, "\xF0\x9F\x90\x98", 4);
    }
}

static void takes_the_longest_subject(void **state) {
    static char text[512];
    fill_characters(text);
    const struct air_subject subject = {.country = SPAN("ch"),
        .state = air_span_of(text, 512),
        .locality = air_span_of(text, 512),
        .organization = air_span_of(text, 256)};
    X509_REQ *request = create_for(*state, &subject);
    assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 4);
    X509_REQ_free(request);
}

static void refuses_bad_subjects(void **state) {
    const struct air_crypto *port = *state;
    static char text[516];
    fill_characters(text);
    memset(text + 512, 'a', 4);
    const struct air_subject bad[] = {
        {.country = SPAN("C")},
        {.country = SPAN("CHE")},
        {.country = SPAN("C1")},
        {.country = SPAN("\xC3\xBC")},
        {.state = air_span_of(text, 513)},
        {.locality = air_span_of(text, 513)},
        {.organization = air_span_of(text, 260)},
        {.state = SPAN("Z\xFCrich")},
        {.locality = SPAN("a\0b")},
        {.organization = SPAN("a\nb")},
        {.country = SPAN("CH"), .organization = SPAN("\xED\xA0\x80")},
    };
    const air_span name = SPAN("example.net");
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    struct air_buffer out;
    air_buffer_init(&out, AIR_CSR_SIZE_MAX);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            port->csr_create(port->self, key, &bad[i], &name, 1, false, &out), AIR_ERR_ARGUMENT);
        assert_int_equal(out.size, 0);
    }
    air_buffer_deinit(&out);
}

/* The longest name there is, 253 bytes (RFC 1035 section 2.3.4), in as many variants as wanted. */
static air_span long_name(char text[254], size_t number) {
    memset(text, 'a', 253);
    text[63] = text[127] = text[191] = '.';
    (void)snprintf(text, 5, "%04zu", number);
    text[4] = 'a';
    return air_span_of(text, 253);
}

/* R-A7: a hundred of the longest names. */
static void asks_for_a_hundred_longest_names(void **state) {
    const struct air_crypto *port = *state;
    static char texts[100][254];
    air_span names[100];
    for (size_t i = 0; i < 100; i++) {
        names[i] = long_name(texts[i], i);
    }
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    X509_REQ *request = create(port, key, names, 100, false);
    assert_names(request, names, 100, 1);
    X509_REQ_free(request);
}

static void assert_refused(const struct air_crypto *port, uint64_t key, const air_span *names,
    size_t names_count, enum air_error expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4 * AIR_CSR_SIZE_MAX);
    assert_ok(air_buffer_append_text(&out, "before"));
    assert_int_equal(
        port->csr_create(port->self, key, NULL, names, names_count, false, &out), expected);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static void refuses_bad_names(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    char text[300];
    memset(text, 'a', sizeof(text));
    const air_span bad[] = {
        air_span_of(NULL, 0),
        SPAN("Example.net"),
        SPAN("example.net."),
        SPAN("example..net"),
        SPAN(".example.net"),
        SPAN("example.net\0.example.org"),
        SPAN("exa mple.net"),
        SPAN("example_1.net"),
        SPAN("b\xc3\xbc"
             "cher.example"),
        SPAN("a.*.example.net"),
        SPAN("*.*.example.net"),
        SPAN("*"),
        SPAN("192.0.2.1"),
        SPAN("2001:db8::1"),
        SPAN("-a.example.net"),
        SPAN("example.net,DNS:example.org"),
        air_span_of(text, 254),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const air_span names[] = {SPAN("example.net"), bad[i]};
        assert_refused(port, key, names, 2, AIR_ERR_BAD_NAME);
    }
}

static void refuses_no_names(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    assert_refused(port, key, NULL, 0, AIR_ERR_ARGUMENT);
}

static void refuses_no_key(void **state) {
    const struct air_crypto *port = *state;
    const air_span name = SPAN("example.net");
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    port->key_free(port->self, key);
    assert_refused(port, key, &name, 1, AIR_ERR_ARGUMENT);
    assert_refused(port, 0, &name, 1, AIR_ERR_ARGUMENT);
}

static void refuses_more_than_the_limit(void **state) {
    const struct air_crypto *port = *state;
    static char texts[260][254];
    static air_span names[260];
    for (size_t i = 0; i < 260; i++) {
        names[i] = long_name(texts[i], i);
    }
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    assert_refused(port, key, names, 260, AIR_ERR_LIMIT);
}

static void appends_whole_or_not_at_all(void **state) {
    const struct air_crypto *port = *state;
    const air_span name = SPAN("example.net");
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    struct air_buffer out;
    air_buffer_init(&out, 64);
    assert_int_equal(port->csr_create(port->self, key, NULL, &name, 1, false, &out), AIR_ERR_LIMIT);
    assert_int_equal(out.size, 0);
    air_buffer_deinit(&out);
}

static enum air_error create_one(void *context) {
    const struct air_crypto *port = context;
    const air_span name = SPAN("example.net");
    const struct air_subject subject = {.country = SPAN("CH"), .organization = SPAN("Example")};
    uint64_t key = 0;
    struct air_buffer out;
    air_buffer_init(&out, AIR_CSR_SIZE_MAX);
    enum air_error error = port->key_generate_slow(port->self, AIR_KEY_ECDSA_P256, &key);
    if (error == AIR_OK) {
        error = port->csr_create(port->self, key, &subject, &name, 1, true, &out);
    }
    port->key_free(port->self, key);
    air_buffer_deinit(&out);
    return error;
}

static void survives_failing_allocations(void **state) {
    (void)air_oracle_generate(*state, AIR_KEY_ECDSA_P256);
    air_test_each_allocation(create_one, *state);
}

int air_contract_csr(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(asks_for_the_names_with_every_type),
        CONTRACT_TEST(asks_for_must_staple),
        CONTRACT_TEST(says_who_asks),
        CONTRACT_TEST(takes_the_longest_subject),
        CONTRACT_TEST(refuses_bad_subjects),
        CONTRACT_TEST(asks_for_a_hundred_longest_names),
        CONTRACT_TEST(refuses_bad_names),
        CONTRACT_TEST(refuses_no_names),
        CONTRACT_TEST(refuses_no_key),
        CONTRACT_TEST(refuses_more_than_the_limit),
        CONTRACT_TEST(appends_whole_or_not_at_all),
        CONTRACT_TEST(survives_failing_allocations),
    };
    return cmocka_run_group_tests_name("csr", tests, NULL, NULL);
}
