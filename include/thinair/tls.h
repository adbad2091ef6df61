/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_TLS_H
#define THINAIR_TLS_H

/*
 * TLS serving for servers on OpenSSL 3.0 and later: a table from name to certificates, the choice
 * by ClientHello, and tls-alpn-01 answers on the same port. One SSL_CTX serves every certificate.
 *
 * The table is used by any number of threads at once: handshakes read it without waiting for
 * whoever changes it. A handshake gets, for its SNI name: an exact name, else a wildcard for one
 * label, else the default; then every key type of that certificate, so that OpenSSL chooses by what
 * the client offers.
 */

#include <openssl/types.h>

#include "thinair/buffer.h"
#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_tls;
struct air_crypto; /* thinair/crypto.h */

/* Make an empty table. out: yours, air_tls_free(). AIR_ERR_NO_MEMORY, AIR_ERR_CRYPTO. */
AIR_API AIR_MUST_CHECK enum air_error air_tls_new(struct air_tls **out);

/* Free it. No attached SSL_CTX may begin a handshake any more. */
AIR_API void air_tls_free(struct air_tls *tls);

/*
 * Serve a certificate: at once for every new handshake, whole or not at all, replacing the one of
 * the same id and key type. The names of an id are those of the latest call. An id has at most one
 * ECDSA and one RSA certificate: OpenSSL offers no more on one connection, so a P-384 one takes the
 * place of a P-256 one.
 *
 * names       DNS names, in any case; "*.example.net" stands for one label. None: the id serves as
 *             the default only.
 * chain, key  PEM, leaf first; copied.
 * reason      A sentence on failure; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED (not PEM), AIR_ERR_BAD_CERTIFICATE (key, key type and leaf do
 * not fit), AIR_ERR_EXISTS (a name belongs to another id), AIR_ERR_BAD_NAME, AIR_ERR_LIMIT (chain,
 * key or names), AIR_ERR_ARGUMENT (no id, AIR_KEY_NONE) or AIR_ERR_NO_MEMORY; the table is then
 * unchanged.
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_certificate_set(struct air_tls *tls, air_span id,
    enum air_key_type key_type, const air_span *names, size_t names_count, air_span chain,
    air_span key, struct air_buffer *reason);

/* Stop serving an id, or one key type of it (AIR_KEY_NONE: all). With the last key type its names
 * go. Handshakes that have begun end with what they have. AIR_ERR_NOT_FOUND. */
AIR_API AIR_MUST_CHECK enum air_error air_tls_certificate_remove(
    struct air_tls *tls, air_span id, enum air_key_type key_type);

/* The id for clients that send no name or an unknown one; empty: refuse them (unrecognized_name,
 * alert 112). The id may be served later: until then they are refused. AIR_ERR_NO_MEMORY. */
AIR_API AIR_MUST_CHECK enum air_error air_tls_default_set(struct air_tls *tls, air_span id);

/*
 * Answer acme-tls/1 handshakes for a name with this certificate, until removed. Handshakes for
 * other names that offer only acme-tls/1 end with no_application_protocol (alert 120).
 *
 * A validation is answered whatever the SSL_CTX asks of its clients: no client certificate, TLS 1.2
 * and later, our choice of algorithms (RFC 8737 section 3). It is good for nothing else: after the
 * handshake neither SSL_read() nor SSL_write() gets through.
 *
 * name  One host; for an address its reverse name (RFC 8738 section 6).
 *
 * Returns AIR_OK, AIR_ERR_BAD_NAME, AIR_ERR_MALFORMED, AIR_ERR_LIMIT, AIR_ERR_BAD_CERTIFICATE (not
 * a pair) or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_challenge_set(
    struct air_tls *tls, air_span name, air_span certificate, air_span key);

/*
 * The same, with a certificate made for it: what a host does about AIR_ACTION_PUBLISH.
 *
 * crypto  Makes the certificate and its key (struct air_crypto, challenge_certificate).
 * digest  AIR_SHA256_SIZE bytes: of the key authorization.
 *
 * Returns also what challenge_certificate answers.
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_challenge_publish(struct air_tls *tls,
    const struct air_crypto *crypto, air_span name, const uint8_t *digest, air_time_ms now_wall_ms);

/* Answer for this name no longer. */
AIR_API void air_tls_challenge_remove(struct air_tls *tls, air_span name);

/* For how many names challenges are live now. */
AIR_API size_t air_tls_challenges_count(struct air_tls *tls);

/*
 * Serve from the table on this SSL_CTX: sets its client_hello, certificate and, when alpn is not
 * empty, its ALPN callback. The context needs no certificate of its own.
 *
 * alpn  Protocols in order of preference in ALPN wire form ("\x08http/1.1"); empty: the host's own
 * ALPN callback stays, and acme-tls/1 is answered all the same. Copied.
 *
 * Sessions: tickets and caches stay as the host has them, but a session is resumed only under the
 * server name it was made for (the session id context is set to a digest of the name).
 *
 * AIR_ERR_ARGUMENT: alpn is not in wire form, or names acme-tls/1. AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_attach(
    struct air_tls *tls, SSL_CTX *context, air_span alpn);

/*
 * For hosts that own these callbacks: call from theirs. client_hello returns what a client_hello
 * callback returns (SSL_CLIENT_HELLO_SUCCESS, _ERROR with *alert set); certificate what a
 * certificate callback returns (1, 0). For a name the table does not have, certificate returns 0
 * and leaves the connection's certificates as they are.
 *
 * A host that has certificates of its own beside the table may go on when *alert is
 * SSL_AD_UNRECOGNIZED_NAME: the table has nothing for this name, and nothing was changed but the
 * session id context.
 */
AIR_API int air_tls_client_hello(struct air_tls *tls, SSL *ssl, int *alert);
AIR_API int air_tls_certificate(struct air_tls *tls, SSL *ssl);

/*
 * As air_tls_certificate(), but as if the client had asked for this name: for hosts that know whose
 * certificate a connection without a server name of theirs gets. A validation keeps what it has.
 * The session stays bound to the name that the client did send, or to none.
 *
 * name  In any case; not checked: what is no host name, and an empty one, gets the default's.
 */
AIR_API int air_tls_certificate_for(struct air_tls *tls, SSL *ssl, air_span name);

/* Whether this connection is a CA's tls-alpn-01 validation: close it after the handshake, send it
 * nothing. True from the client_hello callback on. */
AIR_API bool air_tls_is_challenge(const SSL *ssl);

/*
 * Prove a candidate before it is served: a TLS 1.3 handshake in memory with a client that verifies
 * that it gets this chain and that the leaf names `name` (a wildcard stands for a host below it).
 * No supported key type serves one version and not the other. Each certificate must be signed by
 * the next. Trust in the root and dates are not judged.
 *
 * Returns AIR_OK, AIR_ERR_NOT_PROVEN with a sentence in reason (may be NULL), AIR_ERR_BAD_NAME,
 * AIR_ERR_ARGUMENT (AIR_KEY_NONE), AIR_ERR_NO_MEMORY or AIR_ERR_CRYPTO. Empties the thread's
 * OpenSSL error queue, as do the probes.
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_prove(air_span chain, air_span key,
    enum air_key_type key_type, air_span name, struct air_buffer *reason);

/*
 * The same after it is served: against a server context in memory, or against a connected, blocking
 * socket whose time limits the caller has set (it is not closed). What is sent must be this chain,
 * byte for byte.
 *
 * context  Its callbacks run on a connection that has no socket and no data of the host's. TLS 1.3
 *          and 1.2 are both tried: one must work, and none may show another chain. Client
 *          certificates are not asked for.
 * socket   The version is what both sides choose. Also AIR_ERR_TIMEOUT (its time limit passed) and
 *          AIR_ERR_NETWORK (it was closed).
 */
AIR_API AIR_MUST_CHECK enum air_error air_tls_probe_context(SSL_CTX *context, air_span name,
    enum air_key_type key_type, air_span chain, struct air_buffer *reason);
AIR_API AIR_MUST_CHECK enum air_error air_tls_probe_socket(int socket, air_span name,
    enum air_key_type key_type, air_span chain, struct air_buffer *reason);

#ifdef __cplusplus
}
#endif

#endif
