/* SPDX-License-Identifier: MIT */
/*
 * The readers of JWSs and JWKs on any bytes, with a port that takes every signature, so that what
 * stands behind it is reached too.
 *
 * Promised for each: nothing is left allocated; what is refused gives nothing; what verifies has a
 * header that can be read; a JWK that was read is written in a form that reads as the same key.
 */

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/fuzz/fuzz.h"
#include "thinair/jose.h"

static enum air_error accept_signature(void *self, const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature);
static void check_jws(air_span input);
static void check_input(air_span input);
static void check_jwk(air_span input);
static void check_private(air_span input);

static const struct air_crypto port = {.size = sizeof(port), .verify = accept_signature};
static const struct air_public_key key = {
    .type = AIR_KEY_ECDSA_P256, .x_or_n_size = 32, .y_or_e_size = 32};

int air_fuzz_one(const uint8_t *data, size_t size) {
    air_span input = air_span_of(data, size);
    int64_t live_before = air_memory_live();
    check_jws(input);
    check_input(input);
    check_jwk(input);
    check_private(input);
    air_fuzz_check(air_memory_live() == live_before, "nothing is left allocated");
    return 0;
}

static enum air_error accept_signature(void *self, const struct air_public_key *by,
    enum air_algorithm algorithm, air_span data, air_span signature) {
    (void)self;
    (void)by;
    air_fuzz_check(algorithm == AIR_ES256, "the key decides the algorithm");
    air_fuzz_check(data.size > 2 && signature.size > 0, "there is something to check");
    return AIR_OK;
}

static void check_jws(air_span input) {
    struct air_buffer payload;
    struct air_buffer header;
    air_buffer_init(&payload, AIR_JWS_SIZE_MAX);
    air_buffer_init(&header, AIR_JWS_SIZE_MAX);
    enum air_error flattened = air_jws_verify(&port, &key, input, &payload);
    air_fuzz_check(flattened == AIR_OK || payload.size == 0, "no payload of a refused JWS");
    air_buffer_clear(&payload);
    enum air_error compact = air_jws_verify_compact(&port, &key, input, &payload);
    air_fuzz_check(compact == AIR_OK || payload.size == 0, "no payload of a refused JWS");
    air_fuzz_check(flattened != AIR_OK || compact != AIR_OK, "a JWS has one serialization");
    enum air_error read = air_jws_header_read(input, &header);
    air_fuzz_check(read == AIR_OK || header.size == 0, "no header where there is none");
    air_fuzz_check(
        (flattened != AIR_OK && compact != AIR_OK) || read == AIR_OK, "what verifies has a header");
    air_buffer_deinit(&header);
    air_buffer_deinit(&payload);
}

/* The input as a header to be signed. */
static void check_input(air_span input) {
    struct air_buffer out;
    air_buffer_init(&out, AIR_JWS_SIZE_MAX);
    enum air_error error = air_jws_signing_input_own(AIR_ES256, input, air_span_text("x"), &out);
    air_fuzz_check(error == AIR_OK || out.size == 0, "nothing of a refused header");
    air_buffer_deinit(&out);
}

static void check_jwk(air_span input) {
    struct air_public_key read;
    struct air_public_key again;
    struct air_buffer out;
    memset(&read, 0, sizeof(read));
    if (air_jwk_read(input, &read) != AIR_OK) {
        return;
    }
    air_buffer_init(&out, AIR_JWS_SIZE_MAX);
    air_fuzz_check(air_jwk_write(&read, &out) == AIR_OK, "a key that was read can be written");
    air_fuzz_check(air_jwk_read(air_buffer_span(&out), &again) == AIR_OK, "and read again");
    air_fuzz_check(memcmp(&read, &again, sizeof(read)) == 0, "as the same key");
    air_buffer_deinit(&out);
}

static void check_private(air_span input) {
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error = air_jwk_private_read(input, &pem);
    air_fuzz_check(error == AIR_OK || pem.size == 0, "no PEM of a refused key");
    air_fuzz_check(error != AIR_OK || air_span_starts_with(air_buffer_span(&pem), "-----BEGIN "),
        "a private key is PEM");
    air_buffer_deinit(&pem);
}
