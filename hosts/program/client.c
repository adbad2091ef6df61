/* SPDX-License-Identifier: MIT */
/*
 * The admin socket's client: HTTP/1.0, so that the end of the answer is the end of the connection
 * and nothing else of HTTP is needed. What the answer means is its caller's business.
 *
 * Invariant: no call blocks longer than its time limit.
 */
#include "hosts/program/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hosts/program/text.h"
#include "src/base/span.h"

#define HEAD_SIZE_MAX 16384

static enum air_error open_socket(const char *path, int *out, struct air_buffer *reason);
static enum air_error exchange(
    int handle, air_span request, int64_t deadline_ms, struct air_buffer *answer);
static enum air_error cut_answer(air_span answer, unsigned *status, struct air_buffer *out);

static int64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum air_error air_client_call(const char *socket_path, const char *method, const char *path,
    uint32_t timeout_ms, unsigned *status, struct air_buffer *out, struct air_buffer *reason) {
    struct air_buffer request;
    struct air_buffer answer;
    int handle = -1;
    enum air_error error = open_socket(socket_path, &handle, reason);

    if (error != AIR_OK) {
        return error;
    }
    air_buffer_init(&request, AIR_TEXT_SIZE_MAX);
    air_buffer_init(&answer, out->size_max + HEAD_SIZE_MAX);
    air_buffer_append_text(&request, method);
    air_buffer_append_text(&request, " ");
    air_buffer_append_text(&request, path);
    air_buffer_append_text(&request, " HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    error = request.error;
    if (error == AIR_OK) {
        error =
            exchange(handle, air_buffer_span(&request), now_ms() + (int64_t)timeout_ms, &answer);
    }
    if (error == AIR_OK) {
        error = cut_answer(air_buffer_span(&answer), status, out);
    }
    if (error != AIR_OK) {
        air_text_format(reason, "%s: the daemon's answer: %s", socket_path, air_error_text(error));
    }
    close(handle);
    air_buffer_deinit(&request);
    air_buffer_deinit(&answer);
    return error;
}

static enum air_error open_socket(const char *path, int *out, struct air_buffer *reason) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int handle;

    if (strlen(path) >= sizeof(address.sun_path)) {
        air_text_format(reason, "%s is too long for a socket's path", path);
        return AIR_ERR_LIMIT;
    }
    memcpy(address.sun_path, path, strlen(path));
    handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (handle >= 0 &&
        connect(handle, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0) {
        *out = handle;
        return AIR_OK;
    }
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTSOCK || errno == ENOTDIR) {
        air_text_format(reason,
            "no daemon answers at %s; is 'thinair run' running with this state "
            "directory?",
            path);
    } else {
        air_text_format(reason, "%s: %s", path, strerror(errno));
    }
    int number = errno;
    if (handle >= 0) {
        close(handle);
    }
    if (number == EACCES || number == EPERM) {
        return AIR_ERR_PERMISSION;
    }
    return number == ENOENT || number == ECONNREFUSED || number == ENOTSOCK || number == ENOTDIR
               ? AIR_ERR_NOT_FOUND
               : AIR_ERR_NETWORK;
}

static enum air_error wait_for(int handle, short events, int64_t deadline_ms) {
    struct pollfd entry = {.fd = handle, .events = events};
    int64_t left_ms = deadline_ms - now_ms();

    if (left_ms <= 0 || poll(&entry, 1, (int)(left_ms < 60000 ? left_ms : 60000)) < 0) {
        return left_ms <= 0 ? AIR_ERR_TIMEOUT : AIR_ERR_NETWORK;
    }
    return AIR_OK;
}

static enum air_error exchange(
    int handle, air_span request, int64_t deadline_ms, struct air_buffer *answer) {
    enum air_error error = AIR_OK;
    uint8_t piece[4096];
    bool has_ended = false;

    while (request.size > 0 && error == AIR_OK) {
        ssize_t sent = send(handle, request.data, request.size, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return AIR_ERR_NETWORK;
        }
        request = air_span_skip(request, sent > 0 ? (size_t)sent : 0);
        error = sent > 0 ? AIR_OK : wait_for(handle, POLLOUT, deadline_ms);
    }
    while (!has_ended && error == AIR_OK) {
        ssize_t received = recv(handle, piece, sizeof(piece), 0);

        if (received > 0) {
            error = air_buffer_append(answer, piece, (size_t)received);
        } else if (received == 0) {
            has_ended = true;
        } else if (errno == EAGAIN || errno == EINTR) {
            error = wait_for(handle, POLLIN, deadline_ms);
        } else {
            error = AIR_ERR_NETWORK;
        }
    }
    return error;
}

static enum air_error cut_answer(air_span answer, unsigned *status, struct air_buffer *out) {
    static const char blank[] = "\r\n\r\n";
    const uint8_t *end =
        answer.size == 0 ? NULL : memmem(answer.data, answer.size, blank, sizeof(blank) - 1);
    int64_t number;

    if (end == NULL || !air_span_starts_with(answer, "HTTP/1.") || answer.size < 12 ||
        !air_span_number(air_span_of(answer.data + 9, 3), &number)) {
        return AIR_ERR_MALFORMED;
    }
    *status = (unsigned)number;
    return air_buffer_append_span(
        out, air_span_skip(answer, (size_t)(end - answer.data) + sizeof(blank) - 1));
}
