/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_NAMES_H
#define AIR_CRYPTO_OPENSSL_NAMES_H

/*
 * subjectAltName (RFC 5280 section 4.2.1.6), written and read.
 */

#include <openssl/x509v3.h>

#include "thinair/buffer.h"

/*
 * Make the extension that holds these DNS names in this order.
 *
 * out  Yours: X509_EXTENSION_free().
 *
 * Returns AIR_OK, AIR_ERR_ARGUMENT (no names), AIR_ERR_BAD_NAME (one is not in the normal form of
 * src/base/name.h), AIR_ERR_NO_MEMORY.
 */
enum air_error air_openssl_names_write(
    const air_span *names, size_t names_count, X509_EXTENSION **out);

/*
 * Read the names of a certificate.
 *
 * out  Yours: GENERAL_NAMES_free(). NULL: it has none.
 *
 * Returns AIR_OK, or AIR_ERR_MALFORMED: the extension cannot be read or is there twice.
 */
enum air_error air_openssl_names_read(const X509 *certificate, GENERAL_NAMES **out);

/*
 * One of the names, borrowed.
 *
 * Returns AIR_OK, AIR_ERR_UNSUPPORTED (not a DNS name), or AIR_ERR_BAD_NAME: empty, over-long, or
 * with bytes that are not letters, digits, '-', '.', or a '*' at the start (R-A6: NUL).
 */
enum air_error air_openssl_names_at(const GENERAL_NAMES *names, int index, air_span *out);

#endif
