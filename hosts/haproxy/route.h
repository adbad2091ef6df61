/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_ROUTE_H
#define AIR_HAPROXY_ROUTE_H

/*
 * One storage made of two: what belongs to somebody else's order is kept in memory, as long as it
 * lives; the rest in files, if there are any.
 */

#include "thinair/storage.h"

/* Ids of orders begin so; no name does, for a host name has no '_'. */
#define AIR_ROUTE_ORDER_PREFIX "_order-"

/* Account labels of clients: this and AIR_ROUTE_LABEL_DIGITS hexadecimal digits. An account folder
 * of ours ends with 16. */
#define AIR_ROUTE_CLIENT_PREFIX "client-"
#define AIR_ROUTE_LABEL_DIGITS 32

struct air_route {
    struct air_storage port;
    struct air_storage *files; /* or NULL */
    struct air_storage *memory;
};

/* files and memory are the caller's and outlive the route, which needs no clean-up. */
void air_route_init(struct air_route *route, struct air_storage *files, struct air_storage *memory);

/* Whether a record, or a folder, is kept in memory although there are files. */
bool air_route_is_private(air_span path);

#endif
