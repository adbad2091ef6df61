/* SPDX-License-Identifier: MIT */
/*
 * Proven here: whichever system call of a write fails, and with whatever error, what was stored
 * before stays whole and readable, the puts that hold are a prefix, the error is the right one, and
 * the next write succeeds and leaves no temporary file (R-D1). The calls are the kernel's, failed
 * one at a time, then all from one on, as when a process dies.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "tests/contract/storage/file_fixture.h"
#include "tests/support/fake_system.h"
#include "tests/support/prefix.h"
#include "tests/support/test.h"

/* No write of these tests makes more calls. */
#define CALLS_MAX 400

/* A fault: from the n-th call on (0: none), one call or all of them answer -number. */
struct fault {
    unsigned calls;
    unsigned fail_at;
    int number;
    bool is_lasting;
    bool is_only_of_kind;
    enum air_fake_kind kind;
    bool is_hit;
    int synced_badly; /* a file whose sync failed, or -1 */
};

/* The first four are there before; a write of the rest is disturbed. */
static const struct air_put all_puts[] = {
    {.path = {(const uint8_t *)"c/x/current", 11}, .value = {(const uint8_t *)"000001", 6}},
    {.path = {(const uint8_t *)"c/x/order", 9}, .value = {(const uint8_t *)"{order}", 7}},
    {.path = {(const uint8_t *)"c/x/g/1/key", 11}, .value = {(const uint8_t *)"first key", 9}},
    {.path = {(const uint8_t *)"c/y/only", 8}, .value = {(const uint8_t *)"", 0}},
    {.path = {(const uint8_t *)"c/x/g/2/key", 11}, .value = {(const uint8_t *)"second key", 10}},
    {.path = {(const uint8_t *)"c/x/g/2/chain", 13}, .value = {(const uint8_t *)"chain", 5}},
    {.path = {(const uint8_t *)"c/x/order", 9}, .is_delete = true},
    {.path = {(const uint8_t *)"c/y/only", 8}, .is_delete = true},
    {.path = {(const uint8_t *)"c/x/current", 11}, .value = {(const uint8_t *)"000002", 6}},
};
#define PUTS_COUNT (sizeof(all_puts) / sizeof(all_puts[0]))
#define PUTS_BEFORE 4

static struct air_fake_system calm; /* no faults */

static int before_call(void *owner, const struct air_fake_call *call) {
    struct fault *fault = owner;
    if (call->kind == AIR_FAKE_PAUSE) {
        return -EINTR; /* nobody else is there to wait for */
    }
    if (call->kind == AIR_FAKE_SYNC && call->file == fault->synced_badly) {
        fail_msg("a file was synced again after its sync had failed");
    }
    if (call->kind == AIR_FAKE_CLOSE && call->file == fault->synced_badly) {
        fault->synced_badly = -1;
    }
    if (fault->is_only_of_kind && call->kind != fault->kind) {
        return 0;
    }
    fault->calls++;
    bool is_due = fault->calls == fault->fail_at ||
                  (fault->is_lasting && fault->calls > fault->fail_at && fault->fail_at > 0);
    if (!is_due) {
        return 0;
    }
    fault->is_hit = true;
    if (call->kind == AIR_FAKE_SYNC) {
        fault->synced_badly = call->file;
    }
    return -fault->number;
}

static struct air_storage *open_state(const struct air_files_system *system) {
    struct air_storage *storage = NULL;
    assert_ok(air_files_new(air_state_path, AIR_FILES_CREATE, system, &storage, NULL));
    return storage;
}

static int begin(void **state) {
    air_fake_system_init(&calm, NULL, NULL, NULL);
    calm.is_swift = true;
    return air_state_begin(state);
}

/* A fresh state with the first puts in it. */
static void make_state(void) {
    struct air_storage *storage = open_state(&calm.table);
    assert_ok(storage->write(storage->self, NULL, all_puts, PUTS_BEFORE));
    air_storage_files_free(storage);
}

static unsigned open_files_count(void) {
    unsigned count = 0;
    DIR *list = opendir("/proc/self/fd");
    assert_non_null(list);
    while (readdir(list) != NULL) {
        count++;
    }
    assert_int_equal(closedir(list), 0);
    return count;
}

static unsigned temporaries_count;

static int count_temporary(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    (void)kind;
    bool is_temporary = strncmp(path + at->base, AIR_FILES_TEMPORARY_PREFIX, 5) == 0;
    temporaries_count += is_temporary ? 1 : 0;
    return 0;
}

static void expect_no_temporaries(void) {
    temporaries_count = 0;
    assert_int_equal(nftw(air_state_path, count_temporary, 16, FTW_PHYS), 0);
    assert_int_equal(temporaries_count, 0);
}

/* What our callers must be told of an errno. */
static enum air_error expected_error(int number) {
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return AIR_ERR_STORAGE_FULL;
    case EPERM:
    case EROFS:
        return AIR_ERR_PERMISSION;
    case ENOMEM:
        return AIR_ERR_NO_MEMORY;
    default:
        return AIR_ERR_STORAGE;
    }
}

/* Write the rest of the puts with that fault; false when the write ended before it was due. */
static bool disturb(struct fault *fault) {
    struct air_fake_system fake;
    make_state();
    unsigned open_before = open_files_count();
    air_fake_system_init(&fake, fault, before_call, NULL);
    fake.is_swift = true;
    unsigned fail_at = fault->fail_at;
    fault->fail_at = 0;
    struct air_storage *storage = open_state(&fake.table);
    fault->calls = 0;
    fault->fail_at = fail_at;
    enum air_error error =
        storage->write(storage->self, NULL, all_puts + PUTS_BEFORE, PUTS_COUNT - PUTS_BEFORE);
    bool is_hit = fault->is_hit;
    if (error != AIR_OK && error != expected_error(fault->number)) {
        fail_msg("call %u, errno %d: %s", fail_at, fault->number, air_error_name(error));
    }

    struct air_storage *other = open_state(&calm.table);
    size_t least_count = error == AIR_OK ? PUTS_COUNT : PUTS_BEFORE;
    if (!air_prefix_holds(other, all_puts, least_count, PUTS_COUNT, PUTS_COUNT)) {
        fail_msg("call %u, errno %d: no prefix of the puts holds", fail_at, fault->number);
    }
    air_storage_files_free(other);

    fault->fail_at = 0;
    assert_ok(
        storage->write(storage->self, NULL, all_puts + PUTS_BEFORE, PUTS_COUNT - PUTS_BEFORE));
    assert_true(air_prefix_holds(storage, all_puts, PUTS_COUNT, PUTS_COUNT, PUTS_COUNT));
    air_storage_files_free(storage);
    assert_int_equal(open_files_count(), open_before);
    expect_no_temporaries();
    air_test_folder_remove(air_state_path);
    return is_hit;
}

static void disturb_each_call(int number, bool is_lasting) {
    for (unsigned n = 1; n < CALLS_MAX; n++) {
        struct fault fault = {
            .fail_at = n, .number = number, .is_lasting = is_lasting, .synced_badly = -1};
        if (!disturb(&fault)) {
            assert_true(n > 50);
            return;
        }
    }
    fail_msg("over %d calls", CALLS_MAX);
}

static void keeps_a_prefix_when_one_call_fails(void **state) {
    (void)state;
    disturb_each_call(EIO, false);
    disturb_each_call(ENOSPC, false);
}

static void tells_what_an_error_number_means(void **state) {
    (void)state;
    static const int numbers[] = {
        ENOSPC, EIO, EDQUOT, EROFS, EPERM, ENOMEM, EMFILE, ENFILE, ESTALE, ENOLCK, 9999};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct fault fault = {.fail_at = 1,
            .number = numbers[i],
            .is_only_of_kind = true,
            .kind = AIR_FAKE_SYNC,
            .synced_badly = -1};
        assert_true(disturb(&fault));
    }
}

static void keeps_a_prefix_when_all_calls_fail_from_one_on(void **state) {
    (void)state;
    disturb_each_call(EIO, true);
    disturb_each_call(EROFS, true);
}

static void deletes_on_a_full_disk(void **state) {
    (void)state;
    struct fault fault = {.number = ENOSPC,
        .is_lasting = true,
        .is_only_of_kind = true,
        .kind = AIR_FAKE_WRITE,
        .synced_badly = -1};
    struct air_fake_system fake;
    make_state();
    air_fake_system_init(&fake, &fault, before_call, NULL);
    fake.is_swift = true;
    struct air_storage *storage = open_state(&fake.table);
    fault.calls = 0;
    fault.fail_at = 1;
    struct air_put removal = {.path = SPAN("c/y/only"), .is_delete = true};
    assert_ok(storage->write(storage->self, NULL, &removal, 1));
    assert_int_equal(
        storage->write(storage->self, NULL, &all_puts[PUTS_BEFORE], 1), AIR_ERR_STORAGE_FULL);
    fault.fail_at = 0;
    assert_ok(storage->write(storage->self, NULL, &all_puts[PUTS_BEFORE], 1));
    air_storage_files_free(storage);
}

/* Each read and write is interrupted once, and then takes one byte only. */
static int hinder(void *owner, const struct air_fake_call *call) {
    bool *is_again = owner;
    if (call->kind != AIR_FAKE_READ && call->kind != AIR_FAKE_WRITE) {
        return 0;
    }
    *is_again = !*is_again;
    return *is_again ? -EINTR : 0;
}

static int64_t write_one_byte(
    void *context, int file, const void *data, size_t size, int64_t offset) {
    struct air_fake_system *fake = context;
    struct air_fake_call call = {.kind = AIR_FAKE_WRITE};
    int answer = fake->before(fake->owner, &call);
    size_t piece = size < 1 ? size : 1;
    return answer < 0 ? answer : air_files_system_real()->write(NULL, file, data, piece, offset);
}

static int64_t read_one_byte(void *context, int file, void *data, size_t size, int64_t offset) {
    struct air_fake_system *fake = context;
    struct air_fake_call call = {.kind = AIR_FAKE_READ};
    int answer = fake->before(fake->owner, &call);
    size_t piece = size < 1 ? size : 1;
    return answer < 0 ? answer : air_files_system_real()->read(NULL, file, data, piece, offset);
}

static void finishes_what_is_interrupted_and_done_in_pieces(void **state) {
    (void)state;
    bool is_again = false;
    struct air_fake_system fake;
    air_fake_system_init(&fake, &is_again, hinder, NULL);
    fake.is_swift = true;
    fake.table.write = write_one_byte;
    fake.table.read = read_one_byte;
    struct air_storage *storage = open_state(&fake.table);
    assert_ok(storage->write(storage->self, NULL, all_puts, PUTS_COUNT));
    assert_true(air_prefix_holds(storage, all_puts, PUTS_COUNT, PUTS_COUNT, PUTS_COUNT));
    air_storage_files_free(storage);
    storage = open_state(&calm.table);
    assert_true(air_prefix_holds(storage, all_puts, PUTS_COUNT, PUTS_COUNT, PUTS_COUNT));
    air_storage_files_free(storage);
}

static int64_t write_nothing(
    void *context, int file, const void *data, size_t size, int64_t offset) {
    (void)context;
    (void)file;
    (void)data;
    (void)size;
    (void)offset;
    return 0;
}

static void fails_when_nothing_can_be_written(void **state) {
    (void)state;
    struct fault fault = {.synced_badly = -1};
    struct air_fake_system fake;
    make_state();
    air_fake_system_init(&fake, &fault, before_call, NULL);
    fake.is_swift = true;
    fake.table.write = write_nothing;
    struct air_storage *storage = open_state(&fake.table);
    assert_int_equal(
        storage->write(storage->self, NULL, &all_puts[PUTS_BEFORE], 1), AIR_ERR_STORAGE);
    assert_true(air_prefix_holds(storage, all_puts, PUTS_BEFORE, PUTS_BEFORE, PUTS_COUNT));
    air_storage_files_free(storage);
}

/* ---- reading, listing, locking, opening ---- */

static bool visit_any(void *context, air_span segment) {
    (void)context;
    (void)segment;
    return true;
}

/* What is not a write, one after the other; the first failure. */
static enum air_error look_around(struct air_storage *storage) {
    struct air_buffer out;
    uint64_t version = 0;
    uint64_t fence = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = storage->read(storage->self, all_puts[2].path, &out, &version);
    if (error != AIR_OK) {
        assert_int_equal(out.size, 0);
    }
    air_buffer_deinit(&out);
    if (error == AIR_OK) {
        error = storage->list(storage->self, SPAN("c/x"), SPAN(""), visit_any, NULL);
    }
    if (error == AIR_OK) {
        error = storage->lock(storage->self, SPAN("c/x"), &fence);
    }
    if (error == AIR_OK) {
        error = storage->unlock(storage->self, SPAN("c/x"));
        if (error != AIR_OK) { /* still held, and given back when asked again */
            assert_ok(storage->unlock(storage->self, SPAN("c/x")));
        }
    }
    return error;
}

static void passes_on_failures_of_reading_listing_and_locking(void **state) {
    (void)state;
    make_state();
    bool is_hit = true;
    for (unsigned n = 1; is_hit; n++) {
        struct fault fault = {.number = EIO, .synced_badly = -1};
        struct air_fake_system fake;
        air_fake_system_init(&fake, &fault, before_call, NULL);
        fake.is_swift = true;
        struct air_storage *storage = open_state(&fake.table);
        fault.calls = 0;
        fault.fail_at = n;
        enum air_error error = look_around(storage);
        is_hit = fault.is_hit;
        assert_true(error == AIR_ERR_STORAGE || error == AIR_OK);
        assert_true(is_hit || error == AIR_OK);
        fault.fail_at = 0;
        assert_ok(look_around(storage));
        air_storage_files_free(storage);
        assert_true(n < CALLS_MAX);
    }
}

/* Opening with the n-th call failing; false when it made fewer. */
static bool open_disturbed(unsigned n, int number, bool is_new) {
    struct fault fault = {.fail_at = n, .number = number, .synced_badly = -1};
    struct air_fake_system fake;
    struct air_storage *storage = NULL;
    unsigned open_before = open_files_count();
    if (!is_new) {
        make_state();
    }
    air_fake_system_init(&fake, &fault, before_call, NULL);
    fake.is_swift = true;
    enum air_error error =
        air_files_new(air_state_path, AIR_FILES_CREATE, &fake.table, &storage, NULL);
    assert_true(error == AIR_OK ? storage != NULL : error == expected_error(number));
    bool is_hit = fault.is_hit;
    fault.fail_at = 0;
    air_storage_files_free(storage);
    assert_int_equal(open_files_count(), open_before);

    storage = open_state(&calm.table);
    assert_true(
        is_new || air_prefix_holds(storage, all_puts, PUTS_BEFORE, PUTS_BEFORE, PUTS_COUNT));
    air_storage_files_free(storage);
    expect_no_temporaries();
    air_test_folder_remove(air_state_path);
    return is_hit;
}

static void opens_after_any_call_of_opening_failed(void **state) {
    (void)state;
    static const int numbers[] = {EIO, EMFILE};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        for (unsigned n = 1; open_disturbed(n, numbers[i], true); n++) {
            assert_true(n < CALLS_MAX);
        }
        for (unsigned n = 1; open_disturbed(n, numbers[i], false); n++) {
            assert_true(n < CALLS_MAX);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, air_state_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(keeps_a_prefix_when_one_call_fails),
        TEST(tells_what_an_error_number_means),
        TEST(keeps_a_prefix_when_all_calls_fail_from_one_on),
        TEST(deletes_on_a_full_disk),
        TEST(finishes_what_is_interrupted_and_done_in_pieces),
        TEST(fails_when_nothing_can_be_written),
        TEST(passes_on_failures_of_reading_listing_and_locking),
        TEST(opens_after_any_call_of_opening_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
