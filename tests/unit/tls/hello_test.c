/* SPDX-License-Identifier: MIT */
/*
 * Proven: which bytes of a ClientHello's extensions count as a name and as a validation, and that
 * everything else counts as neither; that the hash is SipHash-2-4. How: raw extensions written by
 * hand after RFC 6066 section 3 and RFC 7301 section 3.1; the vectors of SipHash's paper.
 */

#include "tests/support/test.h"

#include <string.h>

#include "tls/hash.h"
#include "tls/hello.h"

static air_span name_of(air_span extension, struct air_hello_name *name) {
    air_hello_server_name(extension, name);
    return air_span_of(name->bytes, name->size);
}

static air_span normal(const char *text, struct air_hello_name *name) {
    air_hello_name_set(air_span_text(text), name);
    return air_span_of(name->bytes, name->size);
}

static void reads_a_server_name(void **state) {
    struct air_hello_name name;
    (void)state;
    assert_span(name_of(SPAN("\x00\x06\x00\x00\x03"
                             "a.b"),
                    &name),
        "a.b");
}

static void normalizes_case_and_a_trailing_dot(void **state) {
    struct air_hello_name name;
    (void)state;
    assert_span(normal("WWW.Example.NET.", &name), "www.example.net");
}

static void finds_no_name_in_malformed_extensions(void **state) {
    struct air_hello_name name;
    (void)state;
    const air_span malformed[] = {
        SPAN(""), SPAN("\x00"), SPAN("\x00\x00"), SPAN("\x00\x03\x00\x00\x00"), /* an empty name */
        SPAN("\x00\x06\x00\x00\x03\x61"), /* shorter than it says */
        SPAN("\x00\x06\x01\x00\x03"
             "a.b"), /* not a host name */
        SPAN("\x00\x06\x00\x00\x02"
             "a.b"), /* a byte behind the name */
        SPAN("\x00\x05\x00\x00\x03"
             "a.b"), /* a list shorter than the extension */
        SPAN("\x00\x0c\x00\x00\x03"
             "a.b\x00\x00\x03"
             "c.d"), /* two names */
    };
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        assert_int_equal(name_of(malformed[i], &name).size, 0);
    }
}

static void takes_no_wildcard_dot_or_overlong_name(void **state) {
    struct air_hello_name name;
    char overlong[AIR_NAME_SIZE_MAX + 2];
    (void)state;
    memset(overlong, 'a', sizeof(overlong) - 1);
    overlong[sizeof(overlong) - 1] = '\0';
    assert_int_equal(normal(overlong, &name).size, 0);
    assert_int_equal(normal("*.example.net", &name).size, 0);
    assert_int_equal(normal(".", &name).size, 0);
    assert_int_equal(normal("", &name).size, 0);
    overlong[AIR_NAME_SIZE_MAX] = '.'; /* the longest, with a trailing dot */
    assert_int_equal(normal(overlong, &name).size, AIR_NAME_SIZE_MAX);
}

static void knows_a_validation_by_exactly_one_protocol(void **state) {
    (void)state;
    assert_true(air_hello_is_validation(SPAN("\x00\x0b\x0a"
                                             "acme-tls/1")));
    const air_span others[] = {
        SPAN(""),
        SPAN("\x00\x0b\x0a"
             "acme-tls/2"),
        SPAN("\x00\x0b\x0a"
             "ACME-TLS/1"),
        SPAN("\x00\x0e\x0a"
             "acme-tls/1\x02h2"),
        SPAN("\x00\x0e\x02h2\x0a"
             "acme-tls/1"),
        SPAN("\x00\x16\x0a"
             "acme-tls/1\x0a"
             "acme-tls/1"),
        SPAN("\x00\x0b\x0a"
             "acme-tls/"),
        SPAN("\x00\x0b\x0a"
             "acme-tls/1\x00"),
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(air_hello_is_validation(others[i]));
    }
}

/* Key 00 01 .. 0f; messages of the first n bytes of 00 01 02 .. (appendix A of the paper). */
static void hashes_as_siphash_does(void **state) {
    uint8_t seed[AIR_HASH_SEED_SIZE];
    uint8_t message[15];
    (void)state;
    for (uint8_t i = 0; i < sizeof(seed); i++) {
        seed[i] = i;
    }
    for (uint8_t i = 0; i < sizeof(message); i++) {
        message[i] = i;
    }
    assert_true(air_hash_bytes(seed, air_span_of(message, 15)) == 0xa129ca6149be45e5U);
    assert_true(air_hash_bytes(seed, air_span_of(message, 0)) == 0x726fdb47dd0e0e31U);
    assert_true(air_hash_bytes(seed, air_span_of(message, 8)) == 0x93f5f5799a932462U);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_server_name),
        cmocka_unit_test(normalizes_case_and_a_trailing_dot),
        cmocka_unit_test(finds_no_name_in_malformed_extensions),
        cmocka_unit_test(takes_no_wildcard_dot_or_overlong_name),
        cmocka_unit_test(knows_a_validation_by_exactly_one_protocol),
        cmocka_unit_test(hashes_as_siphash_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
