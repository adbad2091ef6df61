/* SPDX-License-Identifier: MIT */
/*
 * What is proven: an engine that dies at any point of an issuance takes up the same order, and
 * never finalizes two. How: a run without a crash tells how many actions there are; then one run
 * per action and per half (before it is carried out, after it but before the engine hears of it)
 * dies there, a new engine starts on what is stored, and the end is looked at: served, one order,
 * one finalized. The one gap that RFC 8555 leaves, between sending newOrder and storing its URL,
 * may leave one order that is never finalized; those runs are counted. A second sweep dies twice.
 */

#include <stdio.h>
#include <string.h>

#include "tests/support/fake_crypto.h"
#include "tests/support/fake_host.h"
#include "tests/support/memory_storage.h"
#include "tests/support/test.h"

#define DAY_MS INT64_C(86400000)

struct scenario {
    const char *name;
    size_t key_types_count;
    unsigned validation_polls;
    unsigned processing_polls;
    bool is_renewal; /* the crash comes during the second generation */
};

struct world {
    struct air_crypto *crypto;
    struct air_storage *storage;
    struct air_fake_host host;
};

static const enum air_key_type key_types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};

static void start(struct world *world, const struct scenario *scenario) {
    assert_ok(air_fake_host_start(&world->host));
    assert_ok(air_fake_host_add(&world->host, "example.net", key_types, scenario->key_types_count));
}

static void begin(struct world *world, const struct scenario *scenario) {
    world->crypto = air_fake_crypto_new(7);
    world->storage = air_memory_storage_new();
    air_fake_host_init(&world->host, world->crypto, world->storage);
    const struct air_fake_ca_config config = {.host = "ca.test",
        .seed = 7,
        .lifetime_ms = 90 * DAY_MS,
        .has_terms = true,
        .validation_polls = scenario->validation_polls,
        .processing_polls = scenario->processing_polls,
        .validate = air_fake_host_validate,
        .context = &world->host};
    world->host.cas[0] = air_fake_ca_new(world->crypto, &config);
    start(world, scenario);
    if (scenario->is_renewal) {
        air_fake_host_pass(&world->host, DAY_MS);
        world->host.actions_count = 0;
    }
}

static void end(struct world *world) {
    air_fake_host_deinit(&world->host);
    air_fake_ca_free(world->host.cas[0]);
    air_memory_storage_free(world->storage);
    assert_int_equal(air_fake_crypto_keys_count(world->crypto), 0);
    air_fake_crypto_free(world->crypto);
}

/* Until the issuance that is looked at is over, or the engine has died in it. */
static void live_on(struct world *world, const struct scenario *scenario) {
    air_fake_host_pass(&world->host, scenario->is_renewal ? 70 * DAY_MS : DAY_MS);
}

/* After a crash: long enough for the pause after a lost attempt, too short for the next renewal. */
static void recover(struct world *world) {
    air_fake_host_pass(&world->host, 2 * DAY_MS);
}

static void die(struct world *world, const struct scenario *scenario) {
    /* The lock is the kernel's: it goes with the process. */
    struct air_storage *left = air_memory_storage_copy(world->storage);
    air_fake_host_kill(&world->host);
    air_memory_storage_free(world->storage);
    world->storage = left;
    world->host.storage = left;
    start(world, scenario);
}

struct outcome {
    size_t orphans;
    size_t runs;
};

static void check(struct world *world, const struct scenario *scenario, uint64_t at, bool is_after,
    struct outcome *outcome) {
    const size_t generations = scenario->is_renewal ? 2 : 1;
    const size_t wanted = generations * scenario->key_types_count;
    const size_t orders = air_fake_ca_counts(world->host.cas[0]).orders;
    const size_t finalized = air_fake_ca_counts(world->host.cas[0]).finalized;
    if (world->host.served_generation < generations || finalized != wanted || orders < wanted ||
        orders > wanted + 1) {
        print_message(
            "%s, died %s action %llu: generation %u served, %zu orders, %zu finalized\n%.*s",
            scenario->name, is_after ? "after" : "before", (unsigned long long)at,
            world->host.served_generation, orders, finalized, (int)world->host.transcript.size,
            (const char *)world->host.transcript.data);
        fail();
    }
    outcome->orphans += orders - wanted;
    outcome->runs++;
}

static uint64_t count_actions(const struct scenario *scenario) {
    struct world world;
    struct outcome outcome = {0};
    begin(&world, scenario);
    live_on(&world, scenario);
    check(&world, scenario, 0, false, &outcome);
    assert_int_equal(outcome.orphans, 0);
    const uint64_t count = world.host.actions_count;
    end(&world);
    return count;
}

static void run_once(const struct scenario *scenario, uint64_t at, bool is_after,
    uint64_t again_after, struct outcome *outcome) {
    struct world world;
    begin(&world, scenario);
    world.host.die_at = at;
    world.host.dies_after = is_after;
    live_on(&world, scenario);
    die(&world, scenario);
    if (again_after > 0) {
        world.host.die_at = world.host.actions_count + again_after;
        world.host.dies_after = !is_after;
        recover(&world);
        if (world.host.is_dead) {
            die(&world, scenario);
        }
    }
    recover(&world);
    check(&world, scenario, at, is_after, outcome);
    end(&world);
}

static const struct scenario scenarios[] = {
    {"fresh order", 1, 1, 0, false},
    {"slow CA", 1, 3, 2, false},
    {"two key types", 2, 1, 1, false},
    {"renewal", 1, 1, 1, true},
};

static void resumes_after_a_crash_at_every_point(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        struct outcome outcome = {0};
        const uint64_t actions = count_actions(&scenarios[i]);
        for (uint64_t at = 1; at <= actions; at++) {
            run_once(&scenarios[i], at, false, 0, &outcome);
            run_once(&scenarios[i], at, true, 0, &outcome);
        }
        print_message(
            "%s: %zu crash points, all resumed; %zu unfinalized orders left in the one gap\n",
            scenarios[i].name, outcome.runs, outcome.orphans);
        assert_true(outcome.orphans <= scenarios[i].key_types_count * 2);
    }
}

static void resumes_after_two_crashes(void **state) {
    (void)state;
    const struct scenario *scenario = &scenarios[1];
    struct outcome outcome = {0};
    const uint64_t actions = count_actions(scenario);
    for (uint64_t at = 1; at <= actions; at++) {
        for (uint64_t again = 1; again <= 12; again++) {
            struct outcome one = {0};
            run_once(scenario, at, again % 2 == 0, again, &one);
            outcome.runs += one.runs;
        }
    }
    print_message("two crashes: %zu pairs, all resumed\n", outcome.runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumes_after_a_crash_at_every_point),
        cmocka_unit_test(resumes_after_two_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
