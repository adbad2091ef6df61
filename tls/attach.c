/* SPDX-License-Identifier: MIT */
/*
 * Hanging the table on a host's SSL_CTX: the two callbacks of select.c, and the host's ALPN list
 * where it has us serve one. Hosts that own these callbacks call select.c themselves.
 * Invariant: a context that could not be attached has none of our callbacks.
 */

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "tls/challenge.h"

static bool is_protocol_list(air_span alpn);
static int on_client_hello(SSL *ssl, int *alert, void *context);
static int on_certificate(SSL *ssl, void *context);
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *context);

enum air_error air_tls_attach(struct air_tls *tls, SSL_CTX *context, air_span alpn) {
    if (!is_protocol_list(alpn)) {
        return AIR_ERR_ARGUMENT;
    }
    if (alpn.size > 0) {
        struct air_attachment *attachment = air_memory_new(sizeof(*attachment) + alpn.size);
        if (attachment == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        attachment->alpn_size = alpn.size;
        memcpy(attachment->alpn, alpn.data, alpn.size);
        pthread_mutex_lock(&tls->table.change);
        attachment->next = tls->attachments;
        tls->attachments = attachment;
        pthread_mutex_unlock(&tls->table.change);
        SSL_CTX_set_alpn_select_cb(context, on_alpn, attachment);
    }
    SSL_CTX_set_client_hello_cb(context, on_client_hello, tls);
    SSL_CTX_set_cert_cb(context, on_certificate, tls);
    return AIR_OK;
}

/* Whether it is in wire form and leaves acme-tls/1 to us (R-G6). Empty is. */
static bool is_protocol_list(air_span alpn) {
    while (alpn.size > 0) {
        size_t size = alpn.data[0];
        if (size == 0 || size >= alpn.size) {
            return false;
        }
        air_span protocol = air_span_take(air_span_skip(alpn, 1), size);
        if (air_span_equal_text(protocol, AIR_CHALLENGE_PROTOCOL)) {
            return false;
        }
        alpn = air_span_skip(alpn, 1 + size);
    }
    return true;
}

static int on_client_hello(SSL *ssl, int *alert, void *context) {
    return air_tls_client_hello(context, ssl, alert);
}

static int on_certificate(SSL *ssl, void *context) {
    return air_tls_certificate(context, ssl);
}

/* The host's order decides. Without a common protocol the handshake ends (RFC 7301 section 3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *context) {
    const struct air_attachment *attachment = context;
    unsigned char *selected = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&selected, out_size, attachment->alpn,
            (unsigned)attachment->alpn_size, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}
