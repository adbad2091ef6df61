/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_MEMORY_STORAGE_H
#define AIR_TEST_SUPPORT_MEMORY_STORAGE_H

/*
 * The storage port in memory, for tests: it can fail on demand, be copied at any moment, and be
 * printed. Its own memory does not pass through base/memory, so a test that fails the n-th
 * allocation fails one of the code under test. Methods may be called by any thread.
 */

#include "thinair/storage.h"

/* An empty storage; NULL when there is no memory. */
struct air_storage *air_memory_storage_new(void);

/*
 * A second storage on the same records, as another process would open it: its locks and planned
 * failures are its own. The records go with the last one that is freed. NULL: no memory.
 */
struct air_storage *air_memory_storage_share(struct air_storage *storage);

/* A storage of its own with a copy of the records as they are now, versions included. NULL: no
 * memory. */
struct air_storage *air_memory_storage_copy(struct air_storage *storage);

void air_memory_storage_free(struct air_storage *storage);

/* The n-th write from now (1 is the next) answers error, once, before any of its puts; 0: none. */
void air_memory_storage_fail_write(struct air_storage *storage, uint64_t n, enum air_error error);

/*
 * From the n-th put from now on (1 is the next), every write answers error; the puts before it
 * hold, also those of the same write. So ends a process that dies between two puts. 0: work again.
 */
void air_memory_storage_stop_at_put(struct air_storage *storage, uint64_t n, enum air_error error);

/* Puts carried out so far, deletes included. */
uint64_t air_memory_storage_put_count(struct air_storage *storage);

/*
 * Append one line per record, in byte order of segments: path, size, version and the value, with
 * other than printable ASCII as "\xNN". For a test's failure message: keys are printed too.
 */
enum air_error air_memory_storage_dump(struct air_storage *storage, struct air_buffer *out);

#endif
