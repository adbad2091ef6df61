/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_TRANSPORT_H
#define AIR_TLS_TRANSPORT_H

/*
 * Carrying a client's handshake to a server, in memory or over a socket.
 */

#include <openssl/ssl.h>

#include "thinair/thinair.h"

/*
 * Run the handshake until the client is done: it has then seen the server's certificates and the
 * proof that the server has the key. The thread's error queue is emptied first and afterwards holds
 * why it failed, the root cause first.
 *
 * Returns AIR_OK, AIR_ERR_TLS (refused by either side) or AIR_ERR_NO_MEMORY.
 */
AIR_MUST_CHECK enum air_error air_transport_memory(SSL *client, SSL *server);

/*
 * The same over a connected, blocking socket, which stays open; the client then says goodbye. Also
 * AIR_ERR_TIMEOUT (the socket's own limit) and AIR_ERR_NETWORK (closed, reset). Never raises
 * SIGPIPE.
 */
AIR_MUST_CHECK enum air_error air_transport_socket(SSL *client, int socket);

#endif
