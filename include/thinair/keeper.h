/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_KEEPER_H
#define THINAIR_KEEPER_H

/*
 * The keeper: a process that keeps what a server may not touch once it has given up root. It is
 * forked while the server is still root, opens the state directory, holds the account keys, and
 * carries out storage actions, key generation and account signatures for the server, in the wire
 * encoding of thinair/action.h over a socket pair. It ends when the server does.
 *
 * The server never has an account key's private part: where one would be read, written, imported or
 * exported, there is a reference to it instead, a text that only this keeper understands. Keys of
 * certificates do come to the server, which serves them.
 *
 * The server's side never waits but in air_keeper_start() and the two _add(): actions are
 * submitted, results are received when the socket is readable. All functions but start are called
 * by one thread at a time. The keeper is a child of the process: whoever reaps all children may
 * reap it too.
 */

#include "thinair/action.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_keeper;

/* A pair of files that other programs read, replaced with every generation that is installed. */
struct air_keeper_pair {
    air_span certificate; /* id */
    enum air_key_type key_type;
    const char *chain_path; /* absolute; may be one that an older system made */
    const char *key_path;   /* absolute */
};

struct air_keeper_config {
    size_t size;           /* sizeof(struct air_keeper_config) */
    const char *state_dir; /* as air_storage_files_new() with AIR_FILES_CREATE */
};

/*
 * Fork the keeper, and wait until it has opened everything: call it before the process has threads
 * and before it gives up its privileges. Signals that end the server's process group do not end the
 * keeper before the server has: it ends when the last descriptor of the server's side is closed, at
 * once, with no write half done.
 *
 * out     Yours: air_keeper_stop().
 * reason  On failure a sentence that names the path and says what to change; may be NULL.
 *
 * Returns AIR_OK, what air_storage_files_new() answers, AIR_ERR_ARGUMENT, AIR_ERR_NO_MEMORY or
 * AIR_ERR_STATE (no process can be made).
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_start(
    const struct air_keeper_config *config, struct air_keeper **out, struct air_buffer *reason);

/*
 * Have the keeper read an account's private key, JWK (RFC 7517) or PEM; one that is missing is made
 * (ECDSA P-256, JWK, mode 0600) in a directory that must be there. Waits for it. Only before
 * air_keeper_seal(): a server that somebody has taken over must not choose files of root's.
 *
 * reference  Appended to it: for air_authority_spec.account_key.
 *
 * Returns AIR_OK, AIR_ERR_BAD_KEY (no key that can serve), AIR_ERR_PERMISSION (open to others),
 * AIR_ERR_NOT_FOUND (its directory), AIR_ERR_STORAGE, AIR_ERR_STATE (sealed, ended, or
 * actions are open), AIR_ERR_LIMIT or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_account_add(struct air_keeper *keeper,
    const char *path, struct air_buffer *reference, struct air_buffer *reason);

/*
 * Have the keeper replace a pair of files (thinair/pair_files.h) with every generation that is
 * stored from now on; what is stored already replaces it at once, and what is there without that is
 * taken in. Waits for it. Only before air_keeper_seal().
 *
 * A write whose pair could not be replaced has that error as its result, though it is stored.
 *
 * Returns what air_pair_files_open() answers, AIR_ERR_LIMIT (over 256 pairs), AIR_ERR_STATE
 * (sealed, ended, or actions are open) or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_pair_add(
    struct air_keeper *keeper, const struct air_keeper_pair *pair, struct air_buffer *reason);

/* No more files are named: the keeper refuses it from now on. Does not wait. */
AIR_API void air_keeper_seal(struct air_keeper *keeper);

/* Close the socket, wait for the process to end, wipe and free. Actions that were submitted and not
 * answered may have been carried out or not. */
AIR_API void air_keeper_stop(struct air_keeper *keeper);

/*
 * A crypto port for the engine: references to account keys stand for handles of their own, whose
 * signatures are made by submitted actions (AIR_ERR_LATER here); everything else is done by
 * `local`, which must outlive it. The keeper's.
 *
 * The engine has account keys made by AIR_ACTION_GENERATE_KEY with is_account, never here.
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_crypto(
    struct air_keeper *keeper, struct air_crypto *local, struct air_crypto **out);

/* What to poll: readable always, writable while air_keeper_wants_write(). Hangs up when the keeper
 * has ended. */
AIR_API int air_keeper_socket(const struct air_keeper *keeper);
AIR_API bool air_keeper_wants_write(const struct air_keeper *keeper);

/*
 * Have a read, write, list, lock, unlock, generate-key or sign action carried out. Copied.
 *
 * Returns AIR_OK (its result will come, AIR_ERR_STORAGE when the keeper ends before), AIR_ERR_LIMIT
 * (more is waiting to be sent than it should be: complete it with that error), AIR_ERR_STATE (the
 * keeper has ended), AIR_ERR_UNSUPPORTED (another kind, or a signature of a key that is not the
 * keeper's) or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_submit(
    struct air_keeper *keeper, const struct air_action *action);

/*
 * Send and receive what can be without waiting, and call done for each result: id of the action,
 * and the result as the engine wants it, valid during the call. A key that was made is in the port
 * of air_keeper_crypto() then, and the callee's.
 *
 * done     May submit further actions; must not call this, or stop the keeper.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY (nothing is lost; call again in a while, whatever the socket
 * says), or AIR_ERR_STATE once, when the keeper has ended; results of everything that was
 * open have been given then (AIR_ERR_STORAGE and a sentence). Stop polling the socket then.
 */
AIR_API AIR_MUST_CHECK enum air_error air_keeper_service(struct air_keeper *keeper,
    void (*done)(void *context, uint64_t id, const struct air_result *result), void *context);

#ifdef __cplusplus
}
#endif

#endif
