/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_JSON_SECRETS_H
#define AIR_HAPROXY_JSON_SECRETS_H

/*
 * Keeping private keys out of the JSON parser, which does not wipe the memory it frees.
 *
 * The texts of given members are decoded here, into memory that is wiped; the parser gets a copy of
 * the document with their number, "0", "1", in their place.
 */

#include "thinair/buffer.h"

/* Secrets in one document. */
#define AIR_JSON_SECRETS_MAX 512

struct air_json_secrets {
    uint8_t *text;
    size_t text_size;
    size_t text_capacity;
    air_span values[AIR_JSON_SECRETS_MAX];
    size_t values_count;
};

/*
 * Take the secrets out of a document.
 *
 * members   Names whose texts are secret, wherever they stand; ends with NULL.
 * out       Yours: air_json_secrets_deinit(), also on failure.
 * redacted  Gets the document without them: at most AIR_JSON_SECRETS_ROOM more bytes than it has.
 *           Its size_max is the most that the parser shall get.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_LIMIT (that, or AIR_JSON_SECRETS_MAX, is passed), or
 * AIR_ERR_MALFORMED: a string without end, a member's name written with escapes, in which a secret
 * could hide, or a secret with bad escapes, characters beyond ASCII or control characters that PEM
 * does not have. The document may still be no JSON.
 */
AIR_MUST_CHECK enum air_error air_json_secrets_take(air_span json, const char *const *members,
    struct air_json_secrets *out, struct air_buffer *redacted);

/* What the numbers add, for secrets that are shorter than their number. */
#define AIR_JSON_SECRETS_ROOM ((size_t)AIR_JSON_SECRETS_MAX * 4)

/* The secret that a redacted text stands for; false: it is no number of one. */
bool air_json_secrets_find(const struct air_json_secrets *secrets, air_span number, air_span *out);

void air_json_secrets_deinit(struct air_json_secrets *secrets);

#endif
