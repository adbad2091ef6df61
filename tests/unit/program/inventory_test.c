/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the report of a state directory says what the stored records say, more certificates
 * than one page included; a broken, missing or foreign record costs its own line only; what is no
 * state directory is refused with its path. The records are written through the storage port.
 */

#include "hosts/program/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "thinair/files.h"

static char folder[] = "/tmp/air-inventory-XXXXXX";
static char state_dir[64];

static void put(struct air_storage *storage, const char *path, const char *value) {
    const struct air_put one = {.path = air_span_text(path), .value = air_span_text(value)};
    const struct air_guard none = {.version = 0};
    assert_ok(storage->write(storage->self, &none, &one, 1));
}

static struct air_storage *open_state(void) {
    struct air_storage *storage = NULL;
    assert_ok(air_storage_files_new(state_dir, AIR_FILES_CREATE, &storage, NULL));
    return storage;
}

#define MANIFEST                                                                                   \
    "{\"version\":1,\"generation\":2,\"names\":[\"a.example\",\"b.example\"],\"key_type\":"        \
    "\"ecdsa-p256\",\"directory\":\"https://ca.example/dir\",\"serial\":\"0aff\",\"not_before\":"  \
    "\"2026-11-01T00:00:00Z\",\"not_after\":\"2027-01-30T00:00:00Z\",\"fullchain_sha256\":\"00\"," \
    "\"order\":\"https://ca.example/o/1\"}"

static void report(const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 1 << 20);
    assert_ok(air_inventory_report(state_dir, &out, NULL));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
}

static void tells_what_the_records_say(void **state) {
    (void)state;
    struct air_storage *storage = open_state();
    put(storage, "certificates/a/ecdsa-p256/current", "2 sha256:00\n");
    put(storage, "certificates/a/ecdsa-p256/generations/000002/manifest.json", MANIFEST);
    put(storage, "certificates/a/rsa-2048/history.json",
        "{\"version\":1,\"failures\":3,\"next\":\"2026-12-01T00:00:00Z\",\"attempts\":3,"
        "\"last_error\":\"no\"}");
    air_storage_files_free(storage);
    report(
        "{\"version\":\"0.1.0\",\"daemon\":false,\"certificates\":[{\"id\":\"a\",\"key_type\":"
        "\"ecdsa-p256\",\"names\":[\"a.example\",\"b.example\"],\"ca\":\"https://ca.example/dir\","
        "\"state\":\"stored\",\"current\":true,\"generation\":2,\"serial\":\"0aff\",\"not_before\":"
        "\"2026-11-01T00:00:00Z\",\"not_after\":\"2027-01-30T00:00:00Z\",\"next\":"
        "\"2026-12-31T00:00:00Z\",\"failures\":0},{\"id\":\"a\",\"key_type\":\"rsa-2048\","
        "\"names\":"
        "[],\"ca\":\"\",\"state\":\"missing\",\"current\":false,\"next\":\"2026-12-01T00:00:00Z\","
        "\"failures\":3,\"last_error\":\"no\"}]}");
}

static void gives_a_broken_record_its_own_line(void **state) {
    (void)state;
    static const char *const manifests[] = {"", "{", "[]", "{\"names\": 7}",
        "{\"names\":[1,null],\"serial\":\"zz\",\"not_after\":\"yesterday\"}"};
    for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
        struct air_storage *storage = open_state();
        struct air_buffer out;
        air_buffer_init(&out, 1 << 20);
        put(storage, "certificates/b/ecdsa-p256/current", "7 sha256:00\n");
        put(storage, "certificates/b/ecdsa-p256/generations/000007/manifest.json", manifests[i]);
        put(storage, "certificates/c/ecdsa-p256/current", "x\n");
        put(storage, "certificates/d/no-key-type/current", "1 sha256:00\n");
        air_storage_files_free(storage);
        assert_ok(air_inventory_report(state_dir, &out, NULL));
        assert_non_null(memmem(out.data, out.size, "{\"id\":\"a\",", 10));
        assert_non_null(memmem(out.data, out.size, "{\"id\":\"b\",", 10));
        assert_non_null(memmem(out.data, out.size, "{\"id\":\"c\",", 10));
        assert_null(memmem(out.data, out.size, "{\"id\":\"d\",", 10));
        air_buffer_deinit(&out);
    }
}

static void reads_more_than_one_page(void **state) {
    (void)state;
    struct air_storage *storage = open_state();
    struct air_buffer out;
    size_t count = 0;
    for (unsigned i = 0; i < 130; i++) {
        char path[96];
        snprintf(path, sizeof(path), "certificates/n%03u/ecdsa-p256/history.json", i);
        put(storage, path, "{\"version\":1,\"failures\":0}");
    }
    air_storage_files_free(storage);
    air_buffer_init(&out, 1 << 20);
    assert_ok(air_inventory_report(state_dir, &out, NULL));
    for (air_span rest = air_buffer_span(&out); rest.size > 8; rest = air_span_skip(rest, 1)) {
        count += air_span_starts_with(rest, "\"id\":\"n") ? 1 : 0;
    }
    assert_int_equal(count, 130);
    air_buffer_deinit(&out);
}

static void refuses_what_is_no_state_directory(void **state) {
    (void)state;
    struct air_buffer out;
    struct air_buffer reason;
    air_buffer_init(&out, 4096);
    air_buffer_init(&reason, 4096);
    assert_int_equal(air_inventory_report("/nonexistent/state", &out, &reason), AIR_ERR_NOT_FOUND);
    assert_non_null(memmem(reason.data, reason.size, "/nonexistent/state", 18));
    assert_int_equal(chmod(state_dir, 0755), 0);
    assert_int_equal(air_inventory_report(state_dir, &out, NULL), AIR_ERR_PERMISSION);
    assert_int_equal(chmod(state_dir, 0700), 0);
    air_buffer_deinit(&out);
    air_buffer_deinit(&reason);
}

static int enter_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(state_dir, sizeof(state_dir), "%s/state", folder);
    return 0;
}

static int leave_folder(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_the_records_say),
        cmocka_unit_test(gives_a_broken_record_its_own_line),
        cmocka_unit_test(reads_more_than_one_page),
        cmocka_unit_test(refuses_what_is_no_state_directory),
    };
    int failed = cmocka_run_group_tests(tests, enter_folder, leave_folder);
    return air_memory_live() == 0 ? failed : 1;
}
