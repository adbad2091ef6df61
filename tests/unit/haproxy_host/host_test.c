/* SPDX-License-Identifier: MIT */
/*
 * Proven here: orders of clients, from the request to the certificate or the refusal, against the
 * fake CA with real signatures and certificates: which requests share an order, what is remembered
 * of those that ended and for how long, and what is bounded.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_host/host_support.h"

#define HOUR_MS (60 * 60 * INT64_C(1000))
#define RUNNING_MAX 1000
#define ACCOUNTS_MAX 64

static int set_up(void **state) {
    static struct air_test_world world;
    air_test_world_init(&world);
    assert_ok(air_test_world_start(&world));
    *state = &world;
    return 0;
}

static int tear_down(void **state) {
    air_test_world_stop(*state);
    air_test_world_deinit(*state);
    return 0;
}

static const char *order(struct air_test_world *world, const char *names,
    enum air_key_type key_type, air_span account_key, char id[AIR_HAPROXY_ID_SIZE]) {
    struct air_refusal refusal = {0};
    assert_ok(air_test_world_order(world, names, key_type, account_key, id, &refusal));
    return id;
}

static const char *order_plain(
    struct air_test_world *world, const char *names, char id[AIR_HAPROXY_ID_SIZE]) {
    return order(world, names, AIR_KEY_NONE, air_span_of(NULL, 0), id);
}

static void gives_the_chain_and_then_the_key(void **state) {
    struct air_test_world *world = *state;
    struct air_buffer pem;
    char id[AIR_HAPROXY_ID_SIZE];
    order_plain(world, "a.test b.test", id);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_RUNNING);
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_DONE);
    air_buffer_init(&pem, 65536);
    assert_ok(air_haproxy_order_read(world->haproxy, air_span_text(id), AIR_KEY_ECDSA_P256, &pem));
    assert_ok(air_buffer_append_byte(&pem, '\0'));
    const char *text = (const char *)pem.data;
    assert_ptr_equal(strstr(text, "-----BEGIN CERTIFICATE-----"), text);
    assert_true(strstr(text, "PRIVATE KEY") > strstr(text, "END CERTIFICATE"));
    air_buffer_deinit(&pem);
}

static void refuses_to_read_what_is_not_there(void **state) {
    struct air_test_world *world = *state;
    struct air_buffer pem;
    char id[AIR_HAPROXY_ID_SIZE];
    order_plain(world, "a.test", id);
    air_buffer_init(&pem, 65536);
    const air_span ours = air_span_text(id);
    assert_int_equal(
        air_haproxy_order_read(world->haproxy, ours, AIR_KEY_ECDSA_P256, &pem), AIR_ERR_NOT_FOUND);
    air_test_world_run(world);
    assert_int_equal(
        air_haproxy_order_read(world->haproxy, ours, AIR_KEY_RSA_2048, &pem), AIR_ERR_NOT_FOUND);
    assert_int_equal(air_test_world_state(world, "_order-00"), AIR_ORDER_UNHEARD);
    air_buffer_deinit(&pem);
}

static void joins_identical_requests(void **state) {
    struct air_test_world *world = *state;
    char first[AIR_HAPROXY_ID_SIZE];
    char second[AIR_HAPROXY_ID_SIZE];
    assert_string_equal(
        order_plain(world, "a.test b.test", first), order_plain(world, "a.test b.test", second));
    air_test_world_run(world);
    assert_int_equal(air_fake_ca_counts(world->ca).orders, 1);
    assert_int_equal(air_haproxy_orders_ended(world->haproxy), 1);
    /* and one that comes later has what is fresh */
    order_plain(world, "a.test b.test", second);
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, second), AIR_ORDER_DONE);
    assert_int_equal(air_fake_ca_counts(world->ca).orders, 1);
}

static void parts_requests_that_differ(void **state) {
    struct air_test_world *world = *state;
    struct air_buffer account;
    char ids[4][AIR_HAPROXY_ID_SIZE];
    air_buffer_init(&account, AIR_KEY_PEM_SIZE_MAX);
    air_test_key_make(AIR_KEY_ECDSA_P256, &account);
    order_plain(world, "a.test", ids[0]);
    order_plain(world, "a.test b.test", ids[1]);
    order(world, "a.test", AIR_KEY_ECDSA_P384, air_span_of(NULL, 0), ids[2]);
    order(world, "a.test", AIR_KEY_NONE, air_buffer_span(&account), ids[3]);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(ids[i], ids[k]);
        }
    }
    air_test_world_run(world);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(air_test_world_state(world, ids[i]), AIR_ORDER_DONE);
    }
    assert_int_equal(air_fake_ca_counts(world->ca).orders, 4);
    assert_int_equal(air_fake_ca_counts(world->ca).accounts, 2);
    air_buffer_deinit(&account);
}

static void tells_the_cas_words_and_forgets_the_records(void **state) {
    struct air_test_world *world = *state;
    char id[AIR_HAPROXY_ID_SIZE];
    struct air_order_view view;
    air_fake_ca_answer(
        world->ca, &(struct air_fake_answer){.path = "/new-order",
                       .status = 400,
                       .body = "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
                               "\"detail\":\"a.test is not for you\"}"});
    order_plain(world, "a.test", id);
    air_test_world_run(world);
    air_haproxy_order_view(world->haproxy, air_span_text(id), &view);
    assert_int_equal(view.state, AIR_ORDER_FAILED);
    assert_non_null(strstr(view.failure, "rejectedIdentifier"));
    assert_non_null(strstr(view.failure, "a.test is not for you"));
    assert_int_equal(air_test_world_kept(world, "certificates"), 0);
    assert_int_equal(air_test_world_kept(world, "live"), 0);
    assert_int_equal(air_engine_lineages_count(world->haproxy->engine), 0);
    /* asked again, it is tried again */
    order_plain(world, "a.test", id);
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_DONE);
}

static void forgets_what_ended_an_hour_ago(void **state) {
    struct air_test_world *world = *state;
    char id[AIR_HAPROXY_ID_SIZE];
    order_plain(world, "a.test", id);
    air_test_world_run(world);
    air_test_world_pass(world, HOUR_MS - 5000);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_DONE);
    assert_int_equal(air_test_world_kept(world, "live"), 1);
    air_test_world_pass(world, 10000);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_UNHEARD);
    assert_int_equal(air_test_world_kept(world, "live"), 0);
    assert_int_equal(air_test_world_kept(world, "certificates"), 0);
}

static void keeps_what_nobody_has_read_yet(void **state) {
    struct air_test_world *world = *state;
    char ids[80][AIR_HAPROXY_ID_SIZE];
    for (unsigned i = 0; i < 80; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "host-%u.test", i);
        order_plain(world, name, ids[i]);
    }
    air_test_world_run(world);
    for (unsigned i = 0; i < 80; i++) {
        assert_int_equal(air_test_world_state(world, ids[i]), AIR_ORDER_DONE);
    }
    air_test_world_pass(world, 61000);
    assert_int_equal(air_test_world_kept(world, "live"), 64);
}

static void refuses_more_orders_than_the_limit(void **state) {
    struct air_test_world *world = *state;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    for (unsigned i = 0; i < RUNNING_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "host-%u.test", i);
        order_plain(world, name, id);
    }
    assert_int_equal(
        air_test_world_order(world, "late.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal),
        AIR_ERR_LIMIT);
    assert_int_equal(refusal.status, 503);
    order_plain(world, "host-7.test", id); /* one that joins is no more than there were */
}

static void refuses_keys_that_cannot_serve(void **state) {
    struct air_test_world *world = *state;
    struct air_order_request request = {.names = {air_span_text("a.test")}, .names_count = 1};
    struct air_refusal refusal = {0};
    struct air_buffer key;
    char id[AIR_HAPROXY_ID_SIZE];
    air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
    air_test_key_make(AIR_KEY_ECDSA_P256, &key);
    request.account_key = air_span_text("-----BEGIN PRIVATE KEY-----\nAAAA\n");
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_BAD_KEY);
    assert_int_equal(refusal.status, 422);
    request.account_key = air_buffer_span(&key);
    request.domain_key = air_buffer_span(&key);
    refusal = (struct air_refusal){0};
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_BAD_KEY);
    assert_non_null(strstr(refusal.sentence, "RFC 8555 section 11.1"));
    assert_int_equal(air_engine_lineages_count(world->haproxy->engine), 0);
    air_buffer_deinit(&key);
}

static void refuses_another_wish_for_a_managed_name(void **state) {
    struct air_test_world *world = *state;
    struct air_order_request request = {.names = {air_span_text("a.test"), air_span_text("b.test")},
        .names_count = 2,
        .managed = true};
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    assert_ok(air_haproxy_order(world->haproxy, &request, id, &refusal));
    assert_string_equal(id, "a.test");
    assert_ok(air_haproxy_order(world->haproxy, &request, id, &refusal));
    request.names_count = 1;
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_EXISTS);
    assert_int_equal(refusal.status, 409);
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, "a.test"), AIR_ORDER_DONE);
}

static void refuses_to_change_what_the_configuration_manages(void **state) {
    struct air_test_world *world = *state;
    const air_span names[] = {air_span_text("A.test"), air_span_text("b.test")};
    const enum air_key_type key_type = AIR_KEY_ECDSA_P256;
    struct air_order_request request = {
        .names = {air_span_text("a.test"), air_span_text("b.test")}, .managed = true};
    struct air_refusal refusal = {0};
    struct air_status before;
    struct air_status after;
    char id[AIR_HAPROXY_ID_SIZE];
    assert_ok(air_haproxy_manage(world->haproxy, names, 2, &key_type, 1, false, NULL));
    while (air_test_world_turn(world)) {
    }
    assert_ok(air_engine_status(world->haproxy->engine, 0, &before));
    request.names_count = 1;
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_EXISTS);
    request.names_count = 2;
    request.must_staple = true;
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_EXISTS);
    request.must_staple = false;
    request.key_types[0] = AIR_KEY_ECDSA_P384;
    request.key_types_count = 1;
    assert_int_equal(air_haproxy_order(world->haproxy, &request, id, &refusal), AIR_ERR_EXISTS);
    assert_int_equal(refusal.status, 409);
    assert_non_null(strstr(refusal.sentence, "config.lua"));
    assert_int_equal(world->haproxy->orders_running, 0);
    assert_ok(air_engine_status(world->haproxy->engine, 0, &after));
    assert_int_equal(after.names_count, before.names_count);
    assert_int_equal(after.state, before.state);
    request.key_types[0] = AIR_KEY_ECDSA_P256;
    assert_ok(air_haproxy_order(world->haproxy, &request, id, &refusal));
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_DONE);
    assert_int_equal(air_fake_ca_counts(world->ca).orders, 1);
}

static void keeps_what_was_managed_when_an_order_for_it_fails(void **state) {
    struct air_test_world *world = *state;
    struct air_order_request request = {.names = {air_span_text("a.test"), air_span_text("b.test")},
        .names_count = 1,
        .managed = true};
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    assert_ok(air_haproxy_order(world->haproxy, &request, id, &refusal));
    air_test_world_run(world);
    request.names_count = 2;
    air_fake_ca_answer(
        world->ca, &(struct air_fake_answer){.path = "/new-order",
                       .status = 400,
                       .body = "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\"}"});
    assert_ok(air_haproxy_order(world->haproxy, &request, id, &refusal));
    air_test_world_run(world);
    assert_int_equal(air_test_world_state(world, id), AIR_ORDER_FAILED);
    assert_int_equal(air_engine_lineages_count(world->haproxy->engine), 1);
}

static void forgets_accounts_nobody_orders_with(void **state) {
    struct air_test_world *world = *state;
    size_t count = 0;
    for (unsigned i = 0; i < ACCOUNTS_MAX + 10; i++) {
        struct air_buffer key;
        char name[32];
        char id[AIR_HAPROXY_ID_SIZE];
        air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
        air_test_key_make(AIR_KEY_ECDSA_P256, &key);
        (void)snprintf(name, sizeof(name), "host-%u.test", i);
        order(world, name, AIR_KEY_NONE, air_buffer_span(&key), id);
        air_test_world_run(world);
        struct air_order_view view;
        air_haproxy_order_view(world->haproxy, air_span_text(id), &view);
        assert_string_equal(view.failure, "");
        assert_int_equal(view.state, AIR_ORDER_DONE);
        air_buffer_deinit(&key);
    }
    for (const struct air_account_entry *at = world->haproxy->accounts; at != NULL; at = at->next) {
        count++;
    }
    assert_int_equal(count, ACCOUNTS_MAX);
    assert_int_equal(air_test_world_kept(world, "accounts"), ACCOUNTS_MAX);
}

static void lists_lineages_with_their_names(void **state) {
    struct air_test_world *world = *state;
    const air_span names[] = {air_span_text("A.test"), air_span_text("b.test")};
    const enum air_key_type key_type = AIR_KEY_ECDSA_P256;
    struct air_haproxy_lineage lineage;
    struct air_buffer text;
    assert_ok(air_haproxy_manage(world->haproxy, names, 2, &key_type, 1, false, NULL));
    air_buffer_init(&text, 65536);
    assert_ok(air_haproxy_status(world->haproxy, 0, &lineage, &text));
    assert_false(lineage.is_private);
    assert_span(lineage.id, "a.test");
    assert_span(lineage.names, "a.test\nb.test\n");
    assert_span(lineage.failure, "");
    assert_int_equal(air_haproxy_status(world->haproxy, 1, &lineage, &text), AIR_ERR_NOT_FOUND);
    air_buffer_deinit(&text);
}

/* The n-th allocation of the host's fails: the order still ends, or was refused, and nothing is
 * left. True: so many were not needed. */
static bool ends_when_one_fails(uint64_t n) {
    struct air_test_world world;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    const int64_t live = air_memory_live();
    air_test_world_init(&world);
    world.fail_at = n;
    enum air_error error = air_test_world_start(&world);
    if (error == AIR_OK) {
        error = air_test_world_order(
            &world, "a.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal);
        assert_true(error == AIR_OK || refusal.status == 503);
    }
    if (error == AIR_OK) {
        air_test_world_run(&world);
        assert_true(air_test_world_state(&world, id) == AIR_ORDER_DONE ||
                    air_test_world_state(&world, id) == AIR_ORDER_FAILED);
        air_test_world_stop(&world);
    } else {
        assert_int_equal(error, AIR_ERR_NO_MEMORY);
        air_test_world_stop(&world);
    }
    const bool is_enough = world.allocations_count < n;
    air_test_world_deinit(&world);
    assert_int_equal(air_memory_live(), live);
    return is_enough;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    for (uint64_t n = 1; !ends_when_one_fails(n); n++) {
        assert_true(n < 100000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_the_chain_and_then_the_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_read_what_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(joins_identical_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_requests_that_differ, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            tells_the_cas_words_and_forgets_the_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_what_ended_an_hour_ago, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_what_nobody_has_read_yet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_more_orders_than_the_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_keys_that_cannot_serve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_another_wish_for_a_managed_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_to_change_what_the_configuration_manages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            keeps_what_was_managed_when_an_order_for_it_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_accounts_nobody_orders_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_lineages_with_their_names, set_up, tear_down),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
