/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_KEYS_H
#define AIR_CRYPTO_OPENSSL_KEYS_H

/*
 * The table from handles to private keys. Every function may be called by any thread.
 */

#include "backends/crypto_openssl/key.h"

struct air_openssl_keys;

/* A key that is in use. Not changed once it is in the table. */
struct air_openssl_key {
    uint64_t handle;
    EVP_PKEY *pkey;
    const struct air_openssl_kind *kind;
    uint64_t users_count; /* the table, and every thread between acquire and release */
};

/* AIR_ERR_NO_MEMORY. */
enum air_error air_openssl_keys_new(struct air_openssl_keys **out);

/* Wipe every key. Nobody uses one any more. */
void air_openssl_keys_free(struct air_openssl_keys *keys);

/* Put a key in and give its handle, which no key had before. pkey is taken over, also on failure:
 * AIR_ERR_NO_MEMORY. */
enum air_error air_openssl_keys_add(struct air_openssl_keys *keys, EVP_PKEY *pkey,
    const struct air_openssl_kind *kind, uint64_t *out);

/* The key of a handle, to be given back, or NULL. */
struct air_openssl_key *air_openssl_keys_acquire(struct air_openssl_keys *keys, uint64_t handle);
void air_openssl_keys_release(struct air_openssl_keys *keys, struct air_openssl_key *key);

/* Take a handle out. The key is wiped when its last user has released it. */
void air_openssl_keys_remove(struct air_openssl_keys *keys, uint64_t handle);

#endif
