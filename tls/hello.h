/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_HELLO_H
#define AIR_TLS_HELLO_H

/*
 * What a ClientHello asks for, read from its raw extensions: pure functions on foreign bytes.
 */

#include "src/base/name.h"

/* A server name in normal form: lower-case, no trailing dot. Size 0: none, or no host name. */
struct air_hello_name {
    uint8_t bytes[AIR_NAME_SIZE_MAX];
    size_t size;
};

/* The host name of a server_name extension (RFC 6066 section 3). Anything malformed is no name:
 * OpenSSL refuses such a hello by itself. */
void air_hello_server_name(air_span extension, struct air_hello_name *out);

/* Normalize the text of a server name. */
void air_hello_name_set(air_span text, struct air_hello_name *out);

/* Whether an ALPN extension (RFC 7301 section 3.1) offers exactly one protocol, acme-tls/1: a CA's
 * validation (RFC 8737 section 3). */
bool air_hello_is_validation(air_span extension);

#endif
