/* SPDX-License-Identifier: MIT */
/*
 * Temporary folders for tests. They are removed by name at the end of a test; a test that fails in
 * the middle leaves its folder, so that one can look into it.
 *
 * Invariant: only what air_test_folder_make() made is ever passed to removal by the tests.
 */

#include "tests/support/folder.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/test.h"

/* Folders that nftw may keep open. */
#define OPEN_FOLDERS_MAX 16

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)at;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

void air_test_folder_make(char path[AIR_TEST_PATH_SIZE]) {
    const char *parent = getenv("TMPDIR");
    air_test_path(path, parent == NULL ? "/tmp" : parent, "air-test-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void air_test_folder_remove(const char *path) {
    assert_int_equal(nftw(path, remove_one, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS), 0);
}

void air_test_path(char out[AIR_TEST_PATH_SIZE], const char *folder, const char *name) {
    int size = snprintf(out, AIR_TEST_PATH_SIZE, "%s/%s", folder, name);
    assert_in_range(size, 1, AIR_TEST_PATH_SIZE - 1);
}
