/* SPDX-License-Identifier: MIT */
/*
 * Frames over a stream socket, for the side that waits: the keeper's process, and the server while
 * it starts one. The server's side that does not wait is in keeper.c.
 *
 * Invariant: no more than AIR_WIRE_SIZE_MAX bytes are taken in for one frame.
 */
#include "backends/keeper/channel.h"

#include <errno.h>
#include <sys/socket.h>

uint32_t air_frame_size(const uint8_t head[AIR_FRAME_HEAD_SIZE]) {
    return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

void air_frame_begin(struct air_buffer *out) {
    static const uint8_t head[AIR_FRAME_HEAD_SIZE];

    air_buffer_append(out, head, sizeof(head));
}

enum air_error air_frame_end(struct air_buffer *out) {
    const size_t size = out->size - AIR_FRAME_HEAD_SIZE;

    if (out->error != AIR_OK) {
        return out->error;
    }
    if (size > AIR_WIRE_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    for (size_t i = 0; i < AIR_FRAME_HEAD_SIZE; i++) {
        out->data[i] = (uint8_t)(size >> (24 - 8 * i));
    }
    return AIR_OK;
}

static bool read_all(int socket, uint8_t *data, size_t size) {
    size_t done = 0;

    while (done < size) {
        const ssize_t got = recv(socket, data + done, size - done, 0);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

bool air_frame_read(int socket, struct air_buffer *content) {
    uint8_t head[AIR_FRAME_HEAD_SIZE];
    uint32_t size;
    uint8_t *data;

    air_buffer_clear(content);
    if (!read_all(socket, head, sizeof(head))) {
        return false;
    }
    size = air_frame_size(head);
    data = size > 0 && size <= AIR_WIRE_SIZE_MAX ? air_buffer_extend(content, size) : NULL;
    return data != NULL && read_all(socket, data, size);
}

bool air_frame_write(int socket, air_span frame) {
    size_t done = 0;

    while (done < frame.size) {
        const ssize_t sent = send(socket, frame.data + done, frame.size - done, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return false;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    return true;
}
