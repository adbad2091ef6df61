/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_ISSUANCE_H
#define AIR_ENGINE_ISSUANCE_H

/*
 * What is done for one lineage, from reading its records to serving a new generation: one step
 * table (issuance.c), whose rows are in issuance_load.c, issuance_prepare.c, issuance_order.c,
 * issuance_commit.c and issuance_fail.c.
 */

#include "src/acme/authorization.h"
#include "src/engine/authority.h"
#include "src/engine/journal.h"

/* The steps, in the order of a fresh issuance; names in issuance.c. */
enum air_issuance_step {
    AIR_STEP_READ,
    AIR_STEP_LIST,
    AIR_STEP_READ_GENERATION,
    AIR_STEP_INSTALL_STORED,
    AIR_STEP_DECIDE,
    AIR_STEP_LOCK,
    AIR_STEP_AUTHORITY,
    AIR_STEP_READ_KEY,
    AIR_STEP_KEY,
    AIR_STEP_INTENT,
    AIR_STEP_NEW_ORDER,
    AIR_STEP_STORE_ORDER,
    AIR_STEP_AUTHORIZATION,
    AIR_STEP_PUBLISH,
    AIR_STEP_CHALLENGE,
    AIR_STEP_ORDER,
    AIR_STEP_FINALIZE,
    AIR_STEP_CERTIFICATE,
    AIR_STEP_PROVE,
    AIR_STEP_COMMIT,
    AIR_STEP_INSTALL,
    AIR_STEP_ROLL_BACK,
    AIR_STEP_SETTLE,
    AIR_STEP_DIAGNOSE,
    AIR_STEP_DEACTIVATE,
    AIR_STEP_FAIL,
    AIR_STEP_WITHDRAW,
    AIR_STEP_UNLOCK,
    AIR_STEPS_COUNT
};

/* At most so many stored generations are looked at when the pointer is lost. */
#define AIR_SEARCH_MAX 32

/* Time limits of actions, and of an order's phases. */
#define AIR_STORAGE_LIMIT_MS 60000
#define AIR_KEY_LIMIT_MS 120000
#define AIR_PUBLISH_LIMIT_MS 30000
#define AIR_INSTALL_LIMIT_MS 30000
#define AIR_VALIDATION_LIMIT_MS (10 * AIR_MINUTE_MS)
#define AIR_PROCESSING_LIMIT_MS (8 * AIR_HOUR_MS)

/* An answer that was made visible and must be withdrawn. */
struct air_published {
    enum air_challenge_type type;
    char name[AIR_NAME_SIZE_MAX];
    size_t name_size;
    char token[AIR_TOKEN_SIZE_MAX];
    size_t token_size;
};

struct air_issuance {
    struct air_job job; /* first: a job is cast to its issuance */
    struct air_issuance *next;
    struct air_lineage *lineage;
    bool is_attempt; /* it takes one of the places for orders; reading alone does not */
    bool has_lock;
    bool wants_install; /* targets are to get what is stored, even if nothing changed */

    /* What is stored. */
    struct air_history history;
    bool has_pointer;
    uint32_t pointer;         /* the generation that `current` names; 0: none */
    uint64_t pointer_version; /* 0: there is no such record */
    uint8_t pointer_sha256[AIR_SHA256_SIZE];
    uint32_t search[AIR_SEARCH_MAX]; /* generations found, the newest first */
    size_t search_count;
    size_t search_index;
    bool is_searching;
    uint32_t highest;        /* generation number seen anywhere */
    struct air_buffer chain; /* of the stored generation, while it is installed */
    struct air_buffer chain_key;
    struct air_order_record record;

    /* The generation in the making. */
    uint64_t key;
    struct air_buffer key_pem;
    struct air_buffer new_chain;
    struct air_manifest manifest;

    /* The order. */
    struct air_order order;
    struct air_authorization authorization;
    size_t authorization_index;
    bool has_answered; /* a challenge of this order was answered in this run */
    struct air_published *published;
    size_t published_count;
    size_t published_capacity;
    air_time_ms phase_boot_ms; /* when validation or processing began */
    air_time_ms answered_boot_ms;
    unsigned not_ready_count; /* orderNotReady answers to finalize */

    size_t target_index;
    size_t targets_installed;
    size_t targets_failed;
    bool is_damaged; /* a target found that the stored chain and key do not fit */

    /* How it failed. */
    bool has_failed;
    bool is_settled;    /* or it has not: the new generation is what the lineage serves */
    bool keeps_order;   /* the order goes on with the next attempt */
    bool was_authority; /* the CA or the account, before anything was ordered */
    enum air_failure failure;
    air_time_ms retry_after_ms;
    struct air_buffer failure_text;
};

extern const struct air_job_type air_issuance_job;

/* Begin for a lineage: read its records, and order if it is due. out: air_issuance_free(). */
enum air_error air_issuance_new(
    struct air_engine *engine, struct air_lineage *lineage, struct air_issuance **out);

/* Stop and free. Locks and published answers are given back, as far as actions can be posted. */
void air_issuance_free(struct air_issuance *issuance);

/* Whether there is a place for one more order. */
bool air_issuance_has_place(const struct air_engine *engine);

/* Whether another key type of the same certificate is at work, or may be about to and comes first:
 * they are ordered one after the other, as they were asked for. */
bool air_issuance_is_held_up(const struct air_lineage *lineage);

/* The authority's state changed while this issuance waits for it. */
void air_issuance_authority_changed(struct air_issuance *issuance);

/* --- shared by the issuance_*.c files --- */

struct air_issuance *air_issuance_of(struct air_job *job);
struct air_authority *air_issuance_authority(const struct air_issuance *issuance);

/* End the attempt. what and why become the sentence for the operator. keeps_order: try the same
 * order again. */
void air_issuance_fail(struct air_issuance *issuance, enum air_failure failure, bool keeps_order,
    const char *what, air_span why);

/* A storage action failed. */
enum air_error air_issuance_fail_storage(
    struct air_issuance *issuance, const char *what, const struct air_result *result);

/* The CA refused a request: wait, or fail in its own words. */
enum air_error air_issuance_refused(
    struct air_issuance *issuance, const struct air_http_result *response);

/* Rows, by file. */
enum air_error air_load_request_read(struct air_job *job);
enum air_error air_load_accept_read(struct air_job *job, const struct air_result *result);
enum air_error air_load_request_list(struct air_job *job);
enum air_error air_load_accept_list(struct air_job *job, const struct air_result *result);
enum air_error air_load_request_generation(struct air_job *job);

/* Whether a record's error says that it is there, absent or broken: else the storage fails. */
bool air_load_is_readable(enum air_error error);
enum air_error air_load_accept_generation(struct air_job *job, const struct air_result *result);

/* The generation at hand is damaged: look for the next older one. */
void air_load_search_on(struct air_issuance *issuance);

enum air_error air_prepare_request_decide(struct air_job *job);
enum air_error air_prepare_request_lock(struct air_job *job);
enum air_error air_prepare_accept_lock(struct air_job *job, const struct air_result *result);
enum air_error air_prepare_request_authority(struct air_job *job);
enum air_error air_prepare_request_read_key(struct air_job *job);
enum air_error air_prepare_accept_read_key(struct air_job *job, const struct air_result *result);
enum air_error air_prepare_request_key(struct air_job *job);
enum air_error air_prepare_accept_key(struct air_job *job, const struct air_result *result);
enum air_error air_prepare_request_intent(struct air_job *job);
enum air_error air_prepare_accept_intent(struct air_job *job, const struct air_result *result);

enum air_error air_order_request_new(struct air_job *job);
enum air_error air_order_answer_new(struct air_job *job, const struct air_http_result *response);
enum air_error air_order_request_store(struct air_job *job);
enum air_error air_order_accept_store(struct air_job *job, const struct air_result *result);
enum air_error air_order_request_authorization(struct air_job *job);
enum air_error air_order_answer_authorization(
    struct air_job *job, const struct air_http_result *response);
enum air_error air_order_request_publish(struct air_job *job);
enum air_error air_order_accept_publish(struct air_job *job, const struct air_result *result);
enum air_error air_order_request_challenge(struct air_job *job);
enum air_error air_order_answer_challenge(
    struct air_job *job, const struct air_http_result *response);

/* After finalize: pause and look at the order. False: it was done too often. */
bool air_order_look_again(struct air_issuance *issuance, air_time_ms retry_after_ms);

enum air_error air_order_request_order(struct air_job *job);
enum air_error air_order_answer_order(struct air_job *job, const struct air_http_result *response);
enum air_error air_order_request_finalize(struct air_job *job);
enum air_error air_order_answer_finalize(
    struct air_job *job, const struct air_http_result *response);

enum air_error air_commit_request_certificate(struct air_job *job);
enum air_error air_commit_answer_certificate(
    struct air_job *job, const struct air_http_result *response);
enum air_error air_commit_request_prove(struct air_job *job);
enum air_error air_commit_accept_prove(struct air_job *job, const struct air_result *result);
enum air_error air_commit_request_commit(struct air_job *job);
enum air_error air_commit_accept_commit(struct air_job *job, const struct air_result *result);
enum air_error air_commit_request_install(struct air_job *job); /* stored and new alike */
enum air_error air_commit_accept_install(struct air_job *job, const struct air_result *result);
enum air_error air_commit_request_roll_back(struct air_job *job);
enum air_error air_commit_accept_roll_back(struct air_job *job, const struct air_result *result);
enum air_error air_commit_request_settle(struct air_job *job);
enum air_error air_commit_accept_settle(struct air_job *job, const struct air_result *result);

enum air_error air_fail_request_diagnose(struct air_job *job);
enum air_error air_fail_answer_diagnose(
    struct air_job *job, const struct air_http_result *response);
enum air_error air_fail_request_deactivate(struct air_job *job);
enum air_error air_fail_answer_deactivate(
    struct air_job *job, const struct air_http_result *response);
enum air_error air_fail_request_record(struct air_job *job);
enum air_error air_fail_accept_record(struct air_job *job, const struct air_result *result);
enum air_error air_fail_request_withdraw(struct air_job *job);
enum air_error air_fail_accept_withdraw(struct air_job *job, const struct air_result *result);
enum air_error air_fail_request_unlock(struct air_job *job);
enum air_error air_fail_accept_unlock(struct air_job *job, const struct air_result *result);

/* Several puts to one lineage, built up and posted as one write. The first failure stays in
 * texts. */
struct air_puts {
    struct air_buffer texts;
    size_t taken_size; /* of texts: what belongs to the puts already */
    struct air_put list[AIR_STORAGE_PUTS_MAX];
    size_t count;
};

void air_puts_init(struct air_puts *puts);
void air_puts_deinit(struct air_puts *puts);

/* Append the next path or value to texts; air_puts_path ends a path, air_puts_end a value or a
 * delete. */
void air_puts_path(struct air_puts *puts);
void air_puts_end(struct air_puts *puts, bool is_delete);

/* last_version: which version the record of the last put must have; NULL: no condition. */
enum air_error air_puts_post(
    struct air_puts *puts, struct air_job *job, const uint64_t *last_version);

#endif
