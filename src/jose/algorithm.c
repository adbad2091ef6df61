/* SPDX-License-Identifier: MIT */
/*
 * Which signature algorithm goes with which key, and its name in RFC 7518 section 3.1. One key has
 * one algorithm here, so a verifier never lets the message choose.
 *
 * Invariant: both functions answer for every value of their enum.
 */

#include "thinair/jose.h"

enum air_algorithm air_algorithm_for_key(enum air_key_type type) {
    switch (type) {
    case AIR_KEY_NONE:
        return AIR_ALGORITHM_NONE;
    case AIR_KEY_ECDSA_P256:
        return AIR_ES256;
    case AIR_KEY_ECDSA_P384:
        return AIR_ES384;
    case AIR_KEY_RSA_2048:
    case AIR_KEY_RSA_3072:
    case AIR_KEY_RSA_4096:
        return AIR_RS256;
    }
    return AIR_ALGORITHM_NONE;
}

const char *air_algorithm_text(enum air_algorithm algorithm) {
    switch (algorithm) {
    case AIR_ALGORITHM_NONE:
        return "";
    case AIR_ES256:
        return "ES256";
    case AIR_ES384:
        return "ES384";
    case AIR_RS256:
        return "RS256";
    }
    return "";
}
