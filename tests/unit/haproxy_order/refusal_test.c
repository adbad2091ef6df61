/* SPDX-License-Identifier: MIT */
/*
 * Proven here: each error has the HTTP status of the order service's table; sentences are one line
 * of printable ASCII whatever names they repeat, and never overflow.
 */

#include "hosts/haproxy/refusal.h"

#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

static void each_error_has_its_status(void **state) {
    (void)state;
    static const enum air_error errors[] = {AIR_ERR_MALFORMED, AIR_ERR_LIMIT, AIR_ERR_UNSUPPORTED,
        AIR_ERR_BAD_NAME, AIR_ERR_BAD_KEY, AIR_ERR_NO_MEMORY};
    struct air_refusal refusal;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        assert_int_equal(air_refusal_set(&refusal, errors[i], "%d", 7), errors[i]);
        assert_int_equal(refusal.status, air_test_status(errors[i]));
        assert_string_equal(refusal.sentence, "7");
    }
}

static void shows_odd_bytes_of_a_name_as_escapes(void **state) {
    (void)state;
    assert_string_equal(
        air_refusal_quote(SPAN("a b\"\r\n\0\x7F\xC3\xA4")).text, "a b%22%0D%0A%00%7F%C3%A4");
    assert_string_equal(air_refusal_quote(air_span_of(NULL, 0)).text, "");
}

static void cuts_what_is_too_long(void **state) {
    (void)state;
    uint8_t name[AIR_REFUSAL_NAME_SIZE_MAX + 1];
    struct air_refusal refusal;
    memset(name, 0xFF, sizeof(name));
    struct air_refusal_name quoted = air_refusal_quote(air_span_of(name, sizeof(name)));
    assert_int_equal(strlen(quoted.text), 3 * AIR_REFUSAL_NAME_SIZE_MAX);
    (void)air_refusal_set(&refusal, AIR_ERR_LIMIT, "%s%s%s", quoted.text, quoted.text, quoted.text);
    assert_int_equal(strlen(refusal.sentence), sizeof(refusal.sentence) - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_its_status),
        cmocka_unit_test(shows_odd_bytes_of_a_name_as_escapes),
        cmocka_unit_test(cuts_what_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
