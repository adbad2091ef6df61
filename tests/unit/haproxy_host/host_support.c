/* SPDX-License-Identifier: MIT */
/*
 * Drives the host by turns: requests go to the fake CA, installs succeed, and time passes while
 * there is nothing to do. Invariant: only the host's own allocations are counted and made to fail,
 * not the CA's.
 */

#include "tests/unit/haproxy_host/host_support.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

#define TURNS_MAX 200000

static struct air_time now = {.wall_ms = INT64_C(1795446000000), .boot_ms = 1000000};

static struct air_time clock_now(void) {
    return now;
}

static bool certify(void *context, air_span csr, air_time_ms not_before_ms,
    air_time_ms not_after_ms, struct air_buffer *chain) {
    const struct air_test_world *world = context;
    return air_test_pki_sign_csr(world->pki, csr, not_before_ms, not_after_ms, chain);
}

void air_test_world_init(struct air_test_world *world) {
    *world = (struct air_test_world){.pki = air_test_pki_new()};
    assert_ok(air_crypto_openssl_new(&world->crypto));
    air_test_world_move(world, "ca.test");
}

void air_test_world_move(struct air_test_world *world, const char *ca_host) {
    const struct air_fake_ca_config config = {.host = ca_host,
        .seed = 1,
        .lifetime_ms = INT64_C(90) * 24 * 60 * 60 * 1000,
        .certify = certify,
        .context = world};
    air_fake_ca_free(world->ca);
    world->ca = air_fake_ca_new(world->crypto, &config);
    world->ca_host = ca_host;
    assert_non_null(world->ca);
}

void air_test_world_deinit(struct air_test_world *world) {
    air_fake_ca_free(world->ca);
    air_crypto_openssl_free(world->crypto);
    air_test_pki_free(world->pki);
}

/* The host's work begins: allocations count. */
static uint64_t begin(const struct air_test_world *world) {
    if (world->fail_at > world->allocations_count) {
        air_memory_fail_at(world->fail_at - world->allocations_count);
    }
    return air_memory_count();
}

static void end(struct air_test_world *world, uint64_t count_before) {
    world->allocations_count += air_memory_count() - count_before;
    air_memory_fail_at(0);
}

enum air_error air_test_world_start(struct air_test_world *world) {
    static const enum air_challenge_type challenges[] = {AIR_HTTP_01};
    char directory_url[64];
    (void)snprintf(directory_url, sizeof(directory_url), "https://%s/dir", world->ca_host);
    const struct air_haproxy_config config = {
        .state_dir = world->state_dir,
        .authority = {.size = sizeof(config.authority),
            .directory_url = air_span_text(directory_url),
            .terms_agreed = true},
        .challenges = challenges,
        .challenges_count = 1,
        .clock = clock_now,
    };
    struct air_buffer reason;
    air_buffer_init(&reason, 512);
    const uint64_t count = begin(world);
    const enum air_error error = air_haproxy_new(&config, &world->haproxy, &reason);
    end(world, count);
    air_buffer_deinit(&reason);
    return error;
}

void air_test_world_stop(struct air_test_world *world) {
    air_haproxy_free(world->haproxy);
    world->haproxy = NULL;
}

enum air_error air_test_world_order(struct air_test_world *world, const char *names,
    enum air_key_type key_type, air_span account_key, char id[AIR_HAPROXY_ID_SIZE],
    struct air_refusal *refusal) {
    struct air_order_request request = {.account_key = account_key};
    air_span rest = air_span_text(names);
    air_span name;
    while (rest.size > 0 && air_span_next(&rest, ' ', &name)) {
        request.names[request.names_count++] = name;
    }
    if (key_type != AIR_KEY_NONE) {
        request.key_types[request.key_types_count++] = key_type;
    }
    const uint64_t count = begin(world);
    const enum air_error error = air_haproxy_order(world->haproxy, &request, id, refusal);
    end(world, count);
    return error;
}

/* An action that is waited for. */
static void carry_out(struct air_test_world *world, const struct air_turn *turn) {
    struct air_result result = {.error = AIR_OK};
    const uint64_t id = turn->action->id;
    if (turn->kind == AIR_TURN_HTTP) {
        air_fake_ca_request(world->ca, &turn->action->http, now, &result);
    } else {
        world->installs_count++;
    }
    enum air_error error = AIR_OK;
    do {
        const uint64_t count = begin(world);
        error = air_haproxy_complete(world->haproxy, id, &result);
        end(world, count);
    } while (error == AIR_ERR_NO_MEMORY);
    assert_ok(error);
}

bool air_test_world_turn(struct air_test_world *world) {
    struct air_turn turn;
    const uint64_t count = begin(world);
    air_haproxy_turn(world->haproxy, &turn);
    end(world, count);
    if (world->watch != NULL) {
        world->watch(world);
    }
    if (turn.kind == AIR_TURN_HTTP || turn.kind == AIR_TURN_INSTALL) {
        carry_out(world, &turn);
    }
    world->work_count++;
    if (turn.kind == AIR_TURN_IDLE || turn.kind == AIR_TURN_REST) {
        assert_in_range(turn.pause_ms, 1, 1000);
        air_test_world_tick(turn.pause_ms);
        world->work_count = 0;
    }
    world->rests_count += turn.kind == AIR_TURN_REST ? 1 : 0;
    world->work_count_max =
        world->work_count > world->work_count_max ? world->work_count : world->work_count_max;
    return turn.kind != AIR_TURN_IDLE;
}

void air_test_world_run(struct air_test_world *world) {
    for (size_t i = 0; world->haproxy->orders_running > 0; i++) {
        assert_true(i < TURNS_MAX);
        (void)air_test_world_turn(world);
    }
    while (air_test_world_turn(world)) {
    }
}

void air_test_world_tick(air_time_ms span_ms) {
    now.wall_ms += span_ms;
    now.boot_ms += span_ms;
}

void air_test_world_pass(struct air_test_world *world, air_time_ms span_ms) {
    air_test_world_tick(span_ms);
    while (air_test_world_turn(world)) {
    }
}

enum air_order_state air_test_world_state(struct air_test_world *world, const char *id) {
    struct air_order_view view;
    air_haproxy_order_view(world->haproxy, air_span_text(id), &view);
    return view.state;
}

static bool count_one(void *context, air_span segment) {
    (void)segment;
    (*(size_t *)context)++;
    return true;
}

size_t air_test_world_kept(struct air_test_world *world, const char *folder) {
    struct air_storage *memory = world->haproxy->memory;
    size_t count = 0;
    assert_ok(
        memory->list(memory->self, air_span_text(folder), air_span_of(NULL, 0), count_one, &count));
    return count;
}
