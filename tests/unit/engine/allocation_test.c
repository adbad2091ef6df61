/* SPDX-License-Identifier: MIT */
/*
 * Proven here: whichever allocation of an engine fails, in whichever call, the certificate is
 * served in the end, no attempt is counted as failed for it, and nothing leaks (R-B3). How: whole
 * lives of a certificate, run once for every allocation they make with that one failing, and with
 * memory so short that every so many-th fails. Allocations of jansson are not reached.
 */

#include <inttypes.h>
#include <stdio.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define URN "urn:ietf:params:acme:error:"

/* One life: what was there before, and how it goes. */
struct life {
    const char *name;
    void (*prepare)(struct air_engine_world *world); /* with memory for everything; may be NULL */
    void (*live)(struct air_engine_world *world);
    uint32_t generation;   /* served in the end */
    uint64_t failed_count; /* attempts that fail, memory or not */
    uint64_t aside_count;  /* records that are set aside, memory or not */
};

static void start(struct air_engine_world *world) {
    enum air_error error = AIR_ERR_NO_MEMORY;
    while (error == AIR_ERR_NO_MEMORY) {
        error = air_fake_host_start(&world->host);
    }
    assert_ok(error);
}

static void add(struct air_engine_world *world, const enum air_key_type *key_types, size_t count) {
    enum air_error error = AIR_ERR_NO_MEMORY;
    while (error == AIR_ERR_NO_MEMORY) {
        error = air_fake_host_add(&world->host, "example.net", key_types, count);
    }
    assert_ok(error);
}

static void live_from_nothing(struct air_engine_world *world) {
    start(world);
    add(world, NULL, 0);
    air_fake_host_pass(&world->host, 60000);
}

static void prepare_issued(struct air_engine_world *world) {
    live_from_nothing(world);
    air_engine_world_kill(world);
    world->host.served_generation = 0;
}

static void live_with_a_renewal(struct air_engine_world *world) {
    live_from_nothing(world);
    assert_int_equal(world->host.served_generation, 1);
    assert_ok(air_engine_certificate_renew(world->host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->host, 60000);
}

static void put(struct air_engine_world *world, const char *path, const char *value) {
    const struct air_put change = {.path = air_span_text(path), .value = air_span_text(value)};
    const struct air_guard guard = {0};
    assert_ok(world->storage->write(world->storage->self, &guard, &change, 1));
}

static void prepare_damaged(struct air_engine_world *world) {
    prepare_issued(world);
    put(world, "certificates/example.net/ecdsa-p256/current", "what was this?");
    put(world, "certificates/example.net/ecdsa-p256/generations/000001/manifest.json", "{");
}

static void prepare_killed_before_finalizing(struct air_engine_world *world) {
    air_fake_ca_settings(world->host.cas[0])->is_ready_at_once = true;
    start(world);
    world->host.die_at = 15;
    add(world, NULL, 0);
    air_fake_host_pass(&world->host, 60000);
    assert_true(world->host.is_dead);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).orders, 1);
    air_engine_world_kill(world);
}

static void prepare_killed_after_finalizing(struct air_engine_world *world) {
    air_fake_ca_settings(world->host.cas[0])->processing_polls = 1000;
    start(world);
    add(world, NULL, 0);
    air_fake_host_pass(&world->host, 20000);
    assert_int_equal(air_fake_ca_counts(world->host.cas[0]).finalized, 1);
    air_fake_ca_settings(world->host.cas[0])->processing_polls = 0;
    air_engine_world_kill(world);
}

static void live_through_a_failed_validation(struct air_engine_world *world) {
    const struct air_fake_answer answer = {.path = "/authz/",
        .status = 200,
        .body =
            "{\"status\":\"invalid\",\"identifier\":{\"type\":\"dns\",\"value\":\"example.net\"}"
            ",\"challenges\":[{\"type\":\"http-01\",\"error\":{\"type\":\"" URN "dns\","
            "\"detail\":\"no such name\"}}]}"};
    air_fake_ca_answer(world->host.cas[0], &answer);
    start(world);
    add(world, NULL, 0);
    air_fake_host_pass(&world->host, 5 * 60000);
}

static void live_with_two_key_types(struct air_engine_world *world) {
    static const enum air_key_type key_types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    air_fake_crypto_sign_later(world->crypto, true);
    start(world);
    add(world, key_types, 2);
    air_fake_host_pass(&world->host, 60000);
    for (size_t i = 0; i < 2; i++) {
        struct air_status status;
        assert_ok(air_engine_status(world->host.engine, i, &status));
        assert_int_equal(status.generation, 1);
        assert_true(status.is_current);
    }
}

static void live_with_a_change_in_the_middle(struct air_engine_world *world) {
    static const enum air_key_type rsa[] = {AIR_KEY_RSA_3072};
    start(world);
    add(world, NULL, 0);
    air_fake_host_run(&world->host);
    add(world, rsa, 1);
    air_fake_host_pass(&world->host, 60000);
}

/* The result of this action is told minutes after its time limit. */
static void live_with_a_late_result(struct air_engine_world *world, enum air_action_kind kind) {
    start(world);
    add(world, NULL, 0);
    world->host.held_kind = (int)kind;
    air_fake_host_pass(&world->host, 2 * 60000);
    air_fake_host_release(&world->host);
    air_fake_host_pass(&world->host, 5 * 60000);
}

static void live_with_a_late_lock(struct air_engine_world *world) {
    live_with_a_late_result(world, AIR_ACTION_LOCK);
}

static void live_with_a_late_publication(struct air_engine_world *world) {
    live_with_a_late_result(world, AIR_ACTION_PUBLISH);
}

static const struct life lives[] = {
    {"issue", NULL, live_from_nothing, 1, 0, 0},
    {"start again", prepare_issued, live_from_nothing, 1, 0, 0},
    {"renew", prepare_issued, live_with_a_renewal, 2, 0, 0},
    {"find what is damaged", prepare_damaged, live_from_nothing, 1, 0, 4},
    {"resume before finalizing", prepare_killed_before_finalizing, live_from_nothing, 1, 0, 0},
    {"resume after finalizing", prepare_killed_after_finalizing, live_from_nothing, 1, 0, 0},
    {"fail a validation", NULL, live_through_a_failed_validation, 1, 1, 0},
    {"two key types", NULL, live_with_two_key_types, 1, 0, 0},
    {"change in the middle", NULL, live_with_a_change_in_the_middle, 1, 0, 0},
    {"a late lock", NULL, live_with_a_late_lock, 1, 2, 0},
    {"a late publication", NULL, live_with_a_late_publication, 1, 1, 0},
};

/* Live once; returns how many allocations the engine made. */
static uint64_t live_once(const struct life *life, uint64_t fail_at, uint64_t fail_each) {
    static struct air_engine_world world;
    const int64_t live_before = air_memory_live();
    air_engine_world_init(&world);
    if (life->prepare != NULL) {
        life->prepare(&world);
        world.host.allocations_count = 0;
    }
    world.host.fail_at = fail_at;
    world.host.fail_each = fail_each;
    const uint64_t failed_before = world.host.events_count[AIR_EVENT_ATTEMPT_FAILED];
    life->live(&world);
    const uint64_t failed_count = world.host.events_count[AIR_EVENT_ATTEMPT_FAILED] - failed_before;
    struct air_status status;
    assert_ok(air_engine_status(world.host.engine, 0, &status));
    if (world.host.served_generation != life->generation || status.failures_count > 0 ||
        failed_count > life->failed_count ||
        world.host.events_count[AIR_EVENT_RECORD_SET_ASIDE] > life->aside_count) {
        fail_msg("%s, allocation %" PRIu64 " of each %" PRIu64 " failing: generation %u, %" PRIu64
                 " failed attempts: %.*s\n%.*s",
            life->name, fail_at, fail_each, (unsigned)world.host.served_generation, failed_count,
            (int)status.last_error.size, (const char *)status.last_error.data,
            (int)world.host.transcript.size, (const char *)world.host.transcript.data);
    }
    const uint64_t count = world.host.allocations_count;
    air_engine_world_deinit(&world);
    if (air_memory_live() != live_before) {
        fail_msg("%s, allocation %" PRIu64 " failing: %d blocks leaked", life->name, fail_at,
            (int)(air_memory_live() - live_before));
    }
    return count;
}

static void serves_whichever_allocation_fails(void **state) {
    const struct life *life = *state;
    const uint64_t count = live_once(life, 0, 0);
    for (uint64_t n = 1; n <= count; n++) {
        (void)live_once(life, n, 0);
    }
    print_message("%s: %" PRIu64 " allocations\n", life->name, count);
}

static void serves_while_memory_stays_short(void **state) {
    static const uint64_t each[] = {29, 31, 37, 53, 101};
    const struct life *life = *state;
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        (void)live_once(life, 0, each[i]);
    }
}

int main(void) {
    static struct CMUnitTest tests[2 * sizeof lives / sizeof lives[0]];
    const size_t count = sizeof lives / sizeof lives[0];
    for (size_t i = 0; i < count; i++) {
        tests[2 * i] = (struct CMUnitTest){
            lives[i].name, serves_whichever_allocation_fails, NULL, NULL, (void *)&lives[i]};
        tests[2 * i + 1] = (struct CMUnitTest){
            lives[i].name, serves_while_memory_stays_short, NULL, NULL, (void *)&lives[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
