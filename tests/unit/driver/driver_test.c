/* SPDX-License-Identifier: MIT */
/*
 * Proven: every action handed out is carried out by the right port and completed once, also when
 * it is cancelled, when memory is short and when the driver is stopped; the loop is empty then.
 * How: a scripted engine whose actions' memory is gone at completion, ports in memory behind a
 * gate that holds the thread pool, and each allocation failing in turn.
 */
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/unit/driver/harness.h"

#define POOL_SIZE 4 /* threads of libuv's pool */

static struct air_action action_of(enum air_action_kind kind) {
    return (struct air_action){.kind = kind};
}

static void carries_out_a_read(void **state) {
    struct air_harness harness;
    air_span paths[] = {SPAN("a"), SPAN("missing")};
    struct air_action action = action_of(AIR_ACTION_READ);
    const struct air_answer *answer;
    uint64_t id;

    (void)state;
    air_harness_init(&harness);
    action.read = (struct air_read_action){.paths = paths, .paths_count = 2};
    id = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 1);
    answer = air_harness_answer(&harness, id);
    assert_ok(answer->error);
    assert_int_equal(answer->records_count, 2);
    assert_ok(answer->record_errors[0]);
    assert_int_equal(answer->record_versions[0], 7);
    assert_string_equal(answer->records[0], "value of a");
    assert_int_equal(answer->record_errors[1], AIR_ERR_NOT_FOUND);
    assert_string_equal(answer->explanation, "");
    air_harness_deinit(&harness);
}

static void tells_for_each_record_that_the_storage_failed(void **state) {
    struct air_harness harness;
    air_span paths[] = {SPAN("a")};
    struct air_action action = action_of(AIR_ACTION_READ);
    const struct air_answer *answer;
    uint64_t id;

    (void)state;
    air_harness_init(&harness);
    harness.storage_error = AIR_ERR_PERMISSION;
    action.read = (struct air_read_action){.paths = paths, .paths_count = 1};
    id = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 1);
    answer = air_harness_answer(&harness, id);
    assert_ok(answer->error);
    assert_int_equal(answer->record_errors[0], AIR_ERR_PERMISSION);
    assert_string_equal(answer->explanation, "/state/a:?out of order");
    air_harness_deinit(&harness);
}

static void carries_out_writes_and_refusals(void **state) {
    struct air_harness harness;
    struct air_put puts[] = {{.path = SPAN("a")}};
    struct air_action action = action_of(AIR_ACTION_WRITE);
    uint64_t written, refused;

    (void)state;
    air_harness_init(&harness);
    action.write =
        (struct air_write_action){.guard = {.version = 1}, .puts = puts, .puts_count = 1};
    written = air_fake_engine_push(harness.engine, &action);
    action.write.guard.version = 2;
    refused = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 2);
    assert_ok(air_harness_answer(&harness, written)->error);
    assert_int_equal(air_harness_answer(&harness, refused)->error, AIR_ERR_CONFLICT);
    assert_string_equal(
        air_harness_answer(&harness, refused)->explanation, "/state/a:?out of order");
    assert_int_equal(harness.writes_count, 1);
    air_harness_deinit(&harness);
}

static void carries_out_lists(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_LIST);
    uint64_t whole, part, rest, none, refused;

    (void)state;
    air_harness_init(&harness);
    action.list = (struct air_list_action){.prefix = SPAN("p"), .segments_max = 3};
    whole = air_fake_engine_push(harness.engine, &action);
    action.list.segments_max = 2;
    part = air_fake_engine_push(harness.engine, &action);
    action.list.after = SPAN("c");
    rest = air_fake_engine_push(harness.engine, &action);
    action.list.prefix = SPAN("q");
    none = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 4);
    assert_string_equal(air_harness_answer(&harness, whole)->segments, "b|c|d|");
    assert_false(air_harness_answer(&harness, whole)->has_more);
    assert_string_equal(air_harness_answer(&harness, part)->segments, "b|c|");
    assert_true(air_harness_answer(&harness, part)->has_more);
    assert_string_equal(air_harness_answer(&harness, rest)->segments, "d|");
    assert_string_equal(air_harness_answer(&harness, none)->segments, "");
    assert_ok(air_harness_answer(&harness, none)->error);
    harness.storage_error = AIR_ERR_STORAGE;
    refused = air_fake_engine_push(harness.engine, &action);
    air_driver_wake(harness.driver);
    air_harness_run(&harness, 5);
    assert_int_equal(air_harness_answer(&harness, refused)->error, AIR_ERR_STORAGE);
    air_harness_deinit(&harness);
}

static void carries_out_locks_keys_and_signatures(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_LOCK);
    uint64_t lock, unlock, key, sign;

    (void)state;
    air_harness_init(&harness);
    lock = air_fake_engine_push(harness.engine, &action);
    action.kind = AIR_ACTION_UNLOCK;
    unlock = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_GENERATE_KEY);
    action.generate_key.type = AIR_KEY_RSA_2048;
    key = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_SIGN);
    action.sign = (struct air_sign_action){.key = 3, .data = SPAN("text")};
    sign = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 4);
    assert_int_equal(air_harness_answer(&harness, lock)->fence, 5);
    assert_ok(air_harness_answer(&harness, unlock)->error);
    assert_int_not_equal(air_harness_answer(&harness, key)->key, 0);
    assert_string_equal(air_harness_answer(&harness, sign)->signature, "3 signed text");
    air_harness_deinit(&harness);
}

static void hands_on_what_the_ports_refuse(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_LOCK);
    uint64_t lock, unlock, key, sign;

    (void)state;
    air_harness_init(&harness);
    harness.storage_error = AIR_ERR_BUSY;
    harness.crypto_error = AIR_ERR_CRYPTO;
    lock = air_fake_engine_push(harness.engine, &action);
    action.kind = AIR_ACTION_UNLOCK;
    unlock = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_GENERATE_KEY);
    key = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_SIGN);
    sign = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 4);
    assert_int_equal(air_harness_answer(&harness, lock)->error, AIR_ERR_BUSY);
    assert_int_equal(air_harness_answer(&harness, unlock)->error, AIR_ERR_BUSY);
    assert_int_equal(air_harness_answer(&harness, key)->error, AIR_ERR_CRYPTO);
    assert_int_equal(air_harness_answer(&harness, sign)->error, AIR_ERR_CRYPTO);
    air_harness_deinit(&harness);
}

static bool refuse_to_prove(
    struct air_harness *harness, const struct air_action *action, struct air_result *result) {
    (void)harness;
    if (action->kind == AIR_ACTION_PROVE) {
        result->error = AIR_ERR_NOT_PROVEN;
        result->explanation = SPAN("no handshake");
    }
    return true;
}

static bool answer_later(
    struct air_harness *harness, const struct air_action *action, struct air_result *result) {
    (void)harness;
    (void)action;
    (void)result;
    return false;
}

static void asks_the_host_for_what_only_it_can_do(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_PUBLISH);
    uint64_t publish, prove;

    (void)state;
    air_harness_init(&harness);
    harness.carry = refuse_to_prove;
    publish = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_EVENT);
    air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_PROVE);
    prove = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 2);
    assert_ok(air_harness_answer(&harness, publish)->error);
    assert_int_equal(air_harness_answer(&harness, prove)->error, AIR_ERR_NOT_PROVEN);
    assert_string_equal(air_harness_answer(&harness, prove)->explanation, "no handshake");
    assert_int_equal(harness.events_count, 1);
    assert_int_equal(harness.script->unknown_count, 0);
    air_harness_deinit(&harness);
}

static void lets_the_host_answer_later_and_once(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_INSTALL);
    struct air_result result = {.error = AIR_ERR_NOT_PROVEN, .explanation = SPAN("old one kept")};
    uint64_t id;

    (void)state;
    air_harness_init(&harness);
    harness.carry = answer_later;
    id = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run_until(&harness, &harness.carried_count, 1);
    air_driver_complete(harness.driver, id + 1, &result);
    assert_int_equal(harness.script->completed_count, 0);
    air_driver_complete(harness.driver, id, &result);
    assert_string_equal(air_harness_answer(&harness, id)->explanation, "old one kept");
    air_driver_complete(harness.driver, id, &result);
    assert_int_equal(harness.script->completed_count, 1);
    assert_int_equal(harness.script->unknown_count, 0);
    air_harness_deinit(&harness);
}

static void leaves_open_what_the_host_never_answered(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_INSTALL);

    (void)state;
    air_harness_init(&harness);
    harness.carry = answer_later;
    air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run_until(&harness, &harness.carried_count, 1);
    air_harness_stop(&harness);
    /* The host may still read the action: its memory lives as long as the engine. */
    assert_int_equal(air_fake_engine_open_count(harness.engine), 1);
    assert_int_equal(harness.script->completed_count, 0);
    air_harness_deinit(&harness);
}

static void drops_a_cancelled_key(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_GENERATE_KEY);
    uint64_t id;

    (void)state;
    air_harness_init(&harness);
    air_harness_gate_shut(&harness);
    id = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_gate_wait(&harness, 1);
    action = action_of(AIR_ACTION_CANCEL);
    action.cancel.cancelled_id = id;
    air_fake_engine_push(harness.engine, &action);
    air_driver_wake(harness.driver);
    while (air_fake_engine_open_count(harness.engine) > 1 || harness.script->asked_count < 4) {
        uv_run(&harness.loop, UV_RUN_NOWAIT);
        air_driver_wake(harness.driver);
    }
    air_harness_gate_open(&harness);
    air_harness_run(&harness, 1);
    assert_int_equal(air_harness_answer(&harness, id)->error, AIR_ERR_CANCELLED);
    air_harness_deinit(&harness); /* asserts that every key made was freed */
    assert_int_equal(harness.keys_made, 1);
}

static void cancels_work_that_has_not_begun(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_WRITE);
    uint64_t last = 0;

    (void)state;
    air_harness_init(&harness);
    air_harness_gate_shut(&harness);
    for (unsigned i = 0; i < POOL_SIZE + 1; i++) {
        last = air_fake_engine_push(harness.engine, &action);
    }
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_gate_wait(&harness, POOL_SIZE);
    action = action_of(AIR_ACTION_CANCEL);
    action.cancel.cancelled_id = last;
    air_fake_engine_push(harness.engine, &action);
    action.cancel.cancelled_id = 999; /* nobody knows it: no harm */
    air_fake_engine_push(harness.engine, &action);
    air_driver_wake(harness.driver);
    air_harness_run(&harness, 1);
    assert_int_equal(air_harness_answer(&harness, last)->error, AIR_ERR_CANCELLED);
    air_harness_gate_open(&harness);
    air_harness_run(&harness, POOL_SIZE + 1);
    assert_int_equal(harness.writes_count, POOL_SIZE);
    air_harness_deinit(&harness);
}

static void waits_for_running_work_when_stopped(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_WRITE);

    (void)state;
    air_harness_init(&harness);
    air_harness_gate_shut(&harness);
    for (unsigned i = 0; i < POOL_SIZE + 2; i++) {
        air_fake_engine_push(harness.engine, &action);
    }
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_gate_wait(&harness, POOL_SIZE);
    air_harness_gate_open(&harness);
    air_harness_deinit(&harness);
    assert_true(harness.writes_count >= POOL_SIZE);
}

static void tries_again_when_the_engine_has_no_memory(void **state) {
    struct air_harness harness;
    struct air_action action = action_of(AIR_ACTION_LOCK);
    uint64_t lock, publish;

    (void)state;
    air_harness_init(&harness);
    harness.script->next_failures = 2;
    harness.script->complete_failures = 3;
    lock = air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_PUBLISH);
    publish = air_fake_engine_push(harness.engine, &action);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run(&harness, 2);
    assert_int_equal(air_harness_answer(&harness, lock)->fence, 5);
    assert_ok(air_harness_answer(&harness, publish)->error);
    assert_int_equal(harness.script->unknown_count, 0);
    air_harness_deinit(&harness);
}

static void sleeps_until_the_engine_wants_to_be_asked(void **state) {
    struct air_harness harness;

    (void)state;
    air_harness_init(&harness);
    assert_ok(air_harness_begin(&harness, NULL));
    air_harness_run_until(&harness, &harness.script->asked_count, 1);
    harness.script->wakeup_ms = harness.script->latest.boot_ms + 20;
    air_driver_wake(harness.driver);
    air_harness_run_until(&harness, &harness.script->asked_count, 4);
    assert_true(harness.script->latest.boot_ms >= harness.script->wakeup_ms);
    air_harness_deinit(&harness);
}

static void on_tick(uv_timer_t *timer) {
    ++*(unsigned *)timer->data;
}

/* An engine that wants to be asked at once, for ever, leaves the loop to others all the same. */
static void leaves_the_loop_to_others(void **state) {
    struct air_harness harness;
    uv_timer_t timer;
    unsigned ticks = 0;

    (void)state;
    air_harness_init(&harness);
    harness.script->wakeup_ms = 1;
    assert_ok(air_harness_begin(&harness, NULL));
    assert_int_equal(uv_timer_init(&harness.loop, &timer), 0);
    timer.data = &ticks;
    assert_int_equal(uv_timer_start(&timer, on_tick, 5, 5), 0);
    air_harness_run_until(&harness, &ticks, 3);
    uv_close((uv_handle_t *)&timer, NULL);
    air_harness_deinit(&harness);
}

static void refuses_a_configuration_with_gaps(void **state) {
    struct air_harness harness;
    struct air_driver *driver = NULL;
    struct air_driver_config config = {.size = sizeof(config)};
    char user_agent[130];

    (void)state;
    air_harness_init(&harness);
    assert_int_equal(air_driver_new(&config, &driver), AIR_ERR_ARGUMENT);
    memset(user_agent, 'a', sizeof(user_agent) - 1);
    user_agent[sizeof(user_agent) - 1] = '\0';
    assert_int_equal(air_harness_begin(&harness, user_agent), AIR_ERR_ARGUMENT);
    air_driver_free(NULL);
    air_harness_deinit(&harness);
}

/* One action of each kind that allocates. The driver itself never gives up for lack of memory. */
static enum air_error one_of_each(void *context) {
    struct air_harness harness;
    air_span paths[] = {SPAN("a"), SPAN("b")};
    struct air_action action = action_of(AIR_ACTION_READ);
    enum air_error error;

    (void)context;
    air_harness_init(&harness);
    action.read = (struct air_read_action){.paths = paths, .paths_count = 2};
    air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_LIST);
    action.list = (struct air_list_action){.prefix = SPAN("p"), .segments_max = 9};
    air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_GENERATE_KEY);
    air_fake_engine_push(harness.engine, &action);
    action = action_of(AIR_ACTION_PUBLISH);
    air_fake_engine_push(harness.engine, &action);
    error = air_harness_begin(&harness, NULL);
    if (error == AIR_OK) {
        air_harness_run(&harness, 4);
    }
    for (uint64_t id = 1; id <= 4 && error == AIR_OK; id++) {
        error = air_harness_answer(&harness, id)->error;
    }
    air_harness_deinit(&harness);
    return error;
}

static void survives_each_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(one_of_each, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_out_a_read),
        cmocka_unit_test(tells_for_each_record_that_the_storage_failed),
        cmocka_unit_test(carries_out_writes_and_refusals),
        cmocka_unit_test(carries_out_lists),
        cmocka_unit_test(carries_out_locks_keys_and_signatures),
        cmocka_unit_test(hands_on_what_the_ports_refuse),
        cmocka_unit_test(asks_the_host_for_what_only_it_can_do),
        cmocka_unit_test(lets_the_host_answer_later_and_once),
        cmocka_unit_test(leaves_open_what_the_host_never_answered),
        cmocka_unit_test(drops_a_cancelled_key),
        cmocka_unit_test(cancels_work_that_has_not_begun),
        cmocka_unit_test(waits_for_running_work_when_stopped),
        cmocka_unit_test(tries_again_when_the_engine_has_no_memory),
        cmocka_unit_test(sleeps_until_the_engine_wants_to_be_asked),
        cmocka_unit_test(leaves_the_loop_to_others),
        cmocka_unit_test(refuses_a_configuration_with_gaps),
        cmocka_unit_test(survives_each_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
