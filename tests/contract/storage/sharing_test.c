/* SPDX-License-Identifier: MIT */
/*
 * Proven here, on whichever backend is linked in: what include/thinair/storage.h promises to
 * several storages and threads at once: locks exclude, guards lose no update, and a reader never
 * sees half a value or a listing out of order. Run under ThreadSanitizer too.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/contract/storage/rig.h"

#define THREADS_MAX 4
#define INCREMENTS 10
#define REPLACEMENTS 40
#define VALUE_SIZE 20000

static void excludes_everybody_from_a_held_lock(void **state) {
    struct air_storage *first = *state;
    struct air_storage *second = air_rig_open_again(first);
    uint64_t fence = 0;
    assert_ok(first->lock(first->self, SPAN("certificates/a"), &fence));
    assert_true(fence > 0);
    assert_int_equal(first->lock(first->self, SPAN("certificates/a"), &fence), AIR_ERR_BUSY);
    assert_int_equal(second->lock(second->self, SPAN("certificates/a"), &fence), AIR_ERR_BUSY);
    assert_int_equal(second->unlock(second->self, SPAN("certificates/a")), AIR_ERR_STATE);
    assert_int_equal(second->lock(second->self, SPAN("certificates/a"), &fence), AIR_ERR_BUSY);
    assert_ok(second->lock(second->self, SPAN("certificates/b"), &fence));
    assert_ok(first->unlock(first->self, SPAN("certificates/a")));
    assert_int_equal(first->unlock(first->self, SPAN("certificates/a")), AIR_ERR_STATE);
    assert_ok(second->lock(second->self, SPAN("certificates/a"), &fence));
    assert_int_equal(first->lock(first->self, SPAN("certificates/a"), &fence), AIR_ERR_BUSY);
    air_rig_close(second);
    assert_ok(first->lock(first->self, SPAN("certificates/a"), &fence));
    assert_ok(first->lock(first->self, SPAN("certificates/b"), &fence));
}

static void lets_others_write_what_is_locked(void **state) {
    /* A lock is a name. It keeps nobody from reading and writing. */
    struct air_storage *first = *state;
    struct air_storage *second = air_rig_open_again(first);
    uint64_t fence = 0;
    assert_ok(first->lock(first->self, SPAN("a"), &fence));
    assert_ok(air_rig_put(second, "a", SPAN("x")));
    air_rig_expect(first, "a", SPAN("x"));
    air_rig_close(second);
}

static void shows_what_another_storage_wrote(void **state) {
    struct air_storage *first = *state;
    struct air_storage *second = air_rig_open_again(first);
    assert_ok(air_rig_put(first, "a/b", SPAN("one")));
    struct air_guard guard = {.path = SPAN("a/b")};
    guard.version = air_rig_expect(second, "a/b", SPAN("one"));
    struct air_put put = {.path = SPAN("a/b"), .value = SPAN("two")};
    assert_ok(second->write(second->self, &guard, &put, 1));
    assert_int_equal(first->write(first->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    air_rig_expect(first, "a/b", SPAN("two"));
    assert_ok(air_rig_delete(first, "a/b"));
    air_rig_expect_absent(second, "a/b");
    air_rig_close(second);
}

/* Read the counter; 0 when it is not there. */
static int64_t read_counter(struct air_storage *storage, uint64_t *version) {
    struct air_buffer out;
    int64_t number = 0;
    *version = 0;
    air_buffer_init(&out, 32);
    if (storage->read(storage->self, SPAN("counter"), &out, version) == AIR_OK) {
        assert_true(air_span_number(air_buffer_span(&out), &number));
    }
    air_buffer_deinit(&out);
    return number;
}

static void *increment(void *context) {
    struct air_storage *storage = context;
    for (int i = 0; i < INCREMENTS;) {
        struct air_guard guard = {.path = SPAN("counter")};
        struct air_buffer text;
        air_buffer_init(&text, 32);
        int64_t number = read_counter(storage, &guard.version);
        assert_ok(air_buffer_append_number(&text, number + 1));
        struct air_put put = {.path = SPAN("counter"), .value = air_buffer_span(&text)};
        enum air_error error = storage->write(storage->self, &guard, &put, 1);
        air_buffer_deinit(&text);
        if (error != AIR_ERR_CONFLICT && error != AIR_ERR_BUSY) {
            assert_ok(error);
            i++;
        }
    }
    return NULL;
}

static void loses_no_guarded_update(void **state) {
    struct air_storage *storages[2] = {*state, air_rig_open_again(*state)};
    pthread_t threads[THREADS_MAX];
    uint64_t version = 0;
    for (size_t i = 0; i < THREADS_MAX; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, increment, storages[i % 2]), 0);
    }
    for (size_t i = 0; i < THREADS_MAX; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(read_counter(*state, &version), THREADS_MAX * INCREMENTS);
    air_rig_close(storages[1]);
}

struct watch {
    struct air_storage *storage;
    atomic_bool is_over;
};

/* Any value is VALUE_SIZE times one byte. */
static void *watch_values(void *context) {
    struct watch *watch = context;
    struct air_storage *storage = watch->storage;
    struct air_buffer out;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    while (!atomic_load(&watch->is_over)) {
        uint64_t version = 0;
        air_buffer_clear(&out);
        if (storage->read(storage->self, SPAN("a/value"), &out, &version) != AIR_OK) {
            continue;
        }
        assert_int_equal(out.size, VALUE_SIZE);
        assert_int_equal(out.data[0], out.data[VALUE_SIZE - 1]);
    }
    air_buffer_deinit(&out);
    return NULL;
}

static bool check_order(void *context, air_span segment) {
    uint8_t *last = context;
    assert_true(segment.size == 1 && segment.data[0] > *last);
    *last = segment.data[0];
    return true;
}

static void *watch_names(void *context) {
    struct watch *watch = context;
    struct air_storage *storage = watch->storage;
    while (!atomic_load(&watch->is_over)) {
        uint8_t last = 0;
        assert_ok(storage->list(storage->self, SPAN("n"), SPAN(""), check_order, &last));
    }
    return NULL;
}

static void shows_whole_values_while_they_are_replaced(void **state) {
    static uint8_t value[VALUE_SIZE];
    struct air_storage *writer = *state;
    struct air_storage *reader = air_rig_open_again(writer);
    struct watch watch = {.storage = reader};
    atomic_init(&watch.is_over, false);
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, watch_values, &watch), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, watch_names, &watch), 0);
    for (int i = 0; i < REPLACEMENTS; i++) {
        char name[] = {'n', '/', (char)('a' + i % 5), '\0'};
        memset(value, 'a' + i % 26, sizeof(value));
        struct air_put puts[] = {
            {.path = SPAN("a/value"), .value = air_span_of(value, sizeof(value))},
            {.path = air_span_text(name), .is_delete = i % 2 == 1}};
        assert_ok(writer->write(writer->self, NULL, puts, 2));
    }
    atomic_store(&watch.is_over, true);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    air_rig_close(reader);
}

/* The same lock, taken and given by many: never by two at once. */
struct door {
    struct air_storage *storage;
    atomic_int *inside;
};

static void *pass_door(void *context) {
    struct door *door = context;
    for (int i = 0; i < INCREMENTS;) {
        uint64_t fence = 0;
        enum air_error error = door->storage->lock(door->storage->self, SPAN("door"), &fence);
        if (error == AIR_ERR_BUSY) {
            continue;
        }
        assert_ok(error);
        assert_int_equal(atomic_fetch_add(door->inside, 1), 0);
        assert_int_equal(atomic_fetch_sub(door->inside, 1), 1);
        assert_ok(door->storage->unlock(door->storage->self, SPAN("door")));
        i++;
    }
    return NULL;
}

static void lets_one_through_a_lock_at_a_time(void **state) {
    struct air_storage *second = air_rig_open_again(*state);
    atomic_int inside;
    atomic_init(&inside, 0);
    struct door doors[2] = {
        {.storage = *state, .inside = &inside}, {.storage = second, .inside = &inside}};
    pthread_t threads[THREADS_MAX];
    for (size_t i = 0; i < THREADS_MAX; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pass_door, &doors[i % 2]), 0);
    }
    for (size_t i = 0; i < THREADS_MAX; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    air_rig_close(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, air_rig_test_begin, air_rig_test_end)

const struct CMUnitTest air_storage_sharing_tests[] = {
    TEST(excludes_everybody_from_a_held_lock),
    TEST(lets_others_write_what_is_locked),
    TEST(shows_what_another_storage_wrote),
    TEST(loses_no_guarded_update),
    TEST(shows_whole_values_while_they_are_replaced),
    TEST(lets_one_through_a_lock_at_a_time),
};
const size_t air_storage_sharing_tests_count =
    sizeof(air_storage_sharing_tests) / sizeof(air_storage_sharing_tests[0]);
