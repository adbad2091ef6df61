/* SPDX-License-Identifier: MIT */
/*
 * RSA keys in slices. OpenSSL makes the key, from beginning to end; it calls back between
 * candidates for a prime and between the rounds of testing one, and there the fibre it runs on
 * pauses. What lies behind the last call, mostly one exponentiation that checks the key, is one
 * slice.
 *
 * Invariant: OpenSSL's function always comes to its end, also when the key is not wanted any more:
 * the callback then says so, and OpenSSL wipes and frees its numbers.
 */

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "backends/crypto_openssl/fibre.h"
#include "backends/crypto_openssl/port.h"
#include "src/base/memory.h"
#include "thinair/openssl.h"

/* What the callback is told in its first number (BN_generate_prime(3)), and how often for a key. */
#define PRIME_FOUND 3
#define RSA_PRIMES 2

struct air_openssl_generation {
    struct air_openssl_keys *keys;
    const struct air_openssl_kind *kind;
    struct air_openssl_fibre *fibre;
    EVP_PKEY *pkey; /* the result */
    unsigned primes_count;
    bool has_begun;
    bool has_ended;
    bool is_abandoned;
};

static void generate(void *context);
static EVP_PKEY *generate_rsa(struct air_openssl_generation *generation);
static int pause_or_stop(EVP_PKEY_CTX *context);
static void resume(struct air_openssl_generation *generation);

enum air_error air_openssl_generation_new(
    const struct air_crypto *crypto, enum air_key_type type, struct air_openssl_generation **out) {
    const struct air_openssl_kind *kind = air_openssl_kind_of(type);
    if (kind == NULL) {
        return AIR_ERR_UNSUPPORTED;
    }
    struct air_openssl_generation *generation = air_memory_new(sizeof(*generation));
    if (generation == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    generation->keys = air_openssl_port_keys(crypto);
    generation->kind = kind;
    enum air_error error = air_openssl_fibre_new(generate, generation, &generation->fibre);
    if (error != AIR_OK) {
        air_memory_free(generation, sizeof(*generation));
        return error;
    }
    *out = generation;
    return AIR_OK;
}

enum air_error air_openssl_generation_step(
    struct air_openssl_generation *generation, uint64_t *out) {
    if (generation->has_ended) {
        return AIR_ERR_STATE;
    }
    resume(generation);
    if (!generation->has_ended) {
        return AIR_ERR_LATER;
    }
    EVP_PKEY *pkey = generation->pkey;
    generation->pkey = NULL;
    if (pkey == NULL) {
        return AIR_ERR_CRYPTO;
    }
    return air_openssl_keys_add(generation->keys, pkey, generation->kind, out);
}

bool air_openssl_generation_is_ending(const struct air_openssl_generation *generation) {
    return generation->primes_count >= RSA_PRIMES;
}

void air_openssl_generation_free(struct air_openssl_generation *generation) {
    if (generation == NULL) {
        return;
    }
    generation->is_abandoned = true;
    if (generation->has_begun && !generation->has_ended) {
        resume(generation);
    }
    EVP_PKEY_free(generation->pkey);
    air_openssl_fibre_free(generation->fibre);
    air_memory_free(generation, sizeof(*generation));
}

/* The fibre. */
static void generate(void *context) {
    struct air_openssl_generation *generation = context;
    if (generation->kind->group == NULL) {
        generation->pkey = generate_rsa(generation);
    } else if (air_openssl_key_generate(generation->kind, &generation->pkey) != AIR_OK) {
        generation->pkey = NULL;
    }
}

static EVP_PKEY *generate_rsa(struct air_openssl_generation *generation) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, generation->kind->name, NULL);
    if (context == NULL) {
        return NULL;
    }
    int bits = (int)(generation->kind->width * 8);
    EVP_PKEY_CTX_set_app_data(context, generation);
    EVP_PKEY_CTX_set_cb(context, pause_or_stop);
    if (EVP_PKEY_keygen_init(context) != 1 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) != 1 ||
        EVP_PKEY_generate(context, &pkey) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return pkey;
}

/* OpenSSL's callback: 0 makes it stop. */
static int pause_or_stop(EVP_PKEY_CTX *context) {
    struct air_openssl_generation *generation = EVP_PKEY_CTX_get_app_data(context);
    if (EVP_PKEY_CTX_get_keygen_info(context, 0) == PRIME_FOUND) {
        generation->primes_count++;
    }
    if (!generation->is_abandoned) {
        air_openssl_fibre_pause(generation->fibre);
    }
    return generation->is_abandoned ? 0 : 1;
}

/* One slice. The mark is set and taken back outside, because the next slice may be of another
 * thread, with another error queue. */
static void resume(struct air_openssl_generation *generation) {
    (void)ERR_set_mark();
    generation->has_begun = true;
    generation->has_ended = air_openssl_fibre_resume(generation->fibre);
    (void)ERR_pop_to_mark();
}
