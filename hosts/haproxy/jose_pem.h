/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_JOSE_PEM_H
#define AIR_HAPROXY_JOSE_PEM_H

/*
 * Public keys from PEM, as issuers of tokens hand them out.
 */

#include "thinair/crypto.h"

/*
 * Read a SubjectPublicKeyInfo (RFC 7468 section 13): one block, nothing else.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_MALFORMED    not one such block, or damaged.
 *   AIR_ERR_UNSUPPORTED  a key of another kind than struct air_public_key has.
 *   AIR_ERR_LIMIT        over AIR_KEY_PEM_SIZE_MAX.
 *   AIR_ERR_CRYPTO
 */
AIR_MUST_CHECK enum air_error air_jose_pem_read(air_span pem, struct air_public_key *out);

#endif
