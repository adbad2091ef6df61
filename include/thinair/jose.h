/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_JOSE_H
#define THINAIR_JOSE_H

/*
 * JSON Web Keys and Signatures as ACME uses them, usable on their own: RFC 7515 (flattened JSON and
 * compact serialization), RFC 7517, RFC 7518 (RS256, ES256, ES384, HS256), RFC 7638, and external
 * account binding (RFC 8555 section 7.3.4).
 *
 * Keys are handles of a crypto port (thinair/crypto.h); thinair/openssl.h has one.
 */

#include "thinair/buffer.h"
#include "thinair/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Largest JWS that is written or read, in bytes. */
#define AIR_JWS_SIZE_MAX 262144

/* A thumbprint is this many base64url characters (RFC 7638 with SHA-256). */
#define AIR_THUMBPRINT_SIZE 43

/* The algorithm ACME servers expect for a key: ES256, ES384 or RS256. AIR_ALGORITHM_NONE for
 * AIR_KEY_NONE. */
AIR_API enum air_algorithm air_algorithm_for_key(enum air_key_type type);

/* "ES256", "ES384", "RS256"; "" for AIR_ALGORITHM_NONE. Static. */
AIR_API const char *air_algorithm_text(enum air_algorithm algorithm);

/*
 * Append a public key as a JWK: required members only, in lexicographic order, without white space,
 * which is also the form RFC 7638 section 3.2 hashes.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or
 *   AIR_ERR_BAD_KEY  AIR_KEY_NONE, or numbers that are not as struct air_public_key wants them.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jwk_write(
    const struct air_public_key *key, struct air_buffer *out);

/*
 * Read a public JWK; unknown members are ignored, as are private ones. Whether an EC point lies on
 * its curve is for the crypto port to say.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_MALFORMED    not JSON, a member is missing, a coordinate has not the curve's width, or
 *                        an RSA integer has a leading zero octet.
 *   AIR_ERR_UNSUPPORTED  another kty or crv, or an RSA size that is not 2048, 3072 or 4096 bits.
 *   AIR_ERR_LIMIT        over AIR_JWS_SIZE_MAX.
 *   AIR_ERR_NO_MEMORY
 */
AIR_API AIR_MUST_CHECK enum air_error air_jwk_read(air_span json, struct air_public_key *out);

/*
 * Append the private key of a JWK as PEM, for key_import of a crypto port, which finds out whether
 * its halves belong together. An RSA key brings its primes and their exponents (p, q, dp, dq, qi).
 *
 * pem  Holds a secret afterwards.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, what air_jwk_read() answers, or
 *   AIR_ERR_NOT_FOUND    a public key: there is no d.
 *   AIR_ERR_MALFORMED    a private member is missing or has not the key's width.
 *   AIR_ERR_UNSUPPORTED  an RSA key of more than two primes.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jwk_private_read(air_span json, struct air_buffer *pem);

/*
 * The SHA-256 thumbprint of a key (RFC 7638), base64url, not terminated.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_BAD_KEY as air_jwk_write(), or what sha256 answers.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jwk_thumbprint(const struct air_crypto *crypto,
    const struct air_public_key *key, char out[AIR_THUMBPRINT_SIZE]);

/* What goes into an ACME request's protected header (RFC 8555 section 6.2). */
struct air_jws_header {
    enum air_algorithm algorithm;
    air_span nonce;                   /* empty: no nonce member */
    air_span url;                     /* empty: no url member */
    air_span kid;                     /* empty: no kid member */
    const struct air_public_key *jwk; /* NULL: no jwk member */
};

/*
 * Append the signing input of a flattened JWS: BASE64URL(header) "." BASE64URL(payload).
 * An empty payload is POST-as-GET (RFC 8555 section 6.3).
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or
 *   AIR_ERR_ARGUMENT  no algorithm, or both kid and jwk.
 *   AIR_ERR_BAD_KEY   jwk is not a whole key.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_signing_input(
    const struct air_jws_header *header, air_span payload, struct air_buffer *out);

/*
 * Append the flattened JWS made of a signing input and its signature.
 *
 * Returns AIR_OK, the buffer's error, or
 *   AIR_ERR_MALFORMED  no '.' in the input.
 *   AIR_ERR_LIMIT      the JWS would pass AIR_JWS_SIZE_MAX.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_assemble(
    air_span signing_input, air_span signature, struct air_buffer *out);

/*
 * Sign and append a flattened JWS in one call.
 *
 * Returns AIR_OK, what the two steps above return, or what key_sign answers. A port that answers
 * AIR_ERR_LATER is for the two-step way.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_sign(const struct air_crypto *crypto, uint64_t key,
    const struct air_jws_header *header, air_span payload, struct air_buffer *out);

/*
 * Check a flattened JWS against a public key and append its payload. The key decides which
 * algorithm is right, never the message (RFC 8725 section 3.1).
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or
 *   AIR_ERR_MALFORMED    not a flattened JWS, an unprotected header, or a crit or b64 member.
 *   AIR_ERR_UNSUPPORTED  an algorithm other than the key's own.
 *   AIR_ERR_REFUSED      the signature does not fit.
 *   AIR_ERR_LIMIT        over AIR_JWS_SIZE_MAX.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_verify(const struct air_crypto *crypto,
    const struct air_public_key *key, air_span jws, struct air_buffer *payload);

/*
 * Append the signing input of a JWS whose protected header is the caller's own, for what is not
 * ACME: a JWT, say. These very bytes are signed.
 *
 * header  A JSON object. Its alg is the algorithm's name; what else stands in it is the caller's
 *         choice, but for crit and b64, which change what a signature means.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or
 *   AIR_ERR_ARGUMENT     no algorithm.
 *   AIR_ERR_MALFORMED    the header is not a JSON object, has no alg, or has crit or b64.
 *   AIR_ERR_UNSUPPORTED  alg is not that algorithm.
 *   AIR_ERR_LIMIT        the header is over AIR_JWS_SIZE_MAX.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_signing_input_own(
    enum air_algorithm algorithm, air_span header, air_span payload, struct air_buffer *out);

/*
 * Append the compact JWS (RFC 7515 section 7.1) made of a signing input and its signature. Errors
 * as air_jws_assemble().
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_assemble_compact(
    air_span signing_input, air_span signature, struct air_buffer *out);

/*
 * Check a compact JWS against a public key and append its payload. Rules and errors as
 * air_jws_verify(); AIR_ERR_MALFORMED: not three parts.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_verify_compact(const struct air_crypto *crypto,
    const struct air_public_key *key, air_span jws, struct air_buffer *payload);

/*
 * Append the protected header of a JWS, compact or flattened, decoded: JSON. Nothing is proven by
 * it: it serves to choose a key by kid before the JWS is verified.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, or
 *   AIR_ERR_MALFORMED  not a JWS of either form, or its header is no JSON object.
 *   AIR_ERR_LIMIT      over AIR_JWS_SIZE_MAX.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_header_read(air_span jws, struct air_buffer *out);

/*
 * Append the externalAccountBinding value: a JWS over the account's public key, keyed by the CA's
 * HMAC key with HS256.
 *
 * kid          The key identifier the CA gave. Not empty.
 * mac_key      The HMAC key as the CA delivers it: base64url; padding, '+', '/' and white space are
 *              tolerated.
 * url          The newAccount URL, the same as in the outer JWS.
 * account_key  The key that signs the outer JWS.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, the buffer's error, what hmac_sha256 answers, or
 *   AIR_ERR_MALFORMED  mac_key is not base64 or empty, or kid is empty.
 *   AIR_ERR_BAD_KEY    account_key is not a whole key.
 */
AIR_API AIR_MUST_CHECK enum air_error air_jws_bind_external_account(const struct air_crypto *crypto,
    air_span kid, air_span mac_key, air_span url, const struct air_public_key *account_key,
    struct air_buffer *out);

#ifdef __cplusplus
}
#endif

#endif
