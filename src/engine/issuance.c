/* SPDX-License-Identifier: MIT */
/*
 * The step table of an issuance, and its beginning and end. The same steps serve reading at start,
 * a first order, a renewal and an order taken up after a crash: READ and DECIDE find out where it
 * stands. Invariant: nothing is ordered without the lineage's lock and without the record that lets
 * it be taken up.
 */

#include "src/engine/issuance.h"

#include "src/acme/response.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define TO(step) AIR_STEP_BIT(AIR_STEP_##step)

/* Every step may fail; while an order is open the CA is asked why. */
#define FAILS TO(FAIL)
#define LOSES (TO(FAIL) | TO(DIAGNOSE))

static const struct air_step steps[AIR_STEPS_COUNT] = {
    [AIR_STEP_READ] = {"read", air_load_request_read, air_load_accept_read, NULL,
        TO(LIST) | TO(READ_GENERATION) | FAILS},
    [AIR_STEP_LIST] = {"list", air_load_request_list, air_load_accept_list, NULL,
        TO(READ_GENERATION) | TO(DECIDE) | FAILS},
    [AIR_STEP_READ_GENERATION] = {"read-generation", air_load_request_generation,
        air_load_accept_generation, NULL,
        TO(LIST) | TO(READ_GENERATION) | TO(INSTALL_STORED) | TO(DECIDE) | FAILS},
    [AIR_STEP_INSTALL_STORED] = {"install-stored", air_commit_request_install,
        air_commit_accept_install, NULL,
        TO(INSTALL_STORED) | TO(LIST) | TO(READ_GENERATION) | TO(DECIDE) | FAILS},
    [AIR_STEP_DECIDE] = {"decide", air_prepare_request_decide, NULL, NULL,
        TO(LOCK) | TO(AUTHORITY) | TO(COMMIT) | TO(SETTLE) | TO(UNLOCK)},
    [AIR_STEP_LOCK] = {"lock", air_prepare_request_lock, air_prepare_accept_lock, NULL,
        TO(READ) | FAILS},
    [AIR_STEP_AUTHORITY] = {"authority", air_prepare_request_authority, NULL, NULL,
        TO(READ_KEY) | TO(KEY) | FAILS},
    [AIR_STEP_READ_KEY] = {"read-key", air_prepare_request_read_key, air_prepare_accept_read_key,
        NULL, TO(KEY) | TO(INTENT) | TO(ORDER) | FAILS},
    [AIR_STEP_KEY] = {"key", air_prepare_request_key, air_prepare_accept_key, NULL,
        TO(INTENT) | FAILS},
    [AIR_STEP_INTENT] = {"intent", air_prepare_request_intent, air_prepare_accept_intent, NULL,
        TO(NEW_ORDER) | FAILS},
    [AIR_STEP_NEW_ORDER] = {"new-order", air_order_request_new, NULL, air_order_answer_new,
        TO(STORE_ORDER) | FAILS},
    [AIR_STEP_STORE_ORDER] = {"store-order", air_order_request_store, air_order_accept_store, NULL,
        TO(AUTHORIZATION) | TO(ORDER) | TO(FINALIZE) | LOSES},
    [AIR_STEP_AUTHORIZATION] = {"authorization", air_order_request_authorization, NULL,
        air_order_answer_authorization, TO(AUTHORIZATION) | TO(PUBLISH) | TO(ORDER) | LOSES},
    [AIR_STEP_PUBLISH] = {"publish", air_order_request_publish, air_order_accept_publish, NULL,
        TO(CHALLENGE) | TO(AUTHORIZATION) | TO(ORDER) | LOSES},
    [AIR_STEP_CHALLENGE] = {"challenge", air_order_request_challenge, NULL,
        air_order_answer_challenge, TO(AUTHORIZATION) | TO(ORDER) | LOSES},
    [AIR_STEP_ORDER] = {"order", air_order_request_order, NULL, air_order_answer_order,
        TO(AUTHORIZATION) | TO(FINALIZE) | TO(CERTIFICATE) | LOSES},
    [AIR_STEP_FINALIZE] = {"finalize", air_order_request_finalize, NULL, air_order_answer_finalize,
        TO(ORDER) | TO(CERTIFICATE) | LOSES},
    [AIR_STEP_CERTIFICATE] = {"certificate", air_commit_request_certificate, NULL,
        air_commit_answer_certificate, TO(PROVE) | FAILS},
    [AIR_STEP_PROVE] = {"prove", air_commit_request_prove, air_commit_accept_prove, NULL,
        TO(COMMIT) | FAILS},
    [AIR_STEP_COMMIT] = {"commit", air_commit_request_commit, air_commit_accept_commit, NULL,
        TO(INSTALL) | FAILS},
    [AIR_STEP_INSTALL] = {"install", air_commit_request_install, air_commit_accept_install, NULL,
        TO(INSTALL) | TO(SETTLE) | TO(ROLL_BACK) | FAILS},
    [AIR_STEP_ROLL_BACK] = {"roll-back", air_commit_request_roll_back, air_commit_accept_roll_back,
        NULL, FAILS},
    [AIR_STEP_SETTLE] = {"settle", air_commit_request_settle, air_commit_accept_settle, NULL,
        TO(WITHDRAW) | FAILS},
    [AIR_STEP_DIAGNOSE] = {"diagnose", air_fail_request_diagnose, NULL, air_fail_answer_diagnose,
        TO(DIAGNOSE) | TO(DEACTIVATE) | TO(FAIL)},
    [AIR_STEP_DEACTIVATE] = {"deactivate", air_fail_request_deactivate, NULL,
        air_fail_answer_deactivate, TO(DIAGNOSE) | TO(FAIL)},
    [AIR_STEP_FAIL] = {"fail", air_fail_request_record, air_fail_accept_record, NULL, TO(WITHDRAW)},
    [AIR_STEP_WITHDRAW] = {"withdraw", air_fail_request_withdraw, air_fail_accept_withdraw, NULL,
        TO(WITHDRAW) | TO(UNLOCK)},
    [AIR_STEP_UNLOCK] = {"unlock", air_fail_request_unlock, air_fail_accept_unlock, NULL, 0},
};

/* Repetitions of one request inside an attempt when the network or the CA fails. */
#define TRIES_MAX 4

struct air_issuance *air_issuance_of(struct air_job *job) {
    return (struct air_issuance *)job;
}

struct air_authority *air_issuance_authority(const struct air_issuance *issuance) {
    return issuance->lineage->certificate->authority;
}

static struct air_session *session_of(struct air_job *job) {
    return &air_issuance_authority(air_issuance_of(job))->session;
}

static void entered(struct air_job *job) {
    if (job->engine->report_steps) {
        air_engine_report_lineage(job->engine, AIR_EVENT_STEP, air_issuance_of(job)->lineage,
            air_span_text(air_job_step_text(job)));
    }
}

/* Whether the work under way is only a courtesy: its failure is not the attempt's. */
static bool is_courtesy(const struct air_job *job) {
    return job->step == AIR_STEP_DIAGNOSE || job->step == AIR_STEP_DEACTIVATE;
}

static enum air_error failed(struct air_job *job, enum air_error error, air_span reason) {
    struct air_issuance *issuance = air_issuance_of(job);
    const bool is_retry = air_error_class(error) == AIR_CLASS_RETRY;
    if (is_courtesy(job)) {
        air_job_enter(job, AIR_STEP_FAIL);
        return AIR_OK;
    }
    if (job->step == AIR_STEP_FAIL || job->step == AIR_STEP_WITHDRAW ||
        job->step == AIR_STEP_UNLOCK) {
        job->is_over = true; /* nothing left but to stop: kernel locks end with the process */
        return AIR_OK;
    }
    if (job->step == AIR_STEP_FINALIZE && job->exchange.was_sent &&
        air_order_look_again(issuance, -1)) {
        return AIR_OK; /* its effect is unknown: the order tells */
    }
    if (is_retry && job->tries + 1 < TRIES_MAX && job->exchange.phase != AIR_EXCHANGE_IDLE) {
        air_job_repeat(job, air_schedule_poll(1000, job->tries + 1, 8000));
        return AIR_OK;
    }
    air_issuance_fail(issuance, is_retry ? AIR_FAILURE_TRANSIENT : AIR_FAILURE_ORDER, is_retry,
        air_job_step_text(job), air_span_text(": "));
    air_buffer_append_span(&issuance->failure_text, reason);
    return AIR_OK;
}

const struct air_job_type air_issuance_job = {
    .steps = steps,
    .steps_count = AIR_STEPS_COUNT,
    .session = session_of,
    .failed = failed,
    .entered = entered,
};

enum air_error air_issuance_new(
    struct air_engine *engine, struct air_lineage *lineage, struct air_issuance **out) {
    struct air_issuance *issuance = air_memory_new(sizeof *issuance);
    if (issuance == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    issuance->job.type = &air_issuance_job;
    issuance->job.engine = engine;
    issuance->job.step = lineage->needs_load ? AIR_STEP_READ : AIR_STEP_LOCK;
    issuance->is_attempt = !lineage->needs_load;
    issuance->lineage = lineage;
    issuance->retry_after_ms = -1;
    air_buffer_init(&issuance->chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&issuance->chain_key, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&issuance->key_pem, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&issuance->new_chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&issuance->failure_text, 1024);
    *out = issuance;
    return AIR_OK;
}

/* Give back what the world holds for us, without waiting: best effort. */
static void give_back(struct air_issuance *issuance) {
    struct air_engine *engine = issuance->job.engine;
    for (size_t i = 0; i < issuance->published_count; i++) {
        const struct air_published *published = &issuance->published[i];
        struct air_action action = {.kind = AIR_ACTION_WITHDRAW};
        action.publish.type = published->type;
        action.publish.name = air_span_of(published->name, published->name_size);
        action.publish.token = air_span_of(published->token, published->token_size);
        (void)air_desk_post(&engine->desk, NULL, &action, INT64_MAX, NULL);
    }
    if (issuance->has_lock) {
        struct air_buffer path;
        air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
        if (air_path_lineage(issuance->lineage, NULL, &path) == AIR_OK) {
            struct air_action action = {.kind = AIR_ACTION_UNLOCK};
            action.lock.path = air_buffer_span(&path);
            (void)air_desk_post(&engine->desk, NULL, &action, INT64_MAX, NULL);
        }
        air_buffer_deinit(&path);
    }
}

void air_issuance_free(struct air_issuance *issuance) {
    if (issuance == NULL) {
        return;
    }
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    air_job_deinit(&issuance->job);
    give_back(issuance);
    crypto->key_free(crypto->self, issuance->key);
    air_buffer_deinit(&issuance->chain);
    air_buffer_deinit(&issuance->chain_key);
    air_buffer_deinit(&issuance->key_pem);
    air_buffer_deinit(&issuance->new_chain);
    air_buffer_deinit(&issuance->failure_text);
    air_order_record_deinit(&issuance->record);
    air_order_deinit(&issuance->order);
    air_memory_free(
        issuance->published, issuance->published_capacity * sizeof *issuance->published);
    air_memory_free(issuance, sizeof *issuance);
}

bool air_issuance_has_place(const struct air_engine *engine) {
    size_t count = 0;
    for (const struct air_issuance *at = engine->issuances; at != NULL; at = at->next) {
        count += at->is_attempt ? 1 : 0;
    }
    return count < engine->issuances_max;
}

bool air_issuance_is_held_up(const struct air_lineage *lineage) {
    const struct air_certificate *certificate = lineage->certificate;
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        const struct air_lineage *sibling = &certificate->lineages[i];
        const struct air_issuance *other = sibling->issuance;
        if (sibling == lineage || other == NULL || other->job.is_over) {
            continue;
        }
        const bool is_loading = other->job.step < AIR_STEP_LOCK;
        if (other->has_lock || (other->job.step == AIR_STEP_LOCK && other->job.open_id != 0) ||
            (is_loading && sibling < lineage)) {
            return true;
        }
    }
    return false;
}

void air_issuance_authority_changed(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    const struct air_authority *authority = air_issuance_authority(issuance);
    if (job->step != AIR_STEP_AUTHORITY || job->wake_boot_ms != INT64_MAX) {
        return;
    }
    if (authority->state == AIR_AUTHORITY_FAILED) {
        issuance->retry_after_ms = authority->retry_after_ms;
        issuance->was_authority = true;
        air_issuance_fail(
            issuance, authority->failure, true, "", air_buffer_span(&authority->failure_text));
    } else {
        job->wake_boot_ms = 0;
    }
}

void air_issuance_fail(struct air_issuance *issuance, enum air_failure failure, bool keeps_order,
    const char *what, air_span why) {
    struct air_job *job = &issuance->job;
    issuance->has_failed = true;
    issuance->failure = failure;
    issuance->keeps_order = keeps_order;
    air_buffer_clear(&issuance->failure_text);
    air_buffer_append_text(&issuance->failure_text, what);
    air_buffer_append_span(&issuance->failure_text, why);
    const bool has_authorizations = issuance->order.authorizations_count > 0;
    if (!keeps_order && has_authorizations && job->step >= AIR_STEP_STORE_ORDER &&
        job->step <= AIR_STEP_FINALIZE) {
        issuance->authorization_index = 0;
        air_job_enter(job, AIR_STEP_DIAGNOSE);
    } else {
        air_job_enter(job, AIR_STEP_FAIL);
    }
}

enum air_error air_issuance_fail_storage(
    struct air_issuance *issuance, const char *what, const struct air_result *result) {
    air_issuance_fail(issuance, AIR_FAILURE_TRANSIENT, true, what,
        result->explanation.size > 0 ? result->explanation
                                     : air_span_text(air_error_text(result->error)));
    air_engine_report_lineage(issuance->job.engine, AIR_EVENT_STORAGE_FAILED, issuance->lineage,
        air_buffer_span(&issuance->failure_text));
    return AIR_OK;
}

/* What follows from a refusal of this kind. */
static void judge(struct air_issuance *issuance, const struct air_problem *problem, uint32_t status,
    air_span text) {
    struct air_job *job = &issuance->job;
    issuance->retry_after_ms = problem->retry_after_ms;
    switch (problem->remedy) {
    case AIR_REMEDY_REPEAT:
        air_issuance_fail(
            issuance, AIR_FAILURE_TRANSIENT, true, "the CA rejects every nonce: ", text);
        return;
    case AIR_REMEDY_WAIT:
        if (problem->retry_after_ms <= AIR_MINUTE_MS && job->tries + 1 < TRIES_MAX &&
            problem->type != AIR_PROBLEM_RATE_LIMITED) {
            const air_time_ms pause_ms = air_schedule_poll(1000, job->tries + 1, 8000);
            air_job_repeat(
                job, problem->retry_after_ms > pause_ms ? problem->retry_after_ms : pause_ms);
        } else {
            air_issuance_fail(issuance, AIR_FAILURE_TRANSIENT, true, "", text);
        }
        return;
    case AIR_REMEDY_REPAIR:
        if (problem->type == AIR_PROBLEM_ACCOUNT_DOES_NOT_EXIST) {
            air_authority_forget_account(air_issuance_authority(issuance));
        }
        air_issuance_fail(issuance, AIR_FAILURE_TRANSIENT, false, "", text);
        return;
    case AIR_REMEDY_NEW_ORDER:
        air_issuance_fail(issuance, AIR_FAILURE_ORDER, false, "", text);
        return;
    case AIR_REMEDY_GIVE_UP:
        air_authority_forget_directory(air_issuance_authority(issuance));
        /* 404 on an order's URL is not the configuration's fault: the CA has lost it. */
        air_issuance_fail(
            issuance, status == 404 ? AIR_FAILURE_ORDER : AIR_FAILURE_PERMANENT, false, "", text);
        return;
    }
}

enum air_error air_issuance_refused(
    struct air_issuance *issuance, const struct air_http_result *response) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    struct air_problem problem = {0};
    const enum air_error error =
        air_problem_read(response, issuance->job.engine->now.wall_ms, &problem, &text);
    if (error == AIR_OK && is_courtesy(&issuance->job)) {
        air_job_enter(&issuance->job, AIR_STEP_FAIL);
    } else if (error == AIR_OK) {
        judge(issuance, &problem, response->status, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
    return error;
}
