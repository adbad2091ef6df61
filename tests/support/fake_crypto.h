/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_CRYPTO_H
#define AIR_TEST_SUPPORT_FAKE_CRYPTO_H

/*
 * A crypto port without cryptography: the same seed gives the same keys, signatures and random
 * bytes, in microseconds. SHA-256 and HMAC are real. It protects nothing: whoever
 * knows a public key can sign. One thread at a time.
 *
 * Keys        A key is a 64-bit number; its public half is hashed from it, at the right widths. RSA
 *             types answer AIR_ERR_LATER from key_generate.
 * Signatures  Hashed from the public key, the algorithm and the data, at the right width.
 * PEM         Real PEM labels; the body is base64url of lines of text, "word value":
 *
 *   PRIVATE KEY   "fake key 1", "type ecdsa-p256", "number 0123456789abcdef"
 *   CERTIFICATE   see tests/support/fake_certificate.h
 *
 * CSR         Plain lines of text, see tests/support/fake_certificate.h.
 */

#include "thinair/crypto.h"

/* Make a port. Owned by the caller: air_fake_crypto_free(). NULL: no memory. */
struct air_crypto *air_fake_crypto_new(uint64_t seed);
void air_fake_crypto_free(struct air_crypto *crypto);

/* How many keys were made or imported and not yet freed. */
size_t air_fake_crypto_keys_count(const struct air_crypto *crypto);

/* From now on key_sign answers AIR_ERR_LATER for every key, as a port over a token does. */
void air_fake_crypto_sign_later(struct air_crypto *crypto, bool is_later);

/* Let the n-th call of a method that can fail, from now, answer `error`, once; 0 never. */
void air_fake_crypto_fail_at(struct air_crypto *crypto, uint64_t n, enum air_error error);

/* The SHA-256 that a certificate for this key carries as spki_sha256. */
void air_fake_crypto_spki(const struct air_public_key *key, uint8_t out[AIR_SHA256_SIZE]);

#endif
