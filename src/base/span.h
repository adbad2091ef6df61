/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_SPAN_H
#define AIR_BASE_SPAN_H

/*
 * Reading spans: comparing, cutting, numbers. Nothing here allocates or depends on the locale.
 */

#include "thinair/thinair.h"

/* A span over a terminated text; NULL gives the empty span. */
air_span air_span_text(const char *text);
air_span air_span_of(const void *data, size_t size);

bool air_span_equal(air_span a, air_span b);
bool air_span_equal_text(air_span a, const char *text);

/* ASCII letters compare without case. */
bool air_span_equal_nocase(air_span a, air_span b);

bool air_span_starts_with(air_span span, const char *prefix);

/* Byte order, shorter first on a tie: <0, 0, >0. */
int air_span_compare(air_span a, air_span b);

/* The index of the first such byte, or span.size. */
size_t air_span_find(air_span span, uint8_t byte);

/* What is left after the first n bytes, and the first n bytes; n beyond the end means the end. */
air_span air_span_skip(air_span span, size_t n);
air_span air_span_take(air_span span, size_t n);

/* Without ASCII white space (space, tab, CR, LF) at both ends. */
air_span air_span_trim(air_span span);

/*
 * Cut the next piece before `separator` off the front of *rest. False when *rest is at its end
 * (data == NULL). "a,,b" gives "a", "", "b".
 */
bool air_span_next(air_span *rest, uint8_t separator, air_span *piece);

/* All of span as a decimal number of digits only. False when it is not one or passes INT64_MAX. */
bool air_span_number(air_span span, int64_t *out);

/* The size of the character that a text, which is not empty, begins with; 0: it is not UTF-8 (RFC
 * 3629 section 4). */
size_t air_span_character_size(air_span text);

/* Count the characters of a text. False when it is not UTF-8 or has control characters. */
bool air_span_characters(air_span text, size_t *count);

#endif
