/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_EXCHANGE_H
#define AIR_ACME_EXCHANGE_H

/*
 * One request to a CA and its answer: a nonce first if none is at hand, a signature, the request
 * itself, and again from the signature when the CA rejects the nonce (RFC 8555 sections 6.2 to
 * 6.5).
 */

#include "src/acme/problem.h"
#include "src/acme/session.h"
#include "thinair/action.h"

/* badNonce answers in one exchange before it fails. 5 would do at 5 %; a CA that rejects 30 %
 * needs more (R-B5). */
#define AIR_BAD_NONCES_MAX 12

/* Time limit for one request (hardening 3.6). */
#define AIR_REQUEST_DEADLINE_MS 60000

enum air_exchange_kind {
    AIR_EXCHANGE_GET, /* unsigned: the directory */
    AIR_EXCHANGE_JWK, /* signed, with the public key: newAccount */
    AIR_EXCHANGE_KID  /* signed, with the account URL: everything else */
};

enum air_exchange_phase {
    AIR_EXCHANGE_IDLE,
    AIR_EXCHANGE_NONCE,
    AIR_EXCHANGE_SIGN,
    AIR_EXCHANGE_SEND,
    AIR_EXCHANGE_DONE
};

struct air_exchange {
    enum air_exchange_phase phase;
    enum air_exchange_kind kind;
    struct air_buffer url;
    struct air_buffer payload; /* empty: POST-as-GET */
    struct air_buffer input;   /* the JWS signing input */
    struct air_buffer body;
    struct air_nonce nonce; /* size 0: none in hand */
    uint32_t body_max;
    unsigned bad_nonces;
    bool was_sent; /* the request itself left: its effect at the CA is unknown if it fails now */
};

/* Frees everything; a zeroed struct is accepted. */
void air_exchange_deinit(struct air_exchange *exchange);

/*
 * Begin. url is the CA's own text; payload is copied.
 * Returns AIR_OK or AIR_ERR_NO_MEMORY (nothing begun).
 */
enum air_error air_exchange_begin(struct air_exchange *exchange, enum air_exchange_kind kind,
    air_span url, air_span payload, uint32_t body_max);

/*
 * The next action of the exchange: a request for a nonce, a signature, or the request itself. Its
 * spans are the exchange's and the session's.
 * Returns AIR_OK, AIR_ERR_NO_MEMORY (call again), or what the crypto port answers.
 */
enum air_error air_exchange_next(struct air_exchange *exchange, struct air_session *session,
    air_time_ms boot_ms, struct air_action *out);

/*
 * Take the result of that action. When *is_done, the result is the answer to the request itself;
 * otherwise call next.
 *
 * reason  On failure a sentence for the operator is appended.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY (call again with the same result), the action's own error,
 * AIR_ERR_NETWORK (newNonce answers that the CA is overloaded or out of order), or AIR_ERR_REFUSED:
 * the CA gives no usable nonce.
 */
enum air_error air_exchange_accept(struct air_exchange *exchange, struct air_session *session,
    const struct air_result *result, struct air_time now, bool *is_done, struct air_buffer *reason);

#endif
