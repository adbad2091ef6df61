/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the pool hands out every nonce once, the youngest first, none that is old, and never
 * holds more than its limit (RFC 8555 section 6.5, R-B5). How: known sequences, and a random run
 * against a plain list.
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/session.h"
#include "tests/support/test.h"

static void keep(struct air_session *session, const char *nonce, air_time_ms boot_ms) {
    air_session_keep_nonce(session, air_span_text(nonce), boot_ms);
}

static void takes(struct air_session *session, air_time_ms boot_ms, const char *expected) {
    struct air_nonce nonce;
    assert_true(air_session_take_nonce(session, boot_ms, &nonce));
    assert_span(air_span_of(nonce.text, nonce.size), expected);
}

static void takes_none(struct air_session *session, air_time_ms boot_ms) {
    struct air_nonce nonce;
    assert_false(air_session_take_nonce(session, boot_ms, &nonce));
}

static void gives_the_youngest_first_and_each_once(void **state) {
    (void)state;
    struct air_session session = {0};
    keep(&session, "a", 1);
    keep(&session, "b", 2);
    keep(&session, "c", 2);
    takes(&session, 3, "c");
    takes(&session, 3, "b");
    keep(&session, "d", 3);
    takes(&session, 3, "d");
    takes(&session, 3, "a");
    takes_none(&session, 3);
}

static void an_empty_pool_gives_none(void **state) {
    (void)state;
    struct air_session session = {0};
    takes_none(&session, 0);
    takes_none(&session, INT64_MAX);
}

static void an_empty_nonce_is_not_kept(void **state) {
    (void)state;
    struct air_session session = {0};
    keep(&session, "", 1);
    keep(&session, NULL, 1);
    takes_none(&session, 1);
}

static void a_nonce_that_is_too_long_is_not_kept(void **state) {
    (void)state;
    struct air_session session = {0};
    char text[AIR_TOKEN_SIZE_MAX + 1];
    memset(text, 'n', sizeof text);
    air_session_keep_nonce(&session, air_span_of(text, sizeof text), 1);
    takes_none(&session, 1);
    air_session_keep_nonce(&session, air_span_of(text, sizeof text - 1), 1);
    struct air_nonce nonce;
    assert_true(air_session_take_nonce(&session, 1, &nonce));
    assert_int_equal(nonce.size, AIR_TOKEN_SIZE_MAX);
}

static void an_old_nonce_is_not_given(void **state) {
    (void)state;
    struct air_session session = {0};
    keep(&session, "a", 1000);
    takes(&session, 1000 + AIR_NONCE_AGE_MAX_MS, "a");
    keep(&session, "b", 1000);
    takes_none(&session, 1001 + AIR_NONCE_AGE_MAX_MS);
    takes_none(&session, 1000); /* forgotten for good */
}

static void old_ones_below_a_young_one_are_not_given_either(void **state) {
    (void)state;
    struct air_session session = {0};
    keep(&session, "old", 0);
    keep(&session, "young", AIR_NONCE_AGE_MAX_MS);
    takes(&session, AIR_NONCE_AGE_MAX_MS + 1, "young");
    takes_none(&session, AIR_NONCE_AGE_MAX_MS + 1);
}

static void a_full_pool_forgets_the_oldest(void **state) {
    (void)state;
    struct air_session session = {0};
    for (int i = 0; i < AIR_NONCES_MAX + 10; i++) {
        char text[20];
        (void)snprintf(text, sizeof text, "n%d", i);
        keep(&session, text, i);
    }
    for (int i = AIR_NONCES_MAX + 9; i >= 10; i--) {
        char text[20];
        (void)snprintf(text, sizeof text, "n%d", i);
        takes(&session, AIR_NONCES_MAX + 10, text);
    }
    takes_none(&session, AIR_NONCES_MAX + 10);
}

static void no_nonce_is_given_twice_in_a_long_run(void **state) {
    (void)state;
    static bool was_given[20001];
    struct air_session session = {0};
    uint64_t dice = 88172645463325252u;
    air_time_ms now_ms = 0;
    int last = 0;
    for (int i = 0; i < 40000; i++) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        now_ms += (air_time_ms)(dice % 20000);
        if (dice % 2 == 0 && last < 20000) {
            char text[20];
            (void)snprintf(text, sizeof text, "%d", ++last);
            keep(&session, text, now_ms);
            continue;
        }
        struct air_nonce nonce;
        if (air_session_take_nonce(&session, now_ms, &nonce)) {
            int64_t number = 0;
            assert_true(air_span_number(air_span_of(nonce.text, nonce.size), &number));
            assert_false(was_given[number]);
            assert_in_range(now_ms - nonce.since_boot_ms, 0, AIR_NONCE_AGE_MAX_MS);
            was_given[number] = true;
        }
    }
    assert_true(last > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_youngest_first_and_each_once),
        cmocka_unit_test(an_empty_pool_gives_none),
        cmocka_unit_test(an_empty_nonce_is_not_kept),
        cmocka_unit_test(a_nonce_that_is_too_long_is_not_kept),
        cmocka_unit_test(an_old_nonce_is_not_given),
        cmocka_unit_test(old_ones_below_a_young_one_are_not_given_either),
        cmocka_unit_test(a_full_pool_forgets_the_oldest),
        cmocka_unit_test(no_nonce_is_given_twice_in_a_long_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
