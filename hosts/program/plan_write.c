/* SPDX-License-Identifier: MIT */
/*
 * A plan as the YAML file that says everything it contains, defaults too: what `thinair config`
 * shows. Secrets are not in it: a MAC key of
 * external account binding shows only by its key id.
 */
#include "hosts/program/plan.h"

#include "hosts/program/text.h"
#include "src/base/span.h"

/* A text as a YAML scalar in single quotes, where only the quote itself needs a second one. */
static void put_text(struct air_buffer *out, const char *key, air_span text) {
    air_text_format(out, "%s '", key);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') {
            air_buffer_append_byte(out, '\'');
        }
        air_text_put(out, air_span_of(text.data + i, 1));
    }
    air_buffer_append_text(out, "'\n");
}

static void put_addresses(
    struct air_buffer *out, const char *key, const struct air_address *addresses, size_t count) {
    air_text_format(out, "%s: [", key);
    for (size_t i = 0; i < count; i++) {
        air_buffer_append_text(out, i > 0 ? ", '" : "'");
        air_address_write(&addresses[i], out);
        air_buffer_append_text(out, "'");
    }
    air_buffer_append_text(out, "]\n");
}

static void put_alpn(struct air_buffer *out, const struct air_plan *plan) {
    const char *comma = "";

    air_buffer_append_text(out, "alpn: [");
    for (size_t i = 0; i < plan->alpn_size; i += 1 + (size_t)plan->alpn[i]) {
        air_text_format(
            out, "%s'%.*s'", comma, (int)plan->alpn[i], (const char *)&plan->alpn[i + 1]);
        comma = ", ";
    }
    air_buffer_append_text(out, "]\n");
}

static void put_authorities(struct air_buffer *out, const struct air_plan *plan) {
    air_buffer_append_text(out, "authorities:\n");
    for (size_t i = 0; i < plan->authorities_count; i++) {
        const struct air_authority_spec *spec = &plan->authorities[i];

        air_text_format(out, "  ca%zu:", i + 1);
        air_buffer_append_text(out, "\n");
        put_text(out, "    directory:", spec->directory_url);
        if (spec->trust.size > 0) {
            put_text(out, "    ca-file:", spec->trust);
        }
        for (size_t j = 0; j < spec->contacts_count; j++) {
            air_buffer_append_text(out, j == 0 ? "    contact:\n" : "");
            put_text(out, "      -", spec->contacts[j]);
        }
        air_text_format(out, "    agree-terms: %s", spec->terms_agreed ? "true" : "false");
        air_buffer_append_text(out, "\n");
        if (spec->eab_kid.size > 0) {
            put_text(out, "    eab-kid:", spec->eab_kid);
        }
    }
}

static size_t authority_of(const struct air_plan *plan, air_span url) {
    size_t i = 0;

    while (
        i < plan->authorities_count && !air_span_equal(plan->authorities[i].directory_url, url)) {
        i++;
    }
    return i + 1;
}

/* The largest unit that divides it. */
static void put_period(struct air_buffer *out, air_time_ms period_ms) {
    static const struct {
        air_time_ms ms;
        char letter;
    } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {1000, 's'}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (period_ms % units[i].ms == 0) {
            air_text_format(out, "    renew-before: %lld%c", (long long)(period_ms / units[i].ms),
                units[i].letter);
            air_buffer_append_text(out, "\n");
            return;
        }
    }
}

static void put_certificate(
    struct air_buffer *out, const struct air_plan *plan, const struct air_plan_certificate *one) {
    const struct air_certificate_spec *spec = &one->spec;

    put_text(out, "  - id:", spec->id);
    air_buffer_append_text(out, "    names: [");
    for (size_t i = 0; i < spec->names_count; i++) {
        air_text_format(out, "%s%s", i > 0 ? ", " : "", (const char *)spec->names[i].data);
    }
    air_buffer_append_text(out, "]\n    keys: [");
    for (size_t i = 0; i < spec->key_types_count; i++) {
        air_text_format(out, "%s%s", i > 0 ? ", " : "", air_key_type_text(spec->key_types[i]));
    }
    air_text_format(out, "]");
    air_buffer_append_text(out, "\n    challenge: [");
    for (size_t i = 0; i < spec->challenges_count; i++) {
        air_text_format(
            out, "%s%s", i > 0 ? ", " : "", air_challenge_type_text(spec->challenges[i]));
    }
    air_text_format(out, "]");
    air_buffer_append_text(out, "\n");
    air_text_format(out, "    ca: ca%zu", authority_of(plan, spec->directory_url));
    air_buffer_append_text(out, "\n");
    if (one->to != NULL) {
        put_text(out, "    to:", air_span_text(one->to));
    }
    if (spec->renew_before_ms > 0) {
        put_period(out, spec->renew_before_ms);
    }
    if (spec->must_staple) {
        air_buffer_append_text(out, "    must-staple: true\n");
    }
    for (size_t i = 0; one->on_installed != NULL && one->on_installed[i] != NULL; i++) {
        air_buffer_append_text(out, i == 0 ? "    on-installed:\n" : "");
        put_text(out, "      -", air_span_text(one->on_installed[i]));
    }
}

void air_plan_write(const struct air_plan *plan, struct air_buffer *out) {
    put_text(out, "state:", air_span_text(plan->state_dir));
    put_text(out, "admin:", air_span_text(plan->admin_path));
    if (plan->user != NULL) {
        put_text(out, "user:", air_span_text(plan->user));
    }
    put_addresses(out, "listen", plan->listen, plan->listen_count);
    put_addresses(out, "http", plan->http, plan->http_count);
    put_alpn(out, plan);
    air_text_format(out, "proxy-protocol: %s", plan->proxy_protocol ? "true" : "false");
    air_buffer_append_text(out, "\n");
    put_text(out, "log-format:", air_span_text(plan->is_json_log ? "json" : "text"));
    put_authorities(out, plan);
    air_buffer_append_text(out, "certificates:\n");
    for (size_t i = 0; i < plan->certificates_count; i++) {
        put_certificate(out, plan, &plan->certificates[i]);
    }
}
