/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_PROBE_H
#define AIR_TLS_PROBE_H

/*
 * A client that can verify one type of key only, and what it must see.
 */

#include <openssl/ssl.h>

#include "thinair/buffer.h"

/* Longest host name of a server_name extension and its terminator. */
#define AIR_PROBE_HOST_SIZE 254

struct air_probe {
    SSL_CTX *client;
    STACK_OF(X509) * chain; /* what must be sent, leaf first; freed by air_probe_deinit() */
    char host[AIR_PROBE_HOST_SIZE];
};

/*
 * Make ready, but for the chain, which the caller sets.
 *
 * name  In any case; for a wildcard a host below it is asked for.
 *
 * Returns AIR_OK, AIR_ERR_ARGUMENT (key_type), AIR_ERR_BAD_NAME, AIR_ERR_NO_MEMORY or
 * AIR_ERR_CRYPTO. In every case air_probe_deinit() is due.
 */
AIR_MUST_CHECK enum air_error air_probe_init(
    struct air_probe *probe, air_span name, enum air_key_type key_type, struct air_buffer *reason);
void air_probe_deinit(struct air_probe *probe);

/*
 * One handshake in memory in one version (TLS1_3_VERSION).
 *
 * Returns AIR_OK, AIR_ERR_BAD_CERTIFICATE (something else is served), AIR_ERR_TLS (no handshake),
 * AIR_ERR_NO_MEMORY; a sentence is in reason.
 */
AIR_MUST_CHECK enum air_error air_probe_memory(
    const struct air_probe *probe, SSL_CTX *server, int version, struct air_buffer *reason);

/* How a caller of the public functions learns of it: what tells about the certificate is
 * AIR_ERR_NOT_PROVEN. */
enum air_error air_probe_verdict(enum air_error error);

#endif
