/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_SIGNATURE_H
#define AIR_CRYPTO_OPENSSL_SIGNATURE_H

/*
 * JWS signatures (RFC 7518 section 3), as key_sign and verify of the port.
 */

#include "backends/crypto_openssl/key.h"

enum air_error air_openssl_signature_make(const struct air_openssl_kind *kind, EVP_PKEY *pkey,
    enum air_algorithm algorithm, air_span data, uint8_t *out, size_t *out_size);

enum air_error air_openssl_signature_check(const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature);

#endif
