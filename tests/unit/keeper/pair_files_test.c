/* SPDX-License-Identifier: MIT */
/*
 * Proven here: two paths become one pair of links whose content is replaced together; what an older
 * system left there is taken in when it matches and set aside when not; a slot is used by the next
 * process only when it is whole; what cannot be done safely is refused with a sentence and changes
 * nothing. How: real files in a temporary folder, certificates of a test CA. What a crash leaves is
 * in pair_crash_test.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/test_pki.h"
#include "thinair/crypto.h"
#include "thinair/pair_files.h"

#define PAIRS_COUNT 3

static struct air_buffer chains[PAIRS_COUNT];
static struct air_buffer keys[PAIRS_COUNT];
static char folder[AIR_TEST_PATH_SIZE];
static char chain_path[AIR_TEST_PATH_SIZE];
static char key_path[AIR_TEST_PATH_SIZE];
static struct air_buffer reason;
static int64_t live_before;

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

static int begin(void **state) {
    (void)state;
    live_before = air_memory_live();
    air_test_folder_make(folder);
    air_test_path(chain_path, folder, "cert.pem");
    air_test_path(key_path, folder, "key.pem");
    air_buffer_init(&reason, 4096);
    return 0;
}

static int end(void **state) {
    (void)state;
    air_test_folder_remove(folder);
    air_buffer_deinit(&reason);
    return air_memory_live() == live_before ? 0 : -1;
}

static void write_file(const char *path, air_span value) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, value.data, value.size), (ssize_t)value.size);
    assert_int_equal(close(file), 0);
}

static bool is_content(const char *path, air_span value) {
    static uint8_t data[65536];
    const int file = open(path, O_RDONLY);
    const ssize_t size = file >= 0 ? read(file, data, sizeof(data)) : -1;

    if (file >= 0) {
        assert_int_equal(close(file), 0);
    }
    return size >= 0 && air_span_equal(air_span_of(data, (size_t)size), value);
}

static void expect_pair(size_t index) {
    struct stat status;

    assert_true(is_content(chain_path, air_buffer_span(&chains[index])));
    assert_true(is_content(key_path, air_buffer_span(&keys[index])));
    assert_int_equal(lstat(chain_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(lstat(key_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static bool is_there(const char *path) {
    struct stat status;

    return lstat(path, &status) == 0;
}

static bool is_in_folder(const char *name) {
    char path[AIR_TEST_PATH_SIZE];

    air_test_path(path, folder, name);
    return is_there(path);
}

static struct air_pair_files *open_files(unsigned flags) {
    struct air_pair_files *files = NULL;

    assert_ok(air_pair_files_open(chain_path, key_path, flags, &files, NULL));
    return files;
}

static enum air_error put(struct air_pair_files *files, size_t index) {
    return air_pair_files_put(
        files, air_buffer_span(&chains[index]), air_buffer_span(&keys[index]), NULL);
}

static enum air_error keep(struct air_pair_files *files, size_t index) {
    return air_pair_files_keep(
        files, air_buffer_span(&chains[index]), air_buffer_span(&keys[index]), NULL);
}

static enum air_error open_at(const char *chain, const char *key) {
    struct air_pair_files *files = NULL;
    const enum air_error error = air_pair_files_open(chain, key, 0, &files, &reason);

    air_pair_files_close(files);
    return error;
}

static void both_paths_are_links_to_the_latest_pair(void **state) {
    (void)state;
    struct air_pair_files *files = open_files(0);
    struct stat status;
    char path[AIR_TEST_PATH_SIZE];
    struct air_buffer chain;
    struct air_buffer key;

    air_buffer_init(&chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
    assert_int_equal(air_pair_files_read(files, &chain, &key), AIR_ERR_NOT_FOUND);
    assert_false(is_there(chain_path));
    for (size_t i = 0; i < 20; i++) {
        assert_ok(put(files, i % PAIRS_COUNT));
        expect_pair(i % PAIRS_COUNT);
    }
    assert_ok(air_pair_files_read(files, &chain, &key));
    assert_true(air_span_equal(air_buffer_span(&key), air_buffer_span(&keys[19 % PAIRS_COUNT])));
    air_test_path(path, folder, "cert.pem.pairs/000020/key.pem");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(is_in_folder("cert.pem.pairs/000013"));
    assert_false(is_in_folder("cert.pem.pairs/000012"));
    air_buffer_deinit(&chain);
    air_buffer_deinit(&key);
    air_pair_files_close(files);
}

static void the_current_pair_put_again_makes_no_new_one(void **state) {
    (void)state;
    struct air_pair_files *files = open_files(0);

    assert_ok(put(files, 0));
    assert_ok(put(files, 0));
    air_pair_files_close(files);
    files = open_files(0);
    assert_ok(put(files, 0));
    assert_false(is_in_folder("cert.pem.pairs/000002"));
    air_pair_files_close(files);
}

static void a_matching_pair_of_an_older_system_is_taken_in(void **state) {
    (void)state;
    struct air_pair_files *files = NULL;

    write_file(chain_path, air_buffer_span(&chains[0]));
    write_file(key_path, air_buffer_span(&keys[0]));
    files = open_files(0);
    expect_pair(0);
    assert_ok(put(files, 1));
    expect_pair(1);
    /* An operator replaces both while we run. */
    assert_int_equal(unlink(chain_path), 0);
    assert_int_equal(unlink(key_path), 0);
    write_file(chain_path, air_buffer_span(&chains[2]));
    write_file(key_path, air_buffer_span(&keys[2]));
    assert_ok(put(files, 0));
    expect_pair(0);
    assert_true(is_in_folder("cert.pem.pairs/000003"));
    assert_false(is_in_folder("cert.pem.old.0"));
    air_pair_files_close(files);
}

static void files_that_do_not_match_are_set_aside(void **state) {
    (void)state;
    char path[AIR_TEST_PATH_SIZE];
    struct air_pair_files *files = NULL;

    for (unsigned i = 0; i < 2; i++) {
        write_file(chain_path, air_buffer_span(&chains[0]));
        write_file(key_path, air_buffer_span(&keys[1]));
        files = open_files(0);
        assert_false(is_there(chain_path));
        assert_false(is_there(key_path));
        air_pair_files_close(files);
    }
    air_test_path(path, folder, "key.pem.old.1");
    assert_true(is_content(path, air_buffer_span(&keys[1])));
    air_test_path(path, folder, "cert.pem.old.0");
    assert_true(is_content(path, air_buffer_span(&chains[0])));
}

static void a_chain_or_a_key_alone_is_set_aside(void **state) {
    (void)state;

    write_file(chain_path, SPAN("not a certificate"));
    air_pair_files_close(open_files(0));
    assert_false(is_there(chain_path));
    write_file(key_path, air_buffer_span(&keys[1]));
    air_pair_files_close(open_files(0));
    assert_false(is_there(key_path));
    assert_true(is_in_folder("cert.pem.old.0"));
    assert_true(is_in_folder("key.pem.old.0"));
}

static void a_stray_file_beside_our_link_is_set_aside(void **state) {
    (void)state;
    struct air_pair_files *files = open_files(0);

    assert_ok(put(files, 0));
    air_pair_files_close(files);
    assert_int_equal(unlink(chain_path), 0);
    write_file(chain_path, air_buffer_span(&chains[1]));
    air_pair_files_close(open_files(0));
    expect_pair(0);
    assert_true(is_in_folder("cert.pem.old.0"));
}

static void a_damaged_pair_gives_way_to_the_one_before(void **state) {
    (void)state;
    struct air_pair_files *files = open_files(0);
    char path[AIR_TEST_PATH_SIZE];

    assert_ok(put(files, 0));
    assert_ok(put(files, 1));
    air_pair_files_close(files);
    air_test_path(path, folder, "cert.pem.pairs/000002/key.pem");
    write_file(path, air_span_take(air_buffer_span(&keys[1]), 100));
    air_pair_files_close(open_files(0));
    expect_pair(0);
    air_test_path(path, folder, "cert.pem.pairs/000001/chain.pem");
    assert_int_equal(unlink(path), 0);
    air_pair_files_close(open_files(0));
    assert_int_equal(access(chain_path, F_OK), -1);
    assert_int_equal(access(key_path, F_OK), -1);
}

static void refuses_what_is_no_pair_and_changes_nothing(void **state) {
    (void)state;
    static uint8_t large[AIR_CHAIN_SIZE_MAX + 1];
    const air_span chain = air_buffer_span(&chains[0]);
    const air_span key = air_buffer_span(&keys[0]);
    const struct {
        air_span chain;
        air_span key;
        enum air_error error;
    } rows[] = {
        {chain, air_buffer_span(&keys[1]), AIR_ERR_BAD_CERTIFICATE},
        {chain, air_span_text(NULL), AIR_ERR_BAD_CERTIFICATE},
        {air_span_text(NULL), key, AIR_ERR_BAD_CERTIFICATE},
        {chain, air_span_take(key, key.size - 40), AIR_ERR_BAD_CERTIFICATE},
        {air_span_take(chain, chain.size - 40), key, AIR_ERR_BAD_CERTIFICATE},
        {key, chain, AIR_ERR_BAD_CERTIFICATE},
        {air_span_of(large, sizeof(large)), key, AIR_ERR_LIMIT},
        {chain, air_span_of(large, AIR_KEY_PEM_SIZE_MAX + 1), AIR_ERR_LIMIT},
    };
    struct air_pair_files *files = open_files(AIR_PAIR_SLOTS);

    assert_ok(put(files, 2));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        air_buffer_clear(&reason);
        assert_int_equal(
            air_pair_files_put(files, rows[i].chain, rows[i].key, &reason), rows[i].error);
        assert_true(reason.size > 0);
        assert_int_equal(
            air_pair_files_keep(files, rows[i].chain, rows[i].key, NULL), rows[i].error);
        expect_pair(2);
    }
    air_pair_files_close(files);
    files = open_files(0);
    expect_pair(2);
    assert_int_equal(keep(files, 0), AIR_ERR_STATE);
    air_pair_files_close(files);
}

static void refuses_paths_that_cannot_be(void **state) {
    (void)state;
    char path[AIR_TEST_PATH_SIZE];
    char deep[1200];

    assert_int_equal(open_at("cert.pem", key_path), AIR_ERR_ARGUMENT);
    assert_int_equal(open_at(chain_path, ""), AIR_ERR_ARGUMENT);
    assert_int_equal(open_at(folder, "/"), AIR_ERR_ARGUMENT);
    assert_int_equal(open_at(chain_path, chain_path), AIR_ERR_ARGUMENT);
    memset(deep, 'a', sizeof(deep));
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    assert_int_equal(open_at(deep, key_path), AIR_ERR_LIMIT);
    air_buffer_clear(&reason);
    air_test_path(path, folder, "missing/cert.pem");
    assert_int_equal(open_at(path, key_path), AIR_ERR_NOT_FOUND);
    assert_non_null(memmem(reason.data, reason.size, "missing/ does not exist", 23));
    assert_false(is_in_folder("missing"));
    assert_int_equal(mkdir(key_path, 0700), 0);
    assert_int_equal(open_at(chain_path, key_path), AIR_ERR_EXISTS);
    assert_int_equal(rmdir(key_path), 0);
}

static void refuses_directories_that_are_open_to_others(void **state) {
    (void)state;
    char inner[AIR_TEST_PATH_SIZE];
    char path[AIR_TEST_PATH_SIZE];

    assert_int_equal(chmod(folder, 0770), 0);
    assert_int_equal(open_at(chain_path, key_path), AIR_ERR_PERMISSION);
    assert_non_null(memmem(reason.data, reason.size, "is open to others", 17));
    air_test_path(inner, folder, "inner");
    air_test_path(path, inner, "cert.pem");
    assert_int_equal(mkdir(inner, 0700), 0);
    assert_int_equal(open_at(path, key_path), AIR_ERR_PERMISSION);
    assert_int_equal(chmod(folder, 0700), 0);
    air_test_path(path, folder, "cert.pem.pairs");
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(open_at(chain_path, key_path), AIR_ERR_PERMISSION);
    assert_int_equal(chmod(path, 0700), 0);
    assert_ok(open_at(chain_path, key_path));
}

static void the_latest_slot_is_used_by_the_next_process(void **state) {
    (void)state;

    for (size_t last = 0; last < PAIRS_COUNT; last++) {
        struct air_pair_files *files = open_files(AIR_PAIR_SLOTS);

        for (size_t i = 0; i <= last; i++) {
            assert_ok(keep(files, i));
        }
        air_pair_files_close(files);
        air_pair_files_close(open_files(AIR_PAIR_SLOTS));
        expect_pair(last);
        air_pair_files_close(open_files(0)); /* and once used it does not come back */
        expect_pair(last);
    }
    assert_false(is_in_folder("cert.pem.pairs/next-a"));
    assert_false(is_in_folder("cert.pem.pairs/bad-a"));
}

/* Two pairs are kept, then the slot of the second is spoiled. */
static void spoil_the_second_slot(void (*spoil)(const char *path, size_t n), size_t n) {
    struct air_pair_files *files = open_files(AIR_PAIR_SLOTS);
    char path[AIR_TEST_PATH_SIZE];

    assert_ok(keep(files, 0));
    assert_ok(keep(files, 1));
    air_pair_files_close(files);
    air_test_path(path, folder, "cert.pem.pairs/next-b");
    spoil(path, n);
    air_pair_files_close(open_files(0));
    expect_pair(0);
    assert_false(is_there(path));
    assert_true(n == 0 || is_in_folder("cert.pem.pairs/bad-b"));
}

static void cut(const char *path, size_t n) {
    assert_int_equal(truncate(path, (off_t)n), 0);
}

static void flip(const char *path, size_t n) {
    const int file = open(path, O_RDWR);
    uint8_t byte = 0;

    assert_int_equal(pread(file, &byte, 1, (off_t)n), 1);
    byte ^= 4;
    assert_int_equal(pwrite(file, &byte, 1, (off_t)n), 1);
    assert_int_equal(close(file), 0);
}

static void a_slot_that_was_cut_short_or_changed_is_never_used(void **state) {
    (void)state;
    const size_t size = 15 + 8 + 4 + chains[1].size + 4 + keys[1].size + AIR_SHA256_SIZE;

    for (size_t n = 0; n < size; n += 41) {
        spoil_the_second_slot(cut, n);
        spoil_the_second_slot(flip, n + 1 < size ? n + 1 : n);
    }
    spoil_the_second_slot(cut, size - 1);
}

static void keeps_a_pair_without_privileges(void **state) {
    (void)state;
    struct air_pair_files *files = NULL;
    int status = -1;
    pid_t child;

    if (geteuid() != 0) {
        skip();
    }
    files = open_files(AIR_PAIR_SLOTS);
    child = fork();
    if (child == 0) {
        const bool is_changed =
            setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;

        _exit(is_changed && keep(files, 1) == AIR_OK && put(files, 2) != AIR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    air_pair_files_close(files);
    air_pair_files_close(open_files(0));
    expect_pair(1);
}

static enum air_error open_put_keep(void *context) {
    struct air_pair_files *files = NULL;
    enum air_error error = air_pair_files_open(chain_path, key_path, AIR_PAIR_SLOTS, &files, NULL);

    (void)context;
    if (error == AIR_OK) {
        error = put(files, 1);
    }
    if (error == AIR_OK) {
        error = keep(files, 2);
    }
    air_pair_files_close(files);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;

    write_file(chain_path, air_buffer_span(&chains[0]));
    write_file(key_path, air_buffer_span(&keys[0]));
    air_test_each_allocation(open_put_keep, NULL);
    expect_pair(1);
    assert_false(is_in_folder("cert.pem.old.0"));
    assert_false(is_in_folder("cert.pem.pairs/bad-a"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(both_paths_are_links_to_the_latest_pair),
        TEST(the_current_pair_put_again_makes_no_new_one),
        TEST(a_matching_pair_of_an_older_system_is_taken_in),
        TEST(files_that_do_not_match_are_set_aside),
        TEST(a_chain_or_a_key_alone_is_set_aside),
        TEST(a_stray_file_beside_our_link_is_set_aside),
        TEST(a_damaged_pair_gives_way_to_the_one_before),
        TEST(refuses_what_is_no_pair_and_changes_nothing),
        TEST(refuses_paths_that_cannot_be),
        TEST(refuses_directories_that_are_open_to_others),
        TEST(the_latest_slot_is_used_by_the_next_process),
        TEST(a_slot_that_was_cut_short_or_changed_is_never_used),
        TEST(keeps_a_pair_without_privileges),
        TEST(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
