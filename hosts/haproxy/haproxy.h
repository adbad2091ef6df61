/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_HAPROXY_H
#define AIR_HAPROXY_HAPROXY_H

/*
 * The engine as it lives in HAProxy: everything but what HAProxy's Lua does itself, which is HTTP,
 * its runtime API, and waiting. Knows no Lua.
 *
 * HAProxy lets nobody make a thread or a process, and whatever runs too long holds up its traffic.
 * So all work is done in turns of a few milliseconds: air_haproxy_turn() does one, or says what the
 * caller has to do, or how long there is nothing to do.
 *
 * Functions may be called by any thread; one mutex serves them all. Only one thread takes turns.
 */

#include <openssl/ssl.h>

#include "hosts/haproxy/order_request.h"
#include "src/base/name.h"
#include "thinair/action.h"
#include "thinair/engine.h"

struct air_gate;
struct air_haproxy;

struct air_haproxy_config {
    const char *state_dir; /* NULL: nothing is kept but in memory */
    /* The CA, and the usual account there; clients' own accounts differ in account and
     * account_key. */
    struct air_authority_spec authority;
    const enum air_challenge_type *challenges; /* in order of preference */
    size_t challenges_count;
    bool has_target;                /* certificates that are managed go into the running HAProxy */
    struct air_time (*clock)(void); /* NULL: the system's */
};

/*
 * Make one, at load time: the state directory is opened here, before HAProxy changes its root and
 * its user. As root, it is opened as its owner would open it, so that what is made there is its
 * owner's, who must be HAProxy's user.
 *
 * out     Yours: air_haproxy_free().
 * reason  A sentence on failure.
 *
 * Returns AIR_OK, what air_storage_files_new() or air_engine_authority_set() answer, or
 * AIR_ERR_NO_MEMORY, AIR_ERR_CRYPTO, AIR_ERR_ARGUMENT (more challenges or contacts than there may
 * be).
 */
AIR_MUST_CHECK enum air_error air_haproxy_new(
    const struct air_haproxy_config *config, struct air_haproxy **out, struct air_buffer *reason);
void air_haproxy_free(struct air_haproxy *haproxy);

/* Hold and renew a certificate; its names in any form. Errors as air_engine_certificate_set(). */
AIR_MUST_CHECK enum air_error air_haproxy_manage(struct air_haproxy *haproxy, const air_span *names,
    size_t names_count, const enum air_key_type *key_types, size_t key_types_count,
    bool must_staple, struct air_buffer *reason);

/* All that the configuration names is managed: take up what was adopted earlier, and write the
 * crt-list, which HAProxy loads next. */
AIR_MUST_CHECK enum air_error air_haproxy_ready(
    struct air_haproxy *haproxy, struct air_buffer *reason);

/* Whether the process that HAProxy has become may work in the state directory, by its user: false,
 * and a sentence that says what to change. */
bool air_haproxy_may_work(struct air_haproxy *haproxy, struct air_buffer *reason);

/*
 * This process takes no more connections, another one has begun: let go of what is managed, which
 * the other one takes up where this one stands. Orders of clients who wait here are finished.
 *
 * Returns true when nothing is left to do once a turn is idle. May be called again.
 */
bool air_haproxy_leave(struct air_haproxy *haproxy);

/* ---- turns ---- */

enum air_turn_kind {
    AIR_TURN_IDLE,  /* nothing to do for pause_ms, unless an action is completed */
    AIR_TURN_AGAIN, /* something was done: let others run, then take the next turn */
    AIR_TURN_REST,  /* there is more to do, but let whatever waits outside go first, for pause_ms */
    AIR_TURN_HTTP,  /* make this request, then complete the action */
    AIR_TURN_INSTALL, /* put this certificate into the running HAProxy, then complete it */
    AIR_TURN_EVENT    /* tell the operator */
};

struct air_turn {
    enum air_turn_kind kind;
    uint32_t pause_ms;               /* of AIR_TURN_IDLE and AIR_TURN_REST: 1 to 1000 */
    const struct air_action *action; /* valid until it is completed; an event until the next turn */
};

/* Take a turn. What the one before asked for is told to the engine as failed, unless it was taken
 * on or completed: it was lost on its way. */
void air_haproxy_turn(struct air_haproxy *haproxy, struct air_turn *turn);

/* The action of the latest turn has somebody who will complete it. */
void air_haproxy_taken(struct air_haproxy *haproxy);

/* How an action went. AIR_ERR_NO_MEMORY: tell it again later. */
AIR_MUST_CHECK enum air_error air_haproxy_complete(
    struct air_haproxy *haproxy, uint64_t id, const struct air_result *result);

/* ---- challenges ---- */

/* As air_responder_answer(). */
AIR_MUST_CHECK enum air_error air_haproxy_answer(struct air_haproxy *haproxy, air_span method,
    air_span path, air_span host, struct air_buffer *body);

/* A server context that completes acme-tls/1 handshakes for live challenges, and nothing else. The
 * haproxy's. */
SSL_CTX *air_haproxy_challenge_context(struct air_haproxy *haproxy);

/* Who may make such handshakes. The haproxy's. */
struct air_gate *air_haproxy_gate(struct air_haproxy *haproxy);

/* For how many names tls-alpn-01 challenges are live now. */
size_t air_haproxy_validations_count(struct air_haproxy *haproxy);

/* ---- orders ---- */

enum air_order_state { AIR_ORDER_UNHEARD, AIR_ORDER_RUNNING, AIR_ORDER_DONE, AIR_ORDER_FAILED };

/* Room for an order's id and its terminator, and for the sentence about its failure. */
#define AIR_HAPROXY_ID_SIZE (AIR_ID_SIZE_MAX + 1)
#define AIR_HAPROXY_FAILURE_SIZE 513

struct air_order_view {
    enum air_order_state state;
    enum air_key_type key_types[AIR_KEY_TYPES_MAX];
    size_t key_types_count;
    char domain[AIR_NAME_SIZE_MAX + 1]; /* the first name */
    char failure[AIR_HAPROXY_FAILURE_SIZE];
};

/*
 * Order what a request asks for. One that asks for the same while that is under way joins it, and
 * one whose certificate came within the last hour has it at once, unless it is managed: that one
 * is ordered anew.
 *
 * id       What to ask about it by.
 * refusal  On failure what to answer.
 *
 * Returns AIR_OK, AIR_ERR_BAD_KEY, AIR_ERR_MALFORMED, AIR_ERR_BAD_NAME, AIR_ERR_LIMIT (too many at
 * once), AIR_ERR_EXISTS (what is to be managed is managed with another wish: by the configuration,
 * or another order is under way), AIR_ERR_BUSY (this process is ending), AIR_ERR_ARGUMENT or
 * AIR_ERR_NO_MEMORY.
 */
AIR_MUST_CHECK enum air_error air_haproxy_order(struct air_haproxy *haproxy,
    struct air_order_request *request, char id[AIR_HAPROXY_ID_SIZE], struct air_refusal *refusal);

/* How many orders have ended so far: as long as that stays, no order has to be looked at. Takes no
 * lock. */
uint64_t air_haproxy_orders_ended(struct air_haproxy *haproxy);

/* How an order stands; AIR_ORDER_UNHEARD: there is none of that id, or it ended long ago. */
void air_haproxy_order_view(struct air_haproxy *haproxy, air_span id, struct air_order_view *view);

/* Append one key type's chain and then its key, PEM, as HAProxy loads them. AIR_ERR_NOT_FOUND: not
 * there. */
AIR_MUST_CHECK enum air_error air_haproxy_order_read(
    struct air_haproxy *haproxy, air_span id, enum air_key_type key_type, struct air_buffer *out);

/* ---- what is managed ---- */

/* Whether a certificate of that id goes into the running HAProxy. */
bool air_haproxy_is_managed(air_span id);

/* Order anew now. AIR_ERR_NOT_FOUND: nothing of that id is managed. */
AIR_MUST_CHECK enum air_error air_haproxy_renew(struct air_haproxy *haproxy, air_span id);

/* Room for what a lineage's spans point to: names, id, failure and serial. */
#define AIR_HAPROXY_LINEAGE_SIZE_MAX (AIR_NAMES_MAX * 256 + 2048)

/* A lineage, as it is listed. */
struct air_haproxy_lineage {
    bool is_private;  /* an order of a client: not to be listed */
    air_span names;   /* one a line */
    air_span id;      /* of the certificate */
    air_span failure; /* the last one; empty after a success */
    enum air_key_type key_type;
    enum air_state state;
    uint32_t generation; /* 0: none yet */
    air_span serial;     /* in hexadecimal, as others print it */
    air_time_ms not_before_ms;
    air_time_ms not_after_ms;
    air_time_ms next_ms;
};

/*
 * The lineage at index, from 0.
 *
 * text  Filled anew with what the lineage's spans point to.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (beyond the end), AIR_ERR_NO_MEMORY or AIR_ERR_LIMIT (text).
 */
AIR_MUST_CHECK enum air_error air_haproxy_status(struct air_haproxy *haproxy, size_t index,
    struct air_haproxy_lineage *lineage, struct air_buffer *text);

#endif
