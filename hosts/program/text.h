/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_TEXT_H
#define AIR_PROGRAM_TEXT_H

/*
 * Text for people: formatting into a buffer, escaping what must not reach a terminal or a log, and
 * the nearest known word to a mistyped one.
 */

#include <stdarg.h>

#include "thinair/buffer.h"

/* Longest formatted piece; what is longer ends in "...". */
#define AIR_TEXT_SIZE_MAX 2048

/* Append as printf does. Control bytes of the result are escaped as \xHH. Failures stay in out,
 * which may be NULL: nobody wants to know. */
__attribute__((format(printf, 2, 3))) void air_text_format(
    struct air_buffer *out, const char *format, ...);
__attribute__((format(printf, 2, 0))) void air_text_format_list(
    struct air_buffer *out, const char *format, va_list arguments);

/* Append text with bytes below 0x20 and 0x7f as \xHH. */
void air_text_put(struct air_buffer *out, air_span text);

/*
 * The word of words that is nearest to word, or NULL when none is near enough to be meant.
 *
 * words  words_count texts; at() gives each.
 */
const char *air_text_nearest(const char *word, const char *(*at)(const void *words, size_t index),
    const void *words, size_t words_count);

#endif
