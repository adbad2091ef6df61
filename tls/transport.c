/* SPDX-License-Identifier: MIT */
/*
 * The two ways a probe's bytes travel. OpenSSL sees memory only: its socket BIO would raise SIGPIPE
 * in a host that did not ask for it. The number of turns is bounded, so that a peer that sends for
 * ever ends the probe, not the thread.
 */

#include "tls/transport.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/err.h>

/* Eight large certificates are carried in a few dozen. */
#define TURNS_COUNT_MAX 1000
#define RECORD_SIZE_MAX 16384

enum progress { DONE, WAITING, FAILED };

static enum progress step(SSL *ssl);
static enum air_error talk(SSL *client, int socket, BIO *incoming, BIO *outgoing);
static enum air_error send_all(int socket, BIO *outgoing);
static enum air_error receive_some(int socket, BIO *incoming);
static enum air_error socket_error(void);

enum air_error air_transport_memory(SSL *client, SSL *server) {
    BIO *client_end = NULL;
    BIO *server_end = NULL;
    ERR_clear_error();
    if (BIO_new_bio_pair(&client_end, 0, &server_end, 0) != 1) {
        return AIR_ERR_NO_MEMORY;
    }
    SSL_set_bio(client, client_end, client_end);
    SSL_set_bio(server, server_end, server_end);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int turn = 0; turn < TURNS_COUNT_MAX; turn++) {
        enum progress progress = step(client);
        if (progress == WAITING && step(server) == FAILED) {
            progress = step(client); /* the alert */
            progress = progress == DONE ? DONE : FAILED;
        }
        if (progress != WAITING) {
            return progress == DONE ? AIR_OK : AIR_ERR_TLS;
        }
    }
    return AIR_ERR_TLS;
}

enum air_error air_transport_socket(SSL *client, int socket) {
    ERR_clear_error();
    BIO *incoming = BIO_new(BIO_s_mem());
    BIO *outgoing = BIO_new(BIO_s_mem());
    if (incoming == NULL || outgoing == NULL) {
        BIO_free(incoming);
        BIO_free(outgoing);
        return AIR_ERR_NO_MEMORY;
    }
    SSL_set_bio(client, incoming, outgoing);
    SSL_set_connect_state(client);
    enum air_error error = talk(client, socket, incoming, outgoing);
    if (error == AIR_OK) {
        (void)SSL_shutdown(client);
        (void)send_all(socket, outgoing); /* politeness: the proof is complete */
    }
    return error;
}

/* A turn of either side; a side that needs its host's answer to go on has failed. */
static enum progress step(SSL *ssl) {
    int result = SSL_do_handshake(ssl);
    if (result == 1) {
        return DONE;
    }
    int why = SSL_get_error(ssl, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? WAITING : FAILED;
}

static enum air_error talk(SSL *client, int socket, BIO *incoming, BIO *outgoing) {
    for (int turn = 0; turn < TURNS_COUNT_MAX; turn++) {
        enum progress progress = step(client);
        enum air_error error = send_all(socket, outgoing);
        if (progress == FAILED) {
            return AIR_ERR_TLS;
        }
        if (error != AIR_OK) {
            return error;
        }
        if (progress == DONE) {
            return AIR_OK;
        }
        error = receive_some(socket, incoming);
        if (error != AIR_OK) {
            return error;
        }
    }
    return AIR_ERR_TLS;
}

static enum air_error send_all(int socket, BIO *outgoing) {
    char *data = NULL;
    long size = BIO_get_mem_data(outgoing, &data);
    for (long at = 0; at < size;) {
        ssize_t sent = send(socket, data + at, (size_t)(size - at), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return socket_error();
        }
        at += sent;
    }
    (void)BIO_reset(outgoing);
    return AIR_OK;
}

static enum air_error receive_some(int socket, BIO *incoming) {
    unsigned char bytes[RECORD_SIZE_MAX];
    ssize_t size = recv(socket, bytes, sizeof(bytes), 0);
    while (size < 0 && errno == EINTR) {
        size = recv(socket, bytes, sizeof(bytes), 0);
    }
    if (size < 0) {
        return socket_error();
    }
    if (size == 0) {
        return AIR_ERR_NETWORK;
    }
    return BIO_write(incoming, bytes, (int)size) == (int)size ? AIR_OK : AIR_ERR_NO_MEMORY;
}

static enum air_error socket_error(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? AIR_ERR_TIMEOUT : AIR_ERR_NETWORK;
}
