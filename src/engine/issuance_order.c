/* SPDX-License-Identifier: MIT */
/*
 * The order itself (RFC 8555 section 7.4): place it, store its URL before anything else, answer the
 * challenges, wait until it is ready, store the CSR, finalize, wait until it is valid. Any status
 * may come at any time, so every answer that shows the order goes through follow(). Invariant: one
 * request at a time; nothing is answered before the order's URL is durable, nothing finalized
 * before the CSR is.
 */

#include <string.h>

#include "src/acme/response.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/issuance.h"

/* Longest pause between two looks at an order: first while it is young, then later. */
#define POLL_YOUNG_MAX_MS 10000
#define POLL_OLD_MAX_MS 60000
#define POLL_OLD_AFTER_MS (10 * AIR_MINUTE_MS)

/* A CA may lag behind itself so often before the attempt ends. */
#define NOT_READY_MAX 10

/* Attempts that fail before an order whose answers cannot be used is given up. */
#define BROKEN_MAX 3

/* Polls per pause are capped, so that the doubling stays an ordinary number. */
#define POLL_DOUBLINGS_MAX 16

static air_span directory_of(const struct air_issuance *issuance) {
    return air_authority_directory_url(air_issuance_authority(issuance));
}

static bool is_success(const struct air_http_result *response) {
    return response->status / 100 == 2;
}

/* The same order may do better next time, but not for ever (R-B2). */
static enum air_error broken(struct air_issuance *issuance, const char *what) {
    const bool keeps_order = issuance->history.failures_count < BROKEN_MAX;
    air_issuance_fail(issuance, AIR_FAILURE_TRANSIENT, keeps_order,
        "the CA's answer cannot be used: ", air_span_text(what));
    return AIR_OK;
}

enum air_error air_order_request_new(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    const struct air_authority *authority = air_issuance_authority(issuance);
    air_span names[AIR_NAMES_MAX];
    const size_t count = air_certificate_names(issuance->lineage->certificate, names);
    struct air_buffer payload;
    air_buffer_init(&payload, AIR_RECORD_SIZE_MAX);
    enum air_error error = air_order_write(names, count, &payload);
    if (error == AIR_OK) {
        error = air_job_exchange(job, AIR_EXCHANGE_KID, authority->directory.new_order,
            air_buffer_span(&payload), AIR_ORDER_SIZE_MAX);
    }
    air_buffer_deinit(&payload);
    return error;
}

enum air_error air_order_answer_new(struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (!is_success(response)) {
        return air_issuance_refused(issuance, response);
    }
    const air_span url = air_response_location(response, directory_of(issuance));
    if (url.size == 0) {
        return broken(issuance, "newOrder named no order URL on the CA's own host");
    }
    enum air_error error = air_order_read(response->body, directory_of(issuance), &issuance->order);
    if (error == AIR_OK) {
        air_buffer_init(&issuance->record.url, AIR_URL_SIZE_MAX);
        error = air_buffer_append_span(&issuance->record.url, url);
    }
    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    if (error != AIR_OK) {
        return broken(issuance, "newOrder gave no order");
    }
    issuance->phase_boot_ms = job->engine->now.boot_ms;
    air_job_enter(job, AIR_STEP_STORE_ORDER);
    return AIR_OK;
}

enum air_error air_order_request_store(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const enum air_order_step before = issuance->record.step;
    struct air_puts puts;
    air_puts_init(&puts);
    issuance->record.step = AIR_ORDER_STEP_PLACED;
    air_path_lineage(issuance->lineage, "order.json", &puts.texts);
    air_puts_path(&puts);
    air_order_record_write(issuance->lineage, &issuance->record, &puts.texts);
    air_puts_end(&puts, false);
    const enum air_error error = air_puts_post(&puts, job, NULL);
    if (error != AIR_OK) {
        issuance->record.step = before;
    }
    air_puts_deinit(&puts);
    return error;
}

/* Look at the order again after a pause: what the CA asks for, else growing from what was learned
 * of it. */
static void poll(struct air_issuance *issuance, air_time_ms retry_after_ms) {
    struct air_job *job = &issuance->job;
    const air_time_ms age_ms = job->engine->now.boot_ms - issuance->phase_boot_ms;
    const air_time_ms max_ms = age_ms > POLL_OLD_AFTER_MS ? POLL_OLD_MAX_MS : POLL_YOUNG_MAX_MS;
    const unsigned looks = job->tries + issuance->not_ready_count;
    const unsigned tries = looks < POLL_DOUBLINGS_MAX ? looks : POLL_DOUBLINGS_MAX;
    air_time_ms wait_ms =
        air_schedule_poll(air_issuance_authority(issuance)->latency_ms, tries + 1, max_ms);
    if (retry_after_ms >= 0) {
        wait_ms = retry_after_ms < POLL_OLD_MAX_MS ? retry_after_ms : POLL_OLD_MAX_MS;
        wait_ms = wait_ms < 10 ? 10 : wait_ms;
    }
    if (job->step == AIR_STEP_ORDER) {
        air_job_repeat(job, wait_ms);
    } else {
        air_job_enter(job, AIR_STEP_ORDER);
        air_job_wait(job, wait_ms);
    }
}

static bool is_over_time(const struct air_issuance *issuance, air_time_ms limit_ms) {
    const struct air_time *now = &issuance->job.engine->now;
    return now->boot_ms - issuance->phase_boot_ms > limit_ms ||
           (issuance->order.expires_ms > 0 && now->wall_ms > issuance->order.expires_ms);
}

/* Authorizations are still to be looked at, or it is the CA's turn. */
static void follow_pending(struct air_issuance *issuance, air_time_ms retry_after_ms) {
    if (issuance->authorization_index < issuance->order.authorizations_count) {
        air_job_enter(&issuance->job, AIR_STEP_AUTHORIZATION);
    } else if (is_over_time(issuance, AIR_VALIDATION_LIMIT_MS)) {
        air_issuance_fail(issuance, AIR_FAILURE_ORDER, false,
            "the CA did not finish its validation in time", air_span_text(NULL));
    } else {
        poll(issuance, retry_after_ms);
    }
}

static void begin_finalize(struct air_issuance *issuance) {
    issuance->phase_boot_ms = issuance->job.engine->now.boot_ms;
    air_job_enter(&issuance->job, AIR_STEP_FINALIZE);
}

static void follow_ready(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    if (issuance->has_answered) {
        issuance->has_answered = false;
        air_authority_learn(air_issuance_authority(issuance),
            job->engine->now.boot_ms - issuance->answered_boot_ms, job->tries == 0);
    }
    if (issuance->order.finalize.size == 0) {
        (void)broken(issuance, "a ready order without a finalize URL");
    } else {
        begin_finalize(issuance);
    }
}

/* The order is lost: its own error, or those of its authorizations, say why. */
static void follow_invalid(struct air_issuance *issuance) {
    const bool is_permanent = issuance->order.problem.remedy == AIR_REMEDY_GIVE_UP;
    issuance->retry_after_ms = issuance->order.problem.retry_after_ms;
    air_issuance_fail(issuance, is_permanent ? AIR_FAILURE_PERMANENT : AIR_FAILURE_ORDER, false, "",
        air_buffer_span(&issuance->order.problem_text));
}

bool air_order_look_again(struct air_issuance *issuance, air_time_ms retry_after_ms) {
    if (issuance->not_ready_count == NOT_READY_MAX) {
        return false;
    }
    poll(issuance, retry_after_ms);
    issuance->not_ready_count++;
    return true;
}

static void follow_not_ready(struct air_issuance *issuance, air_time_ms retry_after_ms) {
    if (!air_order_look_again(issuance, retry_after_ms)) {
        (void)broken(issuance, "a ready order that it will not finalize");
    }
}

/* What the order's status asks for now. The only switch over it. */
static void follow(struct air_issuance *issuance, air_time_ms retry_after_ms) {
    struct air_job *job = &issuance->job;
    const enum air_order_status status = issuance->order.status;
    if (job->step == AIR_STEP_FINALIZE &&
        (status == AIR_ORDER_PENDING || status == AIR_ORDER_READY)) {
        follow_not_ready(issuance, retry_after_ms); /* it lags behind itself */
        return;
    }
    switch (status) {
    case AIR_ORDER_PENDING:
        follow_pending(issuance, retry_after_ms);
        return;
    case AIR_ORDER_READY:
        follow_ready(issuance);
        return;
    case AIR_ORDER_UNKNOWN:
    case AIR_ORDER_PROCESSING:
        if (is_over_time(issuance, AIR_PROCESSING_LIMIT_MS)) {
            air_issuance_fail(issuance, AIR_FAILURE_ORDER, false,
                "the CA did not issue before the order expired", air_span_text(NULL));
        } else {
            poll(issuance, retry_after_ms);
        }
        return;
    case AIR_ORDER_VALID:
        if (issuance->order.certificate.size == 0) {
            (void)broken(issuance, "a valid order without a certificate URL");
        } else {
            air_job_enter(job, AIR_STEP_CERTIFICATE);
        }
        return;
    case AIR_ORDER_INVALID:
        follow_invalid(issuance);
        return;
    }
}

enum air_error air_order_accept_store(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error != AIR_OK) {
        return air_issuance_fail_storage(issuance, "cannot store the order: ", result);
    }
    issuance->authorization_index = 0;
    if (issuance->order.status == AIR_ORDER_PENDING && issuance->order.authorizations_count > 0) {
        air_job_enter(job, AIR_STEP_AUTHORIZATION);
    } else if (issuance->order.status == AIR_ORDER_READY && issuance->order.finalize.size > 0) {
        begin_finalize(issuance);
    } else {
        air_job_enter(job, AIR_STEP_ORDER);
    }
    return AIR_OK;
}

enum air_error air_order_request_authorization(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    return air_job_exchange(job, AIR_EXCHANGE_KID,
        issuance->order.authorizations[issuance->authorization_index], air_span_text(NULL),
        AIR_AUTHORIZATION_SIZE_MAX);
}

/* The next authorization, or the order when all were looked at. */
static void go_on(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    issuance->authorization_index++;
    if (issuance->authorization_index < issuance->order.authorizations_count) {
        air_job_enter(job, AIR_STEP_AUTHORIZATION);
        return;
    }
    air_job_enter(job, AIR_STEP_ORDER);
    if (issuance->has_answered) {
        issuance->phase_boot_ms = job->engine->now.boot_ms;
        air_job_wait(job, air_issuance_authority(issuance)->latency_ms);
    }
}

static void fail_authorization(struct air_issuance *issuance, air_span text) {
    struct air_buffer what;
    air_buffer_init(&what, AIR_NAME_SIZE_MAX + 8);
    air_buffer_append(&what, issuance->authorization.name, issuance->authorization.name_size);
    air_buffer_append_text(&what, ": ");
    air_buffer_append_byte(&what, 0);
    const bool is_permanent = issuance->authorization.problem.remedy == AIR_REMEDY_GIVE_UP;
    air_issuance_fail(issuance, is_permanent ? AIR_FAILURE_PERMANENT : AIR_FAILURE_ORDER, false,
        what.error == AIR_OK ? (const char *)what.data : "", text);
    air_buffer_deinit(&what);
}

static void follow_authorization(struct air_issuance *issuance, air_span text) {
    switch (issuance->authorization.status) {
    case AIR_AUTHORIZATION_VALID:
        go_on(issuance);
        return;
    case AIR_AUTHORIZATION_LOST:
        fail_authorization(issuance,
            text.size > 0 ? text : air_span_text("the CA no longer accepts this authorization"));
        return;
    case AIR_AUTHORIZATION_UNKNOWN:
    case AIR_AUTHORIZATION_PENDING:
        if (issuance->authorization.challenge == AIR_CHALLENGE_NONE) {
            fail_authorization(
                issuance, air_span_text("the CA offers no challenge that can be answered here"));
            issuance->failure = AIR_FAILURE_PERMANENT;
        } else {
            air_job_enter(&issuance->job, AIR_STEP_PUBLISH);
        }
        return;
    }
}

/* Nothing is published for a name that nobody asked for. */
static bool is_for_us(const struct air_issuance *issuance) {
    const struct air_authorization *authorization = &issuance->authorization;
    const air_span name = air_span_of(authorization->name, authorization->name_size);
    air_span names[AIR_NAMES_MAX];
    const size_t count = air_certificate_names(issuance->lineage->certificate, names);
    for (size_t i = 0; i < count; i++) {
        if (air_span_equal(names[i], name)) {
            return true;
        }
    }
    return false;
}

enum air_error air_order_answer_authorization(
    struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_certificate *certificate = issuance->lineage->certificate;
    if (!is_success(response)) {
        return air_issuance_refused(issuance, response);
    }
    enum air_challenge_type wanted[AIR_CHALLENGES_MAX];
    for (size_t i = 0; i < certificate->challenges_count; i++) {
        wanted[i] = (enum air_challenge_type)certificate->challenges[i];
    }
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    enum air_error error = air_authorization_read(response->body, directory_of(issuance), wanted,
        certificate->challenges_count, &issuance->authorization, &text);
    if (error == AIR_OK && !is_for_us(issuance)) {
        error = broken(issuance, "an authorization for a name that was not ordered");
    } else if (error == AIR_OK) {
        follow_authorization(issuance, air_buffer_span(&text));
    } else if (error != AIR_ERR_NO_MEMORY) {
        error = broken(issuance, "an authorization that cannot be read");
    }
    air_buffer_deinit(&text);
    return error;
}

/* Note what is about to be made visible, so that it is withdrawn whatever happens. */
static enum air_error note_published(struct air_issuance *issuance) {
    const struct air_authorization *authorization = &issuance->authorization;
    if (issuance->published_count == issuance->published_capacity) {
        const size_t capacity = issuance->published_capacity * 2 + 1;
        struct air_published *grown = air_memory_resize(issuance->published,
            issuance->published_capacity * sizeof *grown, capacity * sizeof *grown);
        if (grown == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        issuance->published = grown;
        issuance->published_capacity = capacity;
    }
    struct air_published *published = &issuance->published[issuance->published_count++];
    published->type = authorization->challenge;
    memcpy(published->name, authorization->name, authorization->name_size);
    published->name_size = authorization->name_size;
    memcpy(published->token, authorization->token, authorization->token_size);
    published->token_size = authorization->token_size;
    return AIR_OK;
}

enum air_error air_order_request_publish(struct air_job *job) {
    struct air_issuance *issuance = air_issuance_of(job);
    const struct air_authorization *authorization = &issuance->authorization;
    const struct air_crypto *crypto = job->engine->crypto;
    const air_span token = air_span_of(authorization->token, authorization->token_size);
    struct air_buffer answer;
    air_buffer_init(&answer, AIR_KEY_AUTHORIZATION_SIZE_MAX);
    enum air_error error =
        air_key_authorization_write(token, air_issuance_authority(issuance)->thumbprint, &answer);
    struct air_action action = {.kind = AIR_ACTION_PUBLISH};
    action.publish.type = authorization->challenge;
    action.publish.name = air_span_of(authorization->name, authorization->name_size);
    action.publish.token = token;
    action.publish.key_authorization = air_buffer_span(&answer);
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_buffer_span(&answer), action.publish.digest);
    }
    if (error == AIR_OK) {
        error = note_published(issuance);
    }
    if (error == AIR_OK) {
        error = air_job_post(job, &action, AIR_PUBLISH_LIMIT_MS);
        issuance->published_count -= error != AIR_OK ? 1 : 0;
    }
    air_buffer_deinit(&answer);
    return error;
}

enum air_error air_order_accept_publish(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error != AIR_OK) {
        air_issuance_fail(issuance, AIR_FAILURE_TRANSIENT, true,
            "cannot publish the challenge's answer: ",
            result->explanation.size > 0 ? result->explanation
                                         : air_span_text(air_error_text(result->error)));
        return AIR_OK;
    }
    if (issuance->authorization.is_answered) { /* before a crash: the CA is at it */
        issuance->has_answered = true;
        issuance->answered_boot_ms = job->engine->now.boot_ms;
        go_on(issuance);
    } else {
        air_job_enter(job, AIR_STEP_CHALLENGE);
    }
    return AIR_OK;
}

enum air_error air_order_request_challenge(struct air_job *job) {
    const struct air_authorization *authorization = &air_issuance_of(job)->authorization;
    return air_job_exchange(job, AIR_EXCHANGE_KID,
        air_span_of(authorization->url, authorization->url_size), air_span_text("{}"),
        AIR_AUTHORIZATION_SIZE_MAX);
}

enum air_error air_order_answer_challenge(
    struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (!is_success(response)) {
        return air_issuance_refused(issuance, response);
    }
    issuance->has_answered = true;
    issuance->answered_boot_ms = job->engine->now.boot_ms;
    go_on(issuance);
    return AIR_OK;
}

enum air_error air_order_request_order(struct air_job *job) {
    return air_job_exchange(job, AIR_EXCHANGE_KID,
        air_buffer_span(&air_issuance_of(job)->record.url), air_span_text(NULL),
        AIR_ORDER_SIZE_MAX);
}

/* Every answer that shows the order. */
static enum air_error answer_with_order(
    struct air_issuance *issuance, const struct air_http_result *response) {
    if (!is_success(response)) {
        return air_issuance_refused(issuance, response);
    }
    const enum air_error error =
        air_order_read(response->body, directory_of(issuance), &issuance->order);
    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    if (error != AIR_OK) {
        return broken(issuance, "an order that cannot be read");
    }
    follow(issuance, air_response_retry_after_ms(response, issuance->job.engine->now.wall_ms));
    return AIR_OK;
}

enum air_error air_order_answer_order(struct air_job *job, const struct air_http_result *response) {
    return answer_with_order(air_issuance_of(job), response);
}

enum air_error air_order_request_finalize(struct air_job *job) {
    const struct air_issuance *issuance = air_issuance_of(job);
    struct air_buffer payload;
    air_buffer_init(&payload, 2 * AIR_CSR_SIZE_MAX);
    enum air_error error =
        air_order_write_finalize(air_buffer_span(&issuance->record.csr), &payload);
    if (error == AIR_OK) {
        error = air_job_exchange(job, AIR_EXCHANGE_KID, issuance->order.finalize,
            air_buffer_span(&payload), AIR_ORDER_SIZE_MAX);
    }
    air_buffer_deinit(&payload);
    return error;
}

/* orderNotReady means that our view of the order is old (R-B4). */
static enum air_error check_not_ready(
    struct air_issuance *issuance, const struct air_http_result *response, bool *is_not_ready) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    struct air_problem problem = {0};
    const enum air_error error =
        air_problem_read(response, issuance->job.engine->now.wall_ms, &problem, &text);
    *is_not_ready = problem.type == AIR_PROBLEM_ORDER_NOT_READY;
    air_buffer_deinit(&text);
    return error;
}

enum air_error air_order_answer_finalize(
    struct air_job *job, const struct air_http_result *response) {
    struct air_issuance *issuance = air_issuance_of(job);
    bool is_not_ready = false;
    if (!is_success(response)) {
        const enum air_error error = check_not_ready(issuance, response, &is_not_ready);
        if (error != AIR_OK) {
            return error;
        }
    }
    if (is_not_ready) {
        follow_not_ready(issuance, air_response_retry_after_ms(response, job->engine->now.wall_ms));
        return AIR_OK;
    }
    return answer_with_order(issuance, response);
}
