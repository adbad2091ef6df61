/* SPDX-License-Identifier: MIT */
/*
 * A worker: one thread, one loop, the listeners shared with the other workers. It accepts while it
 * has room, pauses when its share of the connections is used up or the process has no descriptors
 * left, and ends when it was told to stop and its last connection is gone.
 *
 * Invariant: connections_count is the length of the list; the listeners are watched exactly while
 * is_accepting.
 */

#include "hosts/program/front/worker.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Accepted in one turn, so that a flood of new clients leaves time for the present ones. */
#define ACCEPTS_MAX 32

/* How long to leave the listeners alone when descriptors or memory have run out. */
#define ACCEPT_PAUSE_MS 100

static bool open_handles(struct air_front_worker *self);
static void close_handles(struct air_front_worker *self);
static void on_wake(uv_async_t *handle);
static void on_accept(uv_poll_t *handle, int status, int events);
static bool accept_one(struct air_front_worker *self, int listener);
static void on_accept_timer(uv_timer_t *handle);
static void on_grace_timer(uv_timer_t *handle);
static void accept_pause(struct air_front_worker *self, uint64_t pause_ms);
static void accept_resume(struct air_front_worker *self);
static void stop_accepting(struct air_front_worker *self);

bool air_front_worker_init(struct air_front_worker *self) {
    self->pool.queued_size = &self->front->counters.queued_size;
    self->pool.held = &self->front->counters.held;
    if (uv_loop_init(&self->loop) != 0) {
        return false;
    }
    if (!open_handles(self)) {
        close_handles(self);
        uv_run(&self->loop, UV_RUN_DEFAULT);
        uv_loop_close(&self->loop);
        return false;
    }
    return true;
}

void air_front_worker_run(void *worker) {
    struct air_front_worker *self = worker;
    accept_resume(self);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    air_front_pool_deinit(&self->pool);
}

void air_front_worker_deinit(struct air_front_worker *self) {
    uv_loop_close(&self->loop);
}

void air_front_worker_add(struct air_front_worker *self, struct air_front_connection *connection) {
    connection->next = self->connections;
    connection->previous = NULL;
    if (self->connections != NULL) {
        self->connections->previous = connection;
    }
    self->connections = connection;
    self->connections_count++;
    air_front_count(&self->front->counters.active, 1);
}

void air_front_worker_remove(
    struct air_front_worker *self, struct air_front_connection *connection) {
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        self->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    self->connections_count--;
    air_front_uncount(&self->front->counters.active, 1);
    if (!self->is_stopping) {
        accept_resume(self);
    } else if (self->connections_count == 0) {
        close_handles(self);
    }
}

struct air_front_routes *air_front_worker_routes(struct air_front_worker *self) {
    struct air_front *front = self->front;
    uv_mutex_lock(&front->routes_lock);
    struct air_front_routes *routes = air_front_routes_hold(front->routes);
    uv_mutex_unlock(&front->routes_lock);
    return routes;
}

static bool open_handles(struct air_front_worker *self) {
    uv_timer_init(&self->loop, &self->accept_timer);
    uv_timer_init(&self->loop, &self->grace_timer);
    self->accept_timer.data = self;
    self->grace_timer.data = self;
    if (uv_async_init(&self->loop, &self->wake, on_wake) != 0) {
        return false;
    }
    self->wake.data = self;
    for (size_t i = 0; i < self->front->config.listeners_count; i++) {
        if (uv_poll_init(&self->loop, &self->listeners[i], self->front->listeners[i]) != 0) {
            return false;
        }
        self->listeners[i].data = self;
        self->listeners_open++;
    }
    return true;
}

/* What is left of the worker's own handles; the loop ends when they are closed. */
static void close_handles(struct air_front_worker *self) {
    uv_close((uv_handle_t *)&self->accept_timer, NULL);
    uv_close((uv_handle_t *)&self->grace_timer, NULL);
    if (self->wake.data != NULL) {
        uv_close((uv_handle_t *)&self->wake, NULL);
    }
    for (; self->listeners_open > 0; self->listeners_open--) {
        uv_close((uv_handle_t *)&self->listeners[self->listeners_open - 1], NULL);
    }
}

static void on_wake(uv_async_t *handle) {
    struct air_front_worker *self = handle->data;
    if (self->is_stopping || !atomic_load(&self->front->is_stopping)) {
        return;
    }
    self->is_stopping = true;
    stop_accepting(self);
    if (self->connections_count == 0) {
        close_handles(self);
        return;
    }
    uv_timer_start(&self->grace_timer, on_grace_timer, atomic_load(&self->front->grace_ms), 0);
}

static void on_accept(uv_poll_t *handle, int status, int events) {
    (void)events;
    struct air_front_worker *self = handle->data;
    if (status < 0) {
        accept_pause(self, ACCEPT_PAUSE_MS);
        return;
    }
    int listener = self->front->listeners[handle - self->listeners];
    for (int i = 0; i < ACCEPTS_MAX && self->is_accepting; i++) {
        if (!accept_one(self, listener)) {
            return;
        }
        if (self->connections_count >= self->connections_max) {
            accept_pause(self, 0); /* until air_front_worker_remove() */
        }
    }
}

/* False: there is nothing to accept now. */
static bool accept_one(struct air_front_worker *self, int listener) {
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
        air_front_count(&self->front->counters.accepted, 1);
        if (!air_front_connection_begin(self, client)) {
            air_front_count(&self->front->counters.handshakes_failed, 1);
        }
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accept_pause(self, ACCEPT_PAUSE_MS);
        return false;
    }
    /* EAGAIN, or the error of one client that has gone already: accept(2), "Error handling". */
    return errno != EAGAIN;
}

static void on_accept_timer(uv_timer_t *handle) {
    accept_resume(handle->data);
}

/* Waited long enough: whoever is left is closed. */
static void on_grace_timer(uv_timer_t *handle) {
    struct air_front_worker *self = handle->data;
    while (self->connections != NULL) {
        air_front_connection_stop(self->connections);
    }
}

/* pause_ms  0: until a connection ends. */
static void accept_pause(struct air_front_worker *self, uint64_t pause_ms) {
    if (!self->is_accepting) {
        return;
    }
    self->is_accepting = false;
    air_front_count(&self->front->counters.accept_pauses, 1);
    for (size_t i = 0; i < self->listeners_open; i++) {
        uv_poll_stop(&self->listeners[i]);
    }
    if (pause_ms > 0) {
        uv_timer_start(&self->accept_timer, on_accept_timer, pause_ms, 0);
    }
}

static void accept_resume(struct air_front_worker *self) {
    if (self->is_accepting || self->is_stopping ||
        self->connections_count >= self->connections_max) {
        return;
    }
    self->is_accepting = true;
    uv_timer_stop(&self->accept_timer);
    for (size_t i = 0; i < self->listeners_open; i++) {
        uv_poll_start(&self->listeners[i], UV_READABLE, on_accept);
    }
}

/* The last worker to let go of the listeners closes them. */
static void stop_accepting(struct air_front_worker *self) {
    struct air_front *front = self->front;
    for (; self->listeners_open > 0; self->listeners_open--) {
        uv_close((uv_handle_t *)&self->listeners[self->listeners_open - 1], NULL);
    }
    self->is_accepting = false;
    uv_timer_stop(&self->accept_timer);
    bool is_last = atomic_fetch_sub(&front->accepting_count, 1) == 1;
    for (size_t i = 0; i < front->config.listeners_count && is_last; i++) {
        if (!front->listeners_kept) {
            close(front->listeners[i]);
        }
    }
}
