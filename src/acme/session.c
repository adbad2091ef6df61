/* SPDX-License-Identifier: MIT */
/*
 * The nonce pool of one CA. The newest nonce is used first, the oldest is forgotten first.
 * Invariant: nonces[] is ordered by age, the oldest first, and no nonce is handed out twice.
 */

#include "src/acme/session.h"

#include <string.h>

void air_session_keep_nonce(struct air_session *session, air_span nonce, air_time_ms boot_ms) {
    if (nonce.size == 0 || nonce.size > sizeof session->nonces[0].text) {
        return;
    }
    if (session->nonces_count == AIR_NONCES_MAX) {
        memmove(
            session->nonces, session->nonces + 1, (AIR_NONCES_MAX - 1) * sizeof session->nonces[0]);
        session->nonces_count--;
    }
    struct air_nonce *slot = &session->nonces[session->nonces_count++];
    memcpy(slot->text, nonce.data, nonce.size);
    slot->size = nonce.size;
    slot->since_boot_ms = boot_ms;
}

bool air_session_take_nonce(
    struct air_session *session, air_time_ms boot_ms, struct air_nonce *out) {
    if (session->nonces_count == 0) {
        return false;
    }
    const struct air_nonce *newest = &session->nonces[session->nonces_count - 1];
    if (boot_ms - newest->since_boot_ms > AIR_NONCE_AGE_MAX_MS) {
        session->nonces_count = 0;
        return false;
    }
    *out = *newest;
    session->nonces_count--;
    return true;
}
