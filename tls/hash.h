/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_HASH_H
#define AIR_TLS_HASH_H

/*
 * A keyed hash for tables whose look-up keys come from the network: without the seed nobody can
 * choose names that collide.
 */

#include "thinair/thinair.h"

#define AIR_HASH_SEED_SIZE 16

/* SipHash-2-4 of the bytes (Aumasson and Bernstein, 2012). */
uint64_t air_hash_bytes(const uint8_t seed[AIR_HASH_SEED_SIZE], air_span bytes);

#endif
