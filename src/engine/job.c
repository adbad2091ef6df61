/* SPDX-License-Identifier: MIT */
/*
 * The machine under issuances and authorities: it walks a step table. It knows nothing of what the
 * steps mean. Invariant: at most one action is open per job; a step is changed nowhere but in
 * enter(); when memory is short the job stands where it stood and the same call can be made again.
 */

#include "src/engine/job.h"

#include <assert.h>

#include "src/base/span.h"

/* Steps without an action in between: more means that a table runs in a circle. */
#define STEPS_AT_ONCE_MAX 128

/* Longest sentence about a failed exchange. */
#define REASON_SIZE_MAX 1024

void air_job_enter(struct air_job *job, unsigned step) {
    const bool is_edge = (job->type->steps[job->step].next & AIR_STEP_BIT(step)) != 0;
    assert(is_edge);
    if (!is_edge) {
        const struct air_event_action event = {
            .event = AIR_EVENT_BUG, .text = air_span_text(job->type->steps[job->step].name)};
        air_engine_report(job->engine, &event);
        job->is_over = true;
        return;
    }
    job->step = step;
    job->tries = 0;
    job->wake_boot_ms = 0;
    air_exchange_deinit(&job->exchange);
    if (job->type->entered != NULL) {
        job->type->entered(job);
    }
}

void air_job_wait(struct air_job *job, air_time_ms wait_ms) {
    const air_time_ms boot_ms = job->engine->now.boot_ms;
    job->wake_boot_ms = wait_ms > INT64_MAX - boot_ms ? INT64_MAX : boot_ms + wait_ms;
}

void air_job_repeat(struct air_job *job, air_time_ms wait_ms) {
    job->tries++;
    air_exchange_deinit(&job->exchange);
    air_job_wait(job, wait_ms);
}

enum air_error air_job_post(
    struct air_job *job, const struct air_action *action, air_time_ms limit_ms) {
    const air_time_ms deadline_ms = job->engine->now.boot_ms + limit_ms;
    return air_desk_post(&job->engine->desk, job, action, deadline_ms, &job->open_id);
}

static bool is_exchanging(const struct air_job *job) {
    return job->exchange.phase != AIR_EXCHANGE_IDLE && job->exchange.phase != AIR_EXCHANGE_DONE;
}

static enum air_error continue_exchange(struct air_job *job) {
    struct air_action action;
    enum air_error error = air_exchange_next(
        &job->exchange, job->type->session(job), job->engine->now.boot_ms, &action);
    if (error == AIR_OK) {
        /* The host ends the request by its own deadline; ours is the net below it. */
        error = air_job_post(job, &action, AIR_REQUEST_DEADLINE_MS + 15000);
    }
    return error;
}

enum air_error air_job_exchange(struct air_job *job, enum air_exchange_kind kind, air_span url,
    air_span payload, uint32_t body_max) {
    const enum air_error error = air_exchange_begin(&job->exchange, kind, url, payload, body_max);
    return error == AIR_OK ? continue_exchange(job) : error;
}

enum air_error air_job_pump(struct air_job *job) {
    for (unsigned i = 0; i < STEPS_AT_ONCE_MAX; i++) {
        if (job->is_over || job->open_id != 0 || job->wake_boot_ms > job->engine->now.boot_ms) {
            return AIR_OK;
        }
        enum air_error error =
            is_exchanging(job) ? continue_exchange(job) : job->type->steps[job->step].request(job);
        if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) {
            error = job->type->failed(job, error, air_span_text(air_error_text(error)));
        }
        if (error != AIR_OK) {
            return error;
        }
    }
    assert(!"a step table runs in a circle");
    job->is_over = true;
    return AIR_OK;
}

/* A piece of an exchange is done: perhaps all of it. */
static enum air_error complete_exchange(struct air_job *job, const struct air_result *result) {
    struct air_buffer reason;
    air_buffer_init(&reason, REASON_SIZE_MAX);
    bool is_done = false;
    enum air_error error = air_exchange_accept(
        &job->exchange, job->type->session(job), result, job->engine->now, &is_done, &reason);
    if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) {
        job->open_id = 0;
        error = job->type->failed(job, error, air_buffer_span(&reason));
    } else if (is_done) {
        error = job->type->steps[job->step].answer(job, &result->http);
    }
    air_buffer_deinit(&reason);
    return error;
}

enum air_error air_job_complete(struct air_job *job, const struct air_result *result) {
    const uint64_t open_id = job->open_id;
    const struct air_step *step = &job->type->steps[job->step];
    enum air_error error = AIR_OK;
    job->open_id = 0;
    if (is_exchanging(job)) {
        error = complete_exchange(job, result);
    } else if (job->exchange.phase == AIR_EXCHANGE_DONE) {
        error = step->answer(job, &result->http);
    } else {
        error = step->accept(job, result);
    }
    if (error == AIR_ERR_NO_MEMORY) {
        job->open_id = open_id;
        return error;
    }
    if (error != AIR_OK) {
        error = job->type->failed(job, error, air_span_text(air_error_text(error)));
    }
    return error;
}

void air_job_deinit(struct air_job *job) {
    /* A lost cancel only lets the action run to its end unheard. */
    (void)air_desk_disown(&job->engine->desk, job);
    air_exchange_deinit(&job->exchange);
    job->open_id = 0;
}

const char *air_job_step_text(const struct air_job *job) {
    return job->type->steps[job->step].name;
}
