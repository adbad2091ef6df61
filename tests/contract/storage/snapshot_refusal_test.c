/* SPDX-License-Identifier: MIT */
/*
 * Proven: a folder that is not ours alone is refused with a sentence that names it, and so are a
 * folder in use and a snapshot of a later thinair; an image whose checksum is right but whose
 * content cannot be ours is never used. How: one defect at a time; images encoded here, with a
 * CRC-64 written down a second time.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/wire.h"
#include "tests/contract/storage/snapshot_fixture.h"

#define NOBODY 65534

static void make_folder(mode_t mode) {
    assert_int_equal(mkdir(air_snapshots_path(""), 0700), 0);
    assert_int_equal(chmod(air_snapshots_path(""), mode), 0);
}

static void refuses_what_is_no_path(void **state) {
    (void)state;
    char text[1200];
    struct air_storage *storage = NULL;
    assert_int_equal(air_storage_snapshot_new("", &storage, NULL), AIR_ERR_ARGUMENT);
    memset(text, 'a', sizeof(text));
    text[1025] = '\0';
    assert_int_equal(air_storage_snapshot_new(text, &storage, NULL), AIR_ERR_LIMIT);
    assert_null(storage);
}

static void refuses_a_folder_it_cannot_make(void **state) {
    (void)state;
    char path[AIR_TEST_PATH_SIZE];
    struct air_storage *storage = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 4096);
    air_test_path(path, air_snapshots_path("missing"), "below");
    assert_int_equal(air_storage_snapshot_new(path, &storage, &reason), AIR_ERR_NOT_FOUND);
    air_buffer_append_byte(&reason, 0);
    assert_non_null(strstr((const char *)reason.data, "directory above does not exist"));
    air_buffer_deinit(&reason);
}

static void makes_a_folder_for_its_user_alone(void **state) {
    (void)state;
    static const char *const names[] = {"snapshot-a", "snapshot-b", "lock"};
    struct stat status;
    mode_t mask = umask(0);
    struct air_storage *storage = air_snapshots_open();
    (void)umask(mask);
    assert_int_equal(stat(air_snapshots_path(""), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(air_snapshots_path(names[i]), &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
    }
    air_storage_snapshot_free(storage);
}

static void refuses_a_folder_that_is_open_to_others(void **state) {
    (void)state;
    make_folder(0701);
    air_snapshots_refuse(AIR_ERR_PERMISSION, "is open to others: set its mode to 0700");
    assert_false(air_snapshots_file_exists("lock"));
    assert_int_equal(chmod(air_snapshots_path(""), 0720), 0);
    air_snapshots_refuse(AIR_ERR_PERMISSION, "is open to others");
    assert_int_equal(chmod(air_snapshots_path(""), 0700), 0);
    air_storage_snapshot_free(air_snapshots_open());
}

static void refuses_a_folder_of_another_user(void **state) {
    (void)state;
    make_folder(0700);
    if (chown(air_snapshots_path(""), NOBODY, NOBODY) != 0) {
        skip();
    }
    air_snapshots_refuse(AIR_ERR_PERMISSION, "belongs to another user");
}

static void refuses_links_and_files_for_a_folder(void **state) {
    (void)state;
    assert_int_equal(symlink("/tmp", air_snapshots_path("")), 0);
    air_snapshots_refuse(AIR_ERR_PERMISSION, "is a symbolic link");
    assert_int_equal(unlink(air_snapshots_path("")), 0);
    air_snapshots_file_set("", "x", 1);
    air_snapshots_refuse(AIR_ERR_UNSUPPORTED, "is not a folder");
}

static void refuses_a_folder_that_others_may_exchange(void **state) {
    (void)state;
    char parent[AIR_TEST_PATH_SIZE];
    (void)snprintf(parent, sizeof(parent), "%s", air_snapshots_path(""));
    *strrchr(parent, '/') = '\0';
    assert_int_equal(chmod(parent, 0770), 0);
    air_snapshots_refuse(AIR_ERR_PERMISSION, "a directory above may be written by others");
    assert_int_equal(chmod(parent, 01770), 0);
    air_storage_snapshot_free(air_snapshots_open());
}

static void refuses_a_state_directory_of_files(void **state) {
    (void)state;
    make_folder(0700);
    air_snapshots_file_set("VERSION", "thinair state 1\n", 16);
    air_snapshots_refuse(AIR_ERR_UNSUPPORTED, "state directory of the file storage");
    assert_false(air_snapshots_file_exists("lock"));
}

static void refuses_files_that_are_not_its_own(void **state) {
    (void)state;
    static const char *const names[] = {"snapshot-a", "snapshot-b", "lock"};
    make_folder(0700);
    air_snapshots_file_set("other", "x", 1);
    for (size_t i = 0; i < 3; i++) {
        char path[AIR_TEST_PATH_SIZE];
        (void)snprintf(path, sizeof(path), "%s", air_snapshots_path(names[i]));
        (void)unlink(path);
        assert_int_equal(symlink("other", path), 0);
        air_snapshots_refuse(AIR_ERR_PERMISSION, "symbolic link");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(link(air_snapshots_path("other"), path), 0);
        air_snapshots_refuse(AIR_ERR_PERMISSION, "has another name");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        air_snapshots_refuse(AIR_ERR_PERMISSION, "is not a regular file");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        air_snapshots_refuse(AIR_ERR_PERMISSION, "not a regular file");
        assert_int_equal(rmdir(path), 0);
        air_snapshots_file_set(names[i], "", 0);
        assert_int_equal(chmod(path, 0640), 0);
        air_snapshots_refuse(AIR_ERR_PERMISSION, "is open to others: set its mode to 0600");
        assert_int_equal(chmod(path, 0600), 0);
    }
    air_storage_snapshot_free(air_snapshots_open());
}

static void refuses_a_folder_in_use(void **state) {
    (void)state;
    int status = -1;
    struct air_storage *storage = air_snapshots_open();
    air_snapshots_refuse(AIR_ERR_BUSY, "is in use by another server");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct air_storage *other = NULL;
        _exit(
            air_storage_snapshot_new(air_snapshots_path(""), &other, NULL) == AIR_ERR_BUSY ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    air_storage_snapshot_free(storage);
    air_storage_snapshot_free(air_snapshots_open());
}

/* CRC-64 of ECMA-182, reflected, bit by bit. */
static uint64_t checksum(air_span data) {
    uint64_t sum = UINT64_MAX;
    for (size_t i = 0; i < data.size * 8; i++) {
        uint64_t bit = (sum ^ (uint64_t)data.data[i / 8] >> i % 8) & 1;
        sum = sum >> 1 ^ (bit != 0 ? UINT64_C(0xC96C5795D7870F42) : 0);
    }
    return ~sum;
}

struct image {
    uint32_t format;
    uint64_t size; /* 0: the right one */
    uint64_t version;
    uint32_t count;
    const char *paths[3];
    uint64_t versions[3];
    const char *tail;
};

/* Put an image into the first file, as if it were the newest. */
static void plant(const struct image *image) {
    struct air_buffer out;
    air_buffer_init(&out, 65536);
    size_t size = 16 + 4 + 8 + 8 + 8 + 4 + strlen(image->tail) + 8;
    for (size_t i = 0; i < 3 && image->paths[i] != NULL; i++) {
        size += 8 + 4 + strlen(image->paths[i]) + 4 + 5;
    }
    air_buffer_append_text(&out, "thinair snapshot");
    air_wire_put_u32(&out, image->format);
    air_wire_put_u64(&out, 1000);
    air_wire_put_u64(&out, image->size != 0 ? image->size : size);
    air_wire_put_u64(&out, image->version);
    air_wire_put_u32(&out, image->count);
    for (size_t i = 0; i < 3 && image->paths[i] != NULL; i++) {
        air_wire_put_u64(&out, image->versions[i]);
        air_wire_put_span(&out, air_span_text(image->paths[i]));
        air_wire_put_span(&out, SPAN("value"));
    }
    air_buffer_append_text(&out, image->tail);
    air_wire_put_u64(&out, checksum(air_buffer_span(&out)));
    assert_int_equal(out.size, size);
    air_snapshots_file_set("snapshot-a", out.data, out.size);
    air_buffer_deinit(&out);
}

static const struct image good = {
    .format = 1, .version = 9, .count = 2, .paths = {"a/b", "a/c"}, .versions = {9, 1}, .tail = ""};

static void reads_an_image_made_by_hand(void **state) {
    (void)state;
    assert_true(checksum(SPAN("123456789")) == UINT64_C(0x995DC9BBDF1939FA));
    make_folder(0700);
    plant(&good);
    struct air_storage *storage = air_snapshots_open();
    assert_true(air_snapshots_has(storage, "a/b", "value"));
    assert_true(air_snapshots_has(storage, "a/c", "value"));
    air_storage_snapshot_free(storage);
}

static void refuses_a_snapshot_of_a_later_thinair(void **state) {
    (void)state;
    struct image later = good;
    later.format = 2;
    make_folder(0700);
    plant(&later);
    air_snapshots_refuse(
        AIR_ERR_UNSUPPORTED, "snapshot-a: was written by a later thinair: use that one");
    assert_false(air_snapshots_file_exists("snapshot-a.bad.1"));
}

static void uses_no_image_that_cannot_be_ours(void **state) {
    (void)state;
    struct image bad[11];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bad[i] = good;
    }
    bad[0].format = 0;
    bad[1].size = 17;
    bad[2].version = 8; /* less than a record's */
    bad[3].count = 3;
    bad[4].count = 1;
    bad[5].count = UINT32_MAX;
    bad[6].versions[1] = 0;
    bad[7].paths[0] = "a/d"; /* not sorted */
    bad[8].paths[0] = "a/c"; /* twice */
    bad[9].paths[0] = "../b";
    bad[10].tail = "x";
    make_folder(0700);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        plant(&bad[i]);
        struct air_storage *storage = air_snapshots_open_told("starts empty");
        assert_true(air_snapshots_has(storage, "a/b", NULL));
        air_storage_snapshot_free(storage);
    }
    struct image mixed = good;
    mixed.paths[0] = "a";
    plant(&mixed);
    air_storage_snapshot_free(air_snapshots_open_told("starts empty"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, air_snapshots_begin, air_snapshots_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(refuses_what_is_no_path),
        TEST(refuses_a_folder_it_cannot_make),
        TEST(makes_a_folder_for_its_user_alone),
        TEST(refuses_a_folder_that_is_open_to_others),
        TEST(refuses_a_folder_of_another_user),
        TEST(refuses_links_and_files_for_a_folder),
        TEST(refuses_a_folder_that_others_may_exchange),
        TEST(refuses_a_state_directory_of_files),
        TEST(refuses_files_that_are_not_its_own),
        TEST(refuses_a_folder_in_use),
        TEST(reads_an_image_made_by_hand),
        TEST(refuses_a_snapshot_of_a_later_thinair),
        TEST(uses_no_image_that_cannot_be_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
