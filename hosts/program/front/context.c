/* SPDX-License-Identifier: MIT */
/*
 * The settings of the front's SSL_CTX. Certificates, acme-tls/1 and ALPN are the table's, which the
 * caller attaches afterwards.
 */

#include <openssl/ssl.h>

#include "hosts/program/front/front.h"
#include "hosts/program/front/tickets.h"

/* Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else. */
#define TLS_1_2_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static int accept_name(SSL *ssl, int *alert, void *unused);
static bool context_set(SSL_CTX *context);

enum air_error air_front_context_new(SSL_CTX **out) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL || !context_set(context)) {
        SSL_CTX_free(context);
        return AIR_ERR_CRYPTO;
    }
    enum air_error error = air_front_tickets_attach(context);
    if (error != AIR_OK) {
        SSL_CTX_free(context);
        return error;
    }
    *out = context;
    return AIR_OK;
}

static bool context_set(SSL_CTX *context) {
    static const unsigned char id[] = "thinair";
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need no memory here */
    SSL_CTX_set_tlsext_servername_callback(context, accept_name);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, TLS_1_2_CIPHERS) == 1 &&
           SSL_CTX_set_session_id_context(context, id, sizeof id - 1) == 1;
}

/* Accepting the name keeps it in the session, so that a resumed TLS 1.2 connection still has one to
 * choose its backend by. */
static int accept_name(SSL *ssl, int *alert, void *unused) {
    (void)alert;
    (void)unused;
    bool is_sent = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL;
    return is_sent ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}
