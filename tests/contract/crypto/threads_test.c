/* SPDX-License-Identifier: MIT */
/*
 * Proven: the port may be used by many threads at once, on keys of their own and on one key, and a
 * key may be freed while others sign with it: each signature is whole or the handle is unknown.
 * ThreadSanitizer watches when the build has it. Threads report by counters, because an assertion
 * belongs to the thread that runs the test.
 */

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"

#define THREADS_COUNT 4
#define ROUNDS_COUNT 25

struct shared {
    const struct air_crypto *port;
    uint64_t key;
    struct air_public_key public_key;
    sem_t signed_once; /* posted by each thread after its first signature */
    atomic_int mistakes_count;
};

/* Make a key, use it in every way, free it. */
static bool use_own_key(const struct air_crypto *port) {
    const air_span name = SPAN("example.net");
    uint64_t key = 0;
    struct air_public_key public_key;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    struct air_buffer out;
    air_buffer_init(&out, AIR_CSR_SIZE_MAX);
    bool good =
        port->key_generate_slow(port->self, AIR_KEY_ECDSA_P256, &key) == AIR_OK &&
        port->key_public(port->self, key, &public_key) == AIR_OK &&
        port->key_sign_slow(port->self, key, AIR_ES256, SPAN("data"), signature, &size) == AIR_OK &&
        port->verify(port->self, &public_key, AIR_ES256, SPAN("data"),
            air_span_of(signature, size)) == AIR_OK &&
        port->key_export(port->self, key, &out) == AIR_OK &&
        port->csr_create(port->self, key, NULL, &name, 1, false, &out) == AIR_OK;
    port->key_free(port->self, key);
    air_buffer_deinit(&out);
    return good;
}

static void *use_own_keys(void *context) {
    struct shared *shared = context;
    for (int i = 0; i < ROUNDS_COUNT; i++) {
        if (!use_own_key(shared->port)) {
            (void)atomic_fetch_add(&shared->mistakes_count, 1);
        }
    }
    return NULL;
}

/* Sign until the key is gone. */
static void *use_one_key(void *context) {
    struct shared *shared = context;
    const struct air_crypto *port = shared->port;
    enum air_error error = AIR_OK;
    for (uint64_t round = 0; error == AIR_OK; round++) {
        uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
        size_t size = 0;
        error =
            port->key_sign_slow(port->self, shared->key, AIR_ES256, SPAN("data"), signature, &size);
        if (error == AIR_OK && port->verify(port->self, &shared->public_key, AIR_ES256,
                                   SPAN("data"), air_span_of(signature, size)) != AIR_OK) {
            (void)atomic_fetch_add(&shared->mistakes_count, 1);
        }
        if (round == 0) {
            (void)sem_post(&shared->signed_once);
        }
    }
    if (error != AIR_ERR_ARGUMENT) {
        (void)atomic_fetch_add(&shared->mistakes_count, 1);
    }
    return NULL;
}

static void start(pthread_t *threads, void *(*work)(void *), struct shared *shared) {
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, shared), 0);
    }
}

static void join(const pthread_t *threads) {
    for (size_t i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void threads_use_keys_of_their_own(void **state) {
    pthread_t threads[THREADS_COUNT];
    struct shared shared = {.port = *state};
    start(threads, use_own_keys, &shared);
    join(threads);
    assert_int_equal(atomic_load(&shared.mistakes_count), 0);
}

static void a_key_is_freed_while_threads_sign_with_it(void **state) {
    const struct air_crypto *port = *state;
    for (int round = 0; round < ROUNDS_COUNT; round++) {
        pthread_t threads[THREADS_COUNT];
        struct shared shared = {.port = port, .key = air_oracle_generate(port, AIR_KEY_ECDSA_P256)};
        assert_ok(port->key_public(port->self, shared.key, &shared.public_key));
        assert_int_equal(sem_init(&shared.signed_once, 0, 0), 0);
        start(threads, use_one_key, &shared);
        for (size_t i = 0; i < THREADS_COUNT; i++) {
            assert_int_equal(sem_wait(&shared.signed_once), 0);
        }
        port->key_free(port->self, shared.key);
        join(threads);
        assert_int_equal(sem_destroy(&shared.signed_once), 0);
        assert_int_equal(atomic_load(&shared.mistakes_count), 0);
    }
}

int air_contract_threads(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(threads_use_keys_of_their_own),
        CONTRACT_TEST(a_key_is_freed_while_threads_sign_with_it),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
