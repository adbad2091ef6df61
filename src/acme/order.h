/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_ORDER_H
#define AIR_ACME_ORDER_H

/*
 * Orders (RFC 8555 sections 7.1.3 and 7.4).
 */

#include "src/acme/problem.h"

/* Largest order that is read, in bytes, and most authorizations it may have (hardening 3.6). */
#define AIR_ORDER_SIZE_MAX 262144
#define AIR_AUTHORIZATIONS_MAX 100

enum air_order_status {
    AIR_ORDER_UNKNOWN, /* a status of the future: read the order again later */
    AIR_ORDER_PENDING,
    AIR_ORDER_READY,
    AIR_ORDER_PROCESSING,
    AIR_ORDER_VALID,
    AIR_ORDER_INVALID
};

/* An order as the CA shows it. Spans lie in `text`. */
struct air_order {
    struct air_buffer text;
    enum air_order_status status;
    air_time_ms expires_ms; /* wall; 0: not said */
    air_span finalize;
    air_span certificate; /* empty until valid */
    air_span authorizations[AIR_AUTHORIZATIONS_MAX];
    size_t authorizations_count;
    struct air_problem problem;     /* of an invalid order */
    struct air_buffer problem_text; /* empty when the CA gave no error */
};

/* Append the payload of newOrder for DNS names. */
enum air_error air_order_write(
    const air_span *names, size_t names_count, struct air_buffer *payload);

/* Append the payload of finalize: the CSR, DER. */
enum air_error air_order_write_finalize(air_span csr, struct air_buffer *payload);

/*
 * Read an order. Members of the future are ignored; the order of authorizations means nothing.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_LIMIT (too many authorizations), or AIR_ERR_MALFORMED:
 * not an object, no status, or a URL that leads to another host (R-A3).
 */
enum air_error air_order_read(air_span body, air_span directory_url, struct air_order *out);

/* Frees what read made; a zeroed struct is accepted. */
void air_order_deinit(struct air_order *order);

#endif
