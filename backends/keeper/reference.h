/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_REFERENCE_H
#define AIR_KEEPER_REFERENCE_H

/*
 * A reference to a key that the keeper has: one line of text with the key's number in the keeper's
 * table and its public half. It proves nothing; only the keeper that wrote it understands it.
 */

#include "thinair/crypto.h"

/* Longest reference, in bytes: an RSA key of 4096 bits has 700. */
#define AIR_REFERENCE_SIZE_MAX 1024

/* Append one. Errors as air_jwk_write(). */
enum air_error air_reference_write(
    uint32_t number, const struct air_public_key *key, struct air_buffer *out);

/* Whether a text says that it is one. */
bool air_reference_is(air_span text);

/* Read one. AIR_ERR_MALFORMED, AIR_ERR_UNSUPPORTED, AIR_ERR_LIMIT, AIR_ERR_NO_MEMORY. */
enum air_error air_reference_read(air_span text, uint32_t *number, struct air_public_key *key);

/* Whether a storage path is that of an account's private key: accounts/<account>/key.pem. */
bool air_reference_is_path(air_span path);

#endif
