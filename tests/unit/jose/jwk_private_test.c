/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a private JWK becomes a PEM that a real crypto port imports as the same key, numbers
 * with leading zeros and top bits included; one with a part missing or of a wrong width is refused.
 * Private RSA numbers, which are long, are in tests/unit/haproxy/jose_key_test.lua.
 */

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "thinair/jose.h"
#include "thinair/openssl.h"

/* RFC 7515 appendix A.3.1. */
#define EC_PUBLIC                                                                                  \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"

/* A modulus of 2048 bits that is no key's: the form is judged before the numbers are. */
#define A_64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define MODULUS "_" A_64 A_64 A_64 A_64 A_64 "AAAAAAAAAAAAAAAAAAAAA"
#define RSA_PUBLIC "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" MODULUS "\""

static int set_up(void **state) {
    struct air_crypto *crypto = NULL;
    enum air_error error = air_crypto_openssl_new(&crypto);
    *state = crypto;
    return error == AIR_OK ? 0 : -1;
}

static int tear_down(void **state) {
    air_crypto_openssl_free(*state);
    return air_memory_live() == 0 ? 0 : -1;
}

static void check_refused(const char *jwk, enum air_error expected) {
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_append_text(&pem, "before");
    enum air_error error = air_jwk_private_read(air_span_text(jwk), &pem);
    if (error != expected || pem.size != 6) {
        fail_msg("%s: %s", jwk, air_error_name(error));
    }
    air_buffer_deinit(&pem);
}

static void what_is_read_is_imported_as_the_same_key(void **state) {
    const struct air_crypto *crypto = *state;
    struct air_buffer pem;
    uint64_t key = 0;
    struct air_public_key imported;
    struct air_public_key expected;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(air_jwk_private_read(SPAN(EC_PUBLIC ",\"d\":\"" EC_D "\"}"), &pem));
    assert_true(air_span_starts_with(air_buffer_span(&pem), "-----BEGIN EC PRIVATE KEY-----\n"));
    assert_ok(crypto->key_import(crypto->self, air_buffer_span(&pem), &key));
    assert_ok(crypto->key_public(crypto->self, key, &imported));
    assert_ok(air_jwk_read(SPAN(EC_PUBLIC "}"), &expected));
    assert_memory_equal(&imported, &expected, sizeof(expected));
    air_buffer_deinit(&pem);
    crypto->key_free(crypto->self, key);
}

static void the_port_refuses_halves_that_do_not_belong_together(void **state) {
    const struct air_crypto *crypto = *state;
    struct air_buffer pem;
    uint64_t key = 0;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(air_jwk_private_read(
        SPAN(EC_PUBLIC ",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}"), &pem));
    assert_int_equal(
        crypto->key_import(crypto->self, air_buffer_span(&pem), &key), AIR_ERR_BAD_KEY);
    air_buffer_deinit(&pem);
}

/* SEC 1 and X.690 by hand: 30 77 02 01 01 04 20 ..., and lines of 64 characters. */
static void writes_the_form_of_rfc_5915(void **state) {
    (void)state;
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(air_jwk_private_read(SPAN(EC_PUBLIC ",\"d\":\"" EC_D "\"}"), &pem));
    assert_span(air_buffer_span(&pem),
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49\n"
        "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
        "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
        "-----END EC PRIVATE KEY-----\n");
    air_buffer_deinit(&pem);
}

static void tells_that_a_key_is_public(void **state) {
    (void)state;
    check_refused(EC_PUBLIC "}", AIR_ERR_NOT_FOUND);
    check_refused(RSA_PUBLIC "}", AIR_ERR_NOT_FOUND);
}

static void refuses_a_private_half_of_a_wrong_form(void **state) {
    (void)state;
    static const char *const values[] = {"\"\"", "7", "null", "\"AA\"", "\"" EC_D "AAAA\"",
        "\"" EC_D "=\"", "\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9L\"", "[\"" EC_D "\"]"};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct air_buffer jwk;
        air_buffer_init(&jwk, 4096);
        air_buffer_append_text(&jwk, EC_PUBLIC ",\"d\":");
        air_buffer_append_text(&jwk, values[i]);
        assert_ok(air_buffer_append(&jwk, "}", 2));
        check_refused((const char *)jwk.data, AIR_ERR_MALFORMED);
        air_buffer_deinit(&jwk);
    }
}

/* RFC 7518 section 6.3.2: the primes may be left out, but no port takes a key without them. */
static void refuses_rsa_without_its_primes(void **state) {
    (void)state;
    check_refused(RSA_PUBLIC ",\"d\":\"AQ\"}", AIR_ERR_MALFORMED);
    check_refused(RSA_PUBLIC ",\"d\":\"AQ\",\"p\":\"AQ\",\"q\":\"AQ\",\"dp\":\"AQ\",\"dq\":\"AQ\"}",
        AIR_ERR_MALFORMED);
    check_refused(RSA_PUBLIC ",\"d\":\"AQ\",\"oth\":[]}", AIR_ERR_UNSUPPORTED);
}

static void refuses_what_is_no_jwk(void **state) {
    (void)state;
    check_refused("", AIR_ERR_MALFORMED);
    check_refused("[]", AIR_ERR_MALFORMED);
    check_refused("{\"d\":\"" EC_D "\"}", AIR_ERR_MALFORMED);
    check_refused("{\"kty\":\"oct\",\"k\":\"AAAA\"}", AIR_ERR_UNSUPPORTED);
}

/* DER: a number with its top bit set has a zero octet before it, one with zeros in front has none
 * but that. */
static void writes_numbers_as_der_wants_them(void **state) {
    (void)state;
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(air_jwk_private_read(
        SPAN(RSA_PUBLIC ",\"d\":\"AAAB\",\"p\":\"gA\",\"q\":\"AA\",\"dp\":\"AIA\",\"dq\":\"fw\","
                        "\"qi\":\"AQ\"}"),
        &pem));
    air_buffer_append_byte(&pem, 0);
    /* 02 01 01, 02 02 00 80, 02 01 00, 02 02 00 80, 02 01 7F, 02 01 01 end the key. */
    assert_non_null(strstr((const char *)pem.data, "AgEBAgIAgAIBAAICAIAC\nAX8CAQE=\n-----END"));
    air_buffer_deinit(&pem);
}

static enum air_error read_private(void *context) {
    (void)context;
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error = air_jwk_private_read(SPAN(EC_PUBLIC ",\"d\":\"" EC_D "\"}"), &pem);
    if (error == AIR_OK) {
        air_buffer_clear(&pem);
        error = air_jwk_private_read(
            SPAN(RSA_PUBLIC ",\"d\":\"AQ\",\"p\":\"AQ\",\"q\":\"AQ\",\"dp\":\"AQ\",\"dq\":\"AQ\","
                            "\"qi\":\"AQ\"}"),
            &pem);
    }
    assert_true(error == AIR_OK || pem.size == 0);
    air_buffer_deinit(&pem);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_private, NULL);
}

#define with_crypto(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_crypto(what_is_read_is_imported_as_the_same_key),
        with_crypto(the_port_refuses_halves_that_do_not_belong_together),
        with_crypto(writes_the_form_of_rfc_5915),
        with_crypto(writes_numbers_as_der_wants_them),
        with_crypto(tells_that_a_key_is_public),
        with_crypto(refuses_a_private_half_of_a_wrong_form),
        with_crypto(refuses_rsa_without_its_primes),
        with_crypto(refuses_what_is_no_jwk),
        with_crypto(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
