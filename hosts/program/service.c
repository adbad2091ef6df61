/* SPDX-License-Identifier: MIT */
/*
 * What `run` and `issue` have in common, put together from the libraries: ports, privileges,
 * engine, HTTP server, front. When to stop and what to say is theirs.
 *
 * Invariant: what was started is non-NULL and what was opened is counted, so that stopping works
 * from every half-way point.
 */
#include "hosts/program/service.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "hosts/program/privilege.h"
#include "hosts/program/report.h"
#include "hosts/program/served.h"
#include "hosts/program/text.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* How long stored certificates may take to load before the front starts without them. */
#define LOAD_TIMEOUT_MS 30000

/* Somebody waits for `issue`, and it serves nobody: as many at once as the engine takes. */
#define ONCE_ISSUANCES_MAX 64

static enum air_error bind_ports(struct air_service *service, struct air_buffer *reason);
static enum air_error become_user(struct air_service *service, struct air_buffer *reason);
static enum air_error start_server(
    struct air_service *service, enum air_service_kind kind, struct air_buffer *reason);
static enum air_error start_http(struct air_service *service, struct air_buffer *reason);
static enum air_error start_front(struct air_service *service, struct air_buffer *reason);

void air_service_init(struct air_service *service, struct air_plan *plan, enum air_log_format log) {
    memset(service, 0, sizeof(*service));
    pthread_mutex_init(&service->mutex, NULL);
    service->plan = *plan;
    memset(plan, 0, sizeof(*plan));
    service->probe_socket = -1;
    service->log =
        (struct air_log){.format = log, .handle = STDERR_FILENO, .level_least = AIR_INFO};
    service->log.format = service->plan.is_json_log ? AIR_LOG_JSON : log;
}

enum air_error air_service_start(
    struct air_service *service, enum air_service_kind kind, struct air_buffer *reason) {
    enum air_error error = bind_ports(service, reason);

    if (error == AIR_OK) {
        error = become_user(service, reason);
    }
    if (error == AIR_OK) {
        error = air_hooks_new(&service->log, 0, &service->hooks);
    }
    if (error == AIR_OK) {
        error = start_server(service, kind, reason);
    }
    if (error == AIR_OK) {
        error = start_http(service, reason);
    }
    if (error == AIR_OK &&
        air_server_wait_loaded(service->server, LOAD_TIMEOUT_MS) == AIR_ERR_TIMEOUT) {
        air_log_line(&service->log, AIR_WARNING,
            "stored certificates are still being read; serving begins without them");
    }
    if (error == AIR_OK) {
        error = start_front(service, reason);
    }
    return error;
}

static enum air_error bind_list(const struct air_address *addresses, size_t addresses_count,
    int *sockets, size_t sockets_max, size_t *sockets_count, struct air_buffer *reason) {
    enum air_error error = AIR_OK;

    for (size_t i = 0; i < addresses_count && error == AIR_OK; i++) {
        size_t count = 0;

        error = air_address_listen(
            &addresses[i], sockets + *sockets_count, sockets_max - *sockets_count, &count, reason);
        *sockets_count += count;
    }
    return error;
}

static enum air_error bind_ports(struct air_service *service, struct air_buffer *reason) {
    const struct air_plan *plan = &service->plan;
    enum air_error error = bind_list(plan->listen, plan->listen_count, service->tls_sockets,
        AIR_FRONT_LISTENERS_MAX, &service->tls_sockets_count, reason);

    if (error == AIR_OK) {
        error = bind_list(plan->http, plan->http_count, service->http_sockets,
            AIR_PLAN_ADDRESSES_MAX, &service->http_sockets_count, reason);
    }
    if (error == AIR_OK && service->tls_sockets_count > 0) {
        service->https_port = air_address_port_of(service->tls_sockets[0]);
        service->probe_socket = fcntl(service->tls_sockets[0], F_DUPFD_CLOEXEC, 3);
    }
    return error;
}

static enum air_error become_user(struct air_service *service, struct air_buffer *reason) {
    const struct air_plan *plan = &service->plan;
    enum air_error error = AIR_OK;

    if (plan->user != NULL) {
        error = air_privilege_prepare(plan->state_dir, plan->user, reason);
    }
    if (error == AIR_OK && plan->user != NULL) {
        error = air_privilege_drop(plan->user, reason);
    }
    /* After the change of user: it makes a process readable by its new user again. */
    air_privilege_harden();
    return error;
}

static enum air_error start_server(
    struct air_service *service, enum air_service_kind kind, struct air_buffer *reason) {
    struct air_plan *plan = &service->plan;
    struct air_server_config config = {.size = sizeof(config)};
    struct air_certificate_spec *specs = air_memory_new(plan->certificates_count * sizeof(*specs));
    enum air_error error;

    if (specs == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < plan->certificates_count; i++) {
        specs[i] = plan->certificates[i].spec;
    }
    config.state_dir = plan->state_dir;
    config.authorities = plan->authorities;
    config.authorities_count = plan->authorities_count;
    config.certificates = specs;
    config.certificates_count = plan->certificates_count;
    config.issuances_max = kind == AIR_SERVICE_ONCE ? ONCE_ISSUANCES_MAX : 0;
    config.store_only = kind == AIR_SERVICE_ONCE || plan->listen_count == 0;
    config.on_event = air_served_event;
    config.on_installed = config.store_only ? NULL : air_served_prove;
    config.context = service;
    if (service->tls_sockets_count > 0) {
        error = air_front_context_new(&service->context);
        if (error != AIR_OK) {
            air_memory_free(specs, plan->certificates_count * sizeof(*specs));
            return error;
        }
    }
    error = air_server_start(&config, &service->server, reason);
    air_memory_free(specs, plan->certificates_count * sizeof(*specs));
    if (error == AIR_OK && service->context != NULL) {
        error = air_server_attach(
            service->server, service->context, air_span_of(plan->alpn, plan->alpn_size));
    }
    /* One certificate alone also answers clients that send no name. */
    if (error == AIR_OK && service->context != NULL && plan->certificates_count == 1) {
        error = air_tls_default_set(air_server_tls(service->server), plan->certificates[0].spec.id);
    }
    return error;
}

static enum air_error start_http(struct air_service *service, struct air_buffer *reason) {
    struct air_plain_http_config config = {.size = sizeof(config)};
    enum air_error error;

    if (service->http_sockets_count == 0) {
        return AIR_OK;
    }
    config.listeners = service->http_sockets;
    config.listeners_count = service->http_sockets_count;
    config.responder = air_server_responder(service->server);
    config.https_port = service->https_port;
    error = air_plain_http_start(&config, &service->http, reason);
    service->http_sockets_count = 0;
    return error == AIR_OK ? air_service_names_set(service, &service->plan) : error;
}

static enum air_error start_front(struct air_service *service, struct air_buffer *reason) {
    struct air_front_config config = {.size = sizeof(config)};
    enum air_error error;

    if (service->tls_sockets_count == 0) {
        return AIR_OK;
    }
    config.context = service->context;
    config.listeners = service->tls_sockets;
    config.listeners_count = service->tls_sockets_count;
    error = air_front_start(&config, &service->front, reason);
    if (error == AIR_OK) {
        service->tls_sockets_count = 0;
        atomic_store(&service->is_serving, true);
    }
    return error;
}

enum air_error air_service_routes_set(
    struct air_service *service, const struct air_plan *plan, struct air_buffer *reason) {
    struct air_pool pool = {NULL};
    void *items = NULL;
    size_t count = 0;
    enum air_error error = AIR_OK;

    if (service->front == NULL) {
        return AIR_OK;
    }
    for (size_t i = 0; i < plan->certificates_count && error == AIR_OK; i++) {
        const struct air_plan_certificate *one = &plan->certificates[i];
        bool is_alone = plan->certificates_count == 1;

        for (size_t j = 0; one->to != NULL && j < one->spec.names_count + (is_alone ? 1 : 0); j++) {
            struct air_front_route *route = air_pool_append(&pool, &items, &count, sizeof(*route));

            if (route == NULL) {
                error = AIR_ERR_NO_MEMORY;
                break;
            }
            route->name = j < one->spec.names_count ? one->spec.names[j] : (air_span){NULL, 0};
            route->to = air_span_text(one->to);
            route->proxy_protocol = plan->proxy_protocol;
        }
    }
    if (error == AIR_OK) {
        error = air_front_routes_set(service->front, items, count, reason);
    }
    air_pool_deinit(&pool);
    return error;
}

enum air_error air_service_names_set(struct air_service *service, const struct air_plan *plan) {
    struct air_pool pool = {NULL};
    void *items = NULL;
    size_t count = 0;
    enum air_error error = AIR_OK;

    if (service->http == NULL) {
        return AIR_OK;
    }
    for (size_t i = 0; i < plan->certificates_count && error == AIR_OK; i++) {
        const struct air_certificate_spec *spec = &plan->certificates[i].spec;

        for (size_t j = 0; j < spec->names_count; j++) {
            air_span *name = air_pool_append(&pool, &items, &count, sizeof(*name));

            if (name == NULL) {
                error = AIR_ERR_NO_MEMORY;
                break;
            }
            *name = spec->names[j];
        }
    }
    if (error == AIR_OK) {
        error = air_plain_http_names_set(service->http, items, count);
    }
    air_pool_deinit(&pool);
    return error;
}

unsigned air_service_stop(struct air_service *service, uint32_t grace_ms) {
    unsigned failures_count;

    air_front_stop(service->front, grace_ms);
    air_plain_http_stop(service->http);
    if (service->server != NULL) {
        air_server_stop(service->server);
    }
    failures_count = air_hooks_free(service->hooks);
    SSL_CTX_free(service->context);
    while (service->tls_sockets_count > 0) {
        service->tls_sockets_count--;
        close(service->tls_sockets[service->tls_sockets_count]);
    }
    while (service->http_sockets_count > 0) {
        service->http_sockets_count--;
        close(service->http_sockets[service->http_sockets_count]);
    }
    if (service->probe_socket >= 0) {
        close(service->probe_socket);
    }
    air_plan_deinit(&service->plan);
    pthread_mutex_destroy(&service->mutex);
    memset(service, 0, sizeof(*service));
    service->probe_socket = -1;
    return failures_count;
}

static void write_report(void *context, struct air_engine *engine) {
    struct air_buffer *out = context;
    size_t count = air_engine_lineages_count(engine);

    for (size_t i = 0; i < count; i++) {
        struct air_status status = {.step = ""};

        if (air_engine_status(engine, i, &status) == AIR_OK) {
            air_report_put(out, &status, NULL);
        }
    }
}

void air_service_report(struct air_service *service, struct air_buffer *out) {
    air_report_begin(out, true);
    air_server_call(service->server, write_report, out);
    air_report_end(out);
}
