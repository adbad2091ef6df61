/* SPDX-License-Identifier: MIT */
/*
 * From what the user said to what is meant: defaults, addresses, paths. Certificates are judged in
 * plan_certificate.c, CAs in plan_authority.c.
 *
 * Invariant: a plan that was made points only into itself; settings may go.
 */
#include "hosts/program/plan.h"

#include <string.h>

#include "hosts/program/plan_parts.h"
#include "hosts/program/text.h"
#include "src/base/span.h"

/* Longest path that fits a unix socket's address, with its zero byte (unix(7)). */
#define SOCKET_PATH_SIZE_MAX 107

static enum air_error plan_paths(struct air_planning *planning);
static enum air_error plan_addresses(struct air_planning *planning);
static enum air_error plan_alpn(struct air_planning *planning);
static enum air_error plan_certificates(struct air_planning *planning);

enum air_error air_plan_make(const struct air_settings *settings, enum air_purpose purpose,
    struct air_plan *out, struct air_buffer *reason) {
    struct air_planning planning = {settings, purpose, out, reason};
    enum air_error error;

    memset(out, 0, sizeof(*out));
    air_pool_init(&out->pool);
    error = plan_paths(&planning);
    if (error != AIR_OK || purpose == AIR_PURPOSE_REPORT) {
        return error;
    }
    error = plan_addresses(&planning);
    if (error == AIR_OK) {
        error = plan_alpn(&planning);
    }
    if (error == AIR_OK) {
        error = air_plan_authorities_check(&planning);
    }
    if (error == AIR_OK) {
        error = plan_certificates(&planning);
    }
    return error;
}

void air_plan_deinit(struct air_plan *plan) {
    air_pool_deinit(&plan->pool);
    memset(plan, 0, sizeof(*plan));
}

static const char *copy_or(
    struct air_planning *planning, const struct air_value *value, const char *otherwise) {
    const char *text = value->text != NULL ? value->text : otherwise;

    return air_pool_text(&planning->plan->pool, air_span_text(text));
}

static enum air_error plan_paths(struct air_planning *planning) {
    const struct air_settings *settings = planning->settings;
    struct air_plan *plan = planning->plan;
    const char *format = settings->log_format.text;
    struct air_buffer admin;
    enum air_error error = AIR_OK;

    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        air_place_complain(planning->reason, settings->log_format.place,
            "log-format is text or json, not %s", format);
        return AIR_ERR_MALFORMED;
    }
    plan->is_json_log = format != NULL && strcmp(format, "json") == 0;
    plan->proxy_protocol = air_value_is_true(&settings->proxy_protocol);
    plan->state_dir = copy_or(planning, &settings->state, AIR_PLAN_STATE_DEFAULT);
    if (settings->user.text != NULL) {
        plan->user = copy_or(planning, &settings->user, "");
    }
    air_buffer_init(&admin, AIR_STORAGE_VALUE_SIZE_MAX);
    if (settings->admin.text != NULL) {
        air_buffer_append_text(&admin, settings->admin.text);
    } else if (plan->state_dir != NULL) {
        air_buffer_append_text(&admin, plan->state_dir);
        air_buffer_append_text(&admin, "/admin.sock");
    }
    plan->admin_path = air_pool_text(&plan->pool, air_buffer_span(&admin));
    if (plan->state_dir == NULL || plan->admin_path == NULL || admin.error != AIR_OK) {
        error = AIR_ERR_NO_MEMORY;
    } else if (admin.size > SOCKET_PATH_SIZE_MAX) {
        air_place_complain(planning->reason,
            settings->admin.text != NULL ? settings->admin.place : settings->state.place,
            "the admin socket's path %s is longer than %d bytes; choose a shorter one with admin",
            plan->admin_path, SOCKET_PATH_SIZE_MAX);
        error = AIR_ERR_LIMIT;
    }
    air_buffer_deinit(&admin);
    return error;
}

static enum air_error plan_list(struct air_planning *planning, const struct air_values *texts,
    const char *otherwise, struct air_address *out, size_t *count) {
    struct air_buffer mistake;
    enum air_error error = AIR_OK;

    *count = 0;
    if (texts->place.source == NULL && otherwise != NULL) {
        *count = 1;
        return air_address_read(air_span_text(otherwise), true, &out[0], planning->reason);
    }
    air_buffer_init(&mistake, AIR_TEXT_SIZE_MAX);
    for (size_t i = 0; i < texts->count && error == AIR_OK; i++) {
        const struct air_value *text = &texts->items[i];

        if (*count == AIR_PLAN_ADDRESSES_MAX) {
            air_place_complain(planning->reason, text->place, "at most %d addresses are taken",
                AIR_PLAN_ADDRESSES_MAX);
            error = AIR_ERR_LIMIT;
        } else {
            error = air_address_read(air_span_text(text->text), true, &out[*count], &mistake);
            *count += 1;
        }
        if (error == AIR_ERR_MALFORMED) {
            air_place_complain(planning->reason, text->place, "%.*s", (int)mistake.size,
                (const char *)mistake.data);
        }
    }
    air_buffer_deinit(&mistake);
    return error;
}

static bool wants_tls_alpn(const struct air_settings *settings) {
    const struct air_values *challenge = &settings->by_flags.challenge;

    for (size_t i = 0; i < challenge->count; i++) {
        if (strcmp(challenge->items[i].text, "tls-alpn-01") == 0) {
            return true;
        }
    }
    return false;
}

/* `issue` listens with TLS only when asked to: the port is usually somebody else's. */
static enum air_error plan_addresses(struct air_planning *planning) {
    const struct air_settings *settings = planning->settings;
    struct air_plan *plan = planning->plan;
    bool is_issue = planning->purpose == AIR_PURPOSE_ISSUE;
    bool is_tls_only =
        is_issue && wants_tls_alpn(settings) && settings->by_flags.challenge.count == 1;
    const char *listen = !is_issue || wants_tls_alpn(settings) ? ":443" : NULL;
    enum air_error error =
        plan_list(planning, &settings->listen, listen, plan->listen, &plan->listen_count);

    if (error != AIR_OK) {
        return error;
    }
    return plan_list(
        planning, &settings->http, is_tls_only ? NULL : ":80", plan->http, &plan->http_count);
}

static enum air_error plan_alpn(struct air_planning *planning) {
    static const struct air_value usual = {"http/1.1", {NULL, 0}};
    const struct air_values *given = &planning->settings->alpn;
    const struct air_value *protocols = given->place.source != NULL ? given->items : &usual;
    size_t count = given->place.source != NULL ? given->count : 1;
    struct air_plan *plan = planning->plan;

    for (size_t i = 0; i < count; i++) {
        const char *text = protocols[i].text;
        size_t size = strlen(text);

        if (size == 0 || strcmp(text, "acme-tls/1") == 0) {
            air_place_complain(planning->reason, protocols[i].place,
                "\"%s\" is no protocol to offer; write h2,http/1.1", text);
            return AIR_ERR_MALFORMED;
        }
        if (size > UINT8_MAX || plan->alpn_size + 1 + size > sizeof(plan->alpn)) {
            air_place_complain(planning->reason, protocols[i].place,
                "the protocols are longer than %d bytes together", AIR_PLAN_ALPN_SIZE_MAX);
            return AIR_ERR_LIMIT;
        }
        plan->alpn[plan->alpn_size] = (uint8_t)size;
        memcpy(plan->alpn + plan->alpn_size + 1, text, size);
        plan->alpn_size += 1 + size;
    }
    return AIR_OK;
}

/* The first flag that describes a certificate, for a complaint; source NULL when none was given. */
static struct air_place flagged(const struct air_certificate_settings *flags) {
    const struct air_place places[] = {flags->names.place, flags->id.place, flags->keys.place,
        flags->challenge.place, flags->to.place, flags->renew_before.place,
        flags->must_staple.place};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].source != NULL) {
            return places[i];
        }
    }
    return (struct air_place){NULL, 0};
}

static enum air_error plan_certificates(struct air_planning *planning) {
    const struct air_settings *settings = planning->settings;
    struct air_place flag = flagged(&settings->by_flags);
    enum air_error error = AIR_OK;

    if (settings->config.text == NULL) {
        if (settings->by_flags.names.count == 0) {
            air_place_complain(planning->reason, (struct air_place){"--name", 0},
                "is missing: say which names the certificate is for, or give a file by --config");
            return AIR_ERR_MALFORMED;
        }
        return air_plan_certificate(planning, &settings->by_flags);
    }
    if (flag.source != NULL) {
        air_place_complain(planning->reason, flag,
            "cannot be given together with --config; put it under certificates: in %s",
            settings->config.text);
        return AIR_ERR_MALFORMED;
    }
    if (settings->certificates_count == 0) {
        air_place_complain(planning->reason, (struct air_place){settings->config.text, 0},
            "names no certificate; add certificates: with at least one - name:");
        return AIR_ERR_MALFORMED;
    }
    for (size_t i = 0; i < settings->certificates_count && error == AIR_OK; i++) {
        error = air_plan_certificate(planning, &settings->certificates[i]);
    }
    return error == AIR_OK ? air_plan_certificates_check(planning) : error;
}

const struct air_plan_certificate *air_plan_find(const struct air_plan *plan, air_span id) {
    for (size_t i = 0; i < plan->certificates_count; i++) {
        if (air_span_equal(plan->certificates[i].spec.id, id)) {
            return &plan->certificates[i];
        }
    }
    return NULL;
}

bool air_plan_uses(const struct air_plan *plan, enum air_challenge_type type) {
    for (size_t i = 0; i < plan->certificates_count; i++) {
        const struct air_certificate_spec *spec = &plan->certificates[i].spec;

        for (size_t j = 0; j < spec->challenges_count; j++) {
            if (spec->challenges[j] == type) {
                return true;
            }
        }
    }
    return false;
}
