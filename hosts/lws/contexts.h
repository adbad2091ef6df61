/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_CONTEXTS_H
#define AIR_LWS_CONTEXTS_H

/*
 * The SSL_CTX of every vhost. libwebsockets shows them to protocols[0] alone, and makes new ones
 * when it likes; OpenSSL tells of each one that is made in this process.
 */

#include <libwebsockets.h>

#include "hosts/lws/resident.h"

/*
 * Serve from a resident on the contexts of this lws_context: names that it has, and, for clients
 * that send none, what air_contexts_fall_back() says. May be called again. AIR_ERR_NO_MEMORY.
 */
AIR_MUST_CHECK enum air_error air_contexts_serve(
    struct lws_context *context, struct air_resident *resident);

/* Clients that send no name to that port get this certificate (its common-name, copied). The first
 * call for a port counts. AIR_ERR_NO_MEMORY. */
AIR_MUST_CHECK enum air_error air_contexts_fall_back(
    struct air_resident *resident, int port, air_span name);

/* Look for contexts that were made since: to be called now and then. */
void air_contexts_look(struct lws_context *context);

/* Serve from this resident no longer. */
void air_contexts_leave(struct air_resident *resident);

#endif
