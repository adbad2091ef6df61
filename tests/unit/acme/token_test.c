/* SPDX-License-Identifier: MIT */
/*
 * Proven here: only text of the base64url alphabet passes for a token or nonce (RFC 8555 sections
 * 6.5.1 and 8.3, R-A2), whatever the locale; text from the network is shown without a byte that a
 * terminal or a log would act on, and within its limit (R-A1). How: every byte value, every length.
 */

#include <string.h>

#include "src/acme/token.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void takes_the_base64url_alphabet(void **state) {
    (void)state;
    assert_true(air_token_is_valid(SPAN("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA")));
    assert_true(air_token_is_valid(SPAN("ABCDEFGHIJKLMNOPQRSTUVWXYZ")));
    assert_true(air_token_is_valid(SPAN("abcdefghijklmnopqrstuvwxyz0123456789-_")));
    assert_true(air_token_is_valid(SPAN("a")));
}

static void refuses_every_other_byte(void **state) {
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t token[] = {'a', (uint8_t)byte, 'b'};
        const bool is_known = memchr(alphabet, (int)byte, sizeof alphabet - 1) != NULL;
        assert_int_equal(air_token_is_valid(air_span_of(token, sizeof token)), is_known);
    }
}

static void refuses_paths_and_padding(void **state) {
    (void)state;
    assert_false(air_token_is_valid(SPAN("../../etc/passwd")));
    assert_false(air_token_is_valid(SPAN("..")));
    assert_false(air_token_is_valid(SPAN("a/b")));
    assert_false(air_token_is_valid(SPAN("a\0b")));
    assert_false(air_token_is_valid(SPAN("YQ==")));
    assert_false(air_token_is_valid(SPAN("a b")));
    assert_false(air_token_is_valid(SPAN("$(id)")));
    assert_false(air_token_is_valid(SPAN("\xc3\xa4")));
}

static void refuses_no_bytes_and_too_many(void **state) {
    (void)state;
    static char token[AIR_TOKEN_SIZE_MAX + 1];
    memset(token, 'a', sizeof token);
    assert_false(air_token_is_valid(SPAN("")));
    assert_false(air_token_is_valid(air_span_of(NULL, 0)));
    assert_true(air_token_is_valid(air_span_of(token, AIR_TOKEN_SIZE_MAX)));
    assert_false(air_token_is_valid(air_span_of(token, AIR_TOKEN_SIZE_MAX + 1)));
}

static void shows_plain_text_as_it_is(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 200);
    assert_ok(air_text_escape(SPAN("No such file: \"/a\" 100 %s"), 100, &out));
    assert_span(air_buffer_span(&out), "No such file: \"/a\" 100 %s");
    assert_ok(air_text_escape(SPAN(""), 100, &out));
    air_buffer_deinit(&out);
}

static void escapes_what_a_terminal_would_act_on(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 200);
    assert_ok(air_text_escape(SPAN("a\nb\r\t\x1b[31m\0z\x7f\xc3\xa4\x9b"), 100, &out));
    assert_span(air_buffer_span(&out), "a\\x0ab\\x0d\\x09\\x1b[31m\\x00z\\x7f\\xc3\\xa4\\x9b");
    air_buffer_deinit(&out);
}

static void never_writes_another_byte_or_over_its_limit(void **state) {
    (void)state;
    uint8_t text[256];
    for (unsigned byte = 0; byte < 256; byte++) {
        text[byte] = (uint8_t)byte;
    }
    for (size_t size_max = 7; size_max < 1100; size_max++) {
        struct air_buffer out;
        air_buffer_init(&out, 2000);
        assert_ok(air_buffer_append_text(&out, "before"));
        assert_ok(air_text_escape(air_span_of(text, sizeof text), size_max, &out));
        assert_true(out.size - 6 <= size_max);
        for (size_t i = 0; i < out.size; i++) {
            assert_in_range(out.data[i], 0x20, 0x7e);
        }
        air_buffer_deinit(&out);
    }
}

static void marks_where_it_cut(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 200);
    assert_ok(air_text_escape(SPAN("abcdefghijklmnopqrstuvwxyz"), 12, &out));
    assert_span(air_buffer_span(&out), "abcdef...");
    air_buffer_deinit(&out);
}

static enum air_error escape(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 4000);
    enum air_error error = air_text_escape(
        SPAN("a long detail that needs more room than the first allocation of a buffer\n\n\n\n\n"),
        1000, &out);
    air_buffer_deinit(&out);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(escape, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_base64url_alphabet),
        cmocka_unit_test(refuses_every_other_byte),
        cmocka_unit_test(refuses_paths_and_padding),
        cmocka_unit_test(refuses_no_bytes_and_too_many),
        cmocka_unit_test(shows_plain_text_as_it_is),
        cmocka_unit_test(escapes_what_a_terminal_would_act_on),
        cmocka_unit_test(never_writes_another_byte_or_over_its_limit),
        cmocka_unit_test(marks_where_it_cut),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
