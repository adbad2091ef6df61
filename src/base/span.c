/* SPDX-License-Identifier: MIT */
/*
 * Reading spans. ASCII rules are spelled out, so that no host's setlocale() changes what a name or
 * a header means.
 *
 * Invariant: a NULL pointer is never dereferenced or moved, and no result reaches past its input.
 */

#include "src/base/span.h"

#include <string.h>

static uint8_t lower(uint8_t byte);
static bool is_white(uint8_t byte);

air_span air_span_text(const char *text) {
    return air_span_of(text, text == NULL ? 0 : strlen(text));
}

air_span air_span_of(const void *data, size_t size) {
    return (air_span){.data = data, .size = size};
}

bool air_span_equal(air_span a, air_span b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool air_span_equal_text(air_span a, const char *text) {
    return air_span_equal(a, air_span_text(text));
}

bool air_span_equal_nocase(air_span a, air_span b) {
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool air_span_starts_with(air_span span, const char *prefix) {
    air_span start = air_span_text(prefix);
    return span.size >= start.size && air_span_equal(air_span_take(span, start.size), start);
}

int air_span_compare(air_span a, air_span b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

size_t air_span_find(air_span span, uint8_t byte) {
    if (span.size == 0) {
        return 0;
    }
    const uint8_t *found = memchr(span.data, byte, span.size);
    return found == NULL ? span.size : (size_t)(found - span.data);
}

air_span air_span_skip(air_span span, size_t n) {
    size_t skipped = n < span.size ? n : span.size;
    if (skipped == 0) {
        return span;
    }
    return air_span_of(span.data + skipped, span.size - skipped);
}

air_span air_span_take(air_span span, size_t n) {
    return air_span_of(span.data, n < span.size ? n : span.size);
}

air_span air_span_trim(air_span span) {
    while (span.size > 0 && is_white(span.data[0])) {
        span = air_span_skip(span, 1);
    }
    while (span.size > 0 && is_white(span.data[span.size - 1])) {
        span.size--;
    }
    return span;
}

bool air_span_next(air_span *rest, uint8_t separator, air_span *piece) {
    if (rest->data == NULL) {
        return false;
    }
    size_t end = air_span_find(*rest, separator);
    *piece = air_span_take(*rest, end);
    *rest = end < rest->size ? air_span_skip(*rest, end + 1) : air_span_of(NULL, 0);
    return true;
}

bool air_span_number(air_span span, int64_t *out) {
    int64_t number = 0;
    for (size_t i = 0; i < span.size; i++) {
        if (span.data[i] < '0' || span.data[i] > '9') {
            return false;
        }
        int digit = span.data[i] - '0';
        if (number > (INT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    if (span.size == 0) {
        return false;
    }
    *out = number;
    return true;
}

size_t air_span_character_size(air_span text) {
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        size_t size;
    } forms[] = {
        {0x00, 0x7F, 0x00, 0xFF, 1},
        {0xC2, 0xDF, 0x80, 0xBF, 2},
        {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3},
        {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4},
        {0xF1, 0xF3, 0x80, 0xBF, 4},
        {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (text.data[0] < forms[i].first_min || text.data[0] > forms[i].first_max) {
            continue;
        }
        if (text.size < forms[i].size) {
            return 0;
        }
        for (size_t j = 1; j < forms[i].size; j++) {
            uint8_t min = j == 1 ? forms[i].second_min : 0x80;
            uint8_t max = j == 1 ? forms[i].second_max : 0xBF;
            if (text.data[j] < min || text.data[j] > max) {
                return 0;
            }
        }
        return forms[i].size;
    }
    return 0;
}

bool air_span_characters(air_span text, size_t *count) {
    *count = 0;
    while (text.size > 0) {
        size_t size = air_span_character_size(text);
        bool is_control = text.data[0] < 0x20 || text.data[0] == 0x7F ||
                          (size == 2 && text.data[0] == 0xC2 && text.data[1] < 0xA0);
        if (size == 0 || is_control) {
            return false;
        }
        text = air_span_skip(text, size);
        ++*count;
    }
    return true;
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

static bool is_white(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}
