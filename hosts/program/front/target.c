/* SPDX-License-Identifier: MIT */
/*
 * Reads what the user wrote after "to" and asks the resolver once, when the configuration is set:
 * a running front never waits for DNS. Connecting is left to the connection.
 */

#include "hosts/program/front/target.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "hosts/program/front/front.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define HOST_SIZE_MAX 255
#define PORT_SIZE_MAX 5

/* "HOST:PORT", taken apart and terminated. */
struct endpoint {
    char host[HOST_SIZE_MAX + 1];
    char port[PORT_SIZE_MAX + 1];
};

static enum air_error resolve_unix(struct air_front_target *target, air_span path);
static enum air_error resolve_host(struct air_front_target *target, const struct endpoint *from);
static bool endpoint_read(air_span to, struct endpoint *out);
static bool endpoint_copy(air_span from, char *out, size_t size_max);
static bool addresses_new(struct air_front_target *target, size_t count);

enum air_error air_front_target_init(
    struct air_front_target *target, air_span to, struct air_buffer *reason) {
    memset(target, 0, sizeof *target);
    enum air_error error = AIR_ERR_MALFORMED;
    struct endpoint endpoint;
    if (air_span_starts_with(to, "unix:")) {
        error = resolve_unix(target, air_span_skip(to, strlen("unix:")));
    } else if (endpoint_read(to, &endpoint)) {
        error = resolve_host(target, &endpoint);
    }
    if (error == AIR_ERR_MALFORMED) {
        air_front_reason_put(reason, "\"", to, "\" is not HOST:PORT, [ADDRESS]:PORT or unix:/PATH");
    } else if (error == AIR_ERR_NETWORK) {
        air_front_reason_put(reason, "the host of \"", to, "\" does not resolve");
    } else if (error != AIR_OK) {
        air_front_reason_put(reason, air_error_text(error), air_span_text(""), "");
    }
    return error;
}

void air_front_target_deinit(struct air_front_target *target) {
    air_memory_free(target->addresses, target->addresses_count * sizeof *target->addresses);
    memset(target, 0, sizeof *target);
}

void air_front_reason_put(
    struct air_buffer *reason, const char *before, air_span about, const char *after) {
    if (reason != NULL) {
        air_buffer_append_text(reason, before);
        air_buffer_append_span(reason, about);
        air_buffer_append_text(reason, after);
    }
}

static enum air_error resolve_unix(struct air_front_target *target, air_span path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.size == 0 || path.data[0] != '/' || path.size >= sizeof address.sun_path ||
        memchr(path.data, '\0', path.size) != NULL) {
        return AIR_ERR_MALFORMED;
    }
    if (!addresses_new(target, 1)) {
        return AIR_ERR_NO_MEMORY;
    }
    memcpy(address.sun_path, path.data, path.size);
    memcpy(&target->addresses[0].address, &address, sizeof address);
    target->addresses[0].size = (socklen_t)sizeof address;
    return AIR_OK;
}

static enum air_error resolve_host(struct air_front_target *target, const struct endpoint *from) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(from->host, from->port, &hints, &found) != 0) {
        return AIR_ERR_NETWORK;
    }
    size_t count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count += count < AIR_FRONT_ADDRESSES_MAX;
    }
    enum air_error error = addresses_new(target, count) ? AIR_OK : AIR_ERR_NO_MEMORY;
    const struct addrinfo *at = found;
    for (size_t i = 0; i < target->addresses_count; i++, at = at->ai_next) {
        memcpy(&target->addresses[i].address, at->ai_addr, at->ai_addrlen);
        target->addresses[i].size = at->ai_addrlen;
    }
    freeaddrinfo(found);
    return error;
}

static bool endpoint_read(air_span to, struct endpoint *out) {
    size_t colon = to.size;
    while (colon > 0 && to.data[colon - 1] != ':') {
        colon--;
    }
    air_span port = air_span_skip(to, colon);
    air_span host = air_span_take(to, colon == 0 ? 0 : colon - 1);
    if (host.size > 0 && host.data[0] == '[') {
        if (host.size < 3 || host.data[host.size - 1] != ']') {
            return false;
        }
        host = air_span_take(air_span_skip(host, 1), host.size - 2);
    } else if (air_span_find(host, ':') < host.size) {
        return false; /* an IPv6 address without brackets: where its port begins is a guess */
    }
    int64_t number = 0;
    return air_span_number(port, &number) && number > 0 && number <= UINT16_MAX &&
           endpoint_copy(port, out->port, PORT_SIZE_MAX) &&
           endpoint_copy(host, out->host, HOST_SIZE_MAX);
}

static bool endpoint_copy(air_span from, char *out, size_t size_max) {
    if (from.size == 0 || from.size > size_max || memchr(from.data, '\0', from.size) != NULL) {
        return false;
    }
    memcpy(out, from.data, from.size);
    out[from.size] = '\0';
    return true;
}

static bool addresses_new(struct air_front_target *target, size_t count) {
    target->addresses = air_memory_new(count * sizeof *target->addresses);
    target->addresses_count = target->addresses != NULL ? count : 0;
    return target->addresses != NULL;
}
