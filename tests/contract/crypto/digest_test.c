/* SPDX-License-Identifier: MIT */
/*
 * Proven: digests and MACs are those of published vectors (FIPS 180-4, RFC 4231), also of nothing.
 *
 * Random bytes fill exactly the place they are asked for, and are not the same twice; how random
 * they are is not for a test to say.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "tests/contract/crypto/suite.h"

static void assert_hex(const uint8_t digest[AIR_SHA256_SIZE], const char *hex) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_SHA256_SIZE);
    assert_ok(air_hex_encode(air_span_of(digest, AIR_SHA256_SIZE), &text));
    assert_span(air_buffer_span(&text), hex);
    air_buffer_deinit(&text);
}

static void hashes_published_messages(void **state) {
    const struct air_crypto *port = *state;
    uint8_t digest[AIR_SHA256_SIZE];
    assert_ok(port->sha256(port->self, SPAN("abc"), digest));
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(port->sha256(port->self, air_span_of(NULL, 0), digest));
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 sections 4.2, 4.3 and 4.7: the last has a key longer than a block. */
static void authenticates_published_messages(void **state) {
    const struct air_crypto *port = *state;
    uint8_t mac[AIR_SHA256_SIZE];
    uint8_t key[131];
    memset(key, 0x0b, sizeof(key));
    assert_ok(port->hmac_sha256(port->self, air_span_of(key, 20), SPAN("Hi There"), mac));
    assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_ok(
        port->hmac_sha256(port->self, SPAN("Jefe"), SPAN("what do ya want for nothing?"), mac));
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    assert_ok(port->hmac_sha256(port->self, air_span_of(key, sizeof(key)),
        SPAN("Test Using Larger Than Block-Size Key - Hash Key First"), mac));
    assert_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void authenticates_nothing_with_nothing(void **state) {
    const struct air_crypto *port = *state;
    uint8_t mac[AIR_SHA256_SIZE];
    assert_ok(port->hmac_sha256(port->self, air_span_of(NULL, 0), air_span_of(NULL, 0), mac));
    assert_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void fills_what_it_is_given_and_no_more(void **state) {
    const struct air_crypto *port = *state;
    uint8_t first[66] = {0};
    uint8_t second[66] = {0};
    assert_ok(port->random(port->self, first + 1, 64));
    assert_ok(port->random(port->self, second + 1, 64));
    assert_int_equal(first[0], 0);
    assert_int_equal(first[65], 0);
    assert_memory_not_equal(first + 1, second + 1, 64);
    assert_ok(port->random(port->self, first, 0));
}

int air_contract_digest(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(hashes_published_messages),
        CONTRACT_TEST(authenticates_published_messages),
        CONTRACT_TEST(authenticates_nothing_with_nothing),
        CONTRACT_TEST(fills_what_it_is_given_and_no_more),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
