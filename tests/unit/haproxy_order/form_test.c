/* SPDX-License-Identifier: MIT */
/*
 * Proven here: which bodies are forms at all, and that what is decoded is wiped when a form is
 * freed. The two kinds have tests of their own.
 */

#include "hosts/haproxy/form.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define TAKEN ": send multipart/form-data or application/x-www-form-urlencoded"

static void refuses_other_content_types(void **state) {
    (void)state;
    static const char *const kinds[] = {"text/plain", "multipart/mixed; boundary=b",
        "multipart/form-data2; boundary=b", "application/x-www-form-urlencoded+x",
        "application/json", "form-data", "multipart/form-data boundary=b",
        "application/x-www-form-urlencoded, text/plain", "\"multipart/form-data\"; boundary=b"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        air_test_refuses_form(air_span_text(kinds[i]), SPAN("a=b"), AIR_ERR_UNSUPPORTED,
            "this Content-Type is not taken here" TAKEN);
    }
    air_test_refuses_form(
        air_span_of(NULL, 0), SPAN("a=b"), AIR_ERR_UNSUPPORTED, "there is no Content-Type" TAKEN);
    air_test_refuses_form(
        SPAN(" ;x=y"), SPAN("a=b"), AIR_ERR_UNSUPPORTED, "there is no Content-Type" TAKEN);
}

static void refuses_an_empty_body(void **state) {
    (void)state;
    struct air_form form;
    struct air_refusal refusal;
    assert_int_equal(air_form_read(SPAN("application/x-www-form-urlencoded"), air_span_of(NULL, 0),
                         &form, &refusal),
        AIR_ERR_MALFORMED);
    assert_string_equal(refusal.sentence, "the body is empty");
    assert_int_equal(refusal.status, 400);
}

static void refuses_a_body_over_the_limit(void **state) {
    (void)state;
    size_t size = AIR_FORM_BODY_SIZE_MAX + 1;
    uint8_t *body = air_memory_new(size);
    struct air_form form;
    struct air_refusal refusal;
    memset(body, 'a', size);
    body[1] = '=';
    assert_int_equal(air_form_read(SPAN("application/x-www-form-urlencoded"),
                         air_span_of(body, size), &form, &refusal),
        AIR_ERR_LIMIT);
    assert_int_equal(refusal.status, 413);
    assert_ok(air_form_read(
        SPAN("application/x-www-form-urlencoded"), air_span_of(body, size - 1), &form, &refusal));
    assert_int_equal(form.fields[0].value.size, size - 3);
    air_form_deinit(&form);
    air_memory_free(body, size);
    assert_int_equal(air_memory_live(), 0);
}

static void frees_a_form_that_was_never_read(void **state) {
    (void)state;
    struct air_form form = {.fields_count = 0};
    air_form_deinit(&form);
    assert_null(air_form_find(&form, "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_other_content_types),
        cmocka_unit_test(refuses_an_empty_body),
        cmocka_unit_test(refuses_a_body_over_the_limit),
        cmocka_unit_test(frees_a_form_that_was_never_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
