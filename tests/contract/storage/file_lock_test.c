/* SPDX-License-Identifier: MIT */
/*
 * Proven here, with real processes: the kernel gives a lock back when its holder is killed, a
 * fork's child neither holds nor releases its parent's locks, two processes lose no guarded update,
 * and a process killed at any system call of a write leaves a prefix that the next writer settles
 * (R-D2). Children answer through pipes; nothing depends on time.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "tests/contract/storage/file_fixture.h"
#include "tests/support/fake_system.h"
#include "tests/support/prefix.h"
#include "tests/support/test.h"

#define CALLS_MAX 200
#define INCREMENTS 25

static int begin(void **state) {
    (void)air_state_begin(state);
    *state = air_state_open(AIR_FILES_CREATE);
    return 0;
}

static int end(void **state) {
    air_storage_files_free(*state);
    return air_state_end(state);
}

static struct air_storage *open_again(const struct air_files_system *system) {
    struct air_storage *storage = NULL;
    if (air_files_new(air_state_path, 0, system, &storage, NULL) != AIR_OK) {
        abort(); /* also in a child, where an assertion would run on as a second test program */
    }
    return storage;
}

static enum air_error lock(struct air_storage *storage, const char *name) {
    uint64_t fence = 0;
    return storage->lock(storage->self, air_span_text(name), &fence);
}

static enum air_error unlock(struct air_storage *storage, const char *name) {
    return storage->unlock(storage->self, air_span_text(name));
}

/* A child process that runs `work` and then waits to be killed; `pipe` tells what work answered. */
struct child {
    pid_t process;
    int answers;
};

static struct child start(int (*work)(void *context), void *context) {
    int ends[2];
    struct child child;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child.process = fork();
    assert_true(child.process >= 0);
    if (child.process == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlives a failed test */
        char answer = (char)work(context);
        if (write(ends[1], &answer, 1) != 1) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(close(ends[1]), 0);
    child.answers = ends[0];
    return child;
}

/* What work answered; -1 when the child died without an answer. */
static int answer_of(const struct child *child) {
    char answer = 0;
    return read(child->answers, &answer, 1) == 1 ? answer : -1;
}

static void kill_child(const struct child *child) {
    assert_int_equal(kill(child->process, SIGKILL), 0);
    assert_int_equal(waitpid(child->process, NULL, 0), child->process);
    assert_int_equal(close(child->answers), 0);
}

static int lock_in_own_storage(void *context) {
    (void)context;
    return (int)lock(open_again(air_files_system_real()), "certificates/a");
}

static void gives_a_lock_back_when_its_holder_is_killed(void **state) {
    struct child child = start(lock_in_own_storage, NULL);
    assert_int_equal(answer_of(&child), AIR_OK);
    assert_int_equal(lock(*state, "certificates/a"), AIR_ERR_BUSY);
    assert_ok(lock(*state, "certificates/b"));
    kill_child(&child);
    assert_ok(lock(*state, "certificates/a"));
}

/* In a fork's child, with its parent's storage. */
static int use_inherited_storage(void *context) {
    struct air_storage *storage = context;
    struct air_put put = {.path = SPAN("a/b"), .value = SPAN("from the child")};
    if (unlock(storage, "certificates/a") != AIR_ERR_STATE) {
        return 1;
    }
    if (lock(storage, "certificates/a") != AIR_ERR_BUSY) {
        return 2;
    }
    if (lock(storage, "certificates/b") != AIR_OK) {
        return 3;
    }
    if (storage->write(storage->self, NULL, &put, 1) != AIR_OK) {
        return 4;
    }
    return 0;
}

static void keeps_a_parents_locks_from_its_child(void **state) {
    assert_ok(lock(*state, "certificates/a"));
    struct child child = start(use_inherited_storage, *state);
    assert_int_equal(answer_of(&child), 0);
    assert_int_equal(lock(*state, "certificates/b"), AIR_ERR_BUSY);
    assert_int_equal(lock(*state, "certificates/a"), AIR_ERR_BUSY);
    kill_child(&child);
    assert_ok(lock(*state, "certificates/b"));
    struct air_storage *other = open_again(air_files_system_real());
    assert_int_equal(lock(other, "certificates/a"), AIR_ERR_BUSY);
    assert_ok(unlock(*state, "certificates/a"));
    assert_ok(lock(other, "certificates/a"));
    air_storage_files_free(other);
}

static int free_inherited_storage(void *context) {
    air_storage_files_free(context);
    return 0;
}

static void keeps_its_locks_when_a_child_closes_the_storage(void **state) {
    assert_ok(lock(*state, "certificates/a"));
    struct child child = start(free_inherited_storage, *state);
    assert_int_equal(answer_of(&child), 0);
    struct air_storage *other = open_again(air_files_system_real());
    assert_int_equal(lock(other, "certificates/a"), AIR_ERR_BUSY);
    kill_child(&child);
    assert_int_equal(lock(other, "certificates/a"), AIR_ERR_BUSY);
    air_storage_files_free(other);
}

static int do_nothing(void *context) {
    (void)context;
    return 0;
}

static void releases_its_locks_though_a_child_lives_on(void **state) {
    assert_ok(lock(*state, "certificates/a"));
    struct child child = start(do_nothing, NULL);
    assert_int_equal(answer_of(&child), 0);
    air_storage_files_free(*state);
    *state = open_again(air_files_system_real());
    assert_ok(lock(*state, "certificates/a"));
    kill_child(&child);
}

/* ---- writes of two processes ---- */

static int64_t read_counter(struct air_storage *storage, uint64_t *version) {
    struct air_buffer out;
    int64_t number = 0;
    *version = 0;
    air_buffer_init(&out, 32);
    if (storage->read(storage->self, SPAN("counter"), &out, version) == AIR_OK &&
        !air_span_number(air_buffer_span(&out), &number)) {
        number = -1;
    }
    air_buffer_deinit(&out);
    return number;
}

/* 0, or what went wrong. */
static int increment(void *context) {
    struct air_storage *storage = context;
    for (int i = 0; i < INCREMENTS;) {
        struct air_guard guard = {.path = SPAN("counter")};
        struct air_buffer text;
        air_buffer_init(&text, 32);
        int64_t number = read_counter(storage, &guard.version);
        (void)air_buffer_append_number(&text, number + 1);
        struct air_put put = {.path = SPAN("counter"), .value = air_buffer_span(&text)};
        enum air_error error = storage->write(storage->self, &guard, &put, 1);
        air_buffer_deinit(&text);
        if (error == AIR_OK) {
            i++;
        } else if (error != AIR_ERR_CONFLICT && error != AIR_ERR_BUSY) {
            return (int)error;
        }
    }
    return 0;
}

static void loses_no_guarded_update_of_two_processes(void **state) {
    uint64_t version = 0;
    struct child child = start(increment, *state);
    assert_int_equal(increment(*state), 0);
    assert_int_equal(answer_of(&child), 0);
    kill_child(&child);
    assert_int_equal(read_counter(*state, &version), 2 * INCREMENTS);
}

/* Dies, or stops for good, at the n-th call. */
struct fate {
    unsigned calls;
    unsigned at;
    int signal;
    int told; /* where a stopped child says that it got there */
};

static int meet(void *owner, const struct air_fake_call *call) {
    struct fate *fate = owner;
    (void)call;
    fate->calls++;
    if (fate->calls == fate->at) {
        if (fate->told >= 0) {
            (void)!write(fate->told, "!", 1);
        }
        (void)raise(fate->signal);
    }
    return 0;
}

static const struct air_put changes[] = {
    {.path = {(const uint8_t *)"c/x/current", 11}, .value = {(const uint8_t *)"000001", 6}},
    {.path = {(const uint8_t *)"c/x/g/2/key", 11}, .value = {(const uint8_t *)"second key", 10}},
    {.path = {(const uint8_t *)"c/y", 3}, .value = {(const uint8_t *)"other", 5}},
    {.path = {(const uint8_t *)"c/x/g/2/key", 11}, .is_delete = true},
    {.path = {(const uint8_t *)"c/x/current", 11}, .value = {(const uint8_t *)"000002", 6}},
};
#define CHANGES_COUNT (sizeof(changes) / sizeof(changes[0]))

static int write_changes(void *context) {
    struct fate *fate = context;
    struct air_fake_system fake;
    air_fake_system_init(&fake, fate, meet, NULL);
    fake.is_swift = true;
    unsigned at = fate->at;
    fate->at = 0;
    struct air_storage *storage = open_again(&fake.table);
    fate->at = at;
    fate->calls = 0;
    return (int)storage->write(storage->self, NULL, changes + 1, CHANGES_COUNT - 1);
}

static int refuse_temporary(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    return air_span_starts_with(air_span_text(path + at->base), AIR_FILES_TEMPORARY_PREFIX) ? 1 : 0;
}

/* No temporary file and no note is left: what is visible is durable. */
static void expect_settled(void) {
    char path[AIR_TEST_PATH_SIZE];
    char note = '/';
    assert_int_equal(nftw(air_state_path, refuse_temporary, 16, FTW_PHYS), 0);
    air_test_path(path, air_state_path, "lock");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(read(file, &note, 1), 1);
    assert_int_equal(close(file), 0);
    assert_int_equal(note, '\n');
}

static void settles_what_a_process_killed_at_any_call_left(void **state) {
    struct air_storage *storage = *state;
    int answer = -1;
    for (unsigned n = 1; answer == -1; n++) {
        assert_ok(storage->write(storage->self, NULL, changes, 1));
        struct air_put removal = {.path = SPAN("c/y"), .is_delete = true};
        assert_ok(storage->write(storage->self, NULL, &removal, 1));

        struct fate fate = {.at = n, .signal = SIGKILL, .told = -1};
        struct child child = start(write_changes, &fate);
        answer = answer_of(&child);
        kill_child(&child);
        assert_true(air_prefix_holds(storage, changes, 1, CHANGES_COUNT, CHANGES_COUNT));
        /* The killed one's locks are gone, and any write settles, whatever it writes. */
        assert_ok(storage->write(storage->self, NULL, NULL, 0));
        expect_settled();
        assert_true(air_prefix_holds(storage, changes, 1, CHANGES_COUNT, CHANGES_COUNT));
        assert_true(n < CALLS_MAX);
    }
    assert_int_equal(answer, AIR_OK);
}

static int count_pauses(void *owner, const struct air_fake_call *call) {
    uint64_t *waited_ms = owner;
    if (call->kind != AIR_FAKE_PAUSE) {
        return 0;
    }
    *waited_ms += call->size;
    return -EINTR; /* do not wait really */
}

static void gives_up_on_a_writer_that_never_ends(void **state) {
    (void)state;
    int ends[2];
    char told = 0;
    uint64_t waited_ms = 0;
    struct air_fake_system fake;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct fate fate = {.at = 20, .signal = SIGSTOP, .told = ends[1]};
    air_fake_system_init(&fake, &waited_ms, count_pauses, NULL);
    struct child child = start(write_changes, &fate);
    assert_int_equal(read(ends[0], &told, 1), 1);
    int status = 0;
    assert_int_equal(waitpid(child.process, &status, WUNTRACED), child.process);

    struct air_storage *storage = open_again(&fake.table);
    assert_int_equal(waited_ms, 0); /* a state that another writes to opens at once */
    assert_int_equal(storage->write(storage->self, NULL, changes, 1), AIR_ERR_BUSY);
    assert_in_range(waited_ms, 5000, 30000);
    waited_ms = 0;
    kill_child(&child);
    assert_ok(storage->write(storage->self, NULL, changes, 1));
    assert_int_equal(waited_ms, 0);
    air_storage_files_free(storage);
    expect_settled();
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(gives_a_lock_back_when_its_holder_is_killed),
        TEST(keeps_a_parents_locks_from_its_child),
        TEST(keeps_its_locks_when_a_child_closes_the_storage),
        TEST(releases_its_locks_though_a_child_lives_on),
        TEST(loses_no_guarded_update_of_two_processes),
        TEST(settles_what_a_process_killed_at_any_call_left),
        TEST(gives_up_on_a_writer_that_never_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
