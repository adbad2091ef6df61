/* SPDX-License-Identifier: MIT */
/*
 * Proven here: forms as curl -d and --data-urlencode send them (captured) are read to the byte;
 * escapes are decoded once and bad ones refused, named by their field; nothing is guessed.
 */

#include <string.h>

#include "hosts/haproxy/form.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define KIND SPAN("application/x-www-form-urlencoded")

static void read(const char *body, struct air_form *form) {
    struct air_refusal refusal = {.status = 0};
    assert_ok(air_form_read(KIND, air_span_text(body), form, &refusal));
    assert_int_equal(refusal.status, 0);
}

static void check_value(const struct air_form *form, const char *name, const char *value) {
    const struct air_form_field *field = air_form_find(form, name);
    assert_non_null(field);
    assert_span(field->value, value);
    assert_false(field->is_file);
}

static void reads_what_curl_sends(void **state) {
    (void)state;
    static struct air_test_request request;
    struct air_form form;
    struct air_refusal refusal;
    air_test_request_load("form/curl_urlencode", &request);
    assert_ok(air_form_read(request.content_type, request.body, &form, &refusal));
    assert_int_equal(form.fields_count, 3);
    check_value(&form, "account_key", AIR_TEST_KEY);
    check_value(&form, "domain", "example.net");
    check_value(&form, "aliases", "a.example.net, b.example.net");
    air_form_deinit(&form);
    air_test_request_load("form/curl_data", &request);
    assert_ok(air_form_read(request.content_type, request.body, &form, &refusal));
    check_value(&form, "must_staple", "1");
    air_form_deinit(&form);
    assert_int_equal(air_memory_live(), 0);
}

static void keeps_odd_shapes_as_the_standard_says(void **state) {
    (void)state;
    struct air_form form;
    read("&&a=b=c&d&e=&%61+%2B=%25&", &form);
    assert_int_equal(form.fields_count, 4);
    check_value(&form, "a", "b=c");
    check_value(&form, "d", "");
    check_value(&form, "e", "");
    check_value(&form, "a +", "%");
    air_form_deinit(&form);
    read("a=x;b=y", &form);
    check_value(&form, "a", "x;b=y");
    assert_null(air_form_find(&form, "b"));
    air_form_deinit(&form);
    read("&", &form);
    assert_int_equal(form.fields_count, 0);
    air_form_deinit(&form);
}

static void takes_the_kind_in_any_case_and_with_a_charset(void **state) {
    (void)state;
    struct air_form form;
    struct air_refusal refusal;
    assert_ok(air_form_read(
        SPAN("Application/X-WWW-Form-URLencoded ; charset=UTF-8"), SPAN("a=b"), &form, &refusal));
    check_value(&form, "a", "b");
    air_form_deinit(&form);
}

static void refuses(const char *body, enum air_error error, const char *sentence) {
    air_test_refuses_form(KIND, air_span_text(body), error, sentence);
}

static void refuses_bad_escapes(void **state) {
    (void)state;
    refuses("a=%", AIR_ERR_MALFORMED, "the field \"a\" has a % without two hexadecimal digits");
    refuses("a=%4", AIR_ERR_MALFORMED, "the field \"a\" has a % without two hexadecimal digits");
    refuses(
        "x=1&a=%4z", AIR_ERR_MALFORMED, "the field \"a\" has a % without two hexadecimal digits");
    refuses(
        "a=%u0041", AIR_ERR_MALFORMED, "the field \"a\" has a % without two hexadecimal digits");
    refuses(
        "x=1&%=1", AIR_ERR_MALFORMED, "the name of field 2 has a % without two hexadecimal digits");
    refuses(
        "a%4=1", AIR_ERR_MALFORMED, "the name of field 1 has a % without two hexadecimal digits");
    /* What one pair has is not completed by the next. */
    refuses(
        "a=%4&1=x", AIR_ERR_MALFORMED, "the field \"a\" has a % without two hexadecimal digits");
}

static void refuses_control_bytes(void **state) {
    (void)state;
    refuses("a=x%00y", AIR_ERR_MALFORMED, "the field \"a\" has a control byte");
    refuses("a=%1B", AIR_ERR_MALFORMED, "the field \"a\" has a control byte");
    refuses("a=%7f", AIR_ERR_MALFORMED, "the field \"a\" has a control byte");
    refuses("a=\x08", AIR_ERR_MALFORMED, "the field \"a\" has a control byte");
    refuses("a%0A=1", AIR_ERR_MALFORMED, "the name of field 1 has a control byte");
    refuses("b=1&a%00=1", AIR_ERR_MALFORMED, "the name of field 2 has a control byte");
    air_test_refuses_form(
        KIND, SPAN("a=x\0y"), AIR_ERR_MALFORMED, "the field \"a\" has a control byte");
}

static void refuses_fields_without_or_with_the_same_name(void **state) {
    (void)state;
    refuses("=b", AIR_ERR_MALFORMED, "field 1 has no name");
    refuses("a=1&=", AIR_ERR_MALFORMED, "field 2 has no name");
    refuses("a=1&a=1", AIR_ERR_MALFORMED, "the field \"a\" is given twice");
    refuses("a=1&b&%61=", AIR_ERR_MALFORMED, "the field \"a\" is given twice");
    refuses("\xC3\xA4=1&%c3%a4=2", AIR_ERR_MALFORMED, "the field \"%C3%A4\" is given twice");
}

static void refuses_what_passes_a_limit(void **state) {
    (void)state;
    char body[AIR_FORM_FIELDS_MAX * 4 + 8];
    size_t size = 0;
    for (size_t i = 0; i < AIR_FORM_FIELDS_MAX; i++) {
        body[size++] = (char)('A' + i);
        body[size++] = '&';
    }
    body[size] = '\0';
    struct air_form form;
    read(body, &form);
    assert_int_equal(form.fields_count, AIR_FORM_FIELDS_MAX);
    air_form_deinit(&form);
    body[size++] = '=';
    body[size - 1] = '0';
    body[size] = '\0';
    refuses(body, AIR_ERR_LIMIT, "the form has more than 32 fields, the most that are taken");

    char name[AIR_FORM_NAME_SIZE_MAX + 2] = {0};
    memset(name, 'n', AIR_FORM_NAME_SIZE_MAX);
    read(name, &form);
    air_form_deinit(&form);
    memset(name, 'n', AIR_FORM_NAME_SIZE_MAX + 1);
    refuses(name, AIR_ERR_LIMIT, "the name of field 1 is longer than 64 bytes");
}

static enum air_error read_once(void *context) {
    struct air_form form = {.fields_count = 0};
    struct air_refusal refusal = {.status = 0};
    (void)context;
    enum air_error error = air_form_read(KIND, SPAN("a=%41&b=+"), &form, &refusal);
    assert_int_equal(refusal.status, error == AIR_OK ? 0 : 503);
    air_form_deinit(&form);
    return error;
}

static void survives_each_allocation_failing(void **state) {
    (void)state;
    air_test_each_allocation(read_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_curl_sends),
        cmocka_unit_test(keeps_odd_shapes_as_the_standard_says),
        cmocka_unit_test(takes_the_kind_in_any_case_and_with_a_charset),
        cmocka_unit_test(refuses_bad_escapes),
        cmocka_unit_test(refuses_control_bytes),
        cmocka_unit_test(refuses_fields_without_or_with_the_same_name),
        cmocka_unit_test(refuses_what_passes_a_limit),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
