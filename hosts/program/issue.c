/* SPDX-License-Identifier: MIT */
/*
 * `thinair issue` and, without a daemon, `thinair renew`: obtain once, then end. The engine is the
 * daemon's; here it is watched until every lineage is there or has failed once.
 *
 * Invariant: a lineage is done by what the engine says about it compared with what it said at the
 * start, so no order of events can be missed.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hosts/program/issue.h"
#include "hosts/program/report.h"
#include "hosts/program/served.h"
#include "hosts/program/text.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

/* How often the engine is asked when no event has come, and how long it is left alone between two
 * looks: a millisecond for each lineage, so that looking at thousands costs it no share of its
 * time. */
#define LOOK_MS 100
#define REST_MS_MAX 500
/* A failure is told by an event within the engine's next turn; one that nobody has told of after
 * this long is of an earlier run. */
#define STALE_MS 300

/* What a lineage was at the start, and how it ended. */
struct lineage {
    uint32_t generation;
    uint32_t failures_count;
    bool is_wanted; /* was ordered anew, whatever is stored */
    bool is_done;
    air_time_ms retrying_ms; /* when it was first seen waiting for another try; 0: not yet */
    air_time_ms not_after_ms;
};

/* A lineage of which this process was told that an attempt failed. */
struct failure {
    const char *id;
    enum air_key_type key_type;
};

struct watch {
    struct air_service service;
    pthread_mutex_t mutex; /* guards what follows, up to the empty line */
    pthread_cond_t changed;
    bool is_changed;
    struct air_pool pool;
    struct failure *failed;
    size_t failed_count;

    struct lineage *lineages;
    size_t lineages_count;
    bool is_renewal;
    const char *name; /* renew only the certificate of that id or name; NULL: all */
    air_time_ms now_ms;
    size_t open_count;
    struct air_buffer failures; /* one line for each */
};

static enum air_exit obtain(struct watch *watch);
static void begin(void *context, struct air_engine *engine);
static void look(void *context, struct air_engine *engine);
static void settle(struct watch *watch, struct lineage *lineage, const struct air_status *status);
static void try_again(struct watch *watch, struct air_engine *engine, size_t index);
static void on_event(void *context, const struct air_event_action *event);
static void wait_for_change(struct watch *watch, const sigset_t *signals, bool *is_told_to_stop);
static enum air_exit conclude(struct watch *watch);

static enum air_exit obtain_once(
    struct air_invocation *invocation, bool is_renewal, const char *name) {
    struct watch watch = {.is_renewal = is_renewal, .name = name};
    struct air_plan plan;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_ISSUE, &plan);

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    if (!air_plan_uses(&plan, AIR_HTTP_01)) {
        plan.http_count = 0;
    }
    air_buffer_init(&watch.failures, AIR_REPORT_SIZE_MAX);
    pthread_mutex_init(&watch.mutex, NULL);
    pthread_cond_init(&watch.changed, NULL);
    air_service_init(&watch.service, &plan, AIR_LOG_PHASES);
    watch.service.on_event = on_event;
    watch.service.event_context = &watch;
    status = obtain(&watch);
    if (air_service_stop(&watch.service, 0) > 0 && status == AIR_EXIT_DONE) {
        status = AIR_EXIT_FAILED; /* on-installed failed; the log has said so */
    }
    air_memory_free(watch.lineages, watch.lineages_count * sizeof(*watch.lineages));
    air_pool_deinit(&watch.pool);
    pthread_cond_destroy(&watch.changed);
    pthread_mutex_destroy(&watch.mutex);
    air_buffer_deinit(&watch.failures);
    return status;
}

enum air_exit air_command_issue(struct air_invocation *invocation) {
    return obtain_once(invocation, false, NULL);
}

enum air_exit air_issue_renewal(struct air_invocation *invocation, const char *name) {
    return obtain_once(invocation, true, name);
}

static enum air_exit obtain(struct watch *watch) {
    struct air_buffer reason;
    bool is_told_to_stop = false;
    enum air_error error;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    error = air_service_start(&watch->service, AIR_SERVICE_ONCE, &reason);
    if (error == AIR_OK) {
        air_server_call(watch->service.server, begin, watch);
        error = watch->failures.error;
    }
    if (error != AIR_OK) {
        air_command_complain(&reason, error);
        air_buffer_deinit(&reason);
        return AIR_EXIT_FAILED;
    }
    air_buffer_deinit(&reason);
    do {
        air_server_call(watch->service.server, look, watch);
        if (watch->open_count > 0) {
            wait_for_change(watch, &signals, &is_told_to_stop);
        }
    } while (watch->open_count > 0 && !is_told_to_stop &&
             !atomic_load(&watch->service.are_terms_required));
    if (is_told_to_stop) {
        air_log_line(&watch->service.log, AIR_WARNING,
            "stopped; the next 'thinair issue' goes on where this one was");
    }
    return atomic_load(&watch->service.are_terms_required) ? AIR_EXIT_WRONG_USE : conclude(watch);
}

static bool has_failed(struct watch *watch, const struct air_status *status) {
    bool is_found = false;

    pthread_mutex_lock(&watch->mutex);
    for (size_t i = 0; i < watch->failed_count; i++) {
        is_found = is_found || (watch->failed[i].key_type == status->key_type &&
                                   air_span_equal_text(status->certificate, watch->failed[i].id));
    }
    pthread_mutex_unlock(&watch->mutex);
    return is_found;
}

static bool is_meant(const struct watch *watch, const struct air_status *status) {
    if (watch->name == NULL || air_span_equal_text(status->certificate, watch->name)) {
        return true;
    }
    for (size_t i = 0; i < status->names_count; i++) {
        if (air_span_equal_text(status->names[i], watch->name)) {
            return true;
        }
    }
    return false;
}

static void begin(void *context, struct air_engine *engine) {
    struct watch *watch = context;
    size_t count = air_engine_lineages_count(engine);

    watch->lineages = air_memory_new(count * sizeof(*watch->lineages));
    watch->lineages_count = watch->lineages == NULL ? 0 : count;
    if (watch->lineages == NULL) {
        watch->failures.error = AIR_ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct lineage *lineage = &watch->lineages[i];
        struct air_status status = {.step = ""};

        if (air_engine_status(engine, i, &status) != AIR_OK) {
            continue;
        }
        lineage->generation = status.generation;
        lineage->failures_count = status.failures_count;
        lineage->is_wanted = watch->is_renewal && is_meant(watch, &status);
        lineage->is_done = watch->is_renewal && !lineage->is_wanted;
        if (lineage->is_wanted) {
            enum air_error error = air_engine_certificate_renew(engine, status.certificate);
            (void)error; /* it exists: its status was just read */
        }
    }
}

static void look(void *context, struct air_engine *engine) {
    struct watch *watch = context;

    watch->open_count = 0;
    watch->now_ms = air_log_now();
    for (size_t i = 0; i < watch->lineages_count; i++) {
        struct lineage *lineage = &watch->lineages[i];
        struct air_status status = {.step = ""};

        if (!lineage->is_done && air_engine_status(engine, i, &status) == AIR_OK) {
            settle(watch, lineage, &status);
        }
        if (!lineage->is_done && lineage->retrying_ms != 0 && !lineage->is_wanted &&
            watch->now_ms - lineage->retrying_ms >= STALE_MS) {
            try_again(watch, engine, i);
        }
        watch->open_count += lineage->is_done ? 0 : 1;
    }
}

static void give_up(struct watch *watch, struct lineage *lineage, const struct air_status *status) {
    lineage->is_done = true;
    air_text_format(&watch->failures, "thinair: %.*s (%s): %.*s", (int)status->certificate.size,
        (const char *)status->certificate.data, air_key_type_text(status->key_type),
        (int)status->last_error.size, (const char *)status->last_error.data);
    air_buffer_append_text(&watch->failures, "\n");
}

static void settle(struct watch *watch, struct lineage *lineage, const struct air_status *status) {
    bool is_new = status->generation > lineage->generation;
    bool is_valid = status->is_current && status->generation > 0 &&
                    status->not_after_ms > watch->now_ms && status->state == AIR_STATE_WAITING;

    if (is_valid && (is_new || !lineage->is_wanted)) {
        lineage->is_done = true;
        lineage->not_after_ms = status->not_after_ms;
    } else if (status->failures_count > lineage->failures_count ||
               (!lineage->is_wanted && has_failed(watch, status))) {
        give_up(watch, lineage, status);
    } else if (status->state == AIR_STATE_RETRYING && lineage->retrying_ms == 0) {
        lineage->retrying_ms = watch->now_ms;
    }
}

/*
 * A failure of an earlier run has put the next try off, for hours perhaps; whoever calls the
 * command wants one now. Only a whole certificate can be ordered anew: where its other lineage is
 * well, that one would be ordered for nothing, and the try stays where it is.
 */
static void try_again(struct watch *watch, struct air_engine *engine, size_t index) {
    char id[AIR_ID_SIZE_MAX + 1] = "";
    struct air_status status = {.step = ""};
    bool has_well_one = false;

    if (air_engine_status(engine, index, &status) != AIR_OK) {
        return;
    }
    memcpy(id, status.certificate.data, status.certificate.size);
    for (size_t i = index < 1 ? 0 : index - 1; i < watch->lineages_count && i <= index + 1; i++) {
        has_well_one =
            has_well_one || (air_engine_status(engine, i, &status) == AIR_OK &&
                                air_span_equal_text(status.certificate, id) &&
                                status.generation > 0 && status.state == AIR_STATE_WAITING);
    }
    if (air_engine_status(engine, index, &status) != AIR_OK) {
        return;
    }
    if (has_well_one || air_engine_certificate_renew(engine, status.certificate) != AIR_OK) {
        give_up(watch, &watch->lineages[index], &status);
        return;
    }
    watch->lineages[index].is_wanted = true;
    watch->lineages[index].failures_count = status.failures_count;
}

static void on_event(void *context, const struct air_event_action *event) {
    struct watch *watch = context;

    pthread_mutex_lock(&watch->mutex);
    if (event->event == AIR_EVENT_ATTEMPT_FAILED) {
        void *items = watch->failed;
        struct failure *failure =
            air_pool_append(&watch->pool, &items, &watch->failed_count, sizeof(*failure));

        watch->failed = items;
        if (failure != NULL) {
            const char *id = air_pool_text(&watch->pool, event->certificate);

            *failure = (struct failure){id != NULL ? id : "", event->key_type};
        }
    }
    watch->is_changed = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->mutex);
}

static struct timespec after(clockid_t clock, long ms) {
    struct timespec moment;

    clock_gettime(clock, &moment);
    moment.tv_nsec += ms % 1000 * 1000000;
    moment.tv_sec += ms / 1000 + moment.tv_nsec / 1000000000;
    moment.tv_nsec %= 1000000000;
    return moment;
}

static void wait_for_change(struct watch *watch, const sigset_t *signals, bool *is_told_to_stop) {
    const long rest_ms =
        watch->lineages_count < REST_MS_MAX ? (long)watch->lineages_count : REST_MS_MAX;
    const struct timespec rest = {0, rest_ms * 1000000};
    const struct timespec until = after(CLOCK_REALTIME, LOOK_MS);

    *is_told_to_stop = sigtimedwait(signals, NULL, &rest) > 0;
    pthread_mutex_lock(&watch->mutex);
    while (!watch->is_changed && !*is_told_to_stop) {
        if (pthread_cond_timedwait(&watch->changed, &watch->mutex, &until) != 0) {
            break;
        }
    }
    watch->is_changed = false;
    pthread_mutex_unlock(&watch->mutex);
}

static void print_nothing_to_do(const struct watch *watch) {
    const struct air_plan *plan = &watch->service.plan;
    size_t at = 0;

    /* Lineages come certificate by certificate, as the plan has them. */
    for (size_t i = 0; i < plan->certificates_count; i++) {
        struct air_buffer date;
        air_time_ms not_after_ms = INT64_MAX;

        for (size_t j = 0;
             j < plan->certificates[i].spec.key_types_count && at < watch->lineages_count;
             j++, at++) {
            if (watch->lineages[at].not_after_ms < not_after_ms) {
                not_after_ms = watch->lineages[at].not_after_ms;
            }
        }
        air_buffer_init(&date, 64);
        if (air_time_write_rfc3339(not_after_ms / 1000 * 1000, &date) == AIR_OK) {
            printf("nothing to do: %s is valid until %.*s\n",
                (const char *)plan->certificates[i].spec.id.data, (int)date.size,
                (const char *)date.data);
        }
        air_buffer_deinit(&date);
    }
}

static enum air_exit conclude(struct watch *watch) {
    bool has_news = air_server_requests_count(watch->service.server) > 0;

    if (watch->open_count > 0 || watch->failures.size > 0) {
        fwrite(watch->failures.data, 1, watch->failures.size, stderr);
        return AIR_EXIT_FAILED;
    }
    if (!has_news) {
        print_nothing_to_do(watch);
        return AIR_EXIT_DONE;
    }
    for (size_t i = 0; i < watch->service.plan.certificates_count; i++) {
        printf("stored: %s/live/%s/\n", watch->service.plan.state_dir,
            (const char *)watch->service.plan.certificates[i].spec.id.data);
    }
    return AIR_EXIT_DONE;
}
