/* SPDX-License-Identifier: MIT */
/*
 * Proven here: one number and one unit make a length of time; everything else is refused, by a
 * table, and so is what no certificate could live through.
 */

#include "hosts/program/period.h"

#include "tests/support/test.h"

static void reads_a_number_and_a_unit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        air_time_ms ms;
    } periods[] = {{"45s", 45000}, {"90m", 5400000}, {"12h", 43200000}, {"30d", 2592000000},
        {"1s", 1000}, {"3650d", 315360000000}, {"007d", 604800000}};
    for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
        air_time_ms ms = 0;
        assert_ok(air_period_read(air_span_text(periods[i].text), &ms));
        assert_int_equal(ms, periods[i].ms);
    }
}

static void refuses_everything_else(void **state) {
    (void)state;
    static const char *const texts[] = {"", "d", "30", "0d", "-1d", "+1d", "1.5d", "1d12h", " 1d",
        "1d ", "1D", "1w", "1 d", "99999999999999999999d", "1y"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        air_time_ms ms = 7;
        assert_int_equal(air_period_read(air_span_text(texts[i]), &ms), AIR_ERR_MALFORMED);
        assert_int_equal(ms, 7);
    }
    air_time_ms ms = 7;
    assert_int_equal(air_period_read(SPAN("3651d"), &ms), AIR_ERR_LIMIT);
    assert_int_equal(air_period_read(SPAN("9223372036854775807s"), &ms), AIR_ERR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_number_and_a_unit),
        cmocka_unit_test(refuses_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
