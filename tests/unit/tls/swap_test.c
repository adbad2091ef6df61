/* SPDX-License-Identifier: MIT */
/*
 * Proven: while certificates, names, the default and challenges change, handshakes on other threads
 * neither fail nor see anything but a whole old or a whole new certificate, and nothing leaks. How:
 * threads that handshake in memory without pause while one thread makes a fixed number of changes;
 * under ThreadSanitizer every access is checked, under AddressSanitizer every free.
 */

#include "tests/support/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "src/base/memory.h"
#include "tests/unit/tls/handshake.h"
#include "thinair/tls.h"

#define CLIENTS_COUNT 4
#define SWAPS_COUNT 500
#define CHANGES_COUNT 120
#define GENERATIONS_COUNT 3

struct world {
    struct air_test_pki *pki;
    struct air_test_pair generations[GENERATIONS_COUNT];
    struct air_tls *tls;
    SSL_CTX *context;
    atomic_bool is_over;
    atomic_uint failures_count;
    atomic_uint handshakes_count;
};

static int setup(void **state) {
    static struct world world;
    world.pki = air_test_pki_new();
    for (size_t i = 0; i < GENERATIONS_COUNT; i++) {
        air_test_pair_init(&world.generations[i], world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    }
    assert_ok(air_tls_new(&world.tls));
    world.context = SSL_CTX_new(TLS_server_method());
    assert_non_null(world.context);
    assert_ok(air_tls_attach(world.tls, world.context, SPAN("")));
    atomic_store(&world.is_over, false);
    atomic_store(&world.failures_count, 0);
    atomic_store(&world.handshakes_count, 0);
    *state = &world;
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    SSL_CTX_free(world->context);
    air_tls_free(world->tls);
    for (size_t i = 0; i < GENERATIONS_COUNT; i++) {
        air_test_pair_deinit(&world->generations[i]);
    }
    air_test_pki_free(world->pki);
    assert_int_equal(air_memory_live(), 0);
    return 0;
}

static enum air_error set(struct world *world, const char *id, const char *const *names,
    size_t names_count, size_t generation) {
    air_span spans[4];
    const struct air_test_pair *pair = &world->generations[generation % GENERATIONS_COUNT];
    for (size_t i = 0; i < names_count; i++) {
        spans[i] = air_span_text(names[i]);
    }
    return air_tls_certificate_set(world->tls, air_span_text(id), AIR_KEY_ECDSA_P256, spans,
        names_count, air_buffer_span(&pair->chain), air_buffer_span(&pair->key), NULL);
}

static bool is_any_generation(const struct world *world, const struct air_test_seen *seen) {
    for (size_t i = 0; i < GENERATIONS_COUNT; i++) {
        if (air_test_has_leaf(seen, &world->generations[i])) {
            return true;
        }
    }
    return false;
}

/* cmocka's assertions belong to its thread: count here, assert there. */
static void *run_client(void *context) {
    struct world *world = context;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned i = 0; !atomic_load(&world->is_over); i++) {
        struct air_test_hello hello = {.name = "a.example.net", .version = versions[i % 2]};
        struct air_test_seen seen;
        air_test_handshake(world->context, &hello, NULL, &seen);
        if (!seen.is_done || seen.chain_count != 2 || !is_any_generation(world, &seen)) {
            atomic_fetch_add(&world->failures_count, 1);
        }
        air_test_seen_deinit(&seen);
        atomic_fetch_add(&world->handshakes_count, 1);
    }
    return NULL;
}

/* Validations come and go with their challenge: served, or refused with no_application_protocol. */
static void *run_validator(void *context) {
    struct world *world = context;
    while (!atomic_load(&world->is_over)) {
        struct air_test_hello hello = {.name = "a.example.net",
            .alpn = SPAN("\x0a"
                         "acme-tls/1")};
        struct air_test_seen seen;
        air_test_handshake(world->context, &hello, air_tls_is_challenge, &seen);
        if (seen.is_done ? !is_any_generation(world, &seen) : seen.alert != 120) {
            atomic_fetch_add(&world->failures_count, 1);
        }
        air_test_seen_deinit(&seen);
        atomic_fetch_add(&world->handshakes_count, 1);
    }
    return NULL;
}

/* Run the changes beside the clients; every client has had a handshake before and after. */
static void run(struct world *world, void *(*client)(void *),
    void (*change)(struct world *, size_t), size_t changes_count) {
    pthread_t threads[CLIENTS_COUNT];
    for (size_t i = 0; i < CLIENTS_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, client, world), 0);
    }
    for (size_t i = 0; i < changes_count; i++) {
        unsigned seen = atomic_load(&world->handshakes_count);
        change(world, i);
        /* Changes are quicker than handshakes: let one pass now and then. */
        while (i % 10 == 0 && atomic_load(&world->handshakes_count) == seen) {
            (void)sched_yield();
        }
    }
    atomic_store(&world->is_over, true);
    for (size_t i = 0; i < CLIENTS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&world->failures_count), 0);
}

static void swap(struct world *world, size_t i) {
    const char *const names[] = {"a.example.net", "www.example.net"};
    assert_ok(set(world, "a", names, 2, i));
}

static void handshakes_survive_swaps(void **state) {
    struct world *world = *state;
    swap(world, 0);
    run(world, run_client, swap, SWAPS_COUNT);
}

/* Other ids come and go, the table grows and shrinks: the name looked for is always there. */
static void change_around(struct world *world, size_t i) {
    char id[32];
    const char *const names[] = {id};
    (void)snprintf(id, sizeof(id), "n%zu.example.net", i % 97);
    assert_ok(set(world, id, names, 1, i));
    if (i % 3 == 0) {
        assert_ok(air_tls_certificate_remove(world->tls, air_span_text(id), AIR_KEY_NONE));
    }
}

static void handshakes_survive_changes_around_them(void **state) {
    struct world *world = *state;
    swap(world, 0);
    run(world, run_client, change_around, CHANGES_COUNT);
}

/* The name moves between its own entry, a wildcard and the default. */
static void change_way(struct world *world, size_t i) {
    const char *const exact[] = {"a.example.net"};
    const char *const wildcard[] = {"*.example.net"};
    switch (i % 4) {
    case 0:
        assert_ok(set(world, "wild", wildcard, 1, i));
        break;
    case 1:
        assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
        break;
    case 2:
        assert_ok(air_tls_default_set(world->tls, i % 8 == 2 ? SPAN("wild") : SPAN("fixed")));
        break;
    case 3:
        assert_ok(set(world, "a", exact, 1, i));
        break;
    }
    if (i % 4 == 3 && i % 8 == 7) {
        assert_ok(air_tls_certificate_remove(world->tls, SPAN("wild"), AIR_KEY_NONE));
    }
}

static void handshakes_survive_a_name_that_changes_its_owner(void **state) {
    struct world *world = *state;
    const char *const exact[] = {"a.example.net"};
    assert_ok(set(world, "fixed", NULL, 0, 0));
    assert_ok(air_tls_default_set(world->tls, SPAN("fixed")));
    assert_ok(set(world, "a", exact, 1, 0));
    run(world, run_client, change_way, CHANGES_COUNT);
}

static void change_challenge(struct world *world, size_t i) {
    const struct air_test_pair *pair = &world->generations[i % GENERATIONS_COUNT];
    if (i % 3 == 2) {
        air_tls_challenge_remove(world->tls, SPAN("a.example.net"));
        return;
    }
    assert_ok(air_tls_challenge_set(world->tls, SPAN("a.example.net"),
        air_buffer_span(&pair->chain), air_buffer_span(&pair->key)));
}

static void validations_survive_changing_challenges(void **state) {
    run(*state, run_validator, change_challenge, CHANGES_COUNT);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(handshakes_survive_swaps),
        TEST(handshakes_survive_changes_around_them),
        TEST(handshakes_survive_a_name_that_changes_its_owner),
        TEST(validations_survive_changing_challenges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
