/* SPDX-License-Identifier: MIT */
/*
 * Proven here: blocks are handed out zeroed and counted; resizing keeps the content, zeroes what is
 * new and leaves the old block alone when it fails; exactly the planned allocation fails, also when
 * several threads allocate at once.
 */

#include "src/base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/support/test.h"

#define THREADS_COUNT 4
#define ROUNDS_COUNT 2000

static void hands_out_zeroed_blocks_and_counts_them(void **state) {
    (void)state;
    static const uint8_t zeros[500];
    for (size_t size = 1; size <= sizeof(zeros); size++) {
        int64_t live_before = air_memory_live();
        uint64_t count_before = air_memory_count();
        uint8_t *memory = air_memory_new(size);
        assert_non_null(memory);
        assert_memory_equal(memory, zeros, size);
        memset(memory, 0xAA, size);
        assert_int_equal(air_memory_live(), live_before + 1);
        assert_int_equal(air_memory_count(), count_before + 1);
        air_memory_free(memory, size);
        assert_int_equal(air_memory_live(), live_before);
    }
}

static void gives_nothing_for_no_size(void **state) {
    (void)state;
    int64_t live_before = air_memory_live();
    assert_null(air_memory_new(0));
    air_memory_free(NULL, 0);
    air_memory_free(NULL, 10);
    assert_int_equal(air_memory_live(), live_before);
}

static void resizes_with_the_content_kept_and_the_rest_zeroed(void **state) {
    (void)state;
    uint8_t *memory = air_memory_resize(NULL, 0, 4);
    assert_memory_equal(memory, "\0\0\0\0", 4);
    memcpy(memory, "abcd", 4);
    memory = air_memory_resize(memory, 4, 8);
    assert_memory_equal(memory, "abcd\0\0\0\0", 8);
    memory = air_memory_resize(memory, 8, 2);
    assert_memory_equal(memory, "ab", 2);
    air_memory_free(memory, 2);
    assert_int_equal(air_memory_live(), 0);
}

static void leaves_the_old_block_when_resizing_fails(void **state) {
    (void)state;
    uint8_t *memory = air_memory_new(4);
    memcpy(memory, "abcd", 4);
    air_memory_fail_at(1);
    assert_null(air_memory_resize(memory, 4, 8));
    assert_null(air_memory_resize(memory, 4, 0));
    assert_memory_equal(memory, "abcd", 4);
    air_memory_free(memory, 4);
    assert_int_equal(air_memory_live(), 0);
}

static void fails_exactly_the_planned_allocation(void **state) {
    (void)state;
    for (uint64_t n = 0; n <= 10; n++) {
        air_memory_fail_at(n);
        for (uint64_t i = 1; i <= 10; i++) {
            void *memory = air_memory_new(8);
            assert_int_equal(memory == NULL, i == n);
            air_memory_free(memory, 8);
        }
    }
    air_memory_fail_at(1);
    air_memory_fail_at(0);
    void *memory = air_memory_new(8);
    assert_non_null(memory);
    air_memory_free(memory, 8);
}

static void *allocate_in_a_thread(void *failed_count) {
    for (size_t i = 0; i < ROUNDS_COUNT; i++) {
        void *memory = air_memory_new(16);
        if (memory == NULL) {
            atomic_fetch_add((_Atomic unsigned *)failed_count, 1);
        }
        air_memory_free(memory, 16);
    }
    return NULL;
}

static void fails_once_whatever_threads_allocate(void **state) {
    (void)state;
    static _Atomic unsigned failed_count;
    pthread_t threads[THREADS_COUNT];
    uint64_t count_before = air_memory_count();
    air_memory_fail_at(THREADS_COUNT * ROUNDS_COUNT / 2);
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, allocate_in_a_thread, &failed_count), 0);
    }
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(failed_count, 1);
    assert_int_equal(air_memory_count() - count_before, THREADS_COUNT * ROUNDS_COUNT);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_out_zeroed_blocks_and_counts_them),
        cmocka_unit_test(gives_nothing_for_no_size),
        cmocka_unit_test(resizes_with_the_content_kept_and_the_rest_zeroed),
        cmocka_unit_test(leaves_the_old_block_when_resizing_fails),
        cmocka_unit_test(fails_exactly_the_planned_allocation),
        cmocka_unit_test(fails_once_whatever_threads_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
