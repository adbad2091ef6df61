/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_CHALLENGE_H
#define AIR_TLS_CHALLENGE_H

/*
 * Answering a CA's tls-alpn-01 validation (RFC 8737) on a connection of the host's.
 */

#include "tls/hello.h"
#include "tls/object.h"

/* The protocol, as an ALPN list names it (RFC 8737 section 6.2). */
#define AIR_CHALLENGE_PROTOCOL "acme-tls/1"

/* Make the context that validations are switched to. out: yours, SSL_CTX_free(). AIR_ERR_CRYPTO. */
AIR_MUST_CHECK enum air_error air_challenge_context_new(SSL_CTX **out);

/*
 * In a client_hello callback, for a hello that offers acme-tls/1 alone: switch the connection to
 * the live challenge of that name. Returns what the callback returns; without a challenge an error
 * with *alert no_application_protocol (RFC 7301 section 3.2).
 */
int air_challenge_begin(
    struct air_tls *tls, SSL *ssl, const struct air_hello_name *name, int *alert);

#endif
