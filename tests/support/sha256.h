/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_SHA256_H
#define AIR_TEST_SUPPORT_SHA256_H

/*
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) for the fake crypto port: right, not fast, not for
 * secrets.
 */

#include "thinair/crypto.h"

struct air_sha256 {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t size; /* bytes taken so far */
};

void air_sha256_init(struct air_sha256 *hash);
void air_sha256_add(struct air_sha256 *hash, air_span data);
void air_sha256_end(struct air_sha256 *hash, uint8_t out[AIR_SHA256_SIZE]);

void air_sha256_of(air_span data, uint8_t out[AIR_SHA256_SIZE]);
void air_sha256_hmac(air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]);

#endif
