/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_CSR_H
#define AIR_CRYPTO_OPENSSL_CSR_H

/*
 * Certificate signing requests, as csr_create of the port.
 */

#include "backends/crypto_openssl/key.h"

enum air_error air_openssl_csr_create(const struct air_openssl_kind *kind, EVP_PKEY *pkey,
    const struct air_subject *subject, const air_span *names, size_t names_count, bool must_staple,
    struct air_buffer *out);

#endif
