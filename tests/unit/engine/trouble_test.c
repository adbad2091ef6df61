/* SPDX-License-Identifier: MIT */
/*
 * Proven here: what goes wrong around an engine delays it and no more (R-B1, R-B2, R-B3): results
 * that come late, locks that are held, keys that cannot be read, records from another century, CAs
 * that do not finish. How: against the fake CA, with one trouble each, until the certificate is
 * served; and whole lives with the n-th crypto call or the n-th write failing, for every n.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define LINEAGE "certificates/example.net/ecdsa-p256"
#define FINALIZE "/order/1/finalize"

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

/* Another process on what is stored: locks of the first are gone. */
static void restart(void) {
    air_engine_world_kill(&world);
    assert_ok(air_fake_host_start(&world.host));
}

static void add(void) {
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
}

static void serves_within(air_time_ms span_ms, uint32_t generation) {
    air_fake_host_pass(&world.host, span_ms);
    if (world.host.served_generation != generation) {
        fail_msg("generation %u is served:\n%.*s", (unsigned)world.host.served_generation,
            (int)world.host.transcript.size, (const char *)world.host.transcript.data);
    }
}

/* The CA answers a request so, once. */
static void answers(const char *path, bool is_after, uint32_t status, const char *body) {
    const struct air_fake_answer answer = {
        .path = path, .is_after = is_after, .status = status, .body = body};
    air_fake_ca_answer(world.host.cas[0], &answer);
}

static bool is_stored(const char *path) {
    struct air_buffer value;
    uint64_t version = 0;
    air_buffer_init(&value, AIR_STORAGE_VALUE_SIZE_MAX);
    const enum air_error error =
        world.storage->read(world.storage->self, air_span_text(path), &value, &version);
    air_buffer_deinit(&value);
    return error == AIR_OK;
}

static void finalize_may_show_an_order_that_lags_behind(void **state) {
    (void)state;
    air_fake_ca_settings(world.host.cas[0])->is_ready_at_once = true;
    answers(FINALIZE, true, 200,
        "{\"status\":\"pending\",\"authorizations\":[\"https://ca.test/authz/1/0\"],"
        "\"finalize\":\"https://ca.test/order/1/finalize\"}");
    add();
    serves_within(MINUTE_MS, 1);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).finalized, 1);
}

static void finalize_may_show_an_order_that_is_ready_still(void **state) {
    (void)state;
    answers(FINALIZE, false, 200,
        "{\"status\":\"ready\",\"finalize\":\"https://ca.test/order/1/finalize\"}");
    add();
    serves_within(MINUTE_MS, 1);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).orders, 1);
}

static void a_finalize_that_never_gets_through_is_not_sent_in_a_circle(void **state) {
    (void)state;
    const struct air_fake_answer answer = {.path = FINALIZE, .error = AIR_ERR_NETWORK};
    for (int i = 0; i < AIR_FAKE_SCRIPT_MAX; i++) {
        air_fake_ca_answer(world.host.cas[0], &answer);
    }
    add();
    air_fake_host_pass(&world.host, 10000);
    assert_in_range(air_fake_ca_counts(world.host.cas[0]).requests, 8, 30);
    serves_within(HOUR_MS, 1);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).orders, 1);
    assert_in_range(air_fake_ca_counts(world.host.cas[0]).requests, 8, 100);
}

static void an_order_that_cannot_be_read_for_ever_is_given_up(void **state) {
    (void)state;
    for (int i = 0; i < AIR_FAKE_SCRIPT_MAX; i++) {
        answers("/order/1", false, 200, "[]");
    }
    add();
    serves_within(3 * HOUR_MS, 1);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).orders, 2);
}

static void a_sibling_waits_no_longer_than_the_lock_that_held_both(void **state) {
    (void)state;
    static const enum air_key_type key_types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    uint64_t fence = 0;
    struct air_storage *other = air_memory_storage_share(world.storage);
    assert_ok(other->lock(other->self, SPAN(LINEAGE), &fence));
    assert_ok(air_fake_host_add(&world.host, "example.net", key_types, 2));
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_ok(other->unlock(other->self, SPAN(LINEAGE)));
    air_fake_host_pass(&world.host, MINUTE_MS);
    for (size_t i = 0; i < 2; i++) {
        struct air_status status;
        assert_ok(air_engine_status(world.host.engine, i, &status));
        assert_int_equal(status.generation, 1);
    }
    air_memory_storage_free(other);
}

static void a_lock_that_comes_after_it_is_wanted_is_given_back(void **state) {
    (void)state;
    static const enum air_key_type rsa[] = {AIR_KEY_RSA_2048};
    world.host.held_kind = AIR_ACTION_LOCK;
    add();
    air_fake_host_run(&world.host);
    assert_ok(air_fake_host_add(&world.host, "example.net", rsa, 1)); /* the first is no longer */
    air_fake_host_release(&world.host);
    air_fake_host_pass(&world.host, MINUTE_MS);
    add();
    serves_within(MINUTE_MS, 1);
    struct air_status status;
    assert_ok(air_engine_status(world.host.engine, 0, &status));
    assert_int_equal(status.key_type, AIR_KEY_ECDSA_P256);
    assert_int_equal(status.generation, 1);
}

static void a_lock_that_takes_too_long_is_given_back_too(void **state) {
    (void)state;
    world.host.held_kind = AIR_ACTION_LOCK;
    add();
    air_fake_host_pass(&world.host, 2 * MINUTE_MS);
    assert_int_equal(world.host.served_generation, 0);
    air_fake_host_release(&world.host);
    serves_within(10 * MINUTE_MS, 1);
}

static void an_answer_that_is_published_too_late_is_withdrawn(void **state) {
    (void)state;
    world.host.held_kind = AIR_ACTION_PUBLISH;
    add();
    air_fake_host_run(&world.host);
    assert_int_equal(world.host.published_count, 1);
    assert_ok(air_engine_certificate_remove(world.host.engine, SPAN("example.net")));
    air_fake_host_run(&world.host);
    assert_int_equal(world.host.published_count, 0);
    world.host.published_count = 1; /* it became visible only now */
    air_fake_host_release(&world.host);
    air_fake_host_run(&world.host);
    assert_int_equal(world.host.published_count, 0);
}

static void a_renewal_asked_for_while_the_lock_is_released_is_not_forgotten(void **state) {
    (void)state;
    world.host.held_kind = AIR_ACTION_UNLOCK;
    add();
    serves_within(MINUTE_MS, 1);
    assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
    air_fake_host_release(&world.host);
    serves_within(MINUTE_MS, 2);
}

static void a_pause_from_another_century_is_no_pause(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        answers("/new-order", false, 403,
            "{\"type\":\"urn:ietf:params:acme:error:unauthorized\",\"detail\":\"not yet\"}");
    }
    add();
    air_fake_host_run(&world.host);
    struct air_buffer history;
    uint64_t version = 0;
    air_buffer_init(&history, AIR_STORAGE_VALUE_SIZE_MAX);
    assert_ok(world.storage->read(
        world.storage->self, SPAN(LINEAGE "/history.json"), &history, &version));
    air_buffer_append_byte(&history, 0);
    char *next = strstr((char *)history.data, "\"next\":\"20");
    assert_non_null(next);
    next[10] = '9';
    const struct air_put put = {.path = SPAN(LINEAGE "/history.json"),
        .value = air_span_of(history.data, history.size - 1)};
    const struct air_guard guard = {0};
    assert_ok(world.storage->write(world.storage->self, &guard, &put, 1));
    air_buffer_deinit(&history);
    restart();
    add();
    serves_within(2 * HOUR_MS, 1);
}

static enum air_error (*read_truly)(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static unsigned reads_failing;

static enum air_error read_badly(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    if (reads_failing > 0 && air_span_starts_with(path, LINEAGE "/generations/") &&
        air_span_equal_text(air_span_skip(path, path.size - 8), "/key.pem")) {
        reads_failing--;
        return AIR_ERR_STORAGE;
    }
    return read_truly(self, path, out, version);
}

static void an_order_outlives_a_storage_that_cannot_read_its_key_now(void **state) {
    (void)state;
    air_fake_ca_settings(world.host.cas[0])->validation_polls = 1000;
    add();
    air_fake_host_pass(&world.host, 5000);
    air_fake_ca_settings(world.host.cas[0])->validation_polls = 0;
    restart();
    read_truly = world.storage->read;
    world.storage->read = read_badly;
    reads_failing = 1;
    add();
    serves_within(10 * MINUTE_MS, 1);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).orders, 1);
    world.storage->read = read_truly;
}

static void what_was_committed_before_a_crash_is_settled_after_it(void **state) {
    (void)state;
    world.host.held_kind = AIR_ACTION_INSTALL;
    add();
    air_fake_host_pass(&world.host, 10000);
    assert_true(is_stored(LINEAGE "/current"));
    assert_true(is_stored(LINEAGE "/order.json"));
    restart();
    world.host.served_generation = 0;
    add();
    serves_within(MINUTE_MS, 1);
    assert_false(is_stored(LINEAGE "/order.json"));
    assert_true(is_stored("live/example.net/ecdsa-p256/fullchain.pem"));
    assert_int_equal(world.host.events_count[AIR_EVENT_ATTEMPT_FAILED], 0);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).orders, 1);
    serves_within(70 * DAY_MS, 2);
    assert_int_equal(world.host.events_count[AIR_EVENT_ATTEMPT_FAILED], 0);
}

static void a_lost_result_delays_by_its_time_limit(void **state) {
    (void)state;
    static const enum air_action_kind kinds[] = {AIR_ACTION_READ, AIR_ACTION_LIST, AIR_ACTION_WRITE,
        AIR_ACTION_HTTP, AIR_ACTION_PUBLISH, AIR_ACTION_WITHDRAW, AIR_ACTION_PROVE,
        AIR_ACTION_INSTALL, AIR_ACTION_UNLOCK, AIR_ACTION_LOCK};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (i > 0) {
            (void)begin(state);
        }
        world.host.held_kind = (int)kinds[i];
        add();
        air_fake_host_pass(&world.host, 4 * MINUTE_MS);
        air_fake_host_release(&world.host); /* late: it changes nothing */
        serves_within(HOUR_MS, 1);
        struct air_status status;
        assert_ok(air_engine_status(world.host.engine, 0, &status));
        assert_int_equal(status.failures_count, 0);
        assert_int_equal(status.state, AIR_STATE_WAITING);
        if (i + 1 < sizeof kinds / sizeof kinds[0]) {
            (void)end(state);
        }
    }
}

/* A life in which the n-th crypto call, or the n-th write, answers this. */
static bool lives_with(uint64_t n, enum air_error error, bool is_crypto) {
    if (is_crypto) {
        air_fake_crypto_fail_at(world.crypto, n, error);
    } else {
        air_memory_storage_fail_write(world.storage, n, error);
    }
    if (air_fake_host_add(&world.host, "example.net", NULL, 0) != AIR_OK) {
        add();
    }
    air_fake_host_pass(&world.host, MINUTE_MS);
    const bool was_touched =
        world.host.served_generation != 1 || world.host.events_count[AIR_EVENT_ATTEMPT_FAILED] > 0;
    air_fake_host_pass(&world.host, 3 * DAY_MS);
    struct air_status status;
    assert_ok(air_engine_status(world.host.engine, 0, &status));
    if (status.generation == 0 || status.failures_count > 0) {
        fail_msg("%s %" PRIu64 " fails: %.*s\n%.*s", is_crypto ? "crypto call" : "write", n,
            (int)status.last_error.size, (const char *)status.last_error.data,
            (int)world.host.transcript.size, (const char *)world.host.transcript.data);
    }
    return was_touched;
}

static void serves_whichever_crypto_call_fails(void **state) {
    unsigned touched = 0;
    for (uint64_t n = 1; n <= 150; n++) {
        touched += lives_with(n, AIR_ERR_CRYPTO, true) ? 1 : 0;
        (void)end(state);
        (void)begin(state);
    }
    assert_in_range(touched, 5, 145);
}

static void serves_whichever_write_fails(void **state) {
    static const enum air_error errors[] = {
        AIR_ERR_STORAGE, AIR_ERR_STORAGE_FULL, AIR_ERR_PERMISSION, AIR_ERR_CONFLICT};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        for (uint64_t n = 1; n <= 10; n++) {
            (void)lives_with(n, errors[i], false);
            (void)end(state);
            (void)begin(state);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(finalize_may_show_an_order_that_lags_behind),
        TEST(finalize_may_show_an_order_that_is_ready_still),
        TEST(a_finalize_that_never_gets_through_is_not_sent_in_a_circle),
        TEST(an_order_that_cannot_be_read_for_ever_is_given_up),
        TEST(a_sibling_waits_no_longer_than_the_lock_that_held_both),
        TEST(a_lock_that_comes_after_it_is_wanted_is_given_back),
        TEST(a_lock_that_takes_too_long_is_given_back_too),
        TEST(an_answer_that_is_published_too_late_is_withdrawn),
        TEST(a_renewal_asked_for_while_the_lock_is_released_is_not_forgotten),
        TEST(a_pause_from_another_century_is_no_pause),
        TEST(an_order_outlives_a_storage_that_cannot_read_its_key_now),
        TEST(what_was_committed_before_a_crash_is_settled_after_it),
        TEST(a_lost_result_delays_by_its_time_limit),
        TEST(serves_whichever_crypto_call_fails),
        TEST(serves_whichever_write_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
