/* SPDX-License-Identifier: MIT */
/*
 * Proven here: comparing, cutting and numbers over spans, at their edges and over the empty span,
 * whose pointer is NULL. All 256 bytes are tried where ASCII rules decide. The last test shows that
 * nothing here allocates.
 */

#include "src/base/span.h"

#include "src/base/memory.h"
#include "tests/support/test.h"

static const air_span nothing = {NULL, 0};

static void makes_spans_over_texts(void **state) {
    (void)state;
    assert_null(air_span_text(NULL).data);
    assert_int_equal(air_span_text(NULL).size, 0);
    assert_non_null(air_span_text("").data);
    assert_int_equal(air_span_text("abc").size, 3);
}

static void compares_bytes(void **state) {
    (void)state;
    assert_true(air_span_equal(nothing, SPAN("")));
    assert_true(air_span_equal(SPAN("a\0b"), SPAN("a\0b")));
    assert_false(air_span_equal(SPAN("a\0b"), SPAN("a\0c")));
    assert_false(air_span_equal(SPAN("a"), SPAN("ab")));
    assert_true(air_span_equal_text(nothing, ""));
    assert_true(air_span_equal_text(nothing, NULL));
    assert_false(air_span_equal_text(SPAN("a\0"), "a"));
}

static void compares_only_ascii_letters_without_case(void **state) {
    (void)state;
    assert_true(air_span_equal_nocase(SPAN("Retry-AFTER"), SPAN("retry-after")));
    assert_false(air_span_equal_nocase(SPAN("a"), SPAN("ab")));
    assert_true(air_span_equal_nocase(nothing, nothing));
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t bytes[2] = {(uint8_t)a, (uint8_t)b};
            bool is_pair = (a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z';
            assert_int_equal(
                air_span_equal_nocase(air_span_of(bytes, 1), air_span_of(bytes + 1, 1)),
                a == b || is_pair);
        }
    }
}

static void orders_by_bytes_and_then_by_length(void **state) {
    (void)state;
    static const char *const sorted[] = {"", "A", "a", "aa", "ab", "b", "\x7F", "\x80", "\xFF"};
    for (size_t i = 0; i < 9; i++) {
        for (size_t j = 0; j < 9; j++) {
            int order = air_span_compare(air_span_text(sorted[i]), air_span_text(sorted[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
    assert_int_equal(air_span_compare(nothing, SPAN("")), 0);
    assert_true(air_span_compare(nothing, SPAN("\0")) < 0);
}

static void recognises_a_prefix(void **state) {
    (void)state;
    assert_true(air_span_starts_with(SPAN("acme-tls/1"), "acme"));
    assert_true(air_span_starts_with(SPAN("acme"), "acme"));
    assert_true(air_span_starts_with(nothing, ""));
    assert_false(air_span_starts_with(SPAN("acm"), "acme"));
    assert_false(air_span_starts_with(SPAN("Acme"), "acme"));
    assert_false(air_span_starts_with(nothing, "a"));
}

static void cuts_within_bounds_only(void **state) {
    (void)state;
    assert_span(air_span_skip(SPAN("abc"), 1), "bc");
    assert_span(air_span_skip(SPAN("abc"), 3), "");
    assert_span(air_span_skip(SPAN("abc"), SIZE_MAX), "");
    assert_null(air_span_skip(nothing, 5).data);
    assert_span(air_span_take(SPAN("abc"), 2), "ab");
    assert_span(air_span_take(SPAN("abc"), SIZE_MAX), "abc");
    assert_null(air_span_take(nothing, 5).data);
    assert_int_equal(air_span_find(SPAN("abc"), 'c'), 2);
    assert_int_equal(air_span_find(SPAN("abc"), 'x'), 3);
    assert_int_equal(air_span_find(nothing, 'x'), 0);
}

static void trims_only_ascii_white_space(void **state) {
    (void)state;
    assert_span(air_span_trim(SPAN(" \t\r\na b\n\r\t ")), "a b");
    assert_span(air_span_trim(SPAN(" \n ")), "");
    assert_int_equal(air_span_trim(nothing).size, 0);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[1] = {(uint8_t)byte};
        bool is_white = byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
        assert_int_equal(air_span_trim(air_span_of(text, 1)).size, is_white ? 0 : 1);
    }
}

static void check_pieces(air_span text, const char *const *expected, size_t expected_count) {
    air_span rest = text;
    air_span piece;
    size_t count = 0;
    while (air_span_next(&rest, ',', &piece)) {
        assert_true(count < expected_count);
        assert_span(piece, expected[count++]);
    }
    assert_int_equal(count, expected_count);
    assert_false(air_span_next(&rest, ',', &piece));
}

static void cuts_pieces_between_separators(void **state) {
    (void)state;
    static const char *const three[] = {"a", "", "b"};
    static const char *const ends[] = {"", "a", ""};
    static const char *const one[] = {"a"};
    static const char *const empty[] = {""};
    check_pieces(SPAN("a,,b"), three, 3);
    check_pieces(SPAN(",a,"), ends, 3);
    check_pieces(SPAN("a"), one, 1);
    check_pieces(SPAN(""), empty, 1);
    check_pieces(nothing, NULL, 0);
}

static void reads_numbers_of_digits_only(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } cases[] = {{"0", 0}, {"007", 7}, {"86400", 86400}, {"9223372036854775807", INT64_MAX},
        {"0000000000000000000000001", 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t number = -1;
        assert_true(air_span_number(air_span_text(cases[i].text), &number));
        assert_true(number == cases[i].number);
    }
}

static void refuses_what_is_not_a_number(void **state) {
    (void)state;
    static const char *const texts[] = {"", " 1", "1 ", "+1", "-1", "1.0", "0x10", "1e3", "1,0",
        "9223372036854775808", "18446744073709551616", "99999999999999999999", "\xD9\xA1"};
    int64_t number = 42;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(air_span_number(air_span_text(texts[i]), &number));
    }
    assert_false(air_span_number(nothing, &number));
    assert_false(air_span_number(SPAN("1\0"), &number));
    assert_int_equal(number, 42);
    assert_int_equal(air_memory_count(), 0);
}

static void counts_characters(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {{"", 0}, {"a b~", 4}, {"Z\xC3\xBCrich", 6}, {"\xE6\x9D\xB1\xE4\xBA\xAC", 2},
        {"\xF0\x9F\x90\x98", 1}, {"\xC2\xA0", 1}, {"\xF4\x8F\xBF\xBF\xED\x9F\xBF", 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = 42;
        assert_true(air_span_characters(air_span_text(cases[i].text), &count));
        assert_int_equal(count, cases[i].count);
    }
}

static void refuses_what_is_no_plain_text(void **state) {
    (void)state;
    const air_span texts[] = {SPAN("a\0"), SPAN("\n"), SPAN("a\x1F"), SPAN("\x7F"),
        SPAN("\xC2\x80"), SPAN("\xC2\x9F"), SPAN("\x80"), SPAN("Z\xFCrich"), SPAN("\xC3"),
        SPAN("\xC0\xAF"), SPAN("\xE0\x9F\xBF"), SPAN("\xED\xA0\x80"), SPAN("\xE6\x9D"),
        SPAN("\xF4\x90\x80\x80"), SPAN("\xF5\x80\x80\x80"), SPAN("\xFF")};
    size_t count = 0;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(air_span_characters(texts[i], &count));
    }
    assert_int_equal(air_memory_count(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_spans_over_texts),
        cmocka_unit_test(compares_bytes),
        cmocka_unit_test(compares_only_ascii_letters_without_case),
        cmocka_unit_test(orders_by_bytes_and_then_by_length),
        cmocka_unit_test(recognises_a_prefix),
        cmocka_unit_test(cuts_within_bounds_only),
        cmocka_unit_test(trims_only_ascii_white_space),
        cmocka_unit_test(cuts_pieces_between_separators),
        cmocka_unit_test(reads_numbers_of_digits_only),
        cmocka_unit_test(refuses_what_is_not_a_number),
        cmocka_unit_test(counts_characters),
        cmocka_unit_test(refuses_what_is_no_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
