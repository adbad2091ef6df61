/* SPDX-License-Identifier: MIT */
/*
 * Account keys by number. Lives in the keeper's process only.
 *
 * Invariant: a number once given keeps its key until the process ends, so a reference that the
 * server holds never comes to mean another key.
 */
#include "backends/keeper/vault.h"

#include <string.h>

#include "backends/keeper/reference.h"
#include "src/base/span.h"

enum air_error air_vault_add(struct air_vault *vault, uint64_t handle, uint32_t *number) {
    const struct air_crypto *crypto = vault->crypto;
    struct air_vault_key key = {.handle = handle};
    enum air_error error = crypto->key_public(crypto->self, handle, &key.public_key);

    if (error == AIR_OK) {
        error = air_jwk_thumbprint(crypto, &key.public_key, key.thumbprint);
    }
    for (uint32_t i = 0; i < vault->keys_count && error == AIR_OK; i++) {
        if (memcmp(vault->keys[i].thumbprint, key.thumbprint, sizeof(key.thumbprint)) == 0) {
            crypto->key_free(crypto->self, handle);
            *number = i + 1;
            return AIR_OK;
        }
    }
    if (error == AIR_OK && vault->keys_count == AIR_VAULT_KEYS_MAX) {
        error = AIR_ERR_LIMIT;
    }
    if (error != AIR_OK) {
        crypto->key_free(crypto->self, handle);
        return error;
    }
    vault->keys[vault->keys_count] = key;
    vault->keys_count++;
    *number = vault->keys_count;
    return AIR_OK;
}

enum air_error air_vault_import(struct air_vault *vault, air_span pem, uint32_t *number) {
    uint64_t handle = 0;
    const enum air_error error = vault->crypto->key_import(vault->crypto->self, pem, &handle);

    return error == AIR_OK ? air_vault_add(vault, handle, number) : error;
}

const struct air_vault_key *air_vault_find(const struct air_vault *vault, uint64_t number) {
    return number >= 1 && number <= vault->keys_count ? &vault->keys[number - 1] : NULL;
}

enum air_error air_vault_refer(
    const struct air_vault *vault, uint32_t number, struct air_buffer *out) {
    const struct air_vault_key *key = air_vault_find(vault, number);

    return key != NULL ? air_reference_write(number, &key->public_key, out) : AIR_ERR_ARGUMENT;
}

enum air_error air_vault_resolve(
    const struct air_vault *vault, air_span reference, struct air_buffer *pem) {
    const struct air_vault_key *key = NULL;
    struct air_public_key public_key = {0};
    uint32_t number = 0;
    const enum air_error error = air_reference_read(reference, &number, &public_key);

    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    key = error == AIR_OK ? air_vault_find(vault, number) : NULL;
    if (key == NULL || memcmp(&public_key, &key->public_key, sizeof(public_key)) != 0) {
        return AIR_ERR_PERMISSION;
    }
    return vault->crypto->key_export(vault->crypto->self, key->handle, pem);
}
