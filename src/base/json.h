/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_JSON_H
#define AIR_BASE_JSON_H

/*
 * JSON: jansson reads, a small writer of our own writes (its order is the caller's, byte for byte).
 */

#include <jansson.h>

#include "thinair/buffer.h"

/* Deepest nesting accepted from outside. */
#define AIR_JSON_DEPTH_MAX 16

/* Most values accepted from outside: a short text must not become a large tree. An order of 100
 * names has about 400. */
#define AIR_JSON_VALUES_MAX 4096

/*
 * Parse a document whose top is an object. The caller has capped text.size.
 *
 * out  Yours: json_decref().
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or AIR_ERR_MALFORMED: not JSON, not an object, a duplicate
 * member, a NUL character, nested deeper than AIR_JSON_DEPTH_MAX, more than AIR_JSON_VALUES_MAX
 * values, or a number with fraction or exponent. jansson calls some of its failed allocations a
 * syntax error: these come out as AIR_ERR_MALFORMED too.
 */
enum air_error air_json_read(air_span text, json_t **out);

/* The same, but numbers may have fractions and exponents, as the dates of a JWT may (RFC 7519
 * section 2). One that no double holds is AIR_ERR_MALFORMED. */
enum air_error air_json_read_reals(air_span text, json_t **out);

/* A member's text, or the empty span (data NULL) when it is missing or not a string. Valid as long
 * as object. */
air_span air_json_text(const json_t *object, const char *key);

/* A member's integer, or fallback when it is missing or not an integer. */
int64_t air_json_integer(const json_t *object, const char *key, int64_t fallback);

/* A member's truth; false when it is missing or not a boolean. */
bool air_json_true(const json_t *object, const char *key);

/* A member that is an array or object, or NULL when it is missing or of another kind. Borrowed. */
json_t *air_json_array(const json_t *object, const char *key);
json_t *air_json_object(const json_t *object, const char *key);

/*
 * The writer. Begin, members, end; commas are placed by it, so a document starts in an empty buffer
 * or behind a line feed. Failures stay in the buffer. `key` is NULL inside arrays and at the top.
 * In a text, NUL and bytes that are not UTF-8 become U+FFFD: what is written can always be read.
 */
void air_json_begin(struct air_buffer *out, const char *key, char bracket); /* '{' or '[' */
void air_json_end(struct air_buffer *out, char bracket);                    /* '}' or ']' */
void air_json_put_text(struct air_buffer *out, const char *key, air_span value);
/* Bytes, as base64url text. */
void air_json_put_base64url(struct air_buffer *out, const char *key, air_span data);
void air_json_put_integer(struct air_buffer *out, const char *key, int64_t value);
void air_json_put_bool(struct air_buffer *out, const char *key, bool value);
/* A value that is JSON already, not empty. */
void air_json_put_raw(struct air_buffer *out, const char *key, air_span json);

#endif
