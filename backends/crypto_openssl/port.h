/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_PORT_H
#define AIR_CRYPTO_OPENSSL_PORT_H

/*
 * What a crypto port of this backend has inside.
 */

#include "backends/crypto_openssl/keys.h"

/* The table of keys of a port that air_crypto_openssl_new() made. */
struct air_openssl_keys *air_openssl_port_keys(const struct air_crypto *crypto);

#endif
