/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_CHALLENGE_H
#define AIR_CRYPTO_OPENSSL_CHALLENGE_H

/*
 * The certificate of a tls-alpn-01 challenge, as challenge_certificate of the port.
 */

#include "thinair/crypto.h"

enum air_error air_openssl_challenge_create(air_span name, const uint8_t digest[AIR_SHA256_SIZE],
    air_time_ms now_wall_ms, struct air_buffer *certificate, struct air_buffer *key);

#endif
