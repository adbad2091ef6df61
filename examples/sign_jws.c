/* SPDX-License-Identifier: MIT */
/*
 * The JOSE library on its own: make a P-256 key, print it as a JWK with its thumbprint, sign a text
 * as a flattened JWS, and check that JWS as its receiver would.
 *
 *   sign_jws "any text"
 */

#include <stdio.h>

#include "thinair/jose.h"
#include "thinair/openssl.h"

/* What this program signs is short. */
#define OUTPUT_SIZE_MAX 65536

static enum air_error print_key(const struct air_crypto *crypto, const struct air_public_key *key);
static enum air_error print_jws(const struct air_crypto *crypto, uint64_t key,
    const struct air_public_key *public_key, const char *text);

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s TEXT\n", argv[0]);
        return 2;
    }
    struct air_crypto *crypto = NULL;
    struct air_public_key public_key;
    uint64_t key = 0;
    enum air_error error = air_crypto_openssl_new(&crypto);
    if (error != AIR_OK) {
        goto done;
    }
    error = crypto->key_generate(crypto->self, AIR_KEY_ECDSA_P256, &key);
    if (error != AIR_OK) {
        goto done;
    }
    error = crypto->key_public(crypto->self, key, &public_key);
    if (error != AIR_OK) {
        goto done;
    }
    error = print_key(crypto, &public_key);
    if (error == AIR_OK) {
        error = print_jws(crypto, key, &public_key, argv[1]);
    }

done:
    if (error != AIR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], air_error_text(error));
    }
    /* Wipes the key as well. */
    air_crypto_openssl_free(crypto);
    return error == AIR_OK ? 0 : 1;
}

static enum air_error print_key(const struct air_crypto *crypto, const struct air_public_key *key) {
    char thumbprint[AIR_THUMBPRINT_SIZE];
    struct air_buffer jwk;
    air_buffer_init(&jwk, OUTPUT_SIZE_MAX);
    enum air_error error = air_jwk_write(key, &jwk);
    if (error == AIR_OK) {
        error = air_jwk_thumbprint(crypto, key, thumbprint);
    }
    if (error == AIR_OK) {
        printf(
            "%.*s\n%.*s\n", (int)jwk.size, (const char *)jwk.data, AIR_THUMBPRINT_SIZE, thumbprint);
    }
    air_buffer_deinit(&jwk);
    return error;
}

static enum air_error print_jws(const struct air_crypto *crypto, uint64_t key,
    const struct air_public_key *public_key, const char *text) {
    struct air_jws_header header = {.algorithm = AIR_ES256, .jwk = public_key};
    struct air_buffer payload;
    struct air_buffer jws;
    struct air_buffer verified;
    air_buffer_init(&payload, OUTPUT_SIZE_MAX);
    air_buffer_init(&jws, OUTPUT_SIZE_MAX);
    air_buffer_init(&verified, OUTPUT_SIZE_MAX);
    enum air_error error = air_buffer_append_text(&payload, text);
    if (error == AIR_OK) {
        error = air_jws_sign(crypto, key, &header, air_buffer_span(&payload), &jws);
    }
    if (error == AIR_OK) {
        error = air_jws_verify(crypto, public_key, air_buffer_span(&jws), &verified);
    }
    if (error == AIR_OK) {
        printf("%.*s\nverified: %.*s\n", (int)jws.size, (const char *)jws.data, (int)verified.size,
            (const char *)verified.data);
    }
    air_buffer_deinit(&verified);
    air_buffer_deinit(&jws);
    air_buffer_deinit(&payload);
    return error;
}
