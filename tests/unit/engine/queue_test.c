/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the queue always gives the lineage that is due first, wherever lineages are put in,
 * moved and taken out, and each knows its place. How: a long random run against a plain list.
 */

#include "src/base/memory.h"
#include "src/engine/inventory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define LINEAGES_COUNT 300

static uint64_t dice_state = 88172645463325252u;

static uint64_t dice(void) {
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return dice_state;
}

static void reset(struct air_lineage *lineages) {
    for (size_t i = 0; i < LINEAGES_COUNT; i++) {
        lineages[i] = (struct air_lineage){.queue_index = AIR_LINEAGE_NOT_QUEUED};
    }
}

/* Every place is known to who stands there, and nobody stands before somebody due earlier. */
static void check(const struct air_queue *queue, const struct air_lineage *lineages) {
    size_t queued = 0;
    air_time_ms earliest_ms = INT64_MAX;
    for (size_t i = 0; i < LINEAGES_COUNT; i++) {
        if (lineages[i].queue_index != AIR_LINEAGE_NOT_QUEUED) {
            assert_true(lineages[i].queue_index < queue->count);
            assert_ptr_equal(queue->heap[lineages[i].queue_index], &lineages[i]);
            earliest_ms = lineages[i].due_ms < earliest_ms ? lineages[i].due_ms : earliest_ms;
            queued++;
        }
    }
    assert_int_equal(queued, queue->count);
    const struct air_lineage *first = air_queue_first(queue);
    if (queued == 0) {
        assert_null(first);
    } else {
        assert_int_equal(first->due_ms, earliest_ms);
    }
}

static void gives_the_earliest_through_a_long_random_run(void **state) {
    (void)state;
    static struct air_lineage lineages[LINEAGES_COUNT];
    struct air_queue queue = {0};
    reset(lineages);
    assert_ok(air_queue_reserve(&queue, LINEAGES_COUNT));
    for (int i = 0; i < 60000; i++) {
        struct air_lineage *lineage = &lineages[dice() % LINEAGES_COUNT];
        const uint64_t deed = dice() % 8;
        if (deed < 5) {
            air_queue_set(&queue, lineage, (air_time_ms)(dice() % 1000) - 100);
        } else if (deed < 7) {
            air_queue_remove(&queue, lineage);
        } else if (queue.count > 0) {
            air_queue_remove(&queue, air_queue_first(&queue));
        }
        if (i % 16 == 0) {
            check(&queue, lineages);
        }
    }
    air_queue_deinit(&queue);
}

static void empties_in_order(void **state) {
    (void)state;
    static struct air_lineage lineages[LINEAGES_COUNT];
    struct air_queue queue = {0};
    air_time_ms last_ms = INT64_MIN;
    reset(lineages);
    assert_ok(air_queue_reserve(&queue, LINEAGES_COUNT));
    for (size_t i = 0; i < LINEAGES_COUNT; i++) {
        air_queue_set(&queue, &lineages[i], (air_time_ms)dice());
    }
    while (air_queue_first(&queue) != NULL) {
        struct air_lineage *first = air_queue_first(&queue);
        assert_true(first->due_ms >= last_ms);
        last_ms = first->due_ms;
        air_queue_remove(&queue, first);
        assert_int_equal(first->queue_index, AIR_LINEAGE_NOT_QUEUED);
    }
    air_queue_deinit(&queue);
}

static void takes_the_ends_of_time(void **state) {
    (void)state;
    static struct air_lineage lineages[LINEAGES_COUNT];
    struct air_queue queue = {0};
    reset(lineages);
    assert_ok(air_queue_reserve(&queue, 3));
    air_queue_set(&queue, &lineages[0], INT64_MAX);
    air_queue_set(&queue, &lineages[1], INT64_MIN);
    air_queue_set(&queue, &lineages[2], 0);
    assert_ptr_equal(air_queue_first(&queue), &lineages[1]);
    air_queue_set(&queue, &lineages[1], INT64_MAX);
    assert_ptr_equal(air_queue_first(&queue), &lineages[2]);
    air_queue_deinit(&queue);
}

static void removing_what_is_not_queued_does_nothing(void **state) {
    (void)state;
    static struct air_lineage lineages[LINEAGES_COUNT];
    struct air_queue queue = {0};
    reset(lineages);
    air_queue_remove(&queue, &lineages[0]);
    assert_ok(air_queue_reserve(&queue, 1));
    air_queue_set(&queue, &lineages[1], 5);
    air_queue_remove(&queue, &lineages[0]);
    air_queue_remove(&queue, &lineages[1]);
    air_queue_remove(&queue, &lineages[1]);
    assert_int_equal(queue.count, 0);
    assert_null(air_queue_first(&queue));
    air_queue_deinit(&queue);
}

static void moving_a_lineage_keeps_one_place(void **state) {
    (void)state;
    static struct air_lineage lineages[LINEAGES_COUNT];
    struct air_queue queue = {0};
    reset(lineages);
    assert_ok(air_queue_reserve(&queue, 1));
    for (int i = 0; i < 100; i++) {
        air_queue_set(&queue, &lineages[0], i);
        assert_int_equal(queue.count, 1);
    }
    air_queue_deinit(&queue);
}

static enum air_error grow(void *context) {
    static struct air_lineage lineages[LINEAGES_COUNT];
    (void)context;
    struct air_queue queue = {0};
    reset(lineages);
    enum air_error error = AIR_OK;
    for (size_t i = 0; error == AIR_OK && i < LINEAGES_COUNT; i++) {
        error = air_queue_reserve(&queue, i + 1);
        if (error == AIR_OK) {
            air_queue_set(&queue, &lineages[i], (air_time_ms)(LINEAGES_COUNT - i));
        }
        check(&queue, lineages);
    }
    air_queue_deinit(&queue);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(grow, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_earliest_through_a_long_random_run),
        cmocka_unit_test(empties_in_order),
        cmocka_unit_test(takes_the_ends_of_time),
        cmocka_unit_test(removing_what_is_not_queued_does_nothing),
        cmocka_unit_test(moving_a_lineage_keeps_one_place),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
