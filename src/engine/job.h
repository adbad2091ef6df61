/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_JOB_H
#define AIR_ENGINE_JOB_H

/*
 * A job: work in steps, one action at a time. A step table says what each step asks for, how it
 * takes the result, and which steps may follow; enter() is the only thing that changes a step.
 * Issuances and authorities are jobs.
 */

#include "src/acme/exchange.h"
#include "src/engine/core.h"

struct air_job;

/*
 * One row of a step table.
 *
 * request  Posts one action, waits, or enters another step.
 * accept   Takes the result of an action that is not part of an exchange, failed or not.
 * answer   Takes the answer to an exchange that request began, whatever its status.
 * next     The steps that may follow, one bit each.
 */
struct air_step {
    const char *name; /* stable: logs and users see it */
    enum air_error (*request)(struct air_job *job);
    enum air_error (*accept)(struct air_job *job, const struct air_result *result);
    enum air_error (*answer)(struct air_job *job, const struct air_http_result *response);
    uint64_t next;
};

struct air_job_type {
    const struct air_step *steps;
    size_t steps_count;
    struct air_session *(*session)(struct air_job *job); /* for exchanges */

    /* An exchange, or a request function, failed for another reason than memory. */
    enum air_error (*failed)(struct air_job *job, enum air_error error, air_span reason);

    /* After every enter(); may be NULL. */
    void (*entered)(struct air_job *job);
};

struct air_job {
    const struct air_job_type *type;
    struct air_engine *engine;
    unsigned step;
    unsigned tries;           /* repetitions of this step's request */
    uint64_t open_id;         /* the action that is waited for; 0: none */
    air_time_ms wake_boot_ms; /* nothing is requested before; INT64_MAX: until woken */
    bool is_over;
    struct air_exchange exchange;
};

#define AIR_STEP_BIT(step) ((uint64_t)1 << (step))

/* Change the step. An edge that the table does not have is our bug: tests abort, a server loses
 * this one job. */
void air_job_enter(struct air_job *job, unsigned step);

/* Ask again for the same step after a pause; counts as a repetition. */
void air_job_repeat(struct air_job *job, air_time_ms wait_ms);

/* Pause before this step's request, without counting. INT64_MAX: until woken. */
void air_job_wait(struct air_job *job, air_time_ms wait_ms);

/* Want an action and wait for it, at most limit_ms. */
enum air_error air_job_post(
    struct air_job *job, const struct air_action *action, air_time_ms limit_ms);

/* Begin an exchange with the CA; the step's answer gets what comes back. */
enum air_error air_job_exchange(struct air_job *job, enum air_exchange_kind kind, air_span url,
    air_span payload, uint32_t body_max);

/* Go on as far as possible without an action's result. Returns AIR_OK or AIR_ERR_NO_MEMORY (call
 * again). */
enum air_error air_job_pump(struct air_job *job);

/* The awaited action is done. Returns AIR_OK or AIR_ERR_NO_MEMORY (call again with the same
 * result). */
enum air_error air_job_complete(struct air_job *job, const struct air_result *result);

/* Stop waiting and free what the job holds of its own. */
void air_job_deinit(struct air_job *job);

const char *air_job_step_text(const struct air_job *job);

#endif
