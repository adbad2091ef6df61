/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_EXCHANGE_H
#define AIR_LWS_EXCHANGE_H

/*
 * Requests to CAs by libwebsockets' own client, on vhosts that listen nowhere: one for each set of
 * roots to believe.
 */

#include <libwebsockets.h>

#include "thinair/action.h"

struct air_exchanges;

/*
 * Make one for a context.
 *
 * done  Called once for each request that was begun, from the context's loop.
 * out   Yours: air_exchanges_free(), which gives up what is under way without a call.
 */
AIR_MUST_CHECK enum air_error air_exchanges_new(struct lws_context *context,
    void (*done)(void *host, uint64_t id, const struct air_result *result), void *host,
    struct air_exchanges **out);
void air_exchanges_free(struct air_exchanges *exchanges);

/*
 * Make known which roots to believe where an action's trust says so: the path of a PEM file, read
 * now, while it can be; empty: the system's roots.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (it cannot be read), AIR_ERR_LIMIT or AIR_ERR_NO_MEMORY; reason
 * says what to change.
 */
AIR_MUST_CHECK enum air_error air_exchanges_trust(
    struct air_exchanges *exchanges, const char *trust, struct air_buffer *reason);

/* Begin a request. The action must live until it is done. */
void air_exchanges_begin(struct air_exchanges *exchanges, const struct air_action *action);

/* Give one up: it is done with AIR_ERR_CANCELLED. */
void air_exchanges_cancel(struct air_exchanges *exchanges, uint64_t id);

#endif
