/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_LOG_H
#define AIR_PROGRAM_LOG_H

/*
 * The log: one line on standard error for each thing that happened, as text or JSON, from any
 * thread. Secrets never come here: no event or message of ours holds one.
 */

#include "thinair/action.h"

enum air_log_format {
    AIR_LOG_PHASES, /* for a person at a terminal: the sentence alone */
    AIR_LOG_TEXT,   /* date, level, sentence */
    AIR_LOG_JSON
};

struct air_log {
    enum air_log_format format;
    int handle;                 /* where lines are written */
    enum air_level level_least; /* what is below is dropped */
};

/* One line. Control bytes are escaped. */
__attribute__((format(printf, 3, 4))) void air_log_line(
    const struct air_log *log, enum air_level level, const char *format, ...);

/* One line for an event of the engine. */
void air_log_event(const struct air_log *log, const struct air_event_action *event);

/* Make the line of a sentence or event at a moment, newline included: what the two above write. */
void air_log_compose(const struct air_log *log, enum air_level level, air_time_ms wall_ms,
    air_span sentence, struct air_buffer *out);
void air_log_compose_event(const struct air_log *log, air_time_ms wall_ms,
    const struct air_event_action *event, struct air_buffer *out);

/* The wall clock now. */
air_time_ms air_log_now(void);

#endif
