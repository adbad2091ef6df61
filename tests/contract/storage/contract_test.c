/* SPDX-License-Identifier: MIT */
/*
 * Proven here, on whichever backend is linked in: what include/thinair/storage.h promises to one
 * caller at a time: which paths and sizes are refused, before anything is written; what is read
 * back; guards; deletes; the order of listings.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/contract/storage/rig.h"
#include "tests/support/allocation.h"

/* Names gathered by a listing, each followed by a blank, and when to stop. */
struct names {
    struct air_buffer text;
    size_t left;
};

static bool gather(void *context, air_span segment) {
    struct names *names = context;
    assert_ok(air_buffer_append_span(&names->text, segment));
    assert_ok(air_buffer_append_text(&names->text, " "));
    return --names->left > 0;
}

static void expect_list(struct air_storage *storage, const char *prefix, const char *after,
    size_t count_max, const char *expected) {
    struct names names = {.left = count_max};
    air_buffer_init(&names.text, 4096);
    assert_ok(
        storage->list(storage->self, air_span_text(prefix), air_span_text(after), gather, &names));
    assert_span(air_buffer_span(&names.text), expected);
    air_buffer_deinit(&names.text);
}

static bool refuse_visit(void *context, air_span segment) {
    (void)context;
    (void)segment;
    fail_msg("a refused listing visited a name");
    return false;
}

/* Every method refuses the path as an argument. */
static void check_refused(struct air_storage *storage, air_span path) {
    struct air_buffer out;
    uint64_t number = 0;
    struct air_put put = {.path = path, .value = SPAN("x")};
    struct air_put removal = {.path = path, .is_delete = true};
    struct air_put good = {.path = SPAN("good/record"), .value = SPAN("x")};
    struct air_guard guard = {.path = path, .version = 0};
    air_buffer_init(&out, 16);
    assert_int_equal(storage->read(storage->self, path, &out, &number), AIR_ERR_ARGUMENT);
    air_buffer_deinit(&out);
    assert_int_equal(storage->write(storage->self, NULL, &put, 1), AIR_ERR_ARGUMENT);
    assert_int_equal(storage->write(storage->self, NULL, &removal, 1), AIR_ERR_ARGUMENT);
    assert_int_equal(storage->lock(storage->self, path, &number), AIR_ERR_ARGUMENT);
    assert_int_equal(storage->unlock(storage->self, path), AIR_ERR_ARGUMENT);
    if (path.size > 0) { /* no condition, and the top */
        assert_int_equal(storage->write(storage->self, &guard, &good, 1), AIR_ERR_ARGUMENT);
        assert_int_equal(
            storage->list(storage->self, path, SPAN(""), refuse_visit, NULL), AIR_ERR_ARGUMENT);
    }
    expect_list(storage, "", "", 100, "");
}

static void refuses_paths_outside_the_grammar(void **state) {
    static const char *const paths[] = {"", "/", "/a", "a/", "a//b", "a/b/", ".", "..", "../a",
        "a/..", "a/../b", "a/./b", ".a", "a/.b", ".tmp.1.0", "a b", "a\\b", "a\nb", "a*b", "a:b",
        "a~b", "\xc3\xa4", "VERSION", "lock", "lock/a", "VERSION/a/b"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        check_refused(*state, air_span_text(paths[i]));
    }
    check_refused(*state, SPAN("a\0b"));
    check_refused(*state, SPAN("a\0"));
    check_refused(*state, SPAN("\0"));
}

static void refuses_paths_and_segments_that_are_too_long(void **state) {
    char path[AIR_STORAGE_PATH_SIZE_MAX + 2];
    memset(path, 'a', sizeof(path));
    check_refused(*state, air_span_of(path, AIR_STORAGE_SEGMENT_SIZE_MAX + 1));
    path[200] = '/';
    path[400] = '/';
    check_refused(*state, air_span_of(path, AIR_STORAGE_PATH_SIZE_MAX + 1));
    path[400] = 'a';
    check_refused(*state, air_span_of(path, AIR_STORAGE_PATH_SIZE_MAX));
}

static void keeps_paths_of_the_full_size(void **state) {
    struct air_storage *storage = *state;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    memset(path, 'a', sizeof(path));
    path[AIR_STORAGE_SEGMENT_SIZE_MAX] = '/';
    path[AIR_STORAGE_PATH_SIZE_MAX - 1] = '-';
    path[AIR_STORAGE_PATH_SIZE_MAX - 2] = '/';
    path[AIR_STORAGE_PATH_SIZE_MAX] = '\0';
    assert_ok(air_rig_put(storage, path, SPAN("far")));
    air_rig_expect(storage, path, SPAN("far"));
    assert_ok(air_rig_put(storage, "AZaz09._-", SPAN("all bytes")));
    air_rig_expect(storage, "AZaz09._-", SPAN("all bytes"));
    assert_ok(air_rig_put(storage, "a/lock", SPAN("below")));
    air_rig_expect(storage, "a/lock", SPAN("below"));
}

static void reads_back_any_bytes(void **state) {
    struct air_storage *storage = *state;
    assert_ok(air_rig_put(storage, "a/empty", SPAN("")));
    air_rig_expect(storage, "a/empty", SPAN(""));
    assert_ok(air_rig_put(storage, "a/nul", SPAN("\0x\0\xff\n")));
    air_rig_expect(storage, "a/nul", SPAN("\0x\0\xff\n"));
    assert_ok(air_rig_put(storage, "a/nul", SPAN("shorter")));
    air_rig_expect(storage, "a/nul", SPAN("shorter"));
    air_rig_expect(storage, "a/empty", SPAN(""));
    air_rig_expect_absent(storage, "a/other");
    air_rig_expect_absent(storage, "b/nul");
    air_rig_expect_absent(storage, "a");
    air_rig_expect_absent(storage, "a/nul/below");
}

static void keeps_values_of_the_full_size_and_refuses_longer_ones(void **state) {
    struct air_storage *storage = *state;
    size_t size = AIR_STORAGE_VALUE_SIZE_MAX + 1;
    uint8_t *value = air_memory_new(size);
    assert_non_null(value);
    for (size_t i = 0; i < size; i++) {
        value[i] = (uint8_t)(i * 7 + i / 251);
    }
    air_span whole = air_span_of(value, AIR_STORAGE_VALUE_SIZE_MAX);
    assert_ok(air_rig_put(storage, "big", whole));
    air_rig_expect(storage, "big", whole);

    struct air_put puts[] = {{.path = SPAN("small"), .value = SPAN("x")},
        {.path = SPAN("big"), .value = air_span_of(value, size)}};
    assert_int_equal(storage->write(storage->self, NULL, puts, 2), AIR_ERR_LIMIT);
    air_rig_expect_absent(storage, "small");
    air_rig_expect(storage, "big", whole);
    air_memory_free(value, size);
}

static void appends_nothing_that_does_not_fit(void **state) {
    struct air_storage *storage = *state;
    struct air_buffer out;
    uint64_t version = 0;
    assert_ok(air_rig_put(storage, "a", SPAN("12345")));
    air_buffer_init(&out, 8);
    assert_ok(air_buffer_append_text(&out, "old"));
    assert_ok(storage->read(storage->self, SPAN("a"), &out, &version));
    assert_span(air_buffer_span(&out), "old12345");
    assert_int_equal(storage->read(storage->self, SPAN("a"), &out, &version), AIR_ERR_LIMIT);
    assert_span(air_buffer_span(&out), "old12345");
    air_buffer_deinit(&out);
}

static void gives_another_version_to_another_value(void **state) {
    struct air_storage *storage = *state;
    assert_ok(air_rig_put(storage, "a", SPAN("one")));
    uint64_t first = air_rig_expect(storage, "a", SPAN("one"));
    assert_true(air_rig_expect(storage, "a", SPAN("one")) == first);
    assert_ok(air_rig_put(storage, "b", SPAN("else")));
    assert_true(air_rig_expect(storage, "a", SPAN("one")) == first);
    assert_ok(air_rig_put(storage, "a", SPAN("two")));
    assert_true(air_rig_expect(storage, "a", SPAN("two")) != first);
}

static void writes_nothing_when_the_guard_does_not_hold(void **state) {
    struct air_storage *storage = *state;
    struct air_put put = {.path = SPAN("b/c"), .value = SPAN("new")};
    struct air_guard guard = {.path = SPAN("a"), .version = 1};
    assert_int_equal(storage->write(storage->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    assert_int_equal(storage->write(storage->self, &guard, NULL, 0), AIR_ERR_CONFLICT);

    assert_ok(air_rig_put(storage, "a", SPAN("one")));
    guard.version = air_rig_expect(storage, "a", SPAN("one"));
    assert_ok(air_rig_put(storage, "a", SPAN("two")));
    assert_int_equal(storage->write(storage->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    guard.version = 0;
    assert_int_equal(storage->write(storage->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    guard.version = air_rig_expect(storage, "a", SPAN("two"));
    assert_ok(air_rig_delete(storage, "a"));
    assert_int_equal(storage->write(storage->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    air_rig_expect_absent(storage, "b/c");
}

static void writes_when_the_guard_holds(void **state) {
    struct air_storage *storage = *state;
    struct air_put put = {.path = SPAN("a"), .value = SPAN("one")};
    struct air_guard guard = {.path = SPAN("a"), .version = 0};
    assert_ok(storage->write(storage->self, &guard, &put, 1));
    guard.version = air_rig_expect(storage, "a", SPAN("one"));
    put.value = SPAN("two");
    assert_ok(storage->write(storage->self, &guard, &put, 1));
    air_rig_expect(storage, "a", SPAN("two"));
    guard.path = SPAN("");
    assert_ok(storage->write(storage->self, &guard, &put, 1));
    assert_ok(storage->write(storage->self, NULL, NULL, 0));
}

static void carries_out_puts_in_order(void **state) {
    struct air_storage *storage = *state;
    struct air_put puts[] = {
        {.path = SPAN("a/x"), .value = SPAN("1")},
        {.path = SPAN("a/x"), .value = SPAN("2")},
        {.path = SPAN("a/y"), .value = SPAN("3")},
        {.path = SPAN("a/y"), .is_delete = true},
        {.path = SPAN("a/z"), .is_delete = true},
        {.path = SPAN("a/z"), .value = SPAN("4")},
    };
    assert_ok(storage->write(storage->self, NULL, puts, 6));
    air_rig_expect(storage, "a/x", SPAN("2"));
    air_rig_expect_absent(storage, "a/y");
    air_rig_expect(storage, "a/z", SPAN("4"));
}

static void refuses_a_whole_write_for_one_bad_put(void **state) {
    struct air_storage *storage = *state;
    struct air_put puts[AIR_STORAGE_PUTS_MAX + 1];
    for (size_t i = 0; i <= AIR_STORAGE_PUTS_MAX; i++) {
        puts[i] = (struct air_put){.path = SPAN("a"), .value = SPAN("x")};
    }
    assert_int_equal(
        storage->write(storage->self, NULL, puts, AIR_STORAGE_PUTS_MAX + 1), AIR_ERR_LIMIT);
    puts[AIR_STORAGE_PUTS_MAX - 1].path = SPAN("../a");
    assert_int_equal(
        storage->write(storage->self, NULL, puts, AIR_STORAGE_PUTS_MAX), AIR_ERR_ARGUMENT);
    air_rig_expect_absent(storage, "a");
    assert_ok(storage->write(storage->self, NULL, puts, AIR_STORAGE_PUTS_MAX - 1));
    air_rig_expect(storage, "a", SPAN("x"));
}

static void deletes_records_and_what_is_absent(void **state) {
    struct air_storage *storage = *state;
    assert_ok(air_rig_put(storage, "a/b/c", SPAN("x")));
    assert_ok(air_rig_put(storage, "a/d", SPAN("y")));
    assert_ok(air_rig_delete(storage, "a/b/c"));
    assert_ok(air_rig_delete(storage, "a/b/c"));
    assert_ok(air_rig_delete(storage, "a/b/c/e"));
    assert_ok(air_rig_delete(storage, "a/d/e"));
    assert_ok(air_rig_delete(storage, "a"));
    air_rig_expect_absent(storage, "a/b/c");
    air_rig_expect(storage, "a/d", SPAN("y"));
    expect_list(storage, "a", "", 100, "d ");
    assert_ok(air_rig_delete(storage, "a/d"));
    expect_list(storage, "", "", 100, "");
    assert_ok(air_rig_put(storage, "a/b/c", SPAN("again")));
    air_rig_expect(storage, "a/b/c", SPAN("again"));
}

static void refuses_to_mix_records_and_folders(void **state) {
    struct air_storage *storage = *state;
    assert_ok(air_rig_put(storage, "a/b", SPAN("x")));
    assert_int_equal(air_rig_put(storage, "a", SPAN("y")), AIR_ERR_EXISTS);
    assert_int_equal(air_rig_put(storage, "a/b/c", SPAN("y")), AIR_ERR_EXISTS);
    assert_int_equal(air_rig_put(storage, "a/b/c/d", SPAN("y")), AIR_ERR_EXISTS);
    air_rig_expect(storage, "a/b", SPAN("x"));
    expect_list(storage, "a", "", 100, "b ");
    expect_list(storage, "", "", 100, "a ");
}

static void lists_segments_in_byte_order(void **state) {
    static const char *const paths[] = {"f/b", "f/a/x", "f/a/y/z", "f/a-b", "f/a.b", "f/B", "f/a0",
        "f/_", "f/9", "f/10", "g/z", "e", "fa/x", "f-a/x"};
    struct air_storage *storage = *state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_ok(air_rig_put(storage, paths[i], SPAN("x")));
    }
    expect_list(storage, "f", "", 100, "10 9 B _ a a-b a.b a0 b ");
    expect_list(storage, "", "", 100, "e f f-a fa g ");
    expect_list(storage, "f/a", "", 100, "x y ");
    expect_list(storage, "e", "", 100, "");
    expect_list(storage, "none", "", 100, "");
    expect_list(storage, "f/none/below", "", 100, "");
    expect_list(storage, "e/below", "", 100, "");
}

static void lists_on_from_a_cursor_until_told_to_stop(void **state) {
    static const char *const paths[] = {"f/a", "f/b", "f/c", "f/d"};
    struct air_storage *storage = *state;
    for (size_t i = 0; i < 4; i++) {
        assert_ok(air_rig_put(storage, paths[i], SPAN("x")));
    }
    expect_list(storage, "f", "", 2, "a b ");
    expect_list(storage, "f", "b", 1, "c ");
    expect_list(storage, "f", "b", 100, "c d ");
    expect_list(storage, "f", "b0", 100, "c d ");
    expect_list(storage, "f", "d", 100, "");
    expect_list(storage, "f", "\xff", 100, "");
}

static void explains_within_the_room_given(void **state) {
    struct air_storage *storage = *state;
    if (storage->explain == NULL) {
        return;
    }
    char text[512];
    memset(text, 'x', sizeof(text));
    assert_int_equal(air_rig_put(storage, "../a", SPAN("x")), AIR_ERR_ARGUMENT);
    storage->explain(storage->self, text, 0);
    assert_int_equal(text[0], 'x');
    storage->explain(storage->self, text, 4);
    assert_int_equal(strlen(text), 3);
    assert_int_equal(text[4], 'x');
    storage->explain(storage->self, text, sizeof(text));
    assert_true(strlen(text) > 3);
}

/* One of each call; what a failed call leaves is cleared by the next. */
static enum air_error use_everything(void *context) {
    struct air_storage *storage = context;
    struct air_buffer out;
    uint64_t fence = 0;
    struct air_put put = {.path = SPAN("a/b"), .value = SPAN("a value that needs memory")};
    struct air_guard guard = {.path = SPAN("a/b")};
    air_buffer_init(&out, 4096);
    enum air_error error = storage->write(storage->self, NULL, &put, 1);
    if (error == AIR_OK) {
        error = storage->read(storage->self, put.path, &out, &guard.version);
    }
    if (error == AIR_OK) {
        error = storage->write(storage->self, &guard, &put, 1);
    }
    if (error == AIR_OK) {
        error = storage->lock(storage->self, put.path, &fence);
    }
    if (error == AIR_OK) {
        assert_ok(storage->unlock(storage->self, put.path));
    }
    air_buffer_deinit(&out);
    return error;
}

static void survives_each_failing_allocation(void **state) {
    /* What a storage in memory keeps is there before and after every run. */
    assert_ok(air_rig_put(*state, "a/b", SPAN("a value")));
    struct air_storage *storage = *state;
    air_test_each_allocation(use_everything, storage);
    air_rig_expect(storage, "a/b", SPAN("a value that needs memory"));
}

static bool count_visit(void *context, air_span segment) {
    (void)segment;
    size_t *count = context;
    (*count)++;
    return true;
}

static enum air_error list_top(void *context) {
    struct air_storage *storage = context;
    size_t count = 0;
    return storage->list(storage->self, SPAN(""), SPAN(""), count_visit, &count);
}

static void lists_with_each_allocation_failing(void **state) {
    assert_ok(air_rig_put(*state, "a/b", SPAN("x")));
    air_test_each_allocation(list_top, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, air_rig_test_begin, air_rig_test_end)

const struct CMUnitTest air_storage_contract_tests[] = {
    TEST(refuses_paths_outside_the_grammar),
    TEST(refuses_paths_and_segments_that_are_too_long),
    TEST(keeps_paths_of_the_full_size),
    TEST(reads_back_any_bytes),
    TEST(keeps_values_of_the_full_size_and_refuses_longer_ones),
    TEST(appends_nothing_that_does_not_fit),
    TEST(gives_another_version_to_another_value),
    TEST(writes_nothing_when_the_guard_does_not_hold),
    TEST(writes_when_the_guard_holds),
    TEST(carries_out_puts_in_order),
    TEST(refuses_a_whole_write_for_one_bad_put),
    TEST(deletes_records_and_what_is_absent),
    TEST(refuses_to_mix_records_and_folders),
    TEST(lists_segments_in_byte_order),
    TEST(lists_on_from_a_cursor_until_told_to_stop),
    TEST(explains_within_the_room_given),
    TEST(survives_each_failing_allocation),
    TEST(lists_with_each_allocation_failing),
};
const size_t air_storage_contract_tests_count =
    sizeof(air_storage_contract_tests) / sizeof(air_storage_contract_tests[0]);
