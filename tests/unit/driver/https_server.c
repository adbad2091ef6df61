/* SPDX-License-Identifier: MIT */
/*
 * A small HTTPS server: a thread that accepts, a thread for each connection.
 *
 * What it answers is the test's: this file reads whole requests and sends bytes. Invariant: after
 * air_https_server_free() every thread has ended and every socket is closed.
 */
#include "tests/unit/driver/https_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/span.h"

#define CONNECTIONS_MAX 64
#define REQUEST_SIZE_MAX 65536

struct connection {
    struct air_https_server *server;
    pthread_t thread;
    int fd;
    SSL *ssl;
    struct air_test_exchange exchange;
    uint8_t input[REQUEST_SIZE_MAX];
};

struct air_https_server {
    SSL_CTX *context;
    int listener;
    unsigned port;
    pthread_t thread;
    struct connection connections[CONNECTIONS_MAX];
    size_t connections_count;
    struct air_https_counts counts;
    void (*answer)(void *context, struct air_test_exchange *exchange);
    void *answer_context;
};

static void need(bool is_fine, const char *what);
static SSL_CTX *context_new(air_span chain, air_span key);
static void listen_on_loopback(struct air_https_server *server);
static void *accept_all(void *argument);
static void *serve(void *argument);
static bool serve_one(struct connection *connection);
static bool read_request(struct connection *connection);
static bool send_answer(struct connection *connection, const struct air_test_exchange *exchange);

struct air_https_server *air_https_server_new(air_span chain, air_span key,
    void (*answer)(void *context, struct air_test_exchange *exchange), void *context) {
    struct air_https_server *server = calloc(1, sizeof(*server));
    sigset_t pipe, before;

    need(server != NULL, "memory");
    server->answer = answer;
    server->answer_context = context;
    server->context = context_new(chain, key);
    listen_on_loopback(server);
    /* The server's threads alone may meet a closed connection without a signal: a client that
     * lets one arise is to be caught. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    need(pthread_create(&server->thread, NULL, accept_all, server) == 0, "a thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server;
}

void air_https_server_free(struct air_https_server *server) {
    if (server == NULL) {
        return;
    }
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->connections_count; i++) {
        shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].fd);
    }
    close(server->listener);
    SSL_CTX_free(server->context);
    free(server);
}

unsigned air_https_server_port(const struct air_https_server *server) {
    return server->port;
}

const struct air_https_counts *air_https_server_counts(const struct air_https_server *server) {
    return &server->counts;
}

void air_test_exchange_say(struct air_test_exchange *exchange, const char *text) {
    size_t size = strlen(text);

    need(exchange->answer_size + size <= sizeof(exchange->answer), "a long answer");
    memcpy(exchange->answer + exchange->answer_size, text, size);
    exchange->answer_size += size;
}

static void need(bool is_fine, const char *what) {
    if (!is_fine) {
        fprintf(stderr, "the test's server: %s\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static SSL_CTX *context_new(air_span chain, air_span key) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BIO *chain_bio = BIO_new_mem_buf(chain.data, (int)chain.size);
    BIO *key_bio = BIO_new_mem_buf(key.data, (int)key.size);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    X509 *leaf = PEM_read_bio_X509(chain_bio, NULL, NULL, NULL);
    X509 *next;

    need(context != NULL && pkey != NULL && leaf != NULL, "its certificate");
    need(SSL_CTX_use_certificate(context, leaf) == 1, "its leaf");
    need(SSL_CTX_use_PrivateKey(context, pkey) == 1, "its key");
    while ((next = PEM_read_bio_X509(chain_bio, NULL, NULL, NULL)) != NULL) {
        need(SSL_CTX_add_extra_chain_cert(context, next) == 1, "its chain");
    }
    ERR_clear_error();
    X509_free(leaf);
    EVP_PKEY_free(pkey);
    BIO_free(chain_bio);
    BIO_free(key_bio);
    return context;
}

static void listen_on_loopback(struct air_https_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(server->listener >= 0, "a socket");
    need(bind(server->listener, (struct sockaddr *)&address, size) == 0, "a port");
    need(listen(server->listener, 64) == 0, "listening");
    need(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0, "its name");
    server->port = ntohs(address.sin_port);
}

static void *accept_all(void *argument) {
    struct air_https_server *server = argument;
    int on = 1;

    while (server->connections_count < CONNECTIONS_MAX) {
        struct connection *connection = &server->connections[server->connections_count];

        connection->fd = accept(server->listener, NULL, NULL);
        if (connection->fd < 0) {
            break; /* shut down */
        }
        connection->server = server;
        (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        atomic_fetch_add(&server->counts.connections, 1);
        need(pthread_create(&connection->thread, NULL, serve, connection) == 0, "a thread");
        server->connections_count++;
    }
    return NULL;
}

static void *serve(void *argument) {
    struct connection *connection = argument;

    connection->ssl = SSL_new(connection->server->context);
    need(connection->ssl != NULL && SSL_set_fd(connection->ssl, connection->fd) == 1, "an SSL");
    if (SSL_accept(connection->ssl) == 1) {
        if (SSL_session_reused(connection->ssl) == 1) {
            atomic_fetch_add(&connection->server->counts.resumed, 1);
        }
        while (serve_one(connection)) {
        }
    }
    shutdown(connection->fd, SHUT_RDWR);
    SSL_free(connection->ssl);
    return NULL;
}

static bool serve_one(struct connection *connection) {
    struct air_test_exchange *exchange = &connection->exchange;

    memset(exchange, 0, sizeof(*exchange));
    if (!read_request(connection)) {
        return false;
    }
    atomic_fetch_add(&connection->server->counts.requests, 1);
    connection->server->answer(connection->server->answer_context, exchange);
    return send_answer(connection, exchange);
}

/* Read up to the empty line, then what Content-Length says. False: the client is gone. */
static bool read_request(struct connection *connection) {
    uint8_t *input = connection->input;
    size_t size = 0, head_size = 0, body_size = 0;

    while (head_size == 0 || size < head_size + body_size) {
        const char *length;
        const uint8_t *end;
        int count = SSL_read(connection->ssl, input + size, (int)(REQUEST_SIZE_MAX - size));

        if (count <= 0) {
            return false;
        }
        size += (size_t)count;
        end = memmem(input, size, "\r\n\r\n", 4);
        if (end == NULL) {
            continue;
        }
        head_size = (size_t)(end - input) + 4;
        length = memmem(input, head_size, "Content-Length: ", 16);
        body_size = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
    }
    connection->exchange.head = air_span_of(input, head_size);
    connection->exchange.body = air_span_of(input + head_size, size - head_size);
    return true;
}

/* False: the connection is at its end. */
static bool send_answer(struct connection *connection, const struct air_test_exchange *exchange) {
    struct linger none = {.l_onoff = 1};
    char byte;

    if (exchange->answer_size > 0 &&
        SSL_write(connection->ssl, exchange->answer, (int)exchange->answer_size) <= 0) {
        return false;
    }
    if (exchange->is_hung) {
        (void)SSL_read(connection->ssl, &byte, 1);
        return false;
    }
    if (exchange->is_cut) {
        (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        return false;
    }
    if (exchange->is_last) {
        (void)SSL_shutdown(connection->ssl);
        return false;
    }
    return true;
}
