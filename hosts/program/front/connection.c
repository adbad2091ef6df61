/* SPDX-License-Identifier: MIT */
/*
 * The life of a connection: steps, deadlines, handshake, lingering close, release. Reaching the
 * backend is connect.c's, moving bytes relay.c's.
 *
 * Invariant: only air_front_connection_enter() changes the step, along the edges of the table; a
 * closed connection is freed by the last of its handles that libuv lets go.
 */

#include "hosts/program/front/connection.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hosts/program/front/socket_bio.h"
#include "hosts/program/front/worker.h"
#include "src/base/memory.h"
#include "thinair/tls.h"

/* How long a client may take to hear our close_notify and close. */
#define LINGER_MS 2000

/* A lingering client's bytes are thrown away in pieces of this size, a few at a time. */
#define DISCARD_SIZE 4096
#define DISCARD_ROUNDS 16

static void handshake_begin(struct air_front_connection *self);
static void handshake_ready(struct air_front_connection *self);
static void handshake_expired(struct air_front_connection *self);
static void handshake_failed(struct air_front_connection *self, int error);
static void handshake_done(struct air_front_connection *self);
static void challenge_begin(struct air_front_connection *self);
static void challenge_end(struct air_front_connection *self);
static void linger_begin(struct air_front_connection *self);
static void linger_ready(struct air_front_connection *self);
static void linger_expired(struct air_front_connection *self);
static void closed_begin(struct air_front_connection *self);
static void say_end(struct air_front_connection *self);
static void let_go(struct air_front_connection *self);
static bool tls_new(struct air_front_connection *self, int socket);
static void on_event(uv_poll_t *handle, int status, int events);
static void on_timer(uv_timer_t *handle);
static void on_handle_closed(uv_handle_t *handle);
static uint64_t now_ms(const struct air_front_connection *self);

#define TO(step) (1U << (step))

static const struct {
    void (*begin)(struct air_front_connection *self);
    void (*ready)(struct air_front_connection *self);
    void (*expired)(struct air_front_connection *self);
    unsigned next;
} steps[] = {
    [AIR_FRONT_HANDSHAKE] = {handshake_begin, handshake_ready, handshake_expired,
        TO(AIR_FRONT_CONNECT) | TO(AIR_FRONT_LINGER) | TO(AIR_FRONT_CLOSED)},
    [AIR_FRONT_CONNECT] = {air_front_connect_begin, air_front_connect_ready,
        air_front_connect_expired,
        TO(AIR_FRONT_RELAY) | TO(AIR_FRONT_LINGER) | TO(AIR_FRONT_CLOSED)},
    [AIR_FRONT_RELAY] = {air_front_relay_begin, air_front_relay_ready, air_front_relay_expired,
        TO(AIR_FRONT_LINGER) | TO(AIR_FRONT_CLOSED)},
    [AIR_FRONT_LINGER] = {linger_begin, linger_ready, linger_expired, TO(AIR_FRONT_CLOSED)},
    [AIR_FRONT_CLOSED] = {closed_begin, NULL, NULL, 0},
};

bool air_front_connection_begin(struct air_front_worker *worker, int socket) {
    struct air_front_connection *self = air_memory_new(sizeof *self);
    if (self == NULL) {
        close(socket);
        return false;
    }
    self->worker = worker;
    self->client.socket = -1;
    self->backend.socket = -1;
    if (!tls_new(self, socket) ||
        !air_front_side_open(&self->client, &worker->loop, socket, self)) {
        SSL_free(self->ssl);
        air_memory_free(self, sizeof *self);
        close(socket);
        return false;
    }
    uv_timer_init(&worker->loop, &self->timer);
    self->timer.data = self;
    self->handles_count = 2;
    air_front_worker_add(worker, self);
    self->step = AIR_FRONT_HANDSHAKE;
    steps[self->step].begin(self);
    return true;
}

void air_front_connection_enter(struct air_front_connection *self, enum air_front_step step) {
    assert((steps[self->step].next & TO(step)) != 0);
    if (self->step == AIR_FRONT_HANDSHAKE) {
        challenge_end(self);
    }
    self->step = step;
    steps[step].begin(self);
}

void air_front_connection_end(struct air_front_connection *self) {
    say_end(self);
    air_front_connection_enter(self, AIR_FRONT_LINGER);
}

void air_front_connection_stop(struct air_front_connection *self) {
    say_end(self);
    air_front_connection_enter(self, AIR_FRONT_CLOSED);
}

void air_front_connection_expire_at(struct air_front_connection *self, uint64_t deadline_ms) {
    self->deadline_ms = deadline_ms;
    uint64_t now = now_ms(self);
    uint64_t wait_ms = deadline_ms > now ? deadline_ms - now : 0;
    if (!uv_is_active((uv_handle_t *)&self->timer) || uv_timer_get_due_in(&self->timer) > wait_ms) {
        uv_timer_start(&self->timer, on_timer, wait_ms, 0);
    }
}

bool air_front_connection_backend_open(struct air_front_connection *self, int socket) {
    if (!air_front_side_open(&self->backend, &self->worker->loop, socket, self)) {
        return false;
    }
    self->handles_count++;
    return true;
}

void air_front_connection_backend_close(struct air_front_connection *self, bool with_reset) {
    air_front_side_close(&self->backend, with_reset, on_handle_closed);
}

void air_front_connection_watch(
    struct air_front_connection *self, int client_events, int backend_events) {
    air_front_side_watch(&self->client, client_events, on_event);
    air_front_side_watch(&self->backend, backend_events, on_event);
}

/* What does not fit into the socket now is not waited for. */
static void say_end(struct air_front_connection *self) {
    if (self->ssl != NULL && SSL_is_init_finished(self->ssl) && self->down.size == 0 &&
        !self->down.is_shut && !self->down.is_reset) {
        ERR_clear_error();
        SSL_shutdown(self->ssl);
    }
}

static bool tls_new(struct air_front_connection *self, int socket) {
    const struct air_front *front = self->worker->front;
    self->ssl = SSL_new(front->config.context);
    BIO *bio = air_front_socket_bio_new(front->socket_method, socket);
    if (self->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    SSL_set_bio(self->ssl, bio, bio);
    SSL_set_accept_state(self->ssl);
    SSL_set_mode(self->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no matter on unix sockets */
    return true;
}

static void handshake_begin(struct air_front_connection *self) {
    air_front_connection_expire_at(
        self, now_ms(self) + self->worker->front->config.handshake_timeout_ms);
    air_front_connection_watch(self, UV_READABLE, 0);
}

static void handshake_ready(struct air_front_connection *self) {
    ERR_clear_error();
    int result = SSL_do_handshake(self->ssl);
    int error = SSL_get_error(self->ssl, result);
    if (!self->is_challenge && air_tls_is_challenge(self->ssl)) {
        challenge_begin(self);
    }
    if (result == 1) {
        handshake_done(self);
    } else if (error == SSL_ERROR_WANT_READ) {
        air_front_connection_watch(self, UV_READABLE, 0);
    } else if (error == SSL_ERROR_WANT_WRITE) {
        air_front_connection_watch(self, UV_WRITABLE, 0);
    } else {
        handshake_failed(self, error);
    }
}

static void handshake_expired(struct air_front_connection *self) {
    air_front_count(&self->worker->front->counters.handshakes_failed, 1);
    air_front_connection_enter(self, AIR_FRONT_CLOSED);
}

/* A client that closed before its first byte (a port check) is not a failed handshake. An alert of
 * ours is lingered for. */
static void handshake_failed(struct air_front_connection *self, int error) {
    if (BIO_number_read(SSL_get_rbio(self->ssl)) > 0) {
        air_front_count(&self->worker->front->counters.handshakes_failed, 1);
    }
    air_front_connection_enter(self, error == SSL_ERROR_SSL ? AIR_FRONT_LINGER : AIR_FRONT_CLOSED);
}

static void handshake_done(struct air_front_connection *self) {
    struct air_front_counters *counters = &self->worker->front->counters;
    if (self->is_challenge) {
        air_front_count(&counters->challenges, 1);
        SSL_set_shutdown(self->ssl, 0); /* the table has shut it; the client is told so */
        air_front_connection_end(self);
        return;
    }
    air_front_count(&counters->handshakes_done, 1);
    self->routes = air_front_worker_routes(self->worker);
    self->way = air_front_routes_find(
        self->routes, SSL_get_servername(self->ssl, TLSEXT_NAMETYPE_host_name));
    if (self->way == NULL) {
        air_front_count(&counters->unrouted, 1);
        air_front_connection_end(self);
        return;
    }
    air_front_connection_enter(self, AIR_FRONT_CONNECT);
}

/*
 * R-G1: few at once, and for a shorter time, counted from the accept. When there are too many, the
 * oldest goes: stalled ones must not keep a CA out.
 */
static void challenge_begin(struct air_front_connection *self) {
    struct air_front_worker *worker = self->worker;
    const struct air_front_config *config = &worker->front->config;
    if (worker->challenges_count >= worker->challenges_max) {
        struct air_front_connection *oldest = NULL;
        for (struct air_front_connection *at = worker->connections; at != NULL; at = at->next) {
            if (at->is_challenge && at->step == AIR_FRONT_HANDSHAKE) {
                oldest = at;
            }
        }
        if (oldest != NULL) {
            handshake_expired(oldest);
        }
    }
    self->is_challenge = true;
    worker->challenges_count++;
    uint64_t began_ms = self->deadline_ms - config->handshake_timeout_ms;
    if (config->challenge_timeout_ms < config->handshake_timeout_ms) {
        air_front_connection_expire_at(self, began_ms + config->challenge_timeout_ms);
    }
}

static void challenge_end(struct air_front_connection *self) {
    if (self->is_challenge) {
        self->worker->challenges_count--;
    }
}

/*
 * Closing a socket with unread bytes makes the kernel send a reset, which can destroy our last
 * words on their way. So: say the end, read on, close when the client has closed.
 */
static void linger_begin(struct air_front_connection *self) {
    let_go(self);
    shutdown(self->client.socket, SHUT_WR);
    air_front_connection_expire_at(self, now_ms(self) + LINGER_MS);
    air_front_connection_watch(self, UV_READABLE, 0);
}

static void linger_ready(struct air_front_connection *self) {
    char discarded[DISCARD_SIZE];
    ssize_t size = 1;
    for (int i = 0; i < DISCARD_ROUNDS && size > 0; i++) {
        size = recv(self->client.socket, discarded, sizeof discarded, 0);
    }
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        air_front_connection_enter(self, AIR_FRONT_CLOSED);
        return;
    }
    air_front_connection_watch(self, UV_READABLE, 0);
}

static void linger_expired(struct air_front_connection *self) {
    air_front_connection_enter(self, AIR_FRONT_CLOSED);
}

static void closed_begin(struct air_front_connection *self) {
    let_go(self);
    air_front_side_close(&self->client, false, on_handle_closed);
    uv_close((uv_handle_t *)&self->timer, on_handle_closed);
    air_front_worker_remove(self->worker, self);
}

/* Keep only the client's socket. A backend that was not told the end gets a reset. */
static void let_go(struct air_front_connection *self) {
    SSL_free(self->ssl);
    self->ssl = NULL;
    air_front_routes_release(self->routes);
    self->routes = NULL;
    air_front_pipe_drop(&self->up, &self->worker->pool);
    air_front_pipe_drop(&self->down, &self->worker->pool);
    air_front_connection_backend_close(self, !self->up.is_shut);
}

/* libuv stops the watch when it reports an error; the next call on the socket says which. */
static void on_event(uv_poll_t *handle, int status, int events) {
    struct air_front_connection *self = handle->data;
    struct air_front_side *side = handle == &self->client.poll ? &self->client : &self->backend;
    if (status < 0) {
        side->watched = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    side->ready |= events;
    steps[self->step].ready(self);
}

static void on_timer(uv_timer_t *handle) {
    struct air_front_connection *self = handle->data;
    if (now_ms(self) < self->deadline_ms) {
        air_front_connection_expire_at(self, self->deadline_ms);
        return;
    }
    steps[self->step].expired(self);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct air_front_connection *self = handle->data;
    self->handles_count--;
    if (self->step == AIR_FRONT_CLOSED && self->handles_count == 0) {
        air_memory_free(self, sizeof *self);
    } else if (self->step == AIR_FRONT_CONNECT) {
        air_front_connect_next(self);
    }
}

static uint64_t now_ms(const struct air_front_connection *self) {
    return uv_now(&self->worker->loop);
}
