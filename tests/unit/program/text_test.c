/* SPDX-License-Identifier: MIT */
/*
 * Proven here: formatted text holds no control byte and no more than its limit; a mistyped word
 * finds the one that was meant, and nothing when none is near.
 */

#include "hosts/program/text.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

static void escapes_control_bytes(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_text_format(&out, "%s|%d", "a\r\n\tb\x7fü", 7);
    assert_span(air_buffer_span(&out), "a\\x0d\\x0a\\x09b\\x7fü|7");
    air_buffer_deinit(&out);
}

static void cuts_what_is_too_long(void **state) {
    (void)state;
    static char text[AIR_TEXT_SIZE_MAX + 10];
    struct air_buffer out;
    memset(text, 'x', sizeof(text) - 1);
    air_buffer_init(&out, 2 * AIR_TEXT_SIZE_MAX);
    air_text_format(&out, "%s", text);
    assert_int_equal(out.size, AIR_TEXT_SIZE_MAX - 1);
    assert_memory_equal(out.data + out.size - 4, "x...", 4);
    air_buffer_deinit(&out);
}

static const char *word_at(const void *words, size_t index) {
    return ((const char *const *)words)[index];
}

static void finds_the_word_that_was_meant(void **state) {
    (void)state;
    static const char *const words[] = {"name", "names", "listen", "certificates", "to"};
    static const char *const meant[][2] = {{"nam", "name"}, {"nmae", "name"}, {"namess", "names"},
        {"lisen", "listen"}, {"certificate", "certificates"}, {"cretificates", "certificates"},
        {"tp", "to"}, {"zzzzzz", NULL}, {"", NULL}, {"x", NULL},
        {"a-word-that-is-far-too-long-to-be-any-of-them", NULL}};
    for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
        const char *nearest = air_text_nearest(meant[i][0], word_at, words, 5);
        if (meant[i][1] == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, meant[i][1]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_control_bytes),
        cmocka_unit_test(cuts_what_is_too_long),
        cmocka_unit_test(finds_the_word_that_was_meant),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
