/* SPDX-License-Identifier: MIT */
/*
 * Proving a candidate before anybody is served with it: a server that has nothing else, and a
 * client. What the CA sent is taken apart once more here, because a chain that
 * cannot be followed still makes a handshake.
 */

#include <openssl/err.h>

#include "thinair/tls.h"
#include "tls/bundle.h"
#include "tls/probe.h"

static enum air_error expect(const struct air_bundle *bundle, struct air_probe *probe);
static enum air_error prove_bundle(
    const struct air_probe *probe, const struct air_bundle *bundle, struct air_buffer *reason);
static enum air_error check_order(const STACK_OF(X509) * chain, struct air_buffer *reason);

enum air_error air_tls_prove(air_span chain, air_span key, enum air_key_type key_type,
    air_span name, struct air_buffer *reason) {
    struct air_bundle *bundle = NULL;
    struct air_probe probe;
    enum air_error error = air_probe_init(&probe, name, key_type, reason);
    if (error == AIR_OK) {
        error = air_bundle_new(chain, key, key_type, reason, &bundle);
    }
    if (error == AIR_OK) {
        error = expect(bundle, &probe);
    }
    if (error == AIR_OK) {
        error = check_order(probe.chain, reason);
    }
    if (error == AIR_OK) {
        error = prove_bundle(&probe, bundle, reason);
    }
    air_bundle_release(bundle);
    air_probe_deinit(&probe);
    return air_probe_verdict(error);
}

/* The client must see what the bundle has. */
static enum air_error expect(const struct air_bundle *bundle, struct air_probe *probe) {
    probe->chain = X509_chain_up_ref(bundle->chain);
    if (probe->chain == NULL || sk_X509_unshift(probe->chain, bundle->leaf) == 0) {
        return AIR_ERR_NO_MEMORY;
    }
    X509_up_ref(bundle->leaf);
    return AIR_OK;
}

static enum air_error prove_bundle(
    const struct air_probe *probe, const struct air_bundle *bundle, struct air_buffer *reason) {
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    enum air_error error = AIR_ERR_CRYPTO;
    if (server == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    SSL_CTX_set_mode(server, SSL_MODE_NO_AUTO_CHAIN);
    if (SSL_CTX_use_cert_and_key(server, bundle->leaf, bundle->key, bundle->chain, 1) == 1) {
        error = air_probe_memory(probe, server, TLS1_3_VERSION, reason);
    } else {
        air_reason_add(reason, "OpenSSL does not serve this certificate");
        error = AIR_ERR_BAD_CERTIFICATE;
    }
    ERR_clear_error();
    SSL_CTX_free(server);
    return error;
}

/* RFC 8446 section 4.4.2: each certificate should certify the one before it; clients rely on it. */
static enum air_error check_order(const STACK_OF(X509) * chain, struct air_buffer *reason) {
    enum air_error error = AIR_OK;
    ERR_set_mark();
    for (int i = 0; i + 1 < sk_X509_num(chain) && error == AIR_OK; i++) {
        X509 *certificate = sk_X509_value(chain, i);
        X509 *issuer = sk_X509_value(chain, i + 1);
        if (X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) != 0 ||
            X509_verify(certificate, X509_get0_pubkey(issuer)) != 1) {
            air_reason_add(reason, "a certificate of the chain is not signed by the next one");
            error = AIR_ERR_BAD_CERTIFICATE;
        }
    }
    ERR_pop_to_mark();
    return error;
}
