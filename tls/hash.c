/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 as its paper defines it: two rounds for each eight bytes, four to finish. Words are
 * little-endian on every machine, so that the paper's vectors hold. Not for secrets: it leaves its
 * state on the stack.
 */

#include "tls/hash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t word(const uint8_t *bytes, size_t size);
static void absorb(struct state *state, uint64_t message);
static void mix(struct state *state);

uint64_t air_hash_bytes(const uint8_t seed[AIR_HASH_SEED_SIZE], air_span bytes) {
    uint64_t k0 = word(seed, 8);
    uint64_t k1 = word(seed + 8, 8);
    struct state state = {
        k0 ^ 0x736f6d6570736575U, /* "somepseudorandomlygeneratedbytes" */
        k1 ^ 0x646f72616e646f6dU,
        k0 ^ 0x6c7967656e657261U,
        k1 ^ 0x7465646279746573U,
    };
    size_t at = 0;

    for (; bytes.size - at >= 8; at += 8) {
        absorb(&state, word(bytes.data + at, 8));
    }
    uint64_t last = (uint64_t)bytes.size << 56;
    if (at < bytes.size) {
        last |= word(bytes.data + at, bytes.size - at);
    }
    absorb(&state, last);
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; i++) {
        mix(&state);
    }
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

static uint64_t word(const uint8_t *bytes, size_t size) {
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static void absorb(struct state *state, uint64_t message) {
    state->v3 ^= message;
    mix(state);
    mix(state);
    state->v0 ^= message;
}

static uint64_t rotate(uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

static void mix(struct state *state) {
    state->v0 += state->v1;
    state->v2 += state->v3;
    state->v1 = rotate(state->v1, 13) ^ state->v0;
    state->v3 = rotate(state->v3, 16) ^ state->v2;
    state->v0 = rotate(state->v0, 32);
    state->v2 += state->v1;
    state->v0 += state->v3;
    state->v1 = rotate(state->v1, 17) ^ state->v2;
    state->v3 = rotate(state->v3, 21) ^ state->v0;
    state->v2 = rotate(state->v2, 32);
}
