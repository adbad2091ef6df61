/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_SERVER_PARTS_H
#define AIR_DRIVER_SERVER_PARTS_H

/*
 * What the files of the server share. server.c has the thread and the calls of others, carry.c the
 * actions that only a server can carry out, pairs.c what the server serves.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "driver/pairs.h"
#include "thinair/driver.h"
#include "thinair/server.h"

/* The name of our one target. */
#define AIR_SERVER_TARGET "tls"

/* A function that waits to be run on the server's thread. */
struct air_server_call {
    struct air_server_call *next;
    void (*function)(void *context, struct air_engine *engine);
    void *context;
    bool is_done;
};

struct air_server {
    struct air_server_config config; /* its spans are not kept: only flags and functions */
    struct air_storage *storage;
    struct air_crypto *crypto;
    struct air_tls *tls;
    struct air_responder *responder;

    /* the thread's own */
    uv_loop_t loop;
    uv_async_t called;
    uv_timer_t look; /* until everything is loaded */
    struct air_engine *engine;
    struct air_driver *driver;
    struct air_pairs pairs;
    size_t loaded_count; /* of lineages, from the first on */

    /* shared, under lock */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    struct air_server_call *calls; /* the latest first */
    SSL_CTX *context;              /* the first attached */
    bool is_loaded;
    bool is_stopping;
};

/* carry.c: the driver's `carry`; host is the server. */
bool air_server_carry(void *host, const struct air_action *action, struct air_result *result);

#endif
