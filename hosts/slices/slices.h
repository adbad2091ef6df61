/* SPDX-License-Identifier: MIT */
#ifndef AIR_SLICES_SLICES_H
#define AIR_SLICES_SLICES_H

/*
 * Actions carried out inside somebody's event loop, without a thread: each in steps of a few
 * milliseconds. A write goes put by put, which the storage port's order allows; a proof goes name
 * by name; an RSA key in the steps that the crypto backend offers. Answers to challenges go to the
 * host's responder and table.
 *
 * A step makes at most one durable write, one handshake in memory or a few milliseconds of a key.
 * What was carried out is told to the engine, however short memory is. Nothing here locks: the
 * host's one lock or one thread guards engine and slices together.
 */

#include "thinair/engine.h"
#include "thinair/openssl.h"
#include "thinair/responder.h"
#include "thinair/tls.h"

struct air_slices;

struct air_slices_config {
    struct air_engine *engine; /* all must outlive the slices */
    struct air_crypto *crypto; /* of air_crypto_openssl_new() */
    struct air_storage *storage;
    struct air_tls *tls;
    struct air_responder *responder;
    struct air_time (*clock)(void);

    /* Carry out an install action. Be quick. */
    enum air_error (*install)(void *host, const struct air_install_action *install);
    void *host;
};

/* The machine's clocks, as the engine wants them. */
struct air_time air_slices_now(void);

/* How long there is nothing to do, by the engine's wakeup: 1 to max_ms. */
uint32_t air_slices_pause_ms(const struct air_slices *slices, struct air_time now, uint32_t max_ms);

/* Make one. out: yours, air_slices_free(). AIR_ERR_NO_MEMORY. */
AIR_MUST_CHECK enum air_error air_slices_new(
    const struct air_slices_config *config, struct air_slices **out);

/* What is under way is given up. */
void air_slices_free(struct air_slices *slices);

/* Take an action of any kind but http, event and cancel, and make its first step. */
void air_slices_begin(struct air_slices *slices, const struct air_action *action);

/* One step of the next action that has not ended; false: there is none. */
bool air_slices_step(struct air_slices *slices);

/* The engine does not want this action any more: it ends, and the engine hears that. Unknown ids
 * are ignored. */
void air_slices_cancel(struct air_slices *slices, uint64_t id);

/* Whether an action of that kind is under way, and how many of its puts or names are done (of the
 * first, where there are several): for tests. */
bool air_slices_look(
    const struct air_slices *slices, enum air_action_kind kind, size_t *done_count);

#endif
