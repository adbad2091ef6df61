/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_KEY_H
#define AIR_CRYPTO_OPENSSL_KEY_H

/*
 * One private key and what is known of its kind.
 */

#include <openssl/evp.h>

#include "thinair/crypto.h"

/* What the port and OpenSSL call a kind of key. */
struct air_openssl_kind {
    enum air_key_type type;
    enum air_algorithm algorithm;
    const char *name;   /* "EC", "RSA" */
    const char *group;  /* the curve, NULL for RSA */
    const char *alias;  /* the curve's other name */
    const char *digest; /* what signs with it */
    size_t width;       /* octets of a coordinate, or of the modulus */
};

/* The row of a type, or NULL when there is no such key. */
const struct air_openssl_kind *air_openssl_kind_of(enum air_key_type type);

/* The row that a key belongs to, or NULL: another algorithm, curve or size, or a curve spelt out as
 * parameters, which no CA accepts (RFC 5480 section 2.1.1). */
const struct air_openssl_kind *air_openssl_kind_of_key(const EVP_PKEY *pkey);

/* Make a key. *out is yours: EVP_PKEY_free(). */
enum air_error air_openssl_key_generate(const struct air_openssl_kind *kind, EVP_PKEY **out);

enum air_error air_openssl_key_public(
    const struct air_openssl_kind *kind, const EVP_PKEY *pkey, struct air_public_key *out);

/* Take and give PEM, as key_import and key_export of the port. *out is yours: EVP_PKEY_free(). */
enum air_error air_openssl_key_read(
    air_span pem, EVP_PKEY **out, const struct air_openssl_kind **kind);
enum air_error air_openssl_key_write(const EVP_PKEY *pkey, struct air_buffer *out);

#endif
