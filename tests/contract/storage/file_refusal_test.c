/* SPDX-License-Identifier: MIT */
/*
 * Proven here, on a real file system: which files, folders and links below its directory the file
 * storage refuses, with a sentence that says why; which modes it gives (R-E1); what it cleans up.
 * Links are tried with openat2 and with the fall-back.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "tests/contract/storage/file_fixture.h"
#include "tests/support/fake_system.h"
#include "tests/support/test.h"

static enum air_error get(struct air_storage *storage, const char *path) {
    struct air_buffer out;
    uint64_t version = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = storage->read(storage->self, air_span_text(path), &out, &version);
    if (error != AIR_OK) {
        assert_int_equal(out.size, 0);
    }
    air_buffer_deinit(&out);
    return error;
}

/* Reading fails so, and explain() names the record and the reason. */
static void expect_unread(
    struct air_storage *storage, const char *path, enum air_error error, const char *part) {
    char text[AIR_FILES_SENTENCE_SIZE];
    assert_int_equal(get(storage, path), error);
    storage->explain(storage->self, text, sizeof(text));
    if (strstr(text, part) == NULL || strstr(text, path) == NULL ||
        strncmp(text, air_state_path, strlen(air_state_path)) != 0) {
        fail_msg("the sentence is: %s", text);
    }
}

/* ---- modes ---- */

static int check_mode(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)at;
    mode_t expected = kind == FTW_D ? 0700 : 0600;
    if ((status->st_mode & 07777) != expected) {
        print_error("%s has mode %o\n", path, (unsigned)status->st_mode);
        return -1;
    }
    return 0;
}

static void check_modes_under(mode_t mask) {
    mode_t before = umask(mask);
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "accounts/a/key.pem", "secret"));
    assert_ok(air_state_put(storage, "certificates/a/b/generations/000001/key.pem", "secret"));
    assert_ok(
        air_state_put(storage, "certificates/a/b/generations/000001/key.pem", "other secret"));
    air_storage_files_free(storage);
    (void)umask(before);
    assert_int_equal(nftw(air_state_path, check_mode, 16, FTW_PHYS), 0);
}

static void makes_closed_files_under_an_open_umask(void **state) {
    (void)state;
    check_modes_under(0);
}

static void makes_usable_files_under_a_closed_umask(void **state) {
    (void)state;
    check_modes_under(077);
}

/* ---- records ---- */

static void refuses_to_read_what_is_not_a_closed_file(void **state) {
    (void)state;
    char other[AIR_TEST_PATH_SIZE];
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/key", "secret"));
    assert_int_equal(chmod(air_state_below("a/key"), 0640), 0);
    expect_unread(storage, "a/key", AIR_ERR_PERMISSION, "set its mode to 0600");
    assert_int_equal(chmod(air_state_below("a/key"), 0604), 0);
    expect_unread(storage, "a/key", AIR_ERR_PERMISSION, "set its mode to 0600");
    assert_int_equal(chmod(air_state_below("a/key"), 0600), 0);
    assert_ok(get(storage, "a/key"));

    air_test_path(other, air_state_path, "a/second");
    assert_int_equal(link(air_state_below("a/key"), other), 0);
    expect_unread(storage, "a/key", AIR_ERR_PERMISSION, "has hard links");
    assert_int_equal(unlink(other), 0);

    assert_int_equal(mkfifo(air_state_below("a/pipe"), 0600), 0);
    expect_unread(storage, "a/pipe", AIR_ERR_PERMISSION, "is not a regular file");
    assert_int_equal(mkdir(air_state_below("a/folder"), 0700), 0);
    expect_unread(storage, "a/folder", AIR_ERR_NOT_FOUND, "is a folder");
    assert_int_equal(truncate(air_state_below("a/key"), AIR_STORAGE_VALUE_SIZE_MAX + 1), 0);
    expect_unread(storage, "a/key", AIR_ERR_LIMIT, "is larger than any record");
    air_storage_files_free(storage);
}

static void refuses_to_read_a_file_of_another_user(void **state) {
    (void)state;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/key", "secret"));
    if (chown(air_state_below("a/key"), 1, 1) != 0) {
        air_storage_files_free(storage);
        skip();
    }
    expect_unread(storage, "a/key", AIR_ERR_PERMISSION, "belongs to another user");
    assert_int_equal(chown(air_state_below("a"), 1, 1), 0);
    assert_int_equal(air_state_put(storage, "a/key", "x"), AIR_ERR_PERMISSION);
    air_storage_files_free(storage);
}

static void refuses_to_write_into_a_folder_that_others_may_write(void **state) {
    (void)state;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/b/c", "x"));
    assert_int_equal(chmod(air_state_below("a/b"), 0770), 0);
    assert_int_equal(air_state_put(storage, "a/b/c", "y"), AIR_ERR_PERMISSION);
    air_state_expect_text(air_state_below("a/b/c"), "x");
    air_storage_files_free(storage);
}

static int hide_openat2(void *owner, const struct air_fake_call *call) {
    (void)owner;
    return call->kind == AIR_FAKE_OPEN_BENEATH ? -ENOSYS : 0;
}

/* Links in the place of a record, its folder and the folder above. */
static void check_links(struct air_storage *storage) {
    char outside[AIR_TEST_PATH_SIZE];
    char victim[AIR_TEST_PATH_SIZE];
    air_test_path(outside, air_state_folder, "outside");
    air_test_path(victim, outside, "c");
    assert_int_equal(mkdir(outside, 0700), 0);
    air_state_plant(victim, 0600, "untouched");

    assert_ok(air_state_put(storage, "a/b/x", "x"));
    assert_int_equal(symlink(victim, air_state_below("a/b/c")), 0);
    expect_unread(storage, "a/b/c", AIR_ERR_PERMISSION, "symbolic link");
    assert_ok(air_state_put(storage, "a/b/c", "ours")); /* replaces the link, not what it names */
    air_state_expect_text(air_state_below("a/b/c"), "ours");
    air_state_expect_text(victim, "untouched");

    assert_int_equal(symlink(outside, air_state_below("a/l")), 0);
    expect_unread(storage, "a/l/c", AIR_ERR_PERMISSION, "symbolic link");
    assert_int_equal(air_state_put(storage, "a/l/c", "y"), AIR_ERR_PERMISSION);
    assert_int_equal(air_state_put(storage, "a/l/new", "y"), AIR_ERR_PERMISSION);
    assert_int_equal(air_state_put(storage, "a/l/d/e", "y"), AIR_ERR_PERMISSION);
    assert_int_equal(air_state_drop(storage, "a/l/c"), AIR_ERR_PERMISSION);

    assert_int_equal(symlink("..", air_state_below("up")), 0);
    expect_unread(storage, "up/outside/c", AIR_ERR_PERMISSION, "symbolic link");
    assert_int_equal(air_state_put(storage, "up/outside/c", "y"), AIR_ERR_PERMISSION);
    air_state_expect_text(victim, "untouched");
    air_test_path(victim, outside, "new");
    assert_false(air_state_exists(victim));
}

static void follows_no_link(void **state) {
    (void)state;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    check_links(storage);
    air_storage_files_free(storage);
}

static void follows_no_link_without_openat2(void **state) {
    (void)state;
    struct air_fake_system fake;
    struct air_storage *storage = NULL;
    air_fake_system_init(&fake, NULL, hide_openat2, NULL);
    assert_ok(air_files_new(air_state_path, AIR_FILES_CREATE, &fake.table, &storage, NULL));
    check_links(storage);
    air_storage_files_free(storage);
}

static bool stop_at_once(void *context, air_span segment) {
    (void)segment;
    bool *is_visited = context;
    *is_visited = true;
    return false;
}

static void changes_nothing_when_opened_for_reading(void **state) {
    (void)state;
    uint64_t fence = 0;
    bool is_visited = false;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/b", "x"));
    air_storage_files_free(storage);
    air_state_plant(air_state_below(".tmp.1.0"), 0600, "x");
    assert_int_equal(unlink(air_state_below("lock")), 0);

    storage = air_state_open(AIR_FILES_READ_ONLY);
    assert_int_equal(air_state_put(storage, "a/b", "y"), AIR_ERR_PERMISSION);
    assert_int_equal(air_state_drop(storage, "a/b"), AIR_ERR_PERMISSION);
    assert_int_equal(storage->lock(storage->self, SPAN("a"), &fence), AIR_ERR_PERMISSION);
    assert_int_equal(storage->unlock(storage->self, SPAN("a")), AIR_ERR_PERMISSION);
    assert_ok(get(storage, "a/b"));
    assert_ok(storage->list(storage->self, SPAN("a"), SPAN(""), stop_at_once, &is_visited));
    assert_true(is_visited);
    air_storage_files_free(storage);
    assert_true(air_state_exists(air_state_below(".tmp.1.0")));
    assert_false(air_state_exists(air_state_below("lock")));
}

/* ---- tidying ---- */

static void removes_leftover_temporary_files_when_opened(void **state) {
    (void)state;
    static const char *const leftovers[] = {
        ".tmp.1.0", ".tmp.", "a/.tmp.17.3", "a/b/.tmp.x", "a/b/c/d/.tmp.9.9"};
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/b/c/d/e", "x"));
    air_storage_files_free(storage);
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        air_state_plant(air_state_below(leftovers[i]), 0600, "half a k");
    }
    air_state_plant(air_state_below("a/.other"), 0600, "of somebody");
    air_state_make();
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
        assert_false(air_state_exists(air_state_below(leftovers[i])));
    }
    air_state_expect_text(air_state_below("a/b/c/d/e"), "x");
    air_state_expect_text(air_state_below("a/.other"), "of somebody");
}

static void removes_folders_with_their_last_record(void **state) {
    (void)state;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "a/b/c", "x"));
    assert_ok(air_state_put(storage, "a/d/e/f", "x"));
    air_state_plant(air_state_below("a/d/e/.tmp.1.0"), 0600, "left by a power cut");
    assert_ok(air_state_drop(storage, "a/d/e/f"));
    assert_false(air_state_exists(air_state_below("a/d")));
    assert_true(air_state_exists(air_state_below("a/b")));
    assert_ok(air_state_drop(storage, "a/b/c"));
    assert_false(air_state_exists(air_state_below("a")));
    assert_true(air_state_exists(air_state_path));
    air_storage_files_free(storage);
}

/* ---- listings and sentences ---- */

struct ascent {
    size_t count;
    char last[32];
};

static bool check_ascent(void *context, air_span segment) {
    struct ascent *ascent = context;
    assert_true(segment.size < sizeof(ascent->last));
    assert_true(air_span_compare(segment, air_span_text(ascent->last)) > 0);
    memcpy(ascent->last, segment.data, segment.size);
    ascent->last[segment.size] = '\0';
    ascent->count++;
    return true;
}

static void lists_more_names_than_it_keeps_at_once(void **state) {
    (void)state;
    enum { NAMES = 5000 };
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_int_equal(mkdir(air_state_below("a"), 0700), 0);
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "a/%d", (i * 7919) % NAMES);
        air_state_plant(air_state_below(name), 0600, "");
    }
    air_state_plant(air_state_below("a/.hidden"), 0600, "");
    air_state_plant(air_state_below("a/not ours"), 0600, "");
    struct ascent all = {.count = 0};
    assert_ok(storage->list(storage->self, SPAN("a"), SPAN(""), check_ascent, &all));
    assert_int_equal(all.count, NAMES);
    struct ascent rest = {.count = 0};
    assert_ok(storage->list(storage->self, SPAN("a"), SPAN("4"), check_ascent, &rest));
    assert_int_equal(rest.count, 10 + 100 + 1000 + 5 + 50 + 500); /* 40 to 4999, 5 to 999 */
    air_storage_files_free(storage);
}

static void explains_the_last_failure(void **state) {
    (void)state;
    char text[AIR_FILES_SENTENCE_SIZE];
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    storage->explain(storage->self, text, sizeof(text));
    assert_string_equal(text, "");
    expect_unread(storage, "a/b", AIR_ERR_NOT_FOUND, "no such record");
    assert_ok(air_state_put(storage, "a/b", "x"));
    struct air_guard guard = {.path = SPAN("a/b"), .version = 1};
    assert_int_equal(storage->write(storage->self, &guard, NULL, 0), AIR_ERR_CONFLICT);
    storage->explain(storage->self, text, sizeof(text));
    assert_non_null(strstr(text, "/a/b: changed since it was read"));
    assert_int_equal(air_state_put(storage, "a/b/c", "x"), AIR_ERR_EXISTS);
    storage->explain(storage->self, text, sizeof(text));
    assert_non_null(strstr(text, "/a/b: the folder cannot be made or opened: a file is in the"));
    air_storage_files_free(storage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, air_state_begin, air_state_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(makes_closed_files_under_an_open_umask),
        TEST(makes_usable_files_under_a_closed_umask),
        TEST(refuses_to_read_what_is_not_a_closed_file),
        TEST(refuses_to_read_a_file_of_another_user),
        TEST(refuses_to_write_into_a_folder_that_others_may_write),
        TEST(follows_no_link),
        TEST(follows_no_link_without_openat2),
        TEST(changes_nothing_when_opened_for_reading),
        TEST(removes_leftover_temporary_files_when_opened),
        TEST(removes_folders_with_their_last_record),
        TEST(lists_more_names_than_it_keeps_at_once),
        TEST(explains_the_last_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
