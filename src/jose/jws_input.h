/* SPDX-License-Identifier: MIT */
#ifndef AIR_JOSE_JWS_INPUT_H
#define AIR_JOSE_JWS_INPUT_H

/*
 * What signed and MACed JWSs have in common, and what both serializations are read by.
 */

#include "thinair/jose.h"

/*
 * Append BASE64URL(header) "." BASE64URL(payload). Members stand in lexicographic order; what is
 * empty in the header is left out.
 *
 * algorithm  The name for "alg"; header->algorithm is not looked at.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or AIR_ERR_BAD_KEY: header->jwk is not a
 * whole key.
 */
AIR_MUST_CHECK enum air_error air_jws_write_input(const char *algorithm,
    const struct air_jws_header *header, air_span payload, struct air_buffer *out);

/* The three texts of a JWS, still base64url. Borrowed. */
struct air_jws_parts {
    air_span header;
    air_span payload;
    air_span signature;
};

/* Cut a compact JWS. AIR_ERR_MALFORMED: not three parts, or an empty header or signature. */
AIR_MUST_CHECK enum air_error air_jws_split(air_span jws, struct air_jws_parts *out);

/* Check header and signature by the key and append the decoded payload. Errors as
 * air_jws_verify(). */
AIR_MUST_CHECK enum air_error air_jws_check_parts(const struct air_crypto *crypto,
    const struct air_public_key *key, const struct air_jws_parts *parts,
    struct air_buffer *payload);

/*
 * Whether a protected header, decoded, is one that this library understands in full.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or
 *   AIR_ERR_MALFORMED    not a JSON object, no alg, or a crit or b64 member.
 *   AIR_ERR_UNSUPPORTED  alg is not that algorithm.
 */
AIR_MUST_CHECK enum air_error air_jws_check_header(air_span header, const char *algorithm);

#endif
