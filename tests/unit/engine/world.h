/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_ENGINE_WORLD_H
#define AIR_TEST_ENGINE_WORLD_H

/* An engine's surroundings: crypto port, storage in memory, host and the CA "ca.test", all fake. */

#include "tests/support/fake_crypto.h"
#include "tests/support/fake_host.h"
#include "tests/support/memory_storage.h"

struct air_engine_world {
    struct air_crypto *crypto;
    struct air_storage *storage;
    struct air_fake_host host;
};

/* Make it, but for the engine: air_fake_host_start(). */
void air_engine_world_init(struct air_engine_world *world);

/* Free all of it, the engine too. No key is left. */
void air_engine_world_deinit(struct air_engine_world *world);

/* A CA for the world's host, whose certificates live 90 days; air_engine_world_deinit() frees what
 * stands in the host's list. */
struct air_fake_ca *air_engine_world_ca(
    struct air_engine_world *world, const char *name, uint64_t seed);

/* The engine dies; the next one finds what was stored, and no lock: it is another process. */
void air_engine_world_kill(struct air_engine_world *world);

#endif
