/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_BUNDLE_H
#define AIR_TLS_BUNDLE_H

/*
 * A leaf, its key and its chain, parsed and checked: what is loaded into a handshake.
 */

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "thinair/buffer.h"

/* OpenSSL holds one certificate for each of these per connection: the curves share one place. */
enum air_family { AIR_FAMILY_EC, AIR_FAMILY_RSA };
#define AIR_FAMILIES_COUNT 2

/* Constant once it is shared between threads, but for the count. */
struct air_bundle {
    atomic_size_t references;
    enum air_key_type key_type;
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* without the leaf; never NULL */
};

/* The family of a key type; false for AIR_KEY_NONE and unknown numbers. */
bool air_family_of(enum air_key_type key_type, enum air_family *out);

/*
 * Parse a chain and a key, and check that they are a pair.
 *
 * key_type  What the key must be; AIR_KEY_NONE: any supported type.
 * out       One reference, yours: air_bundle_release().
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED, AIR_ERR_LIMIT, AIR_ERR_BAD_CERTIFICATE (not a pair, or not of
 * that type) or AIR_ERR_NO_MEMORY; then a sentence is in reason, which may be NULL.
 */
AIR_MUST_CHECK enum air_error air_bundle_new(air_span chain, air_span key,
    enum air_key_type key_type, struct air_buffer *reason, struct air_bundle **out);

/* Take and drop a reference; the last one dropped frees, on any thread. NULL is accepted. */
void air_bundle_retain(struct air_bundle *bundle);
void air_bundle_release(struct air_bundle *bundle);

/* Add it to a connection's certificates. False: OpenSSL refuses it there. */
bool air_bundle_load(const struct air_bundle *bundle, SSL *ssl);

/*
 * Parse a PEM chain: nothing but certificates, at most AIR_CHAIN_COUNT_MAX. out: yours,
 * sk_X509_pop_free(). AIR_ERR_MALFORMED, AIR_ERR_LIMIT, AIR_ERR_NO_MEMORY with a sentence in
 * reason.
 */
AIR_MUST_CHECK enum air_error air_chain_parse(
    air_span pem, struct air_buffer *reason, STACK_OF(X509) * *out);

/* Append a sentence to a reason that may be NULL. */
void air_reason_add(struct air_buffer *reason, const char *text);

#endif
