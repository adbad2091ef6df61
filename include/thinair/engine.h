/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_ENGINE_H
#define THINAIR_ENGINE_H

/*
 * The engine: what to do next so that every certificate is there, valid and served.
 *
 * It performs no I/O, reads no clock and has no thread. The host's loop:
 *
 *     while (air_engine_next(engine, now, &action) == AIR_OK && action != NULL) carry it out;
 *     sleep until air_engine_wakeup(engine), or until an action completes:
 *         air_engine_complete(engine, id, &result, now)
 *
 * Words: a certificate is what the user asks for: id, names, key types, CA. Each of its key types
 * is a lineage. Each success of a lineage is a generation, numbered from 1. A target is something
 * that serves certificates.
 *
 * The same inputs in the same order give the same actions, byte for byte, if the crypto port's
 * random does.
 */

#include "thinair/action.h"
#include "thinair/crypto.h"
#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_engine;

/* Limits of what can be asked for. */
#define AIR_NAMES_MAX 100
#define AIR_KEY_TYPES_MAX 2
#define AIR_CHALLENGES_MAX 2
#define AIR_CONTACTS_MAX 8
#define AIR_ID_SIZE_MAX 128
#define AIR_TARGETS_MAX 64
#define AIR_URL_SIZE_MAX 2048
#define AIR_ACCOUNT_SIZE_MAX 64

struct air_engine_config {
    size_t size;                     /* sizeof(struct air_engine_config) */
    const struct air_crypto *crypto; /* must outlive the engine */
    uint32_t issuances_max;          /* lineages worked on at once, 1 to 64; 0 means 16 */
    bool report_steps;               /* hand out AIR_EVENT_STEP for every step of every issuance */
};

/*
 * Make an engine that knows no certificate yet.
 *
 * out  Yours: air_engine_free().
 *
 * Returns AIR_OK, AIR_ERR_ARGUMENT or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_new(
    const struct air_engine_config *config, struct air_engine **out);

/* Abandon every open action, free every key and forget. What is stored stays: the next engine takes
 * it up. */
AIR_API void air_engine_free(struct air_engine *engine);

/* A CA and our account there. */
struct air_authority_spec {
    size_t size;            /* sizeof(struct air_authority_spec) */
    air_span directory_url; /* https */
    air_span account;  /* which of our accounts at that CA: [a-z0-9-], at most AIR_ACCOUNT_SIZE_MAX
                         bytes; empty: the usual one. With the directory URL it identifies the
                         authority */
    air_span trust;    /* passed to the host in every request to this CA; may be empty; at most 1024
                          bytes */
    bool terms_agreed; /* the operator has agreed to the CA's terms of service */
    const air_span *contacts; /* "mailto:..." */
    size_t contacts_count;    /* at most AIR_CONTACTS_MAX */
    air_span eab_kid;         /* external account binding (RFC 8555 section 7.3.4), or empty */
    air_span eab_mac_key;     /* as the CA delivers it: base64url */
    enum air_key_type account_key_type; /* AIR_KEY_NONE means ECDSA P-256 */
    air_span account_key; /* PEM, private: used and stored when no key of this account is stored
                             yet; empty: one is made */
};

/*
 * Make an authority known, or change it; certificates refer to it by its directory URL and account.
 * All spans are copied. The account, its key included, is kept in storage.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_BAD_KEY or AIR_ERR_MALFORMED (account_key, as the
 * crypto port's key_import), or AIR_ERR_ARGUMENT: the URL is not https, has a user name or fragment
 * or is longer than AIR_URL_SIZE_MAX, a contact does not begin with "mailto:", or a limit is
 * passed.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_authority_set(
    struct air_engine *engine, const struct air_authority_spec *spec);

/*
 * Forget an authority that no certificate refers to: its account's key is wiped, what is under way
 * for it is given up. What is stored stays.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND, or AIR_ERR_BUSY: a certificate refers to it.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_authority_remove(
    struct air_engine *engine, air_span directory_url, air_span account);

/* What the user asks for. */
struct air_certificate_spec {
    size_t size; /* sizeof(struct air_certificate_spec) */
    air_span id; /* [A-Za-z0-9._-]; empty: the first name, with '*' as '_' */
    const air_span
        *names; /* DNS names, any case; "*." may lead only where a dns challenge exists: not yet */
    size_t names_count;                 /* 1 to AIR_NAMES_MAX */
    const enum air_key_type *key_types; /* distinct families; the first is ordered first */
    size_t key_types_count;             /* 1 to AIR_KEY_TYPES_MAX; 0 means ECDSA P-256 alone */
    const air_span *keys;   /* PEM, private: for each key type the key to order with, or an empty
                               span; NULL: a fresh key for every generation. A changed key counts
                               from the next order on */
    air_span directory_url; /* of an authority made known before, */
    air_span account;       /* and its account */
    const enum air_challenge_type
        *challenges; /* in order of preference; none means tls-alpn-01, http-01 */
    size_t challenges_count;
    air_time_ms renew_before_ms; /* renew when less than this is left; 0: at 2/3 of the life, 1/2 if
                                    under ten days */
    bool must_staple;            /* ask for the TLS feature extension (RFC 7633) */
    struct air_subject subject;  /* of requests; a changed one counts from the next order on, and
                                    makes no certificate due */
};

/*
 * Add a certificate, or change what is asked for under its id. All spans are copied; names are
 * normalized, duplicates dropped. When the wish (CA, names, key types) differs from what the served
 * generation was made for, it is ordered at once, and the old one is served meanwhile.
 *
 * reason  On AIR_ERR_BAD_NAME, AIR_ERR_BAD_KEY, AIR_ERR_MALFORMED and AIR_ERR_ARGUMENT a sentence
 * that names the culprit; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_BAD_NAME, AIR_ERR_NOT_FOUND (unknown authority),
 * AIR_ERR_BAD_KEY or AIR_ERR_MALFORMED (a key that cannot be read or is not of its type), or
 * AIR_ERR_ARGUMENT.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_certificate_set(
    struct air_engine *engine, const struct air_certificate_spec *spec, struct air_buffer *reason);

/*
 * Forget a certificate: its open actions are cancelled, nothing more is ordered. What is stored
 * stays; what targets serve is theirs to drop. AIR_ERR_NOT_FOUND: no such id.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_certificate_remove(
    struct air_engine *engine, air_span id);

/* Order a new generation of every lineage now, whatever the schedule and earlier failures say.
 * AIR_ERR_NOT_FOUND: no such id. */
AIR_API AIR_MUST_CHECK enum air_error air_engine_certificate_renew(
    struct air_engine *engine, air_span id);

/* Do not wait for the pause after a failure: lineages that are due, or not what is asked for, are
 * tried now; others rest. AIR_ERR_NOT_FOUND: no such id. */
AIR_API AIR_MUST_CHECK enum air_error air_engine_certificate_retry(
    struct air_engine *engine, air_span id);

/* Another process changed the stored lineages of this certificate (empty: of all): read them again.
 */
AIR_API void air_engine_store_changed(struct air_engine *engine, air_span id);

/* A target appeared: every stored certificate is installed there, and every new generation from now
 * on. Its name is 1 to 64 bytes. AIR_OK too when it is known. AIR_ERR_LIMIT: AIR_TARGETS_MAX. With
 * no target, nothing is installed and certificates are only stored. */
AIR_API AIR_MUST_CHECK enum air_error air_engine_target_add(
    struct air_engine *engine, air_span target);
AIR_API void air_engine_target_remove(struct air_engine *engine, air_span target);

/*
 * Ask the engine what to do next.
 *
 * Call in a loop until it stores NULL, then sleep until air_engine_wakeup() or until an action
 * completes.
 *
 * out  The action, or NULL when nothing is due. Owned by the engine, valid until it is completed;
 * an event or cancel until the next call.
 *
 * Returns AIR_OK, or AIR_ERR_NO_MEMORY: nothing changed; call again later.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_next(
    struct air_engine *engine, struct air_time now, const struct air_action **out);

/*
 * Tell how an action went. The result is copied as far as needed; an id that is unknown, completed
 * or abandoned is ignored. The action's memory is gone afterwards.
 *
 * Returns AIR_OK, or AIR_ERR_NO_MEMORY: nothing changed; call again with the same result.
 */
AIR_API AIR_MUST_CHECK enum air_error air_engine_complete(
    struct air_engine *engine, uint64_t id, const struct air_result *result, struct air_time now);

/* The boot time (ms) at which to call air_engine_next() again even if no action completes: at most
 * a minute after the latest call, so that a step of the wall clock is seen; INT64_MAX when there is
 * no certificate. */
AIR_API air_time_ms air_engine_wakeup(const struct air_engine *engine);

/* What a lineage is doing. */
enum air_state {
    AIR_STATE_LOADING,  /* its stored records are not read yet */
    AIR_STATE_WAITING,  /* nothing to do before next_ms */
    AIR_STATE_ORDERING, /* an attempt is under way */
    AIR_STATE_RETRYING  /* the last attempt failed; the next begins at next_ms */
};

/* "loading", "waiting", "ordering", "retrying". Static. */
AIR_API const char *air_state_text(enum air_state state);

/* One lineage, as an operator wants to see it. Spans are the engine's, valid until the next call on
 * it. */
struct air_status {
    air_span certificate; /* id */
    enum air_key_type key_type;
    const air_span *names;
    size_t names_count;
    air_span directory_url; /* asked for */
    enum air_state state;
    const char *step;    /* the issuance's present step, "" when none: static */
    bool is_current;     /* what is served is what is asked for */
    uint32_t generation; /* served or stored; 0: none yet */
    uint8_t serial[AIR_SERIAL_SIZE_MAX];
    size_t serial_size;
    air_time_ms not_before_ms; /* wall; 0 without a generation */
    air_time_ms not_after_ms;
    air_time_ms next_ms;     /* wall: the next renewal or try; 0: now */
    uint32_t failures_count; /* attempts failed since the last success */
    air_span last_error;     /* empty after a success */
};

/* How many lineages there are, and one of them: index from 0; removing a certificate may change the
 * order. AIR_ERR_NOT_FOUND beyond the end. */
AIR_API size_t air_engine_lineages_count(const struct air_engine *engine);
AIR_API AIR_MUST_CHECK enum air_error air_engine_status(
    struct air_engine *engine, size_t index, struct air_status *out);

#ifdef __cplusplus
}
#endif

#endif
