/* SPDX-License-Identifier: MIT */
/*
 * A socket with its watch. It knows nothing of TLS or of the other side.
 *
 * Invariant: `watched` is what libuv watches, so that asking again for the same costs nothing.
 */

#include "hosts/program/front/side.h"

#include <sys/socket.h>
#include <unistd.h>

bool air_front_side_open(struct air_front_side *side, uv_loop_t *loop, int socket, void *owner) {
    if (uv_poll_init(loop, &side->poll, socket) != 0) {
        return false;
    }
    side->poll.data = owner;
    side->socket = socket;
    side->watched = 0;
    side->ready = 0;
    side->is_polled = true;
    return true;
}

void air_front_side_watch(struct air_front_side *side, int events, uv_poll_cb on_event) {
    if (!side->is_polled || events == side->watched) {
        return;
    }
    side->watched = events;
    if (events == 0) {
        uv_poll_stop(&side->poll);
    } else {
        uv_poll_start(&side->poll, events, on_event);
    }
}

void air_front_side_close(struct air_front_side *side, bool with_reset, uv_close_cb on_closed) {
    if (!side->is_polled) {
        return;
    }
    side->is_polled = false;
    uv_close((uv_handle_t *)&side->poll, on_closed);
    if (with_reset) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(side->socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(side->socket);
    side->socket = -1;
}
