/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_CONNECTION_H
#define AIR_FRONT_CONNECTION_H

/*
 * One client: its steps, its two sockets, its two directions. A connection lives and dies on its
 * worker's thread.
 */

#include <openssl/types.h>
#include <uv.h>

#include "hosts/program/front/pipe.h"
#include "hosts/program/front/routes.h"
#include "hosts/program/front/side.h"

struct air_front_worker;

enum air_front_step {
    AIR_FRONT_HANDSHAKE, /* TLS with the client */
    AIR_FRONT_CONNECT,   /* TCP with the backend */
    AIR_FRONT_RELAY,     /* bytes, both ways */
    AIR_FRONT_LINGER,    /* we said our last word: wait for the client to hear it */
    AIR_FRONT_CLOSED     /* freed when libuv has let go of the handles */
};

struct air_front_connection {
    struct air_front_worker *worker;
    struct air_front_connection *next; /* the worker's list, newest first */
    struct air_front_connection *previous;

    enum air_front_step step;
    uint64_t deadline_ms; /* of the step, in the loop's time */
    uv_timer_t timer;     /* may ring early: it is not moved at every byte */
    unsigned handles_count;

    struct air_front_side client;
    struct air_front_side backend;
    struct air_front_pipe up;   /* client to backend */
    struct air_front_pipe down; /* backend to client */

    SSL *ssl;
    bool is_challenge;     /* acme-tls/1 */
    bool read_needs_write; /* SSL_read() has to send first (a key update) */
    bool is_broken;        /* nothing more can be said to the client */

    struct air_front_routes *routes; /* held while connecting */
    const struct air_front_way *way; /* into routes */
    size_t address_index;            /* the address being tried */
    uint64_t address_until_ms;
};

/* Begin with an accepted, non-blocking socket, which is the connection's from then on and closed on
 * failure. False: no memory. */
bool air_front_connection_begin(struct air_front_worker *worker, int socket);

/* The only way to change the step. */
void air_front_connection_enter(struct air_front_connection *connection, enum air_front_step step);

/* Say close_notify when nothing is queued before it, then linger. */
void air_front_connection_end(struct air_front_connection *connection);

/* The same without lingering: the front stops. */
void air_front_connection_stop(struct air_front_connection *connection);

/* Set when the step expires. */
void air_front_connection_expire_at(struct air_front_connection *connection, uint64_t deadline_ms);

/* For connect.c: hand the backend's socket over to the loop; close it again, after which
 * air_front_connect_next() is called when the step is still AIR_FRONT_CONNECT. */
bool air_front_connection_backend_open(struct air_front_connection *connection, int socket);
void air_front_connection_backend_close(struct air_front_connection *connection, bool with_reset);

/* Watch both sockets for these events. */
void air_front_connection_watch(
    struct air_front_connection *connection, int client_events, int backend_events);

/* connect.c: the step AIR_FRONT_CONNECT. */
void air_front_connect_begin(struct air_front_connection *connection);
void air_front_connect_ready(struct air_front_connection *connection);
void air_front_connect_expired(struct air_front_connection *connection);
void air_front_connect_next(struct air_front_connection *connection);

/* relay.c: the step AIR_FRONT_RELAY. */
void air_front_relay_begin(struct air_front_connection *connection);
void air_front_relay_ready(struct air_front_connection *connection);
void air_front_relay_expired(struct air_front_connection *connection);

#endif
