/* SPDX-License-Identifier: MIT */
/*
 * Moves bytes between client and backend. Each direction is a source, a pipe and a sink: a full
 * pipe stops the reading of its source (back-pressure), an ended source is passed on to the sink
 * once the pipe is empty (half-close), a sink that takes no more stops the direction.
 *
 * Invariant: a socket is watched only for what could then be used; an event never leads to a call
 * that blocks, nor to more than ROUNDS_MAX passes before others get their turn.
 */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "hosts/program/front/worker.h"

/* At most a few queues' worth for one connection at a time. */
#define ROUNDS_MAX 4

/* A client that neither sends nor closes after all was said keeps its place no longer than this. */
#define HALF_CLOSED_IDLE_MS 30000

static bool read_client(struct air_front_connection *self);
static bool read_client_stopped(struct air_front_connection *self);
static bool read_backend(struct air_front_connection *self);
static bool write_client(struct air_front_connection *self);
static bool write_client_end(struct air_front_connection *self);
static bool write_backend(struct air_front_connection *self);
static void backend_refuses(struct air_front_connection *self, int error);
static void settle(struct air_front_connection *self);
static void watch(struct air_front_connection *self);
static uint64_t idle_until_ms(const struct air_front_connection *self);

void air_front_relay_begin(struct air_front_connection *self) {
    self->client.ready = UV_READABLE;
    self->backend.ready = 0;
    air_front_connection_expire_at(self, idle_until_ms(self));
    air_front_relay_ready(self);
}

void air_front_relay_ready(struct air_front_connection *self) {
    bool has_moved = true;
    bool was_active = false;
    if (self->read_needs_write && (self->client.ready & UV_WRITABLE) != 0) {
        self->read_needs_write = false;
        self->client.ready |= UV_READABLE;
    }
    for (int round = 0; round < ROUNDS_MAX && has_moved && !self->is_broken; round++) {
        has_moved = read_client(self);
        has_moved |= write_backend(self);
        has_moved |= read_backend(self);
        has_moved |= write_client(self);
        was_active |= has_moved;
    }
    if (was_active) {
        air_front_connection_expire_at(self, idle_until_ms(self));
    }
    settle(self);
}

void air_front_relay_expired(struct air_front_connection *self) {
    air_front_count(&self->worker->front->counters.idle_closed, 1);
    air_front_connection_end(self);
}

/* Each of these tells whether anything was moved. */

static bool read_client(struct air_front_connection *self) {
    struct air_front_worker *worker = self->worker;
    bool has_moved = false;
    while ((self->client.ready & UV_READABLE) != 0 && air_front_pipe_takes(&self->up)) {
        size_t room = 0;
        size_t size = 0;
        uint8_t *to = air_front_pipe_room(&self->up, &worker->pool, &room);
        if (to == NULL) {
            self->is_broken = true;
            return has_moved;
        }
        ERR_clear_error();
        bool is_read = SSL_read_ex(self->ssl, to, room, &size) == 1;
        air_front_pipe_filled(&self->up, &worker->pool, size);
        if (!is_read) {
            return read_client_stopped(self) || has_moved;
        }
        air_front_count(&worker->front->counters.received_size, size);
        has_moved = true;
    }
    return has_moved;
}

static bool read_client_stopped(struct air_front_connection *self) {
    switch (SSL_get_error(self->ssl, 0)) {
    case SSL_ERROR_WANT_WRITE:
        self->read_needs_write = true;
        self->client.ready &= ~(UV_READABLE | UV_WRITABLE);
        return false;
    case SSL_ERROR_WANT_READ:
        self->client.ready &= ~UV_READABLE;
        return false;
    case SSL_ERROR_ZERO_RETURN:
        self->up.is_ended = true;
        return true;
    default: /* an alert, rubbish, a reset, or the end of TCP without close_notify */
        self->is_broken = true;
        return false;
    }
}

static bool write_backend(struct air_front_connection *self) {
    struct air_front_pipe *up = &self->up;
    bool has_moved = false;
    while (up->size > 0 && !up->is_shut) {
        ssize_t sent = send(self->backend.socket, up->data + up->start, up->size, MSG_NOSIGNAL);
        if (sent > 0) {
            air_front_pipe_taken(up, &self->worker->pool, (size_t)sent);
            has_moved = true;
        } else if (errno == EAGAIN) {
            return has_moved;
        } else if (errno != EINTR) {
            backend_refuses(self, errno);
            return true;
        }
    }
    if (up->is_ended && !up->is_shut) {
        shutdown(self->backend.socket, SHUT_WR);
        up->is_shut = true;
        has_moved = true;
    }
    return has_moved;
}

/* What the backend said before is still read: a server may answer and hang up before it has read
 * everything. */
static void backend_refuses(struct air_front_connection *self, int error) {
    self->up.is_shut = true;
    air_front_pipe_drop(&self->up, &self->worker->pool);
    self->backend.ready |= UV_READABLE;
    self->down.is_reset |= error == ECONNRESET;
}

static bool read_backend(struct air_front_connection *self) {
    struct air_front_worker *worker = self->worker;
    struct air_front_pipe *down = &self->down;
    bool has_moved = false;
    while ((self->backend.ready & UV_READABLE) != 0 && air_front_pipe_takes(down)) {
        size_t room = 0;
        uint8_t *to = air_front_pipe_room(down, &worker->pool, &room);
        if (to == NULL) {
            self->is_broken = true;
            return has_moved;
        }
        ssize_t size = recv(self->backend.socket, to, room, 0);
        air_front_pipe_filled(down, &worker->pool, size > 0 ? (size_t)size : 0);
        if (size < 0 && errno == EAGAIN) {
            self->backend.ready &= ~UV_READABLE;
        } else if (size == 0 || (size < 0 && errno != EINTR)) {
            down->is_ended = true;
            down->is_reset |= size < 0;
        }
        has_moved |= size > 0 || down->is_ended;
    }
    return has_moved;
}

static bool write_client(struct air_front_connection *self) {
    struct air_front_pipe *down = &self->down;
    bool has_moved = false;
    while (down->size > 0 && !self->is_broken) {
        size_t sent = 0;
        ERR_clear_error();
        if (SSL_write_ex(self->ssl, down->data + down->start, down->size, &sent) != 1) {
            self->is_broken = SSL_get_error(self->ssl, 0) != SSL_ERROR_WANT_WRITE;
            return has_moved;
        }
        air_front_count(&self->worker->front->counters.sent_size, sent);
        air_front_pipe_taken(down, &self->worker->pool, sent);
        has_moved = true;
    }
    if (down->is_ended && !down->is_shut && !self->is_broken) {
        has_moved |= write_client_end(self);
    }
    return has_moved;
}

static bool write_client_end(struct air_front_connection *self) {
    if (!self->down.is_reset) {
        ERR_clear_error();
        int result = SSL_shutdown(self->ssl);
        if (result < 0) {
            self->is_broken = SSL_get_error(self->ssl, result) != SSL_ERROR_WANT_WRITE;
            return false;
        }
    }
    shutdown(self->client.socket, SHUT_WR);
    self->down.is_shut = true;
    return true;
}

/* Go on, or leave the step. */
static void settle(struct air_front_connection *self) {
    bool is_over = self->down.is_shut && (self->up.is_shut || self->down.is_reset);
    air_front_pipe_note_held(&self->up, &self->worker->pool);
    air_front_pipe_note_held(&self->down, &self->worker->pool);
    if (self->is_broken || (is_over && self->up.is_ended)) {
        air_front_connection_enter(self, AIR_FRONT_CLOSED);
    } else if (is_over) {
        air_front_connection_enter(self, AIR_FRONT_LINGER);
    } else {
        watch(self);
    }
}

static void watch(struct air_front_connection *self) {
    int client = 0;
    int backend = 0;
    if (air_front_pipe_takes(&self->up)) {
        client |= self->read_needs_write ? UV_WRITABLE : UV_READABLE;
        /* Bytes that OpenSSL holds raise no event: come back by the sink, which has room. */
        backend |= (self->client.ready & UV_READABLE) != 0 ? UV_WRITABLE : 0;
    }
    if (air_front_pipe_takes(&self->down)) {
        backend |= UV_READABLE;
    }
    if (self->up.size > 0) {
        backend |= UV_WRITABLE;
    }
    if (self->down.size > 0 || (self->down.is_ended && !self->down.is_shut)) {
        client |= UV_WRITABLE;
    }
    air_front_connection_watch(self, client, backend);
}

static uint64_t idle_until_ms(const struct air_front_connection *self) {
    uint64_t idle_ms = self->worker->front->config.idle_timeout_ms;
    if (self->down.is_shut && idle_ms > HALF_CLOSED_IDLE_MS) {
        idle_ms = HALF_CLOSED_IDLE_MS;
    }
    return uv_now(&self->worker->loop) + idle_ms;
}
