/* SPDX-License-Identifier: MIT */
/*
 * What is proven: what an engine does when its wishes, its storage, its CA or its clock change
 * under it. How: against the fake CA, a storage in memory and a clock that the test moves. Whole
 * conversations are in tests/transcript, crashes in tests/crash.
 */

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define DAY_MS INT64_C(86400000)

static int begin(void **state) {
    static struct air_engine_world world;
    air_engine_world_init(&world);
    assert_ok(air_fake_host_start(&world.host));
    *state = &world;
    return 0;
}

static int end(void **state) {
    air_engine_world_deinit(*state);
    return 0;
}

static void restart(struct air_engine_world *world) {
    air_engine_world_kill(world);
    assert_ok(air_fake_host_start(&world->host));
}

static void issue(struct air_engine_world *world) {
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 1);
}

static void put(struct air_engine_world *world, const char *path, const char *value) {
    const struct air_put change = {.path = air_span_text(path), .value = air_span_text(value)};
    const struct air_guard guard = {0};
    assert_ok(world->storage->write(world->storage->self, &guard, &change, 1));
}

static struct air_status status_of(struct air_engine_world *world, size_t index) {
    struct air_status status;
    assert_ok(air_engine_status(world->host.engine, index, &status));
    return status;
}

static void orders_nothing_while_a_valid_certificate_is_stored(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    const size_t requests = air_fake_ca_counts(world->host.cas[0]).requests;
    for (int i = 0; i < 20; i++) { /* R-C4: restart loops */
        restart(world);
        assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
        air_fake_host_pass(&world->host, 60000);
    }
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).requests, requests);
    assert_int_equal(world->host.installs_count, 21);
}

static void orders_at_once_when_the_ca_changes_and_serves_the_old_one_meanwhile(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    world->host.cas[1] = world->host.cas[0];
    world->host.cas[0] = air_engine_world_ca(world, "other.test", 2);
    restart(world);
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_run(&world->host);
    assert_int_equal(world->host.served_generation, 1);
    assert_false(status_of(world, 0).is_current);
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 2);
    assert_true(status_of(world, 0).is_current);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).finalized, 1);
}

static void orders_at_once_when_names_change(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    const air_span names[] = {SPAN("example.net"), SPAN("WWW.example.net.")};
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = names,
        .names_count = 2,
        .directory_url = SPAN("https://ca.test/dir")};
    assert_ok(air_engine_certificate_set(world->host.engine, &spec, NULL));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 2);
    const struct air_status status = status_of(world, 0);
    assert_int_equal(status.names_count, 2);
    assert_span(status.names[1], "www.example.net");
}

static void leaves_an_unchanged_certificate_at_its_work(void **state) {
    struct air_engine_world *world = *state;
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_run(&world->host);
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).orders, 1);
    assert_int_equal(world->host.served_generation, 1);
}

static void withdraws_and_unlocks_when_removed_in_the_middle(void **state) {
    struct air_engine_world *world = *state;
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_run(&world->host);
    assert_int_equal(world->host.published_count, 1);
    assert_ok(air_engine_certificate_remove(world->host.engine, SPAN("example.net")));
    air_fake_host_run(&world->host);
    assert_int_equal(world->host.published_count, 0);
    uint64_t fence = 0;
    assert_ok(world->storage->lock(
        world->storage->self, SPAN("certificates/example.net/ecdsa-p256"), &fence));
    assert_int_equal(air_engine_lineages_count(world->host.engine), 0);
    assert_int_equal(
        air_engine_certificate_remove(world->host.engine, SPAN("example.net")), AIR_ERR_NOT_FOUND);
}

static void reads_every_certificate_while_all_places_are_taken(void **state) {
    struct air_engine_world *world = *state;
    for (unsigned i = 0; i < 60; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "n%u.example.net", i);
        assert_ok(air_fake_host_add(&world->host, name, NULL, 0));
    }
    air_fake_host_run(&world->host);
    size_t at_work = 0;
    for (size_t i = 0; i < air_engine_lineages_count(world->host.engine); i++) {
        const struct air_status status = status_of(world, i);
        assert_int_not_equal(status.state, AIR_STATE_LOADING);
        at_work += status.step[0] != 0 ? 1 : 0;
    }
    assert_int_equal(at_work, 16);
    air_fake_host_pass(&world->host, 10 * 60000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).finalized, 60);
}

static void waits_while_another_process_is_ordering(void **state) {
    struct air_engine_world *world = *state;
    struct air_storage *other = air_memory_storage_share(world->storage);
    uint64_t fence = 0;
    assert_ok(other->lock(other->self, SPAN("certificates/example.net/ecdsa-p256"), &fence));
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).requests, 0);
    assert_int_equal(status_of(world, 0).failures_count, 0);
    assert_ok(other->unlock(other->self, SPAN("certificates/example.net/ecdsa-p256")));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 1);
    air_memory_storage_free(other);
}

static void sends_nothing_but_the_directory_without_agreed_terms(void **state) {
    struct air_engine_world *world = *state;
    const struct air_authority_spec authority = {
        .size = sizeof authority, .directory_url = SPAN("https://ca.test/dir")};
    const air_span names[] = {SPAN("example.net")};
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = names,
        .names_count = 1,
        .directory_url = authority.directory_url};
    assert_ok(air_engine_authority_set(world->host.engine, &authority));
    assert_ok(air_engine_certificate_set(world->host.engine, &spec, NULL));
    air_fake_host_pass(&world->host, 60000);
    assert_span(air_fake_ca_counts(world->host.cas[0]).log, "GET /dir 200\n");
    assert_int_equal(world->host.events_count[AIR_EVENT_TERMS_REQUIRED], 1);
    assert_int_equal(status_of(world, 0).state, AIR_STATE_RETRYING);
}

static void serves_an_older_generation_when_the_newest_is_damaged(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    assert_ok(air_engine_certificate_renew(world->host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 2);
    put(world, "certificates/example.net/ecdsa-p256/generations/000002/fullchain.pem", "torn");
    world->host.served_generation = 0;
    restart(world);
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 1000);
    assert_int_equal(world->host.served_generation, 1);
    assert_true(world->host.events_count[AIR_EVENT_RECORD_SET_ASIDE] > 0);
}

static void serves_without_pointer_history_or_manifest(void **state) {
    static const char *const paths[] = {
        "current", "history.json", "order.json", "generations/000001/manifest.json"};
    struct air_engine_world *world = *state;
    issue(world);
    const size_t orders = air_fake_ca_counts(world->host.cas[0]).orders;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) { /* R-D3 */
        char path[200];
        (void)snprintf(path, sizeof path, "certificates/example.net/ecdsa-p256/%s", paths[i]);
        put(world, path, "\x01 not what it was");
        world->host.served_generation = 0;
        restart(world);
        assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
        air_fake_host_pass(&world->host, 60000);
        assert_int_equal(world->host.served_generation, 1);
    }
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).orders, orders);
}

static void orders_anew_when_no_stored_pair_can_be_served(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    world->host.install_error = AIR_ERR_BAD_CERTIFICATE; /* the key is not the chain's */
    restart(world);
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_run(&world->host);
    world->host.install_error = AIR_OK;
    air_fake_host_pass(&world->host, 60000);
    assert_int_equal(world->host.served_generation, 2);
}

static void orders_nothing_while_storage_fails(void **state) {
    struct air_engine_world *world = *state;
    air_memory_storage_stop_at_put(world->storage, 1, AIR_ERR_STORAGE);
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 10 * 60000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).orders, 0);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).accounts, 0);
    air_memory_storage_stop_at_put(world->storage, 0, AIR_OK);
    air_fake_host_pass(&world->host, DAY_MS);
    assert_int_equal(world->host.served_generation, 1);
}

static void renews_in_time_and_tells_before_the_end(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    air_fake_host_pass(&world->host, 50 * DAY_MS);
    assert_int_equal(world->host.served_generation, 1);
    air_fake_host_pass(&world->host, 15 * DAY_MS);
    assert_int_equal(world->host.served_generation, 2);
    assert_int_equal(world->host.events_count[AIR_EVENT_EXPIRES_SOON], 0);
    struct air_fake_ca *ca = world->host.cas[0];
    world->host.cas[0] = NULL; /* the CA is gone for the rest of the life */
    air_fake_host_pass(&world->host, 95 * DAY_MS);
    assert_int_equal(world->host.events_count[AIR_EVENT_EXPIRES_SOON], 1);
    assert_int_equal(world->host.events_count[AIR_EVENT_EXPIRED], 1);
    world->host.cas[0] = ca;
    air_fake_host_pass(&world->host, DAY_MS);
    assert_int_equal(world->host.served_generation, 3);
}

static void tries_twice_a_day_for_a_dead_name_and_no_more_after_years(void **state) {
    struct air_engine_world *world = *state;
    air_fake_ca_settings(world->host.cas[0])->validate = NULL;
    air_fake_ca_settings(world->host.cas[0])->lifetime_ms = -DAY_MS; /* never acceptable */
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 30 * DAY_MS);
    const size_t before = air_fake_ca_counts(world->host.cas[0]).orders;
    air_fake_host_pass(&world->host, 10 * DAY_MS);
    const size_t orders = air_fake_ca_counts(world->host.cas[0]).orders - before;
    assert_in_range(orders, 18, 24); /* R-C3, figure 20 */
}

static void registers_again_once_when_the_ca_has_lost_the_account(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    air_fake_ca_free(world->host.cas[0]);
    world->host.cas[0] = air_engine_world_ca(world, "ca.test", 9); /* it knows nobody */
    assert_ok(air_engine_certificate_renew(world->host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->host, 10 * 60000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).accounts, 1);
    air_fake_host_pass(&world->host, 61 * DAY_MS);
    assert_int_equal(world->host.served_generation, 2); /* R-B6 */
}

static void keeps_pauses_when_the_clock_is_set_back(void **state) {
    struct air_engine_world *world = *state;
    issue(world);
    struct air_fake_ca *ca = world->host.cas[0];
    world->host.cas[0] = NULL;
    air_fake_host_pass(&world->host, 64 * DAY_MS); /* due, and failing */
    assert_true(status_of(world, 0).failures_count > 0);
    world->host.now.wall_ms -= 400 * DAY_MS;
    world->host.cas[0] = ca;
    air_fake_host_pass(&world->host, DAY_MS);
    assert_int_equal(world->host.events_count[AIR_EVENT_CLOCK_STEPPED], 1);
    assert_int_equal(world->host.installs_count, 1); /* R-C6: what is served stays served */
    world->host.now.wall_ms += 400 * DAY_MS;
    air_fake_host_pass(&world->host, DAY_MS);
    assert_int_equal(world->host.served_generation, 2);
}

static void follows_no_url_to_another_host(void **state) {
    static const struct air_fake_answer answers[] = {
        {.path = "/dir",
            .status = 200,
            .body = "{\"newNonce\":\"https://evil.test/n\",\"newAccount\":\"https://ca.test/a\","
                    "\"newOrder\":\"https://ca.test/o\"}"},
        {.path = "/new-order",
            .status = 201,
            .header_name = "location",
            .header_value = "https://evil.test/order/1",
            .body = "{\"status\":\"pending\",\"authorizations\":[]}"},
        {.path = "/new-order",
            .status = 201,
            .header_name = "location",
            .header_value = "https://ca.test/order/1",
            .body = "{\"status\":\"pending\",\"authorizations\":[\"https://evil.test/authz\"]}"},
        {.path = "/order/1",
            .status = 200,
            .body = "{\"status\":\"valid\",\"certificate\":\"http://ca.test/cert/1\"}"},
    };
    struct air_engine_world *world = *state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        air_fake_ca_answer(world->host.cas[0], &answers[i]); /* R-A3 */
    }
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    air_fake_host_pass(&world->host, 2 * DAY_MS);
    assert_int_equal(world->host.served_generation, 1);
    air_buffer_append_byte(&world->host.transcript, 0);
    assert_null(strstr((const char *)world->host.transcript.data, "http https://evil.test"));
    assert_null(strstr((const char *)world->host.transcript.data, "http http://"));
}

static void ignores_results_that_come_late_or_twice(void **state) {
    struct air_engine_world *world = *state;
    const struct air_action *action = NULL;
    const struct air_result result = {.error = AIR_ERR_TIMEOUT};
    assert_ok(air_fake_host_add(&world->host, "example.net", NULL, 0));
    assert_ok(air_engine_next(world->host.engine, world->host.now, &action));
    const uint64_t id = action->id;
    world->host.now.boot_ms += 600000; /* its deadline has passed */
    world->host.now.wall_ms += 600000;
    assert_ok(air_engine_next(world->host.engine, world->host.now, &action));
    assert_ok(air_engine_complete(world->host.engine, id, &result, world->host.now));
    assert_ok(air_engine_complete(world->host.engine, id, &result, world->host.now));
    assert_ok(air_engine_complete(world->host.engine, 12345, &result, world->host.now));
    air_fake_host_pass(&world->host, 10 * 60000);
    assert_int_equal(world->host.served_generation, 1);
}

/* The second key type's records are there long before the first one's. */
static void orders_key_types_in_turn_however_slow_storage_is(void **state) {
    static const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    const struct air_record records[] = {
        {.error = AIR_ERR_NOT_FOUND}, {.error = AIR_ERR_NOT_FOUND}, {.error = AIR_ERR_NOT_FOUND}};
    const struct air_result nothing = {.read = {.records = records, .records_count = 3}};
    struct air_engine_world *world = *state;
    struct air_buffer *transcript = &world->host.transcript;
    const struct air_action *action = NULL;
    assert_ok(air_fake_host_add(&world->host, "example.net", types, 2));
    assert_ok(air_engine_next(world->host.engine, world->host.now, &action));
    assert_int_equal(action->kind, AIR_ACTION_READ);
    const uint64_t slow = action->id;
    air_fake_host_run(&world->host);
    assert_null(memmem(transcript->data, transcript->size, "lock ", 5));
    assert_ok(air_engine_complete(world->host.engine, slow, &nothing, world->host.now));
    air_fake_host_pass(&world->host, 60000);
    air_buffer_append_byte(transcript, 0);
    const char *text = (const char *)transcript->data;
    const char *first = strstr(text, "put live/example.net/ecdsa-p256/");
    const char *second = strstr(text, "put certificates/example.net/rsa-2048/order.json");
    assert_non_null(first);
    assert_non_null(second);
    assert_true(first < second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            orders_nothing_while_a_valid_certificate_is_stored, begin, end),
        cmocka_unit_test_setup_teardown(
            orders_at_once_when_the_ca_changes_and_serves_the_old_one_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(orders_at_once_when_names_change, begin, end),
        cmocka_unit_test_setup_teardown(leaves_an_unchanged_certificate_at_its_work, begin, end),
        cmocka_unit_test_setup_teardown(
            withdraws_and_unlocks_when_removed_in_the_middle, begin, end),
        cmocka_unit_test_setup_teardown(
            reads_every_certificate_while_all_places_are_taken, begin, end),
        cmocka_unit_test_setup_teardown(waits_while_another_process_is_ordering, begin, end),
        cmocka_unit_test_setup_teardown(
            sends_nothing_but_the_directory_without_agreed_terms, begin, end),
        cmocka_unit_test_setup_teardown(
            serves_an_older_generation_when_the_newest_is_damaged, begin, end),
        cmocka_unit_test_setup_teardown(serves_without_pointer_history_or_manifest, begin, end),
        cmocka_unit_test_setup_teardown(orders_anew_when_no_stored_pair_can_be_served, begin, end),
        cmocka_unit_test_setup_teardown(orders_nothing_while_storage_fails, begin, end),
        cmocka_unit_test_setup_teardown(renews_in_time_and_tells_before_the_end, begin, end),
        cmocka_unit_test_setup_teardown(
            tries_twice_a_day_for_a_dead_name_and_no_more_after_years, begin, end),
        cmocka_unit_test_setup_teardown(
            registers_again_once_when_the_ca_has_lost_the_account, begin, end),
        cmocka_unit_test_setup_teardown(keeps_pauses_when_the_clock_is_set_back, begin, end),
        cmocka_unit_test_setup_teardown(follows_no_url_to_another_host, begin, end),
        cmocka_unit_test_setup_teardown(ignores_results_that_come_late_or_twice, begin, end),
        cmocka_unit_test_setup_teardown(
            orders_key_types_in_turn_however_slow_storage_is, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
