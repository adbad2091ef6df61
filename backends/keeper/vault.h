/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_VAULT_H
#define AIR_KEEPER_VAULT_H

/*
 * The keeper's table of account keys. A key has the number of its place, from 1 on, as long as the
 * keeper lives; the same key has one number however often it comes.
 */

#include "thinair/crypto.h"
#include "thinair/jose.h"

/* Accounts at many CAs, and keys that were made and not used: more is somebody's mischief. */
#define AIR_VAULT_KEYS_MAX 256

struct air_vault_key {
    uint64_t handle;
    struct air_public_key public_key;
    char thumbprint[AIR_THUMBPRINT_SIZE];
};

struct air_vault {
    struct air_crypto *crypto;
    struct air_vault_key keys[AIR_VAULT_KEYS_MAX];
    uint32_t keys_count;
};

/* Take a key, which belongs to the vault from now on, also after a failure. AIR_ERR_LIMIT: full. */
enum air_error air_vault_add(struct air_vault *vault, uint64_t handle, uint32_t *number);

/* Take a key from PEM. Errors as key_import, and AIR_ERR_LIMIT. */
enum air_error air_vault_import(struct air_vault *vault, air_span pem, uint32_t *number);

/* The key of that number, or NULL. */
const struct air_vault_key *air_vault_find(const struct air_vault *vault, uint64_t number);

/* Append the reference to a key in the table. */
enum air_error air_vault_refer(
    const struct air_vault *vault, uint32_t number, struct air_buffer *out);

/* Append the PEM of the key that a reference names. AIR_ERR_PERMISSION: it is no reference, or not
 * one of ours. */
enum air_error air_vault_resolve(
    const struct air_vault *vault, air_span reference, struct air_buffer *pem);

#endif
