/* SPDX-License-Identifier: MIT */
/*
 * Reaching the backend: its addresses one after the other, each with a deadline of its own, then
 * the PROXY protocol header when the route asks for one. The client is not read meanwhile.
 *
 * Invariant: at most one socket to the backend is open.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hosts/program/front/proxy_protocol.h"
#include "hosts/program/front/worker.h"
#include "src/base/span.h"

/* A unix socket whose backlog is full says so at once instead of queueing: ask again this often. */
#define BACKLOG_RETRY_MS 20

/* How an attempt to connect stands. */
enum attempt { ATTEMPT_FAILED, ATTEMPT_WAITS, ATTEMPT_DONE };

static void try_addresses(struct air_front_connection *self);
static enum attempt try_address(struct air_front_connection *self);
static enum attempt judge(struct air_front_connection *self, int socket, int error);
static void connected(struct air_front_connection *self);
static bool put_proxy_header(struct air_front_connection *self);
static uint64_t now_ms(const struct air_front_connection *self);

void air_front_connect_begin(struct air_front_connection *self) {
    air_front_connection_watch(self, 0, 0);
    self->address_index = 0;
    self->address_until_ms = now_ms(self) + self->worker->front->config.connect_timeout_ms;
    try_addresses(self);
}

void air_front_connect_ready(struct air_front_connection *self) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(self->backend.socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0) {
        connected(self);
        return;
    }
    air_front_connection_backend_close(self, false); /* goes on in air_front_connect_next() */
}

void air_front_connect_expired(struct air_front_connection *self) {
    if (self->backend.is_polled) {
        air_front_connection_backend_close(self, true);
    } else {
        try_addresses(self);
    }
}

void air_front_connect_next(struct air_front_connection *self) {
    self->address_index++;
    self->address_until_ms = now_ms(self) + self->worker->front->config.connect_timeout_ms;
    try_addresses(self);
}

static void try_addresses(struct air_front_connection *self) {
    while (self->address_index < self->way->target->addresses_count) {
        switch (try_address(self)) {
        case ATTEMPT_DONE:
            connected(self);
            return;
        case ATTEMPT_WAITS:
            return;
        case ATTEMPT_FAILED:
            self->address_index++;
            break;
        }
    }
    air_front_count(&self->worker->front->counters.backend_failures, 1);
    air_front_connection_end(self);
}

static enum attempt try_address(struct air_front_connection *self) {
    const struct air_front_address *at = &self->way->target->addresses[self->address_index];
    int fd = socket(at->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ATTEMPT_FAILED;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* no matter on unix sockets */
    int result = connect(fd, (const struct sockaddr *)&at->address, at->size);
    return judge(self, fd, result == 0 ? 0 : errno);
}

/* error  of connect(), or 0. Takes the socket over or closes it. */
static enum attempt judge(struct air_front_connection *self, int fd, int error) {
    uint64_t now = now_ms(self);
    if (error == EAGAIN && now < self->address_until_ms) {
        close(fd);
        air_front_connection_expire_at(self, now + BACKLOG_RETRY_MS);
        return ATTEMPT_WAITS;
    }
    bool goes_on = error == 0 || error == EINPROGRESS;
    if (!goes_on || !air_front_connection_backend_open(self, fd)) {
        close(fd);
        return ATTEMPT_FAILED;
    }
    if (error == 0) {
        return ATTEMPT_DONE;
    }
    air_front_connection_expire_at(self, self->address_until_ms);
    air_front_connection_watch(self, 0, UV_WRITABLE);
    return ATTEMPT_WAITS;
}

static void connected(struct air_front_connection *self) {
    bool is_ready = !self->way->proxy_protocol || put_proxy_header(self);
    air_front_routes_release(self->routes);
    self->routes = NULL;
    self->way = NULL;
    if (is_ready) {
        air_front_connection_enter(self, AIR_FRONT_RELAY);
    } else {
        air_front_connection_end(self);
    }
}

/* False: no memory, or the client is gone already. */
static bool put_proxy_header(struct air_front_connection *self) {
    struct sockaddr_storage client = {0};
    struct sockaddr_storage local = {0};
    socklen_t client_size = sizeof client;
    socklen_t local_size = sizeof local;
    if (getpeername(self->client.socket, (struct sockaddr *)&client, &client_size) != 0 ||
        getsockname(self->client.socket, (struct sockaddr *)&local, &local_size) != 0) {
        return false;
    }
    struct air_proxy_header header = {
        .client = (const struct sockaddr *)&client, .local = (const struct sockaddr *)&local};
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(self->ssl, &header.alpn.data, &alpn_size);
    header.alpn.size = alpn_size;
    header.authority = air_span_text(SSL_get_servername(self->ssl, TLSEXT_NAMETYPE_host_name));
    size_t room = 0;
    uint8_t *to = air_front_pipe_room(&self->up, &self->worker->pool, &room);
    if (to == NULL) {
        return false;
    }
    air_front_pipe_filled(&self->up, &self->worker->pool, air_proxy_header_write(&header, to));
    return true;
}

static uint64_t now_ms(const struct air_front_connection *self) {
    return uv_now(&self->worker->loop);
}
