/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_SESSION_H
#define AIR_ACME_SESSION_H

/*
 * What all requests to one CA share: who signs, and the nonces the CA has given (RFC 8555 section
 * 6.5).
 */

#include "src/acme/token.h"
#include "thinair/jose.h"

/* A small, young pool: nonces are bound to a data centre and a window (R-B5). */
#define AIR_NONCES_MAX 64
#define AIR_NONCE_AGE_MAX_MS (5 * 60 * 1000)

struct air_nonce {
    uint8_t text[AIR_TOKEN_SIZE_MAX];
    size_t size;
    air_time_ms since_boot_ms;
};

struct air_session {
    const struct air_crypto *crypto;
    uint64_t account_key;
    struct air_public_key account_public;
    air_span account_url; /* kid; empty until the account is known */
    air_span directory_url;
    air_span new_nonce_url;
    air_span trust;
    struct air_nonce nonces[AIR_NONCES_MAX];
    size_t nonces_count;
};

/* Keep a nonce for later. An empty one is ignored; when the pool is full the oldest goes. */
void air_session_keep_nonce(struct air_session *session, air_span nonce, air_time_ms boot_ms);

/* Take the youngest nonce out of the pool: it is consumed, whatever follows (R-B5). False: none
 * is young enough. */
bool air_session_take_nonce(
    struct air_session *session, air_time_ms boot_ms, struct air_nonce *out);

#endif
