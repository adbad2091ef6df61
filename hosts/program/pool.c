/* SPDX-License-Identifier: MIT */
/*
 * Memory freed all at once: a list of blocks, one for each request. Arrays grow by doubling and
 * leave their old block behind until the pool goes.
 *
 * Invariant: every block of the list was made by air_memory_new() with the size it remembers.
 */
#include "hosts/program/pool.h"

#include <stddef.h>
#include <string.h>

#include "src/base/memory.h"

struct air_pool_block {
    struct air_pool_block *next;
    size_t size;
    max_align_t memory[];
};

void air_pool_init(struct air_pool *pool) {
    pool->first = NULL;
}

void air_pool_deinit(struct air_pool *pool) {
    while (pool->first != NULL) {
        struct air_pool_block *block = pool->first;

        pool->first = block->next;
        air_memory_free(block, block->size);
    }
}

void *air_pool_take(struct air_pool *pool, size_t size) {
    struct air_pool_block *block;

    if (size > SIZE_MAX - sizeof(*block)) {
        return NULL;
    }
    block = air_memory_new(sizeof(*block) + size);
    if (block == NULL) {
        return NULL;
    }
    block->size = sizeof(*block) + size;
    block->next = pool->first;
    pool->first = block;
    return block->memory;
}

char *air_pool_text(struct air_pool *pool, air_span text) {
    char *copy = air_pool_take(pool, text.size + 1);

    if (copy != NULL && text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    return copy;
}

void *air_pool_append(struct air_pool *pool, void **items, size_t *count, size_t item_size) {
    /* A power of two says that the array is full: its room is always the next one. */
    bool is_full = (*count & (*count - 1)) == 0;

    if (is_full) {
        size_t room = *count == 0 ? 1 : *count * 2;
        void *grown = room > SIZE_MAX / item_size ? NULL : air_pool_take(pool, room * item_size);

        if (grown == NULL) {
            return NULL;
        }
        if (*count > 0) {
            memcpy(grown, *items, *count * item_size);
        }
        *items = grown;
    }
    *count += 1;
    return (char *)*items + (*count - 1) * item_size;
}
