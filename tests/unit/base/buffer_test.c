/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a buffer never holds more than its maximum, remembers its first failure and then
 * takes nothing; what is cut off is wiped at once; filling one byte by byte takes a number of
 * allocations that grows with the logarithm of its size.
 */

#include "thinair/buffer.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void appends_in_order(void **state) {
    (void)state;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 1000);
    assert_ok(air_buffer_append(&buffer, "a\0b", 3));
    assert_ok(air_buffer_append(&buffer, NULL, 0));
    assert_ok(air_buffer_append_span(&buffer, air_span_of(NULL, 0)));
    assert_ok(air_buffer_append_span(&buffer, SPAN("cd")));
    assert_ok(air_buffer_append_text(&buffer, "ef"));
    assert_ok(air_buffer_append_byte(&buffer, 0xFF));
    assert_true(air_span_equal(air_buffer_span(&buffer), SPAN("a\0bcdef\xFF")));
    air_buffer_deinit(&buffer);
}

static void writes_numbers_of_every_length(void **state) {
    (void)state;
    static const struct {
        int64_t number;
        const char *text;
    } cases[] = {{0, "0"}, {-1, "-1"}, {9, "9"}, {10, "10"}, {-100, "-100"},
        {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct air_buffer buffer;
        air_buffer_init(&buffer, 20);
        assert_ok(air_buffer_append_number(&buffer, cases[i].number));
        assert_span(air_buffer_span(&buffer), cases[i].text);
        air_buffer_deinit(&buffer);
    }
}

static void holds_nothing_before_the_first_append_and_after_deinit(void **state) {
    (void)state;
    struct air_buffer buffer;
    struct air_buffer zeroed = {0};
    int64_t live_before = air_memory_live();
    air_buffer_init(&buffer, 1000);
    assert_int_equal(air_memory_live(), live_before);
    assert_null(air_buffer_span(&buffer).data);
    assert_ok(air_buffer_append_text(&buffer, "secret"));
    air_buffer_deinit(&buffer);
    assert_int_equal(air_memory_live(), live_before);
    assert_null(buffer.data);
    assert_int_equal(buffer.size + buffer.capacity, 0);
    assert_ok(air_buffer_append_text(&buffer, "used again"));
    air_buffer_deinit(&buffer);
    air_buffer_deinit(&buffer);
    air_buffer_deinit(&zeroed);
}

static void refuses_to_pass_its_maximum(void **state) {
    (void)state;
    for (size_t size_max = 0; size_max <= 200; size_max++) {
        struct air_buffer buffer;
        air_buffer_init(&buffer, size_max);
        for (size_t i = 0; i < size_max; i++) {
            assert_ok(air_buffer_append_byte(&buffer, 'x'));
            assert_true(buffer.capacity <= size_max);
        }
        assert_int_equal(air_buffer_append_byte(&buffer, 'x'), AIR_ERR_LIMIT);
        assert_int_equal(buffer.size, size_max);
        air_buffer_deinit(&buffer);
    }
}

static void refuses_sizes_that_would_wrap_around(void **state) {
    (void)state;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 100);
    assert_ok(air_buffer_append_text(&buffer, "four"));
    assert_null(air_buffer_extend(&buffer, SIZE_MAX));
    assert_int_equal(buffer.error, AIR_ERR_LIMIT);
    air_buffer_clear(&buffer);
    assert_ok(air_buffer_append_text(&buffer, "four"));
    assert_null(air_buffer_extend(&buffer, SIZE_MAX - 3));
    assert_int_equal(buffer.error, AIR_ERR_LIMIT);
    air_buffer_deinit(&buffer);
    air_buffer_init(&buffer, SIZE_MAX);
    assert_ok(air_buffer_append_text(&buffer, "four"));
    assert_null(air_buffer_extend(&buffer, SIZE_MAX - 3));
    assert_int_equal(buffer.error, AIR_ERR_LIMIT);
    air_buffer_deinit(&buffer);
}

static void remembers_its_first_failure(void **state) {
    (void)state;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 4);
    assert_int_equal(air_buffer_append_text(&buffer, "12345"), AIR_ERR_LIMIT);
    assert_int_equal(air_buffer_append_text(&buffer, "1"), AIR_ERR_LIMIT);
    assert_int_equal(air_buffer_append_number(&buffer, 1), AIR_ERR_LIMIT);
    assert_null(air_buffer_extend(&buffer, 0));
    assert_int_equal(buffer.size, 0);
    air_buffer_clear(&buffer);
    assert_ok(air_buffer_append_text(&buffer, "1234"));
    air_buffer_deinit(&buffer);
}

static void wipes_what_is_cut_off(void **state) {
    (void)state;
    static const uint8_t zeros[64];
    struct air_buffer buffer;
    air_buffer_init(&buffer, 64);
    assert_ok(air_buffer_append_text(&buffer, "public secret"));
    air_buffer_truncate(&buffer, 100);
    assert_int_equal(buffer.size, 13);
    air_buffer_truncate(&buffer, 6);
    assert_span(air_buffer_span(&buffer), "public");
    assert_memory_equal(buffer.data + 6, zeros, buffer.capacity - 6);
    air_buffer_clear(&buffer);
    assert_non_null(buffer.data);
    assert_memory_equal(buffer.data, zeros, buffer.capacity);
    air_buffer_deinit(&buffer);
}

static void extends_by_room_that_the_caller_fills(void **state) {
    (void)state;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 64);
    assert_ok(air_buffer_append_text(&buffer, "a"));
    uint8_t *place = air_buffer_extend(&buffer, 3);
    assert_non_null(place);
    assert_memory_equal(place, "\0\0\0", 3);
    memcpy(place, "bcd", 3);
    assert_span(air_buffer_span(&buffer), "abcd");
    air_buffer_deinit(&buffer);
}

static void grows_in_few_steps_up_to_its_maximum(void **state) {
    (void)state;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 100000);
    uint64_t count_before = air_memory_count();
    for (size_t i = 0; i < 100000; i++) {
        assert_ok(air_buffer_append_byte(&buffer, 'x'));
    }
    assert_true(air_memory_count() - count_before <= 12);
    air_buffer_deinit(&buffer);
}

static enum air_error append_much(void *context) {
    (void)context;
    struct air_buffer buffer;
    air_buffer_init(&buffer, 10000);
    for (size_t i = 0; i < 300; i++) {
        size_t size_before = buffer.size;
        if (air_buffer_append_text(&buffer, "0123456789") != AIR_OK) {
            assert_int_equal(buffer.size, size_before);
        }
    }
    enum air_error error = buffer.error;
    air_buffer_deinit(&buffer);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(append_much, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(writes_numbers_of_every_length),
        cmocka_unit_test(holds_nothing_before_the_first_append_and_after_deinit),
        cmocka_unit_test(refuses_to_pass_its_maximum),
        cmocka_unit_test(refuses_sizes_that_would_wrap_around),
        cmocka_unit_test(remembers_its_first_failure),
        cmocka_unit_test(wipes_what_is_cut_off),
        cmocka_unit_test(extends_by_room_that_the_caller_fills),
        cmocka_unit_test(grows_in_few_steps_up_to_its_maximum),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
