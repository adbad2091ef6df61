/* SPDX-License-Identifier: MIT */
/*
 * `thinair run`: the daemon. The main thread waits for signals; everything else has threads of its
 * own. A CA that cannot be reached, a backend that is down or a hook that fails never ends it.
 *
 * Invariant: from the moment it serves, only a signal ends it, or a CA's unanswered terms when
 * there is no certificate at all.
 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hosts/program/admin.h"
#include "hosts/program/command.h"
#include "hosts/program/notify.h"
#include "hosts/program/reload.h"
#include "hosts/program/served.h"
#include "hosts/program/text.h"
#include "src/base/span.h"

/* How long open connections may take to end when the daemon is told to stop. */
#define GRACE_MS 10000
/* How often a backend whose host did not resolve is tried again. */
#define ROUTES_RETRY_S 5

struct daemon {
    struct air_service service;
    const struct air_invocation *invocation;
    struct air_admin *admin;
    pthread_mutex_t reload_mutex; /* one reload at a time; guards has_bad_routes */
    bool has_bad_routes;          /* not set yet, or a host did not resolve */
};

static enum air_error start(struct daemon *daemon, struct air_buffer *reason);
static enum air_exit wait_for_end(struct daemon *daemon, const sigset_t *signals);
static void set_routes(struct daemon *daemon);
static void write_status(void *context, struct air_buffer *out);
static enum air_error renew(void *context, air_span id, struct air_buffer *reason);
static enum air_error reload(void *context, struct air_buffer *reason);

/* Signals are read by the main thread, in wait_for_end(); no other thread may be interrupted. */
static void block_signals(sigset_t *signals) {
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

enum air_exit air_command_run(struct air_invocation *invocation) {
    struct daemon daemon = {.invocation = invocation, .has_bad_routes = true};
    struct air_buffer reason;
    struct air_plan plan;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_RUN, &plan);
    enum air_error error;
    sigset_t signals;

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    block_signals(&signals);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    air_service_init(&daemon.service, &plan, AIR_LOG_TEXT);
    pthread_mutex_init(&daemon.reload_mutex, NULL);
    error = start(&daemon, &reason);
    if (error == AIR_OK) {
        status = wait_for_end(&daemon, &signals);
        air_notify_send("STOPPING=1");
        air_log_line(&daemon.service.log, AIR_INFO, "stopping");
    } else {
        air_command_complain(&reason, error);
        status = AIR_EXIT_FAILED;
    }
    air_admin_stop(daemon.admin);
    air_service_stop(&daemon.service, error == AIR_OK ? GRACE_MS : 0);
    pthread_mutex_destroy(&daemon.reload_mutex);
    air_buffer_deinit(&reason);
    return status;
}

static enum air_error start(struct daemon *daemon, struct air_buffer *reason) {
    struct air_service *service = &daemon->service;
    struct air_admin_config admin = {.size = sizeof(admin),
        .path = service->plan.admin_path,
        .log = &service->log,
        .context = daemon,
        .status = write_status,
        .renew = renew,
        .reload = reload};
    enum air_error error = air_service_start(service, AIR_SERVICE_DAEMON, reason);

    if (error != AIR_OK) {
        return error;
    }
    set_routes(daemon);
    air_log_line(&service->log, AIR_INFO, "thinair %s serves %zu certificate%s from %s",
        AIR_VERSION_TEXT, service->plan.certificates_count,
        service->plan.certificates_count == 1 ? "" : "s", service->plan.state_dir);
    if (geteuid() == 0) {
        air_log_line(&service->log, AIR_WARNING,
            "running as root; give --user and let it drop privileges once the ports are bound");
    }
    /* From here on another thread may change the plan. */
    error = air_admin_start(&admin, &daemon->admin, reason);
    if (error != AIR_OK) {
        return error;
    }
    air_notify_send("READY=1");
    return AIR_OK;
}

static void look_for_generation(void *context, struct air_engine *engine) {
    bool *has_one = context;
    const size_t count = air_engine_lineages_count(engine);

    for (size_t i = 0; i < count; i++) {
        struct air_status status = {.step = ""};

        *has_one =
            *has_one || (air_engine_status(engine, i, &status) == AIR_OK && status.generation > 0);
    }
}

/* A certificate that is there keeps being served, whatever a CA asks for. */
static bool must_end_for_terms(struct air_service *service) {
    bool has_one = false;

    if (!atomic_load(&service->are_terms_required)) {
        return false;
    }
    air_server_call(service->server, look_for_generation, &has_one);
    return !has_one;
}

static enum air_exit wait_for_end(struct daemon *daemon, const sigset_t *signals) {
    const struct timespec second = {1, 0};
    unsigned turns_count = 0;

    for (;;) {
        int number = sigtimedwait(signals, NULL, &second);
        struct air_buffer reason;

        if (number == SIGTERM || number == SIGINT) {
            return AIR_EXIT_DONE;
        }
        if (number == SIGHUP) {
            air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
            if (reload(daemon, &reason) != AIR_OK) {
                air_log_line(&daemon->service.log, AIR_ALARM, "reload: nothing changed: %.*s",
                    (int)reason.size, (const char *)reason.data);
            }
            air_buffer_deinit(&reason);
        }
        if (must_end_for_terms(&daemon->service)) {
            return AIR_EXIT_WRONG_USE;
        }
        turns_count++;
        if (turns_count % ROUTES_RETRY_S == 0) {
            set_routes(daemon);
        }
    }
}

static void set_routes(struct daemon *daemon) {
    struct air_buffer reason;

    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    pthread_mutex_lock(&daemon->reload_mutex);
    if (daemon->has_bad_routes) {
        enum air_error error =
            air_service_routes_set(&daemon->service, &daemon->service.plan, &reason);

        daemon->has_bad_routes = error != AIR_OK;
        if (error != AIR_OK) {
            air_log_line(&daemon->service.log, AIR_WARNING, "%.*s", (int)reason.size,
                (const char *)reason.data);
        }
    }
    pthread_mutex_unlock(&daemon->reload_mutex);
    air_buffer_deinit(&reason);
}

static void write_status(void *context, struct air_buffer *out) {
    struct daemon *daemon = context;

    air_service_report(&daemon->service, out);
}

struct renewal {
    air_span id; /* empty: all */
    const struct air_plan *plan;
    enum air_error error;
};

static void renew_in(void *context, struct air_engine *engine) {
    struct renewal *renewal = context;

    if (renewal->id.size > 0) {
        renewal->error = air_engine_certificate_renew(engine, renewal->id);
        return;
    }
    for (size_t i = 0; i < renewal->plan->certificates_count && renewal->error == AIR_OK; i++) {
        renewal->error =
            air_engine_certificate_renew(engine, renewal->plan->certificates[i].spec.id);
    }
}

/* An id is meant as it is; a name means the certificate that has it. */
static air_span find_id(const struct air_plan *plan, air_span name) {
    for (size_t i = 0; i < plan->certificates_count; i++) {
        const struct air_certificate_spec *spec = &plan->certificates[i].spec;

        for (size_t j = 0; j < spec->names_count; j++) {
            if (air_span_equal(spec->names[j], name)) {
                return spec->id;
            }
        }
    }
    return name;
}

static enum air_error renew(void *context, air_span id, struct air_buffer *reason) {
    struct daemon *daemon = context;
    struct renewal renewal = {.plan = &daemon->service.plan};

    /* The plan changes only under this mutex, and the engine's thread never takes it. */
    pthread_mutex_lock(&daemon->reload_mutex);
    renewal.id = air_plan_find(renewal.plan, id) != NULL ? id : find_id(renewal.plan, id);
    air_server_call(daemon->service.server, renew_in, &renewal);
    pthread_mutex_unlock(&daemon->reload_mutex);
    if (renewal.error == AIR_ERR_NOT_FOUND) {
        air_text_format(reason, "the daemon has no certificate %.*s; see 'thinair list'",
            (int)id.size, (const char *)id.data);
    }
    return renewal.error;
}

static enum air_error reload(void *context, struct air_buffer *reason) {
    struct daemon *daemon = context;
    struct air_settings settings;
    struct air_plan plan = {.state_dir = NULL};
    enum air_error error;

    air_settings_init(&settings);
    pthread_mutex_lock(&daemon->reload_mutex);
    error = air_invocation_read(daemon->invocation, &settings, reason);
    if (error == AIR_OK) {
        error = air_plan_make(&settings, AIR_PURPOSE_RUN, &plan, reason);
    }
    if (error == AIR_OK) {
        error = air_reload(&daemon->service, &plan, &daemon->has_bad_routes, reason);
    }
    if (error == AIR_OK) {
        air_log_line(&daemon->service.log, AIR_INFO, "reload: %zu certificate%s asked for",
            daemon->service.plan.certificates_count,
            daemon->service.plan.certificates_count == 1 ? "" : "s");
    }
    pthread_mutex_unlock(&daemon->reload_mutex);
    air_plan_deinit(&plan);
    air_settings_deinit(&settings);
    return error;
}
