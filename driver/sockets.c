/* SPDX-License-Identifier: MIT */
/*
 * What curl waits for, as handles of the loop: one uv_poll for each of its sockets, one timer.
 *
 * What the transfers are is not known here. Invariant: a socket that curl told us to forget has no
 * handle on the loop, and no callback of ours calls curl from within curl.
 */
#include "driver/work.h"
#include "src/base/memory.h"

struct air_socket {
    struct air_socket *next;
    struct air_socket *previous;
    struct air_driver *driver;
    curl_socket_t fd;
    uv_poll_t poll;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context);
static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *context);
static void on_timeout(uv_timer_t *timer);
static void on_event(uv_poll_t *poll, int status, int events);
static struct air_socket *socket_new(struct air_driver *driver, curl_socket_t fd);
static void socket_close(struct air_socket *socket);
static void socket_closed(uv_handle_t *handle);
static void timer_closed(uv_handle_t *handle);

enum air_error air_sockets_init(struct air_driver *driver) {
    if (curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
        curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver) != CURLM_OK ||
        curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted) != CURLM_OK ||
        curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver) != CURLM_OK) {
        return AIR_ERR_NO_MEMORY;
    }
    (void)uv_timer_init(driver->config.loop, &driver->curl_timer); /* cannot fail */
    driver->curl_timer.data = driver;
    air_driver_handle_opened(driver);
    return AIR_OK;
}

void air_sockets_close(struct air_driver *driver) {
    while (driver->sockets != NULL) {
        socket_close(driver->sockets);
    }
    uv_close((uv_handle_t *)&driver->curl_timer, timer_closed);
}

/* curl's CURLMOPT_SOCKETFUNCTION. An answer other than 0 would end every transfer at once. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context) {
    struct air_driver *driver = context;
    struct air_socket *socket = socket_context;
    int events = 0;

    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            curl_multi_assign(driver->multi, fd, NULL);
            socket_close(socket);
        }
        return 0;
    }
    if (socket == NULL) {
        socket = socket_new(driver, fd);
        if (socket == NULL) {
            air_transfer_starve(easy);
            return 0;
        }
        curl_multi_assign(driver->multi, fd, socket);
    }
    events |= what == CURL_POLL_IN || what == CURL_POLL_INOUT ? UV_READABLE : 0;
    events |= what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? UV_WRITABLE : 0;
    if (uv_poll_start(&socket->poll, events, on_event) != 0) {
        air_transfer_starve(easy);
    }
    return 0;
}

/* curl's CURLMOPT_TIMERFUNCTION. */
static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *context) {
    struct air_driver *driver = context;

    (void)multi;
    if (driver->is_closed) {
        return 0;
    }
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&driver->curl_timer);
    } else {
        (void)uv_timer_start(&driver->curl_timer, on_timeout, (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static void on_timeout(uv_timer_t *timer) {
    struct air_driver *driver = timer->data;
    int running = 0;

    (void)curl_multi_socket_action(driver->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    air_transfers_collect(driver);
}

static void on_event(uv_poll_t *poll, int status, int events) {
    struct air_socket *socket = poll->data;
    struct air_driver *driver = socket->driver;
    int running = 0;
    int mask = 0;

    mask |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    mask |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    mask |= status != 0 ? CURL_CSELECT_ERR : 0;
    (void)curl_multi_socket_action(driver->multi, socket->fd, mask, &running);
    air_transfers_collect(driver);
}

/* Start to know a socket; NULL when memory, or the loop, does not allow it. */
static struct air_socket *socket_new(struct air_driver *driver, curl_socket_t fd) {
    struct air_socket *socket = air_memory_new(sizeof(*socket));

    if (socket == NULL) {
        return NULL;
    }
    if (uv_poll_init_socket(driver->config.loop, &socket->poll, fd) != 0) {
        air_memory_free(socket, sizeof(*socket));
        return NULL;
    }
    air_driver_handle_opened(driver);
    socket->poll.data = socket;
    socket->driver = driver;
    socket->fd = fd;
    socket->next = driver->sockets;
    if (socket->next != NULL) {
        socket->next->previous = socket;
    }
    driver->sockets = socket;
    return socket;
}

static void socket_close(struct air_socket *socket) {
    struct air_socket **link =
        socket->previous != NULL ? &socket->previous->next : &socket->driver->sockets;

    *link = socket->next;
    if (socket->next != NULL) {
        socket->next->previous = socket->previous;
    }
    uv_close((uv_handle_t *)&socket->poll, socket_closed);
}

static void socket_closed(uv_handle_t *handle) {
    struct air_socket *socket = handle->data;
    struct air_driver *driver = socket->driver;

    air_memory_free(socket, sizeof(*socket));
    air_driver_handle_closed(driver);
}

static void timer_closed(uv_handle_t *handle) {
    air_driver_handle_closed(handle->data);
}
