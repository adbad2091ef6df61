/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_RESPONDER_H
#define THINAIR_RESPONDER_H

/*
 * The table behind http-01 (RFC 8555 section 8.3): which token is answered with what, for which
 * name. Any thread may ask; an answer takes no time that depends on the network or the CA.
 */

#include "thinair/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_responder;

/* Answers held at once, and the longest answer, in bytes. */
#define AIR_RESPONDER_ANSWERS_MAX 4096
#define AIR_RESPONDER_ANSWER_SIZE_MAX 512

AIR_API AIR_MUST_CHECK enum air_error air_responder_new(struct air_responder **out);
AIR_API void air_responder_free(struct air_responder *responder);

/*
 * Answer GET /.well-known/acme-challenge/<token> on host name with body, in place of what that name
 * and token had before.
 *
 * AIR_ERR_LIMIT: too many answers, or one too long. AIR_ERR_ARGUMENT: an empty name or body, a
 * token with other bytes than [A-Za-z0-9_-]. AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_responder_set(
    struct air_responder *responder, air_span name, air_span token, air_span body);
AIR_API void air_responder_remove(struct air_responder *responder, air_span name, air_span token);

/*
 * Look up a request and append the body of its answer. All must hold: the method is GET or HEAD,
 * the path is exactly a live token's, and host (with or without a port) is that token's name
 * (R-G4). Everything else is the host's own business: AIR_ERR_NOT_FOUND.
 *
 * The answer is sent with status 200, text/plain and X-Content-Type-Options: nosniff (R-G5).
 */
AIR_API AIR_MUST_CHECK enum air_error air_responder_answer(struct air_responder *responder,
    air_span method, air_span path, air_span host, struct air_buffer *body);

#ifdef __cplusplus
}
#endif

#endif
