/* SPDX-License-Identifier: MIT */
/*
 * The house's only calls of the C library's allocator. Everything handed out is zeroed, everything
 * given back is wiped. The counters exist for tests; they are atomic because hosts allocate in
 * several threads, and relaxed because nothing is ordered by them.
 *
 * Invariant: live_count is the number of blocks handed out and not yet freed.
 */

#include "src/base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t allocation_count;
static _Atomic int64_t live_count;
static _Atomic uint64_t fail_countdown; /* 0: no failure is planned */

static bool must_fail(void);

void *air_memory_new(size_t size) {
    if (size == 0 || must_fail()) {
        return NULL;
    }
    void *memory = calloc(1, size);
    if (memory != NULL) {
        atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
    }
    return memory;
}

void *air_memory_resize(void *old, size_t old_size, size_t size) {
    /* Not realloc: it would leave the old bytes behind, unwiped. */
    void *memory = air_memory_new(size);
    if (memory != NULL && old != NULL) {
        memcpy(memory, old, old_size < size ? old_size : size);
        air_memory_free(old, old_size);
    }
    return memory;
}

void air_memory_free(void *memory, size_t size) {
    if (memory == NULL) {
        return;
    }
    explicit_bzero(memory, size);
    free(memory);
    atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
}

void air_memory_fail_at(uint64_t n) {
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

uint64_t air_memory_count(void) {
    return atomic_load_explicit(&allocation_count, memory_order_relaxed);
}

int64_t air_memory_live(void) {
    return atomic_load_explicit(&live_count, memory_order_relaxed);
}

/* Count one allocation, and tell whether it is the one a test wants to fail. */
static bool must_fail(void) {
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left != 0) {
        if (atomic_compare_exchange_weak_explicit(
                &fail_countdown, &left, left - 1, memory_order_relaxed, memory_order_relaxed)) {
            return left == 1;
        }
    }
    return false;
}
