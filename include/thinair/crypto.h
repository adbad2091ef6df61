/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_CRYPTO_H
#define THINAIR_CRYPTO_H

/*
 * The crypto port: what the engine and libthinair-jose need from a crypto library.
 *
 * A backend fills one `struct air_crypto` and passes the contract suite in tests/contract/. Private
 * keys stay inside the backend: outside they are numbers ("handles", never 0). Methods are called
 * by any thread, also at the same time and on one handle. A key that is freed while it is in use
 * is wiped after that use. A handle never comes back; an unknown one is AIR_ERR_ARGUMENT. What the
 * library fails at without saying why is AIR_ERR_CRYPTO.
 *
 * A method that is not quick (over a few milliseconds: an RSA key, a token's signature) may answer
 * AIR_ERR_LATER from key_generate or key_sign: the engine then hands the work out as an action, and
 * the host has it done by key_generate_slow or key_sign_slow, on a thread of its choice. The _slow
 * methods never answer AIR_ERR_LATER.
 */

#include "thinair/buffer.h"
#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Digest sizes in bytes. */
#define AIR_SHA256_SIZE 32

/* Longest values the port produces or takes, in bytes. */
#define AIR_SIGNATURE_SIZE_MAX 512
#define AIR_KEY_PEM_SIZE_MAX 16384
#define AIR_CSR_SIZE_MAX 65536
#define AIR_CHAIN_SIZE_MAX 131072
#define AIR_SERIAL_SIZE_MAX 32
#define AIR_REASON_SIZE_MAX 256

/* At most so many certificates in one chain. */
#define AIR_CHAIN_COUNT_MAX 8

/* JWS signature algorithms (RFC 7518 section 3.1). */
enum air_algorithm { AIR_ALGORITHM_NONE, AIR_ES256, AIR_ES384, AIR_RS256 };

/*
 * The public half of a key as RFC 7518 section 6 wants it: for EC, x and y at the curve's full
 * width; for RSA, n and e big-endian without leading zero octets.
 */
struct air_public_key {
    enum air_key_type type;
    uint8_t x_or_n[512];
    size_t x_or_n_size;
    uint8_t y_or_e[64];
    size_t y_or_e_size;
};

/* What a certificate says about itself. */
struct air_certificate_info {
    air_time_ms not_before_ms;
    air_time_ms not_after_ms;
    enum air_key_type key_type;
    uint8_t serial[AIR_SERIAL_SIZE_MAX]; /* the INTEGER's content octets, a leading 00 kept */
    size_t serial_size;
    uint8_t authority_key_id[64]; /* AKI keyIdentifier; size 0 if absent */
    size_t authority_key_id_size;
    uint8_t spki_sha256[AIR_SHA256_SIZE];
};

/* What was ordered, for certificate_check. */
struct air_certificate_wish {
    uint64_t key;          /* the private key the certificate must fit */
    const air_span *names; /* DNS names, lower-case A-labels, in any order */
    size_t names_count;
    air_time_ms now_wall_ms;
    air_span previous_chain; /* PEM of what is served now, or empty: its leaf must not come again */
};

/* Bounds of a subject (RFC 5280 appendix A.1): characters, not bytes. */
#define AIR_SUBJECT_COUNTRY_COUNT 2
#define AIR_SUBJECT_PLACE_COUNT_MAX 128
#define AIR_SUBJECT_ORGANIZATION_COUNT_MAX 64

/*
 * What a request may say of who asks, beside the names: UTF-8 without control characters; what is
 * empty is left out. CAs that prove nothing but the names ignore it; others may demand it.
 */
struct air_subject {
    air_span country;      /* two letters (ISO 3166): AIR_SUBJECT_COUNTRY_COUNT */
    air_span state;        /* or province: AIR_SUBJECT_PLACE_COUNT_MAX */
    air_span locality;     /* as state */
    air_span organization; /* AIR_SUBJECT_ORGANIZATION_COUNT_MAX */
};

struct air_crypto {
    size_t size; /* sizeof(struct air_crypto) */
    void *self;  /* passed back as the first argument */

    /* Keys of accounts are made by actions only (is_account), never by key_generate: somebody else
     * keeps them, and what key_import takes and key_export gives for one is a reference to it. */
    bool are_accounts_kept;

    /* Fill with random bytes fit for keys. */
    enum air_error (*random)(void *self, uint8_t *out, size_t size);

    enum air_error (*sha256)(void *self, air_span data, uint8_t out[AIR_SHA256_SIZE]);

    /* HMAC-SHA-256 (RFC 2104), for external account binding. */
    enum air_error (*hmac_sha256)(
        void *self, air_span key, air_span data, uint8_t out[AIR_SHA256_SIZE]);

    /* Make a key. AIR_ERR_LATER: not quick, use key_generate_slow. AIR_ERR_UNSUPPORTED: no such
     * type here. */
    enum air_error (*key_generate)(void *self, enum air_key_type type, uint64_t *out);
    enum air_error (*key_generate_slow)(void *self, enum air_key_type type, uint64_t *out);

    /*
     * Take a private key from PEM: PKCS#8, SEC 1 or PKCS#1, unencrypted; exactly one key and
     * nothing else, but for an EC PARAMETERS block before it. AIR_ERR_BAD_KEY: encrypted, damaged,
     * or not of a supported type. AIR_ERR_MALFORMED: not PEM, or more than one key. AIR_ERR_LIMIT:
     * over AIR_KEY_PEM_SIZE_MAX.
     */
    enum air_error (*key_import)(void *self, air_span pem, uint64_t *out);

    /* Append the private key as PKCS#8 PEM: for storage records and installation only. */
    enum air_error (*key_export)(void *self, uint64_t key, struct air_buffer *out);

    enum air_error (*key_public)(void *self, uint64_t key, struct air_public_key *out);

    /*
     * Sign data as a JWS wants it (RFC 7518 sections 3.3, 3.4): ECDSA as R||S at full width.
     * out has room for AIR_SIGNATURE_SIZE_MAX bytes. AIR_ERR_LATER: use key_sign_slow.
     * AIR_ERR_BAD_KEY: the algorithm does not fit the key.
     */
    enum air_error (*key_sign)(void *self, uint64_t key, enum air_algorithm algorithm,
        air_span data, uint8_t *out, size_t *out_size);
    enum air_error (*key_sign_slow)(void *self, uint64_t key, enum air_algorithm algorithm,
        air_span data, uint8_t *out, size_t *out_size);

    /* Check a JWS signature with a public key. AIR_ERR_REFUSED: it does not fit. AIR_ERR_BAD_KEY:
     * the algorithm does not fit the key, or the key is none. */
    enum air_error (*verify)(void *self, const struct air_public_key *key,
        enum air_algorithm algorithm, air_span data, air_span signature);

    /* Wipe and forget a key. 0 and unknown handles are ignored. */
    void (*key_free)(void *self, uint64_t key);

    /*
     * Append a PKCS#10 request in DER (RFC 2986): the subject's parts in the order of their struct,
     * country as PrintableString, the others as UTF8String, no common name; all names in
     * subjectAltName in the given order; signed with SHA-256 (P-384: SHA-384). A subject that is
     * NULL or has only empty parts is the empty one. must_staple adds the TLS feature extension
     * (RFC 7633). AIR_ERR_BAD_NAME: a name is not a DNS name of lower-case A-labels ("*." may
     * lead). AIR_ERR_ARGUMENT: no names, or a part of the subject is out of its bounds.
     * AIR_ERR_LIMIT: over AIR_CSR_SIZE_MAX.
     */
    enum air_error (*csr_create)(void *self, uint64_t key, const struct air_subject *subject,
        const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out);

    /*
     * Append the certificate that answers a tls-alpn-01 challenge (RFC 8737 section 3) and its
     * fresh P-256 key, PEM. name is the identifier, lower-case; digest is SHA-256 of the key
     * authorization. AIR_ERR_BAD_NAME: not a DNS name of lower-case A-labels, or a wildcard.
     */
    enum air_error (*challenge_certificate)(void *self, air_span name,
        const uint8_t digest[AIR_SHA256_SIZE], air_time_ms now_wall_ms,
        struct air_buffer *certificate, struct air_buffer *key);

    /*
     * Read the first certificate of a PEM text, passing over other blocks. AIR_ERR_MALFORMED:
     * there is none, or it cannot be read. AIR_ERR_LIMIT: over AIR_CHAIN_SIZE_MAX, or longer in a
     * part than out has room for.
     */
    enum air_error (*certificate_read)(
        void *self, air_span chain, struct air_certificate_info *out);

    /* Call visit for each DNS name of the first certificate's subjectAltName, in lower case. Errors
     * as certificate_read; AIR_ERR_MALFORMED also: bytes that no host name has. */
    enum air_error (*certificate_names)(
        void *self, air_span chain, void (*visit)(void *context, air_span name), void *context);

    /*
     * Decide whether a downloaded chain is what was ordered and may be served: nothing but
     * certificates in it, at most AIR_CHAIN_COUNT_MAX; its leaf has our public key, exactly the
     * ordered names, a lifetime that has begun (an hour of skew allowed) and not ended, the
     * serverAuth usage; every certificate is signed by the next; the leaf is not the one served
     * now. On refusal a sentence for the operator, at most AIR_REASON_SIZE_MAX bytes, is appended
     * to reason.
     *
     * AIR_ERR_BAD_CERTIFICATE: not what was ordered. AIR_ERR_MALFORMED: not a chain.
     * AIR_ERR_LIMIT: over AIR_CHAIN_SIZE_MAX or AIR_CHAIN_COUNT_MAX.
     */
    enum air_error (*certificate_check)(void *self, air_span chain,
        const struct air_certificate_wish *wish, struct air_buffer *reason);
};

#ifdef __cplusplus
}
#endif

#endif
