/* SPDX-License-Identifier: MIT */
/*
 * Taking up a changed configuration: the engine first, because it can refuse; then routes and
 * redirects; then what nobody asks for any more goes. A certificate of the new plan is thus known
 * everywhere before one of the old plan is dropped anywhere.
 *
 * Invariant: after a failure the engine has the old plan again.
 */
#include "hosts/program/reload.h"

#include <string.h>

#include "hosts/program/text.h"
#include "src/base/span.h"

struct change {
    const struct air_plan *old;
    const struct air_plan *fresh;
    struct air_buffer *reason;
    enum air_error error;
};

static void apply(void *context, struct air_engine *engine);
static void take_back(void *context, struct air_engine *engine);
static void drop(void *context, struct air_engine *engine);
static void warn_of_fixed(const struct air_service *service, const struct air_plan *fresh);

enum air_error air_reload(struct air_service *service, struct air_plan *plan, bool *has_bad_routes,
    struct air_buffer *reason) {
    struct change change = {&service->plan, plan, reason, AIR_OK};
    struct air_plan old;
    enum air_error error;

    air_server_call(service->server, apply, &change);
    if (change.error == AIR_OK) {
        change.error = air_service_names_set(service, plan);
    }
    if (change.error == AIR_OK) {
        error = air_service_routes_set(service, plan, reason);
        *has_bad_routes = error == AIR_ERR_NETWORK;
        change.error = *has_bad_routes ? AIR_OK : error;
    }
    if (change.error != AIR_OK) {
        air_server_call(service->server, take_back, &change);
        (void)air_service_names_set(service, &service->plan);
        return change.error;
    }
    warn_of_fixed(service, plan);
    air_server_call(service->server, drop, &change);
    for (size_t i = 0; i < service->plan.certificates_count; i++) {
        air_span id = service->plan.certificates[i].spec.id;

        if (air_plan_find(plan, id) == NULL) {
            /* One that was never issued is not in the table. */
            enum air_error gone =
                air_tls_certificate_remove(air_server_tls(service->server), id, AIR_KEY_NONE);

            air_log_line(&service->log, AIR_INFO, "%s: no longer asked for%s",
                (const char *)id.data, gone == AIR_OK ? ", no longer served" : "");
        }
    }
    pthread_mutex_lock(&service->mutex);
    old = service->plan;
    service->plan = *plan;
    pthread_mutex_unlock(&service->mutex);
    air_plan_deinit(&old);
    memset(plan, 0, sizeof(*plan));
    return AIR_OK;
}

static enum air_error set_all(
    struct air_engine *engine, const struct air_plan *plan, struct air_buffer *reason) {
    enum air_error error = AIR_OK;

    for (size_t i = 0; i < plan->authorities_count && error == AIR_OK; i++) {
        error = air_engine_authority_set(engine, &plan->authorities[i]);
    }
    for (size_t i = 0; i < plan->certificates_count && error == AIR_OK; i++) {
        error = air_engine_certificate_set(engine, &plan->certificates[i].spec, reason);
    }
    return error;
}

static void remove_missing(
    struct air_engine *engine, const struct air_plan *from, const struct air_plan *in) {
    for (size_t i = 0; i < from->certificates_count; i++) {
        if (air_plan_find(in, from->certificates[i].spec.id) == NULL) {
            enum air_error error =
                air_engine_certificate_remove(engine, from->certificates[i].spec.id);
            (void)error; /* one that the engine does not know is gone */
        }
    }
}

static void apply(void *context, struct air_engine *engine) {
    struct change *change = context;

    change->error = set_all(engine, change->fresh, change->reason);
}

static void take_back(void *context, struct air_engine *engine) {
    struct change *change = context;
    enum air_error error;

    remove_missing(engine, change->fresh, change->old);
    error = set_all(engine, change->old, NULL);
    (void)error; /* it was accepted before */
}

static void drop(void *context, struct air_engine *engine) {
    struct change *change = context;

    remove_missing(engine, change->old, change->fresh);
}

static bool same_addresses(
    const struct air_address *a, size_t a_count, const struct air_address *b, size_t b_count) {
    for (size_t i = 0; a_count == b_count && i < a_count; i++) {
        if (a[i].port != b[i].port || strcmp(a[i].host, b[i].host) != 0) {
            return false;
        }
    }
    return a_count == b_count;
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void warn_of_fixed(const struct air_service *service, const struct air_plan *fresh) {
    const struct air_plan *old = &service->plan;
    const struct {
        const char *key;
        bool is_same;
    } parts[] = {
        {"listen",
            same_addresses(old->listen, old->listen_count, fresh->listen, fresh->listen_count)},
        {"http", same_addresses(old->http, old->http_count, fresh->http, fresh->http_count)},
        {"state", same_text(old->state_dir, fresh->state_dir)},
        {"user", same_text(old->user, fresh->user)},
        {"admin", same_text(old->admin_path, fresh->admin_path)},
        {"log-format", old->is_json_log == fresh->is_json_log},
        {"alpn", old->alpn_size == fresh->alpn_size &&
                     memcmp(old->alpn, fresh->alpn, fresh->alpn_size) == 0},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!parts[i].is_same) {
            air_log_line(&service->log, AIR_WARNING,
                "reload: %s has changed, which takes effect at the next start", parts[i].key);
        }
    }
}
