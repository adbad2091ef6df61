/* SPDX-License-Identifier: MIT */
/*
 * The end of an attempt: after a failure the CA is asked why and what is left pending there is
 * given up, the failure is counted durably; after either end the answers to challenges are
 * withdrawn and the lock is released. Invariant: whatever fails here is passed over, so that an
 * attempt always ends (R-B2, R-B3).
 */

#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/issuance.h"

enum air_error air_fail_request_diagnose(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    if (issuance->authorization_index >= issuance->order.authorizations_count) {
        air_job_enter(job, AIR_STEP_FAIL);
        return AIR_OK;
    }
    return air_job_exchange(job, AIR_EXCHANGE_KID,
        issuance->order.authorizations[issuance->authorization_index], air_span_text(NULL),
        AIR_AUTHORIZATION_SIZE_MAX);
}

/* What an authorization says of its failure becomes the attempt's, unless that is known better
 * already. */
static void take_reason(struct air_issuance *issuance, air_span text) {
    if (issuance->failure_text.size > 0 || text.size == 0) {
        return;
    }
    const struct air_authorization *authorization = &issuance->authorization;
    air_buffer_append(&issuance->failure_text, authorization->name, authorization->name_size);
    air_buffer_append_text(&issuance->failure_text, ": ");
    air_buffer_append_span(&issuance->failure_text, text);
}

enum air_error air_fail_answer_diagnose(
    struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    const enum air_challenge_type wanted[] = {AIR_HTTP_01, AIR_TLS_ALPN_01};
    if (response->status / 100 != 2) {
        return air_issuance_refused(issuance, response);
    }
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    const enum air_error error = air_authorization_read(response->body,
        air_authority_directory_url(air_issuance_authority(issuance)), wanted, 2,
        &issuance->authorization, &text);
    if (error == AIR_OK) {
        take_reason(issuance, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    if (error == AIR_OK && issuance->authorization.status == AIR_AUTHORIZATION_PENDING) {
        air_job_enter(job, AIR_STEP_DEACTIVATE);
    } else {
        issuance->authorization_index++;
        air_job_enter(job, AIR_STEP_DIAGNOSE);
    }
    return AIR_OK;
}

/* Pending authorizations count against the account until they expire (R-B7). */
enum air_error air_fail_request_deactivate(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    return air_job_exchange(job, AIR_EXCHANGE_KID,
        issuance->order.authorizations[issuance->authorization_index],
        air_span_text("{\"status\":\"deactivated\"}"), AIR_AUTHORIZATION_SIZE_MAX);
}

enum air_error air_fail_answer_deactivate(
    struct air_job *job, const struct air_http_result *response) {
    (void)response; /* a courtesy: it expires by itself otherwise */
    air_issuance_of(job)->authorization_index++;
    air_job_enter(job, AIR_STEP_DIAGNOSE);
    return AIR_OK;
}

static void count_failure(struct air_issuance *issuance, struct air_history *history) {
    const struct air_lineage *lineage = issuance->lineage;
    const air_time_ms now_ms = issuance->job.engine->now.wall_ms;
    const uint64_t spread = air_schedule_spread(
        air_certificate_id(lineage->certificate), (enum air_key_type)lineage->key_type);
    if (history->failures_count < INT32_MAX) {
        history->failures_count++;
    }
    history->wish = air_journal_wish(lineage);
    history->next_ms = now_ms + air_schedule_retry(issuance->failure, history->failures_count,
                                    lineage->generation > 0 ? lineage->not_after_ms - now_ms : 0,
                                    issuance->retry_after_ms, spread);
    history->last_error_size = 0;
    for (size_t i = 0; i < issuance->failure_text.size && i < sizeof history->last_error - 1; i++) {
        history->last_error[i] = (char)issuance->failure_text.data[i];
        history->last_error_size = i + 1;
    }
}

/* What the failure leaves in storage. An order that goes on keeps its record and its key. */
static enum air_error post_failure(struct air_job *job, const struct air_history *history) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_lineage *lineage = issuance->lineage;
    struct air_puts puts;
    air_puts_init(&puts);
    air_path_lineage(lineage, "history.json", &puts.texts);
    air_puts_path(&puts);
    air_history_write(history, &puts.texts);
    air_puts_end(&puts, false);
    const bool drops_order = !issuance->keeps_order && issuance->record.generation > 0;
    if (drops_order) {
        air_path_lineage(lineage, "order.json", &puts.texts);
        air_puts_path(&puts);
        air_puts_end(&puts, true);
        if (issuance->record.generation != lineage->generation) {
            air_path_generation(lineage, issuance->record.generation, "key.pem", &puts.texts);
            air_puts_path(&puts);
            air_puts_end(&puts, true);
        }
    }
    const enum air_error error = air_puts_post(&puts, job, NULL);
    air_puts_deinit(&puts);
    return error;
}

static void remember(struct air_issuance *issuance) {
    struct air_lineage *lineage = issuance->lineage;
    lineage->failures_count = issuance->history.failures_count;
    lineage->next_ms = issuance->history.next_ms;
    lineage->is_retried = false;
    air_lineage_set_error(lineage, air_buffer_span(&issuance->failure_text));
}

enum air_error air_fail_request_record(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    struct air_history history = issuance->history;
    if (issuance->failure_text.size == 0) {
        air_buffer_append_text(
            &issuance->failure_text, "the order became invalid; the CA gave no reason");
    }
    count_failure(issuance, &history);
    /* Nothing was asked of the CA for this lineage yet: a restart may ask again at once. */
    const bool is_stored = issuance->has_lock && !issuance->was_authority;
    const enum air_error error = is_stored ? post_failure(job, &history) : AIR_OK;
    if (error != AIR_OK) {
        return error;
    }
    issuance->history = history;
    remember(issuance);
    if (!issuance->has_lock) {
        issuance->lineage->needs_load = true; /* it failed while reading: begin there */
    }
    if (!is_stored) {
        air_job_enter(job, AIR_STEP_WITHDRAW);
    }
    return AIR_OK;
}

enum air_error air_fail_accept_record(struct air_job *job, const struct air_result *result) {
    if (result->error != AIR_OK) {
        air_engine_report_lineage(job->engine, AIR_EVENT_STORAGE_FAILED,
            air_issuance_of(job)->lineage,
            result->explanation.size > 0 ? result->explanation
                                         : air_span_text(air_error_text(result->error)));
    }
    air_job_enter(job, AIR_STEP_WITHDRAW);
    return AIR_OK;
}

enum air_error air_fail_request_withdraw(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (issuance->published_count == 0) {
        air_job_enter(job, AIR_STEP_UNLOCK);
        return AIR_OK;
    }
    const struct air_published *published = &issuance->published[issuance->published_count - 1];
    struct air_action action = {.kind = AIR_ACTION_WITHDRAW};
    action.publish.type = published->type;
    action.publish.name = air_span_of(published->name, published->name_size);
    action.publish.token = air_span_of(published->token, published->token_size);
    return air_job_post(job, &action, AIR_PUBLISH_LIMIT_MS);
}

enum air_error air_fail_accept_withdraw(struct air_job *job, const struct air_result *result) {
    (void)result; /* what cannot be withdrawn proves nothing once the order is over */
    air_issuance_of(job)->published_count--;
    return AIR_OK;
}

/* The last word: whoever hears it finds everything in place and the lock free. */
static void finish(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    if (issuance->is_settled) {
        air_engine_report_lineage(job->engine, AIR_EVENT_INSTALLED, issuance->lineage,
            air_span_text("the new certificate is in place"));
    } else if (issuance->has_failed) {
        air_engine_report_lineage(job->engine, AIR_EVENT_ATTEMPT_FAILED, issuance->lineage,
            air_buffer_span(&issuance->failure_text));
    }
    job->is_over = true;
}

enum air_error air_fail_request_unlock(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (!issuance->has_lock) {
        finish(issuance);
        return AIR_OK;
    }
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    enum air_error error = air_path_lineage(issuance->lineage, NULL, &path);
    if (error == AIR_OK) {
        struct air_action action = {.kind = AIR_ACTION_UNLOCK};
        action.lock.path = air_buffer_span(&path);
        error = air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&path);
    return error;
}

enum air_error air_fail_accept_unlock(struct air_job *job, const struct air_result *result) {
    (void)result; /* a lock that cannot be released ends with the process */
    air_issuance_of(job)->has_lock = false;
    finish(air_issuance_of(job));
    return AIR_OK;
}
