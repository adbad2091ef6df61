/* SPDX-License-Identifier: MIT */
/*
 * The server's side of a keeper: its start and its end, the files it is told of, and the actions
 * that are sent to it. Answers to actions are in receive.c.
 *
 * Invariant: whatever was submitted is in `pending` until its result was given, in the order in
 * which it was sent.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/keeper/child.h"
#include "backends/keeper/keeper_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/wire.h"

/* Two of the largest actions: what waits longer than that is not going to leave. */
#define OUT_SIZE_MAX (2 * (AIR_WIRE_SIZE_MAX + AIR_FRAME_HEAD_SIZE))

/* What names files is short. */
#define REQUEST_SIZE_MAX 16384

static enum air_error start(
    struct air_keeper *keeper, const struct air_keeper_config *config, struct air_buffer *reason);
static enum air_error begin_request(
    const struct air_keeper *keeper, enum air_frame_kind kind, struct air_buffer *request);
static enum air_error ask(struct air_keeper *keeper, struct air_buffer *request,
    struct air_buffer *reference, struct air_buffer *reason);
static enum air_error wait_for_word(
    struct air_keeper *keeper, struct air_buffer *reference, struct air_buffer *reason);
static enum air_error encode(
    struct air_keeper *keeper, const struct air_action *action, struct air_buffer *frame);

enum air_error air_keeper_start(
    const struct air_keeper_config *config, struct air_keeper **out, struct air_buffer *reason) {
    struct air_keeper *keeper = NULL;
    enum air_error error;

    if (config->size != sizeof(*config) || config->state_dir == NULL) {
        return AIR_ERR_ARGUMENT;
    }
    keeper = air_memory_new(sizeof(*keeper));
    if (keeper == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    keeper->socket = -1;
    air_buffer_init(&keeper->out, OUT_SIZE_MAX);
    air_buffer_init(&keeper->content, AIR_WIRE_SIZE_MAX);
    keeper->pending = air_memory_new(AIR_KEEPER_PENDING_MAX * sizeof(*keeper->pending));
    error = keeper->pending != NULL ? start(keeper, config, reason) : AIR_ERR_NO_MEMORY;
    if (error != AIR_OK) {
        air_keeper_stop(keeper);
        return error;
    }
    *out = keeper;
    return AIR_OK;
}

void air_keeper_stop(struct air_keeper *keeper) {
    if (keeper == NULL) {
        return;
    }
    if (keeper->socket >= 0) {
        (void)shutdown(keeper->socket, SHUT_RDWR); /* also if somebody else has a copy of it */
        (void)close(keeper->socket);
    }
    while (keeper->process > 0 && waitpid(keeper->process, NULL, 0) < 0 && errno == EINTR) {
    }
    air_remote_free(keeper->remote);
    air_buffer_deinit(&keeper->out);
    air_buffer_deinit(&keeper->content);
    air_memory_free(keeper->pending, AIR_KEEPER_PENDING_MAX * sizeof(*keeper->pending));
    air_memory_free(keeper, sizeof(*keeper));
}

enum air_error air_keeper_account_add(struct air_keeper *keeper, const char *path,
    struct air_buffer *reference, struct air_buffer *reason) {
    struct air_buffer request;
    enum air_error error;

    air_buffer_init(&request, REQUEST_SIZE_MAX);
    error = begin_request(keeper, AIR_FRAME_ACCOUNT, &request);
    if (error == AIR_OK) {
        air_wire_put_span(&request, air_span_text(path));
        error = ask(keeper, &request, reference, reason);
    }
    air_buffer_deinit(&request);
    return error;
}

enum air_error air_keeper_pair_add(
    struct air_keeper *keeper, const struct air_keeper_pair *pair, struct air_buffer *reason) {
    struct air_buffer request;
    enum air_error error;

    air_buffer_init(&request, REQUEST_SIZE_MAX);
    error = begin_request(keeper, AIR_FRAME_PAIR, &request);
    if (error == AIR_OK) {
        air_wire_put_span(&request, pair->certificate);
        air_wire_put_u8(&request, (uint8_t)pair->key_type);
        air_wire_put_span(&request, air_span_text(pair->chain_path));
        air_wire_put_span(&request, air_span_text(pair->key_path));
        error = ask(keeper, &request, NULL, reason);
    }
    air_buffer_deinit(&request);
    return error;
}

void air_keeper_seal(struct air_keeper *keeper) {
    static const uint8_t frame[] = {0, 0, 0, 1, AIR_FRAME_SEAL};

    if (keeper->is_sealed || keeper->is_ended) {
        return;
    }
    keeper->is_sealed = true;
    if (air_buffer_append(&keeper->out, frame, sizeof(frame)) != AIR_OK) {
        (void)shutdown(keeper->socket, SHUT_RDWR); /* rather no keeper than an open one */
    }
    air_keeper_send(keeper);
}

enum air_error air_keeper_crypto(
    struct air_keeper *keeper, struct air_crypto *local, struct air_crypto **out) {
    enum air_error error = AIR_ERR_STATE;

    if (keeper->remote == NULL) {
        error = air_remote_new(local, &keeper->remote);
    }
    if (error == AIR_OK) {
        *out = air_remote_crypto(keeper->remote);
    }
    return error;
}

int air_keeper_socket(const struct air_keeper *keeper) {
    return keeper->socket;
}

bool air_keeper_wants_write(const struct air_keeper *keeper) {
    return !keeper->is_ended && keeper->out_sent < keeper->out.size;
}

enum air_error air_keeper_submit(struct air_keeper *keeper, const struct air_action *action) {
    struct air_buffer frame;
    enum air_error error;

    if (keeper->is_ended) {
        return AIR_ERR_STATE;
    }
    if (keeper->pending_count == AIR_KEEPER_PENDING_MAX) {
        return AIR_ERR_LIMIT;
    }
    air_buffer_init(&frame, AIR_WIRE_SIZE_MAX + AIR_FRAME_HEAD_SIZE);
    error = encode(keeper, action, &frame);
    if (error == AIR_OK) {
        error = air_buffer_append_span(&keeper->out, air_buffer_span(&frame));
        keeper->out.error = AIR_OK; /* nothing was appended: there may be room later */
    }
    air_buffer_deinit(&frame);
    if (error == AIR_OK) {
        keeper->pending[keeper->pending_count].id = action->id;
        keeper->pending[keeper->pending_count].kind = action->kind;
        keeper->pending_count++;
        air_keeper_send(keeper);
    }
    return error;
}

void air_keeper_send(struct air_keeper *keeper) {
    while (keeper->out_sent < keeper->out.size) {
        const ssize_t sent = send(keeper->socket, keeper->out.data + keeper->out_sent,
            keeper->out.size - keeper->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno != EINTR) {
            return;
        }
        keeper->out_sent += sent > 0 ? (size_t)sent : 0;
    }
    air_buffer_clear(&keeper->out);
    keeper->out_sent = 0;
}

static enum air_error start(
    struct air_keeper *keeper, const struct air_keeper_config *config, struct air_buffer *reason) {
    int sockets[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        return AIR_ERR_STATE;
    }
    keeper->process = fork();
    if (keeper->process == 0) {
        air_keeper_child_run(sockets[1], config);
    }
    keeper->socket = sockets[0];
    if (keeper->process < 0 && reason != NULL) {
        air_buffer_append_text(reason, "no process can be made for the keeper: ");
        air_buffer_append_text(reason, strerror(errno));
    }
    (void)close(sockets[1]);
    return keeper->process < 0 ? AIR_ERR_STATE : wait_for_word(keeper, NULL, reason);
}

/* The keeper can be asked for files, and waited for, while nothing else is under way. */
static enum air_error begin_request(
    const struct air_keeper *keeper, enum air_frame_kind kind, struct air_buffer *request) {
    if (keeper->is_sealed || keeper->is_ended || keeper->pending_count > 0) {
        return AIR_ERR_STATE;
    }
    air_frame_begin(request);
    air_wire_put_u8(request, (uint8_t)kind);
    return AIR_OK;
}

static enum air_error ask(struct air_keeper *keeper, struct air_buffer *request,
    struct air_buffer *reference, struct air_buffer *reason) {
    const enum air_error error = air_frame_end(request);

    if (error != AIR_OK) {
        return error;
    }
    return air_frame_write(keeper->socket, air_buffer_span(request))
               ? wait_for_word(keeper, reference, reason)
               : AIR_ERR_STATE;
}

/* An error that the keeper tells, with its sentence and reference. One whose word could not be read
 * is of no more use: the next would be taken for it. */
static enum air_error wait_for_word(
    struct air_keeper *keeper, struct air_buffer *reference, struct air_buffer *reason) {
    struct air_wire_reader reader = {0};
    enum air_error error;
    air_span sentence;
    air_span text;

    if (!air_frame_read(keeper->socket, &keeper->content)) {
        error = keeper->content.error == AIR_ERR_NO_MEMORY ? AIR_ERR_NO_MEMORY : AIR_ERR_STATE;
        air_buffer_clear(&keeper->content);
        (void)shutdown(keeper->socket, SHUT_RDWR);
        return error;
    }
    reader.rest = air_buffer_span(&keeper->content);
    error = (enum air_error)air_wire_get_u8(&reader);
    sentence = air_wire_get_span(&reader);
    text = air_wire_get_span(&reader);
    if (reader.error != AIR_OK || reader.rest.size > 0) {
        error = AIR_ERR_STATE;
    } else if (error != AIR_OK && reason != NULL) {
        air_buffer_append_span(reason, sentence);
    } else if (error == AIR_OK && reference != NULL) {
        error = air_buffer_append_span(reference, text);
    }
    air_buffer_clear(&keeper->content);
    return error;
}

static enum air_error encode(
    struct air_keeper *keeper, const struct air_action *action, struct air_buffer *frame) {
    struct air_action sent = *action;
    uint32_t number = 0;
    bool is_ours = action->kind == AIR_ACTION_READ || action->kind == AIR_ACTION_WRITE ||
                   action->kind == AIR_ACTION_LIST || action->kind == AIR_ACTION_LOCK ||
                   action->kind == AIR_ACTION_UNLOCK || action->kind == AIR_ACTION_GENERATE_KEY;
    enum air_error error;

    if (action->kind == AIR_ACTION_SIGN && keeper->remote != NULL) {
        is_ours = air_remote_number(keeper->remote, action->sign.key, &number) == AIR_OK;
        sent.sign.key = number;
    }
    if (!is_ours) {
        return AIR_ERR_UNSUPPORTED;
    }
    if ((action->kind == AIR_ACTION_READ && action->read.paths_count > AIR_STORAGE_PUTS_MAX) ||
        (action->kind == AIR_ACTION_WRITE && action->write.puts_count > AIR_STORAGE_PUTS_MAX)) {
        return AIR_ERR_LIMIT; /* a reader of the wire encoding takes that for an attack */
    }
    air_frame_begin(frame);
    air_wire_put_u8(frame, AIR_FRAME_ACTION);
    error = air_action_encode(&sent, frame);
    return error == AIR_OK ? air_frame_end(frame) : error;
}
