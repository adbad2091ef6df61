/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_PROXY_PROTOCOL_H
#define AIR_FRONT_PROXY_PROTOCOL_H

/*
 * The PROXY protocol, version 2, as HAProxy's proxy-protocol.txt has it: what a front tells its
 * backend about the client.
 */

#include <sys/socket.h>

#include "thinair/thinair.h"

/* Signature and lengths, two IPv6 endpoints, two texts of a byte's length each. */
#define AIR_PROXY_HEADER_SIZE_MAX (16 + 36 + 2 * (3 + 255))

struct air_proxy_header {
    const struct sockaddr *client; /* the two ends of the client's connection */
    const struct sockaddr *local;
    air_span alpn;      /* the protocol agreed on; empty: none */
    air_span authority; /* the SNI name; empty: none */
};

/*
 * Write the header and return its size. IPv4 addresses mapped to IPv6 are written as IPv4. Ends of
 * another or of different families are left out: the header then says "unknown". A text of more
 * than 255 bytes is left out.
 */
size_t air_proxy_header_write(
    const struct air_proxy_header *header, uint8_t out[AIR_PROXY_HEADER_SIZE_MAX]);

#endif
