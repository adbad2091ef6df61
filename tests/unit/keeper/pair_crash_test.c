/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a process that dies, or whose call fails, at any step of changing a pair leaves at
 * the two paths a matching pair, the old or the new one, or not both files where there were none;
 * the next process finds its way; and nothing becomes visible before it is durable. How: each
 * scenario runs in a child that ends at its n-th call, for every n, and once more with the n-th
 * call failing.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/test_pki.h"
#include "tests/unit/keeper/pair_calls.h"
#include "thinair/crypto.h"
#include "thinair/pair_files.h"

#define PAIRS_COUNT 3

/* No pair. */
#define NONE PAIRS_COUNT

/* More steps than any scenario has. */
#define STEPS_MAX 200

static struct air_buffer chains[PAIRS_COUNT];
static struct air_buffer keys[PAIRS_COUNT];
static char folder[AIR_TEST_PATH_SIZE];
static char chain_path[AIR_TEST_PATH_SIZE];
static char key_path[AIR_TEST_PATH_SIZE];

static int make_pairs(void **state) {
    const air_span names[] = {SPAN("example.net")};
    struct air_test_pki *pki = air_test_pki_new();

    (void)state;
    for (size_t i = 0; i < PAIRS_COUNT; i++) {
        air_buffer_init(&chains[i], AIR_CHAIN_SIZE_MAX);
        air_buffer_init(&keys[i], AIR_KEY_PEM_SIZE_MAX);
        air_test_pki_issue(
            pki, AIR_KEY_ECDSA_P256, names, 1, 0, INT64_C(4000000000000), &chains[i], &keys[i]);
    }
    air_test_pki_free(pki);
    return 0;
}

static int free_pairs(void **state) {
    (void)state;
    for (size_t i = 0; i < PAIRS_COUNT; i++) {
        air_buffer_deinit(&chains[i]);
        air_buffer_deinit(&keys[i]);
    }
    return air_memory_live() == 0 ? 0 : -1;
}

static void write_file(const char *path, air_span value) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, value.data, value.size), (ssize_t)value.size);
    assert_int_equal(close(file), 0);
}

/* Which pair the path has; NONE: no file. Anything else fails the test. */
static size_t look(const char *path, const struct air_buffer *values) {
    static uint8_t data[65536];
    const int file = open(path, O_RDONLY);
    ssize_t size;

    if (file < 0) {
        return NONE;
    }
    size = read(file, data, sizeof(data));
    assert_true(size >= 0);
    assert_int_equal(close(file), 0);
    for (size_t i = 0; i < PAIRS_COUNT; i++) {
        if (air_span_equal(air_span_of(data, (size_t)size), air_buffer_span(&values[i]))) {
            return i;
        }
    }
    fail_msg("%s holds something else", path);
    return NONE;
}

/* The pair that a server would load; NONE: it finds one file or none. */
static size_t look_at_both(void) {
    const size_t chain = look(chain_path, chains);
    const size_t key = look(key_path, keys);

    if (chain == NONE || key == NONE) {
        return NONE;
    }
    assert_int_equal(chain, key);
    return chain;
}

static enum air_error open_files(unsigned flags, struct air_pair_files **files) {
    return air_pair_files_open(chain_path, key_path, flags, files, NULL);
}

static enum air_error put(size_t index) {
    struct air_pair_files *files = NULL;
    enum air_error error = open_files(0, &files);

    if (error == AIR_OK) {
        error = air_pair_files_put(
            files, air_buffer_span(&chains[index]), air_buffer_span(&keys[index]), NULL);
    }
    air_pair_files_close(files);
    return error;
}

static enum air_error keep(size_t from, size_t to) {
    struct air_pair_files *files = NULL;
    enum air_error error = open_files(AIR_PAIR_SLOTS, &files);

    for (size_t i = from; i <= to && error == AIR_OK; i++) {
        error = air_pair_files_keep(
            files, air_buffer_span(&chains[i]), air_buffer_span(&keys[i]), NULL);
    }
    air_pair_files_close(files);
    return error;
}

static void nothing(void) {
}

static void one_pair(void) {
    assert_ok(put(0));
}

/* As many as are kept. */
static void eight_pairs(void) {
    for (size_t i = 0; i < 8; i++) {
        assert_ok(put(i % 2 == 0 ? 2 : 0));
    }
}

static void old_files(void) {
    write_file(chain_path, air_buffer_span(&chains[0]));
    write_file(key_path, air_buffer_span(&keys[0]));
}

static void one_pair_and_slots(void) {
    one_pair();
    assert_ok(keep(1, 2));
}

static enum air_error put_second(void) {
    return put(1);
}

static enum air_error keep_second_and_third(void) {
    return keep(1, 2);
}

static enum air_error only_open(void) {
    struct air_pair_files *files = NULL;
    const enum air_error error = open_files(AIR_PAIR_SLOTS, &files);

    air_pair_files_close(files);
    return error;
}

/* What each scenario begins with, does, and which pairs may be found after a death and after the
 * next process has opened the files. Bit NONE: no pair. */
static const struct scenario {
    const char *name;
    void (*prepare)(void);
    enum air_error (*run)(void);
    unsigned found;
    unsigned opened;
} scenarios[] = {
    {"the first pair", nothing, put_second, 1 << NONE | 1 << 1, 1 << NONE | 1 << 1},
    {"another pair", one_pair, put_second, 1 << 0 | 1 << 1, 1 << 0 | 1 << 1},
    {"the ninth pair", eight_pairs, put_second, 1 << 0 | 1 << 1, 1 << 0 | 1 << 1},
    {"files of an older system", old_files, only_open, 1 << 0, 1 << 0},
    {"a pair over files of an older system", old_files, put_second, 1 << 0 | 1 << 1,
        1 << 0 | 1 << 1},
    {"slots that are written", one_pair, keep_second_and_third, 1 << 0, 1 << 0 | 1 << 1 | 1 << 2},
    {"slots that are taken", one_pair_and_slots, only_open, 1 << 0 | 1 << 2, 1 << 2},
};

static void begin(const struct scenario *scenario) {
    air_pair_calls_begin(AIR_PAIR_TROUBLE_NONE, 0);
    air_test_folder_make(folder);
    air_test_path(chain_path, folder, "cert.pem");
    air_test_path(key_path, folder, "key.pem");
    scenario->prepare();
}

/* The next process: it finds a pair that may be there, and can put another. */
static void go_on(const struct scenario *scenario) {
    assert_true((scenario->found & 1u << look_at_both()) != 0);
    assert_ok(only_open());
    assert_true((scenario->opened & 1u << look_at_both()) != 0);
    assert_int_equal(access(folder, F_OK), 0);
    assert_ok(put(2));
    assert_int_equal(look_at_both(), 2);
}

/* True: it died before its end. */
static bool dies(const struct scenario *scenario, size_t n) {
    const pid_t child = fork();
    int status = -1;

    if (child == 0) {
        air_pair_calls_begin(AIR_PAIR_TROUBLE_DEATH, n);
        _exit(scenario->run() == AIR_OK ? 1 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

static void a_death_at_any_step_leaves_a_matching_pair(void **state) {
    (void)state;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        bool is_dead = true;
        size_t n = 0;

        while (is_dead && n < STEPS_MAX) {
            n++;
            begin(&scenarios[i]);
            is_dead = dies(&scenarios[i], n);
            go_on(&scenarios[i]);
            air_test_folder_remove(folder);
        }
        assert_false(is_dead);
        assert_true(n > 5);
    }
}

static void an_error_at_any_step_leaves_a_matching_pair(void **state) {
    (void)state;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        size_t n = 0;
        bool is_over = false;

        while (!is_over && n < STEPS_MAX) {
            const int64_t live = air_memory_live();
            enum air_error error;

            n++;
            begin(&scenarios[i]);
            air_pair_calls_begin(AIR_PAIR_TROUBLE_ERROR, n);
            error = scenarios[i].run();
            is_over = air_pair_calls_count() < n;
            air_pair_calls_begin(AIR_PAIR_TROUBLE_NONE, 0);
            assert_true(error == AIR_OK || error == AIR_ERR_STORAGE_FULL);
            assert_true(!is_over || error == AIR_OK);
            go_on(&scenarios[i]);
            air_test_folder_remove(folder);
            assert_int_equal(air_memory_live(), live);
        }
        assert_true(is_over);
    }
}

static void nothing_becomes_visible_before_it_is_durable(void **state) {
    (void)state;

    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        begin(&scenarios[i]);
        air_pair_calls_begin(AIR_PAIR_TROUBLE_NONE, 0);
        assert_ok(scenarios[i].run());
        assert_true(air_pair_calls_count() > 5);
        assert_int_equal(air_pair_calls_faults(), 0);
        air_test_folder_remove(folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_death_at_any_step_leaves_a_matching_pair),
        cmocka_unit_test(an_error_at_any_step_leaves_a_matching_pair),
        cmocka_unit_test(nothing_becomes_visible_before_it_is_durable),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
