/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_CERTIFICATE_H
#define AIR_CRYPTO_OPENSSL_CERTIFICATE_H

/*
 * Reading certificates.
 */

#include <openssl/x509.h>

#include "thinair/crypto.h"

/*
 * Read one PEM block as air_pem_next() cuts it.
 *
 * out  Yours: X509_free().
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or AIR_ERR_MALFORMED: not one certificate and nothing else.
 */
enum air_error air_openssl_certificate_parse(air_span block, X509 **out);

/* Read the first certificate of a text, passing over other blocks. Also AIR_ERR_LIMIT. */
enum air_error air_openssl_certificate_first(air_span chain, X509 **out);

/* A date of a certificate. AIR_ERR_MALFORMED. */
enum air_error air_openssl_certificate_time(const ASN1_TIME *time, air_time_ms *out);

/* certificate_read and certificate_names of the port. */
enum air_error air_openssl_certificate_read(air_span chain, struct air_certificate_info *out);
enum air_error air_openssl_certificate_names(
    air_span chain, void (*visit)(void *context, air_span name), void *context);

#endif
