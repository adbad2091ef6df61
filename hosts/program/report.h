/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_REPORT_H
#define AIR_PROGRAM_REPORT_H

/*
 * What is known about the certificates, as JSON: the daemon writes it, or the state directory's
 * reader does, and `list` and `status` show it.
 *
 *     {"version": "0.1.0", "daemon": true, "certificates": [{"id", "key_type", "names", "ca",
 *      "state", "step", "current", "generation", "serial", "not_before", "not_after", "next",
 *      "failures", "last_error"}]}
 *
 * Dates are RFC 3339 texts; what is unknown is left out.
 */

#include "thinair/engine.h"

#define AIR_REPORT_SIZE_MAX (64U * 1024 * 1024)

void air_report_begin(struct air_buffer *out, bool is_daemon);

/* state  The text to show as the lineage's state; NULL: status->state's. */
void air_report_put(struct air_buffer *out, const struct air_status *status, const char *state);

void air_report_end(struct air_buffer *out);

/* How a report is shown to people. */
enum air_report_style {
    AIR_REPORT_TABLE, /* one line for each lineage */
    AIR_REPORT_DETAIL /* a paragraph for each */
};

/*
 * Show a report to people.
 *
 * json    What the functions above wrote.
 * name    Only the certificate of that id, or with that name; empty: all.
 * shown   How many lineages were shown.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED (not such a report), AIR_ERR_NO_MEMORY or AIR_ERR_LIMIT.
 */
enum air_error air_report_show(air_span json, air_span name, enum air_report_style style,
    air_time_ms now_ms, struct air_buffer *out, size_t *shown);

/* The report with only the certificate of that id or name in it; errors as above. */
enum air_error air_report_select(
    air_span json, air_span name, struct air_buffer *out, size_t *shown);

#endif
