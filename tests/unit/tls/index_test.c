/* SPDX-License-Identifier: MIT */
/*
 * Proven: the index finds what is in it and nothing else, while it grows, after removals, and after
 * many rounds of both; a failed reservation changes nothing. How: a few thousand nodes against a
 * plain array of what should be there. Concurrent reading is proven in swap_test.c.
 */

#include "tests/support/test.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tls/index.h"

#define NODES_COUNT 3000

struct item {
    struct air_index_node node;
    uint32_t number;
    bool is_in;
};

struct world {
    uint8_t seed[AIR_HASH_SEED_SIZE];
    struct air_readers readers;
    struct air_index index;
    struct item items[NODES_COUNT];
};

static int setup(void **state) {
    static struct world world;
    memset(&world, 0, sizeof(world));
    air_index_init(&world.index, &world.readers, world.seed);
    for (uint32_t i = 0; i < NODES_COUNT; i++) {
        world.items[i].number = i;
    }
    *state = &world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    air_index_deinit(&world->index);
    assert_int_equal(air_memory_live(), 0);
    return 0;
}

static air_span key_of(const struct item *item) {
    return air_span_of(&item->number, sizeof(item->number));
}

static void put(struct world *world, struct item *item) {
    assert_ok(air_index_reserve(&world->index, 1));
    air_index_insert(&world->index, &item->node, key_of(item));
    item->is_in = true;
}

static void assert_exact(struct world *world) {
    for (size_t i = 0; i < NODES_COUNT; i++) {
        struct item *item = &world->items[i];
        assert_ptr_equal(
            air_index_find(&world->index, key_of(item)), item->is_in ? &item->node : NULL);
    }
}

static void an_empty_index_finds_nothing(void **state) {
    assert_exact(*state);
}

static void finds_every_node_while_growing(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < NODES_COUNT; i++) {
        put(world, &world->items[i]);
        assert_ptr_equal(
            air_index_find(&world->index, key_of(&world->items[i / 2])), &world->items[i / 2]);
    }
    assert_exact(world);
}

static void finds_no_removed_node(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < NODES_COUNT; i++) {
        put(world, &world->items[i]);
    }
    for (size_t i = 0; i < NODES_COUNT; i += 3) {
        air_index_remove(&world->index, &world->items[i].node);
        world->items[i].is_in = false;
    }
    assert_exact(world);
}

static void churn_neither_grows_nor_slows_it(void **state) {
    struct world *world = *state;
    for (size_t round = 0; round < 20000; round++) {
        struct item *item = &world->items[round * 7 % NODES_COUNT];
        if (item->is_in) {
            air_index_remove(&world->index, &item->node);
            item->is_in = false;
        } else if (world->index.live_count < 10) {
            put(world, item);
        }
        assert_true(world->index.used_count <= 32);
    }
    assert_exact(world);
}

static enum air_error insert_hundred(void *context) {
    struct world *world = context;
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < 100 && error == AIR_OK; i++) {
        error = air_index_reserve(&world->index, 1);
        if (error == AIR_OK) {
            air_index_insert(&world->index, &world->items[i].node, key_of(&world->items[i]));
            world->items[i].is_in = true;
        }
    }
    assert_exact(world);
    for (size_t i = 0; i < NODES_COUNT; i++) {
        world->items[i].is_in = false;
    }
    air_index_deinit(&world->index);
    air_index_init(&world->index, &world->readers, world->seed);
    return error;
}

static void failed_allocations_change_nothing(void **state) {
    air_test_each_allocation(insert_hundred, *state);
}

static void count_visit(struct air_index_node *node, void *context) {
    (void)node;
    ++*(size_t *)context;
}

static void visits_each_node_once(void **state) {
    struct world *world = *state;
    size_t visits = 0;
    air_index_each(&world->index, count_visit, &visits);
    assert_int_equal(visits, 0);
    for (size_t i = 0; i < 100; i++) {
        put(world, &world->items[i]);
    }
    air_index_remove(&world->index, &world->items[50].node);
    air_index_each(&world->index, count_visit, &visits);
    assert_int_equal(visits, 99);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_index_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_every_node_while_growing, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_no_removed_node, setup, teardown),
        cmocka_unit_test_setup_teardown(churn_neither_grows_nor_slows_it, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_allocations_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(visits_each_node_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
