/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_PIPE_H
#define AIR_FRONT_PIPE_H

/*
 * One direction of a connection: the bytes read from its source and not yet taken by its sink, at
 * most AIR_FRONT_PIPE_SIZE of them. A pipe has memory only while something is queued.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the pipes of one worker share: the last memory given back, so that the usual pass (fill,
 * drain) allocates nothing. */
struct air_front_pool {
    uint8_t *spare;
    _Atomic uint64_t *queued_size; /* counts the memory that pipes have */
    _Atomic uint64_t *held;        /* counts the pipes that are held */
};

struct air_front_pipe {
    uint8_t *data; /* AIR_FRONT_PIPE_SIZE bytes, or NULL */
    size_t start;
    size_t size;   /* queued, from start */
    bool is_ended; /* the source sends no more */
    bool is_reset; /* it ended without its end mark */
    bool is_shut;  /* the sink was told the end, or takes no more */
    bool is_held;  /* full: the source is not read */
};

void air_front_pool_deinit(struct air_front_pool *pool);

/* Whether the source should be read. */
bool air_front_pipe_takes(const struct air_front_pipe *pipe);

/* Where the next bytes go, at least one and at most *room. NULL: no memory. Only when the pipe
 * takes; followed by air_front_pipe_filled(), with 0 when nothing was read. */
uint8_t *air_front_pipe_room(
    struct air_front_pipe *pipe, struct air_front_pool *pool, size_t *room);
void air_front_pipe_filled(struct air_front_pipe *pipe, struct air_front_pool *pool, size_t size);

/* The sink took size of the queued bytes. */
void air_front_pipe_taken(struct air_front_pipe *pipe, struct air_front_pool *pool, size_t size);

/* See whether the source has to wait, and count it. */
void air_front_pipe_note_held(struct air_front_pipe *pipe, struct air_front_pool *pool);

/* Forget what is queued. */
void air_front_pipe_drop(struct air_front_pipe *pipe, struct air_front_pool *pool);

#endif
