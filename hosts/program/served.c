/* SPDX-License-Identifier: MIT */
/*
 * What the engine reports, on its way to the log, the hooks and whoever started the service; and
 * the handshake that proves an installed certificate.
 *
 * Invariant: a hook is asked for once for each new generation, after it is served and live/ has it,
 * and never for one that was only loaded: the engine tells of these otherwise.
 */
#include "hosts/program/served.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "src/base/span.h"

/* A handshake with ourselves: far beyond any sane one, far below the engine's patience. */
#define PROBE_TIMEOUT_S 5

static void run_hook(struct air_service *service, const struct air_event_action *event) {
    const struct air_plan_certificate *one;
    enum air_error error = AIR_OK;

    pthread_mutex_lock(&service->mutex);
    one = air_plan_find(&service->plan, event->certificate);
    if (one != NULL && one->on_installed != NULL) {
        const struct air_hook hook = {one->on_installed, event->certificate, event->key_type,
            event->generation, one->spec.names, one->spec.names_count, service->plan.state_dir};

        error = air_hooks_add(service->hooks, &hook);
    }
    pthread_mutex_unlock(&service->mutex);
    if (error != AIR_OK) {
        air_log_line(&service->log, AIR_WARNING, "%.*s: on-installed was not run: %s",
            (int)event->certificate.size, (const char *)event->certificate.data,
            air_error_text(error));
    }
}

/* The terms' address is the one thing that a person must act on before anything goes on. */
static void tell_terms(struct air_service *service, const struct air_event_action *event) {
    atomic_store(&service->are_terms_required, true);
    if (service->log.format == AIR_LOG_JSON) {
        air_log_event(&service->log, event);
        return;
    }
    air_log_line(&service->log, AIR_ALARM,
        "the CA %.*s has terms of service: %.*s -- read them; if you agree, start again with "
        "--agree-terms",
        (int)event->authority.size, (const char *)event->authority.data, (int)event->text.size,
        (const char *)event->text.data);
}

/* `issue` sums up in its own words what is valid and what has failed. */
static bool is_summed_up(const struct air_service *service, const struct air_event_action *event) {
    return service->log.format == AIR_LOG_PHASES &&
           (event->event == AIR_EVENT_VALID || event->event == AIR_EVENT_ATTEMPT_FAILED ||
               event->event == AIR_EVENT_AUTHORITY_FAILED);
}

void air_served_event(void *context, const struct air_event_action *event) {
    struct air_service *service = context;

    if (event->event == AIR_EVENT_TERMS_REQUIRED) {
        tell_terms(service, event);
    } else if (!is_summed_up(service, event)) {
        air_log_event(&service->log, event);
    }
    if (event->event == AIR_EVENT_INSTALLED) {
        run_hook(service, event);
    }
    if (service->on_event != NULL) {
        service->on_event(service->event_context, event);
    }
}

/* Connect to where a listening socket listens; "any address" is reached over loopback. */
static int connect_to(int listener) {
    struct sockaddr_storage address = {0};
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
    const struct timeval limit = {PROBE_TIMEOUT_S, 0};
    socklen_t size = sizeof(address);
    int handle;

    if (listener < 0 || getsockname(listener, (struct sockaddr *)(void *)&address, &size) != 0) {
        return -1;
    }
    if (address.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        v6->sin6_addr = in6addr_loopback;
    } else if (address.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    handle = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (handle < 0) {
        return -1;
    }
    if (setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        connect(handle, (const struct sockaddr *)(const void *)&address, size) != 0) {
        close(handle);
        return -1;
    }
    return handle;
}

enum air_error air_served_prove(
    void *context, const struct air_install_action *install, struct air_buffer *reason) {
    struct air_service *service = context;
    enum air_error error = AIR_ERR_NOT_PROVEN;
    int handle = atomic_load(&service->is_serving) ? connect_to(service->probe_socket) : -1;

    if (handle >= 0) {
        error = air_tls_probe_socket(
            handle, install->names[0], install->key_type, install->chain, reason);
        close(handle);
    }
    if (error != AIR_OK) {
        if (reason != NULL) {
            air_buffer_clear(reason);
        }
        error = air_tls_probe_context(
            service->context, install->names[0], install->key_type, install->chain, reason);
    }
    return error;
}
