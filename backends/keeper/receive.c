/* SPDX-License-Identifier: MIT */
/*
 * Answers of the keeper, received without waiting: a frame may come in any number of pieces.
 *
 * Invariant: an answer is believed only when it is the one to the oldest action; anything else ends
 * the keeper for us, and every action that was open is told so.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/keeper/keeper_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/wire.h"

#define ENDED "the keeper process has ended: restart the server to have another"

/* Who is told of results. */
struct teller {
    void (*done)(void *context, uint64_t id, const struct air_result *result);
    void *context;
};

enum progress { WHOLE, WAITING, STARVED, BROKEN };

static enum progress receive(struct air_keeper *keeper);
static enum progress take(struct air_keeper *keeper, const struct teller *teller);
static void end(struct air_keeper *keeper, const struct teller *teller);

enum air_error air_keeper_service(struct air_keeper *keeper,
    void (*done)(void *context, uint64_t id, const struct air_result *result), void *context) {
    const struct teller told = {.done = done, .context = context};
    const struct teller *teller = &told;
    enum progress progress = WHOLE;

    if (!keeper->is_ended) {
        air_keeper_send(keeper);
        while (progress == WHOLE) {
            progress = receive(keeper);
            if (progress == WHOLE) {
                progress = take(keeper, teller);
            }
        }
        if (progress == BROKEN) {
            end(keeper, teller);
        }
    }
    if (keeper->is_ended && !keeper->is_told) {
        keeper->is_told = true;
        return AIR_ERR_STATE;
    }
    return progress == STARVED ? AIR_ERR_NO_MEMORY : AIR_OK;
}

/* Up to size bytes, as many as are there. */
static enum progress get(struct air_keeper *keeper, uint8_t *data, size_t size, size_t *got) {
    for (;;) {
        const ssize_t answer = recv(keeper->socket, data, size, MSG_DONTWAIT);

        if (answer > 0) {
            *got = (size_t)answer;
            return WHOLE;
        }
        if (answer == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
            return BROKEN;
        }
        if (errno != EINTR) {
            return WAITING;
        }
    }
}

/* The length, and the memory for what it tells. */
static enum progress receive_head(struct air_keeper *keeper) {
    enum progress progress = WHOLE;

    while (progress == WHOLE && keeper->head_size < AIR_FRAME_HEAD_SIZE) {
        size_t got = 0;

        progress = get(keeper, keeper->head + keeper->head_size,
            AIR_FRAME_HEAD_SIZE - keeper->head_size, &got);
        keeper->head_size += got;
    }
    if (progress == WHOLE && !keeper->has_room) {
        keeper->content_size = air_frame_size(keeper->head);
        if (keeper->content_size == 0 || keeper->content_size > AIR_WIRE_SIZE_MAX) {
            return BROKEN;
        }
        air_buffer_clear(&keeper->content);
        if (air_buffer_extend(&keeper->content, keeper->content_size) == NULL) {
            return STARVED;
        }
        air_buffer_truncate(&keeper->content, 0); /* the room stays */
        keeper->has_room = true;
    }
    return progress;
}

static enum progress receive(struct air_keeper *keeper) {
    enum progress progress = receive_head(keeper);

    while (progress == WHOLE && keeper->content.size < keeper->content_size) {
        const size_t begin = keeper->content.size;
        const size_t missing = keeper->content_size - begin;
        uint8_t *place = air_buffer_extend(&keeper->content, missing);
        size_t got = 0;

        progress = get(keeper, place, missing, &got);
        air_buffer_truncate(&keeper->content, begin + got);
    }
    return progress;
}

/* The oldest action is answered: forget it, then tell. */
static void complete(
    struct air_keeper *keeper, const struct air_result *result, const struct teller *teller) {
    const uint64_t id = keeper->pending[0].id;

    keeper->pending_count--;
    memmove(keeper->pending, keeper->pending + 1, keeper->pending_count * sizeof(*keeper->pending));
    teller->done(teller->context, id, result);
}

/* A key that was made comes as text. */
static enum air_error import(struct air_keeper *keeper, air_span text, uint64_t *key) {
    struct air_crypto *crypto = NULL;

    if (keeper->remote == NULL) {
        return AIR_ERR_STATE;
    }
    crypto = air_remote_crypto(keeper->remote);
    return crypto->key_import(crypto->self, text, key);
}

/* Read the answer in the content: AIR_ERR_MALFORMED: it is not the one to the oldest action. */
static enum air_error read_answer(struct air_keeper *keeper, struct air_result **result) {
    struct air_wire_reader reader = {.rest = air_buffer_span(&keeper->content)};
    const air_span text = air_wire_get_span(&reader);
    enum air_action_kind kind = AIR_ACTION_EVENT;
    uint64_t id = 0;
    enum air_error error = reader.error;

    if (error == AIR_OK) {
        error = air_result_decode(reader.rest, &id, &kind, result);
    }
    if (error == AIR_OK && (keeper->pending_count == 0 || id != keeper->pending[0].id ||
                               kind != keeper->pending[0].kind)) {
        error = AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK && kind == AIR_ACTION_GENERATE_KEY && (*result)->error == AIR_OK) {
        const enum air_error imported = import(keeper, text, &(*result)->generate_key.key);

        if (imported == AIR_ERR_NO_MEMORY) {
            return imported;
        }
        (*result)->error = imported; /* a key that is none is a failure of its action */
    }
    return error;
}

/* Without memory the answer stays: what was carried out is never told as if it was not. */
static enum progress take(struct air_keeper *keeper, const struct teller *teller) {
    struct air_result *result = NULL;
    const enum air_error error = read_answer(keeper, &result);

    if (error == AIR_OK) {
        keeper->head_size = 0;
        keeper->has_room = false;
        air_buffer_clear(&keeper->content);
        complete(keeper, result, teller);
    }
    air_result_free(result);
    if (error == AIR_ERR_NO_MEMORY) {
        return STARVED;
    }
    return error == AIR_OK ? WHOLE : BROKEN;
}

static void end(struct air_keeper *keeper, const struct teller *teller) {
    const struct air_result result = {
        .error = AIR_ERR_STORAGE, .explanation = air_span_text(ENDED)};

    keeper->is_ended = true; /* first: whoever is told may submit again */
    (void)shutdown(keeper->socket, SHUT_RDWR);
    air_buffer_deinit(&keeper->content);
    air_buffer_clear(&keeper->out);
    keeper->out_sent = 0;
    while (keeper->pending_count > 0) {
        complete(keeper, &result, teller);
    }
}
