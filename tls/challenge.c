/* SPDX-License-Identifier: MIT */
/*
 * A validation must succeed whatever the host asks of its clients, so the connection is switched to
 * a context of our own, and what SSL_set_SSL_CTX() leaves behind of the host's settings is undone:
 * client certificates, version limits, groups, tickets. The host's other callbacks (server name,
 * ALPN, certificate) do not run on it either.
 *
 * Because it is let in without a client certificate, it must be good for nothing else: when the
 * handshake is done the connection is shut in both directions, so that even for a host that does
 * not ask air_tls_is_challenge() reading and writing fail.
 */

#include "tls/challenge.h"

#include <string.h>

#include <openssl/err.h>

/* Its address marks our contexts, in the slot OpenSSL gives to whoever made a context. */
static const char context_mark;

static bool is_switched(struct air_tls *tls, SSL *ssl);
static int select_acme(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *context);
static int accept_any_name(SSL *ssl, int *alert, void *context);
static void shut_when_done(const SSL *ssl, int where, int result);

bool air_tls_is_challenge(const SSL *ssl) {
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)) == &context_mark;
}

enum air_error air_challenge_context_new(SSL_CTX **out) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return AIR_ERR_CRYPTO;
    }
    /* RFC 8737 section 3: TLS 1.2 or later. */
    if (SSL_CTX_set_app_data(context, (void *)&context_mark) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(context, 0) != 1) {
        SSL_CTX_free(context);
        return AIR_ERR_CRYPTO;
    }
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_alpn_select_cb(context, select_acme, NULL);
    /* OpenSSL falls back to the host's callback when the current context has none. */
    SSL_CTX_set_tlsext_servername_callback(context, accept_any_name);
    SSL_CTX_set_info_callback(context, shut_when_done);
    *out = context;
    return AIR_OK;
}

int air_challenge_begin(
    struct air_tls *tls, SSL *ssl, const struct air_hello_name *name, int *alert) {
    struct air_bundle *bundle = air_table_challenge(&tls->table, ssl, name);
    if (bundle == NULL) {
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    bool is_ready = is_switched(tls, ssl) && air_bundle_load(bundle, ssl);
    air_bundle_release(bundle);
    if (!is_ready) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static bool is_switched(struct air_tls *tls, SSL *ssl) {
    /* A session of its own kind: neither resumed from the host's nor into them. */
    static const unsigned char session_kind[] = AIR_CHALLENGE_PROTOCOL;
    if (SSL_set_SSL_CTX(ssl, tls->challenge_context) == NULL ||
        SSL_set_session_id_context(ssl, session_kind, sizeof(session_kind) - 1) != 1 ||
        SSL_set_min_proto_version(ssl, TLS1_2_VERSION) != 1 ||
        SSL_set_max_proto_version(ssl, 0) != 1 || SSL_set_num_tickets(ssl, 0) != 1 ||
        SSL_set_max_early_data(ssl, 0) != 1) {
        return false;
    }
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_clear_options(ssl, SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3);
    SSL_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
    SSL_set_info_callback(ssl, shut_when_done);
    /* Groups that every validator has; a build without X25519 refuses the first list. */
    ERR_set_mark();
    bool has_groups = SSL_set1_groups_list(ssl, "X25519:P-256:P-384") == 1 ||
                      SSL_set1_groups_list(ssl, "P-256:P-384") == 1;
    ERR_pop_to_mark();
    return has_groups;
}

static int select_acme(SSL *ssl, const unsigned char **out, unsigned char *out_size,
    const unsigned char *offered, unsigned offered_size, void *context) {
    (void)ssl;
    (void)context;
    const size_t size = sizeof(AIR_CHALLENGE_PROTOCOL) - 1;
    /* The hello offered this alone: one size byte, then the name. */
    if (offered_size != 1 + size || memcmp(offered + 1, AIR_CHALLENGE_PROTOCOL, size) != 0) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = offered + 1;
    *out_size = (unsigned char)size;
    return SSL_TLSEXT_ERR_OK;
}

static int accept_any_name(SSL *ssl, int *alert, void *context) {
    (void)ssl;
    (void)alert;
    (void)context;
    return SSL_TLSEXT_ERR_OK;
}

static void shut_when_done(const SSL *ssl, int where, int result) {
    (void)result;
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
        /* The callback's type is const; the connection is not. */
        SSL_set_shutdown((SSL *)ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
}
