/* SPDX-License-Identifier: MIT */
/*
 * The contract suite on the file storage, in a temporary folder, with the kernel's own calls and
 * real locks. What only files can get wrong is proven in the file_*_test.c beside this.
 *
 * Invariant: one state at a time.
 */

#include "tests/contract/storage/rig.h"
#include "tests/support/folder.h"
#include "thinair/files.h"

static char folder[AIR_TEST_PATH_SIZE];
static char state_path[AIR_TEST_PATH_SIZE];

const bool air_rig_is_shared = true;

struct air_storage *air_rig_open(void) {
    air_test_folder_make(folder);
    air_test_path(state_path, folder, "state");
    return air_rig_open_again(NULL);
}

struct air_storage *air_rig_open_again(struct air_storage *first) {
    (void)first;
    struct air_storage *storage = NULL;
    assert_ok(air_storage_files_new(state_path, AIR_FILES_CREATE, &storage, NULL));
    return storage;
}

void air_rig_close(struct air_storage *storage) {
    air_storage_files_free(storage);
}

void air_rig_remove(void) {
    air_test_folder_remove(folder);
}
