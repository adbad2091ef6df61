/* SPDX-License-Identifier: MIT */
/*
 * Proven here: whole blocks are found in order, with their label and everything between their two
 * lines; text around them is seen as junk; an unfinished, mismatched or indented block is never
 * handed out and never hides the next one; a text cut at any byte gives only whole blocks.
 */

#include "src/base/pem.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/support/test.h"

#define BLOCK_A "-----BEGIN CERTIFICATE-----\nQUFB\nQUFB\n-----END CERTIFICATE-----\n"
#define BLOCK_B "-----BEGIN CERTIFICATE-----\nQkJC\n-----END CERTIFICATE-----\n"
#define BLOCK_KEY "-----BEGIN PRIVATE KEY-----\nS0tL\n-----END PRIVATE KEY-----\n"

static void check_next(air_span *rest, const char *block, const char *label, bool expected_junk) {
    air_span found_block;
    air_span found_label;
    bool junk = !expected_junk;
    assert_true(air_pem_next(rest, &found_block, &found_label, &junk));
    assert_span(found_block, block);
    assert_span(found_label, label);
    assert_int_equal(junk, expected_junk);
}

static void check_end(air_span *rest, const char *left) {
    air_span block;
    air_span label;
    bool junk = true;
    assert_false(air_pem_next(rest, &block, &label, &junk));
    assert_span(*rest, left);
}

static void finds_blocks_in_order(void **state) {
    (void)state;
    air_span rest = SPAN("\n" BLOCK_A "\r\n \t" BLOCK_KEY BLOCK_B " \n");
    /* The tab stands before the key's BEGIN line, in its line: that is no BEGIN line. */
    check_next(&rest, BLOCK_A, "CERTIFICATE", false);
    check_next(&rest, BLOCK_B, "CERTIFICATE", true);
    check_end(&rest, " \n");
    rest = SPAN(BLOCK_KEY "\r\n" BLOCK_A);
    check_next(&rest, BLOCK_KEY, "PRIVATE KEY", false);
    check_next(&rest, BLOCK_A, "CERTIFICATE", false);
    check_end(&rest, "");
}

static void ends_a_block_with_or_without_a_line_break(void **state) {
    (void)state;
    air_span rest = SPAN("-----BEGIN X-----\r\nQQ==\r\n-----END X-----");
    check_next(&rest, "-----BEGIN X-----\r\nQQ==\r\n-----END X-----", "X", false);
    rest = SPAN("-----BEGIN X----- \t\r\nQQ==\r\n-----END X----- \r\nmore");
    check_next(&rest, "-----BEGIN X----- \t\r\nQQ==\r\n-----END X----- \r\n", "X", false);
    check_end(&rest, "more");
    rest = SPAN("-----BEGIN X-----\n-----END X-----\n");
    check_next(&rest, "-----BEGIN X-----\n-----END X-----\n", "X", false);
}

static void tells_junk_from_white_space(void **state) {
    (void)state;
    air_span rest = SPAN("subject=CN=a\n" BLOCK_A "\n\n" BLOCK_B "# end\n" BLOCK_KEY);
    check_next(&rest, BLOCK_A, "CERTIFICATE", true);
    check_next(&rest, BLOCK_B, "CERTIFICATE", false);
    check_next(&rest, BLOCK_KEY, "PRIVATE KEY", true);
    air_span block;
    air_span label;
    rest = SPAN("\0" BLOCK_A);
    assert_false(air_pem_next(&rest, &block, &label, NULL));
}

static void never_hands_out_broken_blocks(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n", "junk", "-----BEGIN X-----", "-----END X-----",
        "-----BEGIN X-----\nQQ==\n", "-----BEGIN X-----\nQQ==\n-----END Y-----\n",
        "-----BEGIN X-----\nQQ==\n-----END X----\n", "-----BEGIN X----\nQQ==\n-----END X----\n",
        "----BEGIN X-----\nQQ==\n-----END X-----\n", " -----BEGIN X-----\nQQ==\n-----END X-----\n",
        "-----BEGIN X-----\nQQ==\n -----END X-----\n", "-----BEGIN -----\nQQ==\n-----END -----\n",
        "-----BEGIN X-----QQ==\n-----END X-----\n", "-----BEGIN X-----\nQQ==-----END X-----\n",
        "-----begin X-----\nQQ==\n-----end X-----\n", "-----BEGIN X-----\nQQ==\n-----END X-----y\n",
        "-----BEGIN X-----\n-----X-----\n-----END X-----\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        air_span rest = air_span_text(texts[i]);
        check_end(&rest, texts[i]);
    }
    air_span nothing = air_span_of(NULL, 0);
    check_end(&nothing, "");
}

static void finds_the_block_behind_a_broken_one(void **state) {
    (void)state;
    static const char *const broken[] = {"-----BEGIN CERTIFICATE-----\nQUFB\n",
        "-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nQQ==\n-----END X-----\n",
        "-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERT-----\n", "-----\n", "-----BEGIN \n"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct air_buffer text;
        air_buffer_init(&text, 1000);
        air_buffer_append_text(&text, broken[i]);
        assert_ok(air_buffer_append_text(&text, BLOCK_A));
        air_span rest = air_buffer_span(&text);
        check_next(&rest, BLOCK_A, "CERTIFICATE", true);
        air_buffer_deinit(&text);
    }
}

static void gives_only_whole_blocks_of_a_cut_text(void **state) {
    (void)state;
    static const char text[] = BLOCK_A BLOCK_B;
    for (size_t size = 0; size < sizeof(text); size++) {
        air_span rest = air_span_of(text, size);
        air_span block;
        air_span label;
        size_t count = 0;
        while (air_pem_next(&rest, &block, &label, NULL)) {
            count++;
        }
        /* The last line break may be missing. */
        size_t expected = size + 1 >= sizeof(BLOCK_A) - 1;
        expected += size + 1 >= sizeof(text) - 1;
        assert_int_equal(count, expected);
    }
}

static void accepts_a_text_of_one_kind_of_block(void **state) {
    (void)state;
    size_t count = 0;
    assert_true(air_pem_is_only(SPAN(BLOCK_A), "CERTIFICATE", &count));
    assert_int_equal(count, 1);
    assert_true(air_pem_is_only(SPAN("\n" BLOCK_A "\r\n" BLOCK_B "\n \t"), "CERTIFICATE", &count));
    assert_int_equal(count, 2);
}

static void refuses_a_text_with_anything_else(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n", "junk", BLOCK_KEY, BLOCK_A BLOCK_KEY,
        BLOCK_KEY BLOCK_A, BLOCK_A "junk", "junk\n" BLOCK_A, BLOCK_A "junk\n" BLOCK_B,
        BLOCK_A "-----BEGIN CERTIFICATE-----\nQQ==\n", "-----END CERTIFICATE-----\n" BLOCK_A,
        BLOCK_A "-----BEGIN CERTIFICATE-----\nQQ==\n" BLOCK_B};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t count = 0;
        if (air_pem_is_only(air_span_text(texts[i]), "CERTIFICATE", &count)) {
            fail_msg("accepted: %s", texts[i]);
        }
    }
    size_t count = 0;
    assert_false(air_pem_is_only(SPAN(BLOCK_A "\0"), "CERTIFICATE", &count));
    assert_false(air_pem_is_only(SPAN(BLOCK_A), "CERT", &count));
}

/* Many unfinished blocks must not cost the square of their number. */
static void reads_many_unfinished_blocks(void **state) {
    (void)state;
    struct air_buffer text;
    air_buffer_init(&text, 1 << 22);
    for (size_t i = 0; i < 50000; i++) {
        air_buffer_append_text(&text, "-----BEGIN CERTIFICATE-----\nQQ==\n");
    }
    assert_ok(air_buffer_append_text(&text, "-----END CERTIFICATE-----\n"));
    air_span rest = air_buffer_span(&text);
    check_next(&rest, "-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n",
        "CERTIFICATE", true);
    check_end(&rest, "");
    air_buffer_deinit(&text);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_blocks_in_order),
        cmocka_unit_test(ends_a_block_with_or_without_a_line_break),
        cmocka_unit_test(tells_junk_from_white_space),
        cmocka_unit_test(never_hands_out_broken_blocks),
        cmocka_unit_test(finds_the_block_behind_a_broken_one),
        cmocka_unit_test(gives_only_whole_blocks_of_a_cut_text),
        cmocka_unit_test(accepts_a_text_of_one_kind_of_block),
        cmocka_unit_test(refuses_a_text_with_anything_else),
        cmocka_unit_test(reads_many_unfinished_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
