/* SPDX-License-Identifier: MIT */
/*
 * The contract suite on the storage that keeps two snapshots. One process has it, so nothing can
 * open it again; what only its files can get wrong is proven in the snapshot_*_test.c beside this.
 *
 * Invariant: one storage at a time.
 */

#include "tests/contract/storage/rig.h"
#include "tests/support/folder.h"
#include "thinair/snapshot_storage.h"

static char folder[AIR_TEST_PATH_SIZE];

const bool air_rig_is_shared = false;

struct air_storage *air_rig_open(void) {
    char path[AIR_TEST_PATH_SIZE];
    struct air_storage *storage = NULL;
    air_test_folder_make(folder);
    air_test_path(path, folder, "snapshots");
    assert_ok(air_storage_snapshot_new(path, &storage, NULL));
    return storage;
}

struct air_storage *air_rig_open_again(struct air_storage *first) {
    return first;
}

void air_rig_close(struct air_storage *storage) {
    air_storage_snapshot_free(storage);
}

void air_rig_remove(void) {
    air_test_folder_remove(folder);
}
