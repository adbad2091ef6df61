/* SPDX-License-Identifier: MIT */
/*
 * Runs the contract suite on the one backend that is linked in; what is proven is said in
 * contract_test.c and sharing_test.c. Here are the short forms that both use.
 *
 * Invariant: no test leaves memory behind.
 */

#include "src/base/memory.h"
#include "tests/contract/storage/rig.h"

static int64_t live_before;

int air_rig_test_begin(void **state) {
    live_before = air_memory_live();
    *state = air_rig_open();
    return *state == NULL ? -1 : 0;
}

int air_rig_test_end(void **state) {
    air_rig_close(*state);
    air_rig_remove();
    return air_memory_live() == live_before ? 0 : -1;
}

enum air_error air_rig_put(struct air_storage *storage, const char *path, air_span value) {
    struct air_put put = {.path = air_span_text(path), .value = value};
    return storage->write(storage->self, NULL, &put, 1);
}

enum air_error air_rig_delete(struct air_storage *storage, const char *path) {
    struct air_put put = {.path = air_span_text(path), .is_delete = true};
    return storage->write(storage->self, NULL, &put, 1);
}

uint64_t air_rig_expect(struct air_storage *storage, const char *path, air_span value) {
    struct air_buffer out;
    uint64_t version = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    assert_ok(storage->read(storage->self, air_span_text(path), &out, &version));
    assert_true(air_span_equal(air_buffer_span(&out), value));
    assert_true(version != 0);
    air_buffer_deinit(&out);
    return version;
}

void air_rig_expect_absent(struct air_storage *storage, const char *path) {
    struct air_buffer out;
    uint64_t version = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = storage->read(storage->self, air_span_text(path), &out, &version);
    air_buffer_deinit(&out);
    assert_int_equal(error, AIR_ERR_NOT_FOUND);
}

int main(void) {
    int failed = _cmocka_run_group_tests(
        "contract", air_storage_contract_tests, air_storage_contract_tests_count, NULL, NULL);
    if (air_rig_is_shared) {
        failed += _cmocka_run_group_tests(
            "sharing", air_storage_sharing_tests, air_storage_sharing_tests_count, NULL, NULL);
    }
    return failed;
}
