/* SPDX-License-Identifier: MIT */
/*
 * Proven here: every certificate is found by its id and by no other, wherever certificates come, go
 * and move, also when all their hashes meet in few slots. How: a long random run against a plain
 * list, and the engine's own calls.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/engine/core.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/test.h"

#define COUNT 400

static uint64_t dice(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static struct air_certificate *make(unsigned number) {
    char id[20];
    const air_span names[] = {SPAN("example.net")};
    struct air_certificate *certificate = NULL;
    (void)snprintf(id, sizeof id, "id-%u", number);
    const struct air_certificate_spec spec = {
        .size = sizeof spec, .id = air_span_text(id), .names = names, .names_count = 1};
    return air_certificate_new(NULL, &spec, NULL, &certificate, NULL) == AIR_OK ? certificate
                                                                                : NULL;
}

static void finds_every_id_through_a_long_random_run(void **state) {
    (void)state;
    static struct air_certificate *all[COUNT];
    static struct air_certificate *list[COUNT];
    static bool is_in[COUNT];
    struct air_ids ids = {0};
    size_t count = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        all[i] = make(i);
    }
    for (int i = 0; i < 20000; i++) {
        const size_t number = dice() % COUNT;
        const size_t place = air_ids_find(&ids, list, air_certificate_id(all[number]));
        assert_int_equal(place != AIR_ID_NOWHERE, is_in[number]);
        if (place == AIR_ID_NOWHERE) {
            assert_ok(air_ids_reserve(&ids, list, count, count + 1));
            list[count] = all[number];
            air_ids_add(&ids, list, count++);
        } else {
            assert_ptr_equal(list[place], all[number]);
            air_ids_remove(&ids, list, place);
            if (place != --count) {
                air_ids_move(&ids, list, count, place);
                list[place] = list[count];
            }
        }
        is_in[number] = !is_in[number];
    }
    for (size_t i = 0; i < COUNT; i++) {
        const size_t place = air_ids_find(&ids, list, air_certificate_id(all[i]));
        assert_int_equal(place != AIR_ID_NOWHERE, is_in[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        air_certificate_free(all[i]);
    }
    air_ids_deinit(&ids);
}

static void an_empty_table_knows_nobody(void **state) {
    (void)state;
    const struct air_ids ids = {0};
    assert_true(air_ids_find(&ids, NULL, SPAN("a")) == AIR_ID_NOWHERE);
    assert_true(air_ids_find(&ids, NULL, SPAN("")) == AIR_ID_NOWHERE);
}

static void refuses_more_places_than_a_slot_can_name(void **state) {
    (void)state;
    struct air_ids ids = {0};
    assert_int_equal(air_ids_reserve(&ids, NULL, 0, ((size_t)1 << 31) + 1), AIR_ERR_LIMIT);
    assert_int_equal(air_ids_reserve(&ids, NULL, 0, SIZE_MAX), AIR_ERR_LIMIT);
    assert_null(ids.slots);
}

static void the_engine_finds_what_is_left_after_removals(void **state) {
    (void)state;
    struct air_crypto *crypto = air_fake_crypto_new(1);
    const struct air_engine_config config = {.size = sizeof config, .crypto = crypto};
    const struct air_authority_spec authority = {
        .size = sizeof authority, .directory_url = SPAN("https://ca.test/dir")};
    const air_span names[] = {SPAN("example.net")};
    struct air_engine *engine = NULL;
    char id[20];
    assert_ok(air_engine_new(&config, &engine));
    assert_ok(air_engine_authority_set(engine, &authority));
    for (unsigned i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "id-%u", i);
        const struct air_certificate_spec spec = {.size = sizeof spec,
            .id = air_span_text(id),
            .names = names,
            .names_count = 1,
            .directory_url = authority.directory_url};
        assert_ok(air_engine_certificate_set(engine, &spec, NULL));
    }
    for (unsigned i = 0; i < 100; i += 2) {
        (void)snprintf(id, sizeof id, "id-%u", i);
        assert_ok(air_engine_certificate_remove(engine, air_span_text(id)));
        assert_int_equal(
            air_engine_certificate_remove(engine, air_span_text(id)), AIR_ERR_NOT_FOUND);
    }
    assert_int_equal(air_engine_lineages_count(engine), 50);
    bool was_seen[100] = {false};
    for (size_t i = 0; i < 50; i++) {
        struct air_status status;
        int64_t number = 0;
        assert_ok(air_engine_status(engine, i, &status));
        assert_true(air_span_number(air_span_skip(status.certificate, 3), &number));
        assert_false(was_seen[number]);
        was_seen[number] = true;
        assert_int_equal(number % 2, 1);
    }
    for (unsigned i = 1; i < 100; i += 2) {
        (void)snprintf(id, sizeof id, "id-%u", i);
        assert_ok(air_engine_certificate_renew(engine, air_span_text(id)));
        assert_ok(air_engine_certificate_retry(engine, air_span_text(id)));
    }
    air_engine_free(engine);
    air_fake_crypto_free(crypto);
}

static enum air_error reserve_once(void *context) {
    struct air_certificate *const *list = context;
    struct air_ids ids = {0};
    enum air_error error = AIR_OK;
    for (size_t i = 0; error == AIR_OK && i < 40; i++) {
        error = air_ids_reserve(&ids, list, i, i + 1);
        if (error == AIR_OK) {
            air_ids_add(&ids, list, i);
        }
        assert_true(i == 0 || air_ids_find(&ids, list, air_certificate_id(list[i - 1])) == i - 1);
    }
    air_ids_deinit(&ids);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    struct air_certificate *list[40];
    for (unsigned i = 0; i < 40; i++) {
        list[i] = make(i);
    }
    air_test_each_allocation(reserve_once, list);
    for (unsigned i = 0; i < 40; i++) {
        air_certificate_free(list[i]);
    }
}

static int leaves_nothing(void **state) {
    (void)state;
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_id_through_a_long_random_run),
        cmocka_unit_test(an_empty_table_knows_nobody),
        cmocka_unit_test(refuses_more_places_than_a_slot_can_name),
        cmocka_unit_test(the_engine_finds_what_is_left_after_removals),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, leaves_nothing);
}
