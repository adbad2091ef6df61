/* SPDX-License-Identifier: MIT */
/*
 * What happens to a ClientHello, in the order of OpenSSL's callbacks: client_hello first, where the
 * raw extensions are readable and an alert can still be chosen, then certificate, which loads every
 * bundle so that OpenSSL picks by what the client can verify. In TLS 1.2 the certificate is chosen
 * before ALPN, so acme-tls/1 cannot be decided later than here.
 *
 * A session is bound to the name it was made for: its id context is a digest of the name. A ticket
 * for one name is then no session for another (a full handshake follows), and a host that verifies
 * clients has the id context OpenSSL demands.
 */

#include "src/base/span.h"
#include "tls/challenge.h"

#define EXTENSION_SERVER_NAME 0
#define EXTENSION_ALPN 16

static air_span get_extension(SSL *ssl, unsigned type);
static bool bind_session(struct air_tls *tls, SSL *ssl, const struct air_hello_name *name);

int air_tls_client_hello(struct air_tls *tls, SSL *ssl, int *alert) {
    struct air_hello_name name;
    air_hello_server_name(get_extension(ssl, EXTENSION_SERVER_NAME), &name);
    if (air_hello_is_validation(get_extension(ssl, EXTENSION_ALPN))) {
        return air_challenge_begin(tls, ssl, &name, alert);
    }
    if (!bind_session(tls, ssl, &name)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!air_table_knows(&tls->table, ssl, &name)) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

int air_tls_certificate(struct air_tls *tls, SSL *ssl) {
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return air_tls_certificate_for(tls, ssl, air_span_text(name));
}

int air_tls_certificate_for(struct air_tls *tls, SSL *ssl, air_span server_name) {
    struct air_hello_name name;
    struct air_choice choice;
    if (air_tls_is_challenge(ssl)) {
        return 1; /* loaded with the hello */
    }
    air_hello_name_set(server_name, &name);
    if (!air_table_choose(&tls->table, ssl, &name, &choice)) {
        return 0; /* removed since the hello */
    }
    bool is_loaded = false;
    SSL_certs_clear(ssl);
    SSL_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN);
    for (size_t i = 0; i < AIR_FAMILIES_COUNT; i++) {
        if (choice.bundles[i] != NULL) {
            is_loaded = air_bundle_load(choice.bundles[i], ssl) || is_loaded;
        }
    }
    air_choice_release(&choice);
    return is_loaded ? 1 : 0;
}

static air_span get_extension(SSL *ssl, unsigned type) {
    const unsigned char *data = NULL;
    size_t size = 0;
    if (SSL_client_hello_get0_ext(ssl, type, &data, &size) != 1) {
        return air_span_of(NULL, 0);
    }
    return air_span_of(data, size);
}

static bool bind_session(struct air_tls *tls, SSL *ssl, const struct air_hello_name *name) {
    unsigned char digest[SSL_MAX_SID_CTX_LENGTH];
    unsigned size = 0;
    return EVP_Digest(name->bytes, name->size, digest, &size, tls->sha256, NULL) == 1 &&
           SSL_set_session_id_context(ssl, digest, size) == 1;
}
