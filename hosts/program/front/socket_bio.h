/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_SOCKET_BIO_H
#define AIR_FRONT_SOCKET_BIO_H

/*
 * OpenSSL's way to a socket that never raises SIGPIPE: its own socket BIO uses write().
 */

#include <openssl/bio.h>

/* Free with BIO_meth_free() after every BIO made from it. NULL: no memory. */
BIO_METHOD *air_front_socket_method_new(void);

/* A BIO on a non-blocking socket, which it does not close. NULL: no memory. */
BIO *air_front_socket_bio_new(const BIO_METHOD *method, int socket);

#endif
