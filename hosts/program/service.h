/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_SERVICE_H
#define AIR_PROGRAM_SERVICE_H

/*
 * What `run` and `issue` have in common: bound ports, given up privileges, a running engine, the
 * HTTP server and the TLS front.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "hosts/program/front/front.h"
#include "hosts/program/hook.h"
#include "hosts/program/http.h"
#include "hosts/program/plan.h"
#include "thinair/server.h"

struct air_service {
    struct air_plan plan;  /* changed under mutex once the engine runs */
    pthread_mutex_t mutex; /* never held while the engine is called */
    struct air_log log;
    int tls_sockets[AIR_FRONT_LISTENERS_MAX]; /* until the front takes them */
    size_t tls_sockets_count;
    int http_sockets[AIR_PLAN_ADDRESSES_MAX]; /* until the HTTP server takes them */
    size_t http_sockets_count;
    int probe_socket; /* a second handle on a listening socket: where it listens; -1: none */
    uint16_t https_port;
    SSL_CTX *context;
    struct air_server *server;
    struct air_front *front;
    struct air_plain_http *http;
    struct air_hooks *hooks;
    atomic_bool is_serving;         /* the front takes connections */
    atomic_bool are_terms_required; /* a CA wants --agree-terms */
    void (*on_event)(void *context, const struct air_event_action *event); /* or NULL */
    void *event_context;
};

/* What a service is for. */
enum air_service_kind {
    AIR_SERVICE_DAEMON, /* certificates are installed in the front's table and proven there */
    AIR_SERVICE_ONCE    /* certificates are stored; the front only answers tls-alpn-01 */
};

/* Take over a plan (it is the service's now); opens nothing. */
void air_service_init(struct air_service *service, struct air_plan *plan, enum air_log_format log);

/*
 * Bind every port, give up privileges, start the engine, wait until stored certificates are in the
 * table, then take connections. In this order: ports need root, nothing else does; nobody is served
 * before there is something to serve.
 *
 * Returns AIR_OK, or an error whose reason says what to do; air_service_stop() then cleans up.
 */
enum air_error air_service_start(
    struct air_service *service, enum air_service_kind kind, struct air_buffer *reason);

/* Forward names to their backends as the plan says. AIR_ERR_NETWORK: a host does not resolve now;
 * the old routes stay, try again later. */
enum air_error air_service_routes_set(
    struct air_service *service, const struct air_plan *plan, struct air_buffer *reason);

/* Tell the HTTP server which names to redirect. */
enum air_error air_service_names_set(struct air_service *service, const struct air_plan *plan);

/* Stop everything in the reverse order: no new connections, old ones get grace_ms, then the engine.
 * How many hooks failed. */
unsigned air_service_stop(struct air_service *service, uint32_t grace_ms);

/* Write the report of every lineage the engine knows. */
void air_service_report(struct air_service *service, struct air_buffer *out);

#endif
