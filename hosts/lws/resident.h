/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_RESIDENT_H
#define AIR_LWS_RESIDENT_H

/*
 * The engine as it lives in a libwebsockets process: one for each state directory, for all vhosts
 * that name it. Everything but what libwebsockets does itself, which is HTTP and waiting; knows
 * nothing of it.
 *
 * It is made while the process is still root. With a keeper, storage, account keys and slow keys
 * are another process's from then on; without, what is stored goes into two files that were opened
 * in time. All functions are called by the thread that serves.
 */

#include <openssl/ssl.h>

#include "hosts/lws/options.h"
#include "thinair/action.h"

struct air_resident;

/*
 * Make one.
 *
 * is_kept  Whether a keeper is wanted; it is forked here.
 * out      Yours: air_resident_free().
 * reason   A sentence on failure.
 *
 * Returns AIR_OK, what air_keeper_start() or air_storage_snapshot_new() answer, or
 * AIR_ERR_NO_MEMORY, AIR_ERR_CRYPTO.
 */
AIR_MUST_CHECK enum air_error air_resident_new(
    const char *state_dir, bool is_kept, struct air_resident **out, struct air_buffer *reason);
void air_resident_free(struct air_resident *resident);

/*
 * Get and keep the certificate of a vhost's options; what its files hold is served at once. Options
 * of several vhosts may name the same files: then they must ask for the same.
 *
 * Returns AIR_OK, AIR_ERR_EXISTS (another vhost's options ask for something else under the same
 * name, or the same files), or what the keeper, the files and the engine answer; reason says which
 * option to change.
 */
AIR_MUST_CHECK enum air_error air_resident_add(struct air_resident *resident,
    const struct air_lws_options *options, struct air_buffer *reason);

/* No more is added: what needed root is done. To be called once the process is what it will be. */
void air_resident_seal(struct air_resident *resident);

/* The keeper's socket; -1: there is none. To be polled: readable always, writable while
 * air_resident_wants_write(). */
int air_resident_socket(const struct air_resident *resident);
bool air_resident_wants_write(const struct air_resident *resident);

/* ---- turns ---- */

enum air_resident_turn_kind {
    AIR_RESIDENT_IDLE,  /* nothing to do for pause_ms, unless an action is completed */
    AIR_RESIDENT_AGAIN, /* something was done: take the next turn */
    AIR_RESIDENT_HTTP,  /* make this request, then complete the action */
    AIR_RESIDENT_EVENT, /* tell the operator */
    AIR_RESIDENT_CANCEL /* give up the request of that id */
};

struct air_resident_turn {
    enum air_resident_turn_kind kind;
    uint32_t pause_ms;               /* 1 to 60000 */
    const struct air_action *action; /* of the last three; valid until it is completed, or for the
                                        last two until the next turn */
};

/* One turn of at most a few milliseconds: a handshake in memory, a slice of a key, a write. */
void air_resident_turn(struct air_resident *resident, struct air_resident_turn *turn);

/* How a request went. AIR_ERR_NO_MEMORY: tell it again later. */
AIR_MUST_CHECK enum air_error air_resident_complete(
    struct air_resident *resident, uint64_t id, const struct air_result *result);

/* ---- serving ---- */

/* As air_tls_client_hello(), and as air_tls_certificate() or, with a name, as if the client had
 * asked for that. */
int air_resident_client_hello(struct air_resident *resident, SSL *ssl, int *alert);
bool air_resident_certificate(struct air_resident *resident, SSL *ssl, const char *name);

/* As air_responder_answer(). */
AIR_MUST_CHECK enum air_error air_resident_answer(struct air_resident *resident, air_span method,
    air_span path, air_span host, struct air_buffer *body);

#endif
