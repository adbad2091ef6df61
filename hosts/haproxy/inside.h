/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_INSIDE_H
#define AIR_HAPROXY_INSIDE_H

/*
 * What the files of the engine's host share. Functions here are called with the mutex held.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "hosts/haproxy/gate.h"
#include "hosts/haproxy/haproxy.h"
#include "hosts/haproxy/route.h"
#include "hosts/slices/slices.h"
#include "thinair/memory_storage.h"
#include "thinair/openssl.h"
#include "thinair/responder.h"
#include "thinair/tls.h"

/* An order of a client. */
struct air_order_entry {
    struct air_order_entry *next;
    char id[AIR_HAPROXY_ID_SIZE];
    struct air_order_view view;
    uint8_t wish[AIR_SHA256_SIZE]; /* a digest of all that was asked for */
    bool has_ended[AIR_KEY_TYPES_MAX];
    bool is_managed;
    bool was_managed; /* before it was ordered: a failure changes nothing about that */
    bool must_staple;
    size_t reads_count; /* since it ended */
    air_time_ms begun_boot_ms;
    air_time_ms ended_boot_ms;
};

/* What the engine does not say of a certificate that is managed. */
struct air_managed_entry {
    struct air_managed_entry *next;
    char id[AIR_HAPROXY_ID_SIZE];
    bool is_configured; /* in config.lua: orders do not change it */
    bool must_staple;
};

/* An account of a client. */
struct air_account_entry {
    struct air_account_entry *next;
    char label[AIR_ACCOUNT_SIZE_MAX + 1];
};

struct air_haproxy {
    pthread_mutex_t mutex;
    struct air_crypto *crypto;
    struct air_time (*clock)(void);
    struct air_storage *files; /* or NULL */
    struct air_storage *memory;
    struct air_route route;
    struct air_engine *engine;
    struct air_responder *responder;
    struct air_tls *tls;
    SSL_CTX *challenge_context;
    struct air_gate gate;
    struct air_buffer directory_url; /* what the usual authority is made of */
    struct air_buffer contacts_text;
    struct air_authority_spec authority;
    air_span contacts[AIR_CONTACTS_MAX];
    enum air_challenge_type challenges[AIR_CHALLENGES_MAX];
    size_t challenges_count;
    bool is_slice_next; /* turns alternate between the engine and what takes several */
    uint64_t handed_id; /* an action that was handed out, and nobody has taken on yet; 0: none */
    struct air_slices *slices;
    bool is_working;             /* no turn was idle, nor a rest, */
    air_time_ms working_boot_ms; /* since then */
    struct air_buffer state_dir;
    bool has_owner; /* the state directory is another user's than the one that loads */
    uid_t owner_uid;
    gid_t owner_gid;
    bool has_left;                  /* another process manages from now on */
    bool is_list_old;               /* the crt-list lacks what was installed, */
    air_time_ms list_boot_ms;       /* and is not written before that */
    struct air_order_entry *orders; /* those that ended are in the order of their ends */
    size_t orders_running;
    atomic_uint_fast64_t orders_ended;
    air_time_ms expired_boot_ms;
    size_t audit_next; /* lineage */
    struct air_managed_entry *managed;
    struct air_account_entry *accounts; /* the one used last is first */
};

/* What every certificate has in common: the usual account at the CA, and the challenges. */
struct air_certificate_spec air_haproxy_spec(const struct air_haproxy *haproxy);

/* An event of the engine may end an order. */
void air_orders_hear(struct air_haproxy *haproxy, const struct air_event_action *event);

/* Let go of what ended long ago. */
void air_orders_expire(struct air_haproxy *haproxy, air_time_ms boot_ms);

void air_orders_free(struct air_haproxy *haproxy);

/* Order with a client's account from now on: its label, and its key in PEM. Errors as
 * air_engine_authority_set(). */
enum air_error air_accounts_use(struct air_haproxy *haproxy, const char *label, air_span key);

void air_accounts_free(struct air_haproxy *haproxy);

/*
 * Whether a request for what is to be managed under that id may go on: what config.lua manages is
 * changed there and nowhere else, and nothing is changed while it is being ordered. AIR_ERR_EXISTS:
 * refused, with a sentence that says what to do.
 */
enum air_error air_managed_check(struct air_haproxy *haproxy, air_span id,
    const struct air_order_request *request, struct air_refusal *refusal);

/* Whether config.lua manages it. */
bool air_managed_is_configured(struct air_haproxy *haproxy, air_span id);

/* Remember what the engine does not say of it. AIR_ERR_NO_MEMORY: nothing changed. */
enum air_error air_managed_note(
    struct air_haproxy *haproxy, air_span id, bool is_configured, bool must_staple);

/* There is no such certificate any more. */
void air_managed_forget(struct air_haproxy *haproxy, air_span id);

void air_managed_free(struct air_haproxy *haproxy);

/* Manage what was adopted in earlier runs. Returns AIR_OK or AIR_ERR_NO_MEMORY. */
enum air_error air_adopted_load(struct air_haproxy *haproxy);

/* Remember, for the next run, that this order's certificate is managed. */
enum air_error air_adopted_store(struct air_haproxy *haproxy, air_span id, bool must_staple);

/* Whether the engine has a certificate of that id. */
bool air_managed_has(struct air_haproxy *haproxy, air_span id);

/* Let go of all that is managed: the engine gives back its locks in the turns to come. False: some
 * is left, for want of memory. */
bool air_managed_leave(struct air_haproxy *haproxy);

/* Orders of what is to be managed end without a certificate. True: no other is under way. */
bool air_orders_leave(struct air_haproxy *haproxy);

/*
 * Write the crt-list that HAProxy loads at its next start: a line for every managed certificate
 * that is stored. is_load: look at each, so that HAProxy does not stumble over it.
 */
enum air_error air_crt_list_write(struct air_haproxy *haproxy, bool is_load);

#endif
