/* SPDX-License-Identifier: MIT */
/*
 * Cutting a PEM text into its blocks, line by line. What is between BEGIN and END is not decoded:
 * the crypto port does that.
 *
 * Invariant: a block is whole: the next line of dashes after its BEGIN line is the END line with
 * the same label. An unfinished block is junk and hides no block behind it.
 */

#include "src/base/pem.h"

#include "src/base/span.h"

static air_span cut_line(air_span *rest);
static bool read_boundary(air_span line, const char *opening, air_span *label);
static bool find_end(air_span *rest, air_span label);

bool air_pem_next(air_span *rest, air_span *block, air_span *label, bool *junk) {
    air_span scan = *rest;
    bool has_junk = false;
    while (scan.size > 0) {
        air_span start = scan;
        air_span line = cut_line(&scan);
        air_span found = air_span_of(NULL, 0);
        if (!read_boundary(line, "-----BEGIN ", &found) || !find_end(&scan, found)) {
            has_junk = has_junk || air_span_trim(line).size > 0;
            continue;
        }
        *block = air_span_take(start, start.size - scan.size);
        *label = found;
        *rest = scan;
        if (junk != NULL) {
            *junk = has_junk;
        }
        return true;
    }
    return false;
}

bool air_pem_is_only(air_span text, const char *label, size_t *count) {
    air_span rest = text;
    air_span block;
    air_span found;
    bool junk = false;
    *count = 0;
    while (air_pem_next(&rest, &block, &found, &junk)) {
        if (junk || !air_span_equal_text(found, label)) {
            return false;
        }
        ++*count;
    }
    return *count > 0 && air_span_trim(rest).size == 0;
}

/* Take the first line, its line break included. */
static air_span cut_line(air_span *rest) {
    air_span line = air_span_take(*rest, air_span_find(*rest, '\n') + 1);
    *rest = air_span_skip(*rest, line.size);
    return line;
}

/* Whether a line is a boundary of that kind; white space may follow it (RFC 7468 section 3). */
static bool read_boundary(air_span line, const char *opening, air_span *label) {
    if (!air_span_starts_with(line, opening)) {
        return false;
    }
    air_span text = air_span_skip(air_span_trim(line), air_span_text(opening).size);
    air_span closing = air_span_text("-----");
    if (text.size <= closing.size) {
        return false;
    }
    *label = air_span_take(text, text.size - closing.size);
    return air_span_equal(air_span_skip(text, label->size), closing);
}

/* Move *rest behind the END line of that label; unmoved when another boundary or the end of the
 * text comes first. */
static bool find_end(air_span *rest, air_span label) {
    air_span scan = *rest;
    while (scan.size > 0) {
        air_span line = cut_line(&scan);
        air_span found = air_span_of(NULL, 0);
        if (!air_span_starts_with(line, "-----")) {
            continue;
        }
        if (!read_boundary(line, "-----END ", &found) || !air_span_equal(found, label)) {
            return false;
        }
        *rest = scan;
        return true;
    }
    return false;
}
