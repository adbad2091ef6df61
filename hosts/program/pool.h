/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_POOL_H
#define AIR_PROGRAM_POOL_H

/*
 * Memory that is freed all at once: everything that one set of settings, or one plan, points to.
 */

#include "thinair/thinair.h"

struct air_pool_block;

struct air_pool {
    struct air_pool_block *first;
};

void air_pool_init(struct air_pool *pool);

/* Wipe and free everything taken from the pool. A zeroed struct is accepted. */
void air_pool_deinit(struct air_pool *pool);

/* Zeroed memory that lives as long as the pool, aligned for any type; NULL when there is none. */
void *air_pool_take(struct air_pool *pool, size_t size);

/* A terminated copy of text; NULL when there is no memory. */
char *air_pool_text(struct air_pool *pool, air_span text);

/*
 * Room for one more item at the end of an array that lives in the pool: *items moves when it grows,
 * *count grows by one. NULL, and nothing changed, when there is no memory.
 */
void *air_pool_append(struct air_pool *pool, void **items, size_t *count, size_t item_size);

#endif
