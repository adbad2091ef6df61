/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_SIDE_H
#define AIR_FRONT_SIDE_H

/*
 * One socket of a connection and libuv's watch on it.
 */

#include <stdbool.h>
#include <uv.h>

struct air_front_side {
    uv_poll_t poll;
    int socket;     /* -1: none */
    int watched;    /* the events asked for: a set of UV_READABLE and UV_WRITABLE */
    int ready;      /* events that came and were not yet used up */
    bool is_polled; /* poll is a handle of the loop: it must be closed */
};

/* Take over a non-blocking socket. False: the loop has no room; the socket is still the caller's.
 * owner is found in poll.data. */
bool air_front_side_open(struct air_front_side *side, uv_loop_t *loop, int socket, void *owner);

/* Ask for events; 0: none. `side` sees only what changed. */
void air_front_side_watch(struct air_front_side *side, int events, uv_poll_cb on_event);

/* Close the socket, at once. with_reset: the peer gets a reset instead of an end. on_closed is
 * called later when the side was open. */
void air_front_side_close(struct air_front_side *side, bool with_reset, uv_close_cb on_closed);

#endif
