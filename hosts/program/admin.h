/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_ADMIN_H
#define AIR_PROGRAM_ADMIN_H

/*
 * The admin API of `thinair run`: HTTP and JSON over a unix socket, for root and for the user the
 * daemon runs as.
 *
 *     GET  /status        200, a report (report.h)
 *     POST /renew/<id>    200 {"done": true}; 404 {"error": "..."}
 *     POST /renew         the same for every certificate
 *     POST /reload        200 {"done": true}; 409 {"error": "..."}: nothing changed
 *
 * No verb takes a body, a path or a command, or gives out a key.
 */

#include "hosts/program/log.h"
#include "thinair/buffer.h"

#define AIR_ADMIN_CONNECTIONS_MAX 16
#define AIR_ADMIN_IDLE_S 10
#define AIR_ADMIN_REQUEST_SIZE_MAX 16384

struct air_admin;

struct air_admin_config {
    size_t size; /* sizeof(struct air_admin_config) */
    const char *path;
    const struct air_log *log; /* must outlive the server */
    void *context;

    /* What the verbs do; called by the server's thread, one at a time. */
    void (*status)(void *context, struct air_buffer *out);
    enum air_error (*renew)(void *context, air_span id, struct air_buffer *reason); /* empty: all */
    enum air_error (*reload)(void *context, struct air_buffer *reason);
};

/*
 * Start listening. A socket that a dead process left behind is replaced; one that answers is not.
 *
 * Returns AIR_OK, AIR_ERR_BUSY (another daemon answers there), AIR_ERR_EXISTS (something else has
 * that path), AIR_ERR_PERMISSION, AIR_ERR_NETWORK or AIR_ERR_NO_MEMORY; reason says what to do.
 */
enum air_error air_admin_start(
    const struct air_admin_config *config, struct air_admin **out, struct air_buffer *reason);

/* Stop and remove the socket. NULL is accepted. */
void air_admin_stop(struct air_admin *admin);

#endif
