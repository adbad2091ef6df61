/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the snapshot storage share: opening its folder as a host does, and looking at
 * its files and changing them as nobody should.
 *
 * Invariant: one folder at a time.
 */

#include "tests/contract/storage/snapshot_fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"

static char folder[AIR_TEST_PATH_SIZE];

int air_snapshots_begin(void **state) {
    (void)state;
    air_test_folder_make(folder);
    return 0;
}

int air_snapshots_end(void **state) {
    (void)state;
    air_test_folder_remove(folder);
    return air_memory_live() == 0 ? 0 : -1;
}

const char *air_snapshots_path(const char *name) {
    static char path[AIR_TEST_PATH_SIZE];
    char top[AIR_TEST_PATH_SIZE];
    air_test_path(top, folder, "snapshots");
    if (name[0] == '\0') {
        memcpy(path, top, sizeof(path));
    } else {
        air_test_path(path, top, name);
    }
    return path;
}

struct air_storage *air_snapshots_open(void) {
    return air_snapshots_open_told("");
}

struct air_storage *air_snapshots_open_told(const char *text) {
    struct air_storage *storage = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 4096);
    enum air_error error = air_storage_snapshot_new(air_snapshots_path(""), &storage, &reason);
    air_buffer_append_byte(&reason, 0);
    if (error != AIR_OK) {
        print_error("%s\n", (const char *)reason.data);
    }
    assert_ok(error);
    assert_non_null(strstr((const char *)reason.data, text));
    assert_true(text[0] != '\0' || reason.data[0] == '\0');
    air_buffer_deinit(&reason);
    return storage;
}

void air_snapshots_refuse(enum air_error expected, const char *text) {
    struct air_storage *storage = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 4096);
    enum air_error error = air_storage_snapshot_new(air_snapshots_path(""), &storage, &reason);
    air_buffer_append_byte(&reason, 0);
    assert_int_equal(error, expected);
    assert_null(storage);
    if (strstr((const char *)reason.data, text) == NULL) {
        print_error("%s\n", (const char *)reason.data);
        fail();
    }
    assert_memory_equal(reason.data, folder, strlen(folder));
    air_buffer_deinit(&reason);
}

enum air_error air_snapshots_put(struct air_storage *storage, const char *path, const char *value) {
    const struct air_put put = {.path = air_span_text(path), .value = air_span_text(value)};
    return storage->write(storage->self, NULL, &put, 1);
}

bool air_snapshots_has(struct air_storage *storage, const char *path, const char *value) {
    struct air_buffer out;
    uint64_t version = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = storage->read(storage->self, air_span_text(path), &out, &version);
    bool has = value == NULL ? error == AIR_ERR_NOT_FOUND
                             : error == AIR_OK && version != 0 &&
                                   air_span_equal_text(air_buffer_span(&out), value);
    air_buffer_deinit(&out);
    return has;
}

void air_snapshots_file_set(const char *name, const void *data, size_t size) {
    int file = open(air_snapshots_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, data, size), size);
    assert_int_equal(close(file), 0);
}

size_t air_snapshots_file_get(const char *name, void *data, size_t size_max) {
    int file = open(air_snapshots_path(name), O_RDONLY);
    assert_true(file >= 0);
    ssize_t size = read(file, data, size_max);
    assert_true(size >= 0 && (size_t)size < size_max);
    assert_int_equal(close(file), 0);
    return (size_t)size;
}

bool air_snapshots_file_exists(const char *name) {
    struct stat status;
    return lstat(air_snapshots_path(name), &status) == 0;
}
