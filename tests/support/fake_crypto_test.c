/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the fake port keeps the promises of thinair/crypto.h that the engine's tests rely
 * on: the same seed gives the same run, keys survive their PEM, a chain issued for a request is
 * accepted, and each way of not being what was ordered is refused with a reason.
 */

#include "tests/support/fake_crypto.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/pem.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_certificate.h"
#include "tests/support/test.h"

#define NOW_MS INT64_C(1795446245000)
#define DAY_MS INT64_C(86400000)

static const air_span names[] = {{(const uint8_t *)"example.net", 11},
    {(const uint8_t *)"*.example.net", 13}, {(const uint8_t *)"example.org", 11}};

struct fixture {
    struct air_crypto *crypto;
    uint64_t key;
    struct air_buffer csr;
    struct air_buffer chain;
    struct air_buffer reason;
};

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.crypto = air_fake_crypto_new(42);
    air_buffer_init(&fixture.csr, AIR_CSR_SIZE_MAX);
    air_buffer_init(&fixture.chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&fixture.reason, AIR_REASON_SIZE_MAX);
    struct air_crypto *crypto = fixture.crypto;
    assert_ok(crypto->key_generate(crypto->self, AIR_KEY_ECDSA_P256, &fixture.key));
    assert_ok(crypto->csr_create(crypto->self, fixture.key, NULL, names, 2, false, &fixture.csr));
    assert_ok(air_fake_certificate_issue(
        air_buffer_span(&fixture.csr), NOW_MS - DAY_MS, NOW_MS + 89 * DAY_MS, 7, &fixture.chain));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    air_buffer_deinit(&fixture->reason);
    air_buffer_deinit(&fixture->chain);
    air_buffer_deinit(&fixture->csr);
    air_fake_crypto_free(fixture->crypto);
    return air_memory_live() == 0 ? 0 : -1;
}

static enum air_error check(struct fixture *fixture, const struct air_certificate_wish *wish) {
    air_buffer_clear(&fixture->reason);
    return fixture->crypto->certificate_check(
        fixture->crypto->self, air_buffer_span(&fixture->chain), wish, &fixture->reason);
}

static void check_refused(
    struct fixture *fixture, const struct air_certificate_wish *wish, const char *reason) {
    assert_int_equal(check(fixture, wish), AIR_ERR_BAD_CERTIFICATE);
    assert_span(air_buffer_span(&fixture->reason), reason);
}

static void accepts_the_chain_that_answers_its_request(void **state) {
    struct fixture *fixture = *state;
    const air_span swapped[] = {names[1], names[0]};
    struct air_certificate_wish wish = {
        .key = fixture->key, .names = swapped, .names_count = 2, .now_wall_ms = NOW_MS};
    assert_ok(check(fixture, &wish));
    struct air_certificate_info info;
    assert_ok(fixture->crypto->certificate_read(
        fixture->crypto->self, air_buffer_span(&fixture->chain), &info));
    assert_true(info.not_after_ms == NOW_MS + 89 * DAY_MS);
    assert_int_equal(info.key_type, AIR_KEY_ECDSA_P256);
    assert_memory_equal(info.serial, "\0\0\0\0\0\0\0\7", info.serial_size);
}

static void refuses_what_was_not_ordered(void **state) {
    struct fixture *fixture = *state;
    const struct air_certificate_wish right = {
        .key = fixture->key, .names = names, .names_count = 2, .now_wall_ms = NOW_MS};
    struct air_certificate_wish wish = right;
    assert_ok(fixture->crypto->key_generate(fixture->crypto->self, AIR_KEY_ECDSA_P256, &wish.key));
    check_refused(fixture, &wish, "the certificate has another key");
    wish = right;
    wish.names_count = 1;
    check_refused(fixture, &wish, "the certificate has other names");
    wish.names_count = 3;
    check_refused(fixture, &wish, "the certificate has other names");
    wish = right;
    wish.now_wall_ms = NOW_MS - 2 * DAY_MS;
    check_refused(fixture, &wish, "the certificate is not valid yet");
    wish.now_wall_ms = NOW_MS + 89 * DAY_MS;
    check_refused(fixture, &wish, "the certificate has expired");
    wish = right;
    wish.previous_chain = air_buffer_span(&fixture->chain);
    check_refused(fixture, &wish, "it is the certificate that is served now");
}

static void refuses_broken_chains(void **state) {
    struct fixture *fixture = *state;
    const struct air_certificate_wish wish = {
        .key = fixture->key, .names = names, .names_count = 2, .now_wall_ms = NOW_MS};
    air_span rest = air_buffer_span(&fixture->chain);
    air_span leaf;
    air_span label;
    assert_true(air_pem_next(&rest, &leaf, &label, NULL));
    size_t leaf_size = leaf.size;
    for (size_t size = 0; size < fixture->chain.size; size++) {
        struct air_buffer whole = fixture->chain;
        fixture->chain.size = size;
        enum air_error error = check(fixture, &wish);
        fixture->chain = whole;
        bool is_whole = size == leaf_size || size + 1 == leaf_size || size + 1 == whole.size;
        assert_int_equal(error, is_whole ? AIR_OK : AIR_ERR_MALFORMED);
    }
    leaf = air_span_of(fixture->chain.data, leaf_size);
    air_buffer_append_text(&fixture->chain, "# not a certificate\n");
    assert_int_equal(check(fixture, &wish), AIR_ERR_MALFORMED);
    air_buffer_truncate(&fixture->chain, leaf_size);
    uint8_t copy[4096];
    assert_true(leaf_size <= sizeof(copy));
    memcpy(copy, fixture->chain.data, leaf_size);
    assert_ok(air_buffer_append(&fixture->chain, copy, leaf_size));
    check_refused(fixture, &wish, "a certificate is not signed by the next one");
    for (size_t i = 0; i < AIR_CHAIN_COUNT_MAX; i++) {
        assert_ok(air_buffer_append(&fixture->chain, copy, leaf_size));
    }
    check_refused(fixture, &wish, "the chain has too many certificates");
}

static void keys_survive_their_pem(void **state) {
    struct fixture *fixture = *state;
    struct air_crypto *crypto = fixture->crypto;
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    for (unsigned type = AIR_KEY_ECDSA_P256; type <= AIR_KEY_RSA_4096; type++) {
        uint64_t key = 0;
        uint64_t back = 0;
        struct air_public_key public_key;
        struct air_public_key public_back;
        size_t count_before = air_fake_crypto_keys_count(crypto);
        air_buffer_clear(&pem);
        assert_ok(crypto->key_generate_slow(crypto->self, (enum air_key_type)type, &key));
        assert_ok(crypto->key_export(crypto->self, key, &pem));
        assert_ok(crypto->key_import(crypto->self, air_buffer_span(&pem), &back));
        assert_int_not_equal(key, back);
        assert_ok(crypto->key_public(crypto->self, key, &public_key));
        assert_ok(crypto->key_public(crypto->self, back, &public_back));
        assert_memory_equal(&public_key, &public_back, sizeof(public_key));
        assert_int_equal(air_fake_crypto_keys_count(crypto), count_before + 2);
        crypto->key_free(crypto->self, key);
        crypto->key_free(crypto->self, back);
        crypto->key_free(crypto->self, back);
        crypto->key_free(crypto->self, 0);
        assert_int_equal(air_fake_crypto_keys_count(crypto), count_before);
        assert_int_equal(crypto->key_public(crypto->self, key, &public_key), AIR_ERR_BAD_KEY);
    }
    assert_int_equal(
        crypto->key_import(crypto->self, air_buffer_span(&fixture->chain), &(uint64_t){0}),
        AIR_ERR_MALFORMED);
    assert_int_equal(
        crypto->key_import(crypto->self,
            SPAN("-----BEGIN PRIVATE KEY-----\nQUFB\n-----END PRIVATE KEY-----\n"), &(uint64_t){0}),
        AIR_ERR_BAD_KEY);
    air_buffer_deinit(&pem);
}

static void hands_rsa_keys_out_as_slow_work(void **state) {
    struct fixture *fixture = *state;
    struct air_crypto *crypto = fixture->crypto;
    uint64_t key = 0;
    assert_int_equal(crypto->key_generate(crypto->self, AIR_KEY_RSA_2048, &key), AIR_ERR_LATER);
    assert_int_equal(crypto->key_generate(crypto->self, AIR_KEY_NONE, &key), AIR_ERR_UNSUPPORTED);
    assert_int_equal(
        crypto->key_generate_slow(crypto->self, AIR_KEY_NONE, &key), AIR_ERR_UNSUPPORTED);
}

static void repeats_itself_for_the_same_seed(void **state) {
    struct fixture *fixture = *state;
    struct air_crypto *same = air_fake_crypto_new(42);
    struct air_crypto *other = air_fake_crypto_new(43);
    struct air_public_key keys[3];
    struct air_crypto *ports[] = {fixture->crypto, same, other};
    for (size_t i = 0; i < 3; i++) {
        uint64_t key = fixture->key;
        if (i > 0) {
            assert_ok(ports[i]->key_generate(ports[i]->self, AIR_KEY_ECDSA_P256, &key));
        }
        assert_ok(ports[i]->key_public(ports[i]->self, key, &keys[i]));
    }
    assert_memory_equal(&keys[0], &keys[1], sizeof(keys[0]));
    assert_memory_not_equal(&keys[0], &keys[2], sizeof(keys[0]));
    air_fake_crypto_free(other);
    air_fake_crypto_free(same);
}

static void visit_name(void *context, air_span name) {
    size_t *count = context;
    assert_true(air_span_equal(name, names[*count]));
    ++*count;
}

static void reads_requests_and_names(void **state) {
    struct fixture *fixture = *state;
    struct air_fake_csr csr;
    size_t count = 0;
    assert_ok(air_fake_csr_read(air_buffer_span(&fixture->csr), &csr));
    assert_int_equal(csr.names_count, 2);
    assert_false(csr.must_staple);
    assert_ok(fixture->crypto->certificate_names(
        fixture->crypto->self, air_buffer_span(&fixture->chain), visit_name, &count));
    assert_int_equal(count, 2);
    assert_int_equal(air_fake_csr_read(SPAN("fake csr 2\n"), &csr), AIR_ERR_MALFORMED);
    assert_int_equal(air_fake_csr_read(SPAN("fake csr 1\n"), &csr), AIR_ERR_MALFORMED);
    assert_int_equal(air_fake_csr_read(SPAN("fake csr 1\nother line\n"), &csr), AIR_ERR_MALFORMED);
}

static void requests_carry_their_subject(void **state) {
    struct fixture *fixture = *state;
    struct air_crypto *crypto = fixture->crypto;
    const struct air_subject subject = {.country = SPAN("CH"), .organization = SPAN("Two words")};
    struct air_fake_csr csr;
    air_buffer_clear(&fixture->csr);
    assert_ok(
        crypto->csr_create(crypto->self, fixture->key, &subject, names, 2, true, &fixture->csr));
    assert_ok(air_fake_csr_read(air_buffer_span(&fixture->csr), &csr));
    assert_true(csr.must_staple);
    assert_span(csr.subject.country, "CH");
    assert_span(csr.subject.organization, "Two words");
    assert_int_equal(csr.subject.state.size + csr.subject.locality.size, 0);
}

static void makes_challenge_certificates(void **state) {
    struct fixture *fixture = *state;
    struct air_crypto *crypto = fixture->crypto;
    static const uint8_t digest[AIR_SHA256_SIZE] = {1, 2, 3};
    struct air_buffer certificate;
    struct air_buffer key_pem;
    struct air_fake_certificate read;
    uint64_t key = 0;
    air_buffer_init(&certificate, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&key_pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(crypto->challenge_certificate(
        crypto->self, names[0], digest, NOW_MS, &certificate, &key_pem));
    assert_ok(air_fake_certificate_read(air_buffer_span(&certificate), &read));
    assert_true(read.has_challenge);
    assert_memory_equal(read.challenge, digest, sizeof(digest));
    assert_ok(crypto->key_import(crypto->self, air_buffer_span(&key_pem), &key));
    air_fake_certificate_deinit(&read);
    air_buffer_deinit(&key_pem);
    air_buffer_deinit(&certificate);
}

static enum air_error live_a_life(void *context) {
    (void)context;
    struct air_crypto *crypto = air_fake_crypto_new(1);
    if (crypto == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    uint64_t key = 0;
    struct air_buffer csr;
    struct air_buffer chain;
    struct air_buffer reason;
    air_buffer_init(&csr, AIR_CSR_SIZE_MAX);
    air_buffer_init(&chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&reason, AIR_REASON_SIZE_MAX);
    enum air_error error = crypto->key_generate(crypto->self, AIR_KEY_ECDSA_P256, &key);
    if (error == AIR_OK) {
        error = crypto->csr_create(crypto->self, key, NULL, names, 2, true, &csr);
    }
    if (error == AIR_OK) {
        error =
            air_fake_certificate_issue(air_buffer_span(&csr), NOW_MS, NOW_MS + DAY_MS, 1, &chain);
    }
    if (error == AIR_OK) {
        struct air_certificate_wish wish = {
            .key = key, .names = names, .names_count = 2, .now_wall_ms = NOW_MS};
        error = crypto->certificate_check(crypto->self, air_buffer_span(&chain), &wish, &reason);
    }
    air_buffer_deinit(&reason);
    air_buffer_deinit(&chain);
    air_buffer_deinit(&csr);
    air_fake_crypto_free(crypto);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(live_a_life, NULL);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(accepts_the_chain_that_answers_its_request),
        with_fixture(refuses_what_was_not_ordered),
        with_fixture(refuses_broken_chains),
        with_fixture(keys_survive_their_pem),
        with_fixture(hands_rsa_keys_out_as_slow_work),
        with_fixture(repeats_itself_for_the_same_seed),
        with_fixture(reads_requests_and_names),
        with_fixture(requests_carry_their_subject),
        with_fixture(makes_challenge_certificates),
        with_fixture(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
