/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_CLIENT_H
#define AIR_PROGRAM_CLIENT_H

/*
 * Talking to a running daemon over its admin socket: one request, one answer.
 */

#include "thinair/buffer.h"

/*
 * Send "method path" and wait for the whole answer.
 *
 * timeout_ms  For all of it.
 * status      The answer's HTTP status.
 * out         Its body is appended.
 * reason      On failure a sentence.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (no daemon listens there), AIR_ERR_PERMISSION,
 * AIR_ERR_TIMEOUT, AIR_ERR_MALFORMED (no HTTP), AIR_ERR_NETWORK, or out's error.
 */
enum air_error air_client_call(const char *socket_path, const char *method, const char *path,
    uint32_t timeout_ms, unsigned *status, struct air_buffer *out, struct air_buffer *reason);

#endif
