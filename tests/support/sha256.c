/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 as FIPS 180-4 section 6.2 writes it down, and HMAC over it. It keeps the tests of the
 * rooms above free of any crypto library, and gives the real backends something to be compared
 * with.
 *
 * Invariant: block holds size % 64 bytes that are not yet hashed.
 */

#include "tests/support/sha256.h"

#include <string.h>

#include "src/base/span.h"

#define BLOCK_SIZE 64

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void take_block(uint32_t state[8], const uint8_t block[BLOCK_SIZE]);
static uint32_t rotate(uint32_t word, unsigned count);

void air_sha256_init(struct air_sha256 *hash) {
    *hash = (struct air_sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void air_sha256_add(struct air_sha256 *hash, air_span data) {
    for (size_t i = 0; i < data.size; i++) {
        hash->block[hash->size++ % BLOCK_SIZE] = data.data[i];
        if (hash->size % BLOCK_SIZE == 0) {
            take_block(hash->state, hash->block);
        }
    }
}

void air_sha256_end(struct air_sha256 *hash, uint8_t out[AIR_SHA256_SIZE]) {
    static const uint8_t one_bit = 0x80;
    static const uint8_t zero = 0;
    uint64_t bits_count = hash->size * 8;
    air_sha256_add(hash, air_span_of(&one_bit, 1));
    while (hash->size % BLOCK_SIZE != BLOCK_SIZE - 8) {
        air_sha256_add(hash, air_span_of(&zero, 1));
    }
    uint8_t length[8];
    for (size_t i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits_count >> (56 - 8 * i));
    }
    air_sha256_add(hash, air_span_of(length, 8));
    for (size_t i = 0; i < AIR_SHA256_SIZE; i++) {
        out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

void air_sha256_of(air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    struct air_sha256 hash;
    air_sha256_init(&hash);
    air_sha256_add(&hash, data);
    air_sha256_end(&hash, out);
}

void air_sha256_hmac(air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]) {
    uint8_t inner[BLOCK_SIZE] = {0};
    uint8_t outer[BLOCK_SIZE] = {0};
    if (key.size > BLOCK_SIZE) {
        air_sha256_of(key, inner);
    } else if (key.size > 0) {
        memcpy(inner, key.data, key.size);
    }
    for (size_t i = 0; i < BLOCK_SIZE; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    struct air_sha256 hash;
    air_sha256_init(&hash);
    air_sha256_add(&hash, air_span_of(inner, sizeof(inner)));
    air_sha256_add(&hash, data);
    air_sha256_end(&hash, out);
    air_sha256_init(&hash);
    air_sha256_add(&hash, air_span_of(outer, sizeof(outer)));
    air_sha256_add(&hash, air_span_of(out, AIR_SHA256_SIZE));
    air_sha256_end(&hash, out);
}

/* FIPS 180-4 section 6.2.2; v holds its working variables a to h. */
static void take_block(uint32_t state[8], const uint8_t block[BLOCK_SIZE]) {
    uint32_t w[64];
    uint32_t v[8];
    for (size_t t = 0; t < 16; t++) {
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    }
    for (size_t t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(v, state, sizeof(v));
    for (size_t t = 0; t < 64; t++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + choice + round_constants[t] + w[t];
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (size_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

static uint32_t rotate(uint32_t word, unsigned count) {
    return word >> count | word << (32 - count);
}
