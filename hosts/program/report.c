/* SPDX-License-Identifier: MIT */
/*
 * The report's two ends: writing it as JSON and showing it to people. Both ends are in one file so
 * that they change together.
 *
 * Invariant: what is shown was escaped when it was taken out of the JSON: texts of a CA reach no
 * terminal raw.
 */
#include "hosts/program/report.h"

#include <jansson.h>
#include <string.h>

#include "hosts/program/text.h"
#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

static void put_time(struct air_buffer *out, const char *key, air_time_ms wall_ms);
static bool is_meant(const json_t *row, air_span name);
static void show_row(
    const json_t *row, enum air_report_style style, air_time_ms now_ms, struct air_buffer *out);
static enum air_error parse(air_span json, json_t **top, json_t **rows);

void air_report_begin(struct air_buffer *out, bool is_daemon) {
    air_json_begin(out, NULL, '{');
    air_json_put_text(out, "version", air_span_text(AIR_VERSION_TEXT));
    air_json_put_bool(out, "daemon", is_daemon);
    air_json_begin(out, "certificates", '[');
}

void air_report_put(struct air_buffer *out, const struct air_status *status, const char *state) {
    struct air_buffer serial;

    air_buffer_init(&serial, 2 * AIR_SERIAL_SIZE_MAX);
    air_json_begin(out, NULL, '{');
    air_json_put_text(out, "id", status->certificate);
    air_json_put_text(out, "key_type", air_span_text(air_key_type_text(status->key_type)));
    air_json_begin(out, "names", '[');
    for (size_t i = 0; i < status->names_count; i++) {
        air_json_put_text(out, NULL, status->names[i]);
    }
    air_json_end(out, ']');
    air_json_put_text(out, "ca", status->directory_url);
    air_json_put_text(
        out, "state", air_span_text(state != NULL ? state : air_state_text(status->state)));
    if (status->step != NULL && status->step[0] != '\0') {
        air_json_put_text(out, "step", air_span_text(status->step));
    }
    air_json_put_bool(out, "current", status->is_current);
    if (status->generation > 0) {
        air_json_put_integer(out, "generation", status->generation);
        const air_span number = air_span_of(status->serial, status->serial_size);

        if (air_hex_encode_serial(number, &serial) == AIR_OK) {
            air_json_put_text(out, "serial", air_buffer_span(&serial));
        }
        put_time(out, "not_before", status->not_before_ms);
        put_time(out, "not_after", status->not_after_ms);
    }
    put_time(out, "next", status->next_ms);
    air_json_put_integer(out, "failures", status->failures_count);
    if (status->last_error.size > 0) {
        air_json_put_text(out, "last_error", status->last_error);
    }
    air_json_end(out, '}');
    air_buffer_deinit(&serial);
}

void air_report_end(struct air_buffer *out) {
    air_json_end(out, ']');
    air_json_end(out, '}');
}

static void put_time(struct air_buffer *out, const char *key, air_time_ms wall_ms) {
    struct air_buffer text;

    if (wall_ms == 0) {
        return;
    }
    air_buffer_init(&text, 64);
    if (air_time_write_rfc3339(wall_ms / 1000 * 1000, &text) == AIR_OK) {
        air_json_put_text(out, key, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
}

enum air_error air_report_show(air_span json, air_span name, enum air_report_style style,
    air_time_ms now_ms, struct air_buffer *out, size_t *shown) {
    json_t *top = NULL;
    json_t *rows = NULL;
    enum air_error error = parse(json, &top, &rows);

    *shown = 0;
    for (size_t i = 0; error == AIR_OK && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (!is_meant(row, name)) {
            continue;
        }
        if (*shown == 0 && style == AIR_REPORT_TABLE) {
            air_text_format(out, "%-28s %-10s %-12s %-16s %-16s %-28s %s", "CERTIFICATE", "KEY",
                "STATE", "EXPIRES", "NEXT", "CA", "SERIAL");
            air_buffer_append_text(out, "\n");
        } else if (*shown > 0 && style == AIR_REPORT_DETAIL) {
            air_buffer_append_text(out, "\n");
        }
        show_row(row, style, now_ms, out);
        *shown += 1;
    }
    json_decref(top);
    return error == AIR_OK ? out->error : error;
}

enum air_error air_report_select(
    air_span json, air_span name, struct air_buffer *out, size_t *shown) {
    json_t *top = NULL;
    json_t *rows = NULL;
    enum air_error error = parse(json, &top, &rows);
    char *text = NULL;

    *shown = 0;
    if (error != AIR_OK) {
        return error;
    }
    for (size_t i = json_array_size(rows); i > 0; i--) {
        if (!is_meant(json_array_get(rows, i - 1), name)) {
            json_array_remove(rows, i - 1);
        }
    }
    *shown = json_array_size(rows);
    text = json_dumps(top, JSON_COMPACT);
    json_decref(top);
    if (text == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    air_buffer_append_text(out, text);
    free(text);
    return out->error;
}

static enum air_error parse(air_span json, json_t **top, json_t **rows) {
    *top = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, NULL);
    *rows = *top == NULL ? NULL : json_object_get(*top, "certificates");
    if (!json_is_array(*rows)) {
        json_decref(*top);
        *top = NULL;
        return AIR_ERR_MALFORMED;
    }
    return AIR_OK;
}

static bool is_meant(const json_t *row, air_span name) {
    const json_t *names = json_object_get(row, "names");

    if (name.size == 0 || air_span_equal(air_json_text(row, "id"), name)) {
        return true;
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *text = json_string_value(json_array_get(names, i));

        if (text != NULL && air_span_equal_text(name, text)) {
            return true;
        }
    }
    return false;
}

/* "2026-11-23 15:04" of an RFC 3339 text; "-" when there is none. */
static air_span short_date(const json_t *row, const char *key, char out[17]) {
    air_span text = air_json_text(row, key);

    if (text.size < 16) {
        return air_span_text("-");
    }
    memcpy(out, text.data, 16);
    out[10] = ' ';
    out[16] = '\0';
    return air_span_of(out, 16);
}

static air_span host_of(air_span url) {
    air_span host = air_span_starts_with(url, "https://") ? air_span_skip(url, 8) : url;

    return air_span_take(host, air_span_find(host, '/'));
}

static void show_line(const json_t *row, struct air_buffer *out) {
    char expires[17];
    char next[17];
    const air_span cells[] = {air_json_text(row, "id"), air_json_text(row, "key_type"),
        air_json_text(row, "state"), short_date(row, "not_after", expires),
        short_date(row, "next", next), host_of(air_json_text(row, "ca")),
        air_json_text(row, "serial")};
    static const int widths[] = {28, 10, 12, 16, 16, 28, 1};

    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        air_span cell = cells[i].size > 0 ? cells[i] : air_span_text("-");

        air_text_format(
            out, "%s%-*.*s", i > 0 ? " " : "", widths[i], (int)cell.size, (const char *)cell.data);
    }
    air_buffer_append_text(out, "\n");
    if (air_json_text(row, "last_error").size > 0) {
        air_buffer_append_text(out, "  last error: ");
        air_text_put(out, air_json_text(row, "last_error"));
        air_buffer_append_text(out, "\n");
    }
}

static void show_field(struct air_buffer *out, const char *label, air_span value) {
    if (value.size > 0) {
        air_text_format(out, "  %-14s", label);
        air_text_put(out, value);
        air_buffer_append_text(out, "\n");
    }
}

static void show_life(const json_t *row, air_time_ms now_ms, struct air_buffer *out) {
    air_span from = air_json_text(row, "not_before");
    air_span to = air_json_text(row, "not_after");
    air_time_ms end_ms;
    air_time_ms left_m;

    if (air_time_read_rfc3339(to, &end_ms) != AIR_OK) {
        show_field(out, "valid", air_span_text("no certificate yet"));
        return;
    }
    left_m = (end_ms - now_ms) / 60000;
    air_text_format(out, "  %-14s%.*s to %.*s, ", "valid", (int)from.size, (const char *)from.data,
        (int)to.size, (const char *)to.data);
    if (end_ms <= now_ms) {
        air_buffer_append_text(out, "EXPIRED");
    } else if (left_m >= 2 * 24 * 60) {
        air_text_format(out, "%lld days left", (long long)(left_m / (24 * 60)));
    } else if (left_m >= 2 * 60) {
        air_text_format(out, "%lld hours left", (long long)(left_m / 60));
    } else {
        air_text_format(out, "%lld minutes left", (long long)left_m);
    }
    air_buffer_append_text(out, "\n");
}

static void show_detail(const json_t *row, air_time_ms now_ms, struct air_buffer *out) {
    const json_t *names = json_object_get(row, "names");
    air_span id = air_json_text(row, "id");
    air_span key_type = air_json_text(row, "key_type");
    int64_t failures = air_json_integer(row, "failures", 0);

    air_text_put(out, id);
    air_text_format(out, " (%.*s)", (int)key_type.size, (const char *)key_type.data);
    air_text_format(out, "%s", air_json_true(row, "current") ? "" : ", not what is asked for yet");
    air_buffer_append_text(out, "\n");
    air_text_format(out, "  %-14s", "names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *text = json_string_value(json_array_get(names, i));

        air_text_format(out, "%s%s", i > 0 ? ", " : "", text != NULL ? text : "?");
    }
    air_buffer_append_text(out, "\n");
    show_field(out, "CA", air_json_text(row, "ca"));
    show_field(out, "serial", air_json_text(row, "serial"));
    show_life(row, now_ms, out);
    show_field(out, "next renewal", air_json_text(row, "next"));
    show_field(out, "state", air_json_text(row, "state"));
    show_field(out, "step", air_json_text(row, "step"));
    if (failures > 0) {
        air_text_format(out, "  %-14s%lld since the last success", "failures", (long long)failures);
        air_buffer_append_text(out, "\n");
    }
    show_field(out, "last error", air_json_text(row, "last_error"));
}

static void show_row(
    const json_t *row, enum air_report_style style, air_time_ms now_ms, struct air_buffer *out) {
    switch (style) {
    case AIR_REPORT_TABLE:
        show_line(row, out);
        return;
    case AIR_REPORT_DETAIL:
        show_detail(row, now_ms, out);
        return;
    }
}
