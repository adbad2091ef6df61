/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing over an array of atomic pointers. A node never moves within
 * an array: a removal leaves a mark that keeps probing going. Growing, or sweeping out the marks,
 * builds a new array beside the old one, publishes it with one store, and frees the old one when no
 * reader can be in it: pointers are copied, nodes stay where they are.
 *
 * Invariant: at least half of the slots are free, so that every probe ends, soon.
 */

#include "tls/index.h"

#include "src/base/memory.h"
#include "src/base/span.h"

#define SLOTS_COUNT_MIN 16

struct air_index_slots {
    size_t count; /* a power of two */
    _Atomic(struct air_index_node *) at[];
};

static size_t slots_size(size_t count);
static size_t slots_count_for(size_t nodes_count);
static void place(struct air_index_slots *slots, struct air_index_node *node);

void air_index_init(struct air_index *index, struct air_readers *readers, const uint8_t *seed) {
    *index = (struct air_index){.readers = readers, .seed = seed};
}

void air_index_deinit(struct air_index *index) {
    struct air_index_slots *slots = atomic_load(&index->slots);

    if (slots != NULL) {
        air_memory_free(slots, slots_size(slots->count));
    }
    atomic_store(&index->slots, NULL);
}

struct air_index_node *air_index_find(const struct air_index *index, air_span key) {
    struct air_index_slots *slots = atomic_load(&index->slots);

    if (slots == NULL) {
        return NULL;
    }
    uint64_t hash = air_hash_bytes(index->seed, key);
    for (size_t i = hash & (slots->count - 1);; i = (i + 1) & (slots->count - 1)) {
        struct air_index_node *node = atomic_load(&slots->at[i]);
        if (node == NULL) {
            return NULL;
        }
        if (node->hash == hash && air_span_equal(node->key, key)) {
            return node; /* the mark's key is empty: equal to none */
        }
    }
}

enum air_error air_index_reserve(struct air_index *index, size_t more) {
    struct air_index_slots *old = atomic_load(&index->slots);

    if (old != NULL && index->used_count + more <= old->count / 2) {
        return AIR_OK;
    }
    size_t count = slots_count_for(index->live_count + more);
    struct air_index_slots *slots = air_memory_new(slots_size(count));
    if (slots == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    slots->count = count;
    for (size_t i = 0; old != NULL && i < old->count; i++) {
        struct air_index_node *node = atomic_load(&old->at[i]);
        if (node != NULL && node != &index->removed) {
            place(slots, node);
        }
    }
    index->used_count = index->live_count;
    atomic_store(&index->slots, slots);
    if (old != NULL) {
        air_readers_wait(index->readers);
        air_memory_free(old, slots_size(old->count));
    }
    return AIR_OK;
}

void air_index_insert(struct air_index *index, struct air_index_node *node, air_span key) {
    node->key = key;
    node->hash = air_hash_bytes(index->seed, key);
    place(atomic_load(&index->slots), node);
    index->live_count++;
    index->used_count++;
}

void air_index_remove(struct air_index *index, const struct air_index_node *node) {
    struct air_index_slots *slots = atomic_load(&index->slots);
    size_t i = node->hash & (slots->count - 1);

    while (atomic_load(&slots->at[i]) != node) {
        i = (i + 1) & (slots->count - 1);
    }
    atomic_store(&slots->at[i], &index->removed);
    index->live_count--;
}

void air_index_each(const struct air_index *index,
    void (*visit)(struct air_index_node *node, void *context), void *context) {
    struct air_index_slots *slots = atomic_load(&index->slots);

    for (size_t i = 0; slots != NULL && i < slots->count; i++) {
        struct air_index_node *node = atomic_load(&slots->at[i]);
        if (node != NULL && node != &index->removed) {
            visit(node, context);
        }
    }
}

static size_t slots_size(size_t count) {
    return sizeof(struct air_index_slots) + count * sizeof(struct air_index_node *);
}

/* Three eighths full at most: there is room to grow before the next rebuild. */
static size_t slots_count_for(size_t nodes_count) {
    size_t count = SLOTS_COUNT_MIN;

    while (count / 8 * 3 < nodes_count) {
        count *= 2;
    }
    return count;
}

static void place(struct air_index_slots *slots, struct air_index_node *node) {
    size_t i = node->hash & (slots->count - 1);

    while (atomic_load(&slots->at[i]) != NULL) {
        i = (i + 1) & (slots->count - 1);
    }
    atomic_store(&slots->at[i], node);
}
