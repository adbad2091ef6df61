/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_PEM_BLOCK_H
#define AIR_CRYPTO_OPENSSL_PEM_BLOCK_H

/*
 * From one PEM block to its DER.
 */

#include "thinair/thinair.h"

/*
 * Decode a block as air_pem_next() cuts it.
 *
 * der  Yours: OPENSSL_clear_free() with the size. Never empty.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED, or AIR_ERR_UNSUPPORTED: it has RFC 1421 headers, as encrypted
 * keys have.
 */
enum air_error air_openssl_pem_decode(air_span block, uint8_t **der, size_t *der_size);

#endif
