/* SPDX-License-Identifier: MIT */
/*
 * Proven: whatever a torn write, a kill or a full disk leaves of the newer snapshot, the state that
 * was answered for last is found again, and what was not whole is never used and kept beside; a
 * failed write leaves everything as it was; threads lose no write. How: files cut and flipped at
 * every byte; a writing process killed at any moment; the limit of file sizes; an fsync of our own
 * that fails.
 */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/contract/storage/snapshot_fixture.h"
#include "tests/support/allocation.h"

#define FILE_SIZE_MAX 65536
#define BIG_SIZE AIR_STORAGE_VALUE_SIZE_MAX
#define NOBODY 65534

static uint8_t newer[FILE_SIZE_MAX];
static uint8_t older[FILE_SIZE_MAX];
static size_t newer_size;
static size_t older_size;

/* The linker puts it before the library's. */
int air_test_fsync(int file);

static struct {
    unsigned count;
    unsigned fail_at; /* 0: none */
} flushes;

int air_test_fsync(int file) {
    (void)file;
    flushes.count++;
    return flushes.count == flushes.fail_at ? -1 : 0;
}

static int begin(void **state) {
    flushes.count = 0;
    flushes.fail_at = 0;
    return air_snapshots_begin(state);
}

/* Two writes: the older snapshot is `a`, the newer one `b`. */
static void make_two(void) {
    struct air_storage *storage = air_snapshots_open();
    assert_ok(air_snapshots_put(storage, "certificates/x", "one"));
    const struct air_put puts[] = {{.path = SPAN("certificates/x"), .value = SPAN("two")},
        {.path = SPAN("certificates/y"), .value = SPAN("another value")}};
    assert_ok(storage->write(storage->self, NULL, puts, 2));
    air_storage_snapshot_free(storage);
    older_size = air_snapshots_file_get("snapshot-a", older, sizeof(older));
    newer_size = air_snapshots_file_get("snapshot-b", newer, sizeof(newer));
    assert_true(older_size > 0 && newer_size > older_size);
}

static void expect_newer(struct air_storage *storage) {
    assert_true(air_snapshots_has(storage, "certificates/x", "two"));
    assert_true(air_snapshots_has(storage, "certificates/y", "another value"));
}

static void expect_older(struct air_storage *storage) {
    assert_true(air_snapshots_has(storage, "certificates/x", "one"));
    assert_true(air_snapshots_has(storage, "certificates/y", NULL));
}

/* With this content of the newer one the older is used, and the other is kept. */
static void expect_fallback(const uint8_t *content, size_t size) {
    uint8_t kept[FILE_SIZE_MAX];
    air_snapshots_file_set("snapshot-b", content, size);
    struct air_storage *storage = air_snapshots_open_told("damaged");
    expect_older(storage);
    assert_int_equal(air_snapshots_file_get("snapshot-b.bad.1", kept, sizeof(kept)), size);
    assert_memory_equal(kept, content, size);
    air_storage_snapshot_free(storage);
    assert_int_equal(unlink(air_snapshots_path("snapshot-b.bad.1")), 0);
}

static void keeps_what_was_written(void **state) {
    (void)state;
    make_two();
    for (int i = 0; i < 3; i++) {
        struct air_storage *storage = air_snapshots_open();
        expect_newer(storage);
        air_storage_snapshot_free(storage);
    }
    struct air_storage *storage = air_snapshots_open();
    assert_ok(air_snapshots_put(storage, "certificates/x", "three"));
    assert_ok(air_snapshots_put(storage, "certificates/z", ""));
    const struct air_put delete = {.path = SPAN("certificates/y"), .is_delete = true};
    assert_ok(storage->write(storage->self, NULL, &delete, 1));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "three"));
    assert_true(air_snapshots_has(storage, "certificates/y", NULL));
    assert_true(air_snapshots_has(storage, "certificates/z", ""));
    air_storage_snapshot_free(storage);
}

static void versions_outlive_the_process(void **state) {
    (void)state;
    struct air_buffer out;
    struct air_guard guard = {.path = SPAN("certificates/x")};
    const struct air_put put = {.path = SPAN("certificates/x"), .value = SPAN("three")};
    air_buffer_init(&out, 100);
    make_two();
    struct air_storage *storage = air_snapshots_open();
    assert_ok(storage->read(storage->self, guard.path, &out, &guard.version));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_ok(storage->write(storage->self, &guard, &put, 1));
    assert_int_equal(storage->write(storage->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    air_storage_snapshot_free(storage);
    air_buffer_deinit(&out);
}

static void falls_back_from_every_truncation(void **state) {
    (void)state;
    make_two();
    for (size_t size = 1; size < newer_size; size++) {
        expect_fallback(newer, size);
    }
    /* Cut before its first byte it is as empty as a new one, and nothing to tell of. */
    air_snapshots_file_set("snapshot-b", "", 0);
    struct air_storage *storage = air_snapshots_open();
    expect_older(storage);
    air_storage_snapshot_free(storage);
    assert_false(air_snapshots_file_exists("snapshot-b.bad.1"));
}

static void falls_back_from_every_flipped_byte(void **state) {
    (void)state;
    static const uint8_t flips[] = {0x01, 0x80, 0xFF};
    make_two();
    for (size_t i = 0; i < newer_size * sizeof(flips); i++) {
        newer[i % newer_size] ^= flips[i / newer_size];
        expect_fallback(newer, newer_size);
        newer[i % newer_size] ^= flips[i / newer_size];
    }
}

/* A file system may leave zeros, or what a block held before. */
static void falls_back_from_blocks_that_were_not_written(void **state) {
    (void)state;
    uint8_t torn[FILE_SIZE_MAX];
    make_two();
    for (size_t at = 0; at < newer_size; at++) {
        memcpy(torn, newer, newer_size);
        memset(torn + at, 0, newer_size - at);
        if (memcmp(torn, newer, newer_size) != 0) {
            expect_fallback(torn, newer_size);
        }
        memcpy(torn, newer, newer_size);
        memcpy(torn, older, at < older_size ? at : older_size);
        if (memcmp(torn, newer, newer_size) != 0) {
            expect_fallback(torn, newer_size);
        }
    }
    memcpy(torn, newer, newer_size);
    memcpy(torn + newer_size, older, older_size);
    expect_fallback(torn, newer_size + older_size);
}

static void a_damaged_older_one_changes_nothing(void **state) {
    (void)state;
    make_two();
    older[older_size / 2] ^= 1;
    air_snapshots_file_set("snapshot-a", older, older_size);
    struct air_storage *storage = air_snapshots_open_told("damaged");
    expect_newer(storage);
    assert_true(air_snapshots_file_exists("snapshot-a.bad.1"));
    assert_ok(air_snapshots_put(storage, "certificates/x", "three"));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "three"));
    air_storage_snapshot_free(storage);
}

static void starts_empty_when_both_are_damaged(void **state) {
    (void)state;
    make_two();
    air_snapshots_file_set("snapshot-a", older, older_size - 1);
    air_snapshots_file_set("snapshot-b", newer, newer_size - 1);
    struct air_storage *storage = air_snapshots_open_told("starts empty");
    assert_true(air_snapshots_has(storage, "certificates/x", NULL));
    assert_ok(air_snapshots_put(storage, "certificates/x", "new"));
    air_storage_snapshot_free(storage);
    assert_true(air_snapshots_file_exists("snapshot-a.bad.1"));
    assert_true(air_snapshots_file_exists("snapshot-b.bad.1"));
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "new"));
    air_storage_snapshot_free(storage);
}

static void keeps_nine_damaged_ones_of_a_name(void **state) {
    (void)state;
    uint8_t kept[FILE_SIZE_MAX];
    make_two();
    for (size_t i = 1; i <= 11; i++) {
        air_snapshots_file_set("snapshot-b", newer, newer_size - i);
        air_storage_snapshot_free(air_snapshots_open_told("damaged"));
    }
    assert_int_equal(
        air_snapshots_file_get("snapshot-b.bad.8", kept, sizeof(kept)), newer_size - 8);
    assert_int_equal(
        air_snapshots_file_get("snapshot-b.bad.9", kept, sizeof(kept)), newer_size - 11);
    assert_false(air_snapshots_file_exists("snapshot-b.bad.10"));
}

static void a_write_is_one_step(void **state) {
    (void)state;
    make_two();
    struct air_storage *storage = air_snapshots_open();
    const struct air_put puts[] = {{.path = SPAN("certificates/x"), .value = SPAN("three")},
        {.path = SPAN("certificates/y"), .is_delete = true},
        {.path = SPAN("certificates/new"), .value = SPAN("new")},
        {.path = SPAN("certificates/new"), .value = SPAN("newer")},
        {.path = SPAN("certificates"), .value = SPAN("a folder")}};
    assert_int_equal(storage->write(storage->self, NULL, puts, 5), AIR_ERR_EXISTS);
    expect_newer(storage);
    assert_true(air_snapshots_has(storage, "certificates/new", NULL));
    assert_ok(air_snapshots_put(storage, "certificates/other", "other"));
    expect_newer(storage); /* what the refused write was to replace is there after the next */
    assert_ok(storage->write(storage->self, NULL, puts, 4));
    assert_true(air_snapshots_has(storage, "certificates/new", "newer"));
    air_storage_snapshot_free(storage);
}

static void answers_after_the_flush_only(void **state) {
    (void)state;
    make_two();
    struct air_storage *storage = air_snapshots_open();
    const unsigned count = flushes.count;
    assert_ok(air_snapshots_put(storage, "certificates/x", "three"));
    assert_int_equal(flushes.count, count + 1);
    flushes.fail_at = count + 2;
    assert_int_equal(air_snapshots_put(storage, "certificates/x", "four"), AIR_ERR_STORAGE);
    assert_true(air_snapshots_has(storage, "certificates/x", "three"));
    air_storage_snapshot_free(storage);

    /* What was not answered for does not come back. */
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "three"));
    flushes.fail_at = flushes.count + 1;
    assert_int_equal(air_snapshots_put(storage, "certificates/x", "five"), AIR_ERR_STORAGE);
    assert_ok(air_snapshots_put(storage, "certificates/x", "six"));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "six"));
    air_storage_snapshot_free(storage);
}

static void set_file_limit(rlim_t size) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_the_state_before(void **state) {
    (void)state;
    struct rlimit before;
    static char value[2000];
    memset(value, 'v', sizeof(value) - 1);
    make_two();
    struct air_storage *storage = air_snapshots_open();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*action)(int) = signal(SIGXFSZ, SIG_IGN);
    for (size_t size = 0; size < newer_size + sizeof(value); size += 97) {
        char text[200];
        set_file_limit(size);
        enum air_error error = air_snapshots_put(storage, "certificates/y", value);
        storage->explain(storage->self, text, sizeof(text));
        set_file_limit(before.rlim_cur);
        assert_int_equal(error, AIR_ERR_STORAGE_FULL);
        assert_non_null(strstr(text, "limit of file sizes"));
        expect_newer(storage);
        air_storage_snapshot_free(storage);
        storage = air_snapshots_open();
        expect_newer(storage);
    }
    (void)signal(SIGXFSZ, action);
    assert_ok(air_snapshots_put(storage, "certificates/y", value));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/y", value));
    air_storage_snapshot_free(storage);
}

static void holds_no_more_than_its_bound(void **state) {
    (void)state;
    struct air_storage *storage = air_snapshots_open();
    uint8_t *value = air_memory_new(BIG_SIZE);
    struct air_put put = {.value = air_span_of(value, BIG_SIZE)};
    char path[32];
    size_t count = 0;
    for (enum air_error error = AIR_OK; error == AIR_OK; count++) {
        (void)snprintf(path, sizeof(path), "big/%zu", count);
        put.path = air_span_text(path);
        error = storage->write(storage->self, NULL, &put, 1);
        assert_true(error == AIR_OK || error == AIR_ERR_STORAGE_FULL);
    }
    assert_int_equal(count, AIR_SNAPSHOT_SIZE_MAX / BIG_SIZE);
    assert_true(air_snapshots_has(storage, path, NULL));
    put = (struct air_put){.path = SPAN("big/0"), .is_delete = true};
    assert_ok(storage->write(storage->self, NULL, &put, 1));
    assert_ok(air_snapshots_put(storage, path, "small"));
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, path, "small"));
    assert_true(air_snapshots_has(storage, "big/0", NULL));
    air_storage_snapshot_free(storage);
    air_memory_free(value, BIG_SIZE);
}

static void says_when_its_file_was_removed(void **state) {
    (void)state;
    char text[300];
    make_two();
    struct air_storage *storage = air_snapshots_open();
    assert_int_equal(unlink(air_snapshots_path("snapshot-a")), 0);
    assert_int_equal(air_snapshots_put(storage, "certificates/x", "three"), AIR_ERR_STORAGE);
    storage->explain(storage->self, text, sizeof(text));
    assert_non_null(strstr(text, "snapshot-a: was removed"));
    expect_newer(storage);
    air_storage_snapshot_free(storage);
}

/* Writes with a growing number until it is killed; each answered one is told on the pipe. */
static void write_until_killed(int pipe_end) {
    struct air_storage *storage = NULL;
    char value[4096];
    if (air_storage_snapshot_new(air_snapshots_path(""), &storage, NULL) != AIR_OK) {
        _exit(1);
    }
    memset(value, 'v', sizeof(value));
    for (uint32_t i = 1;; i++) {
        (void)snprintf(value, sizeof(value), "%u", i);
        value[strlen(value)] = ' ';
        const struct air_put put = {
            .path = SPAN("number"), .value = air_span_of(value, sizeof(value))};
        if (storage->write(storage->self, NULL, &put, 1) != AIR_OK ||
            write(pipe_end, &i, sizeof(i)) != sizeof(i)) {
            _exit(1);
        }
    }
}

static uint32_t stored_number(struct air_storage *storage) {
    struct air_buffer out;
    uint64_t version = 0;
    int64_t number = -1;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    assert_ok(storage->read(storage->self, SPAN("number"), &out, &version));
    const air_span text = air_buffer_span(&out);
    assert_true(air_span_number(air_span_take(text, air_span_find(text, ' ')), &number));
    air_buffer_deinit(&out);
    return (uint32_t)number;
}

static void survives_being_killed(void **state) {
    (void)state;
    for (uint32_t round = 1; round <= 20; round++) {
        int ends[2];
        uint32_t answered = 0;
        uint32_t last = 0;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            write_until_killed(ends[1]);
        }
        assert_int_equal(close(ends[1]), 0);
        while (answered < round * 3) {
            assert_int_equal(read(ends[0], &answered, sizeof(answered)), sizeof(answered));
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(ends[0], &last, sizeof(last)) == sizeof(last)) {
            answered = last;
        }
        assert_int_equal(close(ends[0]), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);

        struct air_storage *storage = NULL;
        assert_ok(air_storage_snapshot_new(air_snapshots_path(""), &storage, NULL));
        /* The write that was not told of may be there; nothing later can. */
        assert_in_range(stored_number(storage), answered, answered + 1);
        air_storage_snapshot_free(storage);
    }
}

#define THREADS_COUNT 4
#define ROUNDS_COUNT 40

static bool count_segment(void *context, air_span segment) {
    (void)segment;
    (*(size_t *)context)++;
    return true;
}

/* Adds to a number that all threads share, by guards, and looks around. */
static void *add_often(void *context) {
    struct air_storage *storage = context;
    for (int left = ROUNDS_COUNT; left > 0;) {
        char text[16];
        struct air_buffer value;
        size_t count = 0;
        int64_t number = 0;
        struct air_guard guard = {.path = SPAN("shared/number")};
        air_buffer_init(&value, 64);
        (void)storage->read(storage->self, guard.path, &value, &guard.version);
        (void)air_span_number(air_buffer_span(&value), &number);
        (void)storage->list(storage->self, SPAN("shared"), SPAN(""), count_segment, &count);
        (void)snprintf(text, sizeof(text), "%d", (int)number + 1);
        const struct air_put put = {.path = guard.path, .value = air_span_text(text)};
        left -= storage->write(storage->self, &guard, &put, 1) == AIR_OK ? 1 : 0;
        air_buffer_deinit(&value);
    }
    return NULL;
}

static void threads_lose_no_write(void **state) {
    (void)state;
    char expected[16];
    pthread_t threads[THREADS_COUNT];
    struct air_storage *storage = air_snapshots_open();
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_often, storage), 0);
    }
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    air_storage_snapshot_free(storage);
    storage = air_snapshots_open();
    (void)snprintf(expected, sizeof(expected), "%d", THREADS_COUNT * ROUNDS_COUNT);
    assert_true(air_snapshots_has(storage, "shared/number", expected));
    air_storage_snapshot_free(storage);
}

/* Exits with 0 when it could write without the rights it had at the start. */
static void write_as_nobody(void) {
    struct air_storage *storage = NULL;
    bool is_done = air_storage_snapshot_new(air_snapshots_path(""), &storage, NULL) == AIR_OK &&
                   setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
                   access(air_snapshots_path("snapshot-a"), F_OK) != 0;
    for (int i = 0; i < 5 && is_done; i++) {
        is_done = air_snapshots_put(storage, "certificates/x", i == 4 ? "last" : "first") == AIR_OK;
    }
    _exit(is_done ? 0 : 1);
}

static void writes_on_after_root_is_given_up(void **state) {
    (void)state;
    int status = -1;
    if (geteuid() != 0) {
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        write_as_nobody();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct air_storage *storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "last"));
    air_storage_snapshot_free(storage);
}

static enum air_error open_and_change(void *context) {
    (void)context;
    struct air_storage *storage = NULL;
    const struct air_put puts[] = {{.path = SPAN("certificates/x"), .value = SPAN("two")},
        {.path = SPAN("certificates/x"), .value = SPAN("three")},
        {.path = SPAN("certificates/y"), .value = SPAN("another")}};
    enum air_error error = air_storage_snapshot_new(air_snapshots_path(""), &storage, NULL);
    if (error == AIR_OK) {
        error = storage->write(storage->self, NULL, puts, 3);
        assert_true(error == AIR_OK || air_snapshots_has(storage, "certificates/x", "two") ||
                    air_snapshots_has(storage, "certificates/x", "three"));
    }
    air_storage_snapshot_free(storage);
    assert_false(air_snapshots_file_exists("snapshot-a.bad.1"));
    assert_false(air_snapshots_file_exists("snapshot-b.bad.1"));
    return error;
}

static void survives_each_failing_allocation(void **state) {
    (void)state;
    make_two();
    air_test_each_allocation(open_and_change, NULL);
    struct air_storage *storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "certificates/x", "three"));
    air_storage_snapshot_free(storage);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, air_snapshots_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keeps_what_was_written),
        TEST(versions_outlive_the_process),
        TEST(falls_back_from_every_truncation),
        TEST(falls_back_from_every_flipped_byte),
        TEST(falls_back_from_blocks_that_were_not_written),
        TEST(a_damaged_older_one_changes_nothing),
        TEST(starts_empty_when_both_are_damaged),
        TEST(keeps_nine_damaged_ones_of_a_name),
        TEST(a_write_is_one_step),
        TEST(answers_after_the_flush_only),
        TEST(a_full_disk_leaves_the_state_before),
        TEST(holds_no_more_than_its_bound),
        TEST(says_when_its_file_was_removed),
        TEST(survives_being_killed),
        TEST(threads_lose_no_write),
        TEST(writes_on_after_root_is_given_up),
        TEST(survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
