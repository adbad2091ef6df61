/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_FRONT_WORLD_H
#define AIR_TEST_FRONT_WORLD_H

/*
 * A front on a free loopback port with real certificates, clients that verify them, and backends
 * that the test plays itself. All sockets have a time limit: a front that does not answer fails the
 * test instead of stopping it. What cannot be set up fails the test too.
 */

#include <netinet/in.h>
#include <openssl/types.h>

#include "hosts/program/front/front.h"
#include "tests/support/test.h"
#include "thinair/tls.h"

/* Every name the certificate of a world is for. */
#define WORLD_NAME "a.example.net"
#define WORLD_OTHER_NAME "b.example.net"
#define WORLD_CHALLENGE_NAME "c.example.net"

struct air_world {
    SSL_CTX *context; /* the front's */
    SSL_CTX *client_context;
    struct air_tls *tls;
    struct air_front *front;
    int family; /* AF_INET or AF_INET6: of the listener */
    uint16_t port;
};

/* Start a front with these settings (NULL: defaults, one thread) and no routes. */
void air_world_init(struct air_world *world, int family, const struct air_front_config *settings);

/* The same up to the front: context and certificates. */
void air_world_init_context(struct air_world *world);

/* Stop the front without grace, free everything. */
void air_world_deinit(struct air_world *world);

/* Send every name to this port of 127.0.0.1. */
void air_world_route(struct air_world *world, uint16_t port, bool proxy_protocol);

/* Wait until a count, named by its place in struct air_front_counts, has this value. */
void air_world_await(const struct air_world *world, size_t count_offset, uint64_t value);

/* A listening socket on a free port of the loopback address of that family; a blocking one. */
int air_listener_new(int family, uint16_t *port);

/* The next connection of a listener. */
int air_listener_accept(int listener);

/* A TCP connection to the front; no TLS yet. */
int air_world_dial(const struct air_world *world);

/* A client, connected. name: SNI, and verified; NULL: none. */
struct air_client {
    int socket;
    SSL *ssl;
};
void air_client_init(struct air_client *client, const struct air_world *world, const char *name);
void air_client_handshake(struct air_client *client);
void air_client_close(struct air_client *client); /* the socket as it is, without close_notify */

/* Exactly these bytes go out, or come in. */
void air_client_send(struct air_client *client, const void *data, size_t size);
void air_client_expect(struct air_client *client, const void *data, size_t size);
void air_socket_send(int socket, const void *data, size_t size);
void air_socket_expect(int socket, const void *data, size_t size);

/* What comes next is the end: close_notify, FIN, a reset. */
void air_client_expect_close_notify(struct air_client *client);
void air_client_expect_cut(struct air_client *client); /* no close_notify */
void air_socket_expect_end(int socket);
void air_socket_expect_reset(int socket);

/* The n-th byte of a stream that both ends of a test can compute. */
uint8_t air_stream_byte(uint64_t n);
void air_stream_fill(uint8_t *data, size_t size, uint64_t from);
void air_stream_check(const uint8_t *data, size_t size, uint64_t from);

#endif
