/* SPDX-License-Identifier: MIT */
/*
 * Proven here: header values are cut into their word and parameters as curl and browsers write
 * them; what is not well-formed is refused, never guessed; escapes mean what each sender means.
 */

#include "hosts/haproxy/media_type.h"

#include "tests/support/test.h"

static void check_parameter(air_span *rest, const char *name, const char *value) {
    struct air_parameter parameter;
    assert_ok(air_parameter_next(rest, &parameter));
    assert_span(parameter.name, name);
    assert_span(parameter.value, value);
}

static void check_end(air_span *rest) {
    struct air_parameter parameter;
    assert_int_equal(air_parameter_next(rest, &parameter), AIR_ERR_NOT_FOUND);
}

static void cuts_word_and_parameters(void **state) {
    (void)state;
    air_span rest = SPAN(" form-data ; name=\"a;b\";filename = c.pem ;; x=\"\"; ");
    assert_span(air_media_type_cut(&rest), "form-data");
    check_parameter(&rest, "name", "a;b");
    check_parameter(&rest, "filename", "c.pem");
    check_parameter(&rest, "x", "");
    check_end(&rest);
    check_end(&rest);
    rest = SPAN("text/plain");
    assert_span(air_media_type_cut(&rest), "text/plain");
    check_end(&rest);
    rest = SPAN("");
    assert_span(air_media_type_cut(&rest), "");
    check_end(&rest);
}

static void takes_a_fold_for_white_space(void **state) {
    (void)state;
    air_span rest = SPAN("form-data;\r\n name=a;\r\n\tfilename=\"b\"\r\n ");
    assert_span(air_media_type_cut(&rest), "form-data");
    check_parameter(&rest, "name", "a");
    check_parameter(&rest, "filename", "b");
    check_end(&rest);
}

static void refuses_malformed_parameters(void **state) {
    (void)state;
    static const char *const texts[] = {";a", ";=b", ";a=", ";a= ;b=c", ";a b=c", ";a=b c",
        ";a=\"b", ";a=\"b\\\"", ";a=\"b\"c", ";a=\"b\" c=d", ";a=b\"c", ";a=b\"", ";\"a\"=b",
        ";a=\"", ";(a)=b", ";a,b=c", ";=", ";\x80=a"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        air_span rest = air_span_text(texts[i]);
        struct air_parameter parameter;
        if (air_parameter_next(&rest, &parameter) != AIR_ERR_MALFORMED) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_span(rest, texts[i]);
    }
}

static void check_decoded(const char *text, const char *expected) {
    air_span rest = air_span_text(text);
    struct air_parameter parameter;
    uint8_t out[64];
    assert_ok(air_parameter_next(&rest, &parameter));
    assert_true(parameter.value.size <= sizeof(out));
    assert_span(air_span_of(out, air_parameter_decode(&parameter, out)), expected);
}

static void decodes_as_senders_encode(void **state) {
    (void)state;
    check_decoded("a=\"q\\\"uote\\\\\"", "q\"uote\\");
    check_decoded("a=\"q%22uote\"", "q\"uote");
    check_decoded("a=\"%0D%0a\"", "\r\n");
    check_decoded("a=\"C:\\key.pem\"", "C:\\key.pem");
    check_decoded("a=\"per%cent%41%2\"", "per%cent%41%2");
    check_decoded("a=\"\xC3\xA4\"", "\xC3\xA4");
    check_decoded("a=b\\\\c", "b\\\\c");
    check_decoded("a=\"\"", "");
}

static void decodes_extended_values(void **state) {
    (void)state;
    uint8_t out[32];
    size_t size = 0;
    struct air_parameter parameter = {.value = SPAN("utf-8'de'%e2%82%AC a")};
    assert_ok(air_parameter_decode_extended(&parameter, out, &size));
    assert_span(air_span_of(out, size), "\xE2\x82\xAC a");
    parameter.value = SPAN("UTF-8''");
    assert_ok(air_parameter_decode_extended(&parameter, out, &size));
    assert_int_equal(size, 0);
}

static void refuses_malformed_extended_values(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "a", "UTF-8'a", "ISO-8859-1''a", "''a", "UTF-8''%", "UTF-8''%4", "UTF-8''%zz"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint8_t out[32];
        size_t size = 0;
        struct air_parameter parameter = {.value = air_span_text(texts[i])};
        assert_int_equal(air_parameter_decode_extended(&parameter, out, &size), AIR_ERR_MALFORMED);
    }
}

static void reads_hexadecimal_pairs(void **state) {
    (void)state;
    uint8_t byte = 0;
    assert_true(air_hex_pair(SPAN("aF0"), &byte));
    assert_int_equal(byte, 0xAF);
    assert_false(air_hex_pair(SPAN("4"), &byte));
    assert_false(air_hex_pair(SPAN("4g"), &byte));
    assert_false(air_hex_pair(SPAN("+4"), &byte));
    assert_false(air_hex_pair(air_span_of(NULL, 0), &byte));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_word_and_parameters),
        cmocka_unit_test(takes_a_fold_for_white_space),
        cmocka_unit_test(refuses_malformed_parameters),
        cmocka_unit_test(decodes_as_senders_encode),
        cmocka_unit_test(decodes_extended_values),
        cmocka_unit_test(refuses_malformed_extended_values),
        cmocka_unit_test(reads_hexadecimal_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
