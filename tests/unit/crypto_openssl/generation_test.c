/* SPDX-License-Identifier: MIT */
/*
 * Proven here: keys made in steps are keys like others: of the type asked for, checked by OpenSSL,
 * signing what verifies; generations run beside each other and change threads; one that is
 * abandoned, at any point, leaves nothing behind, neither with us nor in OpenSSL, whose allocations
 * are counted. How long steps take is bench/generation's to show.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "thinair/openssl.h"

static struct air_crypto *crypto;

/* Blocks that OpenSSL has and did not free. */
static _Atomic int64_t openssl_live;

static void *count_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *memory = malloc(size);
    atomic_fetch_add(&openssl_live, memory != NULL ? 1 : 0);
    return memory;
}

static void *count_realloc(void *old, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *memory = realloc(old, size);
    atomic_fetch_add(&openssl_live, old == NULL && memory != NULL ? 1 : 0);
    return memory;
}

static void count_free(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    atomic_fetch_sub(&openssl_live, memory != NULL ? 1 : 0);
    free(memory);
}

static struct air_openssl_generation *begin(enum air_key_type type) {
    struct air_openssl_generation *generation = NULL;
    assert_ok(air_openssl_generation_new(crypto, type, &generation));
    return generation;
}

static uint64_t finish(struct air_openssl_generation *generation) {
    uint64_t key = 0;
    enum air_error error = AIR_ERR_LATER;
    while (error == AIR_ERR_LATER) {
        error = air_openssl_generation_step(generation, &key);
    }
    assert_ok(error);
    air_openssl_generation_free(generation);
    return key;
}

static void make_steps(struct air_openssl_generation *generation, size_t steps_count) {
    uint64_t key = 0;
    for (size_t i = 0; i < steps_count; i++) {
        assert_int_equal(air_openssl_generation_step(generation, &key), AIR_ERR_LATER);
    }
}

/* The key is of its type, OpenSSL finds its numbers right, and what it signs verifies. */
static void check_key(uint64_t key, enum air_key_type type, enum air_algorithm algorithm) {
    struct air_public_key public_key;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    struct air_buffer pem;
    assert_ok(crypto->key_public(crypto->self, key, &public_key));
    assert_int_equal(public_key.type, type);
    assert_ok(crypto->key_sign(crypto->self, key, algorithm, SPAN("x"), signature, &size));
    assert_ok(crypto->verify(
        crypto->self, &public_key, algorithm, SPAN("x"), air_span_of(signature, size)));

    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(crypto->key_export(crypto->self, key, &pem));
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    assert_int_equal(EVP_PKEY_check(context), 1);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pkey);
    (void)BIO_free(bio);
    air_buffer_deinit(&pem);
    crypto->key_free(crypto->self, key);
}

/* The step that checks the key follows at once, so that whoever counts time can leave it alone. */
static void tells_before_the_last_step(void **state) {
    (void)state;
    struct air_openssl_generation *generation = begin(AIR_KEY_RSA_2048);
    uint64_t key = 0;
    size_t ending_count = 0;
    assert_false(air_openssl_generation_is_ending(generation));
    while (air_openssl_generation_step(generation, &key) == AIR_ERR_LATER) {
        ending_count += air_openssl_generation_is_ending(generation) ? 1 : 0;
    }
    assert_int_equal(ending_count, 1);
    air_openssl_generation_free(generation);
    crypto->key_free(crypto->self, key);
}

static void makes_keys_of_every_type(void **state) {
    (void)state;
    check_key(finish(begin(AIR_KEY_RSA_2048)), AIR_KEY_RSA_2048, AIR_RS256);
    check_key(finish(begin(AIR_KEY_RSA_3072)), AIR_KEY_RSA_3072, AIR_RS256);
    check_key(finish(begin(AIR_KEY_RSA_4096)), AIR_KEY_RSA_4096, AIR_RS256);
    check_key(finish(begin(AIR_KEY_ECDSA_P256)), AIR_KEY_ECDSA_P256, AIR_ES256);
    check_key(finish(begin(AIR_KEY_ECDSA_P384)), AIR_KEY_ECDSA_P384, AIR_ES384);
}

static void refuses_other_types(void **state) {
    (void)state;
    struct air_openssl_generation *generation = NULL;
    assert_int_equal(
        air_openssl_generation_new(crypto, AIR_KEY_NONE, &generation), AIR_ERR_UNSUPPORTED);
    assert_int_equal(air_openssl_generation_new(crypto, (enum air_key_type)99, &generation),
        AIR_ERR_UNSUPPORTED);
    assert_null(generation);
}

static void ends_once(void **state) {
    (void)state;
    struct air_openssl_generation *generation = begin(AIR_KEY_ECDSA_P256);
    uint64_t key = 0;
    uint64_t again = 0;
    assert_ok(air_openssl_generation_step(generation, &key));
    assert_int_equal(air_openssl_generation_step(generation, &again), AIR_ERR_STATE);
    assert_int_equal(again, 0);
    air_openssl_generation_free(generation);
    check_key(key, AIR_KEY_ECDSA_P256, AIR_ES256);
}

static void works_beside_others(void **state) {
    (void)state;
    struct air_openssl_generation *generations[4];
    for (size_t i = 0; i < 4; i++) {
        generations[i] = begin(i % 2 == 0 ? AIR_KEY_RSA_2048 : AIR_KEY_RSA_3072);
    }
    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < 4; i++) {
            make_steps(generations[i], 1);
        }
    }
    air_openssl_generation_free(generations[1]);
    check_key(finish(generations[3]), AIR_KEY_RSA_3072, AIR_RS256);
    check_key(finish(generations[0]), AIR_KEY_RSA_2048, AIR_RS256);
    check_key(finish(generations[2]), AIR_KEY_RSA_2048, AIR_RS256);
}

/* Two threads that make steps of one generation in turn. */
struct turns {
    pthread_mutex_t lock;
    struct air_openssl_generation *generation;
    enum air_error error;
    uint64_t key;
};

static void *take_turns(void *context) {
    struct turns *turns = context;
    bool is_over = false;
    while (!is_over) {
        (void)pthread_mutex_lock(&turns->lock);
        if (turns->error == AIR_ERR_LATER) {
            turns->error = air_openssl_generation_step(turns->generation, &turns->key);
        }
        is_over = turns->error != AIR_ERR_LATER;
        (void)pthread_mutex_unlock(&turns->lock);
    }
    return NULL;
}

static void changes_threads(void **state) {
    (void)state;
    struct turns turns = {.generation = begin(AIR_KEY_RSA_2048), .error = AIR_ERR_LATER};
    pthread_t threads[2];
    assert_int_equal(pthread_mutex_init(&turns.lock, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &turns), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)pthread_mutex_destroy(&turns.lock);
    assert_ok(turns.error);
    air_openssl_generation_free(turns.generation);
    check_key(turns.key, AIR_KEY_RSA_2048, AIR_RS256);
}

static void *make_one(void *context) {
    (void)context;
    struct air_openssl_generation *generation = begin(AIR_KEY_RSA_2048);
    uint64_t *key = air_memory_new(sizeof(*key));
    *key = finish(generation);
    return key;
}

static void runs_on_several_threads_at_once(void **state) {
    (void)state;
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_one, NULL), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        void *key = NULL;
        assert_int_equal(pthread_join(threads[i], &key), 0);
        check_key(*(uint64_t *)key, AIR_KEY_RSA_2048, AIR_RS256);
        air_memory_free(key, sizeof(uint64_t));
    }
}

static void abandoned_anywhere_it_leaves_nothing_behind(void **state) {
    (void)state;
    static const size_t points[] = {0, 1, 2, 3, 10, 50, 100, 150};
    int64_t live_before = air_memory_live();
    for (int round = 0; round < 4; round++) {
        int64_t openssl_before = atomic_load(&openssl_live);
        for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
            struct air_openssl_generation *generation = begin(AIR_KEY_RSA_4096);
            make_steps(generation, points[i]);
            air_openssl_generation_free(generation);
        }
        assert_int_equal(air_memory_live(), live_before);
        /* The first round fills caches of OpenSSL's that stay. */
        if (round > 0) {
            assert_int_equal(atomic_load(&openssl_live), openssl_before);
        }
    }
    air_openssl_generation_free(NULL);
}

static void leaves_the_error_queue_as_it_was(void **state) {
    (void)state;
    struct air_openssl_generation *generation = begin(AIR_KEY_RSA_2048);
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 7);
    make_steps(generation, 5);
    air_openssl_generation_free(generation);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 7);
    assert_int_equal(ERR_get_error(), 0);
}

static enum air_error make_once(void *context) {
    struct air_openssl_generation *generation = NULL;
    uint64_t key = 0;
    (void)context;
    enum air_error error = air_openssl_generation_new(crypto, AIR_KEY_ECDSA_P256, &generation);
    if (error == AIR_OK) {
        error = air_openssl_generation_step(generation, &key);
    }
    air_openssl_generation_free(generation);
    crypto->key_free(crypto->self, key);
    return error;
}

static void survives_each_allocation_failing(void **state) {
    (void)state;
    air_test_each_allocation(make_once, NULL);
}

static int make_port(void **state) {
    (void)state;
    return air_crypto_openssl_new(&crypto) == AIR_OK ? 0 : -1;
}

static int free_port(void **state) {
    (void)state;
    air_crypto_openssl_free(crypto);
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_before_the_last_step),
        cmocka_unit_test(makes_keys_of_every_type),
        cmocka_unit_test(refuses_other_types),
        cmocka_unit_test(ends_once),
        cmocka_unit_test(works_beside_others),
        cmocka_unit_test(changes_threads),
        cmocka_unit_test(runs_on_several_threads_at_once),
        cmocka_unit_test(abandoned_anywhere_it_leaves_nothing_behind),
        cmocka_unit_test(leaves_the_error_queue_as_it_was),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    /* Before OpenSSL allocates anything. */
    if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1) {
        return 1;
    }
    return cmocka_run_group_tests(tests, make_port, free_port);
}
