/* SPDX-License-Identifier: MIT */
/*
 * Proven here: every day of the years 0001 to 9999 is written, read back and follows the day
 * before; the edges of calendars and of 32-bit clocks have their known values; offsets, fractions
 * and leap seconds mean what RFC 3339 says; every way found to bend a date is refused.
 */

#include "src/base/time_text.h"

#include <stdio.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define MS_PER_DAY INT64_C(86400000)
#define FIRST_MS INT64_C(-62135596800000)
#define LAST_MS INT64_C(253402300799999)

typedef enum air_error reader(air_span text, air_time_ms *out);

static void check_read(reader *read, const char *text, air_time_ms expected_ms) {
    air_time_ms read_ms = -1;
    if (read(air_span_text(text), &read_ms) != AIR_OK || read_ms != expected_ms) {
        fail_msg("%s: %lld, not %lld", text, (long long)read_ms, (long long)expected_ms);
    }
}

static void check_refused(reader *read, const char *text) {
    air_time_ms read_ms = 42;
    if (read(air_span_text(text), &read_ms) != AIR_ERR_MALFORMED || read_ms != 42) {
        fail_msg("%s was read as %lld", text, (long long)read_ms);
    }
}

static void check_written(air_time_ms wall_ms, const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 64);
    assert_ok(air_time_write_rfc3339(wall_ms, &out));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
    check_read(air_time_read_rfc3339, expected, wall_ms);
}

static void knows_the_edges_of_calendars_and_clocks(void **state) {
    (void)state;
    check_written(0, "1970-01-01T00:00:00Z");
    check_written(-1, "1969-12-31T23:59:59.999Z");
    check_written(INT64_C(1795446245000), "2026-11-23T15:04:05Z");
    check_written(INT64_C(-631152000000), "1950-01-01T00:00:00Z"); /* X.509's UTCTime begins */
    check_written(INT64_C(2147483647000), "2038-01-19T03:14:07Z"); /* 31 bits end */
    check_written(INT64_C(2147483648000), "2038-01-19T03:14:08Z");
    check_written(INT64_C(2524607999000), "2049-12-31T23:59:59Z"); /* UTCTime ends */
    check_written(INT64_C(951782400000), "2000-02-29T00:00:00Z");
    check_written(INT64_C(4107542400000), "2100-03-01T00:00:00Z"); /* the day after 02-28 */
    check_written(FIRST_MS, "0001-01-01T00:00:00Z");
    check_written(LAST_MS, "9999-12-31T23:59:59.999Z");
}

static void writes_a_fraction_only_when_there_is_one(void **state) {
    (void)state;
    check_written(100, "1970-01-01T00:00:00.1Z");
    check_written(120, "1970-01-01T00:00:00.12Z");
    check_written(3, "1970-01-01T00:00:00.003Z");
    check_written(1020, "1970-01-01T00:00:01.02Z");
}

/* 3,652,059 days, each compared with a count kept by hand. */
static void writes_every_day_of_the_calendar(void **state) {
    (void)state;
    static const unsigned month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    air_time_ms at_ms = FIRST_MS;
    for (unsigned year = 1; year <= 9999; year++) {
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (unsigned month = 1; month <= 12; month++) {
            unsigned days = month_days[month - 1] + (month == 2 && is_leap ? 1 : 0);
            for (unsigned day = 1; day <= days; day++, at_ms += MS_PER_DAY) {
                assert_true(air_time_from_civil(year, month, day) == at_ms);
            }
        }
    }
    assert_true(at_ms == LAST_MS + 1);
}

static void round_trips_moments_of_every_week(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 64);
    for (air_time_ms at_ms = FIRST_MS; at_ms <= LAST_MS; at_ms += 37 * MS_PER_DAY + 4567891) {
        air_time_ms read_ms = 0;
        air_buffer_clear(&out);
        assert_ok(air_time_write_rfc3339(at_ms, &out));
        assert_ok(air_time_read_rfc3339(air_buffer_span(&out), &read_ms));
        assert_true(read_ms == at_ms);
    }
    air_buffer_deinit(&out);
}

static void refuses_to_write_other_years(void **state) {
    (void)state;
    static const air_time_ms moments_ms[] = {FIRST_MS - 1, LAST_MS + 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct air_buffer out;
        air_buffer_init(&out, 64);
        assert_int_equal(air_time_write_rfc3339(moments_ms[i], &out), AIR_ERR_LIMIT);
        assert_int_equal(out.error, AIR_ERR_LIMIT);
        assert_int_equal(out.size, 0);
        air_buffer_deinit(&out);
    }
}

static void reads_offsets_fractions_and_small_letters(void **state) {
    (void)state;
    reader *read = air_time_read_rfc3339;
    check_read(read, "1970-01-01t00:00:00z", 0);
    check_read(read, "1970-01-01T01:30:00+01:30", 0);
    check_read(read, "1969-12-31T23:00:00-01:00", 0);
    check_read(read, "1970-01-01T23:59:00+23:59", 0);
    check_read(read, "1970-01-01T00:00:00-00:00", 0); /* RFC 3339 section 4.3 */
    check_read(read, "1970-01-01T00:00:00.1239999999999999999999Z", 123);
    check_read(read, "1970-01-01T00:00:00.5+00:00", 500);
    check_read(read, "1970-01-01T00:00:00.0000Z", 0);
    check_read(read, "9999-12-31T23:59:59-00:00", LAST_MS - 999);
}

/* RFC 3339 section 5.8 has the first two. */
static void counts_a_leap_second_as_the_next_second(void **state) {
    (void)state;
    reader *read = air_time_read_rfc3339;
    check_read(read, "1990-12-31T23:59:60Z", INT64_C(662688000000));
    check_read(read, "1990-12-31T15:59:60-08:00", INT64_C(662688000000));
    check_read(read, "1991-01-01T00:59:60.5+01:00", INT64_C(662688000500));
    check_read(air_time_read_http, "Mon, 31 Dec 1990 23:59:60 GMT", INT64_C(662688000000));
    check_refused(read, "1990-12-31T23:58:60Z");
    check_refused(read, "1990-12-31T00:00:60Z");
    check_refused(read, "1990-12-31T23:59:60-08:00");
    check_refused(read, "9999-12-31T23:59:60Z");
    check_refused(air_time_read_http, "Tue, 01 Jan 1991 00:00:60 GMT");
}

static void refuses_dates_that_do_not_exist(void **state) {
    (void)state;
    static const char *const texts[] = {"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00-00:60"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_time_read_rfc3339, texts[i]);
    }
}

static void refuses_other_forms(void **state) {
    (void)state;
    static const char *const texts[] = {"", "2026", "2026-01-01", "2026-01-01T00:00Z",
        "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00 Z", " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ",
        "2026-01-01T00:00:00ZZ", "+026-01-01T00:00:00Z", "2026-1-01T00:00:00Z", "20260101T000000Z",
        "12026-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026-01-01T00:00:-1Z",
        "2026-01-01T00:00:00.-5Z", "2026-01-01T00:00:00+-1:00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_time_read_rfc3339, texts[i]);
    }
}

static void refuses_every_cut_and_every_foreign_byte(void **state) {
    (void)state;
    char text[] = "2026-11-23T15:04:05Z";
    air_time_ms read_ms = 0;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        assert_int_equal(
            air_time_read_rfc3339(air_span_of(text, size), &read_ms), AIR_ERR_MALFORMED);
        char kept = text[size];
        text[size] = ';';
        check_refused(air_time_read_rfc3339, text);
        text[size] = '\0';
        assert_int_equal(air_time_read_rfc3339(SPAN(text), &read_ms), AIR_ERR_MALFORMED);
        text[size] = kept;
    }
    assert_ok(air_time_read_rfc3339(SPAN(text), &read_ms));
}

static void reads_http_dates(void **state) {
    (void)state;
    reader *read = air_time_read_http;
    check_read(read, "Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000));
    check_read(read, "Mon, 23 Nov 2026 15:04:05 GMT", INT64_C(1795446245000));
    check_read(read, "Thu, 01 Jan 1970 00:00:00 GMT", 0);
    check_read(read, "Mon, 01 Jan 0001 00:00:00 GMT", FIRST_MS);
    check_read(read, "Fri, 31 Dec 9999 23:59:59 GMT", LAST_MS - 999);
    check_read(read, "Thu, 29 Feb 2024 12:00:00 GMT", INT64_C(1709208000000));
}

/* RFC 9110 section 5.6.7: its two obsolete forms are refused as well. */
static void refuses_other_http_dates(void **state) {
    (void)state;
    static const char *const texts[] = {"", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994", "Mon, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Thu, 29 Feb 2026 00:00:00 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "unN, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37.5 GMT", "120"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_time_read_http, texts[i]);
    }
}

static void counts_civil_dates_before_year_one(void **state) {
    (void)state;
    assert_true(air_time_from_civil(0, 12, 31) == FIRST_MS - MS_PER_DAY);
    assert_true(air_time_from_civil(0, 3, 1) == -719468 * MS_PER_DAY);
    assert_true(air_time_from_civil(0, 2, 29) == -719469 * MS_PER_DAY);
    assert_true(air_time_from_civil(-400, 3, 1) == (-719468 - 146097) * MS_PER_DAY);
}

static enum air_error write_a_date(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 100);
    /* 60 bytes, so that the date needs a second allocation in its middle. */
    air_buffer_extend(&out, 60);
    enum air_error error = air_time_write_rfc3339(1, &out);
    assert_true(error == AIR_OK || out.size == 0 || out.size == 60);
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_a_date, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_edges_of_calendars_and_clocks),
        cmocka_unit_test(writes_a_fraction_only_when_there_is_one),
        cmocka_unit_test(writes_every_day_of_the_calendar),
        cmocka_unit_test(round_trips_moments_of_every_week),
        cmocka_unit_test(refuses_to_write_other_years),
        cmocka_unit_test(reads_offsets_fractions_and_small_letters),
        cmocka_unit_test(counts_a_leap_second_as_the_next_second),
        cmocka_unit_test(refuses_dates_that_do_not_exist),
        cmocka_unit_test(refuses_other_forms),
        cmocka_unit_test(refuses_every_cut_and_every_foreign_byte),
        cmocka_unit_test(reads_http_dates),
        cmocka_unit_test(refuses_other_http_dates),
        cmocka_unit_test(counts_civil_dates_before_year_one),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
