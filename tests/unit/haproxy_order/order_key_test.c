/* SPDX-License-Identifier: MIT */
/*
 * Proven here: one unencrypted private key in PEM passes the look, however its lines end; whatever
 * else people send in a key's place is refused with a sentence that says what it is.
 */

#include <string.h>

#include "hosts/haproxy/order_fields.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define BLOCK(label, text) "-----BEGIN " label "-----\n" text "\n-----END " label "-----\n"

static void takes_each_kind_of_private_key(void **state) {
    (void)state;
    static const char *const keys[] = {AIR_TEST_KEY, AIR_TEST_KEY_2,
        BLOCK("RSA PRIVATE KEY", "S0VZ"), BLOCK("EC PRIVATE KEY", "S0VZ"),
        BLOCK("EC PARAMETERS", "Qggq") BLOCK("EC PRIVATE KEY", "S0VZ"), "\r\n \n" AIR_TEST_KEY "\n",
        "-----BEGIN PRIVATE KEY-----  \r\nS0VZ \r\n-----END PRIVATE KEY-----"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct air_refusal refusal = {.status = 0};
        assert_ok(air_order_key_check(AIR_ORDER_DOMAIN_KEY, air_span_text(keys[i]), &refusal));
        assert_int_equal(refusal.status, 0);
    }
}

static void refuses_what_is_no_lone_private_key(void **state) {
    (void)state;
    static const char none[] = "is not a private key in PEM";
    static const char around[] = "has text around the key: send the key's block alone";
    static const char encrypted[] = "is encrypted: send it without a password";
    static const struct {
        const char *text, *fault;
    } rows[] = {
        {"@key.pem", none},
        {" ", none},
        {"-----BEGIN PRIVATE KEY----- S0VZ -----END PRIVATE KEY-----", none},
        {"-----BEGIN PRIVATE KEY-----\nS0VZ\n", none},
        {"-----BEGIN PRIVATE KEY-----\nS0VZ\n-----END RSA PRIVATE KEY-----\n", none},
        {BLOCK("EC PARAMETERS", "Qggq"), none},
        {BLOCK("OPENSSH KEY", "S0VZ"), none},
        {BLOCK("CERTIFICATE REQUEST", "S0VZ"), none},
        {BLOCK("CERTIFICATE", "S0VZ"), "has a certificate in it: send the private key alone"},
        {AIR_TEST_KEY BLOCK("CERTIFICATE", "S0VZ"),
            "has a certificate in it: send the private key alone"},
        {BLOCK("PUBLIC KEY", "S0VZ"), "is a public key: send the private one"},
        {BLOCK("RSA PUBLIC KEY", "S0VZ"), "is a public key: send the private one"},
        {AIR_TEST_KEY AIR_TEST_KEY, "has more than one key"},
        {BLOCK("ENCRYPTED PRIVATE KEY", "S0VZ"), encrypted},
        {BLOCK("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nS0VZ"),
            encrypted},
        {"Bag Attributes\n" AIR_TEST_KEY, around},
        {AIR_TEST_KEY "bye", around},
        {BLOCK("PRIVATE KEY", "S0 Z"), "has blanks within its lines: in this kind of form '+' is "
                                       "sent as %2B (curl --data-urlencode does)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct air_refusal refusal = {.status = 0};
        enum air_error error =
            air_order_key_check(AIR_ORDER_ACCOUNT_KEY, air_span_text(rows[i].text), &refusal);
        assert_int_equal(error, AIR_ERR_BAD_KEY);
        assert_int_equal(refusal.status, 422);
        assert_true(air_span_starts_with(air_span_text(refusal.sentence), "\"account_key\" "));
        assert_string_equal(refusal.sentence + strlen("\"account_key\" "), rows[i].fault);
        assert_null(strstr(refusal.sentence, "S0"));
    }
}

static void refuses_a_key_over_the_limit(void **state) {
    (void)state;
    static uint8_t text[AIR_KEY_PEM_SIZE_MAX + 1];
    struct air_refusal refusal;
    memset(text, '\n', sizeof(text));
    memcpy(text, AIR_TEST_KEY, strlen(AIR_TEST_KEY));
    assert_ok(
        air_order_key_check(AIR_ORDER_DOMAIN_KEY, air_span_of(text, sizeof(text) - 1), &refusal));
    assert_int_equal(
        air_order_key_check(AIR_ORDER_DOMAIN_KEY, air_span_of(text, sizeof(text)), &refusal),
        AIR_ERR_LIMIT);
    assert_string_equal(refusal.sentence, "\"domain_key\" is longer than 16384 bytes");
    assert_int_equal(refusal.status, 413);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_each_kind_of_private_key),
        cmocka_unit_test(refuses_what_is_no_lone_private_key),
        cmocka_unit_test(refuses_a_key_over_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
