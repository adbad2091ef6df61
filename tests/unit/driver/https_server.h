/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_HTTPS_SERVER_H
#define AIR_TEST_HTTPS_SERVER_H

/* An HTTPS/1.1 server on a loopback port of the system's choice, for tests of a client. */

#include <stdatomic.h>

#include "thinair/thinair.h"

#define AIR_TEST_ANSWER_SIZE_MAX 65536

/* One request, and what the server does about it. Nothing here is allocated by base/memory: a test
 * may let that fail. */
struct air_test_exchange {
    air_span head; /* from the method to the empty line */
    air_span body;
    char answer[AIR_TEST_ANSWER_SIZE_MAX]; /* the bytes to send, head and body */
    size_t answer_size;
    bool is_last; /* close the connection after the answer */
    bool is_hung; /* then send nothing more until the client goes away */
    bool is_cut;  /* then reset the connection */
};

/* Append to the answer. */
void air_test_exchange_say(struct air_test_exchange *exchange, const char *text);

struct air_https_server;

/* What it saw so far. */
struct air_https_counts {
    _Atomic unsigned connections;
    _Atomic unsigned resumed; /* of these, with a TLS session of an earlier one */
    _Atomic unsigned requests;
};

/*
 * Start: chain and key in PEM. answer is called for each request, on a thread of its connection.
 * Ends the test program when anything goes wrong.
 */
struct air_https_server *air_https_server_new(air_span chain, air_span key,
    void (*answer)(void *context, struct air_test_exchange *exchange), void *context);
void air_https_server_free(struct air_https_server *server);

unsigned air_https_server_port(const struct air_https_server *server);
const struct air_https_counts *air_https_server_counts(const struct air_https_server *server);

#endif
