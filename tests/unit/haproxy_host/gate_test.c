/* SPDX-License-Identifier: MIT */
/*
 * Proven here: how many tls-alpn-01 handshakes are waited for at once, of everybody and of one
 * network (R-G1), whatever the notation of an address; that a place is given back, by its holder or
 * by time, and never by another's ticket.
 */

#include <stdio.h>

#include "hosts/haproxy/gate.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/support/test.h"

#define NOW_MS 1000000

static int set_up(void **state) {
    static struct air_gate gate;
    air_gate_init(&gate);
    *state = &gate;
    return 0;
}

static int tear_down(void **state) {
    air_gate_deinit(*state);
    return 0;
}

static uint64_t enter(struct air_gate *gate, const char *source) {
    return air_gate_enter(gate, air_span_text(source), 0, NOW_MS);
}

static void fill(struct air_gate *gate, const char *source) {
    for (size_t i = 0; i < AIR_GATE_NEIGHBOURS_MAX; i++) {
        assert_int_not_equal(enter(gate, source), 0);
    }
}

static void refuses_a_fifth_of_a_network(void **state) {
    struct air_gate *gate = *state;
    fill(gate, "192.0.2.1");
    assert_int_equal(enter(gate, "192.0.2.255"), 0);
    assert_int_equal(enter(gate, "::ffff:192.0.2.7"), 0);
    assert_int_not_equal(enter(gate, "192.0.3.1"), 0);
    fill(gate, "2001:db8:0:100::1");
    assert_int_equal(enter(gate, "2001:db8:0:1ff:ffff::"), 0);
    assert_int_not_equal(enter(gate, "2001:db8:0:200::1"), 0);
    /* The same bytes in another family are another network. */
    fill(gate, "32.1.13.1");
    fill(gate, "2001:d00::1");
}

static void gives_a_network_places_for_each_name_that_is_validated(void **state) {
    struct air_gate *gate = *state;
    const air_span source = air_span_text("192.0.2.1");
    for (size_t i = 0; i < 3 * AIR_GATE_NEIGHBOURS_MAX; i++) {
        assert_int_not_equal(air_gate_enter(gate, source, 2, NOW_MS), 0);
    }
    assert_int_equal(air_gate_enter(gate, source, 2, NOW_MS), 0);
    assert_int_equal(air_gate_enter(gate, source, 0, NOW_MS), 0);
}

static void refuses_a_sixty_fifth_of_all(void **state) {
    struct air_gate *gate = *state;
    char source[64];
    for (unsigned i = 0; i < AIR_GATE_PLACES_MAX; i++) {
        (void)snprintf(source, sizeof(source), "10.0.%u.1", i);
        assert_int_not_equal(enter(gate, source), 0);
    }
    assert_int_equal(enter(gate, "10.1.0.1"), 0);
    assert_int_equal(enter(gate, ""), 0);
}

static void counts_a_source_that_is_no_address_for_the_whole_only(void **state) {
    struct air_gate *gate = *state;
    static const char *const sources[] = {"", "unix", "192.0.2", "192.0.2.1\n",
        "0000000000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < AIR_GATE_PLACES_MAX; i++) {
        assert_int_not_equal(enter(gate, sources[i % (sizeof(sources) / sizeof(sources[0]))]), 0);
    }
    assert_int_equal(enter(gate, ""), 0);
}

static void gives_a_place_back(void **state) {
    struct air_gate *gate = *state;
    const uint64_t first = enter(gate, "192.0.2.1");
    for (size_t i = 1; i < AIR_GATE_NEIGHBOURS_MAX; i++) {
        (void)enter(gate, "192.0.2.1");
    }
    air_gate_leave(gate, 0);
    assert_int_equal(enter(gate, "192.0.2.1"), 0);
    air_gate_leave(gate, first);
    assert_false(air_gate_holds(gate, first, NOW_MS));
    assert_int_not_equal(enter(gate, "192.0.2.1"), 0);
    air_gate_leave(gate, first); /* it means nobody's any more */
    assert_int_equal(enter(gate, "192.0.2.1"), 0);
}

static void takes_a_place_back_after_its_time(void **state) {
    struct air_gate *gate = *state;
    const air_span source = air_span_text("192.0.2.1");
    const uint64_t late = air_gate_enter(gate, source, 0, NOW_MS);
    fill(gate, "192.0.3.1");
    assert_true(air_gate_holds(gate, late, NOW_MS + AIR_GATE_LIMIT_MS - 1));
    assert_false(air_gate_holds(gate, late, NOW_MS + AIR_GATE_LIMIT_MS));
    assert_false(air_gate_holds(gate, 0, NOW_MS));
    for (size_t i = 0; i < AIR_GATE_NEIGHBOURS_MAX; i++) {
        assert_int_not_equal(air_gate_enter(gate, source, 0, NOW_MS + AIR_GATE_LIMIT_MS), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refuses_a_fifth_of_a_network, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            gives_a_network_places_for_each_name_that_is_validated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_sixty_fifth_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            counts_a_source_that_is_no_address_for_the_whole_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gives_a_place_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_a_place_back_after_its_time, set_up, tear_down),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
