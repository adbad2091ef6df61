/* SPDX-License-Identifier: MIT */
/*
 * Plain HTTP with libmicrohttpd: one daemon with one thread for each listening socket. Which token
 * is answered with what is the responder's business; here are the limits, the redirect and the 404.
 *
 * Invariant: nothing that a client sent comes back to it but the path of a redirect, and that only
 * when every byte of it is a printable one that needs no quoting; the host of a redirect is always
 * the configured name (R-G7).
 */
#include "hosts/program/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hosts/program/plan.h"
#include "hosts/program/text.h"
#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"

#define LOCATION_SIZE_MAX 8192

struct names {
    struct air_pool pool;
    air_span *items; /* sorted */
    size_t count;
};

struct air_plain_http {
    struct air_responder *responder;
    uint16_t https_port;
    pthread_rwlock_t lock; /* guards names */
    struct names names;
    struct MHD_Daemon *daemons[AIR_PLAN_ADDRESSES_MAX];
    size_t daemons_count;
};

/* The request's line as it came: libmicrohttpd cuts the query off and decodes the path. */
struct request {
    size_t size;
    char uri[];
};

static void *remember_uri(void *context, const char *uri, struct MHD_Connection *connection);
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text);
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request);
static void forget_uri(void *context, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code);
static void decide_elsewhere(
    struct air_plain_http *http, air_span uri, air_span host, struct air_plain_http_reply *reply);

enum air_error air_plain_http_new(
    struct air_responder *responder, uint16_t https_port, struct air_plain_http **out) {
    struct air_plain_http *http = air_memory_new(sizeof(*http));

    if (http == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (pthread_rwlock_init(&http->lock, NULL) != 0) {
        air_memory_free(http, sizeof(*http));
        return AIR_ERR_NO_MEMORY;
    }
    http->responder = responder;
    http->https_port = https_port;
    *out = http;
    return AIR_OK;
}

static struct MHD_Daemon *start_daemon(struct air_plain_http *http, int listener) {
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, http,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)AIR_HTTP_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)AIR_HTTP_CONNECTIONS_OF_ONE_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)AIR_HTTP_REQUEST_SIZE_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)AIR_HTTP_IDLE_S,
        MHD_OPTION_URI_LOG_CALLBACK, remember_uri, NULL, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, forget_uri, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
}

enum air_error air_plain_http_start(const struct air_plain_http_config *config,
    struct air_plain_http **out, struct air_buffer *reason) {
    struct air_plain_http *http = NULL;
    enum air_error error = air_plain_http_new(config->responder, config->https_port, &http);
    size_t i = 0;

    while (error == AIR_OK && i < config->listeners_count) {
        struct MHD_Daemon *daemon =
            i < AIR_PLAN_ADDRESSES_MAX ? start_daemon(http, config->listeners[i]) : NULL;
        if (daemon != NULL) {
            http->daemons[i] = daemon;
        } else {
            air_text_format(reason, "the HTTP server on --http could not be started");
            error = AIR_ERR_NETWORK;
            break;
        }
        i++;
        http->daemons_count = i;
    }
    if (error == AIR_OK) {
        *out = http;
        return AIR_OK;
    }
    for (; i < config->listeners_count; i++) {
        close(config->listeners[i]);
    }
    air_plain_http_stop(http);
    return error;
}

void air_plain_http_stop(struct air_plain_http *http) {
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < http->daemons_count; i++) {
        MHD_stop_daemon(http->daemons[i]);
    }
    air_pool_deinit(&http->names.pool);
    pthread_rwlock_destroy(&http->lock);
    air_memory_free(http, sizeof(*http));
}

static int compare(const void *a, const void *b) {
    return air_span_compare(*(const air_span *)a, *(const air_span *)b);
}

enum air_error air_plain_http_names_set(
    struct air_plain_http *http, const air_span *names, size_t names_count) {
    struct names fresh = {.count = names_count};
    struct names old;

    fresh.items = air_pool_take(&fresh.pool, (names_count + 1) * sizeof(*fresh.items));
    for (size_t i = 0; fresh.items != NULL && i < names_count; i++) {
        fresh.items[i] = air_span_text(air_pool_text(&fresh.pool, names[i]));
        if (fresh.items[i].data == NULL) {
            air_pool_deinit(&fresh.pool);
            return AIR_ERR_NO_MEMORY;
        }
    }
    if (fresh.items == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    qsort(fresh.items, names_count, sizeof(*fresh.items), compare);
    pthread_rwlock_wrlock(&http->lock);
    old = http->names;
    http->names = fresh;
    pthread_rwlock_unlock(&http->lock);
    air_pool_deinit(&old.pool);
    return AIR_OK;
}

void air_plain_http_decide(struct air_plain_http *http, air_span method, air_span uri,
    air_span host, struct air_plain_http_reply *reply) {
    bool is_read = air_span_equal_text(method, "GET") || air_span_equal_text(method, "HEAD");

    if (is_read &&
        air_responder_answer(http->responder, method, uri, host, &reply->body) == AIR_OK) {
        reply->status = MHD_HTTP_OK;
        return;
    }
    air_buffer_clear(&reply->body);
    if (!is_read) {
        reply->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        return;
    }
    reply->status = MHD_HTTP_NOT_FOUND;
    /* A token nobody waits for is no page of the site: redirecting it would hide the mistake. */
    if (!air_span_starts_with(uri, "/.well-known/acme-challenge/")) {
        decide_elsewhere(http, uri, host, reply);
    }
}

static bool is_plain_path(air_span uri) {
    if (!air_span_starts_with(uri, "/")) {
        return false;
    }
    for (size_t i = 0; i < uri.size; i++) {
        if (uri.data[i] <= ' ' || uri.data[i] >= 0x7f || strchr("\"<>\\^`{|}", uri.data[i])) {
            return false;
        }
    }
    return true;
}

/* The configured name that a Host field means; empty when there is none. Holds the lock. */
static air_span find_name(const struct air_plain_http *http, air_span host) {
    struct air_buffer name;
    const air_span *found = NULL;
    air_span key;

    air_buffer_init(&name, AIR_NAME_SIZE_MAX);
    if (air_name_normalize(air_span_take(host, air_span_find(host, ':')), &name) == AIR_OK) {
        key = air_buffer_span(&name);
        found = bsearch(&key, http->names.items, http->names.count, sizeof(key), compare);
    }
    air_buffer_deinit(&name);
    return found != NULL ? *found : (air_span){NULL, 0};
}

static void decide_elsewhere(
    struct air_plain_http *http, air_span uri, air_span host, struct air_plain_http_reply *reply) {
    struct air_buffer *location = &reply->location;
    air_span name;

    if (!is_plain_path(uri) || http->https_port == 0) {
        return;
    }
    pthread_rwlock_rdlock(&http->lock);
    name = http->names.count > 0 ? find_name(http, host) : (air_span){NULL, 0};
    if (name.size > 0) {
        air_buffer_append_text(location, "https://");
        air_buffer_append_span(location, name);
        if (http->https_port != 443) {
            air_buffer_append_text(location, ":");
            air_buffer_append_number(location, http->https_port);
        }
        air_buffer_append_span(location, uri);
        air_buffer_append_byte(location, 0);
        if (location->error == AIR_OK) {
            reply->status = MHD_HTTP_MOVED_PERMANENTLY;
        }
    }
    pthread_rwlock_unlock(&http->lock);
}

static void *remember_uri(void *context, const char *uri, struct MHD_Connection *connection) {
    size_t size = strlen(uri);
    struct request *request = air_memory_new(sizeof(*request) + size + 1);

    (void)context;
    (void)connection;
    if (request != NULL) {
        request->size = sizeof(*request) + size + 1;
        memcpy(request->uri, uri, size);
    }
    return request;
}

static void forget_uri(void *context, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code) {
    struct request *one = *request;

    (void)context;
    (void)connection;
    (void)code;
    if (one != NULL) {
        air_memory_free(one, one->size);
        *request = NULL;
    }
}

static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

static struct MHD_Response *make_response(const struct air_plain_http_reply *reply) {
    static char not_found[] = "not found\n";
    bool is_challenge = reply->status == MHD_HTTP_OK;
    struct MHD_Response *response =
        is_challenge ? MHD_create_response_from_buffer(
                           reply->body.size, reply->body.data, MHD_RESPMEM_MUST_COPY)
                     : MHD_create_response_from_buffer(
                           reply->status == MHD_HTTP_NOT_FOUND ? sizeof(not_found) - 1 : 0,
                           not_found, MHD_RESPMEM_PERSISTENT);

    if (response == NULL) {
        return NULL;
    }
    MHD_add_response_header(response, "Content-Type", "text/plain");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (reply->status == MHD_HTTP_MOVED_PERMANENTLY) {
        MHD_add_response_header(response, "Location", (const char *)reply->location.data);
    } else if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "Allow", "GET, HEAD");
        MHD_add_response_header(response, "Connection", "close");
    }
    return response;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request) {
    struct air_plain_http *http = context;
    const struct request *line = *request;
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    struct air_plain_http_reply reply = {.status = MHD_HTTP_NOT_FOUND};
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    (void)url;
    (void)version;
    (void)upload;
    *upload_size = 0;
    if (line == NULL) {
        return MHD_NO; /* no memory: the connection ends */
    }
    air_buffer_init(&reply.body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    air_buffer_init(&reply.location, LOCATION_SIZE_MAX);
    air_plain_http_decide(
        http, air_span_text(method), air_span_text(line->uri), air_span_text(host), &reply);
    response = make_response(&reply);
    if (response != NULL) {
        result = MHD_queue_response(connection, reply.status, response);
        MHD_destroy_response(response);
    }
    air_buffer_deinit(&reply.body);
    air_buffer_deinit(&reply.location);
    return result;
}
