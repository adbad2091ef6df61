/* SPDX-License-Identifier: MIT */
/*
 * Proven: every type of key can be made, given out and taken back; its public half has the widths
 * of RFC 7518 section 6, leading zeros included; handles are never 0 and never come back. OpenSSL
 * reads what is given out and says what its public half is.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <string.h>

#include "tests/contract/crypto/oracle.h"
#include "tests/contract/crypto/suite.h"
#include "tests/support/allocation.h"

/* One key in 256 has a leading zero: so many without one do not happen. */
#define TRIES_MAX 20000

static void assert_same_number(EVP_PKEY *key, const char *parameter, air_span expected) {
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    uint8_t bytes[512];
    assert_int_equal(BN_bn2binpad(number, bytes, (int)expected.size), expected.size);
    assert_memory_equal(bytes, expected.data, expected.size);
    BN_free(number);
}

static void assert_public_is(
    const struct air_crypto *port, uint64_t key, const char *x_or_n, const char *y_or_e) {
    struct air_public_key public_key;
    assert_ok(port->key_public(port->self, key, &public_key));
    EVP_PKEY *oracle = air_oracle_key(port, key);
    assert_same_number(oracle, x_or_n, air_span_of(public_key.x_or_n, public_key.x_or_n_size));
    assert_same_number(oracle, y_or_e, air_span_of(public_key.y_or_e, public_key.y_or_e_size));
    EVP_PKEY_free(oracle);
}

static void assert_round_trip(
    const struct air_crypto *port, enum air_key_type type, size_t width, const char *header) {
    uint64_t key = air_oracle_generate(port, type);
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(port->key_export(port->self, key, &pem));
    assert_true(air_span_starts_with(air_buffer_span(&pem), header));

    uint64_t again = 0;
    assert_ok(port->key_import(port->self, air_buffer_span(&pem), &again));
    assert_int_not_equal(again, key);
    struct air_public_key first;
    struct air_public_key second;
    memset(&first, 0, sizeof(first));
    memset(&second, 0, sizeof(second));
    assert_ok(port->key_public(port->self, key, &first));
    assert_ok(port->key_public(port->self, again, &second));
    assert_int_equal(first.type, type);
    assert_int_equal(first.x_or_n_size, width);
    assert_memory_equal(&first, &second, sizeof(first));
    air_buffer_deinit(&pem);
}

static void gives_and_takes_ecdsa_keys(void **state) {
    const struct air_crypto *port = *state;
    assert_round_trip(port, AIR_KEY_ECDSA_P256, 32, "-----BEGIN PRIVATE KEY-----\n");
    assert_round_trip(port, AIR_KEY_ECDSA_P384, 48, "-----BEGIN PRIVATE KEY-----\n");
}

static void gives_and_takes_rsa_keys(void **state) {
    const struct air_crypto *port = *state;
    assert_round_trip(port, AIR_KEY_RSA_2048, 256, "-----BEGIN PRIVATE KEY-----\n");
    assert_round_trip(port, AIR_KEY_RSA_3072, 384, "-----BEGIN PRIVATE KEY-----\n");
    assert_round_trip(port, AIR_KEY_RSA_4096, 512, "-----BEGIN PRIVATE KEY-----\n");
}

static void public_half_is_the_librarys(void **state) {
    const struct air_crypto *port = *state;
    assert_public_is(port, air_oracle_generate(port, AIR_KEY_ECDSA_P256), OSSL_PKEY_PARAM_EC_PUB_X,
        OSSL_PKEY_PARAM_EC_PUB_Y);
    assert_public_is(port, air_oracle_generate(port, AIR_KEY_ECDSA_P384), OSSL_PKEY_PARAM_EC_PUB_X,
        OSSL_PKEY_PARAM_EC_PUB_Y);
    assert_public_is(port, air_oracle_generate(port, AIR_KEY_RSA_2048), OSSL_PKEY_PARAM_RSA_N,
        OSSL_PKEY_PARAM_RSA_E);
}

/* RFC 7518 section 6.3.1.2: AQAB, and not a zero before it. */
static void rsa_exponent_is_minimal(void **state) {
    const struct air_crypto *port = *state;
    struct air_public_key key;
    uint64_t handle = air_oracle_generate(port, AIR_KEY_RSA_2048);
    assert_ok(port->key_public(port->self, handle, &key));
    assert_int_equal(key.y_or_e_size, 3);
    assert_memory_equal(key.y_or_e, "\x01\x00\x01", 3);
    assert_true((key.x_or_n[0] & 0x80) != 0);
}

static void assert_leading_zero_is_kept(const struct air_crypto *port, bool in_x) {
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t handle = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
        struct air_public_key key;
        assert_ok(port->key_public(port->self, handle, &key));
        assert_int_equal(key.x_or_n_size, 32);
        assert_int_equal(key.y_or_e_size, 32);
        if ((in_x ? key.x_or_n[0] : key.y_or_e[0]) == 0) {
            assert_public_is(port, handle, OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y);
            return;
        }
        port->key_free(port->self, handle);
    }
    fail_msg("no key with a leading zero in %d", TRIES_MAX);
}

/* RFC 7518 section 6.2.1.2 (R-A13). */
static void leading_zeros_of_coordinates_are_kept(void **state) {
    const struct air_crypto *port = *state;
    assert_leading_zero_is_kept(port, true);
    assert_leading_zero_is_kept(port, false);
}

static void refuses_types_that_are_none(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = 7;
    assert_int_equal(port->key_generate(port->self, AIR_KEY_NONE, &key), AIR_ERR_UNSUPPORTED);
    assert_int_equal(port->key_generate_slow(port->self, AIR_KEY_NONE, &key), AIR_ERR_UNSUPPORTED);
    assert_int_equal(
        port->key_generate_slow(port->self, (enum air_key_type)99, &key), AIR_ERR_UNSUPPORTED);
    assert_int_equal(key, 7);
}

static void answers_at_once_or_later_but_never_wrong(void **state) {
    const struct air_crypto *port = *state;
    for (int type = AIR_KEY_ECDSA_P256; type <= AIR_KEY_RSA_2048; type++) {
        uint64_t key = 0;
        enum air_error error = port->key_generate(port->self, (enum air_key_type)type, &key);
        assert_true(error == AIR_OK ? key != 0 : error == AIR_ERR_LATER && key == 0);
    }
}

static void handles_never_come_back(void **state) {
    const struct air_crypto *port = *state;
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
        assert_int_not_equal(key, last);
        port->key_free(port->self, key);
        struct air_public_key public_key;
        assert_int_equal(port->key_public(port->self, key, &public_key), AIR_ERR_ARGUMENT);
        last = key;
    }
}

static void keys_stay_apart(void **state) {
    const struct air_crypto *port = *state;
    uint64_t keys[40];
    struct air_public_key before[40];
    for (size_t i = 0; i < 40; i++) {
        keys[i] = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
        memset(&before[i], 0, sizeof(before[i]));
        assert_ok(port->key_public(port->self, keys[i], &before[i]));
    }
    for (size_t i = 0; i < 40; i += 3) {
        port->key_free(port->self, keys[i]);
    }
    for (size_t i = 0; i < 40; i++) {
        struct air_public_key after;
        memset(&after, 0, sizeof(after));
        enum air_error error = port->key_public(port->self, keys[i], &after);
        assert_int_equal(error, i % 3 == 0 ? AIR_ERR_ARGUMENT : AIR_OK);
        assert_true(error != AIR_OK || memcmp(&before[i], &after, sizeof(after)) == 0);
    }
}

static void forgetting_nothing_is_harmless(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    port->key_free(port->self, 0);
    port->key_free(port->self, UINT64_MAX);
    port->key_free(port->self, key);
    port->key_free(port->self, key);
}

static void refuses_handles_it_never_gave(void **state) {
    const struct air_crypto *port = *state;
    const uint64_t handles[] = {0, 1, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct air_buffer out;
        struct air_public_key key;
        air_buffer_init(&out, AIR_KEY_PEM_SIZE_MAX);
        assert_int_equal(port->key_export(port->self, handles[i], &out), AIR_ERR_ARGUMENT);
        assert_int_equal(port->key_public(port->self, handles[i], &key), AIR_ERR_ARGUMENT);
        assert_int_equal(out.size, 0);
        air_buffer_deinit(&out);
    }
}

static void exports_whole_or_not_at_all(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    struct air_buffer out;
    air_buffer_init(&out, 100);
    assert_ok(air_buffer_append_text(&out, "before"));
    assert_int_equal(port->key_export(port->self, key, &out), AIR_ERR_LIMIT);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static enum air_error make_export_import(void *context) {
    const struct air_crypto *port = context;
    uint64_t key = 0;
    uint64_t again = 0;
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error = port->key_generate_slow(port->self, AIR_KEY_ECDSA_P256, &key);
    if (error == AIR_OK) {
        error = port->key_export(port->self, key, &pem);
    }
    if (error == AIR_OK) {
        error = port->key_import(port->self, air_buffer_span(&pem), &again);
    }
    port->key_free(port->self, key);
    port->key_free(port->self, again);
    air_buffer_deinit(&pem);
    return error;
}

static void survives_failing_allocations(void **state) {
    const struct air_crypto *port = *state;
    /* The table's own growth outlives a run: let it happen before. */
    (void)air_oracle_generate(port, AIR_KEY_ECDSA_P256);
    air_test_each_allocation(make_export_import, *state);
}

int air_contract_key(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(gives_and_takes_ecdsa_keys),
        CONTRACT_TEST(gives_and_takes_rsa_keys),
        CONTRACT_TEST(public_half_is_the_librarys),
        CONTRACT_TEST(rsa_exponent_is_minimal),
        CONTRACT_TEST(leading_zeros_of_coordinates_are_kept),
        CONTRACT_TEST(refuses_types_that_are_none),
        CONTRACT_TEST(answers_at_once_or_later_but_never_wrong),
        CONTRACT_TEST(handles_never_come_back),
        CONTRACT_TEST(keys_stay_apart),
        CONTRACT_TEST(forgetting_nothing_is_harmless),
        CONTRACT_TEST(refuses_handles_it_never_gave),
        CONTRACT_TEST(exports_whole_or_not_at_all),
        CONTRACT_TEST(survives_failing_allocations),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
