/* SPDX-License-Identifier: MIT */
/*
 * The contract suite on the storage in memory that hosts use. It belongs to one process and one
 * owner, so nothing can open it again.
 *
 * Invariant: one storage at a time.
 */

#include "tests/contract/storage/rig.h"
#include "thinair/memory_storage.h"

const bool air_rig_is_shared = false;

struct air_storage *air_rig_open(void) {
    struct air_storage *storage = NULL;
    assert_ok(air_storage_memory_new(&storage));
    return storage;
}

struct air_storage *air_rig_open_again(struct air_storage *first) {
    return first;
}

void air_rig_close(struct air_storage *storage) {
    air_storage_memory_free(storage);
}

void air_rig_remove(void) {
}
