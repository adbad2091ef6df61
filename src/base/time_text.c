/* SPDX-License-Identifier: MIT */
/*
 * Dates as text. No libc calendar function is used: they read the machine's zone, its locale, or
 * both.
 *
 * Invariant: what is written reads back to the same millisecond, and nothing outside the years 0001
 * to 9999 is written or read.
 */

#include "src/base/time_text.h"

#include "src/base/span.h"

#define MS_PER_S INT64_C(1000)
#define MS_PER_DAY INT64_C(86400000)
#define MINUTES_PER_DAY 1440

/* 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z. */
#define WALL_MS_MIN INT64_C(-62135596800000)
#define WALL_MS_MAX INT64_C(253402300799999)

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */

struct date_time {
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second; /* 60 in a leap second */
    unsigned ms;
    int offset_minutes; /* east of UTC */
};

static enum air_error to_wall(const struct date_time *at, air_time_ms *out);
static unsigned days_in_month(unsigned year, unsigned month);
static void civil_from_day(int64_t day, struct date_time *out);
static bool take_digits(air_span *rest, size_t count, unsigned *out);
static bool take_byte(air_span *rest, uint8_t byte);
static bool take_clock(air_span *rest, struct date_time *out);
static bool take_fraction(air_span *rest, unsigned *ms);
static bool take_offset(air_span *rest, int *offset_minutes);
static bool take_word(air_span *rest, const char *words, unsigned *index);
static void put_padded(struct air_buffer *out, unsigned number, size_t width);
static void put_fraction(struct air_buffer *out, unsigned ms);

enum air_error air_time_write_rfc3339(air_time_ms wall_ms, struct air_buffer *out) {
    if (wall_ms < WALL_MS_MIN || wall_ms > WALL_MS_MAX) {
        out->error = out->error == AIR_OK ? AIR_ERR_LIMIT : out->error;
        return out->error;
    }
    int64_t since_start_ms = wall_ms - WALL_MS_MIN;
    unsigned in_day_ms = (unsigned)(since_start_ms % MS_PER_DAY);
    struct date_time at;
    civil_from_day(since_start_ms / MS_PER_DAY, &at);
    size_t size_before = out->size;
    put_padded(out, at.year, 4);
    air_buffer_append_byte(out, '-');
    put_padded(out, at.month, 2);
    air_buffer_append_byte(out, '-');
    put_padded(out, at.day, 2);
    air_buffer_append_byte(out, 'T');
    put_padded(out, in_day_ms / 3600000, 2);
    air_buffer_append_byte(out, ':');
    put_padded(out, in_day_ms / 60000 % 60, 2);
    air_buffer_append_byte(out, ':');
    put_padded(out, in_day_ms / 1000 % 60, 2);
    put_fraction(out, in_day_ms % 1000);
    air_buffer_append_byte(out, 'Z');
    if (out->error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    return out->error;
}

enum air_error air_time_read_rfc3339(air_span text, air_time_ms *out) {
    struct date_time at = {0};
    bool is_read = take_digits(&text, 4, &at.year) && take_byte(&text, '-') &&
                   take_digits(&text, 2, &at.month) && take_byte(&text, '-') &&
                   take_digits(&text, 2, &at.day) &&
                   /* RFC 3339 section 5.6: the letters may be lower-case. */
                   (take_byte(&text, 'T') || take_byte(&text, 't')) && take_clock(&text, &at) &&
                   take_fraction(&text, &at.ms) && take_offset(&text, &at.offset_minutes) &&
                   text.size == 0;
    return is_read ? to_wall(&at, out) : AIR_ERR_MALFORMED;
}

enum air_error air_time_read_http(air_span text, air_time_ms *out) {
    struct date_time at = {0};
    unsigned day_name = 0;
    bool is_read = take_word(&text, day_names, &day_name) && take_byte(&text, ',') &&
                   take_byte(&text, ' ') && take_digits(&text, 2, &at.day) &&
                   take_byte(&text, ' ') && take_word(&text, month_names, &at.month) &&
                   take_byte(&text, ' ') && take_digits(&text, 4, &at.year) &&
                   take_byte(&text, ' ') && take_clock(&text, &at) &&
                   air_span_equal_text(text, " GMT");
    if (!is_read) {
        return AIR_ERR_MALFORMED;
    }
    at.month++;
    air_time_ms wall_ms = 0;
    if (to_wall(&at, &wall_ms) != AIR_OK) {
        return AIR_ERR_MALFORMED;
    }
    /* A date that contradicts itself is no date. 700,000 weeks keep the remainder positive; the
     * civil day counts, because a leap second's next second is another day. */
    int64_t day = air_time_from_civil(at.year, at.month, at.day) / MS_PER_DAY;
    if ((day + INT64_C(4900000)) % 7 != day_name) {
        return AIR_ERR_MALFORMED;
    }
    *out = wall_ms;
    return AIR_OK;
}

air_time_ms air_time_from_civil(int64_t year, unsigned month, unsigned day) {
    /* Years begin in March here, so that the leap day is a year's last; 153 days are five months.
     */
    int64_t years = month > 2 ? year : year - 1;
    unsigned months = month > 2 ? month - 3 : month + 9;
    /* Whole 400-year cycles are added first, because division rounds towards zero. */
    int64_t cycles = years >= 0 ? years / 400 : (years - 399) / 400;
    int64_t in_cycle = years - cycles * 400;
    int64_t days =
        in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + (153 * months + 2) / 5 + day - 1;
    /* 719,468 days lie between 0000-03-01 and 1970-01-01; 146,097 are in a cycle. */
    return (cycles * 146097 + days - 719468) * MS_PER_DAY;
}

/* Check a date's ranges and turn it into milliseconds. */
static enum air_error to_wall(const struct date_time *at, air_time_ms *out) {
    if (at->year == 0 || at->month == 0 || at->month > 12 || at->day == 0 ||
        at->day > days_in_month(at->year, at->month) || at->hour > 23 || at->minute > 59 ||
        at->second > 60) {
        return AIR_ERR_MALFORMED;
    }
    int minutes = (int)(at->hour * 60 + at->minute) - at->offset_minutes;
    /* Leap seconds are the last of a day in UTC (RFC 3339 section 5.7). */
    if (at->second == 60 && (minutes + MINUTES_PER_DAY + 1) % MINUTES_PER_DAY != 0) {
        return AIR_ERR_MALFORMED;
    }
    int64_t in_day_s = minutes * INT64_C(60) + at->second;
    air_time_ms wall_ms =
        air_time_from_civil(at->year, at->month, at->day) + in_day_s * MS_PER_S + at->ms;
    if (wall_ms < WALL_MS_MIN || wall_ms > WALL_MS_MAX) {
        return AIR_ERR_MALFORMED;
    }
    *out = wall_ms;
    return AIR_OK;
}

static unsigned days_in_month(unsigned year, unsigned month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap ? 1u : 0u);
}

/* The civil date of a day, counted from 0001-01-01 as 0. */
static void civil_from_day(int64_t day, struct date_time *out) {
    *out = (struct date_time){.year = (unsigned)(day / 366) + 1, .month = 1};
    /* The guess is never late, because no year is longer; it is walked forward. */
    int64_t start = 0;
    for (;;) {
        start = (air_time_from_civil(out->year + 1, 1, 1) - WALL_MS_MIN) / MS_PER_DAY;
        if (start > day) {
            break;
        }
        out->year++;
    }
    int64_t left = day - (air_time_from_civil(out->year, 1, 1) - WALL_MS_MIN) / MS_PER_DAY;
    while (left >= days_in_month(out->year, out->month)) {
        left -= days_in_month(out->year, out->month);
        out->month++;
    }
    out->day = (unsigned)left + 1;
}

static bool take_digits(air_span *rest, size_t count, unsigned *out) {
    int64_t number = 0;
    if (rest->size < count || !air_span_number(air_span_take(*rest, count), &number)) {
        return false;
    }
    *rest = air_span_skip(*rest, count);
    *out = (unsigned)number;
    return true;
}

static bool take_byte(air_span *rest, uint8_t byte) {
    if (rest->size == 0 || rest->data[0] != byte) {
        return false;
    }
    *rest = air_span_skip(*rest, 1);
    return true;
}

static bool take_clock(air_span *rest, struct date_time *out) {
    return take_digits(rest, 2, &out->hour) && take_byte(rest, ':') &&
           take_digits(rest, 2, &out->minute) && take_byte(rest, ':') &&
           take_digits(rest, 2, &out->second);
}

/* An optional "." and at least one digit; what is finer than a millisecond is cut. */
static bool take_fraction(air_span *rest, unsigned *ms) {
    *ms = 0;
    if (!take_byte(rest, '.')) {
        return true;
    }
    unsigned digit = 0;
    size_t digits_count = 0;
    for (unsigned weight = 100; take_digits(rest, 1, &digit); weight /= 10) {
        *ms += digit * weight;
        digits_count++;
    }
    return digits_count > 0;
}

static bool take_offset(air_span *rest, int *offset_minutes) {
    *offset_minutes = 0;
    if (take_byte(rest, 'Z') || take_byte(rest, 'z')) {
        return true;
    }
    bool is_west = take_byte(rest, '-');
    unsigned hours = 0;
    unsigned minutes = 0;
    if ((!is_west && !take_byte(rest, '+')) || !take_digits(rest, 2, &hours) ||
        !take_byte(rest, ':') || !take_digits(rest, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int offset = (int)(hours * 60 + minutes);
    *offset_minutes = is_west ? -offset : offset;
    return true;
}

/* Take one of the three-letter words that stand one after the other in `words`. */
static bool take_word(air_span *rest, const char *words, unsigned *index) {
    air_span all = air_span_text(words);
    for (size_t at = 0; at < all.size; at += 3) {
        if (rest->size >= 3 &&
            air_span_equal(air_span_take(*rest, 3), air_span_take(air_span_skip(all, at), 3))) {
            *index = (unsigned)(at / 3);
            *rest = air_span_skip(*rest, 3);
            return true;
        }
    }
    return false;
}

static void put_padded(struct air_buffer *out, unsigned number, size_t width) {
    uint8_t digits[4];
    for (size_t i = width; i > 0; i--) {
        digits[i - 1] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
    air_buffer_append(out, digits, width);
}

static void put_fraction(struct air_buffer *out, unsigned ms) {
    if (ms == 0) {
        return;
    }
    size_t width = 3;
    while (ms % 10 == 0) {
        ms /= 10;
        width--;
    }
    air_buffer_append_byte(out, '.');
    put_padded(out, ms, width);
}
