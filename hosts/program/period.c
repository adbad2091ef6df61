/* SPDX-License-Identifier: MIT */
/*
 * Lengths of time as people write them. One number, one unit: "1d12h" and "1.5d" can be said
 * otherwise, and a bare number could mean anything. There are no months and years: they have no one
 * length.
 */
#include "hosts/program/period.h"

#include "src/base/span.h"

static air_time_ms unit_of(uint8_t letter) {
    switch (letter) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 86400 * 1000;
    default:
        return 0;
    }
}

enum air_error air_period_read(air_span text, air_time_ms *out) {
    air_time_ms unit_ms = text.size < 2 ? 0 : unit_of(text.data[text.size - 1]);
    int64_t number;

    if (unit_ms == 0 || !air_span_number(air_span_take(text, text.size - 1), &number) ||
        number < 1) {
        return AIR_ERR_MALFORMED;
    }
    if (number > AIR_PERIOD_DAYS_MAX * unit_of('d') / unit_ms) {
        return AIR_ERR_LIMIT;
    }
    *out = number * unit_ms;
    return AIR_OK;
}
