/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_KEEPER_PARTS_H
#define AIR_KEEPER_KEEPER_PARTS_H

/*
 * The server's side: keeper.c starts and stops the process and sends actions, receive.c receives
 * answers.
 */

#include <sys/types.h>

#include "backends/keeper/channel.h"
#include "backends/keeper/remote.h"
#include "thinair/keeper.h"

/* Actions submitted and not answered: more than an engine has open of all kinds together. */
#define AIR_KEEPER_PENDING_MAX 1024

struct air_keeper_pending {
    uint64_t id;
    enum air_action_kind kind;
};

struct air_keeper {
    int socket;
    pid_t process;
    struct air_remote *remote; /* NULL before air_keeper_crypto() */

    struct air_keeper_pending *pending; /* the oldest first: answers come in that order */
    size_t pending_count;

    struct air_buffer out; /* frames; the first out_sent bytes have left */
    size_t out_sent;

    uint8_t head[AIR_FRAME_HEAD_SIZE]; /* of the frame that is being received */
    size_t head_size;
    struct air_buffer content;
    uint32_t content_size; /* that it will have */
    bool has_room;         /* for all of it */

    bool is_sealed;
    bool is_ended;
    bool is_told; /* that it has ended */
};

/* Send what can be sent without waiting. A broken socket is found out by receiving. */
void air_keeper_send(struct air_keeper *keeper);

#endif
