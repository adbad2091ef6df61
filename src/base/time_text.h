/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_TIME_TEXT_H
#define AIR_BASE_TIME_TEXT_H

/*
 * Dates as text, in the proleptic Gregorian calendar, years 0001 to 9999. No locale, no time zone
 * of the machine.
 */

#include "thinair/buffer.h"

/* "2026-11-23T15:04:05Z" (RFC 3339). A fraction of a second is written only when it is not zero.
 * AIR_ERR_LIMIT, also kept in the buffer: another year. */
enum air_error air_time_write_rfc3339(air_time_ms wall_ms, struct air_buffer *out);

/* RFC 3339 with optional fraction (cut to milliseconds) and offset. A leap second counts as the
 * next second. AIR_ERR_MALFORMED: anything else, also a day that does not exist. */
enum air_error air_time_read_rfc3339(air_span text, air_time_ms *out);

/* "Mon, 23 Nov 2026 15:04:05 GMT", the only date form of HTTP that is accepted (RFC 9110
 * section 5.6.7). AIR_ERR_MALFORMED: anything else, also a wrong day of the week. */
enum air_error air_time_read_http(air_span text, air_time_ms *out);

/* Milliseconds since 1970 of a civil date; month 1 to 12, day 1 to 31. */
air_time_ms air_time_from_civil(int64_t year, unsigned month, unsigned day);

#endif
