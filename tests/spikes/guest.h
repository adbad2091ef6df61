/* SPDX-License-Identifier: MIT */
#ifndef AIR_SPIKES_GUEST_H
#define AIR_SPIKES_GUEST_H

/*
 * The engine as a guest in somebody else's program: an engine that wants one certificate, and a
 * storage that forgets. What the guest cannot do, requests over HTTP, is left to the host.
 */

#include "thinair/engine.h"

/* The wish's CA. Hosts take its path and ask whatever they have for it. */
#define AIR_GUEST_DIRECTORY "https://ca.example/directory"

/* A directory document that the engine accepts (RFC 8555 section 7.1.1). */
#define AIR_GUEST_ANSWER                                                                           \
    "{\"newNonce\":\"https://ca.example/nonce\",\"newAccount\":\"https://ca.example/account\","    \
    "\"newOrder\":\"https://ca.example/order\",\"revokeCert\":\"https://ca.example/revoke\","      \
    "\"keyChange\":\"https://ca.example/change\"}"

struct air_guest {
    struct air_engine *engine;
    struct air_crypto *crypto;
    unsigned storage_count; /* storage actions carried out */
};

/* Make one. out: yours, air_guest_deinit(). */
enum air_error air_guest_init(struct air_guest *guest);
void air_guest_deinit(struct air_guest *guest);

/*
 * Carry out everything but HTTP until the engine wants a request: *out is that action, or NULL when
 * there is nothing to do before air_engine_wakeup().
 */
enum air_error air_guest_next(struct air_guest *guest, const struct air_action **out);

/* The path of a request's URL, from its first '/': borrowed. */
air_span air_guest_path(air_span url);

/* Tell how the request went: status 0 when there was no answer. */
enum air_error air_guest_answer(
    struct air_guest *guest, uint64_t id, uint32_t status, const void *body, size_t body_size);

/* How long the engine may be left alone from now on, in ms: 0 to 60,000. */
uint32_t air_guest_pause_ms(const struct air_guest *guest);

#endif
