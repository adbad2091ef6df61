/* SPDX-License-Identifier: MIT */
/*
 * A table of ways sorted by name, and the targets they lead to; equal texts share one target, so
 * the resolver is asked once for each. Who holds which snapshot is counted here; which one is in
 * force is the front's business.
 *
 * Invariant: nothing changes after air_front_routes_new() but the count of holders.
 */

#include "hosts/program/front/routes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"

struct air_front_routes {
    atomic_size_t holders_count;
    struct air_front_way *ways; /* sorted by name */
    size_t ways_count;
    struct air_front_target *targets;
    size_t targets_count; /* as many as ways; the first targets_made are in use */
    size_t targets_made;
    uint8_t *names; /* what the ways' names point into */
    size_t names_size;
};

/* What lasts while a snapshot is made. */
struct making {
    struct air_front_routes *routes;
    const struct air_front_route *from;
    size_t names_used;
    struct air_buffer name; /* the normal form of one */
    struct air_buffer *reason;
};

static enum air_error routes_alloc(
    const struct air_front_route *routes, size_t routes_count, struct air_front_routes **out);
static enum air_error make_ways(struct making *making);
static enum air_error make_way(struct making *making, size_t index);
static enum air_error make_name(struct making *making, size_t index);
static enum air_error make_target(struct making *making, size_t index);
static enum air_error sort_ways(struct air_front_routes *routes, struct air_buffer *reason);
static int compare_ways(const void *a, const void *b);
static const struct air_front_way *find_exact(const struct air_front_routes *routes, air_span name);
static void routes_free(struct air_front_routes *routes);

enum air_error air_front_routes_new(const struct air_front_route *routes, size_t routes_count,
    struct air_front_routes **out, struct air_buffer *reason) {
    struct making making = {.from = routes, .reason = reason};
    air_buffer_init(&making.name, AIR_NAME_SIZE_MAX);
    enum air_error error = routes_alloc(routes, routes_count, &making.routes);
    if (error != AIR_OK) {
        air_front_reason_put(reason, air_error_text(error), air_span_text(""), "");
        return error;
    }
    error = make_ways(&making);
    if (error == AIR_OK) {
        error = sort_ways(making.routes, reason);
    }
    air_buffer_deinit(&making.name);
    if (error != AIR_OK) {
        routes_free(making.routes);
        return error;
    }
    *out = making.routes;
    return AIR_OK;
}

struct air_front_routes *air_front_routes_hold(struct air_front_routes *routes) {
    if (routes != NULL) {
        atomic_fetch_add_explicit(&routes->holders_count, 1, memory_order_relaxed);
    }
    return routes;
}

void air_front_routes_release(struct air_front_routes *routes) {
    if (routes != NULL &&
        atomic_fetch_sub_explicit(&routes->holders_count, 1, memory_order_acq_rel) == 1) {
        routes_free(routes);
    }
}

const struct air_front_way *air_front_routes_find(
    const struct air_front_routes *routes, const char *name) {
    if (routes == NULL) {
        return NULL;
    }
    uint8_t normal[AIR_NAME_SIZE_MAX];
    air_span sni = air_span_text(name);
    const struct air_front_way *way = NULL;
    if (sni.size > 0 && sni.size <= AIR_NAME_SIZE_MAX) {
        for (size_t i = 0; i < sni.size; i++) {
            uint8_t byte = sni.data[i];
            normal[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
        }
        way = find_exact(routes, air_span_of(normal, sni.size));
    }
    size_t dot = air_span_find(sni, '.');
    if (way == NULL && sni.size <= AIR_NAME_SIZE_MAX && dot > 0 && dot < sni.size) {
        normal[dot - 1] = '*'; /* over the last byte of the first label */
        way = find_exact(routes, air_span_of(normal + dot - 1, sni.size - dot + 1));
    }
    return way != NULL ? way : find_exact(routes, air_span_text(""));
}

static enum air_error routes_alloc(
    const struct air_front_route *routes, size_t routes_count, struct air_front_routes **out) {
    struct air_front_routes *self = air_memory_new(sizeof *self);
    if (self == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    atomic_init(&self->holders_count, 1);
    size_t names_size = 1; /* never nothing */
    for (size_t i = 0; i < routes_count; i++) {
        names_size += routes[i].name.size;
    }
    self->names = air_memory_new(names_size);
    self->names_size = names_size;
    self->ways_count = routes_count;
    self->targets_count = routes_count;
    if (routes_count > 0) {
        self->ways = air_memory_new(routes_count * sizeof *self->ways);
        self->targets = air_memory_new(routes_count * sizeof *self->targets);
    }
    if (self->names == NULL ||
        (routes_count > 0 && (self->ways == NULL || self->targets == NULL))) {
        routes_free(self);
        return AIR_ERR_NO_MEMORY;
    }
    *out = self;
    return AIR_OK;
}

static enum air_error make_ways(struct making *making) {
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < making->routes->ways_count && error == AIR_OK; i++) {
        error = make_way(making, i);
    }
    return error;
}

static enum air_error make_way(struct making *making, size_t index) {
    making->routes->ways[index].proxy_protocol = making->from[index].proxy_protocol;
    enum air_error error = make_name(making, index);
    return error == AIR_OK ? make_target(making, index) : error;
}

static enum air_error make_name(struct making *making, size_t index) {
    air_span name = making->from[index].name;
    if (name.size == 0) {
        return AIR_OK;
    }
    air_buffer_clear(&making->name);
    enum air_error error = air_name_normalize(name, &making->name);
    if (error != AIR_OK) {
        air_front_reason_put(making->reason, "\"", name, "\": ");
        air_front_reason_put(making->reason, air_error_text(error), air_span_text(""), "");
        return error;
    }
    uint8_t *to = making->routes->names + making->names_used;
    memcpy(to, making->name.data, making->name.size);
    making->routes->ways[index].name = air_span_of(to, making->name.size);
    making->names_used += making->name.size;
    return AIR_OK;
}

/* Equal texts follow each other in the usual configuration, so the last ones are compared first. */
static enum air_error make_target(struct making *making, size_t index) {
    for (size_t i = index; i > 0; i--) {
        if (air_span_equal(making->from[i - 1].to, making->from[index].to)) {
            making->routes->ways[index].target = making->routes->ways[i - 1].target;
            return AIR_OK;
        }
    }
    struct air_front_target *target = &making->routes->targets[making->routes->targets_made];
    enum air_error error = air_front_target_init(target, making->from[index].to, making->reason);
    if (error == AIR_OK) {
        making->routes->ways[index].target = target;
        making->routes->targets_made++;
    }
    return error;
}

static enum air_error sort_ways(struct air_front_routes *routes, struct air_buffer *reason) {
    if (routes->ways_count == 0) {
        return AIR_OK;
    }
    qsort(routes->ways, routes->ways_count, sizeof *routes->ways, compare_ways);
    for (size_t i = 1; i < routes->ways_count; i++) {
        if (compare_ways(&routes->ways[i - 1], &routes->ways[i]) == 0) {
            air_front_reason_put(reason, "two routes for \"", routes->ways[i].name, "\"");
            return AIR_ERR_EXISTS;
        }
    }
    return AIR_OK;
}

static int compare_ways(const void *a, const void *b) {
    const struct air_front_way *left = a;
    const struct air_front_way *right = b;
    return air_span_compare(left->name, right->name);
}

static const struct air_front_way *find_exact(
    const struct air_front_routes *routes, air_span name) {
    const struct air_front_way wanted = {.name = name};
    if (routes->ways_count == 0) {
        return NULL;
    }
    return bsearch(&wanted, routes->ways, routes->ways_count, sizeof *routes->ways, compare_ways);
}

static void routes_free(struct air_front_routes *routes) {
    for (size_t i = 0; i < routes->targets_made; i++) {
        air_front_target_deinit(&routes->targets[i]);
    }
    air_memory_free(routes->targets, routes->targets_count * sizeof *routes->targets);
    air_memory_free(routes->ways, routes->ways_count * sizeof *routes->ways);
    air_memory_free(routes->names, routes->names_size);
    air_memory_free(routes, sizeof *routes);
}
