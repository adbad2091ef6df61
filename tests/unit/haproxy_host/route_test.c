/* SPDX-License-Identifier: MIT */
/*
 * Proven here: what belongs to a client's order or account is kept in memory, everything else in
 * files, where there are any; a write that would need both is refused. Two storages in memory play
 * the sides.
 */

#include "hosts/haproxy/route.h"

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "thinair/memory_storage.h"

#define CLIENT "accounts/ca.test-0123456789abcdef-client-00112233445566778899aabbccddeeff"

struct sides {
    struct air_storage *files;
    struct air_storage *memory;
    struct air_route route;
};

static void init(struct sides *sides) {
    assert_ok(air_storage_memory_new(&sides->files));
    assert_ok(air_storage_memory_new(&sides->memory));
    air_route_init(&sides->route, sides->files, sides->memory);
}

static void deinit(struct sides *sides) {
    air_storage_memory_free(sides->files);
    air_storage_memory_free(sides->memory);
}

static bool has(struct air_storage *storage, const char *path) {
    struct air_buffer text;
    uint64_t version = 0;
    air_buffer_init(&text, 64);
    const enum air_error error = storage->read(storage->self, air_span_text(path), &text, &version);
    air_buffer_deinit(&text);
    return error == AIR_OK;
}

static struct air_put put_of(const char *path) {
    return (struct air_put){.path = air_span_text(path), .value = air_span_text("text")};
}

static void keeps_clients_things_in_memory(void **state) {
    (void)state;
    assert_true(air_route_is_private(air_span_text("certificates/_order-00ff/ecdsa-p256/x")));
    assert_true(air_route_is_private(air_span_text("live/_order-00ff")));
    assert_true(air_route_is_private(air_span_text(CLIENT "/key.pem")));
    assert_true(air_route_is_private(air_span_text(CLIENT)));
}

static void keeps_our_own_things_in_files(void **state) {
    (void)state;
    static const char *const paths[] = {"", "certificates", "certificates/example.net/rsa-2048/x",
        "live/order-00ff/x", "haproxy/crt-list", "_order-00ff", "accounts",
        "accounts/ca.test-0123456789abcdef/key.pem",
        /* not hexadecimal, too short, too long, of another spelling */
        "accounts/ca.test-0123456789abcdef-client-00112233445566778899aabbccddeefg",
        "accounts/ca.test-0123456789abcdef-client-00112233445566778899aabbccddeef",
        "accounts/ca.test-0123456789abcdef-client-00112233445566778899aabbccddeeff0",
        "accounts/ca.test-0123456789abcdef-client-00112233445566778899AABBCCDDEEFF",
        "accounts/-client-00112233445566778899aabbccddeeff"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_false(air_route_is_private(air_span_text(paths[i])));
    }
}

static void writes_reads_lists_and_locks_on_one_side(void **state) {
    (void)state;
    struct sides sides;
    init(&sides);
    struct air_storage *port = &sides.route.port;
    uint64_t fence = 0;
    const struct air_put own = put_of("certificates/example.net/x");
    const struct air_put foreign = put_of("certificates/_order-1/x");
    assert_ok(port->write(port->self, NULL, &own, 1));
    assert_ok(port->write(port->self, NULL, &foreign, 1));
    assert_true(has(sides.files, "certificates/example.net/x"));
    assert_false(has(sides.memory, "certificates/example.net/x"));
    assert_true(has(sides.memory, "certificates/_order-1/x"));
    assert_false(has(sides.files, "certificates/_order-1/x"));
    assert_true(has(port, "certificates/example.net/x") && has(port, "certificates/_order-1/x"));
    assert_ok(port->lock(port->self, air_span_text("certificates/_order-1"), &fence));
    assert_int_equal(sides.files->unlock(sides.files->self, air_span_text("certificates/_order-1")),
        AIR_ERR_STATE);
    assert_ok(port->unlock(port->self, air_span_text("certificates/_order-1")));
    deinit(&sides);
}

static void refuses_a_write_to_both_sides(void **state) {
    (void)state;
    struct sides sides;
    init(&sides);
    struct air_storage *port = &sides.route.port;
    const struct air_put puts[] = {
        put_of("certificates/_order-1/x"), put_of("certificates/example.net/x")};
    const struct air_guard guard = {.path = puts[0].path};
    assert_int_equal(port->write(port->self, NULL, puts, 2), AIR_ERR_ARGUMENT);
    assert_int_equal(port->write(port->self, &guard, &puts[1], 1), AIR_ERR_ARGUMENT);
    assert_false(has(sides.memory, "certificates/_order-1/x"));
    assert_false(has(sides.files, "certificates/example.net/x"));
    deinit(&sides);
}

static void looks_at_the_guard_on_its_side(void **state) {
    (void)state;
    struct sides sides;
    init(&sides);
    struct air_storage *port = &sides.route.port;
    const struct air_put put = put_of("certificates/_order-1/x");
    const struct air_guard guard = {.path = put.path};
    assert_ok(port->write(port->self, &guard, &put, 1));
    assert_int_equal(port->write(port->self, &guard, &put, 1), AIR_ERR_CONFLICT);
    assert_int_equal(port->write(port->self, &guard, NULL, 0), AIR_ERR_CONFLICT);
    deinit(&sides);
}

static void keeps_all_in_memory_without_files(void **state) {
    (void)state;
    struct sides sides;
    init(&sides);
    air_route_init(&sides.route, NULL, sides.memory);
    struct air_storage *port = &sides.route.port;
    char sentence[8] = "old";
    const struct air_put put = put_of("certificates/example.net/x");
    assert_ok(port->write(port->self, NULL, &put, 1));
    assert_true(has(sides.memory, "certificates/example.net/x"));
    port->explain(port->self, sentence, sizeof(sentence));
    assert_string_equal(sentence, "");
    deinit(&sides);
}

static enum air_error write_one(void *context) {
    struct sides sides = {.files = NULL};
    (void)context;
    const struct air_put put = put_of("live/_order-1/x");
    enum air_error error = air_storage_memory_new(&sides.memory);
    if (error == AIR_OK) {
        air_route_init(&sides.route, NULL, sides.memory);
        error = sides.route.port.write(sides.route.port.self, NULL, &put, 1);
    }
    air_storage_memory_free(sides.memory);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_clients_things_in_memory),
        cmocka_unit_test(keeps_our_own_things_in_files),
        cmocka_unit_test(writes_reads_lists_and_locks_on_one_side),
        cmocka_unit_test(refuses_a_write_to_both_sides),
        cmocka_unit_test(looks_at_the_guard_on_its_side),
        cmocka_unit_test(keeps_all_in_memory_without_files),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
