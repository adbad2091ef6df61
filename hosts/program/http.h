/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_HTTP_H
#define AIR_PROGRAM_HTTP_H

/*
 * Plain HTTP on --http: answers http-01 challenges, sends everything else for a configured name to
 * https, and knows nothing more.
 */

#include "thinair/responder.h"

/* How many connections at once, and of one address, which must not take them all. A CA, or a proxy
 * in front of us, comes from one address: every lineage that is worked on may bring several. */
#define AIR_HTTP_CONNECTIONS_MAX 1024
#define AIR_HTTP_CONNECTIONS_OF_ONE_MAX 512
#define AIR_HTTP_REQUEST_SIZE_MAX 16384
#define AIR_HTTP_IDLE_S 5

struct air_plain_http;

struct air_plain_http_config {
    size_t size;                     /* sizeof(struct air_plain_http_config) */
    const int *listeners;            /* listening stream sockets */
    size_t listeners_count;          /* at least 1 */
    struct air_responder *responder; /* must outlive the server */
    uint16_t https_port;             /* where redirects point; 0: none are sent */
};

/*
 * Start answering. The listeners are the server's from now on, also after a failure.
 *
 * out     Yours: air_plain_http_stop(). reason: a sentence on failure.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY or AIR_ERR_NETWORK.
 */
enum air_error air_plain_http_start(const struct air_plain_http_config *config,
    struct air_plain_http **out, struct air_buffer *reason);

/* The names that are redirected, in normal form; copied. Any thread. AIR_ERR_NO_MEMORY: the old
 * ones stay. */
enum air_error air_plain_http_names_set(
    struct air_plain_http *http, const air_span *names, size_t names_count);

/* Close the listeners, end connections, free. NULL is accepted. */
void air_plain_http_stop(struct air_plain_http *http);

/* What is answered. */
struct air_plain_http_reply {
    unsigned status;
    struct air_buffer body;     /* of 200 */
    struct air_buffer location; /* of 301 */
};

/*
 * Decide about one request; what air_plain_http_start()'s threads do for each.
 *
 * uri    As it came, query and all. host: the Host field's value, or empty.
 * reply  Its buffers were initialized.
 */
void air_plain_http_decide(struct air_plain_http *http, air_span method, air_span uri,
    air_span host, struct air_plain_http_reply *reply);

/* A server without sockets, for tests of air_plain_http_decide(). */
enum air_error air_plain_http_new(
    struct air_responder *responder, uint16_t https_port, struct air_plain_http **out);

#endif
