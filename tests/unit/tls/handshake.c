/* SPDX-License-Identifier: MIT */
/*
 * A client and a server of OpenSSL's over a BIO pair, driven in turns by one thread until both are
 * done or one refuses. Nothing is verified here: the tests judge what was seen.
 * Invariant: a run leaves nothing in the thread's error queue and nothing allocated but the seen.
 */

#include "tests/unit/tls/handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "src/base/span.h"

#define TURNS_COUNT_MAX 200
#define CHAIN_SIZE_MAX 65536

/* 2020 and 2090. */
#define NOT_BEFORE_MS INT64_C(1577836800000)
#define NOT_AFTER_MS INT64_C(3786912000000)

static SSL *client_new(SSL_CTX *context, const struct air_test_hello *hello);
static void talk(SSL *client, SSL *server, struct air_test_seen *seen);
static void look(SSL *client, SSL *server, struct air_test_seen *seen);
static void note_alert(const SSL *ssl, int where, int result);
static void must(bool is_true, const char *what);

void air_test_pair_init(struct air_test_pair *pair, struct air_test_pki *pki,
    enum air_key_type key_type, const char *name) {
    air_span names[] = {air_span_text(name)};
    air_buffer_init(&pair->chain, CHAIN_SIZE_MAX);
    air_buffer_init(&pair->key, CHAIN_SIZE_MAX);
    air_test_pki_issue(
        pki, key_type, names, 1, NOT_BEFORE_MS, NOT_AFTER_MS, &pair->chain, &pair->key);
}

void air_test_pair_deinit(struct air_test_pair *pair) {
    air_buffer_deinit(&pair->chain);
    air_buffer_deinit(&pair->key);
}

void air_test_handshake(SSL_CTX *server_context, const struct air_test_hello *hello,
    bool (*is_challenge)(const SSL *ssl), struct air_test_seen *seen) {
    BIO *client_end = NULL;
    BIO *server_end = NULL;
    memset(seen, 0, sizeof(*seen));
    seen->alert = -1;
    ERR_clear_error();
    SSL_CTX *client_context = SSL_CTX_new(TLS_client_method());
    must(client_context != NULL, "SSL_CTX_new");
    if (hello->client != NULL) {
        hello->client(client_context);
    }
    SSL *client = client_new(client_context, hello);
    SSL *server = SSL_new(server_context);
    must(server != NULL, "SSL_new");
    must(BIO_new_bio_pair(&client_end, 0, &server_end, 0) == 1, "BIO_new_bio_pair");
    SSL_set_bio(client, client_end, client_end);
    SSL_set_bio(server, server_end, server_end);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    SSL_set_app_data(client, seen);
    SSL_set_info_callback(client, note_alert);
    talk(client, server, seen);
    look(client, server, seen);
    seen->is_challenge = is_challenge != NULL && is_challenge(server);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(client_context);
    ERR_clear_error();
}

void air_test_seen_deinit(struct air_test_seen *seen) {
    X509_free(seen->leaf);
    SSL_SESSION_free(seen->session);
}

bool air_test_has_leaf(const struct air_test_seen *seen, const struct air_test_pair *pair) {
    BIO *pem = BIO_new_mem_buf(pair->chain.data, (int)pair->chain.size);
    X509 *leaf = PEM_read_bio_X509(pem, NULL, NULL, NULL);
    must(leaf != NULL, "PEM_read_bio_X509");
    bool is_same = seen->leaf != NULL && X509_cmp(seen->leaf, leaf) == 0;
    X509_free(leaf);
    BIO_free(pem);
    return is_same;
}

static SSL *client_new(SSL_CTX *context, const struct air_test_hello *hello) {
    SSL *client = SSL_new(context);
    must(client != NULL, "SSL_new");
    if (hello->name != NULL) {
        must(SSL_set_tlsext_host_name(client, hello->name) == 1, "SSL_set_tlsext_host_name");
    }
    if (hello->version != 0) {
        must(SSL_set_min_proto_version(client, hello->version) == 1 &&
                 SSL_set_max_proto_version(client, hello->version) == 1,
            "a version");
    }
    if (hello->signatures != NULL) {
        must(SSL_set1_sigalgs_list(client, hello->signatures) == 1, "SSL_set1_sigalgs_list");
    }
    if (hello->ciphers != NULL) {
        must(SSL_set_cipher_list(client, hello->ciphers) == 1, "SSL_set_cipher_list");
    }
    if (hello->alpn.size > 0) {
        must(SSL_set_alpn_protos(client, hello->alpn.data, (unsigned)hello->alpn.size) == 0,
            "SSL_set_alpn_protos");
    }
    if (hello->session != NULL) {
        must(SSL_set_session(client, hello->session) == 1, "SSL_set_session");
    }
    return client;
}

static void talk(SSL *client, SSL *server, struct air_test_seen *seen) {
    for (int turn = 0; turn < TURNS_COUNT_MAX; turn++) {
        int client_result = SSL_do_handshake(client);
        bool is_refused =
            client_result != 1 && SSL_get_error(client, client_result) != SSL_ERROR_WANT_READ;
        ERR_clear_error();
        int server_result = SSL_do_handshake(server);
        ERR_clear_error();
        if (is_refused) {
            return;
        }
        if (client_result == 1 && server_result == 1) {
            seen->is_done = true;
            return;
        }
    }
}

/* Read what the client knows; send a byte, behind which tickets are read, and look for the end. */
static void look(SSL *client, SSL *server, struct air_test_seen *seen) {
    char byte = 'x';
    const unsigned char *alpn = NULL;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(client, &alpn, &alpn_size);
    must(alpn_size < sizeof(seen->alpn), "a protocol's size");
    if (alpn_size > 0) {
        memcpy(seen->alpn, alpn, alpn_size);
    }
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(client);
    seen->chain_count = chain == NULL ? 0 : sk_X509_num(chain);
    seen->leaf = SSL_get1_peer_certificate(client);
    if (!seen->is_done) {
        return;
    }
    seen->is_served = SSL_write(server, &byte, 1) == 1 && SSL_read(client, &byte, 1) == 1;
    ERR_clear_error();
    int result = SSL_read(server, &byte, 1);
    seen->is_closed = SSL_get_error(server, result) != SSL_ERROR_WANT_READ;
    seen->is_resumed = SSL_session_reused(client) == 1;
    seen->session = SSL_get1_session(client);
    seen->has_ticket = seen->session != NULL && SSL_SESSION_has_ticket(seen->session) == 1;
    /* Without a goodbye OpenSSL would forget the session. */
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_set_shutdown(server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

static void note_alert(const SSL *ssl, int where, int result) {
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT) {
        struct air_test_seen *seen = SSL_get_app_data(ssl);
        seen->alert = result & 0xff;
    }
}

static void must(bool is_true, const char *what) {
    if (!is_true) {
        (void)fprintf(stderr, "a test's own handshake failed: %s\n", what);
        abort();
    }
}
