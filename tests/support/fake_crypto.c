/* SPDX-License-Identifier: MIT */
/*
 * The fake crypto port: every "key" is a number, everything else is hashed from it. What its
 * certificates look like is in fake_certificate.c, how chains are judged in fake_chain.c.
 *
 * Invariant: what a method answers depends on the seed, the calls before it and its arguments, and
 * on nothing else.
 */

#include "tests/support/fake_crypto.h"

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "src/base/pem.h"
#include "src/base/span.h"
#include "tests/support/fake_certificate.h"
#include "tests/support/fake_chain.h"
#include "tests/support/sha256.h"

#define KEY_TITLE "fake key 1"
#define KEYS_COUNT_FIRST 16
#define DAY_MS INT64_C(86400000)

struct key {
    uint64_t handle; /* 0: a free row */
    uint64_t number;
    enum air_key_type type;
};

struct fake {
    struct air_crypto port;
    uint64_t seed;
    uint64_t drawn_count; /* random blocks so far */
    uint64_t last_handle;
    struct key *keys;
    size_t keys_capacity;
    size_t keys_count;
    bool is_sign_later;
    uint64_t fail_countdown;
    enum air_error fail_error;
};

static struct fake *fake_of(void *self);
static enum air_error planned_failure(struct fake *fake);
static void hash_out(const char *purpose, air_span in, uint8_t *out, size_t size);
static enum air_error add_key(
    struct fake *fake, enum air_key_type type, uint64_t number, uint64_t *out);
static struct key *find_key(struct fake *fake, uint64_t handle);
static void make_public(const struct key *key, struct air_public_key *out);
static enum air_error write_key(const struct key *key, struct air_buffer *out);
static size_t signature_size(enum air_key_type type, enum air_algorithm algorithm);
static void make_signature(const struct air_public_key *key, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t size);
static void fill_port(struct air_crypto *port);

struct air_crypto *air_fake_crypto_new(uint64_t seed) {
    struct fake *fake = air_memory_new(sizeof(*fake));
    struct key *keys = air_memory_new(KEYS_COUNT_FIRST * sizeof(*keys));
    if (fake == NULL || keys == NULL) {
        air_memory_free(fake, sizeof(*fake));
        air_memory_free(keys, KEYS_COUNT_FIRST * sizeof(*keys));
        return NULL;
    }
    fake->seed = seed;
    fake->keys = keys;
    fake->keys_capacity = KEYS_COUNT_FIRST;
    fake->port.size = sizeof(fake->port);
    fake->port.self = fake;
    fill_port(&fake->port);
    return &fake->port;
}

void air_fake_crypto_free(struct air_crypto *crypto) {
    if (crypto != NULL) {
        struct fake *fake = fake_of(crypto->self);
        air_memory_free(fake->keys, fake->keys_capacity * sizeof(*fake->keys));
        air_memory_free(fake, sizeof(*fake));
    }
}

size_t air_fake_crypto_keys_count(const struct air_crypto *crypto) {
    return fake_of(crypto->self)->keys_count;
}

void air_fake_crypto_sign_later(struct air_crypto *crypto, bool is_later) {
    fake_of(crypto->self)->is_sign_later = is_later;
}

void air_fake_crypto_fail_at(struct air_crypto *crypto, uint64_t n, enum air_error error) {
    fake_of(crypto->self)->fail_countdown = n;
    fake_of(crypto->self)->fail_error = error;
}

void air_fake_crypto_spki(const struct air_public_key *key, uint8_t out[AIR_SHA256_SIZE]) {
    uint8_t type = (uint8_t)key->type;
    struct air_sha256 hash;
    air_sha256_init(&hash);
    air_sha256_add(&hash, air_span_of(&type, 1));
    air_sha256_add(&hash, air_span_of(key->x_or_n, key->x_or_n_size));
    air_sha256_add(&hash, air_span_of(key->y_or_e, key->y_or_e_size));
    air_sha256_end(&hash, out);
}

static enum air_error port_random(void *self, uint8_t *out, size_t size) {
    struct fake *fake = fake_of(self);
    enum air_error error = planned_failure(fake);
    if (error == AIR_OK) {
        const uint64_t in[2] = {fake->seed, fake->drawn_count++};
        hash_out("random", air_span_of(in, sizeof(in)), out, size);
    }
    return error;
}

static enum air_error port_sha256(void *self, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        air_sha256_of(data, out);
    }
    return error;
}

static enum air_error port_hmac_sha256(
    void *self, air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        air_sha256_hmac(key, data, out);
    }
    return error;
}

static enum air_error port_key_generate_slow(void *self, enum air_key_type type, uint64_t *out) {
    uint64_t number = 0;
    if (air_key_type_text(type)[0] == '\0') {
        return AIR_ERR_UNSUPPORTED;
    }
    enum air_error error = port_random(self, (uint8_t *)&number, sizeof(number));
    return error == AIR_OK ? add_key(fake_of(self), type, number, out) : error;
}

static enum air_error port_key_generate(void *self, enum air_key_type type, uint64_t *out) {
    bool is_quick = type == AIR_KEY_ECDSA_P256 || type == AIR_KEY_ECDSA_P384;
    if (!is_quick && air_key_type_text(type)[0] != '\0') {
        return AIR_ERR_LATER;
    }
    return port_key_generate_slow(self, type, out);
}

static enum air_error port_key_import(void *self, air_span pem, uint64_t *out) {
    size_t count = 0;
    uint64_t number = 0;
    air_span lines[3] = {0};
    struct air_buffer body;
    struct air_buffer bytes;
    if (!air_pem_is_only(pem, "PRIVATE KEY", &count) || count != 1) {
        return AIR_ERR_MALFORMED;
    }
    enum air_error error = planned_failure(fake_of(self));
    if (error != AIR_OK) {
        return error;
    }
    air_buffer_init(&body, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&bytes, sizeof(number));
    error = air_fake_pem_read(air_span_trim(pem), &body);
    air_span rest = air_buffer_span(&body);
    for (size_t i = 0; i < 3; i++) {
        (void)air_span_next(&rest, '\n', &lines[i]);
    }
    enum air_key_type type = AIR_KEY_NONE;
    if (error == AIR_OK && air_span_equal_text(lines[0], KEY_TITLE)) {
        type = air_key_type_parse(air_span_skip(lines[1], strlen("type ")));
        error = air_hex_decode(air_span_skip(lines[2], strlen("number ")), &bytes);
    }
    if (error == AIR_OK && (type == AIR_KEY_NONE || bytes.size != sizeof(number))) {
        error = AIR_ERR_BAD_KEY;
    }
    if (error == AIR_OK) {
        memcpy(&number, bytes.data, sizeof(number));
        error = add_key(fake_of(self), type, number, out);
    }
    air_buffer_deinit(&bytes);
    air_buffer_deinit(&body);
    return error;
}

static enum air_error port_key_export(void *self, uint64_t handle, struct air_buffer *out) {
    const struct key *key = find_key(fake_of(self), handle);
    if (key == NULL) {
        return AIR_ERR_BAD_KEY;
    }
    enum air_error error = planned_failure(fake_of(self));
    return error == AIR_OK ? write_key(key, out) : error;
}

static enum air_error port_key_public(void *self, uint64_t handle, struct air_public_key *out) {
    const struct key *key = find_key(fake_of(self), handle);
    if (key == NULL) {
        return AIR_ERR_BAD_KEY;
    }
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        make_public(key, out);
    }
    return error;
}

static enum air_error port_key_sign_slow(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    const struct key *key = find_key(fake_of(self), handle);
    size_t size = key == NULL ? 0 : signature_size(key->type, algorithm);
    if (size == 0) {
        return AIR_ERR_BAD_KEY;
    }
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        struct air_public_key public_key;
        make_public(key, &public_key);
        make_signature(&public_key, algorithm, data, out, size);
        *out_size = size;
    }
    return error;
}

static enum air_error port_key_sign(void *self, uint64_t handle, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    if (fake_of(self)->is_sign_later) {
        return AIR_ERR_LATER;
    }
    return port_key_sign_slow(self, handle, algorithm, data, out, out_size);
}

static enum air_error port_verify(void *self, const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature) {
    uint8_t expected[AIR_SIGNATURE_SIZE_MAX];
    size_t size = signature_size(key->type, algorithm);
    if (size == 0) {
        return AIR_ERR_BAD_KEY;
    }
    enum air_error error = planned_failure(fake_of(self));
    if (error != AIR_OK) {
        return error;
    }
    make_signature(key, algorithm, data, expected, size);
    return air_span_equal(signature, air_span_of(expected, size)) ? AIR_OK : AIR_ERR_REFUSED;
}

static void port_key_free(void *self, uint64_t handle) {
    struct fake *fake = fake_of(self);
    struct key *key = handle == 0 ? NULL : find_key(fake, handle);
    if (key != NULL) {
        *key = (struct key){0};
        fake->keys_count--;
    }
}

static enum air_error port_csr_create(void *self, uint64_t handle,
    const struct air_subject *subject, const air_span *names, size_t names_count, bool must_staple,
    struct air_buffer *out) {
    struct air_public_key public_key;
    if (names_count == 0 || names_count > AIR_FAKE_NAMES_MAX) {
        return AIR_ERR_ARGUMENT;
    }
    enum air_error error = port_key_public(self, handle, &public_key);
    if (error != AIR_OK) {
        return error;
    }
    struct air_fake_csr csr = {
        .key_type = public_key.type, .names_count = names_count, .must_staple = must_staple};
    csr.subject = subject == NULL ? csr.subject : *subject;
    memcpy(csr.names, names, names_count * sizeof(*names));
    air_fake_crypto_spki(&public_key, csr.spki_sha256);
    return air_fake_csr_write(&csr, out);
}

static enum air_error port_challenge_certificate(void *self, air_span name,
    const uint8_t digest[AIR_SHA256_SIZE], air_time_ms now_wall_ms, struct air_buffer *certificate,
    struct air_buffer *key_pem) {
    struct key key = {.type = AIR_KEY_ECDSA_P256};
    struct air_public_key public_key;
    enum air_error error = port_random(self, (uint8_t *)&key.number, sizeof(key.number));
    if (error != AIR_OK) {
        return error;
    }
    make_public(&key, &public_key);
    struct air_fake_certificate made = {.not_before_ms = now_wall_ms - DAY_MS,
        .not_after_ms = now_wall_ms + DAY_MS,
        .serial = {1},
        .serial_size = 1,
        .key_type = key.type,
        .has_challenge = true,
        .names = {name},
        .names_count = 1};
    memcpy(made.challenge, digest, sizeof(made.challenge));
    air_fake_crypto_spki(&public_key, made.spki_sha256);
    error = air_fake_certificate_write(&made, certificate);
    return error == AIR_OK ? write_key(&key, key_pem) : error;
}

static enum air_error port_certificate_read(
    void *self, air_span chain, struct air_certificate_info *out) {
    struct air_fake_certificate read;
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        error = air_fake_certificate_read(chain, &read);
    }
    if (error != AIR_OK) {
        return error;
    }
    *out = (struct air_certificate_info){.not_before_ms = read.not_before_ms,
        .not_after_ms = read.not_after_ms,
        .key_type = read.key_type,
        .serial_size = read.serial_size,
        .authority_key_id_size = sizeof(read.issuer)};
    memcpy(out->serial, read.serial, read.serial_size);
    memcpy(out->authority_key_id, read.issuer, sizeof(read.issuer));
    memcpy(out->spki_sha256, read.spki_sha256, sizeof(read.spki_sha256));
    air_fake_certificate_deinit(&read);
    return AIR_OK;
}

static enum air_error port_certificate_names(
    void *self, air_span chain, void (*visit)(void *context, air_span name), void *context) {
    struct air_fake_certificate read;
    enum air_error error = planned_failure(fake_of(self));
    if (error == AIR_OK) {
        error = air_fake_certificate_read(chain, &read);
    }
    if (error != AIR_OK) {
        return error;
    }
    for (size_t i = 0; i < read.names_count; i++) {
        visit(context, read.names[i]);
    }
    air_fake_certificate_deinit(&read);
    return AIR_OK;
}

static enum air_error port_certificate_check(void *self, air_span chain,
    const struct air_certificate_wish *wish, struct air_buffer *reason) {
    struct air_public_key public_key;
    uint8_t spki_sha256[AIR_SHA256_SIZE];
    enum air_error error = port_key_public(self, wish->key, &public_key);
    if (error != AIR_OK) {
        return error;
    }
    air_fake_crypto_spki(&public_key, spki_sha256);
    return air_fake_chain_check(chain, wish, spki_sha256, reason);
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

static struct fake *fake_of(void *self) {
    return self;
}

static enum air_error planned_failure(struct fake *fake) {
    if (fake->fail_countdown == 0 || --fake->fail_countdown > 0) {
        return AIR_OK;
    }
    return fake->fail_error;
}

/* Stretch a hash of the input over any size. */
static void hash_out(const char *purpose, air_span in, uint8_t *out, size_t size) {
    uint8_t digest[AIR_SHA256_SIZE];
    for (size_t at = 0; at < size; at += sizeof(digest)) {
        uint64_t index = at;
        size_t piece = size - at < sizeof(digest) ? size - at : sizeof(digest);
        struct air_sha256 hash;
        air_sha256_init(&hash);
        air_sha256_add(&hash, air_span_text(purpose));
        air_sha256_add(&hash, air_span_of(&index, sizeof(index)));
        air_sha256_add(&hash, in);
        air_sha256_end(&hash, digest);
        memcpy(out + at, digest, piece);
    }
}

static enum air_error add_key(
    struct fake *fake, enum air_key_type type, uint64_t number, uint64_t *out) {
    struct key *row = find_key(fake, 0);
    if (row == NULL) {
        size_t size = fake->keys_capacity * sizeof(*fake->keys);
        struct key *keys = air_memory_resize(fake->keys, size, size * 2);
        if (keys == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        row = &keys[fake->keys_capacity];
        fake->keys = keys;
        fake->keys_capacity *= 2;
    }
    *row = (struct key){.handle = ++fake->last_handle, .number = number, .type = type};
    fake->keys_count++;
    *out = row->handle;
    return AIR_OK;
}

/* The row of a handle; handle 0 finds a free row. */
static struct key *find_key(struct fake *fake, uint64_t handle) {
    for (size_t i = 0; i < fake->keys_capacity; i++) {
        if (fake->keys[i].handle == handle) {
            return &fake->keys[i];
        }
    }
    return NULL;
}

static void make_public(const struct key *key, struct air_public_key *out) {
    static const size_t sizes[] = {[AIR_KEY_ECDSA_P256] = 32,
        [AIR_KEY_ECDSA_P384] = 48,
        [AIR_KEY_RSA_2048] = 256,
        [AIR_KEY_RSA_3072] = 384,
        [AIR_KEY_RSA_4096] = 512};
    air_span number = air_span_of(&key->number, sizeof(key->number));
    *out = (struct air_public_key){.type = key->type, .x_or_n_size = sizes[key->type]};
    hash_out("x", number, out->x_or_n, out->x_or_n_size);
    if (key->type == AIR_KEY_ECDSA_P256 || key->type == AIR_KEY_ECDSA_P384) {
        out->y_or_e_size = out->x_or_n_size;
        hash_out("y", number, out->y_or_e, out->y_or_e_size);
        return;
    }
    static const uint8_t exponent[] = {1, 0, 1};
    out->x_or_n[0] |= 0x80;
    out->y_or_e_size = sizeof(exponent);
    memcpy(out->y_or_e, exponent, sizeof(exponent));
}

static enum air_error write_key(const struct key *key, struct air_buffer *out) {
    struct air_buffer text;
    air_buffer_init(&text, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_append_text(&text, KEY_TITLE "\ntype ");
    air_buffer_append_text(&text, air_key_type_text(key->type));
    air_buffer_append_text(&text, "\nnumber ");
    enum air_error error = air_hex_encode(air_span_of(&key->number, sizeof(key->number)), &text);
    if (error == AIR_OK) {
        error = air_fake_pem_write("PRIVATE KEY", air_buffer_span(&text), out);
    }
    air_buffer_deinit(&text);
    return error;
}

/* 0: the algorithm does not fit the key. */
static size_t signature_size(enum air_key_type type, enum air_algorithm algorithm) {
    static const struct {
        enum air_key_type type;
        enum air_algorithm algorithm;
        size_t size;
    } rows[] = {{AIR_KEY_ECDSA_P256, AIR_ES256, 64}, {AIR_KEY_ECDSA_P384, AIR_ES384, 96},
        {AIR_KEY_RSA_2048, AIR_RS256, 256}, {AIR_KEY_RSA_3072, AIR_RS256, 384},
        {AIR_KEY_RSA_4096, AIR_RS256, 512}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == type && rows[i].algorithm == algorithm) {
            return rows[i].size;
        }
    }
    return 0;
}

static void make_signature(const struct air_public_key *key, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t size) {
    uint8_t digests[2 * AIR_SHA256_SIZE + 1];
    air_fake_crypto_spki(key, digests);
    air_sha256_of(data, digests + AIR_SHA256_SIZE);
    digests[sizeof(digests) - 1] = (uint8_t)algorithm;
    hash_out("signature", air_span_of(digests, sizeof(digests)), out, size);
}
