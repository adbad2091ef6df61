/* SPDX-License-Identifier: MIT */
/*
 * Certificates for an OpenSSL server: one thread with engine, driver and storage, and how the
 * server's own threads talk to it.
 *
 * What is served and proven is carry.c. Invariant: engine, driver and loop are touched by our
 * thread alone once it runs; the calling threads only leave calls under the lock and wait.
 */
#include "thinair/server.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "driver/server_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/files.h"
#include "thinair/openssl.h"

/* How often to look whether everything is loaded: each look walks over the lineages. */
#define LOOK_MS 2

#define MS_PER_S 1000
#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

static enum air_error open_parts(struct air_server *server, struct air_buffer *reason);
static enum air_error configure(
    struct air_server *server, const struct air_server_config *config, struct air_buffer *reason);
static enum air_error open_loop(struct air_server *server);
static enum air_error start_thread(struct air_server *server);
static void close_loop(struct air_server *server);
static void close_parts(struct air_server *server);
static void *run(void *argument);
static void on_called(uv_async_t *called);
static void run_calls(struct air_server *server);
static void look_for_loaded(uv_timer_t *look);
static void begin_stop(struct air_server *server);
static void on_driver_stopped(void *host);

enum air_error air_server_start(
    const struct air_server_config *config, struct air_server **out, struct air_buffer *reason) {
    struct air_server *server;
    enum air_error error;

    if (config->size != sizeof(*config) || config->state_dir == NULL) {
        return AIR_ERR_ARGUMENT;
    }
    server = air_memory_new(sizeof(*server));
    if (server == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    server->config = *config;
    error = open_parts(server, reason);
    if (error == AIR_OK) {
        error = configure(server, config, reason);
    }
    if (error == AIR_OK) {
        error = open_loop(server);
    }
    if (error == AIR_OK) {
        error = start_thread(server);
        if (error != AIR_OK) {
            close_loop(server);
        }
    }
    if (error != AIR_OK) {
        close_parts(server);
        return error;
    }
    *out = server;
    return AIR_OK;
}

void air_server_stop(struct air_server *server) {
    if (server == NULL) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_mutex_unlock(&server->lock);
    (void)uv_async_send(&server->called);
    pthread_join(server->thread, NULL);
    close_parts(server);
}

enum air_error air_server_wait_loaded(struct air_server *server, uint32_t timeout_ms) {
    struct timespec until;
    bool is_loaded;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / MS_PER_S;
    until.tv_nsec += (long)(timeout_ms % MS_PER_S) * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_sec++;
        until.tv_nsec -= NS_PER_S;
    }
    pthread_mutex_lock(&server->lock);
    while (!server->is_loaded && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&server->turned, &server->lock, &until);
    }
    is_loaded = server->is_loaded;
    pthread_mutex_unlock(&server->lock);
    return is_loaded ? AIR_OK : AIR_ERR_TIMEOUT;
}

enum air_error air_server_attach(struct air_server *server, SSL_CTX *context, air_span alpn) {
    enum air_error error = air_tls_attach(server->tls, context, alpn);

    if (error != AIR_OK) {
        return error;
    }
    pthread_mutex_lock(&server->lock);
    if (server->context == NULL && SSL_CTX_up_ref(context) == 1) {
        server->context = context;
    }
    pthread_mutex_unlock(&server->lock);
    return AIR_OK;
}

struct air_tls *air_server_tls(struct air_server *server) {
    return server->tls;
}

struct air_responder *air_server_responder(struct air_server *server) {
    return server->responder;
}

void air_server_call(struct air_server *server,
    void (*function)(void *context, struct air_engine *engine), void *context) {
    struct air_server_call call = {.function = function, .context = context};

    pthread_mutex_lock(&server->lock);
    call.next = server->calls;
    server->calls = &call;
    pthread_mutex_unlock(&server->lock);
    (void)uv_async_send(&server->called);
    pthread_mutex_lock(&server->lock);
    while (!call.is_done) {
        pthread_cond_wait(&server->turned, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
}

uint64_t air_server_requests_count(struct air_server *server) {
    return air_driver_requests_count(server->driver);
}

static enum air_error open_parts(struct air_server *server, struct air_buffer *reason) {
    struct air_engine_config config = {.size = sizeof(config)};
    pthread_condattr_t attributes;
    enum air_error error;

    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->turned, &attributes);
    pthread_condattr_destroy(&attributes);
    error =
        air_storage_files_new(server->config.state_dir, AIR_FILES_CREATE, &server->storage, reason);
    if (error == AIR_OK) {
        error = air_crypto_openssl_new(&server->crypto);
    }
    if (error == AIR_OK) {
        error = air_tls_new(&server->tls);
    }
    if (error == AIR_OK) {
        error = air_responder_new(&server->responder);
    }
    if (error == AIR_OK) {
        config.crypto = server->crypto;
        config.issuances_max = server->config.issuances_max;
        config.report_steps = server->config.report_steps;
        error = air_engine_new(&config, &server->engine);
    }
    return error;
}

/* Tell the engine what is asked for. */
static enum air_error configure(
    struct air_server *server, const struct air_server_config *config, struct air_buffer *reason) {
    enum air_error error = AIR_OK;

    for (size_t i = 0; i < config->authorities_count && error == AIR_OK; i++) {
        error = air_engine_authority_set(server->engine, &config->authorities[i]);
        if (error == AIR_ERR_ARGUMENT && reason != NULL) {
            air_buffer_append_text(reason, "the authority ");
            air_buffer_append_span(reason, config->authorities[i].directory_url);
            air_buffer_append_text(
                reason, ": its URL must be https, its contacts mailto:, within their limits");
        }
    }
    for (size_t i = 0; i < config->certificates_count && error == AIR_OK; i++) {
        error = air_engine_certificate_set(server->engine, &config->certificates[i], reason);
    }
    if (error == AIR_OK && !config->store_only) {
        error = air_engine_target_add(server->engine, air_span_text(AIR_SERVER_TARGET));
    }
    return error;
}

static enum air_error open_loop(struct air_server *server) {
    struct air_driver_config config = {
        .size = sizeof(config),
        .loop = &server->loop,
        .engine = server->engine,
        .crypto = server->crypto,
        .storage = server->storage,
        .carry = air_server_carry,
        .host = server,
    };
    enum air_error error;

    if (uv_loop_init(&server->loop) != 0) {
        return AIR_ERR_NO_MEMORY;
    }
    if (uv_async_init(&server->loop, &server->called, on_called) != 0) {
        (void)uv_loop_close(&server->loop);
        return AIR_ERR_NO_MEMORY;
    }
    server->called.data = server;
    (void)uv_timer_init(&server->loop, &server->look); /* cannot fail, like the next */
    server->look.data = server;
    (void)uv_timer_start(&server->look, look_for_loaded, LOOK_MS, LOOK_MS);
    error = air_driver_new(&config, &server->driver);
    if (error != AIR_OK) {
        close_loop(server);
    }
    return error;
}

/* Signals are the host's: none for this thread, nor for those that libuv and curl start from it. */
static enum air_error start_thread(struct air_server *server) {
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&server->thread, NULL, run, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? AIR_OK : AIR_ERR_NO_MEMORY;
}

/* Close a loop that no thread runs. */
static void close_loop(struct air_server *server) {
    begin_stop(server);
    (void)run(server);
}

static void close_parts(struct air_server *server) {
    air_engine_free(server->engine);
    air_pairs_deinit(&server->pairs);
    air_responder_free(server->responder);
    SSL_CTX_free(server->context);
    air_tls_free(server->tls);
    air_crypto_openssl_free(server->crypto);
    air_storage_files_free(server->storage);
    pthread_cond_destroy(&server->turned);
    pthread_mutex_destroy(&server->lock);
    air_memory_free(server, sizeof(*server));
}

/* The thread: it ends when nothing is left on the loop. */
static void *run(void *argument) {
    struct air_server *server = argument;

    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    air_driver_free(server->driver);
    (void)uv_loop_close(&server->loop);
    return NULL;
}

static void on_called(uv_async_t *called) {
    struct air_server *server = called->data;
    bool is_stopping;

    run_calls(server);
    pthread_mutex_lock(&server->lock);
    is_stopping = server->is_stopping;
    pthread_mutex_unlock(&server->lock);
    if (is_stopping) {
        begin_stop(server);
    } else {
        air_driver_wake(server->driver);
    }
}

/* Run what others asked for, in their order. */
static void run_calls(struct air_server *server) {
    struct air_server_call *calls, *ordered = NULL;

    pthread_mutex_lock(&server->lock);
    calls = server->calls;
    server->calls = NULL;
    pthread_mutex_unlock(&server->lock);
    while (calls != NULL) {
        struct air_server_call *next = calls->next;

        calls->next = ordered;
        ordered = calls;
        calls = next;
    }
    while (ordered != NULL) {
        struct air_server_call *next = ordered->next;

        ordered->function(ordered->context, server->engine);
        pthread_mutex_lock(&server->lock);
        ordered->is_done = true; /* its memory may be gone from here on */
        pthread_cond_broadcast(&server->turned);
        pthread_mutex_unlock(&server->lock);
        ordered = next;
    }
}

/* Lineages load in any order: go on from the first that was not loaded at the last look. */
static void look_for_loaded(uv_timer_t *look) {
    struct air_server *server = look->data;
    size_t count = air_engine_lineages_count(server->engine);
    struct air_status status;

    while (server->loaded_count < count) {
        if (air_engine_status(server->engine, server->loaded_count, &status) == AIR_OK &&
            status.state == AIR_STATE_LOADING) {
            return;
        }
        server->loaded_count++;
    }
    (void)uv_timer_stop(look);
    pthread_mutex_lock(&server->lock);
    server->is_loaded = true;
    pthread_cond_broadcast(&server->turned);
    pthread_mutex_unlock(&server->lock);
}

/* Let go of the loop; what still runs on the thread pool keeps it until it has ended. */
static void begin_stop(struct air_server *server) {
    uv_close((uv_handle_t *)&server->called, NULL);
    uv_close((uv_handle_t *)&server->look, NULL);
    if (server->driver != NULL) {
        air_driver_stop(server->driver, on_driver_stopped);
    }
}

static void on_driver_stopped(void *host) {
    (void)host; /* the loop is empty now, or soon: see run() */
}
