/* SPDX-License-Identifier: MIT */
/*
 * A BIO that sends with MSG_NOSIGNAL, so that a client that vanished is an error code and not a
 * signal for a process that may have left SIGPIPE as it was. The socket belongs to the connection;
 * SSL_get_fd() finds it.
 */

#include "hosts/program/front/socket_bio.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

static int socket_write(BIO *bio, const char *data, int size);
static int socket_read(BIO *bio, char *data, int size);
static long socket_control(BIO *bio, int command, long number, void *pointer);
static int socket_of(BIO *bio);

BIO_METHOD *air_front_socket_method_new(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "socket");
    if (method == NULL) {
        return NULL;
    }
    if (BIO_meth_set_write(method, socket_write) != 1 ||
        BIO_meth_set_read(method, socket_read) != 1 ||
        BIO_meth_set_ctrl(method, socket_control) != 1) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

BIO *air_front_socket_bio_new(const BIO_METHOD *method, int socket) {
    BIO *bio = BIO_new(method);
    if (bio != NULL) {
        BIO_set_data(bio, (void *)(intptr_t)socket);
        BIO_set_init(bio, 1);
    }
    return bio;
}

static int socket_write(BIO *bio, const char *data, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t sent = send(socket_of(bio), data, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return (int)sent;
}

static int socket_read(BIO *bio, char *data, int size) {
    BIO_clear_retry_flags(bio);
    ssize_t received = recv(socket_of(bio), data, (size_t)size, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
    }
    if (received == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return (int)received;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    if (command == BIO_CTRL_FLUSH) {
        return 1;
    }
    if (command == BIO_CTRL_EOF) {
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    }
    if (command == BIO_C_GET_FD) {
        if (pointer != NULL) {
            *(int *)pointer = socket_of(bio);
        }
        return socket_of(bio);
    }
    return 0;
}

static int socket_of(BIO *bio) {
    return (int)(intptr_t)BIO_get_data(bio);
}
