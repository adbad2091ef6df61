/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the engine begin and end with.
 *
 * Invariant: the host's storage is the world's.
 */

#include "tests/unit/engine/world.h"

#include "tests/support/test.h"

#define DAY_MS INT64_C(86400000)

void air_engine_world_init(struct air_engine_world *world) {
    *world = (struct air_engine_world){
        .crypto = air_fake_crypto_new(1), .storage = air_memory_storage_new()};
    air_fake_host_init(&world->host, world->crypto, world->storage);
    world->host.cas[0] = air_engine_world_ca(world, "ca.test", 1);
}

void air_engine_world_deinit(struct air_engine_world *world) {
    air_fake_host_deinit(&world->host);
    for (size_t i = 0; i < AIR_FAKE_HOST_CAS_MAX; i++) {
        air_fake_ca_free(world->host.cas[i]);
    }
    air_memory_storage_free(world->storage);
    assert_int_equal(air_fake_crypto_keys_count(world->crypto), 0);
    air_fake_crypto_free(world->crypto);
}

struct air_fake_ca *air_engine_world_ca(
    struct air_engine_world *world, const char *name, uint64_t seed) {
    const struct air_fake_ca_config config = {.host = name,
        .seed = seed,
        .lifetime_ms = 90 * DAY_MS,
        .has_terms = true,
        .validate = air_fake_host_validate,
        .context = &world->host};
    return air_fake_ca_new(world->crypto, &config);
}

void air_engine_world_kill(struct air_engine_world *world) {
    struct air_storage *left = air_memory_storage_copy(world->storage);
    air_fake_host_kill(&world->host);
    air_memory_storage_free(world->storage);
    world->storage = left;
    world->host.storage = left;
}
