/* SPDX-License-Identifier: MIT */
/*
 * The contract suite on the storage in memory, which other tests rely on to behave as the real
 * ones.
 *
 * Invariant: the state lives as long as a storage on it.
 */

#include "tests/contract/storage/rig.h"
#include "tests/support/memory_storage.h"

const bool air_rig_is_shared = true;

struct air_storage *air_rig_open(void) {
    return air_memory_storage_new();
}

struct air_storage *air_rig_open_again(struct air_storage *first) {
    return air_memory_storage_share(first);
}

void air_rig_close(struct air_storage *storage) {
    air_memory_storage_free(storage);
}

void air_rig_remove(void) {
}
