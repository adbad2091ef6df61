/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_INDEX_H
#define AIR_TLS_INDEX_H

/*
 * A hash table from bytes to nodes that belong to its user: any number of threads look up inside a
 * read section while one thread changes it.
 */

#include <stdatomic.h>

#include "tls/hash.h"
#include "tls/readers.h"

/* First member of what is indexed. Constant while it is in an index. */
struct air_index_node {
    uint64_t hash;
    air_span key; /* borrowed from the node's owner; not empty */
};

struct air_index_slots;

struct air_index {
    struct air_readers *readers;
    const uint8_t *seed; /* AIR_HASH_SEED_SIZE bytes */
    _Atomic(struct air_index_slots *) slots;
    size_t live_count;
    size_t used_count;             /* slots that are not free: live or removed */
    struct air_index_node removed; /* stands in the slot of a node that was taken out */
};

/* readers, seed: borrowed for the index's life. */
void air_index_init(struct air_index *index, struct air_readers *readers, const uint8_t *seed);

/* Free the slots, not the nodes. Nobody reads any more. */
void air_index_deinit(struct air_index *index);

/* The node of that key, or NULL. Inside a read section, or by the thread that changes the index. */
struct air_index_node *air_index_find(const struct air_index *index, air_span key);

/* Make room, so that `more` insertions cannot fail. AIR_ERR_NO_MEMORY: nothing changed. */
AIR_MUST_CHECK enum air_error air_index_reserve(struct air_index *index, size_t more);

/* Insert a node whose key is not there; room was reserved. */
void air_index_insert(struct air_index *index, struct air_index_node *node, air_span key);

/* Take a node out. It may be freed after air_readers_wait(). */
void air_index_remove(struct air_index *index, const struct air_index_node *node);

/* Call visit for every node, by the thread that changes the index; visit does not change it. */
void air_index_each(const struct air_index *index,
    void (*visit)(struct air_index_node *node, void *context), void *context);

#endif
