/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_RESPONSE_H
#define AIR_ACME_RESPONSE_H

/*
 * Reading what every ACME response carries: status, headers, and the body as JSON.
 */

#include "thinair/action.h"

/* The value of the first header of that name, case-insensitive; empty when there is none. */
air_span air_response_header(const struct air_http_result *response, const char *name);

/* Location, when it is an acceptable URL within directory_url; else empty (R-A3). */
air_span air_response_location(const struct air_http_result *response, air_span directory_url);

/*
 * Retry-After in milliseconds from now_wall_ms, clamped to 0 and AIR_RETRY_AFTER_MS_MAX (R-A9); -1
 * when it is missing or neither delta-seconds nor a date (RFC 9110 section 10.2.3).
 */
#define AIR_RETRY_AFTER_MS_MAX 86400000
air_time_ms air_response_retry_after_ms(
    const struct air_http_result *response, air_time_ms now_wall_ms);

/* Replay-Nonce, when it is 1 to 256 base64url characters (RFC 8555 section 6.5.1); else empty. */
air_span air_response_nonce(const struct air_http_result *response);

/* The target of the first Link with that relation, not resolved; empty when there is none (RFC
 * 8288). */
air_span air_response_link(const struct air_http_result *response, const char *relation);

#endif
