/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a function in slices keeps its variables from slice to slice, on any thread, beside
 * others of its kind; what it leaves on its stack is wiped before the stack is given back: the
 * program is linked with a munmap of its own, which looks.
 */

#include "backends/crypto_openssl/fibre.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define SECRET 0x5AA5C33Cu
#define STACK_SIZE ((size_t)128 * 1024)

struct counting {
    struct air_openssl_fibre *fibre;
    int pauses_count;
    int slices_count;
    int sum;
};

static size_t unmapped_count;
static size_t secrets_count;

int air_test_munmap(void *address, size_t size);

/* Stands for munmap. A stack is mapped with a page below it that cannot be read. */
int air_test_munmap(void *address, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size == STACK_SIZE + page) {
        const uint8_t *stack = (const uint8_t *)address + page;
        for (size_t i = 0; i + sizeof(uint32_t) <= STACK_SIZE; i += sizeof(uint32_t)) {
            uint32_t word = 0;
            memcpy(&word, stack + i, sizeof(word));
            secrets_count += word == SECRET ? 1 : 0;
        }
        unmapped_count++;
    }
    return (int)syscall(SYS_munmap, address, size);
}

static void count(void *context) {
    struct counting *counting = context;
    volatile int kept[64];
    for (int i = 0; i < 64; i++) {
        kept[i] = i;
    }
    counting->slices_count++;
    for (int i = 0; i < counting->pauses_count; i++) {
        air_openssl_fibre_pause(counting->fibre);
        counting->slices_count++;
    }
    for (int i = 0; i < 64; i++) {
        counting->sum += kept[i];
    }
}

static void start(struct counting *counting, int pauses_count) {
    *counting = (struct counting){.pauses_count = pauses_count};
    assert_ok(air_openssl_fibre_new(count, counting, &counting->fibre));
    assert_int_equal(counting->slices_count, 0);
}

static void finish(struct counting *counting) {
    while (!air_openssl_fibre_resume(counting->fibre)) {
    }
    air_openssl_fibre_free(counting->fibre);
    assert_int_equal(counting->slices_count, counting->pauses_count + 1);
    assert_int_equal(counting->sum, 63 * 32);
}

static void runs_slice_by_slice(void **state) {
    (void)state;
    struct counting counting;
    start(&counting, 2);
    assert_false(air_openssl_fibre_resume(counting.fibre));
    assert_int_equal(counting.slices_count, 1);
    assert_false(air_openssl_fibre_resume(counting.fibre));
    assert_int_equal(counting.slices_count, 2);
    finish(&counting);
    assert_int_equal(counting.slices_count, 3);
}

static void may_end_without_a_pause(void **state) {
    (void)state;
    struct counting counting;
    start(&counting, 0);
    finish(&counting);
}

static void runs_beside_others(void **state) {
    (void)state;
    struct counting counting[8];
    for (int i = 0; i < 8; i++) {
        start(&counting[i], 3 + i);
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            assert_false(air_openssl_fibre_resume(counting[7 - i].fibre));
        }
    }
    for (int i = 0; i < 8; i++) {
        finish(&counting[i]);
    }
}

static void *resume_once(void *context) {
    struct counting *counting = context;
    (void)air_openssl_fibre_resume(counting->fibre);
    return NULL;
}

static void goes_on_on_another_thread(void **state) {
    (void)state;
    struct counting counting;
    start(&counting, 20);
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, resume_once, &counting), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_false(air_openssl_fibre_resume(counting.fibre));
    }
    assert_int_equal(counting.slices_count, 20);
    finish(&counting);
}

static void block_in_slice(void *context) {
    struct counting *counting = context;
    for (;;) {
        sigset_t mask;
        (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
        counting->sum = sigismember(&mask, SIGUSR1);
        if (counting->pauses_count-- == 0) {
            return;
        }
        air_openssl_fibre_pause(counting->fibre);
    }
}

static void blocks_the_signals_that_its_thread_blocks(void **state) {
    (void)state;
    struct counting counting = {.pauses_count = 2};
    sigset_t one;
    sigset_t before;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR1);
    assert_ok(air_openssl_fibre_new(block_in_slice, &counting, &counting.fibre));
    (void)pthread_sigmask(SIG_BLOCK, &one, &before);
    assert_false(air_openssl_fibre_resume(counting.fibre));
    assert_int_equal(counting.sum, 1);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_false(air_openssl_fibre_resume(counting.fibre));
    assert_int_equal(counting.sum, 0);
    assert_true(air_openssl_fibre_resume(counting.fibre));
    (void)pthread_sigmask(SIG_SETMASK, NULL, &one);
    assert_int_equal(sigismember(&one, SIGUSR1), sigismember(&before, SIGUSR1));
    air_openssl_fibre_free(counting.fibre);
}

static void leave_secrets(void *context) {
    const struct counting *counting = context;
    volatile uint32_t secrets[256];
    for (int i = 0; i < 256; i++) {
        secrets[i] = SECRET;
    }
    air_openssl_fibre_pause(counting->fibre);
    assert_int_equal(secrets[255], SECRET);
}

static void wipes_its_stack(void **state) {
    (void)state;
    struct counting counting = {.pauses_count = 0};
    unmapped_count = 0;
    secrets_count = 0;
    assert_ok(air_openssl_fibre_new(leave_secrets, &counting, &counting.fibre));
    assert_false(air_openssl_fibre_resume(counting.fibre));
    assert_true(air_openssl_fibre_resume(counting.fibre));
    air_openssl_fibre_free(counting.fibre);
    assert_int_equal(unmapped_count, 1);
    assert_int_equal(secrets_count, 0);
}

static void may_be_freed_before_it_begins(void **state) {
    (void)state;
    struct counting counting;
    start(&counting, 1);
    air_openssl_fibre_free(counting.fibre);
    assert_int_equal(counting.slices_count, 0);
    air_openssl_fibre_free(NULL);
    assert_int_equal(air_memory_live(), 0);
}

static enum air_error run_once(void *context) {
    struct counting counting = {.pauses_count = 1};
    (void)context;
    enum air_error error = air_openssl_fibre_new(count, &counting, &counting.fibre);
    if (error == AIR_OK) {
        finish(&counting);
    }
    return error;
}

static void survives_each_allocation_failing(void **state) {
    (void)state;
    air_test_each_allocation(run_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_slice_by_slice),
        cmocka_unit_test(may_end_without_a_pause),
        cmocka_unit_test(runs_beside_others),
        cmocka_unit_test(goes_on_on_another_thread),
        cmocka_unit_test(blocks_the_signals_that_its_thread_blocks),
        cmocka_unit_test(wipes_its_stack),
        cmocka_unit_test(may_be_freed_before_it_begins),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
