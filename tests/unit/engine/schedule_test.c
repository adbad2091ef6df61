/* SPDX-License-Identifier: MIT */
/*
 * Proven here: renewals, tries and warnings come when DESIGN section 4 says, for every lifetime
 * that CAs sell and for those that no CA should (R-C1, R-C5, R-C7): no overflow, no moment before
 * the minimum, no certificate that is never renewed. How: tables of lifetimes, and properties over
 * random and extreme numbers.
 */

#include <stdio.h>

#include "src/base/time_text.h"
#include "src/engine/schedule.h"
#include "tests/support/test.h"

#define EPOCH_MS INT64_C(1795446245000)

static uint64_t dice_state = 88172645463325252u;

static uint64_t dice(void) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return dice_state;
}

/* The lifetimes of CAs today and tomorrow; the edge is ten days. */
static const air_time_ms lives[] = {90 * AIR_DAY_MS, 64 * AIR_DAY_MS, 45 * AIR_DAY_MS,
    398 * AIR_DAY_MS, 10 * AIR_DAY_MS, 99 * AIR_DAY_MS / 10, 160 * AIR_HOUR_MS, 6 * AIR_DAY_MS,
    AIR_DAY_MS, AIR_HOUR_MS, 5 * AIR_MINUTE_MS};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void renews_in_the_twentieth_after_two_thirds_or_half_of_the_life(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(lives); i++) {
        const air_time_ms life_ms = lives[i];
        const air_time_ms begin_ms = life_ms < 10 * AIR_DAY_MS ? life_ms / 2 : life_ms / 3 * 2;
        air_time_ms earliest_ms = INT64_MAX;
        air_time_ms latest_ms = 0;
        for (uint64_t spread = 0; spread < 3000; spread++) {
            const air_time_ms renewal_ms =
                air_schedule_renewal(EPOCH_MS, EPOCH_MS + life_ms, 0, spread) - EPOCH_MS;
            earliest_ms = renewal_ms < earliest_ms ? renewal_ms : earliest_ms;
            latest_ms = renewal_ms > latest_ms ? renewal_ms : latest_ms;
        }
        assert_int_equal(earliest_ms, begin_ms);
        assert_in_range(latest_ms, begin_ms + life_ms / 25, begin_ms + life_ms / 20);
    }
}

static void renews_at_known_moments(void **state) {
    (void)state;
    assert_int_equal(air_schedule_renewal(0, 90 * AIR_DAY_MS, 0, 0), 60 * AIR_DAY_MS);
    assert_int_equal(air_schedule_renewal(0, 45 * AIR_DAY_MS, 0, 0), 30 * AIR_DAY_MS);
    assert_int_equal(air_schedule_renewal(0, 64 * AIR_DAY_MS, 0, 0), 64 * AIR_DAY_MS / 3 * 2);
    assert_int_equal(air_schedule_renewal(0, 160 * AIR_HOUR_MS, 0, 0), 80 * AIR_HOUR_MS);
    assert_int_equal(air_schedule_renewal(0, 99 * AIR_DAY_MS / 10, 0, 0), 99 * AIR_DAY_MS / 20);
    assert_int_equal(air_schedule_renewal(0, 10 * AIR_DAY_MS, 0, 0), 10 * AIR_DAY_MS / 3 * 2);
}

static void renew_before_counts_back_from_the_end(void **state) {
    (void)state;
    const air_time_ms end_ms = EPOCH_MS + 90 * AIR_DAY_MS;
    assert_int_equal(
        air_schedule_renewal(EPOCH_MS, end_ms, 30 * AIR_DAY_MS, 7), end_ms - 30 * AIR_DAY_MS);
    assert_int_equal(air_schedule_renewal(EPOCH_MS, end_ms, 1, 7), end_ms - 1);
}

static void an_absurd_renew_before_does_not_renew_for_ever(void **state) {
    (void)state;
    static const air_time_ms befores[] = {81 * AIR_DAY_MS, 82 * AIR_DAY_MS, 90 * AIR_DAY_MS,
        91 * AIR_DAY_MS, 36500 * AIR_DAY_MS, INT64_MAX};
    for (size_t i = 0; i < COUNT(befores); i++) {
        assert_int_equal(air_schedule_renewal(EPOCH_MS, EPOCH_MS + 90 * AIR_DAY_MS, befores[i], 0),
            EPOCH_MS + 9 * AIR_DAY_MS);
    }
}

static void a_life_that_ends_before_it_begins_is_renewed_at_its_end(void **state) {
    (void)state;
    static const air_time_ms befores[] = {0, 1, 30 * AIR_DAY_MS, INT64_MAX};
    const air_time_ms late_ms = air_time_from_civil(2100, 1, 1);
    const air_time_ms early_ms = air_time_from_civil(2000, 1, 1);
    for (size_t i = 0; i < COUNT(befores); i++) {
        assert_int_equal(air_schedule_renewal(late_ms, early_ms, befores[i], 17), early_ms);
        assert_int_equal(air_schedule_renewal(early_ms, early_ms, befores[i], 17), early_ms);
    }
    assert_int_equal(air_schedule_warning(late_ms, early_ms), early_ms);
}

static void the_ends_of_the_calendar_give_ordinary_moments(void **state) {
    (void)state;
    static const int64_t years[] = {1, 1950, 1970, 2026, 2038, 2049, 2050, 2106, 9999};
    static const air_time_ms befores[] = {0, 30 * AIR_DAY_MS, INT64_MAX};
    for (size_t b = 0; b < COUNT(years); b++) {
        for (size_t a = b; a < COUNT(years); a++) {
            for (size_t i = 0; i < COUNT(befores); i++) {
                const air_time_ms before_ms = air_time_from_civil(years[b], 1, 19);
                const air_time_ms after_ms = air_time_from_civil(years[a], 12, 31);
                const air_time_ms renewal_ms =
                    air_schedule_renewal(before_ms, after_ms, befores[i], UINT64_MAX);
                const air_time_ms warning_ms = air_schedule_warning(before_ms, after_ms);
                assert_true(renewal_ms >= before_ms && renewal_ms < after_ms);
                assert_true(warning_ms > before_ms && warning_ms <= after_ms);
            }
        }
    }
}

static void random_lives_are_renewed_within_themselves(void **state) {
    (void)state;
    for (int i = 0; i < 200000; i++) {
        const air_time_ms before_ms = (air_time_ms)(dice() % (1ull << 48));
        const air_time_ms life_ms = (air_time_ms)(dice() % (1ull << (dice() % 48)));
        const air_time_ms renew_before_ms = dice() % 2 == 0 ? 0 : (air_time_ms)(dice() >> 1);
        const air_time_ms renewal_ms =
            air_schedule_renewal(before_ms, before_ms + life_ms, renew_before_ms, dice());
        assert_true(renewal_ms >= before_ms && renewal_ms <= before_ms + life_ms);
    }
}

static void warns_when_the_last_tenth_begins(void **state) {
    (void)state;
    assert_int_equal(air_schedule_warning(0, 90 * AIR_DAY_MS), 81 * AIR_DAY_MS);
    assert_int_equal(air_schedule_warning(0, 160 * AIR_HOUR_MS), 144 * AIR_HOUR_MS);
}

/* How many tries fit between the first one and the end of the life. */
static unsigned tries_until_the_end(
    air_time_ms left_ms, enum air_failure failure, uint64_t spread, air_time_ms *shortest_ms) {
    unsigned tries = 1;
    *shortest_ms = INT64_MAX;
    for (;;) {
        const air_time_ms wait_ms = air_schedule_retry(failure, tries, left_ms, -1, spread);
        *shortest_ms = wait_ms < *shortest_ms ? wait_ms : *shortest_ms;
        if (wait_ms >= left_ms) {
            return tries;
        }
        left_ms -= wait_ms;
        tries++;
        assert_true(tries < 1000);
    }
}

static void a_short_life_gets_about_twenty_tries_and_more_near_its_end(void **state) {
    (void)state;
    for (uint64_t spread = 0; spread < 1000; spread += 7) {
        air_time_ms shortest_ms = 0;
        const unsigned tries =
            tries_until_the_end(80 * AIR_HOUR_MS, AIR_FAILURE_TRANSIENT, spread, &shortest_ms);
        assert_in_range(tries, 20, 50);
        assert_true(shortest_ms >= AIR_RETRY_MIN_MS);
    }
}

static void a_short_life_is_tried_often_enough_when_a_person_must_act(void **state) {
    (void)state;
    for (uint64_t spread = 0; spread < 1000; spread += 7) {
        air_time_ms shortest_ms = 0;
        assert_in_range(
            tries_until_the_end(80 * AIR_HOUR_MS, AIR_FAILURE_PERMANENT, spread, &shortest_ms), 15,
            45);
    }
}

static void a_dead_name_is_tried_twice_a_day(void **state) {
    (void)state;
    static const enum air_failure failures[] = {
        AIR_FAILURE_TRANSIENT, AIR_FAILURE_ORDER, AIR_FAILURE_PERMANENT};
    for (size_t i = 0; i < COUNT(failures); i++) {
        for (uint64_t spread = 0; spread < 5000; spread++) {
            const air_time_ms wait_ms =
                air_schedule_retry(failures[i], 100 + (uint32_t)spread, 0, -1, spread);
            assert_in_range(wait_ms, AIR_RETRY_MAX_MS / 10 * 9, AIR_RETRY_MAX_MS);
        }
    }
}

static void first_failures_wait_minutes_and_grow_fourfold(void **state) {
    (void)state;
    static const air_time_ms bases[] = {1, 4, 16, 64, 256, 720, 720};
    for (uint32_t count = 1; count <= 7; count++) {
        for (uint64_t spread = 0; spread < 2000; spread++) {
            const air_time_ms base_ms = bases[count - 1] * AIR_MINUTE_MS;
            const air_time_ms wait_ms =
                air_schedule_retry(AIR_FAILURE_ORDER, count, -1, -1, spread);
            assert_true(wait_ms <= base_ms && wait_ms >= AIR_RETRY_MIN_MS);
            assert_true(wait_ms >= base_ms / 10 * 9);
        }
    }
}

/* R-C1: mod_md's pause became 0 after a month of failures (CVE-2025-55753). */
static void no_number_of_failures_makes_the_pause_short(void **state) {
    (void)state;
    for (unsigned shift = 0; shift <= 32; shift++) {
        for (int64_t off = -3; off <= 3; off++) {
            const int64_t wanted = ((int64_t)1 << shift) + off;
            if (wanted < 0 || wanted > UINT32_MAX) {
                continue;
            }
            const uint32_t count = (uint32_t)wanted;
            const air_time_ms wait_ms =
                air_schedule_retry(AIR_FAILURE_TRANSIENT, count, 0, -1, dice());
            assert_in_range(wait_ms, AIR_RETRY_MIN_MS, AIR_RETRY_MAX_MS);
            if (count >= 6) {
                assert_true(wait_ms >= AIR_RETRY_MAX_MS / 10 * 9);
            }
        }
    }
}

static void more_failures_never_shorten_the_pause_by_more_than_the_jitter(void **state) {
    (void)state;
    air_time_ms longest_ms = 0;
    for (uint32_t count = 0; count < 100000; count++) {
        const air_time_ms wait_ms =
            air_schedule_retry(AIR_FAILURE_TRANSIENT, count, 0, -1, 0x9e3779b97f4a7c15u);
        assert_true(wait_ms >= longest_ms / 10 * 9);
        longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
    }
}

static void random_failures_keep_the_bounds(void **state) {
    (void)state;
    for (int i = 0; i < 300000; i++) {
        const enum air_failure failure = (enum air_failure)(dice() % 3);
        const uint32_t count = (uint32_t)(dice() >> (dice() % 64));
        const air_time_ms left_ms = (air_time_ms)(dice() >> (dice() % 64));
        const air_time_ms asked_ms = (air_time_ms)(dice() % 86400001) - 1;
        const air_time_ms wait_ms = air_schedule_retry(failure, count, left_ms, asked_ms, dice());
        assert_true(wait_ms >= AIR_RETRY_MIN_MS);
        assert_true(wait_ms >= asked_ms);
        assert_true(wait_ms <= AIR_RETRY_MAX_MS || wait_ms == asked_ms);
        if (left_ms > 0 && left_ms / 5 > AIR_RETRY_MIN_MS && asked_ms < left_ms / 10) {
            assert_true(wait_ms <= left_ms / 5);
        }
    }
}

static void waits_as_long_as_the_ca_asks(void **state) {
    (void)state;
    assert_int_equal(
        air_schedule_retry(AIR_FAILURE_TRANSIENT, 1, 0, 3 * AIR_HOUR_MS, 0), 3 * AIR_HOUR_MS);
    assert_int_equal(air_schedule_retry(AIR_FAILURE_PERMANENT, 1, 0, AIR_DAY_MS, 0), AIR_DAY_MS);
    assert_int_equal(air_schedule_retry(AIR_FAILURE_TRANSIENT, 1, 0, 0, 0), AIR_RETRY_MIN_MS);
    assert_int_equal(air_schedule_retry(AIR_FAILURE_TRANSIENT, 1, 0, -1, 0), AIR_RETRY_MIN_MS);
}

static void polls_double_up_to_their_maximum(void **state) {
    (void)state;
    static const air_time_ms expected[] = {1000, 1000, 2000, 4000, 8000, 10000, 10000};
    for (unsigned count = 0; count < COUNT(expected); count++) {
        assert_int_equal(air_schedule_poll(1000, count, 10000), expected[count]);
    }
    assert_int_equal(air_schedule_poll(1000, UINT32_MAX, 10000), 10000);
    assert_int_equal(air_schedule_poll(20000, 1, 10000), 10000);
    assert_int_equal(air_schedule_poll(1, UINT32_MAX, AIR_DAY_MS), AIR_DAY_MS);
}

static void spreads_names_evenly_and_always_alike(void **state) {
    (void)state;
    static unsigned counts[10];
    for (int i = 0; i < 10000; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "host-%d.example.net", i);
        const uint64_t spread = air_schedule_spread(air_span_text(id), AIR_KEY_ECDSA_P256);
        assert_true(spread == air_schedule_spread(air_span_text(id), AIR_KEY_ECDSA_P256));
        assert_true(spread != air_schedule_spread(air_span_text(id), AIR_KEY_RSA_2048));
        counts[spread % 1000 / 100]++;
    }
    for (size_t i = 0; i < COUNT(counts); i++) {
        assert_in_range(counts[i], 800, 1200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renews_in_the_twentieth_after_two_thirds_or_half_of_the_life),
        cmocka_unit_test(renews_at_known_moments),
        cmocka_unit_test(renew_before_counts_back_from_the_end),
        cmocka_unit_test(an_absurd_renew_before_does_not_renew_for_ever),
        cmocka_unit_test(a_life_that_ends_before_it_begins_is_renewed_at_its_end),
        cmocka_unit_test(the_ends_of_the_calendar_give_ordinary_moments),
        cmocka_unit_test(random_lives_are_renewed_within_themselves),
        cmocka_unit_test(warns_when_the_last_tenth_begins),
        cmocka_unit_test(a_short_life_gets_about_twenty_tries_and_more_near_its_end),
        cmocka_unit_test(a_short_life_is_tried_often_enough_when_a_person_must_act),
        cmocka_unit_test(a_dead_name_is_tried_twice_a_day),
        cmocka_unit_test(first_failures_wait_minutes_and_grow_fourfold),
        cmocka_unit_test(no_number_of_failures_makes_the_pause_short),
        cmocka_unit_test(more_failures_never_shorten_the_pause_by_more_than_the_jitter),
        cmocka_unit_test(random_failures_keep_the_bounds),
        cmocka_unit_test(waits_as_long_as_the_ca_asks),
        cmocka_unit_test(polls_double_up_to_their_maximum),
        cmocka_unit_test(spreads_names_evenly_and_always_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
