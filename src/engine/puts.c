/* SPDX-License-Identifier: MIT */
/*
 * Building a write: paths and values one after the other in one buffer, so that a list of puts
 * needs one block of memory. Invariant: the pieces of all puts, in order, are the buffer's content;
 * spans are made of them only when nothing is appended any more, because it moves while it grows.
 */

#include "src/base/span.h"
#include "src/engine/issuance.h"

/* What most writes need. */
#define ROOM_SIZE 4096

void air_puts_init(struct air_puts *puts) {
    *puts = (struct air_puts){0};
    air_buffer_init(&puts->texts, AIR_WIRE_SIZE_MAX);
    (void)air_buffer_extend(&puts->texts, ROOM_SIZE);
    if (puts->texts.error == AIR_OK) {
        air_buffer_truncate(&puts->texts, 0);
    }
}

void air_puts_deinit(struct air_puts *puts) {
    air_buffer_deinit(&puts->texts);
}

/* What was appended since the last piece ended. */
static size_t take_piece(struct air_puts *puts) {
    const size_t size = puts->texts.size - puts->taken_size;
    puts->taken_size = puts->texts.size;
    return size;
}

void air_puts_path(struct air_puts *puts) {
    if (puts->count < AIR_STORAGE_PUTS_MAX && puts->texts.error == AIR_OK) {
        puts->list[puts->count].path.size = take_piece(puts);
        air_buffer_append_byte(&puts->texts, '\n'); /* where a JSON document may begin */
        puts->taken_size = puts->texts.size;
    } else if (puts->texts.error == AIR_OK) {
        puts->texts.error = AIR_ERR_LIMIT;
    }
}

void air_puts_end(struct air_puts *puts, bool is_delete) {
    if (puts->texts.error == AIR_OK) {
        puts->list[puts->count].value.size = take_piece(puts);
        puts->list[puts->count].is_delete = is_delete;
        puts->count++;
    }
}

/* Point the puts at their pieces. */
static void point(struct air_puts *puts) {
    const uint8_t *at = puts->texts.data;
    for (size_t i = 0; i < puts->count; i++) {
        struct air_put *put = &puts->list[i];
        put->path.data = at;
        put->value.data = at + put->path.size + 1;
        at = put->value.data + put->value.size;
    }
}

enum air_error air_puts_post(
    struct air_puts *puts, struct air_job *job, const uint64_t *last_version) {
    if (puts->texts.error != AIR_OK) {
        return puts->texts.error;
    }
    point(puts);
    struct air_action action = {.kind = AIR_ACTION_WRITE};
    if (last_version != NULL) {
        action.write.guard.path = puts->list[puts->count - 1].path;
        action.write.guard.version = *last_version;
    }
    action.write.puts = puts->list;
    action.write.puts_count = puts->count;
    return air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
}
