/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_REFUSAL_H
#define AIR_HAPROXY_REFUSAL_H

/*
 * Why a request to the order service is refused: an HTTP status and a sentence for its sender.
 */

#include "thinair/thinair.h"

/* Room for the longest sentence; what is longer is cut. */
#define AIR_REFUSAL_SENTENCE_SIZE_MAX 448

/* The longest name a sentence repeats, in bytes; the rest of a longer one is left out. */
#define AIR_REFUSAL_NAME_SIZE_MAX 64

struct air_refusal {
    unsigned status; /* 400, 409, 413, 415, 422, 503; 0: nothing was refused */
    char sentence[AIR_REFUSAL_SENTENCE_SIZE_MAX]; /* one line of printable ASCII; never a value,
                                                     which may be a private key */
};

/* A name that came from outside, made fit for a sentence. */
struct air_refusal_name {
    char text[3 * AIR_REFUSAL_NAME_SIZE_MAX + 1];
};

/*
 * Write the sentence, and the status that fits the error (RFC 9110 section 15.5): 409 for
 * AIR_ERR_EXISTS, 413 for AIR_ERR_LIMIT, 415 for AIR_ERR_UNSUPPORTED, 422 for AIR_ERR_BAD_NAME and
 * AIR_ERR_BAD_KEY, 503 for what may succeed later, else 400.
 *
 * Returns error, for the caller to return.
 */
enum air_error air_refusal_set(struct air_refusal *refusal, enum air_error error,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A name as sentences show it: whatever is not printable ASCII, and the quote, as %XX. */
struct air_refusal_name air_refusal_quote(air_span name);

#endif
