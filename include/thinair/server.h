/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_SERVER_H
#define THINAIR_SERVER_H

/*
 * Certificates for an OpenSSL server in three calls: air_server_start(), air_server_attach(),
 * air_server_stop().
 *
 * Start makes one thread that runs engine, driver and file storage; handshakes on the attached
 * contexts are served from memory by the server's own threads. Start it after any fork. All
 * functions may be called by any thread.
 */

#include <openssl/types.h>

#include "thinair/engine.h"
#include "thinair/responder.h"
#include "thinair/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_server;

struct air_server_config {
    size_t size;           /* sizeof(struct air_server_config) */
    const char *state_dir; /* made when missing, mode 0700 */
    const struct air_authority_spec *authorities;
    size_t authorities_count;
    const struct air_certificate_spec *certificates;
    size_t certificates_count;
    uint32_t issuances_max; /* as in struct air_engine_config */
    bool report_steps;
    bool store_only; /* no target: certificates are obtained and stored, nobody serves them here */

    /* Called for every event, on the engine's thread: be quick, call nothing of this server from
     * it. May be NULL. */
    void (*on_event)(void *context, const struct air_event_action *event);

    /*
     * Called after a new generation is in the table, on a thread of its own: make a real handshake
     * with the server's own port (air_tls_probe_socket). With any error the old one is served
     * again, or none if there was none; the reason goes to the operator. Not called for what
     * earlier runs had stored and proven. May be NULL: then the first attached context is probed
     * in memory.
     */
    enum air_error (*on_installed)(
        void *context, const struct air_install_action *install, struct air_buffer *reason);
    void *context;
};

/*
 * Start. Returns when the state directory is open, the configuration accepted and the thread
 * running; certificates that are stored already are in the table when air_server_wait_loaded()
 * returns.
 *
 * out     Yours: air_server_stop().
 * reason  On failure a sentence that says what to change; may be NULL.
 *
 * Returns AIR_OK, what air_storage_files_new(), air_engine_authority_set() or
 * air_engine_certificate_set() answer, AIR_ERR_ARGUMENT (size, state_dir) or AIR_ERR_NO_MEMORY
 * (also when no thread can be made).
 */
AIR_API AIR_MUST_CHECK enum air_error air_server_start(
    const struct air_server_config *config, struct air_server **out, struct air_buffer *reason);

/* Wait until every stored certificate is in the table or was found missing, at most timeout_ms:
 * AIR_ERR_TIMEOUT. The network is not waited for. */
AIR_API AIR_MUST_CHECK enum air_error air_server_wait_loaded(
    struct air_server *server, uint32_t timeout_ms);

/* Serve this context's handshakes from the table: see air_tls_attach(). */
AIR_API AIR_MUST_CHECK enum air_error air_server_attach(
    struct air_server *server, SSL_CTX *context, air_span alpn);

/* The parts a host may want to use itself. Owned by the server. */
AIR_API struct air_tls *air_server_tls(struct air_server *server);
AIR_API struct air_responder *air_server_responder(struct air_server *server);

/*
 * Run a function with the engine on the server's thread and wait for it: to add, change, remove or
 * renew certificates, and to read their status.
 */
AIR_API void air_server_call(struct air_server *server,
    void (*function)(void *context, struct air_engine *engine), void *context);

/* Stop the thread, end requests, free everything. Attached contexts must not begin handshakes any
 * more. An order under way is taken up by the next start. */
AIR_API void air_server_stop(struct air_server *server);

/* How many requests went to CAs so far. */
AIR_API uint64_t air_server_requests_count(struct air_server *server);

#ifdef __cplusplus
}
#endif

#endif
