/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_ROUTES_H
#define AIR_FRONT_ROUTES_H

/*
 * Which backend a name goes to: an immutable snapshot that connections hold while they connect, so
 * that it can be replaced at any moment.
 */

#include "hosts/program/front/front.h"
#include "hosts/program/front/target.h"

struct air_front_routes;

struct air_front_way {
    air_span name; /* normal form; empty: the default */
    const struct air_front_target *target;
    bool proxy_protocol;
};

/* As air_front_routes_set() says. out: air_front_routes_release(). */
AIR_MUST_CHECK enum air_error air_front_routes_new(const struct air_front_route *routes,
    size_t routes_count, struct air_front_routes **out, struct air_buffer *reason);

/* Any thread. release frees with the last hold; NULL is accepted by both. */
struct air_front_routes *air_front_routes_hold(struct air_front_routes *routes);
void air_front_routes_release(struct air_front_routes *routes);

/* The way of an SNI name: exact, else a wildcard for its first label, else the default; NULL: none.
 * name is NULL for a client that sent none. Valid while routes is held. */
const struct air_front_way *air_front_routes_find(
    const struct air_front_routes *routes, const char *name);

#endif
