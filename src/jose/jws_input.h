/* SPDX-License-Identifier: MIT */
#ifndef AIR_JOSE_JWS_INPUT_H
#define AIR_JOSE_JWS_INPUT_H

/*
 * What signed and MACed JWSs have in common.
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

#endif
