/* SPDX-License-Identifier: MIT */
/*
 * A storage port that passes every call on to one of two others, by the path.
 *
 * Invariant: all paths of one write belong to one side, because the engine writes for one lineage
 * or one account at a time; a write that mixes them, by its guard too, is refused.
 */

#include "hosts/haproxy/route.h"

#include <string.h>

#include "src/base/span.h"

static enum air_error route_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static enum air_error route_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error route_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);
static enum air_error route_lock(void *self, air_span path, uint64_t *fence);
static enum air_error route_unlock(void *self, air_span path);
static void route_explain(void *self, char *out, size_t size);
static struct air_storage *side_of(const struct air_route *route, air_span path);
static bool is_client_account(air_span folder);

void air_route_init(
    struct air_route *route, struct air_storage *files, struct air_storage *memory) {
    *route = (struct air_route){
        .port = {.size = sizeof(route->port),
            .self = route,
            .read = route_read,
            .write = route_write,
            .list = route_list,
            .lock = route_lock,
            .unlock = route_unlock,
            .explain = route_explain},
        .files = files,
        .memory = memory,
    };
}

bool air_route_is_private(air_span path) {
    const air_span top = air_span_take(path, air_span_find(path, '/'));
    const air_span rest = air_span_skip(path, top.size + 1);
    const air_span second = air_span_take(rest, air_span_find(rest, '/'));
    if (air_span_equal_text(top, "accounts")) {
        return is_client_account(second);
    }
    return air_span_starts_with(second, AIR_ROUTE_ORDER_PREFIX);
}

static enum air_error route_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct air_storage *side = side_of(self, path);
    return side->read(side->self, path, out, version);
}

static enum air_error route_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    const struct air_route *route = self;
    const bool is_guarded = guard != NULL && guard->path.size > 0;
    const air_span first = is_guarded ? guard->path : puts_count > 0 ? puts[0].path : (air_span){0};
    struct air_storage *side = side_of(route, first);
    for (size_t i = 0; i < puts_count; i++) {
        if (side_of(route, puts[i].path) != side) {
            return AIR_ERR_ARGUMENT;
        }
    }
    return side->write(side->self, guard, puts, puts_count);
}

static enum air_error route_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct air_storage *side = side_of(self, prefix);
    return side->list(side->self, prefix, after, visit, context);
}

static enum air_error route_lock(void *self, air_span path, uint64_t *fence) {
    struct air_storage *side = side_of(self, path);
    return side->lock(side->self, path, fence);
}

static enum air_error route_unlock(void *self, air_span path) {
    struct air_storage *side = side_of(self, path);
    return side->unlock(side->self, path);
}

static void route_explain(void *self, char *out, size_t size) {
    const struct air_route *route = self;
    if (size > 0) {
        out[0] = '\0';
    }
    if (route->files != NULL) {
        route->files->explain(route->files->self, out, size);
    }
}

static struct air_storage *side_of(const struct air_route *route, air_span path) {
    return route->files == NULL || air_route_is_private(path) ? route->memory : route->files;
}

/* "<host>-<hex>-client-<hex>" */
static bool is_client_account(air_span folder) {
    const size_t label_size = strlen("-" AIR_ROUTE_CLIENT_PREFIX) + AIR_ROUTE_LABEL_DIGITS;
    if (folder.size <= label_size) {
        return false;
    }
    air_span label = air_span_skip(folder, folder.size - label_size);
    if (!air_span_starts_with(label, "-" AIR_ROUTE_CLIENT_PREFIX)) {
        return false;
    }
    label = air_span_skip(label, label_size - AIR_ROUTE_LABEL_DIGITS);
    for (size_t i = 0; i < label.size; i++) {
        const uint8_t c = label.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}
