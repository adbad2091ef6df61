/* SPDX-License-Identifier: MIT */
/*
 * The front as the program sees it: start, routes, counts, stop. The work is the workers'.
 *
 * Invariant: after the start only the routes (under their lock) and atomics change.
 */

#include "hosts/program/front/front.h"

#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "hosts/program/front/socket_bio.h"
#include "hosts/program/front/worker.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define HANDSHAKE_TIMEOUT_MS 10000
#define CHALLENGE_TIMEOUT_MS 5000
#define CONNECT_TIMEOUT_MS 5000
#define IDLE_TIMEOUT_MS 300000
#define CONNECTIONS_MAX 10000

/* Descriptors left to the rest of the process: its files, CAs, admin clients. */
#define DESCRIPTORS_RESERVED 128

static enum air_error check(const struct air_front_config *config, struct air_buffer *reason);
static struct air_front_config with_defaults(const struct air_front_config *config);
static uint32_t connections_possible(void);
static uint32_t or_default(uint32_t number, uint32_t fallback);
static struct air_front *front_new(const struct air_front_config *config);
static void front_free(struct air_front *front);
static bool start_workers(struct air_front *front);
static bool make_workers(struct air_front *front);
static void end_workers(struct air_front *front, uint32_t grace_ms, unsigned started);
static uint32_t share(uint32_t total, unsigned index, unsigned count);
static uint64_t read_count(const _Atomic uint64_t *counter);

enum air_error air_front_start(
    const struct air_front_config *config, struct air_front **out, struct air_buffer *reason) {
    enum air_error error = check(config, reason);
    if (error != AIR_OK) {
        return error;
    }
    struct air_front *front = front_new(config);
    if (front == NULL) {
        air_front_reason_put(reason, "out of memory", air_span_text(""), "");
        return AIR_ERR_NO_MEMORY;
    }
    if (!start_workers(front)) {
        front_free(front);
        air_front_reason_put(reason, "no thread or descriptor to be had", air_span_text(""), "");
        return AIR_ERR_NO_MEMORY;
    }
    *out = front;
    return AIR_OK;
}

enum air_error air_front_routes_set(struct air_front *front, const struct air_front_route *routes,
    size_t routes_count, struct air_buffer *reason) {
    struct air_front_routes *made = NULL;
    enum air_error error = air_front_routes_new(routes, routes_count, &made, reason);
    if (error != AIR_OK) {
        return error;
    }
    uv_mutex_lock(&front->routes_lock);
    struct air_front_routes *old = front->routes;
    front->routes = made;
    uv_mutex_unlock(&front->routes_lock);
    air_front_routes_release(old);
    return AIR_OK;
}

void air_front_counts(const struct air_front *front, struct air_front_counts *counts) {
    const struct air_front_counters *from = &front->counters;
    *counts = (struct air_front_counts){
        .accepted_count = read_count(&from->accepted),
        .handshakes_done_count = read_count(&from->handshakes_done),
        .handshakes_failed_count = read_count(&from->handshakes_failed),
        .challenges_count = read_count(&from->challenges),
        .backend_failures_count = read_count(&from->backend_failures),
        .unrouted_count = read_count(&from->unrouted),
        .idle_closed_count = read_count(&from->idle_closed),
        .accept_pauses_count = read_count(&from->accept_pauses),
        .received_size = read_count(&from->received_size),
        .sent_size = read_count(&from->sent_size),
        .active_count = read_count(&from->active),
        .held_count = read_count(&from->held),
        .queued_size = read_count(&from->queued_size),
    };
}

void air_front_stop(struct air_front *front, uint32_t grace_ms) {
    if (front == NULL) {
        return;
    }
    end_workers(front, grace_ms, front->workers_count);
    front_free(front);
}

static enum air_error check(const struct air_front_config *config, struct air_buffer *reason) {
    bool is_right = config->size == sizeof *config && config->context != NULL &&
                    config->listeners != NULL && config->listeners_count > 0 &&
                    config->listeners_count <= AIR_FRONT_LISTENERS_MAX &&
                    config->threads_count <= AIR_FRONT_THREADS_MAX;
    if (!is_right) {
        air_front_reason_put(reason, "the front's configuration is wrong", air_span_text(""), "");
        return AIR_ERR_ARGUMENT;
    }
    return AIR_OK;
}

static struct air_front_config with_defaults(const struct air_front_config *config) {
    struct air_front_config full = *config;
    full.connections_max = or_default(full.connections_max, CONNECTIONS_MAX);
    uint32_t possible = connections_possible();
    full.connections_max = full.connections_max < possible ? full.connections_max : possible;
    full.handshake_timeout_ms = or_default(full.handshake_timeout_ms, HANDSHAKE_TIMEOUT_MS);
    full.challenge_timeout_ms = or_default(full.challenge_timeout_ms, CHALLENGE_TIMEOUT_MS);
    full.connect_timeout_ms = or_default(full.connect_timeout_ms, CONNECT_TIMEOUT_MS);
    full.idle_timeout_ms = or_default(full.idle_timeout_ms, IDLE_TIMEOUT_MS);
    unsigned threads = full.threads_count != 0 ? full.threads_count : uv_available_parallelism();
    if (threads > AIR_FRONT_THREADS_MAX) {
        threads = AIR_FRONT_THREADS_MAX;
    }
    /* A worker without a share of the connections would only wake up in vain. */
    full.threads_count = threads < full.connections_max ? threads : full.connections_max;
    return full;
}

/* A client that is accepted must also get its backend: two descriptors each. */
static uint32_t connections_possible(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 2 > UINT32_MAX) {
        return UINT32_MAX;
    }
    rlim_t left = limit.rlim_cur > DESCRIPTORS_RESERVED ? limit.rlim_cur - DESCRIPTORS_RESERVED : 0;
    return left >= 2 ? (uint32_t)(left / 2) : 1;
}

static uint32_t or_default(uint32_t number, uint32_t fallback) {
    return number != 0 ? number : fallback;
}

static struct air_front *front_new(const struct air_front_config *config) {
    struct air_front *front = air_memory_new(sizeof *front);
    if (front == NULL) {
        return NULL;
    }
    if (uv_mutex_init(&front->routes_lock) != 0) {
        air_memory_free(front, sizeof *front);
        return NULL;
    }
    front->config = with_defaults(config);
    memcpy(front->listeners, config->listeners, config->listeners_count * sizeof(int));
    front->config.listeners = front->listeners;
    if (SSL_CTX_up_ref(config->context) != 1) {
        front->config.context = NULL;
    }
    front->socket_method = air_front_socket_method_new();
    front->workers = air_memory_new(front->config.threads_count * sizeof *front->workers);
    if (front->config.context == NULL || front->socket_method == NULL || front->workers == NULL) {
        front_free(front);
        return NULL;
    }
    return front;
}

static void front_free(struct air_front *front) {
    air_front_routes_release(front->routes);
    uv_mutex_destroy(&front->routes_lock);
    BIO_meth_free(front->socket_method);
    SSL_CTX_free(front->config.context);
    air_memory_free(front->workers, front->config.threads_count * sizeof *front->workers);
    air_memory_free(front, sizeof *front);
}

/* All or none. Signals are for the program's own threads. */
static bool start_workers(struct air_front *front) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    unsigned count = front->config.threads_count;
    unsigned started = 0;
    if (make_workers(front)) {
        atomic_store(&front->accepting_count, count);
        while (started < count && uv_thread_create(&front->workers[started].thread,
                                      air_front_worker_run, &front->workers[started]) == 0) {
            started++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started < count) {
        front->listeners_kept = true;
        end_workers(front, 0, started);
    }
    return started == count;
}

/* workers_count tells how many were made. */
static bool make_workers(struct air_front *front) {
    const struct air_front_config *config = &front->config;
    for (unsigned i = 0; i < config->threads_count; i++) {
        struct air_front_worker *worker = &front->workers[i];
        worker->front = front;
        worker->connections_max = share(config->connections_max, i, config->threads_count);
        worker->challenges_max = share(AIR_FRONT_CHALLENGES_MAX, i, config->threads_count);
        if (!air_front_worker_init(worker)) {
            return false;
        }
        front->workers_count++;
    }
    return true;
}

/* started  The first so many have a thread; the others run to their end here. */
static void end_workers(struct air_front *front, uint32_t grace_ms, unsigned started) {
    atomic_store(&front->grace_ms, grace_ms);
    atomic_store(&front->is_stopping, true);
    for (unsigned i = 0; i < front->workers_count; i++) {
        uv_async_send(&front->workers[i].wake);
    }
    for (unsigned i = 0; i < front->workers_count; i++) {
        if (i < started) {
            uv_thread_join(&front->workers[i].thread);
        } else {
            air_front_worker_run(&front->workers[i]);
        }
        air_front_worker_deinit(&front->workers[i]);
    }
}

/* The index-th of count nearly equal parts of a total. */
static uint32_t share(uint32_t total, unsigned index, unsigned count) {
    return total / count + (index < total % count);
}

static uint64_t read_count(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}
