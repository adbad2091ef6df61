/* SPDX-License-Identifier: MIT */
/*
 * Writes PROXY protocol v2 headers (proxy-protocol.txt section 2.2): signature, command PROXY over
 * TCP, both ends, then the ALPN and authority TLVs. Nothing is read or parsed here.
 *
 * Invariant: the length field is what follows the first 16 bytes.
 */

#include "hosts/program/front/proxy_protocol.h"

#include <netinet/in.h>
#include <string.h>

enum {
    PREFIX_SIZE = 16,
    VERSION_2_PROXY = 0x21,
    TCP_OVER_IPV4 = 0x11,
    TCP_OVER_IPV6 = 0x21,
    UNSPECIFIED = 0x00,
    TLV_ALPN = 0x01,
    TLV_AUTHORITY = 0x02
};

/* An end as it goes into the header. */
struct end {
    uint8_t address[16];
    size_t size; /* 4, 16, or 0: unknown */
    uint16_t port;
};

static const uint8_t signature[12] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static struct end end_of(const struct sockaddr *address);
static void end_widen(struct end *end);
static uint8_t *put_ends(uint8_t *to, const struct end *client, const struct end *local);
static uint8_t *put_tlv(uint8_t *to, uint8_t type, air_span value);
static uint8_t *put_u16(uint8_t *to, size_t value);

size_t air_proxy_header_write(
    const struct air_proxy_header *header, uint8_t out[AIR_PROXY_HEADER_SIZE_MAX]) {
    struct end client = end_of(header->client);
    struct end local = end_of(header->local);
    if (client.size != 0 && local.size != 0 && client.size != local.size) {
        end_widen(&client);
        end_widen(&local);
    }
    memcpy(out, signature, sizeof signature);
    out[12] = VERSION_2_PROXY;
    out[13] = UNSPECIFIED;
    uint8_t *to = out + PREFIX_SIZE;
    if (client.size != 0 && local.size != 0) {
        out[13] = client.size == 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
        to = put_ends(to, &client, &local);
    }
    to = put_tlv(to, TLV_ALPN, header->alpn);
    to = put_tlv(to, TLV_AUTHORITY, header->authority);
    put_u16(out + 14, (size_t)(to - out) - PREFIX_SIZE);
    return (size_t)(to - out);
}

static struct end end_of(const struct sockaddr *address) {
    struct end end = {.size = 0};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        memcpy(end.address, &v4->sin_addr, 4);
        end.size = 4;
        end.port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)address;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        end.size = is_mapped ? 4 : 16;
        memcpy(end.address, v6->sin6_addr.s6_addr + (is_mapped ? 12 : 0), end.size);
        end.port = ntohs(v6->sin6_port);
    }
    return end;
}

/* IPv4 as the IPv6 address it is mapped to (RFC 4291 section 2.5.5.2). */
static void end_widen(struct end *end) {
    if (end->size == 4) {
        memcpy(end->address + 12, end->address, 4);
        memset(end->address, 0, 10);
        memset(end->address + 10, 0xff, 2);
        end->size = 16;
    }
}

static uint8_t *put_ends(uint8_t *to, const struct end *client, const struct end *local) {
    memcpy(to, client->address, client->size);
    to += client->size;
    memcpy(to, local->address, local->size);
    to += local->size;
    to = put_u16(to, client->port);
    return put_u16(to, local->port);
}

static uint8_t *put_tlv(uint8_t *to, uint8_t type, air_span value) {
    if (value.size == 0 || value.size > 255) {
        return to;
    }
    *to++ = type;
    to = put_u16(to, value.size);
    memcpy(to, value.data, value.size);
    return to + value.size;
}

static uint8_t *put_u16(uint8_t *to, size_t value) {
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return to + 2;
}
