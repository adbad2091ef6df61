/* SPDX-License-Identifier: MIT */
/*
 * The engine at work: it begins issuances for lineages that are due, lets jobs go on, hands out
 * actions and takes results. Invariant: between two calls every job waits for an action, a time or
 * an authority; nothing else keeps a lineage from its next step (R-B1).
 */

#include "thinair/engine.h"

#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/authority.h"
#include "src/engine/issuance.h"

/* The longest sleep: a step of the wall clock is seen within it. */
#define SLEEP_MAX_MS AIR_MINUTE_MS

/* The clocks may drift apart by so much between two calls before it counts as a step of the wall
 * clock. */
#define STEP_MIN_MS AIR_MINUTE_MS

#define EVENT_TEXT_SIZE_MAX 512

/* Lineages that are only being read, beside those that are ordered. */
#define LOADS_MAX 32

void air_engine_report(struct air_engine *engine, const struct air_event_action *event) {
    struct air_action action = {.kind = AIR_ACTION_EVENT};
    action.event = *event;
    action.event.text = air_span_take(event->text, EVENT_TEXT_SIZE_MAX);
    (void)air_desk_post(&engine->desk, NULL, &action, INT64_MAX, NULL);
}

void air_engine_report_lineage(struct air_engine *engine, enum air_event_kind kind,
    const struct air_lineage *lineage, air_span text) {
    const struct air_event_action event = {
        .event = kind,
        .certificate = air_certificate_id(lineage->certificate),
        .key_type = (enum air_key_type)lineage->key_type,
        .generation = lineage->generation,
        .authority = air_authority_directory_url(lineage->certificate->authority),
        .text = text,
        .not_after_ms = lineage->not_after_ms,
        .next_ms = lineage->next_ms,
    };
    air_engine_report(engine, &event);
}

void air_engine_authority_changed(
    struct air_engine *engine, const struct air_authority *authority) {
    for (struct air_issuance *at = engine->issuances; at != NULL; at = at->next) {
        if (air_issuance_authority(at) == authority) {
            air_issuance_authority_changed(at);
        }
    }
}

/* Pauses after failures are meant as durations: when the wall clock steps they step with it. */
static void follow_clock_step(struct air_engine *engine, air_time_ms step_ms) {
    for (size_t i = 0; i < engine->certificates_count; i++) {
        struct air_certificate *certificate = engine->certificates[i];
        for (size_t k = 0; k < certificate->lineages_count; k++) {
            struct air_lineage *lineage = &certificate->lineages[k];
            if (lineage->failures_count > 0 && lineage->issuance == NULL && lineage->next_ms > 0) {
                lineage->next_ms += step_ms;
                air_queue_set(&engine->queue, lineage, lineage->next_ms);
            }
        }
    }
    const struct air_event_action event = {.event = AIR_EVENT_CLOCK_STEPPED,
        .text = air_span_text(
            step_ms > 0 ? "the wall clock was set forward" : "the wall clock was set back")};
    air_engine_report(engine, &event);
}

static void take_time(struct air_engine *engine, struct air_time now) {
    const struct air_time before = engine->now;
    if (engine->has_time && now.boot_ms < before.boot_ms) {
        now.boot_ms = before.boot_ms; /* a boot clock does not step back */
    }
    engine->now = now;
    if (engine->has_time) {
        const air_time_ms step_ms = (now.wall_ms - before.wall_ms) - (now.boot_ms - before.boot_ms);
        if (step_ms > STEP_MIN_MS || step_ms < -STEP_MIN_MS) {
            follow_clock_step(engine, step_ms);
        }
    }
    engine->has_time = true;
}

/* Warn once when the last tenth of the life begins, and once at the end. Returns the time of the
 * next warning. */
static air_time_ms warn(struct air_engine *engine, struct air_lineage *lineage) {
    const air_time_ms now_ms = engine->now.wall_ms;
    if (lineage->generation == 0) {
        return INT64_MAX;
    }
    const air_time_ms warning_ms =
        air_schedule_warning(lineage->not_before_ms, lineage->not_after_ms);
    if (!lineage->is_expired_told && now_ms >= lineage->not_after_ms) {
        lineage->is_expired_told = true;
        lineage->is_alarmed = true;
        air_engine_report_lineage(engine, AIR_EVENT_EXPIRED, lineage,
            air_span_of(lineage->last_error, lineage->last_error_size));
    } else if (!lineage->is_alarmed && now_ms >= warning_ms) {
        lineage->is_alarmed = true;
        air_engine_report_lineage(engine, AIR_EVENT_EXPIRES_SOON, lineage,
            air_span_of(lineage->last_error, lineage->last_error_size));
    }
    if (!lineage->is_alarmed) {
        return warning_ms;
    }
    return lineage->is_expired_told ? INT64_MAX : lineage->not_after_ms;
}

/* Its records are to be read, and no failure keeps it waiting. */
static bool needs_look(const struct air_lineage *lineage) {
    return lineage->needs_load && lineage->failures_count == 0;
}

/* Put a lineage that rests into the queue: for its next step, or for a warning before it. */
static void rest(struct air_engine *engine, struct air_lineage *lineage) {
    const air_time_ms warning_ms = warn(engine, lineage);
    const air_time_ms due_ms = needs_look(lineage) ? 0 : lineage->next_ms;
    air_queue_set(&engine->queue, lineage, warning_ms < due_ms ? warning_ms : due_ms);
}

static bool is_due(const struct air_engine *engine, const struct air_lineage *lineage) {
    return lineage->is_retried || needs_look(lineage) || lineage->next_ms <= engine->now.wall_ms;
}

/* At the end: who came first goes on first. */
static void append(struct air_engine *engine, struct air_issuance *issuance) {
    struct air_issuance **at = &engine->issuances;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = issuance;
    engine->issuances_count++;
}

/* Reading waits only for other reads: start-up does not wait for the CA. */
static bool may_begin(const struct air_engine *engine, const struct air_lineage *lineage) {
    return lineage->needs_load ? engine->issuances_count < engine->issuances_max + LOADS_MAX
                               : air_issuance_has_place(engine);
}

/* Begin what is due, the earliest first, as many at once as allowed. */
static enum air_error begin(struct air_engine *engine) {
    struct air_lineage *lineage = air_queue_first(&engine->queue);
    while (lineage != NULL && lineage->due_ms <= engine->now.wall_ms) {
        if (!is_due(engine, lineage)) {
            rest(engine, lineage);
        } else if (!may_begin(engine, lineage)) {
            return AIR_OK;
        } else {
            struct air_issuance *issuance = NULL;
            const enum air_error error = air_issuance_new(engine, lineage, &issuance);
            if (error != AIR_OK) {
                return error;
            }
            air_queue_remove(&engine->queue, lineage);
            append(engine, issuance);
            lineage->issuance = issuance;
        }
        lineage = air_queue_first(&engine->queue);
    }
    return AIR_OK;
}

/* A lineage whose sibling held it up may go on now. */
static void wake_siblings(struct air_engine *engine, const struct air_lineage *lineage) {
    struct air_certificate *certificate = lineage->certificate;
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        struct air_lineage *sibling = &certificate->lineages[i];
        if (sibling != lineage && sibling->issuance == NULL && !air_issuance_is_held_up(sibling)) {
            rest(engine, sibling);
        }
    }
}

/* Free what is over and put its lineage back into the queue. */
static void collect(struct air_engine *engine) {
    struct air_issuance **at = &engine->issuances;
    while (*at != NULL) {
        struct air_issuance *issuance = *at;
        if (!issuance->job.is_over) {
            at = &issuance->next;
            continue;
        }
        struct air_lineage *lineage = issuance->lineage;
        *at = issuance->next;
        engine->issuances_count--;
        lineage->issuance = NULL;
        air_issuance_free(issuance);
        if (!air_issuance_is_held_up(lineage)) {
            rest(engine, lineage);
        }
        wake_siblings(engine, lineage);
    }
}

static enum air_error pump(struct air_engine *engine) {
    enum air_error error = AIR_OK;
    for (size_t i = 0; error == AIR_OK && i < engine->authorities_count; i++) {
        error = air_job_pump(&engine->authorities[i]->job);
    }
    for (struct air_issuance *at = engine->issuances; error == AIR_OK && at != NULL;
         at = at->next) {
        error = air_job_pump(&at->job);
    }
    return error;
}

/* An issuance may have set its authority to work, and the other way round: until both are still. */
static enum air_error work(struct air_engine *engine) {
    enum air_error error = begin(engine);
    if (error == AIR_OK) {
        error = pump(engine);
    }
    if (error == AIR_OK) {
        error = pump(engine);
    }
    collect(engine);
    return error;
}

/* Actions whose time is over fail; the host is told to stop them. */
static enum air_error expire(struct air_engine *engine) {
    static const struct air_result timeout = {.error = AIR_ERR_TIMEOUT};
    struct air_desk_entry *entry = air_desk_overdue(&engine->desk, engine->now.boot_ms);
    while (entry != NULL) {
        const enum air_error error = air_job_complete(entry->owner, &timeout);
        if (error != AIR_OK) {
            return error; /* it stays overdue: the next call tries again */
        }
        /* A lost cancel only lets the action run to its end unheard. */
        (void)air_desk_abandon(&engine->desk, entry);
        entry = air_desk_overdue(&engine->desk, engine->now.boot_ms);
    }
    return AIR_OK;
}

enum air_error air_engine_next(
    struct air_engine *engine, struct air_time now, const struct air_action **out) {
    *out = NULL;
    take_time(engine, now);
    enum air_error error = expire(engine);
    if (error == AIR_OK) {
        error = work(engine);
    }
    if (error == AIR_OK) {
        *out = air_desk_take(&engine->desk);
    }
    return error;
}

/* Whether an issuance that goes on has this answer visible. */
static bool is_wanted(const struct air_engine *engine, const struct air_publish_action *publish) {
    for (const struct air_issuance *at = engine->issuances; at != NULL; at = at->next) {
        for (size_t i = 0; i < at->published_count; i++) {
            const struct air_published *published = &at->published[i];
            if (published->type == publish->type &&
                air_span_equal(
                    air_span_of(published->token, published->token_size), publish->token)) {
                return true;
            }
        }
    }
    return false;
}

/* A success that nobody waits for any more: keys must not be lost, locks not be held for ever, and
 * answers not stay visible. */
static enum air_error discard(struct air_engine *engine, const struct air_action *action) {
    struct air_action undo = *action;
    if (action->kind == AIR_ACTION_LOCK) {
        undo.kind = AIR_ACTION_UNLOCK;
    } else if (action->kind == AIR_ACTION_PUBLISH && !is_wanted(engine, &action->publish)) {
        undo.kind = AIR_ACTION_WITHDRAW;
        undo.publish.key_authorization = air_span_text(NULL);
    } else {
        return AIR_OK;
    }
    return air_desk_post(&engine->desk, NULL, &undo, INT64_MAX, NULL);
}

enum air_error air_engine_complete(
    struct air_engine *engine, uint64_t id, const struct air_result *result, struct air_time now) {
    struct air_desk_entry *entry = air_desk_find(&engine->desk, id);
    take_time(engine, now);
    if (entry == NULL) {
        return AIR_OK;
    }
    enum air_error error = AIR_OK;
    if (entry->owner == NULL) {
        error = result->error == AIR_OK ? discard(engine, entry->action) : AIR_OK;
        if (error == AIR_OK) {
            if (entry->action->kind == AIR_ACTION_GENERATE_KEY && result->error == AIR_OK) {
                engine->crypto->key_free(engine->crypto->self, result->generate_key.key);
            }
            air_desk_remove(&engine->desk, entry);
        }
        return error;
    }
    error = air_job_complete(entry->owner, result);
    if (error != AIR_OK) {
        return error;
    }
    /* The job may have ended and disowned the entry, or posted others: look it up again. */
    entry = air_desk_find(&engine->desk, id);
    if (entry != NULL) {
        air_desk_remove(&engine->desk, entry);
    }
    collect(engine);
    return AIR_OK;
}

static air_time_ms earlier(air_time_ms a, air_time_ms b) {
    return a < b ? a : b;
}

air_time_ms air_engine_wakeup(const struct air_engine *engine) {
    const struct air_time *now = &engine->now;
    if (engine->certificates_count == 0) {
        return INT64_MAX;
    }
    air_time_ms wakeup_ms = earlier(now->boot_ms + SLEEP_MAX_MS, air_desk_wakeup(&engine->desk));
    const struct air_lineage *first = air_queue_first(&engine->queue);
    if (first != NULL && may_begin(engine, first)) {
        const air_time_ms due_ms = first->due_ms - now->wall_ms;
        wakeup_ms =
            earlier(wakeup_ms, now->boot_ms + (due_ms > 0 ? earlier(due_ms, SLEEP_MAX_MS) : 0));
    }
    for (const struct air_issuance *at = engine->issuances; at != NULL; at = at->next) {
        if (at->job.open_id == 0) {
            wakeup_ms = earlier(wakeup_ms, at->job.wake_boot_ms);
        }
    }
    for (size_t i = 0; i < engine->authorities_count; i++) {
        const struct air_job *job = &engine->authorities[i]->job;
        if (!job->is_over && job->open_id == 0) {
            wakeup_ms = earlier(wakeup_ms, job->wake_boot_ms);
        }
    }
    return wakeup_ms;
}
