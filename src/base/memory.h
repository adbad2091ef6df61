/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_MEMORY_H
#define AIR_BASE_MEMORY_H

/*
 * The one place that allocates. The size comes back at free, so that what is freed is wiped, and
 * tests can make the n-th call fail.
 */

#include "thinair/thinair.h"

/* Zeroed memory, or NULL. size 0 gives NULL. Give it back to air_memory_free with the same size. */
void *air_memory_new(size_t size);

/* Grow or shrink, keeping the content; the old block is wiped. NULL: failed, the old block stands.
 * old may be NULL when old_size is 0. What is added is zeroed. */
void *air_memory_resize(void *old, size_t old_size, size_t size);

/* Wipe and free. NULL is accepted. */
void air_memory_free(void *memory, size_t size);

/* For tests: let the n-th allocation from now fail (1 is the next), once; 0 never. */
void air_memory_fail_at(uint64_t n);

/* For tests: allocations made so far, and blocks not yet freed. */
uint64_t air_memory_count(void);
int64_t air_memory_live(void);

#endif
