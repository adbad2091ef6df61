/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_ACCEPTANCE_H
#define AIR_CRYPTO_OPENSSL_ACCEPTANCE_H

/*
 * Whether a downloaded chain may be served, as certificate_check of the port.
 */

#include <openssl/evp.h>

#include "thinair/crypto.h"

/* pkey is the private key that wish names. */
enum air_error air_openssl_acceptance_check(air_span chain, const struct air_certificate_wish *wish,
    const EVP_PKEY *pkey, struct air_buffer *reason);

#endif
