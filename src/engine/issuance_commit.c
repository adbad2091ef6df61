/* SPDX-License-Identifier: MIT */
/*
 * From the CA's certificate to a generation that is served: download, judge, prove in memory,
 * commit, install, and settle; or roll back when no target could serve it. Invariant: the pointer
 * moves only to a generation that was accepted and proven, whose files are durable; the generation
 * served before is never modified (R-E3, R-A14, R-F1).
 */

#include <string.h>

#include "src/base/memory.h"
#include "src/base/pem.h"
#include "src/base/span.h"
#include "src/engine/issuance.h"

/* How soon live/ is tried again when it could not be written. */
#define SETTLE_PAUSE_MS AIR_MINUTE_MS

enum air_error air_commit_request_certificate(struct air_job *job) {
    return air_job_exchange(job, AIR_EXCHANGE_KID, air_issuance_of(job)->order.certificate,
        air_span_text(NULL), AIR_CHAIN_SIZE_MAX);
}

static air_span served_chain(const struct air_issuance *issuance) {
    return issuance->lineage->generation > 0 ? air_buffer_span(&issuance->chain)
                                             : air_span_text(NULL);
}

/* Accept nothing unverified. On refusal the order is lost: the same order would bring the same
 * certificate. */
static enum air_error judge(
    struct air_issuance *issuance, air_span chain, struct air_buffer *reason) {
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    air_span names[AIR_NAMES_MAX];
    const struct air_certificate_wish wish = {
        .key = issuance->key,
        .names = names,
        .names_count = air_certificate_names(issuance->lineage->certificate, names),
        .now_wall_ms = issuance->job.engine->now.wall_ms,
        .previous_chain = served_chain(issuance),
    };
    enum air_error error = crypto->certificate_check(crypto->self, chain, &wish, reason);
    if (error == AIR_OK) {
        error = crypto->certificate_read(crypto->self, chain, &issuance->manifest.info);
    }
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, chain, issuance->manifest.chain_sha256);
    }
    return error;
}

enum air_error air_commit_answer_certificate(
    struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (response->status / 100 != 2) {
        return air_issuance_refused(issuance, response);
    }
    struct air_buffer reason;
    air_buffer_init(&reason, 2 * AIR_REASON_SIZE_MAX);
    enum air_error error = judge(issuance, response->body, &reason);
    if (error == AIR_OK) {
        air_buffer_clear(&issuance->new_chain);
        error = air_buffer_append_span(&issuance->new_chain, response->body);
    }
    if (error == AIR_OK) {
        issuance->manifest.generation = issuance->record.generation;
        air_job_enter(job, AIR_STEP_PROVE);
    } else if (air_error_class(error) != AIR_CLASS_RETRY) {
        air_issuance_fail(issuance, AIR_FAILURE_ORDER, false, "the CA's certificate is refused: ",
            reason.size > 0 ? air_buffer_span(&reason) : air_span_text(air_error_text(error)));
        error = AIR_OK;
    }
    air_buffer_deinit(&reason);
    return error;
}

enum air_error air_commit_request_prove(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    air_span names[AIR_NAMES_MAX];
    struct air_action action = {.kind = AIR_ACTION_PROVE};
    action.prove.key_type = (enum air_key_type)issuance->lineage->key_type;
    action.prove.names = names;
    action.prove.names_count = air_certificate_names(issuance->lineage->certificate, names);
    action.prove.chain = air_buffer_span(&issuance->new_chain);
    action.prove.key = air_buffer_span(&issuance->key_pem);
    return air_job_post(job, &action, AIR_INSTALL_LIMIT_MS);
}

enum air_error air_commit_accept_prove(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    /* A host without TLS of its own cannot prove: it says so, and the targets' own check stands
     * alone. */
    if (result->error == AIR_OK || result->error == AIR_ERR_UNSUPPORTED) {
        air_job_enter(job, AIR_STEP_COMMIT);
        return AIR_OK;
    }
    const bool is_retry = air_error_class(result->error) == AIR_CLASS_RETRY;
    air_issuance_fail(issuance, is_retry ? AIR_FAILURE_TRANSIENT : AIR_FAILURE_ORDER, is_retry,
        "the new certificate could not be proven: ",
        result->explanation.size > 0 ? result->explanation
                                     : air_span_text(air_error_text(result->error)));
    return AIR_OK;
}

enum air_error air_commit_request_commit(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_lineage *lineage = issuance->lineage;
    const uint32_t generation = issuance->record.generation;
    struct air_puts puts;
    air_puts_init(&puts);
    air_path_generation(lineage, generation, "fullchain.pem", &puts.texts);
    air_puts_path(&puts);
    air_buffer_append_span(&puts.texts, air_buffer_span(&issuance->new_chain));
    air_puts_end(&puts, false);
    air_path_generation(lineage, generation, "manifest.json", &puts.texts);
    air_puts_path(&puts);
    air_manifest_write(
        lineage, &issuance->manifest, air_buffer_span(&issuance->record.url), &puts.texts);
    air_puts_end(&puts, false);
    air_path_lineage(lineage, "current", &puts.texts);
    air_puts_path(&puts);
    air_current_write(generation, issuance->manifest.chain_sha256, &puts.texts);
    air_puts_end(&puts, false);
    /* Somebody who moved the pointer meanwhile is not overwritten. */
    const enum air_error error = air_puts_post(&puts, job, &issuance->pointer_version);
    air_puts_deinit(&puts);
    return error;
}

enum air_error air_commit_accept_commit(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error != AIR_OK) {
        return air_issuance_fail_storage(issuance, "cannot store the new certificate: ", result);
    }
    air_engine_report_lineage(
        job->engine, AIR_EVENT_ISSUED, issuance->lineage, air_buffer_span(&issuance->record.url));
    issuance->target_index = 0;
    issuance->targets_installed = 0;
    issuance->targets_failed = 0;
    air_job_enter(job, AIR_STEP_INSTALL);
    return AIR_OK;
}

/* After the last target: a stored generation is judged next, a new one settles or goes back. */
static void finish_install(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    if (job->step == AIR_STEP_INSTALL_STORED && issuance->is_damaged) {
        air_load_search_on(issuance);
    } else if (job->step == AIR_STEP_INSTALL_STORED) {
        air_job_enter(job, AIR_STEP_DECIDE);
    } else if (issuance->targets_failed > 0 && issuance->targets_installed == 0) {
        air_job_enter(job, AIR_STEP_ROLL_BACK);
    } else {
        air_job_enter(job, AIR_STEP_SETTLE);
    }
}

enum air_error air_commit_request_install(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_engine *engine = job->engine;
    const bool is_stored = job->step == AIR_STEP_INSTALL_STORED;
    if (issuance->target_index >= engine->targets_count) {
        finish_install(issuance);
        return AIR_OK;
    }
    const struct air_target *target = &engine->targets[issuance->target_index];
    air_span names[AIR_NAMES_MAX];
    struct air_action action = {.kind = AIR_ACTION_INSTALL};
    action.install.target = air_span_of(target->name, target->name_size);
    action.install.certificate = air_certificate_id(issuance->lineage->certificate);
    action.install.key_type = (enum air_key_type)issuance->lineage->key_type;
    action.install.generation = issuance->manifest.generation;
    action.install.names = names;
    action.install.names_count = air_certificate_names(issuance->lineage->certificate, names);
    action.install.chain = air_buffer_span(is_stored ? &issuance->chain : &issuance->new_chain);
    action.install.key = air_buffer_span(is_stored ? &issuance->chain_key : &issuance->key_pem);
    return air_job_post(job, &action, AIR_INSTALL_LIMIT_MS);
}

/* Refused for what was stored, not for what the target is. */
static bool is_about_the_pair(enum air_error error) {
    return error == AIR_ERR_BAD_CERTIFICATE || error == AIR_ERR_MALFORMED ||
           error == AIR_ERR_BAD_KEY;
}

enum air_error air_commit_accept_install(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error == AIR_OK) {
        issuance->targets_installed++;
    } else {
        issuance->targets_failed++;
        issuance->is_damaged = issuance->is_damaged || is_about_the_pair(result->error);
        air_engine_report_lineage(job->engine, AIR_EVENT_INSTALL_FAILED, issuance->lineage,
            result->explanation.size > 0 ? result->explanation
                                         : air_span_text(air_error_text(result->error)));
        air_buffer_clear(&issuance->failure_text);
        air_buffer_append_span(&issuance->failure_text, result->explanation);
    }
    issuance->target_index++;
    return AIR_OK; /* the same step asks for the next target, or ends */
}

/* `current` names again what is served; the generation that no target could serve goes: its key
 * with the record of the failure. */
enum air_error air_commit_request_roll_back(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_lineage *lineage = issuance->lineage;
    struct air_puts puts;
    air_puts_init(&puts);
    air_path_lineage(lineage, "current", &puts.texts);
    air_puts_path(&puts);
    if (issuance->has_pointer) {
        air_current_write(issuance->pointer, issuance->pointer_sha256, &puts.texts);
    }
    air_puts_end(&puts, !issuance->has_pointer);
    air_path_generation(lineage, issuance->record.generation, "fullchain.pem", &puts.texts);
    air_puts_path(&puts);
    air_puts_end(&puts, true);
    air_path_generation(lineage, issuance->record.generation, "manifest.json", &puts.texts);
    air_puts_path(&puts);
    air_puts_end(&puts, true);
    const enum air_error error = air_puts_post(&puts, job, NULL);
    air_puts_deinit(&puts);
    return error;
}

enum air_error air_commit_accept_roll_back(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    struct air_buffer why;
    air_buffer_init(&why, AIR_PROBLEM_TEXT_SIZE_MAX + 64);
    air_buffer_append_span(&why, air_buffer_span(&issuance->failure_text));
    air_engine_report_lineage(
        job->engine, AIR_EVENT_ROLLED_BACK, issuance->lineage, air_buffer_span(&why));
    if (result->error != AIR_OK) {
        issuance->lineage->needs_load = true;
    }
    air_issuance_fail(issuance, AIR_FAILURE_ORDER, false,
        "no target could serve the new certificate: ", air_buffer_span(&why));
    air_buffer_deinit(&why);
    return AIR_OK;
}

/* Everything that other programs read, in one place (STATE: live/). */
static void put_live(struct air_issuance *issuance, struct air_puts *puts) {
    const struct air_lineage *lineage = issuance->lineage;
    air_path_live(lineage, "privkey.pem", &puts->texts);
    air_puts_path(puts);
    air_buffer_append_span(&puts->texts, air_buffer_span(&issuance->key_pem));
    air_puts_end(puts, false);
    air_path_live(lineage, "fullchain.pem", &puts->texts);
    air_puts_path(puts);
    air_buffer_append_span(&puts->texts, air_buffer_span(&issuance->new_chain));
    air_puts_end(puts, false);
    air_path_live(lineage, "bundle.pem", &puts->texts);
    air_puts_path(puts);
    air_buffer_append_span(&puts->texts, air_buffer_span(&issuance->new_chain));
    air_buffer_append_span(&puts->texts, air_buffer_span(&issuance->key_pem));
    air_puts_end(puts, false);
}

/* One old generation may go: chain before key, so that a key never lacks for a chain that is there.
 * */
static void put_expired(
    struct air_issuance *issuance, struct air_history *history, struct air_puts *puts) {
    static const char *const files[] = {"fullchain.pem", "manifest.json", "key.pem"};
    const uint32_t old = air_history_expire(history, issuance->job.engine->now.wall_ms);
    for (size_t i = 0; old != 0 && old != issuance->record.generation && i < 3; i++) {
        air_path_generation(issuance->lineage, old, files[i], &puts->texts);
        air_puts_path(puts);
        air_puts_end(puts, true);
    }
}

static air_time_ms renewal_time(const struct air_issuance *issuance) {
    const struct air_lineage *lineage = issuance->lineage;
    const struct air_certificate_info *info = &issuance->manifest.info;
    const uint64_t spread = air_schedule_spread(
        air_certificate_id(lineage->certificate), (enum air_key_type)lineage->key_type);
    return air_schedule_renewal(
        info->not_before_ms, info->not_after_ms, lineage->certificate->renew_before_ms, spread);
}

enum air_error air_commit_request_settle(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_lineage *lineage = issuance->lineage;
    struct air_history history = issuance->history;
    history.failures_count = 0;
    history.next_ms = renewal_time(issuance); /* for people: the certificate itself decides */
    history.last_error_size = 0;
    air_history_seal(&history, issuance->record.generation, job->engine->now.wall_ms);
    struct air_puts puts;
    air_puts_init(&puts);
    put_live(issuance, &puts);
    put_expired(issuance, &history, &puts);
    air_path_lineage(lineage, "history.json", &puts.texts);
    air_puts_path(&puts);
    air_history_write(&history, &puts.texts);
    air_puts_end(&puts, false);
    air_path_lineage(lineage, "order.json", &puts.texts);
    air_puts_path(&puts);
    air_puts_end(&puts, true);
    const enum air_error error = air_puts_post(&puts, job, NULL);
    air_puts_deinit(&puts);
    return error;
}

/* The new generation is what the lineage serves now. */
static void adopt(struct air_issuance *issuance) {
    struct air_lineage *lineage = issuance->lineage;
    const struct air_certificate_info *info = &issuance->manifest.info;
    lineage->generation = issuance->record.generation;
    lineage->not_before_ms = info->not_before_ms;
    lineage->not_after_ms = info->not_after_ms;
    lineage->serial_size =
        (uint8_t)(info->serial_size <= sizeof lineage->serial ? info->serial_size : 0);
    memcpy(lineage->serial, info->serial, lineage->serial_size);
    lineage->is_current = true;
    lineage->is_forced = false;
    lineage->is_retried = false;
    lineage->is_alarmed = false;
    lineage->is_expired_told = false;
    lineage->failures_count = 0;
    air_lineage_set_error(lineage, air_span_text(NULL));
    lineage->next_ms = renewal_time(issuance);
}

enum air_error air_commit_accept_settle(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    adopt(issuance);
    if (result->error != AIR_OK) {
        /* Served and committed all the same: only what is for other programs, and the clean-up, are
         * missing. They are tried again. */
        issuance->lineage->next_ms = job->engine->now.wall_ms + SETTLE_PAUSE_MS;
        air_engine_report_lineage(job->engine, AIR_EVENT_STORAGE_FAILED, issuance->lineage,
            result->explanation.size > 0 ? result->explanation
                                         : air_span_text(air_error_text(result->error)));
    }
    issuance->is_settled = true;
    air_job_enter(job, AIR_STEP_WITHDRAW);
    return AIR_OK;
}
