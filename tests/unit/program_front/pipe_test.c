/* SPDX-License-Identifier: MIT */
/*
 * The queue of one direction: order kept through wrap-around, never over its size, memory only
 * while something is queued, and the counts that say so.
 */

#include "hosts/program/front/pipe.h"

#include <string.h>

#include "hosts/program/front/front.h"
#include "src/base/memory.h"
#include "tests/support/test.h"

struct pond {
    struct air_front_pool pool;
    struct air_front_pipe pipe;
    _Atomic uint64_t queued_size;
    _Atomic uint64_t held;
};

static void pond_init(struct pond *pond) {
    memset(pond, 0, sizeof *pond);
    pond->pool.queued_size = &pond->queued_size;
    pond->pool.held = &pond->held;
}

/* Queue up to size bytes of the sequence that *at counts. */
static size_t fill(struct pond *pond, size_t size, uint64_t *at) {
    size_t filled = 0;
    while (filled < size && air_front_pipe_takes(&pond->pipe)) {
        size_t room = 0;
        uint8_t *to = air_front_pipe_room(&pond->pipe, &pond->pool, &room);
        assert_non_null(to);
        assert_true(room > 0);
        room = room < size - filled ? room : size - filled;
        for (size_t i = 0; i < room; i++) {
            to[i] = (uint8_t)((*at)++ * 31);
        }
        air_front_pipe_filled(&pond->pipe, &pond->pool, room);
        filled += room;
    }
    return filled;
}

static void drain(struct pond *pond, size_t size, uint64_t *at) {
    const uint8_t *from = pond->pipe.data + pond->pipe.start;
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(from[i], (uint8_t)((*at)++ * 31));
    }
    air_front_pipe_taken(&pond->pipe, &pond->pool, size);
}

static void keeps_the_order_through_every_filling(void **state) {
    (void)state;
    struct pond pond;
    pond_init(&pond);
    uint64_t filled = 0;
    uint64_t drained = 0;
    for (size_t turn = 0; turn < 200; turn++) {
        fill(&pond, 1 + (turn * 7919) % AIR_FRONT_PIPE_SIZE, &filled);
        size_t take = 1 + (turn * 104729) % AIR_FRONT_PIPE_SIZE;
        drain(&pond, take < pond.pipe.size ? take : pond.pipe.size, &drained);
    }
    drain(&pond, pond.pipe.size, &drained);
    assert_int_equal(filled, drained);
    air_front_pool_deinit(&pond.pool);
}

static void takes_no_more_than_its_size(void **state) {
    (void)state;
    struct pond pond;
    pond_init(&pond);
    uint64_t at = 0;
    assert_int_equal(fill(&pond, 2 * AIR_FRONT_PIPE_SIZE, &at), AIR_FRONT_PIPE_SIZE);
    assert_false(air_front_pipe_takes(&pond.pipe));
    air_front_pipe_note_held(&pond.pipe, &pond.pool);
    air_front_pipe_note_held(&pond.pipe, &pond.pool);
    assert_int_equal(pond.held, 1);
    air_front_pipe_drop(&pond.pipe, &pond.pool);
    assert_int_equal(pond.held, 0);
    assert_true(air_front_pipe_takes(&pond.pipe));
    air_front_pool_deinit(&pond.pool);
}

static void takes_nothing_after_an_end(void **state) {
    (void)state;
    struct pond pond;
    pond_init(&pond);
    pond.pipe.is_ended = true;
    assert_false(air_front_pipe_takes(&pond.pipe));
    pond.pipe.is_ended = false;
    pond.pipe.is_shut = true;
    assert_false(air_front_pipe_takes(&pond.pipe));
}

static void has_memory_only_while_something_is_queued(void **state) {
    (void)state;
    int64_t live_before = air_memory_live();
    struct pond pond;
    pond_init(&pond);
    struct air_front_pipe second = {0};
    size_t room = 0;
    assert_non_null(air_front_pipe_room(&pond.pipe, &pond.pool, &room));
    assert_non_null(air_front_pipe_room(&second, &pond.pool, &room));
    assert_int_equal(pond.queued_size, 2 * AIR_FRONT_PIPE_SIZE);
    air_front_pipe_filled(&pond.pipe, &pond.pool, 0);
    air_front_pipe_filled(&second, &pond.pool, 1);
    assert_null(pond.pipe.data);
    assert_int_equal(pond.queued_size, AIR_FRONT_PIPE_SIZE);
    air_front_pipe_taken(&second, &pond.pool, 1);
    assert_null(second.data);
    assert_int_equal(pond.queued_size, 0);
    assert_int_equal(air_memory_live(), live_before + 1); /* the spare */
    air_front_pool_deinit(&pond.pool);
    assert_int_equal(air_memory_live(), live_before);
}

static void says_when_there_is_no_memory(void **state) {
    (void)state;
    struct pond pond;
    pond_init(&pond);
    size_t room = 0;
    air_memory_fail_at(1);
    assert_null(air_front_pipe_room(&pond.pipe, &pond.pool, &room));
    air_memory_fail_at(0);
    assert_int_equal(pond.queued_size, 0);
    air_front_pipe_drop(&pond.pipe, &pond.pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order_through_every_filling),
        cmocka_unit_test(takes_no_more_than_its_size),
        cmocka_unit_test(takes_nothing_after_an_end),
        cmocka_unit_test(has_memory_only_while_something_is_queued),
        cmocka_unit_test(says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
