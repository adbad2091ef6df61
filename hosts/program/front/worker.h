/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_WORKER_H
#define AIR_FRONT_WORKER_H

/*
 * A thread with a loop that accepts connections and carries them to their end; and what all workers
 * of a front share.
 */

#include <openssl/bio.h>
#include <openssl/types.h>
#include <stdatomic.h>
#include <uv.h>

#include "hosts/program/front/connection.h"
#include "hosts/program/front/counters.h"
#include "hosts/program/front/front.h"

/* Written before the workers start; the rest is atomic, or routes under their lock. */
struct air_front {
    struct air_front_config config; /* defaults filled in */
    int listeners[AIR_FRONT_LISTENERS_MAX];
    BIO_METHOD *socket_method;
    struct air_front_worker *workers;
    unsigned workers_count;

    uv_mutex_t routes_lock;
    struct air_front_routes *routes;

    atomic_uint accepting_count; /* workers that still watch the listeners */
    _Atomic uint32_t grace_ms;   /* read after is_stopping */
    atomic_bool is_stopping;
    bool listeners_kept; /* a failed start: they stay the caller's */
    struct air_front_counters counters;
};

struct air_front_worker {
    struct air_front *front;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_async_t wake;         /* stop */
    uv_timer_t accept_timer; /* ends a pause for want of descriptors */
    uv_timer_t grace_timer;  /* ends the waiting for connections */
    uv_poll_t listeners[AIR_FRONT_LISTENERS_MAX];
    size_t listeners_open;
    bool is_accepting;
    bool is_stopping;

    struct air_front_connection *connections;
    uint32_t connections_count;
    uint32_t connections_max;
    uint32_t challenges_count; /* acme-tls/1 handshakes under way */
    uint32_t challenges_max;
    struct air_front_pool pool;
};

/* Make loop and handles; front, connections_max and challenges_max are set. False: the system gives
 * no descriptors; nothing is left behind. */
bool air_front_worker_init(struct air_front_worker *worker);

/* The thread: returns after a stop, when the last connection is gone. */
void air_front_worker_run(void *worker);

/* After the thread has ended. */
void air_front_worker_deinit(struct air_front_worker *worker);

/* For connections: one more, one less; and the routes in force, held. */
void air_front_worker_add(struct air_front_worker *worker, struct air_front_connection *connection);
void air_front_worker_remove(
    struct air_front_worker *worker, struct air_front_connection *connection);
struct air_front_routes *air_front_worker_routes(struct air_front_worker *worker);

#endif
