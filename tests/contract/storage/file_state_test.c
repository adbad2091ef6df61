/* SPDX-License-Identifier: MIT */
/*
 * Proven here, on a real file system: which directories the file storage refuses as its own, with a
 * sentence that says why and what to do, and that it touches nothing of what it refuses; which it
 * adopts; that a later version's is left alone.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "tests/contract/storage/file_fixture.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static bool contains(air_span text, const char *part) {
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* Opening fails so, with a sentence that has the path and this part. */
static void expect_refusal(
    const char *path, unsigned flags, enum air_error expected, const char *part) {
    struct air_storage *storage = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, AIR_FILES_SENTENCE_SIZE);
    enum air_error error = air_storage_files_new(path, flags, &storage, &reason);
    assert_int_equal(error, expected);
    assert_null(storage);
    if (!contains(air_buffer_span(&reason), path) || !contains(air_buffer_span(&reason), part)) {
        fail_msg("the sentence is: %.*s", (int)reason.size, (const char *)reason.data);
    }
    air_buffer_deinit(&reason);
    assert_int_equal(air_storage_files_new(path, flags, &storage, NULL), expected);
}

static void refuses_a_directory_that_does_not_exist(void **state) {
    (void)state;
    expect_refusal(air_state_path, 0, AIR_ERR_NOT_FOUND, "does not exist");
    expect_refusal(air_state_path, AIR_FILES_READ_ONLY, AIR_ERR_NOT_FOUND, "does not exist");
    air_test_path(air_state_path, air_state_folder, "none/state");
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_NOT_FOUND, "above does not exist");
}

static void refuses_wrong_arguments(void **state) {
    (void)state;
    char path[AIR_FILES_ROOT_SIZE_MAX + 2];
    struct air_storage *storage = NULL;
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(air_storage_files_new(path, 0, &storage, NULL), AIR_ERR_LIMIT);
    assert_int_equal(air_storage_files_new("", 0, &storage, NULL), AIR_ERR_ARGUMENT);
    assert_int_equal(air_storage_files_new(air_state_path, 4, &storage, NULL), AIR_ERR_ARGUMENT);
    assert_int_equal(air_storage_files_new(
                         air_state_path, AIR_FILES_CREATE | AIR_FILES_READ_ONLY, &storage, NULL),
        AIR_ERR_ARGUMENT);
    assert_false(air_state_exists(air_state_path));
    air_storage_files_free(NULL);
}

static void refuses_a_directory_open_to_others(void **state) {
    (void)state;
    static const mode_t modes[] = {0755, 0750, 0701, 0720, 0777, 01777, 02710};
    air_state_make();
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(air_state_path, modes[i]), 0);
        expect_refusal(
            air_state_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "set its mode to 0700");
        expect_refusal(air_state_path, AIR_FILES_READ_ONLY, AIR_ERR_PERMISSION, "open to others");
    }
    assert_int_equal(chmod(air_state_path, 0700), 0);
    air_state_make();
}

static void refuses_a_directory_of_another_user(void **state) {
    (void)state;
    air_state_make();
    if (chown(air_state_path, 1, 1) != 0) {
        skip();
    }
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "belongs to another user");
}

static void refuses_links_and_files_in_its_place(void **state) {
    (void)state;
    char link_path[AIR_TEST_PATH_SIZE];
    air_state_make();
    air_test_path(link_path, air_state_folder, "link");
    assert_int_equal(symlink(air_state_path, link_path), 0);
    expect_refusal(link_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "symbolic link");
    assert_int_equal(unlink(link_path), 0);
    air_state_plant(link_path, 0600, "");
    expect_refusal(link_path, AIR_FILES_CREATE, AIR_ERR_UNSUPPORTED, "is not a directory");
}

static void refuses_a_way_there_that_others_may_change(void **state) {
    (void)state;
    char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, air_state_folder, "open");
    assert_int_equal(mkdir(path, 0700), 0);
    air_test_path(air_state_path, path, "closed");
    assert_int_equal(mkdir(air_state_path, 0700), 0);
    air_test_path(air_state_path, path, "closed/state");
    assert_int_equal(chmod(path, 0777), 0);
    expect_refusal(
        air_state_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "/../..: may be written by");
    assert_int_equal(chmod(path, 0770), 0);
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "set its mode to 0755");
    assert_int_equal(chmod(path, 01777), 0);
    air_state_make();
    assert_int_equal(chmod(path, 0755), 0);
    air_state_make();
}

static void refuses_the_directory_of_another_program(void **state) {
    (void)state;
    assert_int_equal(mkdir(air_state_path, 0700), 0);
    air_state_plant(air_state_below("notes.txt"), 0600, "mine");
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_UNSUPPORTED, "not a state directory");
    assert_false(air_state_exists(air_state_below("lock")));
    assert_false(air_state_exists(air_state_below("VERSION")));
    assert_int_equal(unlink(air_state_below("notes.txt")), 0);
    assert_int_equal(mkdir(air_state_below("certs"), 0700), 0);
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_UNSUPPORTED, "not a state directory");
    assert_false(air_state_exists(air_state_below("lock")));
}

static void adopts_an_empty_directory_only_when_asked(void **state) {
    (void)state;
    assert_int_equal(mkdir(air_state_path, 0700), 0);
    expect_refusal(air_state_path, 0, AIR_ERR_UNSUPPORTED, "it has no VERSION");
    expect_refusal(air_state_path, AIR_FILES_READ_ONLY, AIR_ERR_UNSUPPORTED, "it has no VERSION");
    air_state_make();
    air_state_expect_text(air_state_below("VERSION"), "thinair state 1\n");
    air_storage_files_free(air_state_open(0));
}

static void adopts_what_a_first_start_left_that_died(void **state) {
    (void)state;
    assert_int_equal(mkdir(air_state_path, 0700), 0);
    assert_int_equal(mkdir(air_state_below("lost+found"), 0700), 0);
    air_state_plant(air_state_below("lock"), 0600, "/\n");
    air_state_plant(air_state_below(".tmp.1.0"), 0600, "thinair st");
    air_state_make();
    air_state_expect_text(air_state_below("VERSION"), "thinair state 1\n");
    assert_false(air_state_exists(air_state_below(".tmp.1.0")));
}

static void adopts_records_whose_version_is_lost(void **state) {
    (void)state;
    struct air_storage *storage = air_state_open(AIR_FILES_CREATE);
    assert_ok(air_state_put(storage, "certificates/a/current", "1"));
    assert_ok(air_state_put(storage, "accounts/a/key.pem", "k"));
    air_storage_files_free(storage);
    assert_int_equal(unlink(air_state_below("VERSION")), 0);
    expect_refusal(air_state_path, 0, AIR_ERR_UNSUPPORTED, "it has no VERSION");
    air_state_make();
    air_state_expect_text(air_state_below("certificates/a/current"), "1");
}

static void refuses_a_version_it_does_not_know(void **state) {
    (void)state;
    static const char *const others[] = {"", "thinair state 0\n", "thinair state 1",
        "thinair state one\n", "thinair state -2\n", "1\n", "thinair state 99999999999999999999\n",
        "a text that is much longer than any version of ours has ever been, by far\n"};
    air_state_make();
    air_state_plant(air_state_below("VERSION"), 0600, "thinair state 2\n");
    air_state_plant(air_state_below(".tmp.1.0"), 0600, "x");
    expect_refusal(air_state_path, AIR_FILES_CREATE, AIR_ERR_UNSUPPORTED, "by a later thinair");
    assert_true(air_state_exists(air_state_below(".tmp.1.0")));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        air_state_plant(air_state_below("VERSION"), 0600, others[i]);
        expect_refusal(
            air_state_path, AIR_FILES_CREATE, AIR_ERR_UNSUPPORTED, "is not of a state directory");
    }
    air_state_plant(air_state_below("VERSION"), 0644, "thinair state 1\n");
    expect_refusal(
        air_state_path, AIR_FILES_CREATE, AIR_ERR_PERMISSION, "VERSION: is open to others");
    assert_true(air_state_exists(air_state_below(".tmp.1.0")));
}

static void refuses_a_lock_file_that_is_not_its_own(void **state) {
    (void)state;
    char victim[AIR_TEST_PATH_SIZE];
    air_state_make();
    air_test_path(victim, air_state_folder, "victim");
    air_state_plant(victim, 0600, "untouched");
    assert_int_equal(unlink(air_state_below("lock")), 0);
    assert_int_equal(symlink(victim, air_state_below("lock")), 0);
    expect_refusal(
        air_state_path, 0, AIR_ERR_PERMISSION, "lock: cannot be opened: it is a symbolic");
    assert_int_equal(unlink(air_state_below("lock")), 0);
    assert_int_equal(link(victim, air_state_below("lock")), 0);
    expect_refusal(air_state_path, 0, AIR_ERR_PERMISSION, "lock: has hard links");
    assert_int_equal(unlink(air_state_below("lock")), 0);
    air_state_plant(air_state_below("lock"), 0666, "");
    expect_refusal(air_state_path, 0, AIR_ERR_PERMISSION, "lock: is open to others");
    air_state_expect_text(victim, "untouched");
}

static void accepts_slashes_and_a_relative_path_and_stays_there(void **state) {
    (void)state;
    char name[AIR_TEST_PATH_SIZE];
    struct air_storage *storage = NULL;
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(air_state_folder), 0);
    assert_ok(air_storage_files_new("state///", AIR_FILES_CREATE, &storage, NULL));
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(close(before), 0);
    assert_ok(air_state_put(storage, "a/b", "x"));
    air_storage_files_free(storage);
    air_test_path(name, air_state_path, "a/b");
    air_state_expect_text(name, "x");
}

static enum air_error open_and_close(void *context) {
    (void)context;
    struct air_storage *storage = NULL;
    enum air_error error = air_storage_files_new(air_state_path, AIR_FILES_CREATE, &storage, NULL);
    air_storage_files_free(storage);
    return error;
}

static void opens_with_each_allocation_failing(void **state) {
    (void)state;
    air_test_each_allocation(open_and_close, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, air_state_begin, air_state_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(refuses_a_directory_that_does_not_exist),
        TEST(refuses_wrong_arguments),
        TEST(refuses_a_directory_open_to_others),
        TEST(refuses_a_directory_of_another_user),
        TEST(refuses_links_and_files_in_its_place),
        TEST(refuses_a_way_there_that_others_may_change),
        TEST(refuses_the_directory_of_another_program),
        TEST(adopts_an_empty_directory_only_when_asked),
        TEST(adopts_what_a_first_start_left_that_died),
        TEST(adopts_records_whose_version_is_lost),
        TEST(refuses_a_version_it_does_not_know),
        TEST(refuses_a_lock_file_that_is_not_its_own),
        TEST(accepts_slashes_and_a_relative_path_and_stays_there),
        TEST(opens_with_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
