/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_ACTION_H
#define THINAIR_ACTION_H

/*
 * Actions: what the engine asks of the world, and results: how it went.
 *
 * An action is a plain value: it points only into its own memory, and has a wire encoding, so that
 * it can be carried out by another thread, another process or a recorded trace. The host carries
 * actions out in any order, also at the same time.
 *
 * Life-cycle, the same for every kind:
 *   handed out  by air_engine_next(), once.
 *   completed   by air_engine_complete() with its id and a result of its kind, any time later.
 *               Completing an unknown, completed or abandoned id is harmless and does nothing.
 *   cancelled   when the engine no longer wants it it hands out AIR_ACTION_CANCEL with its id. The
 *               host may stop the work; it completes the cancelled action either way
 *               (AIR_ERR_CANCELLED, or its result: ignored).
 *   abandoned   when the engine is freed: results are no longer accepted, the memory is gone.
 * AIR_ACTION_EVENT and AIR_ACTION_CANCEL are complete as soon as they are handed out: valid until
 * the next call of air_engine_next(), not to be completed.
 */

#include "thinair/crypto.h"
#include "thinair/storage.h"
#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every kind of action: name, number on the wire, text for logs, how many may be open at once. */
#define AIR_ACTIONS(X)                                                                             \
    X(AIR_ACTION_HTTP, 1, "http", 64)                                                              \
    X(AIR_ACTION_READ, 2, "read", 64)                                                              \
    X(AIR_ACTION_WRITE, 3, "write", 64)                                                            \
    X(AIR_ACTION_LIST, 4, "list", 64)                                                              \
    X(AIR_ACTION_LOCK, 5, "lock", 64)                                                              \
    X(AIR_ACTION_UNLOCK, 6, "unlock", 64)                                                          \
    X(AIR_ACTION_GENERATE_KEY, 7, "generate-key", 64)                                              \
    X(AIR_ACTION_SIGN, 8, "sign", 64)                                                              \
    X(AIR_ACTION_PUBLISH, 9, "publish", 64)                                                        \
    X(AIR_ACTION_WITHDRAW, 10, "withdraw", 64)                                                     \
    X(AIR_ACTION_PROVE, 11, "prove", 64)                                                           \
    X(AIR_ACTION_INSTALL, 12, "install", 64)                                                       \
    X(AIR_ACTION_EVENT, 13, "event", 64)                                                           \
    X(AIR_ACTION_CANCEL, 14, "cancel", 64)

#define AIR_ACTION_MEMBER(name, number, text, open_max) name = number,
enum air_action_kind { AIR_ACTIONS(AIR_ACTION_MEMBER) };
#undef AIR_ACTION_MEMBER

/* The text of a kind; "unknown" for another number. Static. */
AIR_API const char *air_action_text(enum air_action_kind kind);

/* One request to a CA over verified HTTPS. Redirects are followed only for GET, and only within the
 * same host. */
struct air_http_action {
    air_span method; /* "GET", "HEAD" or "POST" */
    air_span url;   /* https, at most 2048 bytes; may have been named by the CA: send it as it is */
    air_span trust; /* the authority's trust label, as given by the host: which roots to believe */
    air_span body;  /* POST: application/jose+json */
    uint32_t body_max;    /* more bytes in the answer's body: AIR_ERR_LIMIT */
    uint32_t deadline_ms; /* for the whole request, from when it is sent */
};

struct air_http_header {
    air_span name; /* any case */
    air_span value;
};

struct air_http_result {
    uint32_t status; /* any status is a success of the action */
    const struct air_http_header *headers;
    size_t headers_count;
    air_span body;
};

/* Read up to AIR_STORAGE_PUTS_MAX records, each at most AIR_STORAGE_VALUE_SIZE_MAX bytes. */
struct air_read_action {
    const air_span *paths;
    size_t paths_count;
};

/* One record of a read, in the order of the paths. */
struct air_record {
    enum air_error error; /* AIR_OK, AIR_ERR_NOT_FOUND, or what the storage answered */
    uint64_t version;
    air_span value;
};

struct air_read_result {
    const struct air_record *records;
    size_t records_count;
};

/* Ordered puts with one guard: see struct air_storage. Values may hold private keys: never log
 * them. */
struct air_write_action {
    struct air_guard guard;
    const struct air_put *puts;
    size_t puts_count;
};

/* The segments below prefix that are greater than after, at most segments_max. */
struct air_list_action {
    air_span prefix;
    air_span after;
    uint32_t segments_max;
};

struct air_list_result {
    const air_span *segments;
    size_t segments_count;
    bool has_more;
};

/* Take or release a lock of the storage. */
struct air_lock_action {
    air_span path;
};

struct air_lock_result {
    uint64_t fence;
};

/* Make a key with key_generate_slow. */
struct air_generate_key_action {
    enum air_key_type type;
    bool is_account; /* an account's: a port whose accounts are kept elsewhere has it made there */
};

struct air_generate_key_result {
    uint64_t key; /* now the engine's: it frees it */
};

/* Sign with key_sign_slow. */
struct air_sign_action {
    uint64_t key;
    enum air_algorithm algorithm;
    air_span data;
};

struct air_sign_result {
    air_span signature;
};

/* Challenge types (RFC 8555 section 8, RFC 8737). Numbers are stable. */
enum air_challenge_type { AIR_CHALLENGE_NONE = 0, AIR_HTTP_01 = 1, AIR_TLS_ALPN_01 = 2 };

/* "http-01", "tls-alpn-01"; "" for AIR_CHALLENGE_NONE. Static. */
AIR_API const char *air_challenge_type_text(enum air_challenge_type type);
AIR_API enum air_challenge_type air_challenge_type_parse(air_span text);

/*
 * Make an answer to a challenge visible everywhere the CA may look, then complete; or take it away
 * again. http-01 needs token and key_authorization; tls-alpn-01 name and digest (struct air_crypto
 * challenge_certificate). Withdrawing what was never published is no error.
 */
struct air_publish_action {
    enum air_challenge_type type;
    air_span name;              /* the identifier, lower-case */
    air_span token;             /* [A-Za-z0-9_-] only, at most 256 bytes */
    air_span key_authorization; /* empty in withdraw */
    uint8_t digest[AIR_SHA256_SIZE];
};

/*
 * Prove a candidate: complete a TLS handshake in memory with this chain and key, for this name.
 * AIR_ERR_NOT_PROVEN with an explanation when it fails.
 */
struct air_prove_action {
    enum air_key_type key_type;
    const air_span *names;
    size_t names_count;
    air_span chain; /* PEM, leaf first */
    air_span key;   /* PEM, private: never log it */
};

/*
 * Serve a certificate on one target from now on, in place of the one of the same id and key type.
 * Complete with AIR_OK once a new connection gets it; with an error the target goes on serving what
 * it had.
 */
struct air_install_action {
    air_span target;
    air_span certificate; /* id */
    enum air_key_type key_type;
    uint32_t generation;
    const air_span *names;
    size_t names_count;
    air_span chain;
    air_span key; /* private: never log it */
};

enum air_level { AIR_DEBUG, AIR_INFO, AIR_WARNING, AIR_ALARM };

/* Every event: name, number, text for logs and hooks (stable), level. */
#define AIR_EVENTS(X)                                                                              \
    X(AIR_EVENT_STEP, 1, "step", AIR_DEBUG)                                                        \
    X(AIR_EVENT_TERMS_REQUIRED, 2, "terms-required", AIR_ALARM)                                    \
    X(AIR_EVENT_ACCOUNT_READY, 3, "account-ready", AIR_INFO)                                       \
    X(AIR_EVENT_AUTHORITY_FAILED, 4, "authority-failed", AIR_WARNING)                              \
    X(AIR_EVENT_ORDER_STARTED, 5, "order-started", AIR_INFO)                                       \
    X(AIR_EVENT_ORDER_RESUMED, 6, "order-resumed", AIR_INFO)                                       \
    X(AIR_EVENT_ISSUED, 7, "issued", AIR_INFO)                                                     \
    X(AIR_EVENT_INSTALLED, 8, "installed", AIR_INFO)                                               \
    X(AIR_EVENT_INSTALL_FAILED, 9, "install-failed", AIR_WARNING)                                  \
    X(AIR_EVENT_ROLLED_BACK, 10, "rolled-back", AIR_ALARM)                                         \
    X(AIR_EVENT_ATTEMPT_FAILED, 11, "attempt-failed", AIR_WARNING)                                 \
    X(AIR_EVENT_EXPIRES_SOON, 12, "expires-soon", AIR_ALARM)                                       \
    X(AIR_EVENT_EXPIRED, 13, "expired", AIR_ALARM)                                                 \
    X(AIR_EVENT_STORAGE_FAILED, 14, "storage-failed", AIR_ALARM)                                   \
    X(AIR_EVENT_RECORD_SET_ASIDE, 15, "record-set-aside", AIR_WARNING)                             \
    X(AIR_EVENT_CLOCK_STEPPED, 16, "clock-stepped", AIR_WARNING)                                   \
    X(AIR_EVENT_VALID, 17, "valid", AIR_INFO)                                                      \
    X(AIR_EVENT_BUG, 18, "bug", AIR_ALARM)

#define AIR_EVENT_MEMBER(name, number, text, level) name = number,
enum air_event_kind { AIR_EVENTS(AIR_EVENT_MEMBER) };
#undef AIR_EVENT_MEMBER

AIR_API const char *air_event_text(enum air_event_kind kind);
AIR_API enum air_level air_event_level(enum air_event_kind kind);

/* Something an operator or a hook wants to know. text comes in part from the CA: control bytes are
 * already escaped. */
struct air_event_action {
    enum air_event_kind event;
    air_span certificate; /* id, or empty */
    enum air_key_type key_type;
    uint32_t generation;      /* 0: none */
    air_span authority;       /* directory URL, or empty */
    air_span text;            /* one sentence, at most 512 bytes */
    air_time_ms not_after_ms; /* of the certificate served, wall; 0: none */
    air_time_ms next_ms;      /* the next renewal or try, wall; 0: none */
};

/* The action that is no longer wanted. */
struct air_cancel_action {
    uint64_t cancelled_id;
};

struct air_action {
    uint64_t id; /* unique within the engine's life, never 0 */
    enum air_action_kind kind;
    union {
        struct air_http_action http;
        struct air_read_action read;
        struct air_write_action write;
        struct air_list_action list;
        struct air_lock_action lock; /* lock and unlock */
        struct air_generate_key_action generate_key;
        struct air_sign_action sign;
        struct air_publish_action publish; /* publish and withdraw */
        struct air_prove_action prove;
        struct air_install_action install;
        struct air_event_action event;
        struct air_cancel_action cancel;
    };
};

/* How an action went. The member of the action's kind counts, and only when error is AIR_OK. Zero
 * what is unused. */
struct air_result {
    enum air_error error;
    air_span explanation; /* on failure: a sentence for the operator, at most 512 bytes, or empty */
    union {
        struct air_http_result http;
        struct air_read_result read;
        struct air_list_result list;
        struct air_lock_result lock;
        struct air_generate_key_result generate_key;
        struct air_sign_result sign;
    };
};

/*
 * The wire encoding, version 1: big-endian numbers, byte strings preceded by 32-bit lengths,
 * members in the order of the structs. A reader refuses other versions, unknown kinds, counts over
 * their limits and bytes left over.
 */
#define AIR_WIRE_VERSION 1
#define AIR_WIRE_SIZE_MAX 4194304

/* Append the encoding of an action. Returns AIR_OK or the buffer's error. */
AIR_API AIR_MUST_CHECK enum air_error air_action_encode(
    const struct air_action *action, struct air_buffer *out);

/* Read one back. out: yours, air_action_free(). AIR_ERR_MALFORMED, AIR_ERR_UNSUPPORTED (version),
 * AIR_ERR_NO_MEMORY. */
AIR_API AIR_MUST_CHECK enum air_error air_action_decode(air_span wire, struct air_action **out);

/* A copy in one block of memory, spans and all. out: yours, air_action_free(). */
AIR_API AIR_MUST_CHECK enum air_error air_action_copy(
    const struct air_action *action, struct air_action **out);

/* Wipe and free what decode or copy made. */
AIR_API void air_action_free(struct air_action *action);

/* The same for results; the id and kind of the action travel with it. */
AIR_API AIR_MUST_CHECK enum air_error air_result_encode(uint64_t id, enum air_action_kind kind,
    const struct air_result *result, struct air_buffer *out);
AIR_API AIR_MUST_CHECK enum air_error air_result_decode(
    air_span wire, uint64_t *id, enum air_action_kind *kind, struct air_result **out);
AIR_API void air_result_free(struct air_result *result);

/* What carrying out a storage action leaves: the result, and what its spans point to. */
struct air_carried {
    struct air_result result;
    struct air_buffer values; /* of records, or the names of segments; may hold private keys */
    struct air_record records[AIR_STORAGE_PUTS_MAX];
    air_span *segments;
    size_t segments_capacity;
    char explanation[512];
};

/*
 * Carry out a read, write, list, lock or unlock action with a storage, on this thread.
 *
 * carried  Filled anew; wipe and free it with air_carried_deinit() once its result was told. Other
 *          kinds of action get AIR_ERR_UNSUPPORTED as their result.
 */
AIR_API void air_storage_carry_out(
    struct air_storage *storage, const struct air_action *action, struct air_carried *carried);
AIR_API void air_carried_deinit(struct air_carried *carried);

#ifdef __cplusplus
}
#endif

#endif
