/* SPDX-License-Identifier: MIT */
/*
 * Proven here: work that could hold up HAProxy's traffic is parted into turns. A storage in between
 * sees each put come alone, one in a turn, with the guard on the first; proofs are looked at name
 * by name, keys of RSA step by step; what the engine cancels ends; after a few milliseconds of work
 * HAProxy's traffic comes first.
 */

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_host/host_support.h"

static struct air_storage real;
static size_t writes_count;
static size_t guards_count;
static size_t writes_before;

static enum air_error spy_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    assert_in_range(puts_count, 0, 1);
    writes_count++;
    guards_count += guard != NULL ? 1 : 0;
    return real.write(self, guard, puts, puts_count);
}

/* Whether one of that kind is under way. */
static bool is_under_way(const struct air_test_world *world, enum air_action_kind kind) {
    size_t done_count = 0;
    return air_slices_look(world->haproxy->slices, kind, &done_count);
}

static void watch_writes(struct air_test_world *world) {
    assert_in_range(writes_count - writes_before, 0, 1);
    writes_before = writes_count;
    world->watched_count += is_under_way(world, AIR_ACTION_WRITE) ? 1 : 0;
}

static void writes_put_by_put_with_the_guard_on_the_first(void **state) {
    (void)state;
    struct air_test_world world;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    air_test_world_init(&world);
    assert_ok(air_test_world_start(&world));
    real = world.haproxy->route.port;
    world.haproxy->route.port.write = spy_write;
    writes_count = writes_before = guards_count = 0;
    world.watch = watch_writes;
    assert_ok(
        air_test_world_order(&world, "a.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal));
    air_test_world_run(&world);
    assert_int_equal(air_test_world_state(&world, id), AIR_ORDER_DONE);
    assert_true(world.watched_count > 0); /* one was in the middle between two turns */
    assert_true(guards_count > 0 && guards_count < writes_count);
    air_test_world_stop(&world);
    air_test_world_deinit(&world);
}

static void watch_proofs(struct air_test_world *world) {
    size_t done_count = 0;
    if (air_slices_look(world->haproxy->slices, AIR_ACTION_PROVE, &done_count) &&
        done_count != world->watched_count) {
        assert_int_equal(done_count, world->watched_count + 1);
        world->watched_count++;
    }
}

static void proves_name_by_name(void **state) {
    (void)state;
    struct air_test_world world;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    air_test_world_init(&world);
    assert_ok(air_test_world_start(&world));
    world.watch = watch_proofs;
    assert_ok(air_test_world_order(
        &world, "a.test b.test c.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal));
    air_test_world_run(&world);
    assert_int_equal(air_test_world_state(&world, id), AIR_ORDER_DONE);
    assert_int_equal(world.watched_count, 2); /* the third ends it */
    air_test_world_stop(&world);
    air_test_world_deinit(&world);
}

static void watch_keys(struct air_test_world *world) {
    world->watched_count += is_under_way(world, AIR_ACTION_GENERATE_KEY) ? 1 : 0;
}

static void makes_an_rsa_key_in_several_turns(void **state) {
    (void)state;
    struct air_test_world world;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    air_test_world_init(&world);
    assert_ok(air_test_world_start(&world));
    world.watch = watch_keys;
    assert_ok(air_test_world_order(
        &world, "a.test", AIR_KEY_RSA_2048, air_span_of(NULL, 0), id, &refusal));
    air_test_world_run(&world);
    assert_int_equal(air_test_world_state(&world, id), AIR_ORDER_DONE);
    assert_true(world.watched_count > 1);
    air_test_world_stop(&world);
    air_test_world_deinit(&world);
}

/* A world in which a key of an order is being made. */
static void begin_key(struct air_test_world *world, char id[AIR_HAPROXY_ID_SIZE]) {
    struct air_refusal refusal = {0};
    air_test_world_init(world);
    assert_ok(air_test_world_start(world));
    assert_ok(air_test_world_order(
        world, "a.test", AIR_KEY_RSA_4096, air_span_of(NULL, 0), id, &refusal));
    for (size_t i = 0; !is_under_way(world, AIR_ACTION_GENERATE_KEY); i++) {
        assert_true(i < 10000);
        (void)air_test_world_turn(world);
    }
}

static void ends_a_key_that_nobody_wants_any_more(void **state) {
    (void)state;
    struct air_test_world world;
    char id[AIR_HAPROXY_ID_SIZE];
    begin_key(&world, id);
    assert_ok(air_engine_certificate_remove(world.haproxy->engine, air_span_text(id)));
    while (air_test_world_turn(&world)) {
    }
    assert_false(is_under_way(&world, AIR_ACTION_GENERATE_KEY));
    air_test_world_stop(&world);
    air_test_world_deinit(&world);
}

static void frees_a_key_that_is_half_made(void **state) {
    (void)state;
    struct air_test_world world;
    char id[AIR_HAPROXY_ID_SIZE];
    begin_key(&world, id);
    (void)air_test_world_turn(&world);
    air_test_world_stop(&world);
    air_test_world_deinit(&world);
}

static void pass_a_millisecond(struct air_test_world *world) {
    (void)world;
    air_test_world_tick(1);
}

static void rests_when_it_has_worked_for_five_milliseconds(void **state) {
    (void)state;
    for (unsigned is_slow = 0; is_slow < 2; is_slow++) {
        struct air_test_world world;
        struct air_refusal refusal = {0};
        char id[AIR_HAPROXY_ID_SIZE];
        air_test_world_init(&world);
        assert_ok(air_test_world_start(&world));
        world.watch = is_slow != 0 ? pass_a_millisecond : NULL;
        assert_ok(air_test_world_order(
            &world, "a.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal));
        air_test_world_run(&world);
        assert_int_equal(air_test_world_state(&world, id), AIR_ORDER_DONE);
        if (is_slow != 0) {
            assert_true(world.rests_count > 1);
            assert_int_equal(world.work_count_max, 5);
        } else { /* no time passes in its turns */
            assert_int_equal(world.rests_count, 0);
        }
        air_test_world_stop(&world);
        air_test_world_deinit(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_put_by_put_with_the_guard_on_the_first),
        cmocka_unit_test(proves_name_by_name),
        cmocka_unit_test(makes_an_rsa_key_in_several_turns),
        cmocka_unit_test(ends_a_key_that_nobody_wants_any_more),
        cmocka_unit_test(frees_a_key_that_is_half_made),
        cmocka_unit_test(rests_when_it_has_worked_for_five_milliseconds),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
