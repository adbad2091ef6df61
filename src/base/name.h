/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_NAME_H
#define AIR_BASE_NAME_H

/*
 * DNS names as certificates carry them: lower-case A-labels (RFC 5890), letters, digits and
 * hyphens.
 */

#include "thinair/buffer.h"

/* Longest name, in bytes, without a trailing dot (RFC 1035 section 2.3.4). */
#define AIR_NAME_SIZE_MAX 253

/*
 * Append the normal form of a name: ASCII lower-case, one trailing dot removed. "*." may lead,
 * once. AIR_ERR_BAD_NAME: an empty or over-long label, other bytes, a label that begins or ends
 * with '-', a single label, an IP address, over AIR_NAME_SIZE_MAX.
 */
enum air_error air_name_normalize(air_span name, struct air_buffer *out);

bool air_name_is_wildcard(air_span name);

/* The name without its "*.". */
air_span air_name_base(air_span name);

/* Whether a certificate name covers a host name: equal, or a wildcard for exactly one label. Both
 * normal. */
bool air_name_covers(air_span certificate_name, air_span host);

#endif
