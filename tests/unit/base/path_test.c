/* SPDX-License-Identifier: MIT */
/*
 * Proven here: what the grammar of storage paths refuses, byte by byte and length by length. That
 * every backend asks it is proven by the storage contract. Nothing here allocates.
 */

#include "src/base/path.h"

#include <string.h>

#include "tests/support/test.h"
#include "thinair/storage.h"

static void refuses_every_other_byte_in_a_segment(void **state) {
    (void)state;
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (int byte = 0; byte < 256; byte++) {
        uint8_t text[] = {'a', (uint8_t)byte, 'b'};
        bool is_good = byte != 0 && strchr(good, byte) != NULL;
        assert_int_equal(air_path_segment_is_valid(air_span_of(text, 3)), is_good);
        assert_int_equal(
            air_path_segment_is_valid(air_span_of(text + 1, 2)), is_good && byte != '.');
        assert_int_equal(air_path_is_valid(air_span_of(text, 3)), is_good || byte == '/');
    }
}

static void refuses_empty_hidden_and_upward_segments_anywhere(void **state) {
    (void)state;
    static const char *const paths[] = {"", "/", "//", "/a", "a/", "a//b", "a/b/", ".", "..", "./a",
        "../a", "a/.", "a/..", "a/../b", ".a", "a/.b/c", "..."};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_false(air_path_is_valid(air_span_text(paths[i])));
        assert_false(air_path_folder_is_valid(air_span_text(paths[i])));
    }
    assert_false(air_path_is_valid(air_span_of(NULL, 0)));
}

static void refuses_names_that_backends_reserve_in_the_first_place_only(void **state) {
    (void)state;
    assert_false(air_path_is_valid(SPAN("VERSION")));
    assert_false(air_path_is_valid(SPAN("lock")));
    assert_false(air_path_is_valid(SPAN("lock/a")));
    assert_true(air_path_is_valid(SPAN("a/lock")));
    assert_true(air_path_is_valid(SPAN("a/VERSION/b")));
    assert_true(air_path_is_valid(SPAN("lock.a")));
    assert_true(air_path_is_valid(SPAN("version")));
}

static void refuses_one_byte_too_many(void **state) {
    (void)state;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    memset(path, 'a', sizeof(path));
    assert_true(air_path_segment_is_valid(air_span_of(path, AIR_STORAGE_SEGMENT_SIZE_MAX)));
    assert_false(air_path_segment_is_valid(air_span_of(path, AIR_STORAGE_SEGMENT_SIZE_MAX + 1)));
    path[170] = '/';
    path[340] = '/';
    assert_true(air_path_is_valid(air_span_of(path, AIR_STORAGE_PATH_SIZE_MAX)));
    assert_false(air_path_is_valid(air_span_of(path, AIR_STORAGE_PATH_SIZE_MAX + 1)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_other_byte_in_a_segment),
        cmocka_unit_test(refuses_empty_hidden_and_upward_segments_anywhere),
        cmocka_unit_test(refuses_names_that_backends_reserve_in_the_first_place_only),
        cmocka_unit_test(refuses_one_byte_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
