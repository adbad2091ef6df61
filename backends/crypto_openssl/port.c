/* SPDX-License-Identifier: MIT */
/*
 * The crypto port on OpenSSL: its table of methods.
 *
 * Each method turns a handle into a key for as long as it runs and leaves the work to the file of
 * its noun. OpenSSL's default library context is used, without initialization of ours. The host
 * reads its own failures from the thread's error queue, so every method leaves that as it was.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "backends/crypto_openssl/acceptance.h"
#include "backends/crypto_openssl/certificate.h"
#include "backends/crypto_openssl/challenge.h"
#include "backends/crypto_openssl/csr.h"
#include "backends/crypto_openssl/port.h"
#include "backends/crypto_openssl/signature.h"
#include "src/base/memory.h"
#include "thinair/openssl.h"

struct port {
    struct air_crypto methods;
    struct air_openssl_keys *keys;
};

static enum air_error fill_random(void *self, uint8_t *out, size_t size);
static enum air_error sha256(void *self, air_span data, uint8_t out[AIR_SHA256_SIZE]);
static enum air_error hmac_sha256(
    void *self, air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]);
static enum air_error key_generate(void *self, enum air_key_type type, uint64_t *out);
static enum air_error key_generate_slow(void *self, enum air_key_type type, uint64_t *out);
static enum air_error key_import(void *self, air_span pem, uint64_t *out);
static enum air_error key_export(void *self, uint64_t handle, struct air_buffer *out);
static enum air_error key_public(void *self, uint64_t handle, struct air_public_key *out);
static enum air_error key_sign(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size);
static enum air_error verify(void *self, const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature);
static void key_free(void *self, uint64_t handle);
static enum air_error csr_create(void *self, uint64_t handle, const struct air_subject *subject,
    const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out);
static enum air_error challenge_certificate(void *self, air_span name,
    const uint8_t digest[AIR_SHA256_SIZE], air_time_ms now_wall_ms, struct air_buffer *certificate,
    struct air_buffer *key);
static enum air_error certificate_read(
    void *self, air_span chain, struct air_certificate_info *out);
static enum air_error certificate_names(
    void *self, air_span chain, void (*visit)(void *context, air_span name), void *context);
static enum air_error certificate_check(
    void *self, air_span chain, const struct air_certificate_wish *wish, struct air_buffer *reason);
static enum air_error enter(struct port *port, uint64_t handle, struct air_openssl_key **key);
static void leave(struct port *port, struct air_openssl_key *key);

static const struct air_crypto methods = {
    .size = sizeof(struct air_crypto),
    .random = fill_random,
    .sha256 = sha256,
    .hmac_sha256 = hmac_sha256,
    .key_generate = key_generate,
    .key_generate_slow = key_generate_slow,
    .key_import = key_import,
    .key_export = key_export,
    .key_public = key_public,
    .key_sign = key_sign,
    .key_sign_slow = key_sign,
    .verify = verify,
    .key_free = key_free,
    .csr_create = csr_create,
    .challenge_certificate = challenge_certificate,
    .certificate_read = certificate_read,
    .certificate_names = certificate_names,
    .certificate_check = certificate_check,
};

enum air_error air_crypto_openssl_new(struct air_crypto **out) {
    if (RAND_status() != 1) {
        return AIR_ERR_CRYPTO;
    }
    struct port *port = air_memory_new(sizeof(*port));
    if (port == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = air_openssl_keys_new(&port->keys);
    if (error != AIR_OK) {
        air_memory_free(port, sizeof(*port));
        return error;
    }
    port->methods = methods;
    port->methods.self = port;
    *out = &port->methods;
    return AIR_OK;
}

void air_crypto_openssl_free(struct air_crypto *crypto) {
    if (crypto == NULL) {
        return;
    }
    struct port *port = crypto->self;
    air_openssl_keys_free(port->keys);
    air_memory_free(port, sizeof(*port));
}

struct air_openssl_keys *air_openssl_port_keys(const struct air_crypto *crypto) {
    const struct port *port = crypto->self;
    return port->keys;
}

static enum air_error fill_random(void *self, uint8_t *out, size_t size) {
    (void)self;
    (void)ERR_set_mark();
    int filled = RAND_priv_bytes_ex(NULL, out, size, 0);
    (void)ERR_pop_to_mark();
    return filled == 1 ? AIR_OK : AIR_ERR_CRYPTO;
}

static enum air_error sha256(void *self, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    (void)self;
    (void)ERR_set_mark();
    int done = EVP_Q_digest(NULL, "SHA256", NULL, data.data, data.size, out, NULL);
    (void)ERR_pop_to_mark();
    return done == 1 ? AIR_OK : AIR_ERR_CRYPTO;
}

static enum air_error hmac_sha256(
    void *self, air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    /* OpenSSL takes a NULL for "not given", also where nothing is what is given. */
    static const uint8_t nothing[1];
    const uint8_t *key_bytes = key.size > 0 ? key.data : nothing;
    const uint8_t *bytes = data.size > 0 ? data.data : nothing;
    size_t size = 0;
    (void)self;
    (void)ERR_set_mark();
    const unsigned char *mac = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key_bytes, key.size,
        bytes, data.size, out, AIR_SHA256_SIZE, &size);
    (void)ERR_pop_to_mark();
    return mac != NULL && size == AIR_SHA256_SIZE ? AIR_OK : AIR_ERR_CRYPTO;
}

static enum air_error key_generate(void *self, enum air_key_type type, uint64_t *out) {
    const struct air_openssl_kind *kind = air_openssl_kind_of(type);
    if (kind != NULL && kind->group == NULL) {
        return AIR_ERR_LATER;
    }
    return key_generate_slow(self, type, out);
}

static enum air_error key_generate_slow(void *self, enum air_key_type type, uint64_t *out) {
    struct port *port = self;
    const struct air_openssl_kind *kind = air_openssl_kind_of(type);
    if (kind == NULL) {
        return AIR_ERR_UNSUPPORTED;
    }
    EVP_PKEY *pkey = NULL;
    (void)ERR_set_mark();
    enum air_error error = air_openssl_key_generate(kind, &pkey);
    if (error == AIR_OK) {
        error = air_openssl_keys_add(port->keys, pkey, kind, out);
    }
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error key_import(void *self, air_span pem, uint64_t *out) {
    struct port *port = self;
    EVP_PKEY *pkey = NULL;
    const struct air_openssl_kind *kind = NULL;
    (void)ERR_set_mark();
    enum air_error error = air_openssl_key_read(pem, &pkey, &kind);
    if (error == AIR_OK) {
        error = air_openssl_keys_add(port->keys, pkey, kind, out);
    }
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error key_export(void *self, uint64_t handle, struct air_buffer *out) {
    struct air_openssl_key *key = NULL;
    enum air_error error = enter(self, handle, &key);
    if (error == AIR_OK) {
        error = air_openssl_key_write(key->pkey, out);
        leave(self, key);
    }
    return error;
}

static enum air_error key_public(void *self, uint64_t handle, struct air_public_key *out) {
    struct air_openssl_key *key = NULL;
    enum air_error error = enter(self, handle, &key);
    if (error == AIR_OK) {
        error = air_openssl_key_public(key->kind, key->pkey, out);
        leave(self, key);
    }
    return error;
}

static enum air_error key_sign(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    struct air_openssl_key *key = NULL;
    enum air_error error = enter(self, handle, &key);
    if (error == AIR_OK) {
        error = air_openssl_signature_make(key->kind, key->pkey, algorithm, data, out, out_size);
        leave(self, key);
    }
    return error;
}

static enum air_error verify(void *self, const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature) {
    (void)self;
    (void)ERR_set_mark();
    enum air_error error = air_openssl_signature_check(key, algorithm, data, signature);
    (void)ERR_pop_to_mark();
    return error;
}

static void key_free(void *self, uint64_t handle) {
    struct port *port = self;
    air_openssl_keys_remove(port->keys, handle);
}

static enum air_error csr_create(void *self, uint64_t handle, const struct air_subject *subject,
    const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out) {
    struct air_openssl_key *key = NULL;
    enum air_error error = enter(self, handle, &key);
    if (error == AIR_OK) {
        error = air_openssl_csr_create(
            key->kind, key->pkey, subject, names, names_count, must_staple, out);
        leave(self, key);
    }
    return error;
}

static enum air_error challenge_certificate(void *self, air_span name,
    const uint8_t digest[AIR_SHA256_SIZE], air_time_ms now_wall_ms, struct air_buffer *certificate,
    struct air_buffer *key) {
    (void)self;
    (void)ERR_set_mark();
    enum air_error error =
        air_openssl_challenge_create(name, digest, now_wall_ms, certificate, key);
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error certificate_read(
    void *self, air_span chain, struct air_certificate_info *out) {
    (void)self;
    (void)ERR_set_mark();
    enum air_error error = air_openssl_certificate_read(chain, out);
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error certificate_names(
    void *self, air_span chain, void (*visit)(void *context, air_span name), void *context) {
    (void)self;
    (void)ERR_set_mark();
    enum air_error error = air_openssl_certificate_names(chain, visit, context);
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error certificate_check(void *self, air_span chain,
    const struct air_certificate_wish *wish, struct air_buffer *reason) {
    struct air_openssl_key *key = NULL;
    enum air_error error = enter(self, wish->key, &key);
    if (error == AIR_OK) {
        error = air_openssl_acceptance_check(chain, wish, key->pkey, reason);
        leave(self, key);
    }
    return error;
}

/* Begin a method that uses a key: remember how the error queue stands, hold the key. */
static enum air_error enter(struct port *port, uint64_t handle, struct air_openssl_key **key) {
    *key = air_openssl_keys_acquire(port->keys, handle);
    if (*key == NULL) {
        return AIR_ERR_ARGUMENT;
    }
    (void)ERR_set_mark();
    return AIR_OK;
}

static void leave(struct port *port, struct air_openssl_key *key) {
    (void)ERR_pop_to_mark();
    air_openssl_keys_release(port->keys, key);
}
