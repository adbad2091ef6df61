/* SPDX-License-Identifier: MIT */
/*
 * Refusals of the order service. They are written without allocating, so that a want of memory can
 * be told too. What may be said is the caller's to know: names of fields, never their values.
 *
 * Invariant: a sentence is one line of printable ASCII, so it fits into a header, a log and JSON.
 */

#include "hosts/haproxy/refusal.h"

#include <stdarg.h>
#include <stdio.h>

#include "src/base/span.h"

static unsigned status_of(enum air_error error);

enum air_error air_refusal_set(
    struct air_refusal *refusal, enum air_error error, const char *format, ...) {
    va_list arguments;
    refusal->status = status_of(error);
    va_start(arguments, format);
    (void)vsnprintf(refusal->sentence, sizeof(refusal->sentence), format, arguments);
    va_end(arguments);
    return error;
}

struct air_refusal_name air_refusal_quote(air_span name) {
    static const char hex_digits[] = "0123456789ABCDEF";
    struct air_refusal_name quoted = {{0}};
    size_t size = 0;
    air_span shown = air_span_take(name, AIR_REFUSAL_NAME_SIZE_MAX);
    for (size_t i = 0; i < shown.size; i++) {
        uint8_t byte = shown.data[i];
        if (byte >= ' ' && byte < 0x7F && byte != '"') {
            quoted.text[size++] = (char)byte;
        } else {
            quoted.text[size++] = '%';
            quoted.text[size++] = hex_digits[byte >> 4];
            quoted.text[size++] = hex_digits[byte & 15];
        }
    }
    return quoted;
}

static unsigned status_of(enum air_error error) {
    if (error == AIR_ERR_EXISTS) {
        return 409;
    }
    if (error == AIR_ERR_LIMIT) {
        return 413;
    }
    if (error == AIR_ERR_UNSUPPORTED) {
        return 415;
    }
    if (error == AIR_ERR_BAD_NAME || error == AIR_ERR_BAD_KEY) {
        return 422;
    }
    return air_error_class(error) == AIR_CLASS_RETRY ? 503 : 400;
}
