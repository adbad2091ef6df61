/* SPDX-License-Identifier: MIT */
/*
 * Proven here: writes of different folders go on at the same time, those of one folder do not;
 * threads that make and prune the same folders lose nothing; what all the writers of a killed
 * process left is settled by the next write (R-D2); a process that writes without a break lets
 * another one in. Waits end when what they wait for is there.
 */

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "tests/contract/storage/file_fixture.h"
#include "tests/support/fake_system.h"
#include "tests/support/test.h"

#define THREADS_COUNT 4
#define ROUNDS 40
#define OTHERS 8 /* less than a group of writers has */
#define KILLS 12
#define WAIT_MAX_S 20

static int begin(void **state) {
    (void)air_state_begin(state);
    *state = air_state_open(AIR_FILES_CREATE);
    return 0;
}

static int end(void **state) {
    air_storage_files_free(*state);
    return air_state_end(state);
}

/* ---- side by side ---- */

/* The rename to "slow" is held up until it may pass. */
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_reached;
    bool may_pass;
    bool is_passed;
    bool is_overtaken; /* "same" was renamed in its folder before "slow" was */
    bool has_given_up;
};

static bool wait_for(struct gate *gate, const bool *flag) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MAX_S;
    while (!*flag) {
        if (pthread_cond_timedwait(&gate->changed, &gate->mutex, &until) != 0) {
            gate->has_given_up = true;
            return false;
        }
    }
    return true;
}

static int hold_up(void *owner, const struct air_fake_call *call) {
    struct gate *gate = owner;
    if (call->kind != AIR_FAKE_RENAME) {
        return 0;
    }
    (void)pthread_mutex_lock(&gate->mutex);
    if (strcmp(call->to, "slow") == 0) {
        gate->is_reached = true;
        (void)pthread_cond_broadcast(&gate->changed);
        (void)wait_for(gate, &gate->may_pass);
        gate->is_passed = true;
    } else if (strcmp(call->to, "same") == 0) {
        gate->is_overtaken = !gate->is_passed;
    }
    (void)pthread_mutex_unlock(&gate->mutex);
    return 0;
}

struct task {
    struct air_storage *storage;
    const char *path;
    enum air_error error;
};

static void *put_one(void *context) {
    struct task *task = context;
    task->error = air_state_put(task->storage, task->path, "x");
    return NULL;
}

static void lets_writes_of_different_folders_pass_and_no_others(void **state) {
    (void)state;
    struct gate gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct air_fake_system fake;
    struct air_storage *storage = NULL;
    air_fake_system_init(&fake, &gate, hold_up, NULL);
    assert_ok(air_files_new(air_state_path, 0, &fake.table, &storage, NULL));
    struct task tasks[2] = {{storage, "c/a/e/slow", AIR_OK}, {storage, "c/a/r/same", AIR_OK}};
    pthread_t threads[2];
    assert_int_equal(pthread_create(&threads[0], NULL, put_one, &tasks[0]), 0);
    (void)pthread_mutex_lock(&gate.mutex);
    assert_true(wait_for(&gate, &gate.is_reached));
    (void)pthread_mutex_unlock(&gate.mutex);
    assert_int_equal(pthread_create(&threads[1], NULL, put_one, &tasks[1]), 0);
    for (int i = 0; i < OTHERS; i++) {
        assert_ok(air_state_put(storage, "c/b/other", "x"));
        assert_ok(air_state_drop(storage, "c/b/other"));
    }
    (void)pthread_mutex_lock(&gate.mutex);
    assert_false(gate.is_passed);
    gate.may_pass = true;
    (void)pthread_cond_broadcast(&gate.changed);
    (void)pthread_mutex_unlock(&gate.mutex);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(tasks[i].error);
    }
    assert_false(gate.is_overtaken);
    assert_false(gate.has_given_up);
    air_storage_files_free(storage);
}

/* ---- many at once ---- */

/* Another write prunes the folder on the way that is still empty, so often. */
static int prune(void *owner, const struct air_fake_call *call) {
    unsigned *times = owner;
    if (call->kind == AIR_FAKE_MAKE_FOLDER && strcmp(call->name, "inner") == 0 && *times > 0) {
        (*times)--;
        assert_int_equal(rmdir(air_state_below("outer")), 0);
    }
    return 0;
}

static void makes_a_folder_again_that_was_pruned_meanwhile(void **state) {
    (void)state;
    unsigned times = 3;
    struct air_fake_system fake;
    struct air_storage *storage = NULL;
    air_fake_system_init(&fake, &times, prune, NULL);
    assert_ok(air_files_new(air_state_path, 0, &fake.table, &storage, NULL));
    assert_ok(air_state_put(storage, "outer/inner/record", "there"));
    assert_int_equal(times, 0);
    air_state_expect_text(air_state_below("outer/inner/record"), "there");
    times = 1000;
    assert_ok(air_state_drop(storage, "outer/inner/record"));
    assert_int_equal(air_state_put(storage, "outer/inner/record", "no"), AIR_ERR_STORAGE);
    air_storage_files_free(storage);
}

struct hand {
    struct air_storage *storage;
    int number;
    atomic_bool *is_over; /* NULL: ROUNDS rounds */
    int told;             /* where each round is told, or -1 */
    enum air_error error;
};

/* Makes two folders and prunes them, round after round; the last round leaves them. */
static void *make_and_prune(void *context) {
    struct hand *hand = context;
    char first[] = "c/0/g/one";
    char second[] = "l/0/two";
    first[2] = second[2] = (char)('0' + hand->number);
    hand->error = AIR_OK;
    for (int i = 0; hand->error == AIR_OK; i++) {
        struct air_put puts[] = {{.path = air_span_text(first), .value = SPAN("1")},
            {.path = air_span_text(second), .value = SPAN("2")}};
        hand->error = hand->storage->write(hand->storage->self, NULL, puts, 2);
        if (hand->told >= 0 && write(hand->told, "!", 1) != 1) {
            hand->error = AIR_ERR_STORAGE;
        }
        if (hand->is_over != NULL ? atomic_load(hand->is_over) : i == ROUNDS) {
            return NULL;
        }
        puts[0].is_delete = puts[1].is_delete = true;
        if (hand->error == AIR_OK) {
            hand->error = hand->storage->write(hand->storage->self, NULL, puts, 2);
        }
    }
    return NULL;
}

static void start_all(struct hand *hands, pthread_t *threads, struct hand pattern) {
    for (int i = 0; i < THREADS_COUNT; i++) {
        hands[i] = pattern;
        hands[i].number = i;
        if (pthread_create(&threads[i], NULL, make_and_prune, &hands[i]) != 0) {
            abort();
        }
    }
}

static void join_all(const struct hand *hands, const pthread_t *threads) {
    for (int i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(hands[i].error);
    }
}

static void loses_nothing_when_many_make_and_prune_folders(void **state) {
    (void)state;
    struct hand hands[THREADS_COUNT];
    pthread_t threads[THREADS_COUNT];
    struct air_fake_system fake;
    air_fake_system_init(&fake, NULL, NULL, NULL);
    fake.is_swift = true;
    struct air_storage *storage = NULL;
    assert_ok(air_files_new(air_state_path, 0, &fake.table, &storage, NULL));
    start_all(hands, threads, (struct hand){.storage = storage, .told = -1});
    join_all(hands, threads);
    for (int i = 0; i < THREADS_COUNT; i++) {
        char path[] = "c/0/g/one";
        path[2] = (char)('0' + i);
        air_state_expect_text(air_state_below(path), "1");
    }
    air_storage_files_free(storage);
}

/* ---- other processes ---- */

static int refuse_temporary(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    return air_span_starts_with(air_span_text(path + at->base), AIR_FILES_TEMPORARY_PREFIX) ? 1 : 0;
}

/* No temporary file and no note is left. A note is '/', a path, a line feed. */
static void expect_settled(void) {
    char notes[AIR_FILES_WRITERS_MAX * (AIR_STORAGE_PATH_SIZE_MAX + 2)];
    assert_int_equal(nftw(air_state_path, refuse_temporary, 16, FTW_PHYS), 0);
    int file = open(air_state_below("lock"), O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    ssize_t size = read(file, notes, sizeof(notes));
    assert_int_equal(close(file), 0);
    assert_true(size > 0);
    for (ssize_t at = 0; at < size; at += AIR_STORAGE_PATH_SIZE_MAX + 2) {
        assert_int_not_equal(notes[at], '/');
    }
}

/* A child that writes with all hands for ever and tells of every round. */
static pid_t start_writers(int *told) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        struct hand hands[THREADS_COUNT];
        pthread_t threads[THREADS_COUNT];
        atomic_bool is_over;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        atomic_init(&is_over, false);
        struct air_storage *storage = NULL;
        if (air_storage_files_new(air_state_path, 0, &storage, NULL) != AIR_OK) {
            abort();
        }
        start_all(hands, threads,
            (struct hand){.storage = storage, .is_over = &is_over, .told = ends[1]});
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(close(ends[1]), 0);
    *told = ends[0];
    return process;
}

static void wait_for_rounds(int told, int count) {
    for (int i = 0; i < count; i++) {
        char round = 0;
        assert_int_equal(read(told, &round, 1), 1);
    }
}

static void kill_writers(pid_t process, int told) {
    assert_int_equal(kill(process, SIGKILL), 0);
    assert_int_equal(waitpid(process, NULL, 0), process);
    assert_int_equal(close(told), 0);
}

static void settles_what_all_writers_of_a_killed_process_left(void **state) {
    struct air_storage *storage = *state;
    for (int i = 0; i < KILLS; i++) {
        int told = -1;
        pid_t process = start_writers(&told);
        wait_for_rounds(told, 5 + 3 * i);
        kill_writers(process, told);
        assert_ok(storage->write(storage->self, NULL, NULL, 0));
        expect_settled();
    }
}

static void lets_another_process_write_in_between(void **state) {
    struct air_storage *storage = *state;
    int told = -1;
    pid_t process = start_writers(&told);
    for (int i = 0; i < 3; i++) {
        wait_for_rounds(told, 2 * THREADS_COUNT);
        assert_ok(air_state_put(storage, "own", "turn"));
    }
    wait_for_rounds(told, 2 * THREADS_COUNT); /* and goes on itself */
    kill_writers(process, told);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(lets_writes_of_different_folders_pass_and_no_others),
        TEST(makes_a_folder_again_that_was_pruned_meanwhile),
        TEST(loses_nothing_when_many_make_and_prune_folders),
        TEST(settles_what_all_writers_of_a_killed_process_left),
        TEST(lets_another_process_write_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
