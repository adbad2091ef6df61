/* SPDX-License-Identifier: MIT */
/*
 * The bounded queue between a source and a sink. Who reads and who writes is the relay's business;
 * here is only where the bytes lie.
 *
 * Invariant: data is NULL exactly when nothing is queued, except between air_front_pipe_room() and
 * air_front_pipe_filled().
 */

#include "hosts/program/front/pipe.h"

#include <string.h>

#include "hosts/program/front/counters.h"
#include "hosts/program/front/front.h"
#include "src/base/memory.h"

static void give_back_empty(struct air_front_pipe *pipe, struct air_front_pool *pool);

void air_front_pool_deinit(struct air_front_pool *pool) {
    air_memory_free(pool->spare, AIR_FRONT_PIPE_SIZE);
    pool->spare = NULL;
}

bool air_front_pipe_takes(const struct air_front_pipe *pipe) {
    return !pipe->is_ended && !pipe->is_shut && pipe->size < AIR_FRONT_PIPE_SIZE;
}

uint8_t *air_front_pipe_room(
    struct air_front_pipe *pipe, struct air_front_pool *pool, size_t *room) {
    if (pipe->data == NULL) {
        pipe->data = pool->spare != NULL ? pool->spare : air_memory_new(AIR_FRONT_PIPE_SIZE);
        pool->spare = NULL;
        if (pipe->data == NULL) {
            return NULL;
        }
        air_front_count(pool->queued_size, AIR_FRONT_PIPE_SIZE);
    }
    if (pipe->start + pipe->size == AIR_FRONT_PIPE_SIZE) {
        memmove(pipe->data, pipe->data + pipe->start, pipe->size);
        pipe->start = 0;
    }
    *room = AIR_FRONT_PIPE_SIZE - pipe->start - pipe->size;
    return pipe->data + pipe->start + pipe->size;
}

void air_front_pipe_filled(struct air_front_pipe *pipe, struct air_front_pool *pool, size_t size) {
    pipe->size += size;
    give_back_empty(pipe, pool);
}

void air_front_pipe_taken(struct air_front_pipe *pipe, struct air_front_pool *pool, size_t size) {
    pipe->start += size;
    pipe->size -= size;
    give_back_empty(pipe, pool);
}

void air_front_pipe_drop(struct air_front_pipe *pipe, struct air_front_pool *pool) {
    pipe->size = 0;
    give_back_empty(pipe, pool);
    air_front_pipe_note_held(pipe, pool);
}

void air_front_pipe_note_held(struct air_front_pipe *pipe, struct air_front_pool *pool) {
    bool is_held = pipe->size == AIR_FRONT_PIPE_SIZE && !pipe->is_ended;
    if (is_held && !pipe->is_held) {
        air_front_count(pool->held, 1);
    } else if (!is_held && pipe->is_held) {
        air_front_uncount(pool->held, 1);
    }
    pipe->is_held = is_held;
}

static void give_back_empty(struct air_front_pipe *pipe, struct air_front_pool *pool) {
    if (pipe->size > 0 || pipe->data == NULL) {
        return;
    }
    air_front_uncount(pool->queued_size, AIR_FRONT_PIPE_SIZE);
    if (pool->spare == NULL) {
        pool->spare = pipe->data;
    } else {
        air_memory_free(pipe->data, AIR_FRONT_PIPE_SIZE);
    }
    pipe->data = NULL;
    pipe->start = 0;
}
