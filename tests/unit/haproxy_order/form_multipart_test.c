/* SPDX-License-Identifier: MIT */
/*
 * Proven here: multipart forms as curl 7.88 sends them (captured) and as browsers write them are
 * read to the byte; whatever RFC 2046 and RFC 7578 leave open between two readers is refused, with
 * a sentence that names the part and repeats no value. The predecessor's reader (facts A2) knew one
 * order of headers, four escapes of the boundary and no empty value: each is a test.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/haproxy/form.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define KIND "multipart/form-data; boundary="
#define PART "--b\r\nContent-Disposition: form-data; name="
#define END "\r\n--b--\r\n"

static struct air_test_request request;

static void load(const char *name, struct air_form *form) {
    struct air_refusal refusal = {.status = 0};
    air_test_request_load(name, &request);
    if (air_form_read(request.content_type, request.body, form, &refusal) != AIR_OK) {
        fail_msg("%s: %s", name, refusal.sentence);
    }
}

static void read(const char *content_type, const char *body, struct air_form *form) {
    struct air_refusal refusal = {.status = 0};
    if (air_form_read(air_span_text(content_type), air_span_text(body), form, &refusal) != AIR_OK) {
        fail_msg("%s", refusal.sentence);
    }
}

static void check_text(const struct air_form *form, const char *name, const char *value) {
    const struct air_form_field *field = air_form_find(form, name);
    assert_non_null(field);
    assert_span(field->value, value);
    assert_false(field->is_file);
}

static void check_file(
    const struct air_form *form, const char *name, const char *filename, const char *value) {
    const struct air_form_field *field = air_form_find(form, name);
    assert_non_null(field);
    assert_span(field->value, value);
    assert_true(field->is_file);
    assert_span(field->filename, filename);
}

static void reads_files_and_texts_of_curl(void **state) {
    (void)state;
    struct air_form form;
    load("form/curl_files", &form);
    assert_int_equal(form.fields_count, 4);
    check_file(&form, "account_key", "key.pem", AIR_TEST_KEY);
    check_text(&form, "domain", "example.net");
    check_file(&form, "domain_key", "key.pem", AIR_TEST_KEY);
    check_text(&form, "aliases", "a.example.net,b.example.net");
    assert_null(air_form_find(&form, "alias"));
    air_form_deinit(&form);
    load("form/curl_text", &form);
    check_text(&form, "account_key", AIR_TEST_KEY);
    check_text(&form, "aliases", "");
    air_form_deinit(&form);
    load("form/curl_form_string", &form);
    check_text(&form, "domain", "@literal;type=x");
    air_form_deinit(&form);
    assert_int_equal(air_memory_live(), 0);
}

static void keeps_a_value_to_the_byte(void **state) {
    (void)state;
    struct air_form form;
    load("form/curl_crlf", &form);
    check_file(&form, "account_key", "crlf.pem", AIR_TEST_KEY_2);
    air_form_deinit(&form);
    load("form/curl_emptyfile", &form);
    check_file(&form, "account_key", "empty.pem", "");
    air_form_deinit(&form);
    read(KIND "b", PART "\"a\"\r\n\r\n\r\n\t x\r\n\r\n" END, &form);
    check_text(&form, "a", "\r\n\t x\r\n\r\n");
    air_form_deinit(&form);
}

static void borrows_values_from_the_body(void **state) {
    (void)state;
    struct air_form form;
    load("form/curl_files", &form);
    const struct air_form_field *key = air_form_find(&form, "account_key");
    assert_true(key->value.data > request.body.data &&
                key->value.data < request.body.data + request.body.size);
    air_form_deinit(&form);
}

static void reads_types_filenames_and_headers_of_curl(void **state) {
    (void)state;
    struct air_form form;
    load("form/curl_type", &form);
    check_text(&form, "domain", "example.net");
    check_file(&form, "account_key", "key.pem", AIR_TEST_KEY);
    air_form_deinit(&form);
    load("form/curl_filename", &form);
    check_file(&form, "account_key", "k \"1\" \\.pem", AIR_TEST_KEY);
    check_file(&form, "domain_key", "a\"b;c.pem", AIR_TEST_KEY);
    air_form_deinit(&form);
    load("form/curl_utf8", &form);
    check_text(&form, "n\xC3\xA4me", "x");
    check_text(&form, "q\"uote", "1");
    check_text(&form, "per%cent", "2");
    check_file(&form, "account_key", "schl\xC3\xBCssel.pem", AIR_TEST_KEY);
    air_form_deinit(&form);
    load("form/curl_escape", &form);
    check_text(&form, "q\"uote", "1");
    check_file(&form, "account_key", "a\"b\\c.pem", AIR_TEST_KEY);
    air_form_deinit(&form);
    load("form/curl_headers", &form);
    check_text(&form, "domain", "example.net");
    check_text(&form, "aliases", "a.example.net");
    air_form_deinit(&form);
}

static void reads_what_browsers_write(void **state) {
    (void)state;
    struct air_form form;
    load("form/browser_chrome", &form);
    check_text(&form, "domain", "example.net");
    check_file(&form, "account_key", "schl\xC3\xBCssel \"alt\".pem", AIR_TEST_KEY_2);
    check_file(&form, "domain_key", "", "");
    check_text(&form, "aliases", "");
    air_form_deinit(&form);
    load("form/browser_firefox", &form);
    check_file(&form, "account_key", "key.pem", AIR_TEST_KEY_2);
    check_text(&form, "aliases", "a.example.net,\r\nb.example.net");
    air_form_deinit(&form);
}

static void takes_every_boundary_of_the_rfc(void **state) {
    (void)state;
    struct air_form form;
    load("form/quoted", &form);
    check_file(&form, "a", "\xE2\x82\xAC .pem", "x");
    air_form_deinit(&form);
    /* The longest; and unquoted where it ought to be quoted. */
    char kind[128];
    char body[512];
    char boundary[71] = {0};
    memset(boundary, 'b', 70);
    (void)snprintf(kind, sizeof(kind), "MULTIPART/Form-Data;BOUNDARY=\"%s\"; charset=x", boundary);
    (void)snprintf(body, sizeof(body),
        "--%s\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--%s--", boundary, boundary);
    read(kind, body, &form);
    check_text(&form, "a", "x");
    air_form_deinit(&form);
    read(KIND "'()+_,-./:=?",
        "--'()+_,-./:=?\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--'()+_,-./:=?--",
        &form);
    check_text(&form, "a", "x");
    air_form_deinit(&form);
}

static void passes_over_preamble_epilogue_and_padding(void **state) {
    (void)state;
    struct air_form form;
    read(KIND "b",
        "This is\r\na form --b\n--b\r\n--b \t\r\nContent-Disposition: form-data; "
        "name=a\r\n\r\nx\r\n--b-- \r\nbye\r\n--b\r\n",
        &form);
    assert_int_equal(form.fields_count, 1);
    check_text(&form, "a", "x");
    air_form_deinit(&form);
    read(KIND "b", "--b--", &form);
    assert_int_equal(form.fields_count, 0);
    air_form_deinit(&form);
}

static void takes_headers_in_any_order_number_and_fold(void **state) {
    (void)state;
    struct air_form form;
    read(KIND "b",
        "--b\r\nContent-Type: text/plain\r\nX-1: a\r\n folded\r\nX-2:\r\n"
        "content-DISPOSITION:form-data ;\r\n\tfilename=f;\r\n  x=y; NAME=\"a\"\r\n"
        "Content-Transfer-Encoding: Binary\r\nContent-Type: a\r\n\r\nx" END,
        &form);
    check_file(&form, "a", "f", "x");
    air_form_deinit(&form);
    read(KIND "b", PART "a; filename=f; filename*=UTF-8''g\r\n\r\nx" END, &form);
    check_file(&form, "a", "g", "x");
    air_form_deinit(&form);
    read(KIND "b", PART "a; filename*=UTF-8''g; filename=f\r\n\r\nx" END, &form);
    check_file(&form, "a", "g", "x");
    air_form_deinit(&form);
}

static void keeps_what_only_looks_like_a_boundary(void **state) {
    (void)state;
    static const char *const values[] = {"x--b", "x--b\r\n", "\n--b\n", "\n--b--\r\n", "\r--b\r\n",
        "\r\n-b", "\r\n--", "\r\n--a", "\r\n --b", "x--b--", "\r\n\r\n --b\r\n"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char body[256];
        struct air_form form;
        (void)snprintf(body, sizeof(body), "%s", PART "a\r\n\r\n");
        size_t size = strlen(body);
        (void)snprintf(body + size, sizeof(body) - size, "%s" END, values[i]);
        read(KIND "b", body, &form);
        check_text(&form, "a", values[i]);
        air_form_deinit(&form);
    }
}

static void keeps_any_byte_of_a_file(void **state) {
    (void)state;
    struct air_form form;
    struct air_refusal refusal;
    assert_ok(air_form_read(
        SPAN(KIND "b"), SPAN(PART "a; filename=f\r\n\r\n\0\x01\x7F\xFF" END), &form, &refusal));
    assert_true(air_span_equal(form.fields[0].value, SPAN("\0\x01\x7F\xFF")));
    air_form_deinit(&form);
}

static void refuses(const char *body, const char *sentence) {
    air_test_refuses_form(SPAN(KIND "b"), air_span_text(body), AIR_ERR_MALFORMED, sentence);
}

static void refuses_bad_boundaries(void **state) {
    (void)state;
    static const char malformed[] =
        "the Content-Type or its boundary is malformed (RFC 2046 section 5.1.1)";
    static const char *const kinds[] = {KIND, KIND "\"\"", KIND "\"b \"", KIND "b c", KIND "b@c",
        KIND "\"b\\\"c\"", KIND "\"b", KIND "b\xC3\xA4", KIND "b, multipart/form-data; boundary=c",
        KIND "1234567890123456789012345678901234567890123456789012345678901234567890x",
        "multipart/form-data; boundary", "multipart/form-data; boundary=b; x"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        air_test_refuses_form(air_span_text(kinds[i]), SPAN("--b--"), AIR_ERR_MALFORMED, malformed);
    }
    air_test_refuses_form(SPAN("multipart/form-data"), SPAN("--b--"), AIR_ERR_MALFORMED,
        "the Content-Type has no boundary");
    air_test_refuses_form(SPAN("multipart/form-data; x=b"), SPAN("--b--"), AIR_ERR_MALFORMED,
        "the Content-Type has no boundary");
    /* What curl makes of -H 'Content-Type: multipart/form-data; boundary=own'. */
    air_test_request_load("form/curl_bound", &request);
    air_test_refuses_form(request.content_type, request.body, AIR_ERR_MALFORMED,
        "the Content-Type has two boundaries");
}

static void refuses_a_body_that_is_cut_off(void **state) {
    (void)state;
    static const char absent[] = "the body does not have the boundary that the Content-Type "
                                 "announces";
    static const char cut[] =
        "part 1 is not followed by the boundary: the body was cut off, or its lines do not end in "
        "CR LF";
    refuses("a=b", absent);
    refuses("-", absent);
    refuses("--a--\r\n", absent);
    refuses("x--b--\r\n", absent);
    refuses(PART "a\r\n\r\nx", cut);
    refuses(PART "a\r\n\r\nx\r\n--", cut);
    refuses("--b\r\n", cut);
    refuses("--b\r\n--b--\r\n", cut);
    refuses("--b", "behind part 0 a line begins with the boundary and goes on otherwise");
    refuses(PART "a\r\n\r\nx\r\n--b", "behind part 1 a line begins with the boundary and goes on "
                                      "otherwise");
    refuses(PART "a\r\n\r\nx\r\n--b-", "behind part 1 a line begins with the boundary and goes on "
                                       "otherwise");
    refuses(PART "a\r\n\r\nx\r\n--b\r\n",
        "part 2 is not followed by the boundary: the body was cut off, or its lines do not end in "
        "CR LF");
}

static void refuses_every_cut_of_a_captured_form(void **state) {
    (void)state;
    struct air_form form;
    struct air_refusal refusal;
    air_test_request_load("form/curl_files", &request);
    /* The last two bytes are the line break behind the closing boundary. */
    for (size_t size = 0; size + 2 < request.body.size; size++) {
        enum air_error error =
            air_form_read(request.content_type, air_span_take(request.body, size), &form, &refusal);
        assert_int_equal(error, AIR_ERR_MALFORMED);
    }
    assert_int_equal(air_memory_live(), 0);
}

static void refuses_lines_that_end_in_line_feed_alone(void **state) {
    (void)state;
    refuses("--b\nContent-Disposition: form-data; name=a\n\nx\n--b--\n",
        "lines of a multipart form end in CR LF, here one with the boundary ends in LF alone "
        "(behind part 0)");
    refuses(
        PART "a\n\nx\r\n--b--\r\n", "part 1 has no empty line between its headers and its value");
    refuses(PART "a\nX: y\r\n\r\nx" END, "part 1 has a malformed header");
    refuses(PART "a\r\n\r\nx\n--b--\n",
        "part 1 is not followed by the boundary: the body was cut off, or its lines do not end in "
        "CR LF");
}

static void refuses_a_line_that_goes_on_behind_the_boundary(void **state) {
    (void)state;
    static const char sentence[] = "behind part 1 a line begins with the boundary and goes on "
                                   "otherwise";
    refuses(PART "a\r\n\r\nx\r\n--bc\r\ny" END, sentence);
    refuses(PART "a\r\n\r\nx\r\n--b--x", sentence);
    refuses(PART "a\r\n\r\nx\r\n--b -- \r\n", sentence);
    refuses(PART "a\r\n\r\nx\r\n--b\r" END, sentence);
    /* The CR LF of the empty line is the boundary's too (RFC 2046 section 5.1.1): a part without a
     * body, not a value that begins with the boundary. */
    refuses(PART "a\r\n\r\n--b" END, "part 1 has no empty line between its headers and its value");
    refuses("--bc\r\n", "behind part 0 a line begins with the boundary and goes on otherwise");
}

static void refuses_malformed_headers(void **state) {
    (void)state;
    static const char malformed[] = "part 1 has a malformed header";
    refuses("--b\r\nContent-Disposition\r\n\r\nx" END, malformed);
    refuses("--b\r\n: x\r\n\r\nx" END, malformed);
    refuses("--b\r\n X: y\r\n\r\nx" END, malformed);
    refuses("--b\r\nX : y\r\n\r\nx" END, malformed);
    refuses(PART "a\x01\r\n\r\nx" END, malformed);
    refuses(PART "a\r\r\n\r\nx" END, malformed);
    refuses(PART "\"a\x7F\"\r\n\r\nx" END, malformed);
    air_test_refuses_form(
        SPAN(KIND "b"), SPAN("--b\r\nX: \0\r\n\r\nx" END), AIR_ERR_MALFORMED, malformed);
    refuses("--b\r\nX: y\r\n" END, "part 1 has no empty line between its headers and its value");
    refuses("--b\r\nX: y" END, "part 1 has no empty line between its headers and its value");
}

static void refuses_parts_without_one_name(void **state) {
    (void)state;
    static const char kind[] = "part 1 needs one Content-Disposition, which begins with form-data";
    static const char malformed[] = "part 1 has a malformed Content-Disposition";
    refuses("--b\r\n\r\nx" END, "part 1 has no Content-Disposition");
    refuses("--b\r\nContent-Type: text/plain\r\n\r\nx" END, "part 1 has no Content-Disposition");
    refuses("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx" END, kind);
    refuses("--b\r\nContent-Disposition:\r\n\r\nx" END, kind);
    refuses(PART "a\r\nContent-Disposition: form-data; name=b\r\n\r\nx" END, kind);
    refuses("--b\r\nContent-Disposition: form-data\r\n\r\nx" END,
        "part 1 has no name in its Content-Disposition");
    refuses("--b\r\nContent-Disposition: form-data; name*=UTF-8''a\r\n\r\nx" END,
        "part 1 has no name in its Content-Disposition");
    refuses(PART "\"\"\r\n\r\nx" END, "field 1 has no name");
    refuses(PART "a; name=b\r\n\r\nx" END, "part 1 has two names");
    refuses(PART "a; filename=b; filename=c\r\n\r\nx" END, "part 1 has two filenames");
    refuses(
        PART "a; filename*=UTF-8''b; filename*=UTF-8''c\r\n\r\nx" END, "part 1 has two filenames");
    refuses(PART "a; filename*=b\r\n\r\nx" END, "part 1 has a malformed filename*");
    refuses(PART "\"a\r\n\r\nx" END, malformed);
    refuses(PART "\"a\" b\r\n\r\nx" END, malformed);
    refuses(PART "\r\n\r\nx" END, malformed);
    refuses(PART "a b\r\n\r\nx" END, malformed);
    refuses(PART "a\r\n\r\nx\r\n" PART "a\r\n\r\nx" END, "the field \"a\" is given twice");
}

static void refuses_control_bytes(void **state) {
    (void)state;
    air_test_refuses_form(SPAN(KIND "b"), SPAN(PART "a\r\n\r\nx\0y" END), AIR_ERR_MALFORMED,
        "the field \"a\" has a control byte");
    refuses(PART "a\r\n\r\n\x1B[31m" END, "the field \"a\" has a control byte");
    refuses(PART "\"a%0D%0Ab\"\r\n\r\nx" END, "the name of field 1 has a control byte");
    refuses(PART "\"a\r\n b\"\r\n\r\nx" END, "the name of field 1 has a control byte");
    refuses(PART "a; filename=\"%0A\"\r\n\r\nx" END,
        "the filename of the field \"a\" has a control byte");
    refuses(PART "a; filename*=UTF-8''%00\r\n\r\nx" END,
        "the filename of the field \"a\" has a control byte");
}

static void refuses_encodings_and_nested_forms(void **state) {
    (void)state;
    air_test_request_load("form/curl_encoder", &request);
    air_test_refuses_form(request.content_type, request.body, AIR_ERR_UNSUPPORTED,
        "part 1 has a Content-Transfer-Encoding: send it as it is (RFC 7578 section 4.7)");
    air_test_request_load("form/curl_mixed", &request);
    air_test_refuses_form(request.content_type, request.body, AIR_ERR_UNSUPPORTED,
        "part 1 is multipart itself, as several files in one field are: send one file");
    air_test_refuses_form(SPAN(KIND "b"),
        SPAN(PART "a\r\nContent-Type: text/plain\r\ncontent-type:\r\n Multipart/x\r\n\r\nx" END),
        AIR_ERR_UNSUPPORTED,
        "part 1 is multipart itself, as several files in one field are: send one file");
    air_test_refuses_form(SPAN(KIND "b"),
        SPAN(PART "a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx" END),
        AIR_ERR_UNSUPPORTED,
        "part 1 has a Content-Transfer-Encoding: send it as it is (RFC 7578 section 4.7)");
}

static void refuses_what_passes_a_limit(void **state) {
    (void)state;
    static char body[AIR_FORM_HEADERS_SIZE_MAX + 512];
    int size = snprintf(body, sizeof(body), PART "\"%.*s\"\r\n\r\nx" END, 65,
        "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
    air_test_refuses_form(SPAN(KIND "b"), air_span_of(body, (size_t)size), AIR_ERR_LIMIT,
        "the name of field 1 is longer than 64 bytes");
    size = snprintf(body, sizeof(body), PART "a; filename=%0256d\r\n\r\nx" END, 0);
    air_test_refuses_form(SPAN(KIND "b"), air_span_of(body, (size_t)size), AIR_ERR_LIMIT,
        "the field \"a\" has a filename longer than 255 bytes");
    size = snprintf(
        body, sizeof(body), PART "a\r\nX: %0*d\r\n\r\nx" END, AIR_FORM_HEADERS_SIZE_MAX, 0);
    air_test_refuses_form(SPAN(KIND "b"), air_span_of(body, (size_t)size), AIR_ERR_LIMIT,
        "part 1 has too many or too long headers");
    size = 0;
    for (int i = 0; i <= AIR_FORM_FIELDS_MAX; i++) {
        size += snprintf(body + size, sizeof(body) - (size_t)size, PART "%d\r\n\r\n\r\n", i);
    }
    size += snprintf(body + size, sizeof(body) - (size_t)size, "--b--");
    air_test_refuses_form(SPAN(KIND "b"), air_span_of(body, (size_t)size), AIR_ERR_LIMIT,
        "the form has more than 32 fields, the most that are taken");
}

static void repeats_no_value(void **state) {
    (void)state;
    struct air_form form;
    struct air_refusal refusal;
    assert_int_equal(
        air_form_read(SPAN(KIND "b"), SPAN(PART "a\r\n\r\nSECRET\x01" END), &form, &refusal),
        AIR_ERR_MALFORMED);
    assert_null(strstr(refusal.sentence, "SECRET"));
    assert_int_equal(
        air_form_read(SPAN(KIND "b"), SPAN(PART "a\r\nSECRET\r\n\r\nSECRET" END), &form, &refusal),
        AIR_ERR_MALFORMED);
    assert_null(strstr(refusal.sentence, "SECRET"));
}

static enum air_error read_once(void *context) {
    struct air_form form = {.fields_count = 0};
    struct air_refusal refusal = {.status = 0};
    (void)context;
    enum air_error error =
        air_form_read(SPAN(KIND "b"), SPAN(PART "a\r\n\r\nx" END), &form, &refusal);
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
        cmocka_unit_test(reads_files_and_texts_of_curl),
        cmocka_unit_test(keeps_a_value_to_the_byte),
        cmocka_unit_test(borrows_values_from_the_body),
        cmocka_unit_test(reads_types_filenames_and_headers_of_curl),
        cmocka_unit_test(reads_what_browsers_write),
        cmocka_unit_test(takes_every_boundary_of_the_rfc),
        cmocka_unit_test(passes_over_preamble_epilogue_and_padding),
        cmocka_unit_test(takes_headers_in_any_order_number_and_fold),
        cmocka_unit_test(keeps_what_only_looks_like_a_boundary),
        cmocka_unit_test(keeps_any_byte_of_a_file),
        cmocka_unit_test(refuses_bad_boundaries),
        cmocka_unit_test(refuses_a_body_that_is_cut_off),
        cmocka_unit_test(refuses_every_cut_of_a_captured_form),
        cmocka_unit_test(refuses_lines_that_end_in_line_feed_alone),
        cmocka_unit_test(refuses_a_line_that_goes_on_behind_the_boundary),
        cmocka_unit_test(refuses_malformed_headers),
        cmocka_unit_test(refuses_parts_without_one_name),
        cmocka_unit_test(refuses_control_bytes),
        cmocka_unit_test(refuses_encodings_and_nested_forms),
        cmocka_unit_test(refuses_what_passes_a_limit),
        cmocka_unit_test(repeats_no_value),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
