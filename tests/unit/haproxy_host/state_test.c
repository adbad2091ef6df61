/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the host with a state directory, over the lives of several processes, against the
 * fake CA: what is managed is there after a restart, the crt-list names what HAProxy can load and
 * nothing else, records that cannot be read are passed over, and one process takes over from
 * another. Loading is repeated with each of its allocations failing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_host/host_support.h"

#define TEXT_SIZE 65536
#define SECONDS_COUNT 60

struct scene {
    struct air_test_world world;
    char state_dir[AIR_TEST_PATH_SIZE];
    char text[TEXT_SIZE]; /* what was read last */
};

/* Load: one more process begins in the directory. */
static void start(struct air_test_world *world) {
    struct air_buffer reason;
    air_buffer_init(&reason, 512);
    assert_ok(air_test_world_start(world));
    assert_ok(air_haproxy_ready(world->haproxy, &reason));
    air_buffer_deinit(&reason);
}

static void restart(struct scene *scene) {
    air_test_world_stop(&scene->world);
    start(&scene->world);
}

static int set_up(void **state) {
    static struct scene scene;
    scene = (struct scene){.text = ""};
    air_test_folder_make(scene.state_dir);
    air_test_world_init(&scene.world);
    scene.world.state_dir = scene.state_dir;
    start(&scene.world);
    *state = &scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    air_test_world_stop(&scene->world);
    air_test_world_deinit(&scene->world);
    air_test_folder_remove(scene->state_dir);
    return 0;
}

/* Everything that is to be done within a minute. */
static void settle(struct scene *scene) {
    for (unsigned i = 0; i < SECONDS_COUNT; i++) {
        air_test_world_pass(&scene->world, 1000);
    }
}

static const char *read_text(struct scene *scene, const char *name) {
    char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, scene->state_dir, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(scene->text, 1, sizeof(scene->text) - 1, file);
    scene->text[size] = '\0';
    assert_int_equal(fclose(file), 0);
    return scene->text;
}

static void write_text(struct scene *scene, const char *name, const char *text, size_t size) {
    char path[AIR_TEST_PATH_SIZE];
    air_test_path(path, scene->state_dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* The crt-list has a line for each of these names' certificates, parted by spaces, and no other. */
static void assert_crt_list(struct scene *scene, const char *names) {
    char expected[4 * AIR_TEST_PATH_SIZE] = "";
    size_t size = 0;
    air_span rest = air_span_text(names);
    air_span name;
    while (rest.size > 0 && air_span_next(&rest, ' ', &name)) {
        size += (size_t)snprintf(&expected[size], sizeof(expected) - size,
            "%s/live/%.*s/ecdsa-p256/bundle.pem %.*s\n", scene->state_dir, (int)name.size,
            (const char *)name.data, (int)name.size, (const char *)name.data);
    }
    assert_string_equal(read_text(scene, "haproxy/crt-list"), expected);
}

/* As config.lua has it. */
static void manage(struct scene *scene, const char *name) {
    const air_span names[] = {air_span_text(name)};
    const enum air_key_type key_type = AIR_KEY_ECDSA_P256;
    assert_ok(air_haproxy_manage(scene->world.haproxy, names, 1, &key_type, 1, false, NULL));
}

static void ask_for(struct scene *scene, const char *name, char id[AIR_HAPROXY_ID_SIZE]) {
    struct air_order_request request = {
        .names = {air_span_text(name)}, .names_count = 1, .managed = true};
    struct air_refusal refusal = {0};
    assert_ok(air_haproxy_order(scene->world.haproxy, &request, id, &refusal));
}

/* As a client asks for it. */
static void adopt(struct scene *scene, const char *name) {
    char id[AIR_HAPROXY_ID_SIZE];
    ask_for(scene, name, id);
    air_test_world_run(&scene->world);
    assert_int_equal(air_test_world_state(&scene->world, id), AIR_ORDER_DONE);
    settle(scene);
}

static size_t orders_count(const struct scene *scene) {
    return air_fake_ca_counts(scene->world.ca).orders;
}

/* Whether the CA has had such a request. */
static bool was_asked(const struct scene *scene, const char *beginning) {
    air_span log = air_fake_ca_counts(scene->world.ca).log;
    air_span line;
    while (log.size > 0 && air_span_next(&log, '\n', &line)) {
        if (air_span_starts_with(line, beginning)) {
            return true;
        }
    }
    return false;
}

static size_t lineages_count(const struct scene *scene) {
    return air_engine_lineages_count(scene->world.haproxy->engine);
}

static uint32_t generation_of(const struct scene *scene, size_t index) {
    struct air_status status;
    assert_ok(air_engine_status(scene->world.haproxy->engine, index, &status));
    return status.generation;
}

static void lists_what_is_installed_and_nothing_before(void **state) {
    struct scene *scene = *state;
    assert_crt_list(scene, "");
    manage(scene, "a.test");
    manage(scene, "b.test");
    assert_ok(air_haproxy_ready(scene->world.haproxy, NULL));
    assert_crt_list(scene, "");
    settle(scene);
    assert_crt_list(scene, "a.test b.test");
    assert_int_equal(orders_count(scene), 2);
}

static void lists_at_load_what_is_configured_and_stored(void **state) {
    struct scene *scene = *state;
    manage(scene, "a.test");
    manage(scene, "b.test");
    settle(scene);
    air_test_world_stop(&scene->world);
    assert_ok(air_test_world_start(&scene->world));
    manage(scene, "b.test"); /* a.test was taken out */
    manage(scene, "c.test");
    assert_ok(air_haproxy_ready(scene->world.haproxy, NULL));
    assert_crt_list(scene, "b.test");
    settle(scene);
    assert_crt_list(scene, "b.test c.test");
    assert_int_equal(orders_count(scene), 3);
}

static void keeps_what_was_adopted_over_restarts(void **state) {
    struct scene *scene = *state;
    adopt(scene, "a.test");
    assert_crt_list(scene, "a.test");
    for (unsigned i = 0; i < 3; i++) {
        restart(scene);
        assert_int_equal(lineages_count(scene), 1);
        assert_crt_list(scene, "a.test");
        settle(scene);
        assert_int_equal(generation_of(scene, 0), 1);
        assert_crt_list(scene, "a.test");
    }
    assert_int_equal(orders_count(scene), 1);
    /* and it is renewed there */
    assert_ok(air_haproxy_renew(scene->world.haproxy, air_span_text("a.test")));
    settle(scene);
    assert_int_equal(generation_of(scene, 0), 2);
}

static void remembers_each_of_several_under_its_own_names(void **state) {
    struct scene *scene = *state;
    static const char *const all[] = {"a.test", "b.test", "c.test"};
    for (size_t i = 0; i < 3; i++) {
        char id[AIR_HAPROXY_ID_SIZE];
        ask_for(scene, all[i], id);
    }
    air_test_world_run(&scene->world);
    settle(scene);
    restart(scene);
    assert_crt_list(scene, "a.test b.test c.test");
    settle(scene);
    assert_int_equal(orders_count(scene), 3); /* none is other than what was adopted */
}

static void ends_what_was_adopted_when_its_record_is_removed(void **state) {
    struct scene *scene = *state;
    char path[AIR_TEST_PATH_SIZE];
    adopt(scene, "a.test");
    air_test_path(path, scene->state_dir, "haproxy/adopted/a.test");
    assert_int_equal(unlink(path), 0);
    restart(scene);
    assert_int_equal(lineages_count(scene), 0);
    assert_crt_list(scene, "");
}

static void passes_over_adopted_records_that_are_broken(void **state) {
    static const char *const broken[] = {"", "x", "[]", "null", "{", "{}", "{\"names\":[]}",
        "{\"names\":\"b.test\",\"key_types\":[\"ecdsa-p256\"]}",
        "{\"names\":[1],\"key_types\":[\"ecdsa-p256\"]}",
        "{\"names\":[null],\"key_types\":[\"ecdsa-p256\"]}",
        "{\"names\":[\"b.test\"],\"key_types\":[7]}",
        "{\"names\":[\"b.test\"],\"key_types\":[\"ed25519\"]}",
        "{\"names\":[\"b..test\"],\"key_types\":[\"ecdsa-p256\"]}",
        "{\"names\":[\"b.test\"],\"key_types\":[\"ecdsa-p256\",\"ecdsa-p256\"]}",
        "{\"names\":[\"b.test\",{}],\"key_types\":[\"ecdsa-p256\"]}"};
    struct scene *scene = *state;
    adopt(scene, "a.test");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        write_text(scene, "haproxy/adopted/b.test", broken[i], strlen(broken[i]));
        restart(scene);
        assert_int_equal(lineages_count(scene), 1);
        assert_crt_list(scene, "a.test");
    }
    char *const many = calloc(1, 70000);
    assert_non_null(many);
    write_text(scene, "haproxy/adopted/b.test", many, 70000);
    free(many);
    restart(scene);
    settle(scene);
    assert_int_equal(lineages_count(scene), 1);
    assert_int_equal(orders_count(scene), 1);
}

/* HAProxy would not start with it. */
static void leaves_out_of_the_list_what_haproxy_cannot_load(void **state) {
    struct scene *scene = *state;
    struct air_buffer bundle;
    adopt(scene, "a.test");
    adopt(scene, "b.test");
    air_buffer_init(&bundle, TEXT_SIZE);
    assert_ok(
        air_buffer_append_text(&bundle, read_text(scene, "live/a.test/ecdsa-p256/bundle.pem")));
    const char *const other = read_text(scene, "live/b.test/ecdsa-p256/bundle.pem");
    write_text(scene, "live/a.test/ecdsa-p256/bundle.pem", other, strlen(other));
    restart(scene);
    assert_crt_list(scene, "b.test"); /* it does not name a.test */
    for (size_t part = 0; part < 8; part++) {
        write_text(scene, "live/a.test/ecdsa-p256/bundle.pem", (const char *)bundle.data,
            bundle.size * part / 8);
        restart(scene);
        assert_crt_list(scene, "b.test");
    }
    write_text(scene, "live/a.test/ecdsa-p256/bundle.pem", (const char *)bundle.data, bundle.size);
    restart(scene);
    assert_crt_list(scene, "a.test b.test");
    air_buffer_deinit(&bundle);
}

static void orders_anew_from_another_ca_and_serves_the_old_meanwhile(void **state) {
    struct scene *scene = *state;
    adopt(scene, "a.test");
    assert_int_equal(orders_count(scene), 1);
    air_test_world_stop(&scene->world);
    air_test_world_move(&scene->world, "other.test");
    start(&scene->world);
    assert_crt_list(scene, "a.test");
    assert_int_equal(orders_count(scene), 0);
    settle(scene);
    assert_int_equal(orders_count(scene), 1);
    assert_int_equal(generation_of(scene, 0), 2);
    assert_crt_list(scene, "a.test");
    restart(scene);
    settle(scene);
    assert_int_equal(orders_count(scene), 1);
}

/* Two processes, as in a reload: one is in the middle of an order, the other waits for it to leave,
 * and goes on with that order. */
static void takes_over_from_a_process_that_leaves(void **state) {
    struct scene *scene = *state;
    struct scene *next = calloc(1, sizeof(*next));
    assert_non_null(next);
    air_fake_ca_settings(scene->world.ca)->validation_polls = 1000;
    manage(scene, "a.test");
    for (unsigned i = 0; !was_asked(scene, "POST /chall/"); i++) {
        assert_true(i < 10000);
        (void)air_test_world_turn(&scene->world);
    }
    *next = *scene;
    assert_ok(air_test_world_start(&next->world));
    manage(next, "a.test");
    assert_ok(air_haproxy_ready(next->world.haproxy, NULL));
    const size_t requests_count = air_fake_ca_counts(scene->world.ca).requests;
    settle(next);
    assert_int_equal(air_fake_ca_counts(scene->world.ca).requests, requests_count);
    air_fake_ca_settings(scene->world.ca)->validation_polls = 0;
    for (unsigned i = 0; !air_haproxy_leave(scene->world.haproxy); i++) {
        assert_true(i < 100);
        settle(scene);
    }
    settle(scene);
    assert_int_equal(lineages_count(scene), 0);
    settle(next);
    assert_int_equal(generation_of(next, 0), 1);
    assert_int_equal(orders_count(scene), 1);
    assert_crt_list(next, "a.test");
    /* the one that has left does not write the list any more */
    write_text(scene, "haproxy/crt-list", "x", 1);
    assert_ok(air_haproxy_ready(scene->world.haproxy, NULL));
    assert_string_equal(read_text(scene, "haproxy/crt-list"), "x");
    air_test_world_stop(&next->world);
    free(next);
}

static void refuses_new_orders_once_it_has_left(void **state) {
    struct scene *scene = *state;
    struct air_refusal refusal = {0};
    char id[AIR_HAPROXY_ID_SIZE];
    assert_true(air_haproxy_leave(scene->world.haproxy));
    assert_int_equal(air_test_world_order(
                         &scene->world, "a.test", AIR_KEY_NONE, air_span_of(NULL, 0), id, &refusal),
        AIR_ERR_LIMIT);
    assert_int_equal(refusal.status, 503);
    assert_non_null(strstr(refusal.sentence, "reload"));
}

static void refuses_a_place_that_is_no_directory(void **state) {
    (void)state;
    struct air_test_world world;
    char folder[AIR_TEST_PATH_SIZE];
    char path[AIR_TEST_PATH_SIZE];
    air_test_folder_make(folder);
    air_test_path(path, folder, "nobody/state");
    air_test_world_init(&world);
    world.state_dir = path;
    assert_int_equal(air_test_world_start(&world), AIR_ERR_NOT_FOUND);
    assert_null(world.haproxy);
    air_test_world_deinit(&world);
    air_test_folder_remove(folder);
}

static void needs_no_directory(void **state) {
    (void)state;
    struct air_test_world world;
    air_test_world_init(&world);
    start(&world);
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    scene->world = world;
    adopt(scene, "a.test");
    assert_int_equal(lineages_count(scene), 1);
    assert_true(air_haproxy_may_work(scene->world.haproxy, NULL));
    restart(scene);
    assert_int_equal(lineages_count(scene), 0);
    air_test_world_stop(&scene->world);
    air_test_world_deinit(&scene->world);
    free(scene);
}

/* The n-th allocation of a load fails: it says so, or nothing is missing. True: it has fewer. */
static bool loads_whole_or_says_so(struct scene *scene, uint64_t n) {
    struct air_buffer reason;
    air_buffer_init(&reason, 512);
    air_test_world_stop(&scene->world);
    assert_ok(air_test_world_start(&scene->world));
    const uint64_t count = air_memory_count();
    air_memory_fail_at(n);
    const enum air_error error = air_haproxy_ready(scene->world.haproxy, &reason);
    air_memory_fail_at(0);
    const bool is_enough = air_memory_count() - count < n;
    assert_true(error == AIR_OK || error == AIR_ERR_NO_MEMORY);
    if (error == AIR_OK) {
        assert_int_equal(lineages_count(scene), 2);
        assert_crt_list(scene, "a.test b.test");
    }
    air_buffer_deinit(&reason);
    return is_enough;
}

static void loads_with_every_allocation_failing(void **state) {
    struct scene *scene = *state;
    adopt(scene, "a.test");
    adopt(scene, "b.test");
    for (uint64_t n = 1; !loads_whole_or_says_so(scene, n); n++) {
        assert_true(n < 10000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            lists_what_is_installed_and_nothing_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            lists_at_load_what_is_configured_and_stored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            remembers_each_of_several_under_its_own_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_what_was_adopted_over_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            ends_what_was_adopted_when_its_record_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            passes_over_adopted_records_that_are_broken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            leaves_out_of_the_list_what_haproxy_cannot_load, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            orders_anew_from_another_ca_and_serves_the_old_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_over_from_a_process_that_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_new_orders_once_it_has_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loads_with_every_allocation_failing, set_up, tear_down),
        cmocka_unit_test(refuses_a_place_that_is_no_directory),
        cmocka_unit_test(needs_no_directory),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
