/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_CRYPTO_ORACLE_H
#define AIR_TEST_CONTRACT_CRYPTO_ORACLE_H

/*
 * OpenSSL's opinion, and what several files of the suite do with it. Failures fail the test.
 */

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "thinair/crypto.h"

/* Make a key in the port. */
uint64_t air_oracle_generate(const struct air_crypto *port, enum air_key_type type);

/* The key behind a handle, as OpenSSL reads what the port exports. EVP_PKEY_free(). */
EVP_PKEY *air_oracle_key(const struct air_crypto *port, uint64_t key);

/* Append a block of PEM around any bytes. */
void air_oracle_pem(const char *label, air_span der, struct air_buffer *out);

/* Append a private key: PKCS#8, or the older form of its algorithm; with a password encrypted. */
void air_oracle_pkcs8(EVP_PKEY *key, const char *password, struct air_buffer *out);
void air_oracle_traditional(EVP_PKEY *key, const char *password, struct air_buffer *out);

/* Whether a JWS signature fits a key, checked without the port. */
bool air_oracle_verify(EVP_PKEY *key, enum air_algorithm algorithm, air_span data, air_span jws);

/* The first certificate of a PEM text. X509_free(). */
X509 *air_oracle_certificate(air_span pem);

/* Append the DER value of subjectAltName for DNS names, encoded here by hand. */
void air_oracle_names(const air_span *names, size_t names_count, struct air_buffer *out);

/* Assert that an extension has exactly the DER of that OID (its content octets), that criticality
 * and that value. */
void air_oracle_assert_extension(
    const X509_EXTENSION *extension, air_span oid, bool is_critical, air_span value);

#endif
