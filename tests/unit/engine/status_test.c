/* SPDX-License-Identifier: MIT */
/*
 * Proven here: an operator sees of every lineage what it is, what it does and why it waits, and the
 * names of actions, events and states are stable. How: one certificate, looked at in each state of
 * its life.
 */

#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)

static struct air_engine_world world;

static int begin(void **state) {
    (void)state;
    air_engine_world_init(&world);
    assert_ok(air_fake_host_start(&world.host));
    return 0;
}

static int end(void **state) {
    (void)state;
    air_engine_world_deinit(&world);
    return 0;
}

static struct air_status look(size_t index) {
    struct air_status status;
    assert_ok(air_engine_status(world.host.engine, index, &status));
    return status;
}

static void shows_what_is_asked_for_before_anything_is_known(void **state) {
    (void)state;
    static const enum air_key_type key_types[] = {AIR_KEY_RSA_2048, AIR_KEY_ECDSA_P256};
    assert_ok(air_fake_host_add(&world.host, "example.net", key_types, 2));
    assert_int_equal(air_engine_lineages_count(world.host.engine), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct air_status status = look(i);
        assert_span(status.certificate, "example.net");
        assert_span(status.names[0], "example.net");
        assert_int_equal(status.names_count, 1);
        assert_span(status.directory_url, "https://ca.test/dir");
        assert_int_equal(status.key_type, key_types[i]);
        assert_int_equal(status.state, AIR_STATE_LOADING);
        assert_string_equal(status.step, "");
        assert_int_equal(status.generation, 0);
        assert_false(status.is_current);
        assert_int_equal(status.not_after_ms, 0);
        assert_int_equal(status.serial_size, 0);
        assert_int_equal(status.failures_count, 0);
        assert_int_equal(status.last_error.size, 0);
    }
}

static void shows_the_step_of_an_order(void **state) {
    (void)state;
    world.host.held_kind = AIR_ACTION_PUBLISH;
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    air_fake_host_run(&world.host);
    const struct air_status status = look(0);
    assert_int_equal(status.state, AIR_STATE_ORDERING);
    assert_string_equal(status.step, "publish");
    assert_int_equal(status.generation, 0);
}

static void shows_what_is_served_and_when_it_is_renewed(void **state) {
    (void)state;
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    air_fake_host_pass(&world.host, MINUTE_MS);
    const struct air_status status = look(0);
    assert_int_equal(status.state, AIR_STATE_WAITING);
    assert_string_equal(status.step, "");
    assert_true(status.is_current);
    assert_int_equal(status.generation, 1);
    assert_int_equal(status.serial_size, 8);
    assert_int_equal(status.not_after_ms - status.not_before_ms, 90 * DAY_MS);
    assert_in_range(status.next_ms - status.not_before_ms, 60 * DAY_MS, 65 * DAY_MS);
    assert_int_equal(status.last_error.size, 0);
}

static void shows_why_and_how_long_it_waits_after_a_failure(void **state) {
    (void)state;
    const struct air_fake_answer answer = {.path = "/new-order",
        .status = 403,
        .body = "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
                "\"detail\":\"not \\u001b[1mhere\"}"};
    air_fake_ca_answer(world.host.cas[0], &answer);
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    air_fake_host_pass(&world.host, MINUTE_MS);
    struct air_status status = look(0);
    assert_int_equal(status.state, AIR_STATE_RETRYING);
    assert_int_equal(status.failures_count, 1);
    assert_span(status.last_error, "rejectedIdentifier: not \\x1b[1mhere");
    assert_in_range(status.next_ms - world.host.now.wall_ms, DAY_MS / 3, DAY_MS / 2);
    air_fake_host_pass(&world.host, DAY_MS / 2);
    status = look(0);
    assert_int_equal(status.state, AIR_STATE_WAITING);
    assert_int_equal(status.failures_count, 0);
    assert_int_equal(status.last_error.size, 0);
}

static void shows_that_what_is_served_is_not_what_is_asked_for(void **state) {
    (void)state;
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    air_fake_host_pass(&world.host, MINUTE_MS);
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net")};
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = names,
        .names_count = 2,
        .directory_url = SPAN("https://ca.test/dir")};
    world.host.held_kind = AIR_ACTION_PUBLISH;
    assert_ok(air_engine_certificate_set(world.host.engine, &spec, NULL));
    air_fake_host_run(&world.host);
    const struct air_status status = look(0);
    assert_false(status.is_current);
    assert_int_equal(status.generation, 1);
    assert_int_equal(status.names_count, 2);
    assert_int_equal(status.state, AIR_STATE_ORDERING);
}

static void there_is_nothing_beyond_the_end(void **state) {
    (void)state;
    struct air_status status;
    assert_int_equal(air_engine_status(world.host.engine, 0, &status), AIR_ERR_NOT_FOUND);
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    assert_ok(air_fake_host_add(&world.host, "example.org", NULL, 0));
    assert_int_equal(air_engine_status(world.host.engine, 2, &status), AIR_ERR_NOT_FOUND);
    assert_int_equal(air_engine_status(world.host.engine, SIZE_MAX, &status), AIR_ERR_NOT_FOUND);
    assert_span(look(1).certificate, "example.org"); /* in any order of asking */
    assert_span(look(0).certificate, "example.net");
    assert_span(look(1).certificate, "example.org");
    assert_ok(air_engine_certificate_remove(world.host.engine, SPAN("example.net")));
    assert_span(look(0).certificate, "example.org");
    assert_int_equal(air_engine_status(world.host.engine, 1, &status), AIR_ERR_NOT_FOUND);
}

static void the_engine_sleeps_when_it_has_nothing(void **state) {
    (void)state;
    assert_true(air_engine_wakeup(world.host.engine) == INT64_MAX);
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    assert_true(air_engine_wakeup(world.host.engine) <= world.host.now.boot_ms);
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_in_range(air_engine_wakeup(world.host.engine), world.host.now.boot_ms + 1,
        world.host.now.boot_ms + MINUTE_MS);
}

static void names_are_stable(void **state) {
    (void)state;
    assert_string_equal(air_state_text(AIR_STATE_LOADING), "loading");
    assert_string_equal(air_state_text(AIR_STATE_WAITING), "waiting");
    assert_string_equal(air_state_text(AIR_STATE_ORDERING), "ordering");
    assert_string_equal(air_state_text(AIR_STATE_RETRYING), "retrying");
    assert_string_equal(air_state_text((enum air_state)99), "");
    assert_string_equal(air_action_text(AIR_ACTION_HTTP), "http");
    assert_string_equal(air_action_text(AIR_ACTION_GENERATE_KEY), "generate-key");
    assert_string_equal(air_action_text(AIR_ACTION_CANCEL), "cancel");
    assert_string_equal(air_action_text((enum air_action_kind)0), "unknown");
    assert_string_equal(air_action_text((enum air_action_kind)15), "unknown");
    assert_string_equal(air_event_text(AIR_EVENT_STEP), "step");
    assert_string_equal(air_event_text(AIR_EVENT_ROLLED_BACK), "rolled-back");
    assert_string_equal(air_event_text((enum air_event_kind)99), "unknown");
    assert_int_equal(air_event_level(AIR_EVENT_ISSUED), AIR_INFO);
    assert_int_equal(air_event_level(AIR_EVENT_EXPIRED), AIR_ALARM);
    assert_int_equal(air_event_level((enum air_event_kind)99), AIR_ALARM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(shows_what_is_asked_for_before_anything_is_known),
        TEST(shows_the_step_of_an_order),
        TEST(shows_what_is_served_and_when_it_is_renewed),
        TEST(shows_why_and_how_long_it_waits_after_a_failure),
        TEST(shows_that_what_is_served_is_not_what_is_asked_for),
        TEST(there_is_nothing_beyond_the_end),
        TEST(the_engine_sleeps_when_it_has_nothing),
        TEST(names_are_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
