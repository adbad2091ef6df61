/* SPDX-License-Identifier: MIT */
/*
 * What is proven: keys that the user brings, an account's or a certificate's, are what is stored
 * and ordered with, for every generation, and so is a subject; what cannot be used is refused
 * before anything is ordered; a stored account key is never replaced. How: against the fake CA and
 * a storage in memory; the crypto port is asked through a listener.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define URL "https://ca.test/dir"

struct world {
    struct air_engine_world around;
    struct air_buffer pem; /* a P-256 key */
    struct air_buffer other_pem;
};

static void make_key(struct world *world, enum air_key_type type, struct air_buffer *pem) {
    uint64_t key = 0;
    air_buffer_init(pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(world->around.crypto->key_generate_slow(world->around.crypto->self, type, &key));
    assert_ok(world->around.crypto->key_export(world->around.crypto->self, key, pem));
    world->around.crypto->key_free(world->around.crypto->self, key);
}

static int begin(void **state) {
    static struct world world;
    air_engine_world_init(&world.around);
    assert_ok(air_fake_host_start(&world.around.host));
    make_key(&world, AIR_KEY_ECDSA_P256, &world.pem);
    make_key(&world, AIR_KEY_RSA_2048, &world.other_pem);
    *state = &world;
    return 0;
}

static int end(void **state) {
    struct world *world = *state;
    air_buffer_deinit(&world->pem);
    air_buffer_deinit(&world->other_pem);
    air_engine_world_deinit(&world->around);
    return 0;
}

static enum air_error set_authority(struct world *world, const char *account, air_span key) {
    const struct air_authority_spec spec = {.size = sizeof spec,
        .directory_url = SPAN(URL),
        .account = air_span_text(account),
        .account_key = key,
        .terms_agreed = true};
    return air_engine_authority_set(world->around.host.engine, &spec);
}

static enum air_error set_certificate(struct world *world, const char *account,
    enum air_key_type type, air_span key, struct air_buffer *reason) {
    const air_span name = SPAN("example.net");
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = &name,
        .names_count = 1,
        .key_types = &type,
        .key_types_count = 1,
        .keys = &key,
        .directory_url = SPAN(URL),
        .account = air_span_text(account)};
    return air_engine_certificate_set(world->around.host.engine, &spec, reason);
}

static void expect_record(struct world *world, const char *path, air_span value) {
    struct air_buffer out;
    uint64_t version = 0;
    air_buffer_init(&out, AIR_STORAGE_VALUE_SIZE_MAX);
    assert_ok(world->around.storage->read(
        world->around.storage->self, air_span_text(path), &out, &version));
    assert_true(air_span_equal(air_buffer_span(&out), value));
    air_buffer_deinit(&out);
}

static void orders_every_generation_with_the_given_key(void **state) {
    struct world *world = *state;
    const air_span key = air_buffer_span(&world->pem);
    assert_ok(set_authority(world, "", SPAN("")));
    assert_ok(set_certificate(world, "", AIR_KEY_ECDSA_P256, key, NULL));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
    expect_record(world, "certificates/example.net/ecdsa-p256/generations/000001/key.pem", key);
    assert_ok(air_engine_certificate_renew(world->around.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 2);
    expect_record(world, "certificates/example.net/ecdsa-p256/generations/000002/key.pem", key);
}

static void makes_a_key_where_none_is_given(void **state) {
    struct world *world = *state;
    assert_ok(set_authority(world, "", SPAN("")));
    assert_ok(set_certificate(world, "", AIR_KEY_ECDSA_P256, SPAN(""), NULL));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
}

static void refuses_given_keys_before_it_orders(void **state) {
    struct world *world = *state;
    struct air_buffer reason;
    air_buffer_init(&reason, 512);
    assert_ok(set_authority(world, "", SPAN("")));
    assert_int_equal(
        set_certificate(world, "", AIR_KEY_ECDSA_P256, air_buffer_span(&world->other_pem), &reason),
        AIR_ERR_BAD_KEY);
    assert_span(air_buffer_span(&reason), "the given key cannot be read as ecdsa-p256");
    assert_int_equal(
        set_certificate(world, "", AIR_KEY_ECDSA_P384, air_buffer_span(&world->pem), NULL),
        AIR_ERR_BAD_KEY);
    assert_int_equal(
        set_certificate(world, "", AIR_KEY_ECDSA_P256, SPAN("no key"), NULL), AIR_ERR_MALFORMED);
    air_buffer_deinit(&reason);
    assert_int_equal(air_engine_lineages_count(world->around.host.engine), 0);
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(air_fake_ca_counts(world->around.host.cas[0]).requests, 0);
}

/* Where the only account but the usual one is. */
static bool keep_segment(void *context, air_span segment) {
    struct air_buffer *path = context;
    air_buffer_clear(path);
    air_buffer_append_text(path, "accounts/");
    air_buffer_append_span(path, segment);
    air_buffer_append_text(path, "/key.pem");
    return air_buffer_append_byte(path, 0) == AIR_OK;
}

static void uses_and_stores_the_given_account_key(void **state) {
    struct world *world = *state;
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    assert_ok(set_authority(world, "mine", air_buffer_span(&world->other_pem)));
    assert_ok(set_certificate(world, "mine", AIR_KEY_ECDSA_P256, SPAN(""), NULL));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
    assert_ok(world->around.storage->list(
        world->around.storage->self, SPAN("accounts"), SPAN(""), keep_segment, &path));
    assert_non_null(strstr((const char *)path.data, "-mine/key.pem"));
    expect_record(world, (const char *)path.data, air_buffer_span(&world->other_pem));

    /* Once it is stored, another one does not take its place. */
    assert_ok(set_authority(world, "mine", air_buffer_span(&world->pem)));
    assert_ok(air_engine_certificate_renew(world->around.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 2);
    expect_record(world, (const char *)path.data, air_buffer_span(&world->other_pem));
    air_buffer_deinit(&path);
}

static void keeps_accounts_at_one_ca_apart(void **state) {
    struct world *world = *state;
    assert_ok(set_authority(world, "one", air_buffer_span(&world->pem)));
    assert_ok(set_authority(world, "two", SPAN("")));
    assert_int_equal(
        set_certificate(world, "", AIR_KEY_ECDSA_P256, SPAN(""), NULL), AIR_ERR_NOT_FOUND);
    assert_int_equal(
        set_certificate(world, "three", AIR_KEY_ECDSA_P256, SPAN(""), NULL), AIR_ERR_NOT_FOUND);
    assert_ok(set_certificate(world, "one", AIR_KEY_ECDSA_P256, SPAN(""), NULL));
    air_fake_host_pass(&world->around.host, 60000);
    /* Another account is no other certificate: it counts from the next order on. */
    assert_ok(set_certificate(world, "two", AIR_KEY_ECDSA_P256, SPAN(""), NULL));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
    assert_ok(air_engine_certificate_renew(world->around.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 2);
    assert_int_equal(air_fake_ca_counts(world->around.host.cas[0]).accounts, 2);
}

static void refuses_account_names_and_keys_that_cannot_be(void **state) {
    struct world *world = *state;
    char long_name[AIR_ACCOUNT_SIZE_MAX + 2];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(set_authority(world, long_name, SPAN("")), AIR_ERR_ARGUMENT);
    long_name[AIR_ACCOUNT_SIZE_MAX] = '\0';
    assert_ok(set_authority(world, long_name, SPAN("")));
    assert_int_equal(set_authority(world, "Mine", SPAN("")), AIR_ERR_ARGUMENT);
    assert_int_equal(set_authority(world, "../mine", SPAN("")), AIR_ERR_ARGUMENT);
    assert_int_equal(set_authority(world, "a b", SPAN("")), AIR_ERR_ARGUMENT);
    assert_int_equal(set_authority(world, "mine", SPAN("no key")), AIR_ERR_MALFORMED);
}

static void asks_again_for_memory(void **state) {
    struct world *world = *state;
    const int64_t live = air_memory_live();
    enum air_error error = AIR_ERR_NO_MEMORY;
    for (uint64_t n = 1; error != AIR_OK; n++) {
        air_memory_fail_at(n);
        error = set_authority(world, "mine", air_buffer_span(&world->pem));
        if (error == AIR_OK) {
            error = set_certificate(
                world, "mine", AIR_KEY_RSA_2048, air_buffer_span(&world->other_pem), NULL);
        }
        air_memory_fail_at(0);
        assert_true(error == AIR_OK || error == AIR_ERR_NO_MEMORY);
        assert_true(n < 1000);
    }
    assert_true(air_memory_live() > live);
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
}

/* What the crypto port was asked to write into requests. */
static struct {
    enum air_error (*create)(void *self, uint64_t key, const struct air_subject *subject,
        const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out);
    size_t count;
    char country[8];
    char organization[32];
} requests;

static enum air_error listen_to_requests(void *self, uint64_t key,
    const struct air_subject *subject, const air_span *names, size_t names_count, bool must_staple,
    struct air_buffer *out) {
    requests.count++;
    (void)snprintf(requests.country, sizeof requests.country, "%.*s", (int)subject->country.size,
        (const char *)subject->country.data);
    (void)snprintf(requests.organization, sizeof requests.organization, "%.*s",
        (int)subject->organization.size, (const char *)subject->organization.data);
    return requests.create(self, key, subject, names, names_count, must_staple, out);
}

static enum air_error ask_for(
    struct world *world, const char *country, const char *organization, struct air_buffer *reason) {
    const air_span name = SPAN("example.net");
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = &name,
        .names_count = 1,
        .directory_url = SPAN(URL),
        .subject = {
            .country = air_span_text(country), .organization = air_span_text(organization)}};
    return air_engine_certificate_set(world->around.host.engine, &spec, reason);
}

static void asks_for_the_given_subject(void **state) {
    struct world *world = *state;
    char organization[] = "Example";
    requests.create = world->around.crypto->csr_create;
    requests.count = 0;
    world->around.crypto->csr_create = listen_to_requests;
    assert_ok(set_authority(world, "", SPAN("")));
    assert_ok(ask_for(world, "CH", organization, NULL));
    memset(organization, 'x', sizeof organization - 1); /* it was copied */
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
    assert_int_equal(requests.count, 1);
    assert_string_equal(requests.country, "CH");
    assert_string_equal(requests.organization, "Example");

    /* A changed one is no reason to order; the next order has it. */
    assert_ok(ask_for(world, "", "Other", NULL));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 1);
    assert_int_equal(requests.count, 1);
    assert_ok(air_engine_certificate_renew(world->around.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world->around.host, 60000);
    assert_int_equal(world->around.host.served_generation, 2);
    assert_string_equal(requests.country, "");
    assert_string_equal(requests.organization, "Other");
}

static void refuses_a_subject_before_it_orders(void **state) {
    struct world *world = *state;
    struct air_buffer reason;
    air_buffer_init(&reason, 512);
    assert_ok(set_authority(world, "", SPAN("")));
    assert_int_equal(ask_for(world, "Schweiz", "", &reason), AIR_ERR_ARGUMENT);
    assert_span(air_buffer_span(&reason), "a country is two letters: Schweiz");
    air_buffer_deinit(&reason);
    assert_int_equal(air_engine_lineages_count(world->around.host.engine), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(orders_every_generation_with_the_given_key),
        TEST(makes_a_key_where_none_is_given),
        TEST(refuses_given_keys_before_it_orders),
        TEST(uses_and_stores_the_given_account_key),
        TEST(keeps_accounts_at_one_ca_apart),
        TEST(refuses_account_names_and_keys_that_cannot_be),
        TEST(asks_again_for_memory),
        TEST(asks_for_the_given_subject),
        TEST(refuses_a_subject_before_it_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
