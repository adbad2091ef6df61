/* SPDX-License-Identifier: MIT */
/*
 * A crypto port over another: handles of keys that the keeper has are its own, everything else is
 * handed on. Called by any thread.
 *
 * Invariant: handles of remote keys have the highest bit set, and a port counts its own from 1, so
 * no number means two keys.
 */
#include "backends/keeper/remote.h"

#include <pthread.h>
#include <stddef.h>

#include "backends/keeper/reference.h"
#include "src/base/memory.h"

#define REMOTE_BIT (UINT64_C(1) << 63)

/* Handles at once: the engine holds one for each account. */
#define KEYS_MAX 4096

struct remote_key {
    uint64_t handle;
    uint32_t number;
    struct air_public_key public_key;
};

struct air_remote {
    struct air_crypto port;
    struct air_crypto *local;
    pthread_mutex_t mutex; /* guards what follows */
    struct remote_key *keys;
    size_t keys_count;
    size_t keys_capacity;
    uint64_t handles_count; /* ever given */
};

static void fill_port(struct air_crypto *port);

enum air_error air_remote_new(struct air_crypto *local, struct air_remote **out) {
    struct air_remote *remote = air_memory_new(sizeof(*remote));

    if (remote == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    remote->local = local;
    remote->port.size = sizeof(remote->port);
    remote->port.self = remote;
    remote->port.are_accounts_kept = true;
    fill_port(&remote->port);
    (void)pthread_mutex_init(&remote->mutex, NULL);
    *out = remote;
    return AIR_OK;
}

void air_remote_free(struct air_remote *remote) {
    if (remote != NULL) {
        (void)pthread_mutex_destroy(&remote->mutex);
        air_memory_free(remote->keys, remote->keys_capacity * sizeof(*remote->keys));
        air_memory_free(remote, sizeof(*remote));
    }
}

struct air_crypto *air_remote_crypto(struct air_remote *remote) {
    return &remote->port;
}

static bool is_remote(uint64_t handle) {
    return (handle & REMOTE_BIT) != 0;
}

static struct air_crypto *local_of(void *self) {
    return ((struct air_remote *)self)->local;
}

/* A copy of the key behind a handle: other threads may free it meanwhile. */
static enum air_error find(struct air_remote *remote, uint64_t handle, struct remote_key *out) {
    enum air_error error = AIR_ERR_ARGUMENT;

    (void)pthread_mutex_lock(&remote->mutex);
    for (size_t i = 0; i < remote->keys_count; i++) {
        if (remote->keys[i].handle == handle) {
            *out = remote->keys[i];
            error = AIR_OK;
        }
    }
    (void)pthread_mutex_unlock(&remote->mutex);
    return error;
}

enum air_error air_remote_number(struct air_remote *remote, uint64_t handle, uint32_t *number) {
    struct remote_key key = {0};
    const enum air_error error = find(remote, handle, &key);

    *number = key.number;
    return error;
}

static enum air_error make_room(struct air_remote *remote) {
    const size_t capacity = remote->keys_capacity == 0 ? 8 : 2 * remote->keys_capacity;
    struct remote_key *keys;

    if (remote->keys_count < remote->keys_capacity) {
        return AIR_OK;
    }
    if (capacity > KEYS_MAX) {
        return AIR_ERR_LIMIT;
    }
    keys = air_memory_resize(
        remote->keys, remote->keys_capacity * sizeof(*keys), capacity * sizeof(*keys));
    if (keys == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    remote->keys = keys;
    remote->keys_capacity = capacity;
    return AIR_OK;
}

static enum air_error port_key_import(void *self, air_span pem, uint64_t *out) {
    struct air_crypto *local = local_of(self);
    struct air_remote *remote = self;
    struct remote_key key = {0};
    enum air_error error;

    if (!air_reference_is(pem)) {
        return local->key_import(local->self, pem, out);
    }
    error = air_reference_read(pem, &key.number, &key.public_key);
    if (error != AIR_OK) {
        return error;
    }
    (void)pthread_mutex_lock(&remote->mutex);
    error = make_room(remote);
    if (error == AIR_OK) {
        remote->handles_count++;
        key.handle = REMOTE_BIT | remote->handles_count;
        remote->keys[remote->keys_count] = key;
        remote->keys_count++;
        *out = key.handle;
    }
    (void)pthread_mutex_unlock(&remote->mutex);
    return error;
}

static enum air_error port_key_export(void *self, uint64_t handle, struct air_buffer *out) {
    struct air_crypto *local = local_of(self);
    struct remote_key key = {0};
    enum air_error error;

    if (!is_remote(handle)) {
        return local->key_export(local->self, handle, out);
    }
    error = find(self, handle, &key);
    return error == AIR_OK ? air_reference_write(key.number, &key.public_key, out) : error;
}

static enum air_error port_key_public(void *self, uint64_t handle, struct air_public_key *out) {
    struct air_crypto *local = local_of(self);
    struct remote_key key = {0};
    enum air_error error;

    if (!is_remote(handle)) {
        return local->key_public(local->self, handle, out);
    }
    error = find(self, handle, &key);
    if (error == AIR_OK) {
        *out = key.public_key;
    }
    return error;
}

static enum air_error port_key_sign(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    struct air_crypto *local = local_of(self);
    struct remote_key key = {0};
    enum air_error error;

    if (!is_remote(handle)) {
        return local->key_sign(local->self, handle, algorithm, data, out, out_size);
    }
    error = find(self, handle, &key);
    return error == AIR_OK ? AIR_ERR_LATER : error;
}

/* Nothing here can wait for the keeper. */
static enum air_error port_key_sign_slow(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    struct air_crypto *local = local_of(self);

    return is_remote(handle)
               ? AIR_ERR_UNSUPPORTED
               : local->key_sign_slow(local->self, handle, algorithm, data, out, out_size);
}

static void port_key_free(void *self, uint64_t handle) {
    struct air_crypto *local = local_of(self);
    struct air_remote *remote = self;

    if (!is_remote(handle)) {
        local->key_free(local->self, handle);
        return;
    }
    (void)pthread_mutex_lock(&remote->mutex);
    for (size_t i = 0; i < remote->keys_count; i++) {
        if (remote->keys[i].handle == handle) {
            remote->keys_count--;
            remote->keys[i] = remote->keys[remote->keys_count];
            break;
        }
    }
    (void)pthread_mutex_unlock(&remote->mutex);
}

static enum air_error port_csr_create(void *self, uint64_t key, const struct air_subject *subject,
    const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out) {
    struct air_crypto *local = local_of(self);

    return is_remote(key)
               ? AIR_ERR_BAD_KEY
               : local->csr_create(local->self, key, subject, names, names_count, must_staple, out);
}

static enum air_error port_certificate_check(void *self, air_span chain,
    const struct air_certificate_wish *wish, struct air_buffer *reason) {
    struct air_crypto *local = local_of(self);

    return is_remote(wish->key) ? AIR_ERR_BAD_KEY
                                : local->certificate_check(local->self, chain, wish, reason);
}

/* ---- what has no remote key in it ---- */

static enum air_error port_random(void *self, uint8_t *out, size_t size) {
    return local_of(self)->random(local_of(self)->self, out, size);
}

static enum air_error port_sha256(void *self, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    return local_of(self)->sha256(local_of(self)->self, data, out);
}

static enum air_error port_hmac_sha256(
    void *self, air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    return local_of(self)->hmac_sha256(local_of(self)->self, key, data, out);
}

static enum air_error port_key_generate(void *self, enum air_key_type type, uint64_t *out) {
    return local_of(self)->key_generate(local_of(self)->self, type, out);
}

static enum air_error port_key_generate_slow(void *self, enum air_key_type type, uint64_t *out) {
    return local_of(self)->key_generate_slow(local_of(self)->self, type, out);
}

static enum air_error port_verify(void *self, const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature) {
    return local_of(self)->verify(local_of(self)->self, key, algorithm, data, signature);
}

static enum air_error port_challenge_certificate(void *self, air_span name,
    const uint8_t digest[AIR_SHA256_SIZE], air_time_ms now_wall_ms, struct air_buffer *certificate,
    struct air_buffer *key) {
    return local_of(self)->challenge_certificate(
        local_of(self)->self, name, digest, now_wall_ms, certificate, key);
}

static enum air_error port_certificate_read(
    void *self, air_span chain, struct air_certificate_info *out) {
    return local_of(self)->certificate_read(local_of(self)->self, chain, out);
}

static enum air_error port_certificate_names(
    void *self, air_span chain, void (*visit)(void *context, air_span name), void *context) {
    return local_of(self)->certificate_names(local_of(self)->self, chain, visit, context);
}

static void fill_port(struct air_crypto *port) {
    port->random = port_random;
    port->sha256 = port_sha256;
    port->hmac_sha256 = port_hmac_sha256;
    port->key_generate = port_key_generate;
    port->key_generate_slow = port_key_generate_slow;
    port->key_import = port_key_import;
    port->key_export = port_key_export;
    port->key_public = port_key_public;
    port->key_sign = port_key_sign;
    port->key_sign_slow = port_key_sign_slow;
    port->verify = port_verify;
    port->key_free = port_key_free;
    port->csr_create = port_csr_create;
    port->challenge_certificate = port_challenge_certificate;
    port->certificate_read = port_certificate_read;
    port->certificate_names = port_certificate_names;
    port->certificate_check = port_certificate_check;
}
