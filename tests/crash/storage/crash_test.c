/* SPDX-License-Identifier: MIT */
/*
 * Proven here: after a power cut at any moment of a certificate's life, some prefix of the puts
 * holds, each of them whole, and it has all puts of the writes that had answered AIR_OK (R-D1). A
 * disk records what the storage does; each image it may leave is opened by the storage anew and
 * read. That the check can fail is shown by leaving out one kind of sync at a time.
 */

#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "backends/storage_file/files.h"
#include "src/base/memory.h"
#include "tests/crash/storage/disk.h"
#include "tests/support/fake_system.h"
#include "tests/support/folder.h"
#include "tests/support/prefix.h"
#include "tests/support/test.h"

#define PUT(p, v)                                                                                  \
    {                                                                                              \
        .path = {(const uint8_t *)(p), sizeof(p) - 1}, .value = {                                  \
            (const uint8_t *)(v),                                                                  \
            sizeof(v) - 1                                                                          \
        }                                                                                          \
    }
#define DELETE(p)                                                                                  \
    { .path = {(const uint8_t *)(p), sizeof(p) - 1}, .is_delete = true }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A first certificate, a renewal that removes its generation, the end, and a new beginning. */
static const struct air_put life[] = {
    PUT("accounts/ca/key.pem", "-----account key-----"),
    PUT("accounts/ca/account.json", "{\"url\":\"https://ca.example/acct/1\"}"),
    PUT("certificates/a/e/history.json", "{\"attempts\":1}"),
    PUT("certificates/a/e/generations/1/key.pem", "-----first key-----"),
    PUT("certificates/a/e/order.json", "{\"state\":\"creating\"}"),
    PUT("certificates/a/e/order.json", "{\"state\":\"ready\"}"),
    PUT("certificates/a/e/generations/1/fullchain.pem", "-----first chain-----"),
    PUT("certificates/a/e/generations/1/manifest.json", "{\"number\":1}"),
    PUT("certificates/a/e/current", "000001"),
    DELETE("certificates/a/e/order.json"),
    PUT("live/a/e/bundle.pem", "-----first chain and key-----"),
    PUT("certificates/a/e/history.json", "{\"attempts\":0}"),
    PUT("certificates/a/e/generations/2/key.pem", "-----second key-----"),
    PUT("certificates/a/e/generations/2/manifest.json", "{\"number\":2}"),
    PUT("certificates/a/e/current", "000002"),
    PUT("live/a/e/bundle.pem", "-----second chain and key-----"),
    DELETE("certificates/a/e/generations/1/fullchain.pem"),
    DELETE("certificates/a/e/generations/1/manifest.json"),
    DELETE("certificates/a/e/generations/1/key.pem"),
    DELETE("certificates/a/e/current"),
    DELETE("certificates/a/e/generations/2/key.pem"),
    DELETE("certificates/a/e/generations/2/manifest.json"),
    DELETE("certificates/a/e/history.json"),
    PUT("certificates/a/e/history.json", "{\"attempts\":2}"),
    PUT("certificates/a/r/generations/1/key.pem", "-----other key-----"),
};

/* How many puts each write has. */
static const size_t writes[] = {2, 2, 1, 1, 4, 1, 3, 1, 1, 3, 4, 2};

static char folder[AIR_TEST_PATH_SIZE];
static char state_path[AIR_TEST_PATH_SIZE];
static struct air_disk disk;
static struct air_fake_system calm; /* for reading images: no faults, nothing recorded */

static int begin(void **state) {
    (void)state;
    air_test_folder_make(folder);
    air_test_path(state_path, folder, "state");
    air_disk_init(&disk);
    air_fake_system_init(&calm, NULL, NULL, NULL);
    calm.is_swift = true;
    return 0;
}

static int end(void **state) {
    (void)state;
    air_test_folder_remove(folder);
    return air_memory_live() == 0 ? 0 : -1;
}

static struct air_storage *open_state(const char *path, const struct air_files_system *system) {
    struct air_storage *storage = NULL;
    return air_files_new(path, AIR_FILES_CREATE, system, &storage, NULL) == AIR_OK ? storage : NULL;
}

/* Carry out the writes of life, telling the disk what is promised. A failed write is repeated. */
static void live(struct air_storage *storage) {
    size_t done = 0;
    for (size_t i = 0; i < COUNT(writes); i++) {
        disk.started_count = done + writes[i];
        enum air_error error = storage->write(storage->self, NULL, life + done, writes[i]);
        if (error != AIR_OK) {
            assert_true(disk.fail_sync_at > 0);
            assert_ok(storage->write(storage->self, NULL, life + done, writes[i]));
        }
        done += writes[i];
        disk.promised_count = done;
    }
    assert_int_equal(done, COUNT(life));
}

static void record_life(void) {
    struct air_storage *storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    live(storage);
    air_storage_files_free(storage);
}

static int refuse_temporary(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    return air_span_starts_with(air_span_text(path + at->base), AIR_FILES_TEMPORARY_PREFIX) ? 1 : 0;
}

/* Start on an image: it opens, a prefix holds, nothing is left over, and it can be written. */
static bool image_holds(
    void *context, const char *path, size_t promised_count, size_t started_count) {
    (void)context;
    struct air_put put = PUT("certificates/after/cut", "x");
    struct air_storage *storage = open_state(path, &calm.table);
    if (storage == NULL) {
        return false;
    }
    bool does_hold = air_prefix_holds(storage, life, promised_count, started_count, COUNT(life)) &&
                     storage->write(storage->self, NULL, &put, 1) == AIR_OK &&
                     air_prefix_holds(storage, life, promised_count, started_count, COUNT(life)) &&
                     air_prefix_holds(storage, &put, 1, 1, 1) &&
                     nftw(path, refuse_temporary, 16, FTW_PHYS) == 0;
    air_storage_files_free(storage);
    return does_hold;
}

static void report(const char *what, const struct air_disk_count *count) {
    print_message("%s: %zu cuts, %zu images, %zu different ones checked, %zu breaches\n", what,
        count->cuts, count->images, count->checked, count->breaches);
}

static void keeps_a_prefix_after_a_cut_at_any_moment(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    record_life();
    air_disk_cut(&disk, 0, disk.operations_count, image_holds, NULL, &count);
    report("power cuts", &count);
    assert_int_equal(count.breaches, 0);
    assert_true(count.checked > 100);
}

static void is_seen_to_break_without_syncs_of_folders(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    disk.forgets_folder_syncs = true;
    struct air_storage *storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    assert_ok(storage->write(storage->self, NULL, life, 2));
    disk.promised_count = 2;
    disk.started_count = 2;
    air_storage_files_free(storage);
    air_disk_cut(&disk, disk.operations_count, disk.operations_count, image_holds, NULL, &count);
    assert_true(count.breaches > 0);
}

static void is_seen_to_break_without_syncs_of_files(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    disk.forgets_file_syncs = true;
    struct air_storage *storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    assert_ok(storage->write(storage->self, NULL, life, 2));
    disk.promised_count = 2;
    disk.started_count = 2;
    air_storage_files_free(storage);
    air_disk_cut(&disk, disk.operations_count, disk.operations_count, image_holds, NULL, &count);
    assert_true(count.breaches > 0);
}

/* Let the n-th sync fail, repeat that write, and cut at any moment after it. */
static bool live_with_failing_sync(unsigned n, struct air_disk_count *count) {
    air_disk_init(&disk);
    struct air_storage *storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    disk.syncs = 0;
    disk.fail_sync_at = n;
    live(storage);
    bool is_hit = disk.syncs >= n;
    air_storage_files_free(storage);
    air_test_folder_remove(state_path);
    /* A repeated write carries puts out again, so only whole writes are prefixes: look at the
     * moments at which none is under way. */
    for (size_t i = 1; i < disk.operations_count; i++) {
        const struct air_disk_operation *operations = disk.operations;
        if (operations[i].promised_count > operations[i - 1].promised_count) {
            disk.operations[i].started_count = operations[i].promised_count;
            air_disk_cut(&disk, i, i, image_holds, NULL, count);
        }
    }
    disk.started_count = disk.promised_count;
    air_disk_cut(&disk, disk.operations_count, disk.operations_count, image_holds, NULL, count);
    return is_hit;
}

static void keeps_its_promises_after_a_failed_sync(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    unsigned n = 1;
    while (live_with_failing_sync(n, &count)) {
        n++;
    }
    report("power cuts after a failed sync", &count);
    assert_true(n > 40);
    assert_int_equal(count.breaches, 0);
}

/* What a later process was shown of life, and then wrote. */
struct sequel {
    size_t shown_count;
    struct air_put put;
};

static bool sequel_holds(
    void *context, const char *path, size_t promised_count, size_t started_count) {
    const struct sequel *sequel = context;
    (void)promised_count;
    (void)started_count;
    struct air_storage *storage = open_state(path, &calm.table);
    if (storage == NULL) {
        return false;
    }
    bool does_hold =
        air_prefix_holds(storage, &sequel->put, 1, 1, 1) &&
        air_prefix_holds(storage, life, sequel->shown_count, sequel->shown_count, COUNT(life));
    air_storage_files_free(storage);
    return does_hold;
}

/* Die at the n-th call of a write; let another process read, write and be promised it; then cut. */
static bool die_and_go_on(unsigned n, bool forgets_notes, struct air_disk_count *count) {
    struct sequel sequel = {.put = PUT("certificates/b/e/history.json", "{\"attempts\":1}")};
    air_disk_init(&disk);
    disk.forgets_notes = forgets_notes;
    struct air_storage *storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    disk.calls = 0;
    disk.die_at = n;
    enum air_error error = storage->write(storage->self, NULL, life, 4);
    bool has_died = disk.is_dead;
    assert_true(has_died || error == AIR_OK);
    air_storage_files_free(storage);
    disk.is_dead = false;
    disk.die_at = 0;

    storage = open_state(state_path, &disk.system.table);
    assert_non_null(storage);
    while (!air_prefix_holds(storage, life, sequel.shown_count, sequel.shown_count, COUNT(life))) {
        sequel.shown_count++;
        assert_true(sequel.shown_count <= 4);
    }
    assert_ok(storage->write(storage->self, NULL, &sequel.put, 1));
    air_storage_files_free(storage);
    air_test_folder_remove(state_path);
    air_disk_cut(&disk, disk.operations_count, disk.operations_count, sequel_holds, &sequel, count);
    return has_died;
}

static void makes_durable_what_a_killed_process_left_visible(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    unsigned n = 1;
    while (die_and_go_on(n, false, &count)) {
        n++;
    }
    report("power cuts after a killed process", &count);
    assert_true(n > 40);
    assert_int_equal(count.breaches, 0);
}

static void is_seen_to_break_without_notes(void **state) {
    (void)state;
    struct air_disk_count count = {0};
    unsigned n = 1;
    while (die_and_go_on(n, true, &count)) {
        n++;
    }
    assert_true(count.breaches > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keeps_a_prefix_after_a_cut_at_any_moment),
        TEST(is_seen_to_break_without_syncs_of_folders),
        TEST(is_seen_to_break_without_syncs_of_files),
        TEST(keeps_its_promises_after_a_failed_sync),
        TEST(makes_durable_what_a_killed_process_left_visible),
        TEST(is_seen_to_break_without_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
