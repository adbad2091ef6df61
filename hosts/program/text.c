/* SPDX-License-Identifier: MIT */
/*
 * Text for people. What is formatted here may hold words of a CA, of a peer or of a configuration
 * file, so every control byte is escaped on the way: a log line or a terminal gets no line breaks
 * or escape sequences from outside.
 */
#include "hosts/program/text.h"

#include <stdio.h>
#include <string.h>

#include "src/base/span.h"

/* Words longer than this are never near each other. */
#define WORD_SIZE_MAX 40

void air_text_format(struct air_buffer *out, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    air_text_format_list(out, format, arguments);
    va_end(arguments);
}

void air_text_format_list(struct air_buffer *out, const char *format, va_list arguments) {
    char text[AIR_TEXT_SIZE_MAX];
    int size = vsnprintf(text, sizeof(text), format, arguments);

    if (size < 0 || out == NULL) {
        return;
    }
    if ((size_t)size >= sizeof(text)) {
        memcpy(text + sizeof(text) - 4, "...", 4);
        size = (int)sizeof(text) - 1;
    }
    air_text_put(out, air_span_of(text, (size_t)size));
}

void air_text_put(struct air_buffer *out, air_span text) {
    static const char digits[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];

        if (byte >= 0x20 && byte != 0x7f) {
            air_buffer_append_byte(out, byte);
        } else {
            air_buffer_append_text(out, "\\x");
            air_buffer_append_byte(out, (uint8_t)digits[byte >> 4]);
            air_buffer_append_byte(out, (uint8_t)digits[byte & 15]);
        }
    }
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Levenshtein's distance: letters put in, left out or changed. */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_SIZE_MAX + 1];
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    size_t i;
    size_t j;

    if (a_size > WORD_SIZE_MAX || b_size > WORD_SIZE_MAX) {
        return SIZE_MAX;
    }
    for (j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (j = 1; j <= b_size; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

            row[j] = least(changed, least(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_size];
}

const char *air_text_nearest(const char *word, const char *(*at)(const void *words, size_t index),
    const void *words, size_t words_count) {
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    size_t i;

    for (i = 0; i < words_count; i++) {
        const char *candidate = at(words, i);
        size_t changes = distance(word, candidate);

        /* A third of the letters may be wrong, at least two: "nmae", "lisen", "certificate". */
        if (changes < best && changes <= 2 + strlen(candidate) / 6) {
            best = changes;
            nearest = candidate;
        }
    }
    return best < strlen(word) ? nearest : NULL;
}
