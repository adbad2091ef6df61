/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_OBJECT_H
#define AIR_TLS_OBJECT_H

/*
 * What stands behind struct air_tls.
 */

#include "thinair/tls.h"
#include "tls/table.h"

/* Protocols for one air_tls_attach(): OpenSSL keeps its address. */
struct air_attachment {
    struct air_attachment *next;
    size_t alpn_size;
    uint8_t alpn[];
};

struct air_tls {
    struct air_table table;
    SSL_CTX *challenge_context;         /* what a validation is switched to */
    EVP_MD *sha256;                     /* fetched once: fetching is slow */
    struct air_attachment *attachments; /* under table.change */
};

#endif
