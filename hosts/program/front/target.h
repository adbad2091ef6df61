/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_TARGET_H
#define AIR_FRONT_TARGET_H

/*
 * A backend: the text that names it and the addresses it stands for.
 */

#include <sys/socket.h>

#include "thinair/buffer.h"

struct air_front_address {
    struct sockaddr_storage address;
    socklen_t size;
};

struct air_front_target {
    struct air_front_address *addresses; /* in the order to try them */
    size_t addresses_count;
};

/*
 * Resolve "HOST:PORT", "[ADDRESS]:PORT" or "unix:/path"; may block on the resolver.
 *
 * AIR_ERR_MALFORMED, AIR_ERR_NETWORK or AIR_ERR_NO_MEMORY, with a sentence in reason (may be NULL).
 */
AIR_MUST_CHECK enum air_error air_front_target_init(
    struct air_front_target *target, air_span to, struct air_buffer *reason);

void air_front_target_deinit(struct air_front_target *target);

/* Append to a reason that may be NULL. */
void air_front_reason_put(
    struct air_buffer *reason, const char *before, air_span about, const char *after);

#endif
