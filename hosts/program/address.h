/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_ADDRESS_H
#define AIR_PROGRAM_ADDRESS_H

/*
 * Addresses as people write them, and listening sockets.
 */

#include "thinair/buffer.h"

/* Longest host part. */
#define AIR_ADDRESS_HOST_SIZE_MAX 253

struct air_address {
    char host[AIR_ADDRESS_HOST_SIZE_MAX + 1]; /* without brackets; empty: every address */
    uint16_t port;                            /* 0: the system chooses, only for listening */
};

/*
 * Read "host:port", "1.2.3.4:port", "[v6]:port" or, if may_be_any, ":port".
 *
 * reason  On AIR_ERR_MALFORMED what is wrong and how to write it, without the place.
 */
enum air_error air_address_read(
    air_span text, bool may_be_any, struct air_address *out, struct air_buffer *reason);

/* Append it as people write it. */
void air_address_write(const struct air_address *address, struct air_buffer *out);

/*
 * Make listening sockets for an address, non-blocking, closed on exec: one for each address of the
 * machine that host stands for, at most sockets_max. Every address (":port") is one socket that
 * takes IPv6 and IPv4 where the machine has IPv6.
 *
 * count  How many were made.
 *
 * Returns AIR_OK, AIR_ERR_BUSY (port taken), AIR_ERR_PERMISSION (ports below 1024 need root or
 * CAP_NET_BIND_SERVICE) or AIR_ERR_NETWORK; none is then left open, and reason says what to do.
 */
enum air_error air_address_listen(const struct air_address *address, int *sockets,
    size_t sockets_max, size_t *count, struct air_buffer *reason);

/* The port that a socket is bound to. */
uint16_t air_address_port_of(int socket);

#endif
