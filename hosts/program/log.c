/* SPDX-License-Identifier: MIT */
/*
 * The log. A line is composed in memory and written by one write(), so that lines of different
 * threads do not mix. A log that cannot be written is no reason to stop serving: failures are
 * dropped.
 *
 * Invariant: a line holds no control byte but the newline at its end.
 */
#include "hosts/program/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hosts/program/text.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

#define LINE_SIZE_MAX 8192

static const char *level_text(enum air_level level);
static void begin(
    const struct air_log *log, enum air_level level, air_time_ms wall_ms, struct air_buffer *out);
static void write_line(const struct air_log *log, const struct air_buffer *line);
static void compose_event_json(const struct air_event_action *event, struct air_buffer *out);

void air_log_line(const struct air_log *log, enum air_level level, const char *format, ...) {
    struct air_buffer sentence;
    struct air_buffer line;
    va_list arguments;

    if (level < log->level_least) {
        return;
    }
    air_buffer_init(&sentence, LINE_SIZE_MAX);
    air_buffer_init(&line, LINE_SIZE_MAX);
    va_start(arguments, format);
    air_text_format_list(&sentence, format, arguments);
    va_end(arguments);
    air_log_compose(log, level, air_log_now(), air_buffer_span(&sentence), &line);
    write_line(log, &line);
    air_buffer_deinit(&sentence);
    air_buffer_deinit(&line);
}

void air_log_event(const struct air_log *log, const struct air_event_action *event) {
    struct air_buffer line;

    if (air_event_level(event->event) < log->level_least) {
        return;
    }
    air_buffer_init(&line, LINE_SIZE_MAX);
    air_log_compose_event(log, air_log_now(), event, &line);
    write_line(log, &line);
    air_buffer_deinit(&line);
}

void air_log_compose(const struct air_log *log, enum air_level level, air_time_ms wall_ms,
    air_span sentence, struct air_buffer *out) {
    if (log->format == AIR_LOG_JSON) {
        begin(log, level, wall_ms, out);
        air_json_put_text(out, "text", sentence);
        air_json_end(out, '}');
    } else {
        begin(log, level, wall_ms, out);
        air_text_put(out, sentence);
    }
    air_buffer_append_byte(out, '\n');
}

static void put_key_type(const struct air_event_action *event, struct air_buffer *out) {
    if (event->key_type != AIR_KEY_NONE) {
        air_text_format(out, " (%s)", air_key_type_text(event->key_type));
    }
}

void air_log_compose_event(const struct air_log *log, air_time_ms wall_ms,
    const struct air_event_action *event, struct air_buffer *out) {
    begin(log, air_event_level(event->event), wall_ms, out);
    if (log->format == AIR_LOG_JSON) {
        compose_event_json(event, out);
    } else {
        if (event->certificate.size > 0) {
            air_text_put(out, event->certificate);
            put_key_type(event, out);
            air_buffer_append_text(out, ": ");
        }
        air_buffer_append_text(out, air_event_text(event->event));
        if (event->text.size > 0) {
            air_buffer_append_text(out, ": ");
            air_text_put(out, event->text);
        }
    }
    air_buffer_append_byte(out, '\n');
}

static void put_time(struct air_buffer *out, const char *key, air_time_ms wall_ms) {
    struct air_buffer text;

    if (wall_ms == 0) {
        return;
    }
    air_buffer_init(&text, 64);
    if (air_time_write_rfc3339(wall_ms, &text) == AIR_OK) {
        air_json_put_text(out, key, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
}

static void compose_event_json(const struct air_event_action *event, struct air_buffer *out) {
    air_json_put_text(out, "event", air_span_text(air_event_text(event->event)));
    if (event->certificate.size > 0) {
        air_json_put_text(out, "certificate", event->certificate);
    }
    if (event->key_type != AIR_KEY_NONE) {
        air_json_put_text(out, "key_type", air_span_text(air_key_type_text(event->key_type)));
    }
    if (event->generation > 0) {
        air_json_put_integer(out, "generation", event->generation);
    }
    if (event->authority.size > 0) {
        air_json_put_text(out, "authority", event->authority);
    }
    put_time(out, "not_after", event->not_after_ms);
    put_time(out, "next", event->next_ms);
    air_json_put_text(out, "text", event->text);
    air_json_end(out, '}');
}

static const char *level_text(enum air_level level) {
    switch (level) {
    case AIR_DEBUG:
        return "debug";
    case AIR_INFO:
        return "info";
    case AIR_WARNING:
        return "warning";
    case AIR_ALARM:
        return "alarm";
    }
    return "alarm";
}

static void begin(
    const struct air_log *log, enum air_level level, air_time_ms wall_ms, struct air_buffer *out) {
    if (log->format == AIR_LOG_PHASES) {
        return;
    }
    if (log->format == AIR_LOG_JSON) {
        air_json_begin(out, NULL, '{');
        put_time(out, "time", wall_ms);
        air_json_put_text(out, "level", air_span_text(level_text(level)));
        return;
    }
    (void)air_time_write_rfc3339(wall_ms, out);
    air_text_format(out, " %s ", level_text(level));
}

static void write_line(const struct air_log *log, const struct air_buffer *line) {
    ssize_t written;

    if (line->error != AIR_OK) {
        return;
    }
    written = write(log->handle, line->data, line->size);
    (void)written;
}

air_time_ms air_log_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (air_time_ms)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
