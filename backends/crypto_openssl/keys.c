/* SPDX-License-Identifier: MIT */
/*
 * The table of keys: handles, and how long a key lives.
 *
 * It knows nothing of what keys do. Handles only grow, so the entries stay sorted by appending, and
 * a handle that was forgotten never means another key. A key lives as long as the table or a thread
 * that acquired it has it, so one that is freed while it signs ends after the signature.
 */

#include "backends/crypto_openssl/keys.h"

#include <pthread.h>
#include <string.h>

#include "src/base/memory.h"

/* The first allocation; a table of a few keys never grows. */
#define CAPACITY_MIN 16

struct air_openssl_keys {
    pthread_mutex_t lock;
    uint64_t handle_last;
    struct air_openssl_key **entries; /* by ascending handle */
    size_t count;
    size_t capacity;
};

static bool make_room(struct air_openssl_keys *keys);
static size_t find(const struct air_openssl_keys *keys, uint64_t handle);
static void drop(struct air_openssl_key *key);

enum air_error air_openssl_keys_new(struct air_openssl_keys **out) {
    struct air_openssl_keys *keys = air_memory_new(sizeof(*keys));
    if (keys == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (pthread_mutex_init(&keys->lock, NULL) != 0) {
        air_memory_free(keys, sizeof(*keys));
        return AIR_ERR_NO_MEMORY;
    }
    *out = keys;
    return AIR_OK;
}

void air_openssl_keys_free(struct air_openssl_keys *keys) {
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        drop(keys->entries[i]);
    }
    (void)pthread_mutex_destroy(&keys->lock);
    air_memory_free(keys->entries, keys->capacity * sizeof(*keys->entries));
    air_memory_free(keys, sizeof(*keys));
}

enum air_error air_openssl_keys_add(struct air_openssl_keys *keys, EVP_PKEY *pkey,
    const struct air_openssl_kind *kind, uint64_t *out) {
    struct air_openssl_key *key = air_memory_new(sizeof(*key));
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return AIR_ERR_NO_MEMORY;
    }
    *key = (struct air_openssl_key){.pkey = pkey, .kind = kind, .users_count = 1};

    (void)pthread_mutex_lock(&keys->lock);
    bool added = make_room(keys);
    if (added) {
        key->handle = ++keys->handle_last;
        keys->entries[keys->count++] = key;
        *out = key->handle;
    }
    (void)pthread_mutex_unlock(&keys->lock);
    if (!added) {
        drop(key);
        return AIR_ERR_NO_MEMORY;
    }
    return AIR_OK;
}

struct air_openssl_key *air_openssl_keys_acquire(struct air_openssl_keys *keys, uint64_t handle) {
    struct air_openssl_key *key = NULL;
    (void)pthread_mutex_lock(&keys->lock);
    size_t index = find(keys, handle);
    if (index < keys->count) {
        key = keys->entries[index];
        key->users_count++;
    }
    (void)pthread_mutex_unlock(&keys->lock);
    return key;
}

void air_openssl_keys_release(struct air_openssl_keys *keys, struct air_openssl_key *key) {
    (void)pthread_mutex_lock(&keys->lock);
    bool last = --key->users_count == 0;
    (void)pthread_mutex_unlock(&keys->lock);
    if (last) {
        drop(key);
    }
}

void air_openssl_keys_remove(struct air_openssl_keys *keys, uint64_t handle) {
    struct air_openssl_key *key = NULL;
    (void)pthread_mutex_lock(&keys->lock);
    size_t index = find(keys, handle);
    if (index < keys->count) {
        key = keys->entries[index];
        keys->count--;
        memmove(&keys->entries[index], &keys->entries[index + 1],
            (keys->count - index) * sizeof(keys->entries[0]));
    }
    (void)pthread_mutex_unlock(&keys->lock);
    if (key != NULL) {
        air_openssl_keys_release(keys, key);
    }
}

static bool make_room(struct air_openssl_keys *keys) {
    if (keys->count < keys->capacity) {
        return true;
    }
    size_t capacity = keys->capacity == 0 ? CAPACITY_MIN : keys->capacity * 2;
    size_t entry_size = sizeof(keys->entries[0]);
    struct air_openssl_key **entries =
        air_memory_resize(keys->entries, keys->capacity * entry_size, capacity * entry_size);
    if (entries == NULL) {
        return false;
    }
    keys->entries = entries;
    keys->capacity = capacity;
    return true;
}

/* The index of a handle, or count. */
static size_t find(const struct air_openssl_keys *keys, uint64_t handle) {
    size_t low = 0;
    size_t high = keys->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keys->entries[middle]->handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < keys->count && keys->entries[low]->handle == handle ? low : keys->count;
}

/* OpenSSL wipes the numbers of a private key when it frees it. */
static void drop(struct air_openssl_key *key) {
    EVP_PKEY_free(key->pkey);
    air_memory_free(key, sizeof(*key));
}
