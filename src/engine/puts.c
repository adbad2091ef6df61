/* SPDX-License-Identifier: MIT */
/*
 * Building a write: paths and values one after the other in one buffer, so that a list of puts
 * needs one block of memory. Invariant: the buffer's room is made at init and never moves, so the
 * spans of earlier puts stay true.
 */

#include "src/base/span.h"
#include "src/engine/issuance.h"

enum air_error air_puts_init(struct air_puts *puts, size_t texts_size) {
    *puts = (struct air_puts){0};
    air_buffer_init(&puts->texts, texts_size);
    if (air_buffer_extend(&puts->texts, texts_size) == NULL) {
        return puts->texts.error;
    }
    air_buffer_truncate(&puts->texts, 0);
    return AIR_OK;
}

void air_puts_deinit(struct air_puts *puts) {
    air_buffer_deinit(&puts->texts);
}

/* The text from the end of the previous piece to the end of the buffer. */
static air_span piece(const struct air_puts *puts, size_t begin) {
    return air_span_of(puts->texts.data + begin, puts->texts.size - begin);
}

static size_t end_of_last(const struct air_puts *puts) {
    size_t end = 0;
    for (size_t i = 0; i < puts->count; i++) {
        end += puts->list[i].path.size + 1 + puts->list[i].value.size;
    }
    return end;
}

void air_puts_path(struct air_puts *puts) {
    if (puts->count < AIR_STORAGE_PUTS_MAX && puts->texts.error == AIR_OK) {
        puts->list[puts->count].path = piece(puts, end_of_last(puts));
        air_buffer_append_byte(&puts->texts, '\n'); /* where a JSON document may begin */
    } else if (puts->texts.error == AIR_OK) {
        puts->texts.error = AIR_ERR_LIMIT;
    }
}

void air_puts_end(struct air_puts *puts, bool is_delete) {
    if (puts->texts.error == AIR_OK) {
        struct air_put *put = &puts->list[puts->count];
        put->value = piece(puts, end_of_last(puts) + put->path.size + 1);
        put->is_delete = is_delete;
        puts->count++;
    }
}

enum air_error air_puts_post(
    struct air_puts *puts, struct air_job *job, const struct air_guard *guard) {
    if (puts->texts.error != AIR_OK) {
        return puts->texts.error;
    }
    struct air_action action = {.kind = AIR_ACTION_WRITE};
    if (guard != NULL) {
        action.write.guard = *guard;
    }
    action.write.puts = puts->list;
    action.write.puts_count = puts->count;
    return air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
}
