/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the external account binding of a known key, kid and URL has the signature that was
 * computed elsewhere; MAC keys are taken as CAs hand them out; what is no key or names no account
 * is refused. SHA-256 and HMAC of the fake port agree with FIPS 180-4 and RFC 4231.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/sha256.h"
#include "tests/support/test.h"
#include "thinair/jose.h"

#define MAC_KEY "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
#define URL "https://localhost:14000/sign-me-up"
#define EC_JWK                                                                                     \
    "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static struct air_crypto *crypto;
static struct air_public_key account_key;

static int set_up(void **state) {
    (void)state;
    crypto = air_fake_crypto_new(1);
    return air_jwk_read(SPAN(EC_JWK), &account_key) == AIR_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    air_fake_crypto_free(crypto);
    return air_memory_live() == 0 ? 0 : -1;
}

static void make_expected(struct air_buffer *out) {
    air_buffer_append_text(out, "{\"protected\":\"");
    air_base64url_encode(SPAN("{\"alg\":\"HS256\",\"kid\":\"kid-1\",\"url\":\"" URL "\"}"), out);
    air_buffer_append_text(out, "\",\"payload\":\"");
    air_base64url_encode(SPAN(EC_JWK), out);
    air_buffer_append_text(
        out, "\",\"signature\":\"JerwpBYp3xRnaRwF0vv3m5APeHVVv3mUOj5VJ_9KHcs\"}");
    assert_ok(air_buffer_append_byte(out, 0));
}

static void check_bound(const char *mac_key) {
    struct air_buffer expected;
    struct air_buffer out;
    air_buffer_init(&expected, 4096);
    air_buffer_init(&out, 4096);
    make_expected(&expected);
    assert_ok(air_jws_bind_external_account(
        crypto, SPAN("kid-1"), air_span_text(mac_key), SPAN(URL), &account_key, &out));
    assert_span(air_buffer_span(&out), (const char *)expected.data);
    air_buffer_deinit(&out);
    air_buffer_deinit(&expected);
}

static void check_refused(
    air_span kid, air_span mac_key, const struct air_public_key *key, enum air_error expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before");
    assert_int_equal(
        air_jws_bind_external_account(crypto, kid, mac_key, SPAN(URL), key, &out), expected);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

static void agrees_with_the_known_binding(void **state) {
    (void)state;
    check_bound(MAC_KEY);
}

/* The known key has no byte of '-' or '_', so the other alphabet is tried in base64url_test. */
static void takes_mac_keys_as_people_paste_them(void **state) {
    (void)state;
    check_bound(MAC_KEY "\n");
    check_bound("  " MAC_KEY "  ");
    check_bound("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV\r\nIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\r\n");
}

static void refuses_what_is_no_mac_key(void **state) {
    (void)state;
    static const char *const keys[] = {"", " \n", "z", "zWND=", "====", "zWND,ZM6e", "zWNDé"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        check_refused(SPAN("kid-1"), air_span_text(keys[i]), &account_key, AIR_ERR_MALFORMED);
    }
}

static void refuses_an_empty_kid_and_a_broken_account_key(void **state) {
    (void)state;
    struct air_public_key none = {0};
    check_refused(SPAN(""), SPAN(MAC_KEY), &account_key, AIR_ERR_MALFORMED);
    check_refused(SPAN("kid-1"), SPAN(MAC_KEY), &none, AIR_ERR_BAD_KEY);
}

static void hands_on_a_failure_of_the_port(void **state) {
    (void)state;
    air_fake_crypto_fail_at(crypto, 1, AIR_ERR_CRYPTO);
    check_refused(SPAN("kid-1"), SPAN(MAC_KEY), &account_key, AIR_ERR_CRYPTO);
}

static void check_digest(const uint8_t digest[AIR_SHA256_SIZE], const char *expected) {
    struct air_buffer hex;
    air_buffer_init(&hex, 64);
    assert_ok(air_hex_encode(air_span_of(digest, AIR_SHA256_SIZE), &hex));
    assert_span(air_buffer_span(&hex), expected);
    air_buffer_deinit(&hex);
}

/* FIPS 180-4's examples, and RFC 4231 test cases 2 and 6. */
static void hashes_agree_with_their_standards(void **state) {
    (void)state;
    uint8_t digest[AIR_SHA256_SIZE];
    uint8_t long_key[131];
    air_sha256_of(SPAN(""), digest);
    check_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    air_sha256_of(SPAN("abc"), digest);
    check_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    air_sha256_of(SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), digest);
    check_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    air_sha256_hmac(SPAN("Jefe"), SPAN("what do ya want for nothing?"), digest);
    check_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(long_key, 0xAA, sizeof(long_key));
    air_sha256_hmac(air_span_of(long_key, sizeof(long_key)),
        SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), digest);
    check_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static enum air_error bind_account(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    enum air_error error = air_jws_bind_external_account(
        crypto, SPAN("kid-1"), SPAN(MAC_KEY), SPAN(URL), &account_key, &out);
    assert_true(error == AIR_OK || out.size == 0);
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(bind_account, NULL);
}

#define with_crypto(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_crypto(agrees_with_the_known_binding),
        with_crypto(takes_mac_keys_as_people_paste_them),
        with_crypto(refuses_what_is_no_mac_key),
        with_crypto(refuses_an_empty_kid_and_a_broken_account_key),
        with_crypto(hands_on_a_failure_of_the_port),
        with_crypto(hashes_agree_with_their_standards),
        with_crypto(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
