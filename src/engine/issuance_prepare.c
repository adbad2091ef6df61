/* SPDX-License-Identifier: MIT */
/*
 * From "what is stored" to "an order may be placed": whether something is due, the lock, the CA's
 * account, the key, and the record of the intent. Invariant: the attempt is counted, the key and
 * its CSR are durable before newOrder leaves (crash-consistency 4.2, R-E5, R-C2).
 */

#include "src/acme/response.h"
#include "src/base/span.h"
#include "src/engine/issuance.h"

/* How soon to look again when another process holds the lock. */
#define BUSY_PAUSE_MS 2000

/* Whether an order that was begun can be taken up: same wish, and its URL is known. */
static bool can_resume(const struct air_issuance *issuance) {
    return issuance->record.step >= AIR_ORDER_STEP_PLACED && issuance->record.is_ours;
}

/* The wall time at which the next thing is to be done; sets next_ms, which people see. */
static air_time_ms due_time(const struct air_issuance *issuance) {
    const struct air_lineage *lineage = issuance->lineage;
    const struct air_history *history = &issuance->history;
    const bool must_pause =
        history->wish == air_journal_wish(lineage) &&
        (history->failures_count > 0 || issuance->record.step == AIR_ORDER_STEP_CREATING);
    /* No pause is longer than a CA can ask for: a record that says so is damaged, or was written
     * under a wrong clock (R-B2). */
    const air_time_ms latest_ms = issuance->job.engine->now.wall_ms + AIR_RETRY_AFTER_MS_MAX;
    const air_time_ms pause_ms = must_pause && history->next_ms <= latest_ms ? history->next_ms : 0;
    if (can_resume(issuance)) {
        return 0;
    }
    if (lineage->is_forced || lineage->generation == 0 || !lineage->is_current) {
        return lineage->is_retried ? 0 : pause_ms;
    }
    const struct air_certificate *certificate = lineage->certificate;
    const uint64_t spread =
        air_schedule_spread(air_certificate_id(certificate), (enum air_key_type)lineage->key_type);
    const air_time_ms renewal_ms = air_schedule_renewal(
        lineage->not_before_ms, lineage->not_after_ms, certificate->renew_before_ms, spread);
    return pause_ms > renewal_ms && !lineage->is_retried ? pause_ms : renewal_ms;
}

static void take_over_history(struct air_issuance *issuance) {
    struct air_lineage *lineage = issuance->lineage;
    const struct air_history *history = &issuance->history;
    lineage->failures_count = history->failures_count;
    air_lineage_set_error(lineage, air_span_of(history->last_error, history->last_error_size));
}

/* Whether the order under way has brought what is served, and only its end was missed. */
static bool has_ended(const struct air_issuance *issuance) {
    return can_resume(issuance) && issuance->record.generation == issuance->lineage->generation &&
           issuance->lineage->is_current;
}

static void swap(struct air_buffer *a, struct air_buffer *b) {
    const struct air_buffer kept = *a;
    *a = *b;
    *b = kept;
}

/* Go on where it ended, without asking the CA again. What no pointer names is committed first. */
static enum air_error settle_stored(struct air_issuance *issuance) {
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    const enum air_error error = crypto->sha256(
        crypto->self, air_buffer_span(&issuance->chain), issuance->manifest.chain_sha256);
    if (error == AIR_OK) {
        swap(&issuance->new_chain, &issuance->chain);
        swap(&issuance->key_pem, &issuance->chain_key);
        air_job_enter(&issuance->job, issuance->is_searching ? AIR_STEP_COMMIT : AIR_STEP_SETTLE);
    }
    return error;
}

enum air_error air_prepare_request_decide(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    struct air_lineage *lineage = issuance->lineage;
    const air_time_ms now_ms = job->engine->now.wall_ms;
    const air_time_ms due_ms = due_time(issuance);
    lineage->is_loaded = true;
    lineage->next_ms = due_ms;
    take_over_history(issuance);
    if (issuance->has_lock && has_ended(issuance)) {
        return settle_stored(issuance);
    }
    air_buffer_clear(&issuance->chain_key);
    if (due_ms > now_ms) {
        lineage->is_retried = false;
        if (lineage->generation > 0 && lineage->is_current && lineage->failures_count == 0) {
            air_engine_report_lineage(
                job->engine, AIR_EVENT_VALID, lineage, air_span_text("valid, nothing to do yet"));
        }
        air_job_enter(job, AIR_STEP_UNLOCK);
    } else if (issuance->has_lock) {
        air_job_enter(job, AIR_STEP_AUTHORITY);
    } else if (air_issuance_is_held_up(lineage)) {
        job->is_over = true; /* the sibling's end wakes this one */
    } else if (!air_issuance_has_place(job->engine)) {
        lineage->next_ms = now_ms; /* first in line when a place is free */
        job->is_over = true;
    } else {
        issuance->is_attempt = true;
        air_job_enter(job, AIR_STEP_LOCK);
    }
    return AIR_OK;
}

enum air_error air_prepare_request_lock(struct air_job *job) {
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    enum air_error error = air_path_lineage(air_issuance_of(job)->lineage, NULL, &path);
    if (air_issuance_is_held_up(air_issuance_of(job)->lineage)) {
        job->is_over = true;
    } else if (error == AIR_OK) {
        struct air_action action = {.kind = AIR_ACTION_LOCK};
        action.lock.path = air_buffer_span(&path);
        error = air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&path);
    return error;
}

enum air_error air_prepare_accept_lock(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error == AIR_ERR_BUSY) {
        issuance->lineage->next_ms = job->engine->now.wall_ms + BUSY_PAUSE_MS;
        job->is_over = true;
        return AIR_OK;
    }
    if (result->error != AIR_OK) {
        return air_issuance_fail_storage(issuance, "cannot lock the stored certificate: ", result);
    }
    issuance->has_lock = true;
    air_job_enter(job, AIR_STEP_READ); /* what was read before the lock may be old */
    return AIR_OK;
}

enum air_error air_prepare_request_authority(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const enum air_authority_state state = air_authority_want(air_issuance_authority(issuance));
    if (state != AIR_AUTHORITY_READY) {
        air_job_wait(job, INT64_MAX); /* air_issuance_authority_changed ends it */
        return AIR_OK;
    }
    const bool has_order = issuance->record.step != AIR_ORDER_STEP_NONE && issuance->record.is_ours;
    if (!has_order) {
        air_order_record_deinit(&issuance->record);
    }
    air_job_enter(job, has_order ? AIR_STEP_READ_KEY : AIR_STEP_KEY);
    return AIR_OK;
}

enum air_error air_prepare_request_read_key(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    enum air_error error =
        air_path_generation(issuance->lineage, issuance->record.generation, "key.pem", &path);
    if (error == AIR_OK) {
        const air_span text = air_buffer_span(&path);
        struct air_action action = {.kind = AIR_ACTION_READ};
        action.read.paths = &text;
        action.read.paths_count = 1;
        error = air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&path);
    return error;
}

/* The order's key: with it the order goes on, without it the order is lost (never another key on
 * that order). */
enum air_error air_prepare_accept_read_key(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_crypto *crypto = job->engine->crypto;
    if (result->error != AIR_OK || result->read.records_count != 1) {
        return air_issuance_fail_storage(issuance, "cannot read the order's key: ", result);
    }
    const struct air_record *record = &result->read.records[0];
    if (!air_load_is_readable(record->error)) {
        const struct air_result failure = {.error = record->error};
        return air_issuance_fail_storage(issuance, "cannot read the order's key: ", &failure);
    }
    uint64_t key = 0;
    enum air_error error = record->error;
    if (error == AIR_OK) {
        error = crypto->key_import(crypto->self, record->value, &key);
    }
    if (air_error_class(error) == AIR_CLASS_RETRY) {
        return error; /* what cannot be judged now is not lost */
    }
    if (error != AIR_OK) {
        air_engine_report_lineage(job->engine, AIR_EVENT_RECORD_SET_ASIDE, issuance->lineage,
            air_span_text("the key of the order under way is lost: ordering anew"));
        air_order_record_deinit(&issuance->record);
        air_job_enter(job, AIR_STEP_KEY);
        return AIR_OK;
    }
    air_buffer_clear(&issuance->key_pem);
    error = air_buffer_append_span(&issuance->key_pem, record->value);
    if (error != AIR_OK) {
        crypto->key_free(crypto->self, key);
        return error;
    }
    issuance->key = key;
    const bool is_placed = issuance->record.step >= AIR_ORDER_STEP_PLACED;
    if (is_placed) {
        air_engine_report_lineage(job->engine, AIR_EVENT_ORDER_RESUMED, issuance->lineage,
            air_buffer_span(&issuance->record.url));
    }
    issuance->phase_boot_ms = job->engine->now.boot_ms;
    air_job_enter(job, is_placed ? AIR_STEP_ORDER : AIR_STEP_INTENT);
    return AIR_OK;
}

static enum air_error take_key(struct air_issuance *issuance, uint64_t key) {
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    air_buffer_clear(&issuance->key_pem);
    const enum air_error error = crypto->key_export(crypto->self, key, &issuance->key_pem);
    if (error == AIR_OK) {
        issuance->key = key;
        issuance->record.generation = issuance->highest + 1;
        air_job_enter(&issuance->job, AIR_STEP_INTENT);
    }
    return error;
}

enum air_error air_prepare_request_key(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_crypto *crypto = job->engine->crypto;
    const enum air_key_type type = (enum air_key_type)issuance->lineage->key_type;
    const air_span given = air_lineage_given_key(issuance->lineage);
    uint64_t key = 0;
    enum air_error error = given.size > 0 ? crypto->key_import(crypto->self, given, &key)
                                          : crypto->key_generate(crypto->self, type, &key);
    if (error == AIR_ERR_LATER) {
        struct air_action action = {.kind = AIR_ACTION_GENERATE_KEY};
        action.generate_key.type = type;
        return air_job_post(job, &action, AIR_KEY_LIMIT_MS);
    }
    if (error == AIR_OK) {
        error = take_key(issuance, key);
        if (error != AIR_OK) {
            crypto->key_free(crypto->self, key);
        }
    }
    return error;
}

enum air_error air_prepare_accept_key(struct air_job *job, const struct air_result *result) {
    if (result->error != AIR_OK) {
        return result->error;
    }
    const struct air_crypto *crypto = job->engine->crypto;
    const enum air_error error = take_key(air_issuance_of(job), result->generate_key.key);
    if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) { /* else the same result comes again */
        crypto->key_free(crypto->self, result->generate_key.key);
    }
    return error;
}

/* The time of the next try if this attempt dies without a word. */
static void count_attempt(struct air_issuance *issuance) {
    const struct air_lineage *lineage = issuance->lineage;
    struct air_history *history = &issuance->history;
    const air_time_ms now_ms = issuance->job.engine->now.wall_ms;
    if (history->wish != air_journal_wish(lineage)) {
        history->wish = air_journal_wish(lineage); /* earlier failures were of something else */
        history->failures_count = 0;
    }
    if (history->attempts_count < INT32_MAX) {
        history->attempts_count++;
    }
    history->next_ms =
        now_ms + air_schedule_retry(AIR_FAILURE_TRANSIENT, history->failures_count + 1,
                     lineage->not_after_ms - now_ms, -1, 0);
}

/* The order's CSR is made before the order: what finalize will send is durable with the key. */
static enum air_error make_csr(struct air_issuance *issuance) {
    const struct air_certificate *certificate = issuance->lineage->certificate;
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    struct air_buffer *csr = &issuance->record.csr;
    air_span names[AIR_NAMES_MAX];
    struct air_subject subject;
    const size_t count = air_certificate_names(certificate, names);
    air_certificate_subject(certificate, &subject);
    air_buffer_deinit(csr);
    air_buffer_init(csr, AIR_CSR_SIZE_MAX);
    return crypto->csr_create(
        crypto->self, issuance->key, &subject, names, count, certificate->must_staple, csr);
}

enum air_error air_prepare_request_intent(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_lineage *lineage = issuance->lineage;
    const struct air_history saved = issuance->history;
    enum air_error error = make_csr(issuance);
    if (error != AIR_OK) {
        return error;
    }
    struct air_puts puts;
    air_puts_init(&puts);
    count_attempt(issuance);
    issuance->record.step = AIR_ORDER_STEP_CREATING;
    issuance->record.is_ours = true;
    air_path_lineage(lineage, "history.json", &puts.texts);
    air_puts_path(&puts);
    air_history_write(&issuance->history, &puts.texts);
    air_puts_end(&puts, false);
    air_path_generation(lineage, issuance->record.generation, "key.pem", &puts.texts);
    air_puts_path(&puts);
    air_buffer_append_span(&puts.texts, air_buffer_span(&issuance->key_pem));
    air_puts_end(&puts, false);
    air_path_lineage(lineage, "order.json", &puts.texts);
    air_puts_path(&puts);
    air_order_record_write(lineage, &issuance->record, &puts.texts);
    air_puts_end(&puts, false);
    error = air_puts_post(&puts, job, NULL);
    if (error != AIR_OK) {
        issuance->history = saved;
    }
    air_puts_deinit(&puts);
    return error;
}

enum air_error air_prepare_accept_intent(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error != AIR_OK) {
        return air_issuance_fail_storage(issuance, "cannot store the order: ", result);
    }
    air_engine_report_lineage(job->engine, AIR_EVENT_ORDER_STARTED, issuance->lineage,
        air_authority_directory_url(air_issuance_authority(issuance)));
    air_job_enter(job, AIR_STEP_NEW_ORDER);
    return AIR_OK;
}
