/* SPDX-License-Identifier: MIT */
/*
 * The contract on the OpenSSL backend, and what only that backend promises: it answers at once but
 * for making RSA keys, and it leaves the host's error queue as it found it, empty or not, whether
 * it succeeds or refuses.
 */

#include <openssl/err.h>

#include "tests/contract/crypto/suite.h"
#include "tests/support/allocation.h"
#include "thinair/openssl.h"

static const uint8_t digest[AIR_SHA256_SIZE];

/* Call every method that can make OpenSSL fail inside, so that it is refused. */
static void be_refused(const struct air_crypto *port) {
    const air_span certificate =
        SPAN("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    const air_span key = SPAN("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    const air_span name = SPAN("-");
    struct air_public_key public_key = {
        .type = AIR_KEY_ECDSA_P256, .x_or_n_size = 32, .y_or_e_size = 32};
    struct air_certificate_info info;
    struct air_certificate_wish wish = {.names = &name, .names_count = 1};
    struct air_buffer out;
    uint64_t handle = 0;
    air_buffer_init(&out, 10);
    assert_ok(port->key_generate(port->self, AIR_KEY_ECDSA_P256, &wish.key));
    assert_int_equal(port->key_import(port->self, key, &handle), AIR_ERR_BAD_KEY);
    assert_int_equal(port->verify(port->self, &public_key, AIR_ES256, SPAN("data"), SPAN("data")),
        AIR_ERR_BAD_KEY);
    assert_int_equal(port->certificate_read(port->self, certificate, &info), AIR_ERR_MALFORMED);
    assert_int_equal(
        port->certificate_names(port->self, certificate, NULL, NULL), AIR_ERR_MALFORMED);
    assert_int_equal(
        port->certificate_check(port->self, certificate, &wish, &out), AIR_ERR_MALFORMED);
    air_buffer_clear(&out);
    assert_int_equal(port->key_export(port->self, wish.key, &out), AIR_ERR_LIMIT);
    assert_int_equal(
        port->csr_create(port->self, wish.key, NULL, &name, 1, false, &out), AIR_ERR_BAD_NAME);
    assert_int_equal(
        port->challenge_certificate(port->self, SPAN("example.net"), digest, INT64_MAX, &out, &out),
        AIR_ERR_ARGUMENT);
    air_buffer_deinit(&out);
}

static void leaves_an_empty_error_queue_empty(void **state) {
    ERR_clear_error();
    be_refused(*state);
    assert_int_equal(ERR_peek_error(), 0);
}

static void leaves_the_hosts_errors_in_the_queue(void **state) {
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 42);
    ERR_raise(ERR_LIB_USER, 43);
    be_refused(*state);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 43);
    assert_int_equal(ERR_get_error(), 0);
}

static void makes_only_rsa_keys_later(void **state) {
    const struct air_crypto *port = *state;
    const enum air_key_type slow[] = {AIR_KEY_RSA_2048, AIR_KEY_RSA_3072, AIR_KEY_RSA_4096};
    uint64_t key = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(port->key_generate(port->self, slow[i], &key), AIR_ERR_LATER);
    }
    assert_int_equal(key, 0);
    assert_ok(port->key_generate(port->self, AIR_KEY_ECDSA_P256, &key));
    assert_ok(port->key_generate(port->self, AIR_KEY_ECDSA_P384, &key));
}

static void signs_at_once_with_rsa(void **state) {
    const struct air_crypto *port = *state;
    uint64_t key = 0;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    assert_ok(port->key_generate_slow(port->self, AIR_KEY_RSA_2048, &key));
    assert_ok(port->key_sign(port->self, key, AIR_RS256, SPAN("data"), signature, &size));
    assert_int_equal(size, 256);
}

static enum air_error open_and_close(void *context) {
    struct air_crypto *crypto = NULL;
    (void)context;
    enum air_error error = air_crypto_openssl_new(&crypto);
    air_crypto_openssl_free(crypto);
    return error;
}

static void opening_survives_failing_allocations(void **state) {
    (void)state;
    air_test_each_allocation(open_and_close, NULL);
}

static void says_its_size(void **state) {
    const struct air_crypto *port = *state;
    assert_int_equal(port->size, sizeof(struct air_crypto));
}

int main(void) {
    const struct air_crypto_backend backend = {
        "openssl", air_crypto_openssl_new, air_crypto_openssl_free};
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(leaves_an_empty_error_queue_empty),
        CONTRACT_TEST(leaves_the_hosts_errors_in_the_queue),
        CONTRACT_TEST(makes_only_rsa_keys_later),
        CONTRACT_TEST(signs_at_once_with_rsa),
        CONTRACT_TEST(opening_survives_failing_allocations),
        CONTRACT_TEST(says_its_size),
    };
    int failed_count = air_contract_run(&backend);
    failed_count += cmocka_run_group_tests_name("openssl only", tests, NULL, NULL);
    return failed_count == 0 ? 0 : 1;
}
