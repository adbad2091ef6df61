/* SPDX-License-Identifier: MIT */
/*
 * The pairs that a server serves, in a hash table by id and kind of key.
 *
 * The TLS table parses what it serves and gives nothing back; what a swap can go back to is kept
 * here, as it came. Invariant: a place has at most one pair being proven.
 */
#include "driver/pairs.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"

static struct air_place **bucket_of(struct air_pairs *pairs, air_span id, bool is_rsa);
static struct air_place *place_new(air_span id, bool is_rsa);
static uint8_t *put(uint8_t *at, air_span from, air_span *copy);

void air_pairs_deinit(struct air_pairs *pairs) {
    for (size_t i = 0; i < AIR_PAIRS_BUCKETS_COUNT; i++) {
        while (pairs->buckets[i] != NULL) {
            struct air_place *place = pairs->buckets[i];

            pairs->buckets[i] = place->next;
            air_pair_free(place->served);
            air_pair_free(place->candidate);
            air_memory_free(place, place->block_size);
        }
    }
}

struct air_place *air_pairs_place(
    struct air_pairs *pairs, air_span id, enum air_key_type key_type) {
    bool is_rsa = key_type == AIR_KEY_RSA_2048 || key_type == AIR_KEY_RSA_3072 ||
                  key_type == AIR_KEY_RSA_4096;
    struct air_place **link = bucket_of(pairs, id, is_rsa);

    while (*link != NULL && !((*link)->is_rsa == is_rsa && air_span_equal((*link)->id, id))) {
        link = &(*link)->next;
    }
    if (*link == NULL) {
        *link = place_new(id, is_rsa);
    }
    return *link;
}

struct air_pair *air_pair_new(const struct air_install_action *install) {
    size_t names_size = install->names_count * sizeof(air_span);
    size_t size = sizeof(struct air_pair) + names_size + install->chain.size + install->key.size;
    struct air_pair *pair;
    uint8_t *at;

    for (size_t i = 0; i < install->names_count; i++) {
        size += install->names[i].size;
    }
    pair = air_memory_new(size);
    if (pair == NULL) {
        return NULL;
    }
    pair->block_size = size;
    pair->key_type = install->key_type;
    pair->names = (air_span *)(pair + 1);
    pair->names_count = install->names_count;
    at = (uint8_t *)(pair->names + pair->names_count);
    for (size_t i = 0; i < install->names_count; i++) {
        at = put(at, install->names[i], &pair->names[i]);
    }
    at = put(at, install->chain, &pair->chain);
    (void)put(at, install->key, &pair->key);
    return pair;
}

void air_pair_free(struct air_pair *pair) {
    if (pair != NULL) {
        air_memory_free(pair, pair->block_size);
    }
}

/* FNV-1a. Ids are the operator's. */
static struct air_place **bucket_of(struct air_pairs *pairs, air_span id, bool is_rsa) {
    uint32_t hash = 2166136261u + (is_rsa ? 1u : 0u);

    for (size_t i = 0; i < id.size; i++) {
        hash = (hash ^ id.data[i]) * 16777619u;
    }
    return &pairs->buckets[hash % AIR_PAIRS_BUCKETS_COUNT];
}

static struct air_place *place_new(air_span id, bool is_rsa) {
    size_t size = sizeof(struct air_place) + id.size;
    struct air_place *place = air_memory_new(size);

    if (place == NULL) {
        return NULL;
    }
    place->block_size = size;
    place->is_rsa = is_rsa;
    (void)put((uint8_t *)(place + 1), id, &place->id);
    return place;
}

/* Copy the bytes to `at`, point to them, return what follows. */
static uint8_t *put(uint8_t *at, air_span from, air_span *copy) {
    if (from.size > 0) {
        memcpy(at, from.data, from.size);
    }
    *copy = air_span_of(at, from.size);
    return at + from.size;
}
