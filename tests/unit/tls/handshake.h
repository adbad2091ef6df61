/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_HANDSHAKE_H
#define AIR_TEST_HANDSHAKE_H

/*
 * TLS handshakes in memory, as any client may make them, and certificates to serve. What goes wrong
 * inside ends the test program.
 */

#include <openssl/ssl.h>

#include "tests/support/test_pki.h"
#include "thinair/buffer.h"

/* A chain and its key, PEM. */
struct air_test_pair {
    struct air_buffer chain;
    struct air_buffer key;
};

/* name: one DNS name. Free it with air_test_pair_deinit(). */
void air_test_pair_init(struct air_test_pair *pair, struct air_test_pki *pki,
    enum air_key_type key_type, const char *name);
void air_test_pair_deinit(struct air_test_pair *pair);

/* What a client says. Zero or NULL: OpenSSL's default, no extension. */
struct air_test_hello {
    const char *name;
    int version;            /* the only one */
    const char *signatures; /* as SSL_CTX_set1_sigalgs_list() takes them */
    const char *ciphers;    /* TLS 1.2 */
    air_span alpn;          /* in wire form */
    SSL_SESSION *session;   /* to be resumed */
    void (*client)(SSL_CTX *client);
};

/* What came of it. */
struct air_test_seen {
    bool is_done;      /* both sides */
    int alert;         /* that the client received; -1: none */
    X509 *leaf;        /* that the client received, or NULL */
    int chain_count;   /* certificates received, the leaf included */
    char alpn[32];     /* "" when none was selected */
    bool is_challenge; /* air_tls_is_challenge() of the server's side, in every state */
    bool is_resumed;
    bool is_served;       /* a byte went from the server to the client */
    bool is_closed;       /* the server's SSL_read() has nothing to wait for */
    bool has_ticket;      /* the client was given one */
    SSL_SESSION *session; /* or NULL */
};

/* Run it. is_challenge tells about the server's side of a connection; may be NULL. */
void air_test_handshake(SSL_CTX *server, const struct air_test_hello *hello,
    bool (*is_challenge)(const SSL *ssl), struct air_test_seen *seen);
void air_test_seen_deinit(struct air_test_seen *seen);

/* Whether the client received this chain's first certificate. */
bool air_test_has_leaf(const struct air_test_seen *seen, const struct air_test_pair *pair);

#endif
