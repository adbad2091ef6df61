/* SPDX-License-Identifier: MIT */
/*
 * A state directory for the tests of the file storage, and short forms to make, damage and look at
 * what is in it with plain system calls.
 *
 * Invariant: a test leaves neither its folder nor memory behind.
 */

#include "tests/contract/storage/file_fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "src/base/memory.h"
#include "tests/support/test.h"

char air_state_folder[AIR_TEST_PATH_SIZE];
char air_state_path[AIR_TEST_PATH_SIZE];

int air_state_begin(void **state) {
    *state = NULL;
    air_test_folder_make(air_state_folder);
    air_test_path(air_state_path, air_state_folder, "state");
    return 0;
}

int air_state_end(void **state) {
    (void)state;
    air_test_folder_remove(air_state_folder);
    return air_memory_live() == 0 ? 0 : -1;
}

struct air_storage *air_state_open(unsigned flags) {
    struct air_storage *storage = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, AIR_FILES_SENTENCE_SIZE);
    enum air_error error = air_storage_files_new(air_state_path, flags, &storage, &reason);
    if (error != AIR_OK) {
        fail_msg("%.*s", (int)reason.size, (const char *)reason.data);
    }
    air_buffer_deinit(&reason);
    return storage;
}

void air_state_make(void) {
    air_storage_files_free(air_state_open(AIR_FILES_CREATE));
}

/* A path below the state directory. */
const char *air_state_below(const char *name) {
    static char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, air_state_path, name);
    return path;
}

void air_state_plant(const char *path, mode_t mode, const char *text) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(file, mode), 0);
    assert_int_equal(close(file), 0);
}

void air_state_expect_text(const char *path, const char *text) {
    char found[64] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_true(read(file, found, sizeof(found) - 1) >= 0);
    assert_int_equal(close(file), 0);
    assert_string_equal(found, text);
}

bool air_state_exists(const char *path) {
    struct stat status;
    return lstat(path, &status) == 0;
}

enum air_error air_state_put(struct air_storage *storage, const char *path, const char *value) {
    struct air_put change = {.path = air_span_text(path), .value = air_span_text(value)};
    return storage->write(storage->self, NULL, &change, 1);
}

enum air_error air_state_drop(struct air_storage *storage, const char *path) {
    struct air_put change = {.path = air_span_text(path), .is_delete = true};
    return storage->write(storage->self, NULL, &change, 1);
}
