/* SPDX-License-Identifier: MIT */
/*
 * One HTTPS request at a time on each connection: sent as the engine wants it, answered with what
 * came, whatever its status. No redirect is followed: CAs do not send any where the engine asks.
 * HEAD is sent as GET, which gives the same nonce (RFC 8555 section 7.2): libwebsockets waits for a
 * body that HEAD has not.
 *
 * Invariant: every request that was begun is done once; a connection that is closed later finds no
 * request any more.
 */

#include "hosts/lws/exchange.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"

#define PROTOCOL "thinair-http"
#define AGENT "thinair/" AIR_VERSION_TEXT " libwebsockets/" LWS_LIBRARY_VERSION
#define CONTENT_TYPE "application/jose+json"
#define HTTPS "https://"
#define HTTPS_PORT 443
#define ROOTS_SIZE_MAX 1048576
#define HOST_SIZE 300
#define PATH_SIZE 2200
#define RECEIVE_SIZE 4096
#define HEADERS_SIZE_MAX 16384
#define EXPLANATION_SIZE 512

struct exchange {
    struct exchange *next;
    struct air_exchanges *all;
    const struct air_action *action;
    struct lws *wsi; /* NULL: not connected yet, or no more */
    lws_sorted_usec_list_t deadline;
    uint32_t status; /* 0: nothing was answered yet */
    struct air_http_header headers[5];
    size_t headers_count;
    struct air_buffer header_text;
    struct air_buffer body;
    char host[HOST_SIZE]; /* "name" or "name:port" */
    char name[HOST_SIZE];
    char path[PATH_SIZE];
    int port;
};

/* A vhost that listens nowhere, with the roots it believes. */
struct client {
    struct client *next;
    char *trust;
    size_t trust_size;
    struct lws_vhost *vhost; /* made when it is needed */
    struct air_buffer roots; /* PEM; empty: the system's */
};

struct air_exchanges {
    struct lws_context *context;
    void (*done)(void *host, uint64_t id, const struct air_result *result);
    void *host;
    struct client *clients;
    struct exchange *running;
};

static int on_callback(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);
static struct client *find_client(struct air_exchanges *exchanges, air_span trust);
static enum air_error read_roots(
    const char *path, struct air_buffer *roots, struct air_buffer *reason);
static bool open_vhost(struct air_exchanges *exchanges, struct client *client);
static bool split_url(struct exchange *exchange, air_span url);
static bool connect_to(struct exchange *exchange, struct lws_vhost *vhost);
static void on_deadline(lws_sorted_usec_list_t *timer);
static int add_headers(struct exchange *exchange, struct lws *wsi, void *in, size_t size);
static int send_body(struct exchange *exchange, struct lws *wsi);
static void read_answer(struct exchange *exchange, struct lws *wsi);
static void read_header(
    struct exchange *exchange, struct lws *wsi, enum lws_token_indexes token, const char *name);
static int receive(struct lws *wsi);
static void succeed(struct exchange *exchange);
static void fail(struct exchange *exchange, enum air_error error, const char *sentence);
static void end(struct exchange *exchange, const struct air_result *result);

static const struct lws_protocols protocols[] = {
    {PROTOCOL, on_callback, 0, RECEIVE_SIZE, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

enum air_error air_exchanges_new(struct lws_context *context,
    void (*done)(void *host, uint64_t id, const struct air_result *result), void *host,
    struct air_exchanges **out) {
    struct air_exchanges *exchanges = air_memory_new(sizeof(*exchanges));
    if (exchanges == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    *exchanges = (struct air_exchanges){.context = context, .done = done, .host = host};
    *out = exchanges;
    return AIR_OK;
}

void air_exchanges_free(struct air_exchanges *exchanges) {
    if (exchanges == NULL) {
        return;
    }
    exchanges->done = NULL;
    while (exchanges->running != NULL) {
        fail(exchanges->running, AIR_ERR_CANCELLED, "");
    }
    while (exchanges->clients != NULL) {
        struct client *client = exchanges->clients;
        exchanges->clients = client->next;
        air_buffer_deinit(&client->roots);
        air_memory_free(client->trust, client->trust_size);
        air_memory_free(client, sizeof(*client));
    }
    air_memory_free(exchanges, sizeof(*exchanges));
}

enum air_error air_exchanges_trust(
    struct air_exchanges *exchanges, const char *trust, struct air_buffer *reason) {
    if (find_client(exchanges, air_span_text(trust)) != NULL) {
        return AIR_OK;
    }
    struct client *client = air_memory_new(sizeof(*client));
    if (client == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    air_buffer_init(&client->roots, ROOTS_SIZE_MAX);
    client->trust_size = strlen(trust) + 1;
    client->trust = air_memory_new(client->trust_size);
    enum air_error error = client->trust == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
    if (error == AIR_OK) {
        memcpy(client->trust, trust, client->trust_size);
        error = trust[0] == '\0' ? AIR_OK : read_roots(trust, &client->roots, reason);
    }
    if (error != AIR_OK) {
        air_buffer_deinit(&client->roots);
        air_memory_free(client->trust, client->trust_size);
        air_memory_free(client, sizeof(*client));
        return error;
    }
    client->next = exchanges->clients;
    exchanges->clients = client;
    return AIR_OK;
}

void air_exchanges_begin(struct air_exchanges *exchanges, const struct air_action *action) {
    const struct air_http_action *http = &action->http;
    const struct air_result no_memory = {.error = AIR_ERR_NO_MEMORY};
    struct client *client = find_client(exchanges, http->trust);
    struct exchange *exchange = air_memory_new(sizeof(*exchange));
    if (exchange == NULL) {
        exchanges->done(exchanges->host, action->id, &no_memory);
        return;
    }
    exchange->all = exchanges;
    exchange->action = action;
    air_buffer_init(&exchange->body, http->body_max);
    air_buffer_init(&exchange->header_text, HEADERS_SIZE_MAX);
    exchange->next = exchanges->running;
    exchanges->running = exchange;
    if (client == NULL || !open_vhost(exchanges, client)) {
        fail(exchange, AIR_ERR_NETWORK, "libwebsockets makes no client for these roots");
        return;
    }
    if (!split_url(exchange, http->url)) {
        fail(exchange, AIR_ERR_NETWORK, "the CA named a URL that cannot be asked for");
        return;
    }
    lws_sul_schedule(exchanges->context, 0, &exchange->deadline, on_deadline,
        (lws_usec_t)http->deadline_ms * LWS_US_PER_MS);
    const uint64_t id = action->id;
    if (connect_to(exchange, client->vhost)) {
        return;
    }
    /* It may have been told already, by the callback. */
    for (exchange = exchanges->running; exchange != NULL; exchange = exchange->next) {
        if (exchange->action->id == id) {
            fail(exchange, AIR_ERR_NETWORK, "no connection to the CA");
            return;
        }
    }
}

void air_exchanges_cancel(struct air_exchanges *exchanges, uint64_t id) {
    for (struct exchange *exchange = exchanges->running; exchange != NULL;
         exchange = exchange->next) {
        if (exchange->action->id == id) {
            fail(exchange, AIR_ERR_CANCELLED, "");
            return;
        }
    }
}

static struct client *find_client(struct air_exchanges *exchanges, air_span trust) {
    struct client *client = exchanges->clients;
    while (client != NULL && !air_span_equal_text(trust, client->trust)) {
        client = client->next;
    }
    return client;
}

static enum air_error read_roots(
    const char *path, struct air_buffer *roots, struct air_buffer *reason) {
    uint8_t part[4096];
    size_t size = 0;
    FILE *file = fopen(path, "re");
    enum air_error error = AIR_OK;
    while (file != NULL && error == AIR_OK && (size = fread(part, 1, sizeof(part), file)) > 0) {
        error = air_buffer_append(roots, part, size);
    }
    if (file == NULL || ferror(file) != 0 || (error == AIR_OK && roots->size == 0)) {
        (void)air_buffer_append_text(reason, "the option \"ca-file\": ");
        (void)air_buffer_append_text(reason, path);
        (void)air_buffer_append_text(reason, " cannot be read, or is empty");
        error = AIR_ERR_NOT_FOUND;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return error;
}

static bool open_vhost(struct air_exchanges *exchanges, struct client *client) {
    struct lws_context_creation_info info = {0};
    if (client->vhost != NULL) {
        return true;
    }
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.vhost_name = "thinair-client";
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    if (client->roots.size > 0) {
        info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.client_ssl_ca_mem = client->roots.data;
        info.client_ssl_ca_mem_len = (unsigned)client->roots.size;
    }
    client->vhost = lws_create_vhost(exchanges->context, &info);
    return client->vhost != NULL;
}

/* "https://host[:port][/path]" into its parts. */
static bool split_url(struct exchange *exchange, air_span url) {
    int64_t port = HTTPS_PORT;
    if (!air_span_starts_with(url, HTTPS)) {
        return false;
    }
    url = air_span_skip(url, sizeof(HTTPS) - 1);
    const air_span authority = air_span_take(url, air_span_find(url, '/'));
    const air_span path = air_span_skip(url, authority.size);
    const bool is_literal = authority.size > 0 && authority.data[0] == '[';
    const size_t end =
        is_literal ? air_span_find(authority, ']') + 1 : air_span_find(authority, ':');
    const air_span name = air_span_take(authority, end);
    const air_span rest = air_span_skip(authority, end);
    if (rest.size > 0 && (rest.data[0] != ':' || !air_span_number(air_span_skip(rest, 1), &port) ||
                             port < 1 || port > UINT16_MAX)) {
        return false;
    }
    if (name.size == 0 || authority.size >= HOST_SIZE || path.size + 2 > PATH_SIZE) {
        return false;
    }
    exchange->port = (int)port;
    (void)snprintf(
        exchange->host, HOST_SIZE, "%.*s", (int)authority.size, (const char *)authority.data);
    (void)snprintf(exchange->name, HOST_SIZE, "%.*s", (int)(is_literal ? name.size - 2 : name.size),
        (const char *)name.data + (is_literal ? 1 : 0));
    (void)snprintf(exchange->path, PATH_SIZE, "%s%.*s", path.size == 0 ? "/" : "", (int)path.size,
        path.size == 0 ? "" : (const char *)path.data);
    return true;
}

static bool connect_to(struct exchange *exchange, struct lws_vhost *vhost) {
    const bool has_body = air_span_equal_text(exchange->action->http.method, "POST");
    const struct lws_client_connect_info info = {
        .context = exchange->all->context,
        .vhost = vhost,
        .address = exchange->name,
        .port = exchange->port,
        .ssl_connection = LCCSCF_USE_SSL | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .path = exchange->path,
        .host = exchange->host,
        .origin = exchange->host,
        .method = has_body ? "POST" : "GET",
        .alpn = "http/1.1",
        .protocol = PROTOCOL,
        .local_protocol_name = PROTOCOL,
        .userdata = exchange,
        .pwsi = &exchange->wsi,
    };
    return lws_client_connect_via_info(&info) != NULL;
}

static void on_deadline(lws_sorted_usec_list_t *timer) {
    fail(lws_container_of(timer, struct exchange, deadline), AIR_ERR_TIMEOUT,
        "the CA did not answer in time");
}

static int on_callback(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    struct exchange *exchange = user;
    if (exchange == NULL) { /* given up, or a vhost's own event */
        return reason == LWS_CALLBACK_RECEIVE_CLIENT_HTTP ||
                       reason == LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ ||
                       reason == LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP
                   ? -1
                   : 0;
    }
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_headers(exchange, wsi, in, size);
    case LWS_CALLBACK_CLIENT_HTTP_WRITEABLE:
        return send_body(exchange, wsi);
    case LWS_CALLBACK_ESTABLISHED_CLIENT_HTTP:
        read_answer(exchange, wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP:
        return receive(wsi);
    case LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ:
        if (air_buffer_append(&exchange->body, in, size) != AIR_OK) {
            fail(exchange, AIR_ERR_LIMIT, "the CA's answer is too long");
            return -1;
        }
        return 0;
    case LWS_CALLBACK_COMPLETED_CLIENT_HTTP:
        succeed(exchange);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        exchange->wsi = NULL;
        fail(exchange, AIR_ERR_NETWORK, in != NULL ? in : "no connection to the CA");
        return 0;
    case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
        exchange->wsi = NULL;
        fail(exchange, AIR_ERR_NETWORK, "the CA closed the connection");
        return 0;
    default:
        return 0;
    }
}

static int add_headers(struct exchange *exchange, struct lws *wsi, void *in, size_t size) {
    const struct air_http_action *http = &exchange->action->http;
    unsigned char **place = in;
    unsigned char *limit = *place + size;
    char length[24];
    const int length_size = snprintf(length, sizeof(length), "%zu", http->body.size);
    if (lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_USER_AGENT, (const unsigned char *)AGENT,
            (int)strlen(AGENT), place, limit) != 0) {
        return -1;
    }
    if (http->body.size == 0) {
        return 0;
    }
    if (lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE,
            (const unsigned char *)CONTENT_TYPE, (int)strlen(CONTENT_TYPE), place, limit) != 0 ||
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH,
            (const unsigned char *)length, length_size, place, limit) != 0) {
        return -1;
    }
    lws_client_http_body_pending(wsi, 1);
    lws_callback_on_writable(wsi);
    return 0;
}

static int send_body(struct exchange *exchange, struct lws *wsi) {
    const air_span body = exchange->action->http.body;
    if (body.size == 0) {
        return 0;
    }
    struct air_buffer packet; /* libwebsockets wants room before it */
    air_buffer_init(&packet, LWS_PRE + body.size);
    uint8_t *place = air_buffer_extend(&packet, LWS_PRE + body.size);
    if (place == NULL) {
        fail(exchange, AIR_ERR_NO_MEMORY, "");
        return -1;
    }
    memcpy(place + LWS_PRE, body.data, body.size);
    lws_client_http_body_pending(wsi, 0);
    const int sent = lws_write(wsi, place + LWS_PRE, body.size, LWS_WRITE_HTTP_FINAL);
    air_buffer_deinit(&packet);
    return sent < 0 ? -1 : 0;
}

static void read_answer(struct exchange *exchange, struct lws *wsi) {
    exchange->status = (uint32_t)lws_http_client_http_response(wsi);
    if (air_buffer_extend(&exchange->header_text, HEADERS_SIZE_MAX) != NULL) {
        air_buffer_truncate(&exchange->header_text, 0); /* room first: spans must not move */
    }
    read_header(exchange, wsi, WSI_TOKEN_REPLAY_NONCE, "replay-nonce");
    read_header(exchange, wsi, WSI_TOKEN_HTTP_LOCATION, "location");
    read_header(exchange, wsi, WSI_TOKEN_HTTP_RETRY_AFTER, "retry-after");
    read_header(exchange, wsi, WSI_TOKEN_HTTP_LINK, "link");
    read_header(exchange, wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, "content-type");
}

/* Lines of one name come parted by commas, which RFC 9110 section 5.3 makes of them anyway. */
static void read_header(
    struct exchange *exchange, struct lws *wsi, enum lws_token_indexes token, const char *name) {
    char value[4096];
    const int size = lws_hdr_copy(wsi, value, sizeof(value), token);
    const size_t begin = exchange->header_text.size;
    if (size <= 0 || air_buffer_append(&exchange->header_text, value, (size_t)size) != AIR_OK) {
        return;
    }
    exchange->headers[exchange->headers_count++] =
        (struct air_http_header){.name = air_span_text(name),
            .value = air_span_of(exchange->header_text.data + begin, (size_t)size)};
}

/* Have libwebsockets take the transfer's framing away, and hand us what is left. */
static int receive(struct lws *wsi) {
    char buffer[LWS_PRE + RECEIVE_SIZE];
    char *place = buffer + LWS_PRE;
    int room = RECEIVE_SIZE;
    return lws_http_client_read(wsi, &place, &room) < 0 ? -1 : 0;
}

static void succeed(struct exchange *exchange) {
    struct air_result result = {.error = AIR_OK};
    result.http.status = exchange->status;
    result.http.headers = exchange->headers;
    result.http.headers_count = exchange->headers_count;
    result.http.body = air_buffer_span(&exchange->body);
    end(exchange, &result);
}

static void fail(struct exchange *exchange, enum air_error error, const char *sentence) {
    char text[EXPLANATION_SIZE];
    (void)snprintf(text, sizeof(text), "%s: %s", exchange->host, sentence);
    const struct air_result result = {.error = error, .explanation = air_span_text(text)};
    end(exchange, &result);
}

/* The connection loses its request, then the request is gone. */
static void end(struct exchange *exchange, const struct air_result *result) {
    struct air_exchanges *all = exchange->all;
    struct exchange **place = &all->running;
    while (*place != exchange) {
        place = &(*place)->next;
    }
    *place = exchange->next;
    lws_sul_cancel(&exchange->deadline);
    if (exchange->wsi != NULL) {
        lws_set_wsi_user(exchange->wsi, NULL);
        lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    }
    if (all->done != NULL) {
        all->done(all->host, exchange->action->id, result);
    }
    air_buffer_deinit(&exchange->body);
    air_buffer_deinit(&exchange->header_text);
    air_memory_free(exchange, sizeof(*exchange));
}
