/* SPDX-License-Identifier: MIT */
/*
 * Proven here: settings of a CA that make no sense are refused and change nothing; an account's key
 * is durable before it is used and never replaced by ours (R-E5); what is stored of an account may
 * be lost or damaged without costing a second account (R-B6); a CA that wants more than we have is
 * told to the operator, not asked again and again. How: specs with one defect each, and engines
 * against the fake CA.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/engine/authority.h"
#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define URL "https://ca.test/dir"
#define MINUTE_MS INT64_C(60000)
#define DAY_MS INT64_C(86400000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct air_engine_world world;

static int begin(void **state) {
    (void)state;
    air_engine_world_init(&world);
    assert_ok(air_fake_host_start(&world.host));
    return 0;
}

static int end(void **state) {
    (void)state;
    air_engine_world_deinit(&world);
    return air_memory_live() == 0 ? 0 : -1;
}

static struct air_authority_spec usual_spec(void) {
    return (struct air_authority_spec){.size = sizeof(struct air_authority_spec),
        .directory_url = SPAN(URL),
        .terms_agreed = true};
}

static enum air_error set(const struct air_authority_spec *spec) {
    return air_engine_authority_set(world.host.engine, spec);
}

static const struct air_authority *authority(size_t index) {
    return world.host.engine->authorities[index];
}

/* Ask for example.net with the authority as it is set. */
static void ask(void) {
    const air_span names[] = {SPAN("example.net")};
    const struct air_certificate_spec spec = {
        .size = sizeof spec, .names = names, .names_count = 1, .directory_url = SPAN(URL)};
    assert_ok(air_engine_certificate_set(world.host.engine, &spec, NULL));
}

static void issue(void) {
    const struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    ask();
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_int_equal(world.host.served_generation, 1);
}

static void restart(void) {
    air_engine_world_kill(&world);
    assert_ok(air_fake_host_start(&world.host));
}

static size_t place_of(const char *text) {
    const air_span transcript = air_buffer_span(&world.host.transcript);
    const uint8_t *found = memmem(transcript.data, transcript.size, text, strlen(text));
    return found != NULL ? (size_t)(found - transcript.data) : SIZE_MAX;
}

static void path_of(const char *name, char path[300]) {
    const air_span folder = authority(0)->folder;
    (void)snprintf(path, 300, "%.*s/%s", (int)folder.size, (const char *)folder.data, name);
}

static void put(const char *name, const char *value) {
    char path[300];
    path_of(name, path);
    const struct air_put change = {.path = air_span_text(path), .value = air_span_text(value)};
    const struct air_guard guard = {0};
    assert_ok(world.storage->write(world.storage->self, &guard, &change, 1));
}

static void refuses_urls_that_no_directory_has(void **state) {
    (void)state;
    static const char *const urls[] = {"", "ca.test", "http://ca.test/dir", "https://",
        "https://u@ca.test/dir", "https://ca.test/dir#a", "https://ca.test/ dir",
        "https://ca.test:0/dir", "file:///dir", "https://ca.test/\xc3\xa4"};
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct air_authority_spec spec = usual_spec();
        spec.directory_url = air_span_text(urls[i]);
        assert_int_equal(set(&spec), AIR_ERR_ARGUMENT);
    }
    assert_int_equal(world.host.engine->authorities_count, 0);
}

static void refuses_what_passes_a_limit(void **state) {
    (void)state;
    static uint8_t text[4096];
    static air_span contacts[AIR_CONTACTS_MAX + 1];
    struct air_authority_spec specs[8];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://ca.test/", 16);
    for (size_t i = 0; i < COUNT(contacts); i++) {
        contacts[i] = SPAN("mailto:a@example.net");
    }
    for (size_t i = 0; i < COUNT(specs); i++) {
        specs[i] = usual_spec();
        specs[i].contacts = contacts;
    }
    specs[0].size--;
    specs[1].directory_url = air_span_of(text, AIR_URL_SIZE_MAX + 1);
    specs[2].trust = air_span_of(text, 1025);
    specs[3].contacts_count = AIR_CONTACTS_MAX + 1;
    specs[4].eab_kid = air_span_of(text, 1025);
    specs[4].eab_mac_key = SPAN("a2V5");
    specs[5].eab_kid = SPAN("kid");
    specs[5].eab_mac_key = air_span_of(text, 1025);
    specs[6].account_key_type = (enum air_key_type)(AIR_KEY_RSA_4096 + 1);
    specs[7].size = 0;
    for (size_t i = 0; i < COUNT(specs); i++) {
        assert_int_equal(set(&specs[i]), AIR_ERR_ARGUMENT);
    }
    assert_int_equal(world.host.engine->authorities_count, 0);
}

static void refuses_contacts_that_are_no_mail_addresses(void **state) {
    (void)state;
    static char long_contact[600] = "mailto:";
    static const char *const texts[] = {"", "a@example.net", "MAILTO:a@example.net", "tel:+123",
        "https://example.net", long_contact};
    memset(long_contact + 7, 'a', sizeof long_contact - 8);
    for (size_t i = 0; i < COUNT(texts); i++) {
        const air_span contacts[] = {SPAN("mailto:a@example.net"), air_span_text(texts[i])};
        struct air_authority_spec spec = usual_spec();
        spec.contacts = contacts;
        spec.contacts_count = 2;
        assert_int_equal(set(&spec), AIR_ERR_ARGUMENT);
    }
}

static void refuses_half_an_external_account(void **state) {
    (void)state;
    struct air_authority_spec spec = usual_spec();
    spec.eab_kid = SPAN("kid");
    assert_int_equal(set(&spec), AIR_ERR_ARGUMENT);
    spec.eab_kid = SPAN("");
    spec.eab_mac_key = SPAN("a2V5");
    assert_int_equal(set(&spec), AIR_ERR_ARGUMENT);
}

static void takes_the_largest_that_its_limits_allow(void **state) {
    (void)state;
    static uint8_t text[4096];
    static air_span contacts[AIR_CONTACTS_MAX];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://ca.test/", 16);
    static char contact[512] = "mailto:";
    memset(contact + 7, 'c', sizeof contact - 7);
    for (size_t i = 0; i < COUNT(contacts); i++) {
        contacts[i] = air_span_of(contact, sizeof contact);
    }
    struct air_authority_spec spec = usual_spec();
    spec.directory_url = air_span_of(text, AIR_URL_SIZE_MAX);
    spec.trust = air_span_of(text, 1024);
    spec.contacts = contacts;
    spec.contacts_count = AIR_CONTACTS_MAX;
    spec.eab_kid = air_span_of(text, 1024);
    spec.eab_mac_key = air_span_of(text + 1, 1024);
    assert_ok(set(&spec));
    memset(text, 'x', sizeof text);
    assert_int_equal(air_authority_directory_url(authority(0)).size, AIR_URL_SIZE_MAX);
    assert_true(
        air_span_starts_with(air_authority_directory_url(authority(0)), "https://ca.test/a"));
    assert_int_equal(authority(0)->contacts[7].size, 512);
    assert_int_equal(authority(0)->eab_mac_key.data[0], 't');
}

static void a_refused_change_leaves_what_was_set(void **state) {
    (void)state;
    const air_span contacts[] = {SPAN("mailto:a@example.net")};
    struct air_authority_spec spec = usual_spec();
    spec.contacts = contacts;
    spec.contacts_count = 1;
    assert_ok(set(&spec));
    spec.trust = SPAN("other roots");
    spec.eab_kid = SPAN("kid");
    assert_int_equal(set(&spec), AIR_ERR_ARGUMENT);
    assert_span(authority(0)->session.trust, "");
    assert_span(authority(0)->contacts[0], "mailto:a@example.net");
    air_memory_fail_at(1);
    spec.eab_kid = SPAN("");
    assert_int_equal(set(&spec), AIR_ERR_NO_MEMORY);
    air_memory_fail_at(0);
    assert_span(authority(0)->session.trust, "");
    assert_ok(set(&spec));
    assert_span(authority(0)->session.trust, "other roots");
    assert_int_equal(world.host.engine->authorities_count, 1);
}

static void two_directories_of_one_host_are_two_accounts(void **state) {
    (void)state;
    struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    spec.directory_url = SPAN("https://ca.test/other");
    assert_ok(set(&spec));
    spec.directory_url = SPAN("https://[2001:db8::1]:14000/..%2f../dir?a=/etc");
    assert_ok(set(&spec));
    assert_true(air_span_starts_with(authority(0)->folder, "accounts/ca.test-"));
    assert_true(air_span_starts_with(authority(1)->folder, "accounts/ca.test-"));
    assert_false(air_span_equal(authority(0)->folder, authority(1)->folder));
    assert_true(air_span_starts_with(authority(2)->folder, "accounts/2001-db8--1-"));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(air_span_find(air_span_skip(authority(i)->folder, 9), '/'),
            authority(i)->folder.size - 9);
    }
}

static void certificates_of_an_unknown_authority_are_refused(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net")};
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = names,
        .names_count = 1,
        .directory_url = SPAN("https://ca.test/dir")};
    assert_int_equal(air_engine_certificate_set(world.host.engine, &spec, NULL), AIR_ERR_NOT_FOUND);
}

static void the_key_is_durable_before_the_account_is_asked_for(void **state) {
    (void)state;
    char stored[320] = "  put ";
    issue();
    path_of("key.pem", stored + 6);
    assert_true(place_of(stored) < place_of("http https://ca.test/account"));
    path_of("account.json", stored + 6);
    assert_true(place_of("http https://ca.test/account") < place_of(stored));
}

static void the_account_is_found_again_after_a_restart(void **state) {
    (void)state;
    issue();
    restart();
    const struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    ask();
    assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_int_equal(world.host.served_generation, 2);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).accounts, 1);
}

/* Renew on what is stored; the account must be the one that there was. */
static void renews_with_the_same_account(void) {
    const struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    ask();
    assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_int_equal(world.host.served_generation, 2);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).accounts, 1);
}

static void a_damaged_account_is_looked_up_by_its_key(void **state) {
    static const char *const records[] = {"", "{", "[]", "{}", "{\"url\":7}",
        "{\"url\":\"https://evil.test/account/1\"}", "{\"url\":\"http://ca.test/account/1\"}",
        "{\"url\":\"\",\"registered_again\":\"never\"}"};
    for (size_t i = 0; i < COUNT(records); i++) {
        issue();
        put("account.json", records[i]);
        restart();
        renews_with_the_same_account();
        (void)end(state);
        (void)begin(state);
    }
}

static void a_damaged_key_is_never_replaced(void **state) {
    static const char *const keys[] = {
        "", "what was this?", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        issue();
        put("key.pem", keys[i]);
        restart();
        const struct air_authority_spec spec = usual_spec();
        assert_ok(set(&spec));
        ask();
        assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
        air_fake_host_pass(&world.host, DAY_MS);
        struct air_status status;
        assert_ok(air_engine_status(world.host.engine, 0, &status));
        assert_true(
            air_span_starts_with(status.last_error, "the stored account key cannot be used"));
        assert_int_equal(status.generation, 1);
        assert_int_equal(air_fake_ca_counts(world.host.cas[0]).accounts, 1);
        char path[300];
        struct air_buffer value;
        uint64_t version = 0;
        path_of("key.pem", path);
        air_buffer_init(&value, 1000);
        assert_ok(world.storage->read(world.storage->self, air_span_text(path), &value, &version));
        assert_span(air_buffer_span(&value), keys[i]);
        air_buffer_deinit(&value);
        (void)end(state);
        (void)begin(state);
    }
}

static enum air_error (*read_truly)(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static unsigned lies;

static enum air_error read_too_early(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    if (lies > 0 && air_span_starts_with(path, "accounts/")) {
        lies--;
        return AIR_ERR_NOT_FOUND;
    }
    return read_truly(self, path, out, version);
}

static void a_key_that_another_process_stored_first_is_used(void **state) {
    (void)state;
    issue();
    restart();
    read_truly = world.storage->read;
    world.storage->read = read_too_early; /* both records, just before the other wrote them */
    lies = 2;
    renews_with_the_same_account();
    world.storage->read = read_truly;
}

static void a_slow_port_makes_account_and_signatures_all_the_same(void **state) {
    (void)state;
    struct air_authority_spec spec = usual_spec();
    spec.account_key_type = AIR_KEY_RSA_2048;
    air_fake_crypto_sign_later(world.crypto, true);
    assert_ok(set(&spec));
    ask();
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_int_equal(world.host.served_generation, 1);
    assert_true(place_of("generate-key account\n") < place_of("http https://ca.test/account"));
}

static void kept_accounts_have_their_keys_made_by_an_action_and_others_not(void **state) {
    (void)state;
    world.crypto->are_accounts_kept = true; /* and key_generate would make them at once */
    issue();
    assert_true(place_of("generate-key account\n") < place_of("http https://ca.test/account"));
    assert_int_equal(place_of("generate-key\n"), SIZE_MAX);
}

static void fails_with(const char *sentence) {
    struct air_status status;
    assert_ok(air_engine_status(world.host.engine, 0, &status));
    assert_span(status.last_error, sentence);
    assert_int_equal(status.state, AIR_STATE_RETRYING);
}

static void a_ca_that_wants_a_binding_is_not_asked_for_an_account(void **state) {
    (void)state;
    const struct air_fake_answer answer = {.path = "/dir",
        .status = 200,
        .body =
            "{\"newNonce\":\"https://ca.test/nonce\",\"newAccount\":\"https://ca.test/account\","
            "\"newOrder\":\"https://ca.test/new-order\","
            "\"meta\":{\"externalAccountRequired\":true}}"};
    air_fake_ca_answer(world.host.cas[0], &answer);
    const struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    ask();
    air_fake_host_pass(&world.host, MINUTE_MS);
    assert_int_equal(air_fake_ca_counts(world.host.cas[0]).requests, 1);
    fails_with("the CA wants an external account binding: give its key id and key");
}

static void an_account_on_another_host_is_refused(void **state) {
    (void)state;
    const struct air_fake_answer answer = {.path = "/account",
        .status = 201,
        .header_name = "location",
        .header_value = "https://evil.test/account/1",
        .body = "{}"};
    air_fake_ca_answer(world.host.cas[0], &answer);
    const struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    ask();
    air_fake_host_run(&world.host);
    fails_with("the CA's newAccount named no account URL on its own host");
    air_fake_host_pass(&world.host, 10 * MINUTE_MS);
    assert_int_equal(world.host.served_generation, 1);
}

static void a_directory_is_fetched_anew_after_a_day(void **state) {
    (void)state;
    issue();
    const size_t before = air_fake_ca_counts(world.host.cas[0]).requests;
    assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world.host, MINUTE_MS);
    const size_t young = air_fake_ca_counts(world.host.cas[0]).requests - before;
    air_fake_host_pass(&world.host, 2 * DAY_MS);
    assert_ok(air_engine_certificate_renew(world.host.engine, SPAN("example.net")));
    air_fake_host_pass(&world.host, MINUTE_MS);
    const size_t old = air_fake_ca_counts(world.host.cas[0]).requests - before - young;
    assert_int_equal(world.host.served_generation, 3);
    assert_int_equal(old, young + 2); /* the directory, and a nonce, as the old ones are too old */
}

static void what_is_learned_of_a_ca_keeps_its_bounds(void **state) {
    (void)state;
    static const air_time_ms times[] = {0, 1, 10, 300, 5000, 86400000, INT64_MAX / 4};
    struct air_authority_spec spec = usual_spec();
    assert_ok(set(&spec));
    spec.directory_url = SPAN("https://localhost:14000/dir");
    assert_ok(set(&spec));
    assert_int_equal(authority(0)->latency_ms, 1000);
    assert_int_equal(authority(1)->latency_ms, 20);
    for (int i = 0; i < 1000; i++) {
        air_authority_learn(world.host.engine->authorities[0], times[i % 7], i % 3 == 0 || i > 900);
        air_authority_learn(
            world.host.engine->authorities[1], times[i * 5 % 7], i % 3 == 0 || i > 900);
        assert_in_range(authority(0)->latency_ms, 250, 15000);
        assert_in_range(authority(1)->latency_ms, 5, 15000);
    }
    assert_int_equal(authority(0)->latency_ms, 250);
    assert_int_equal(authority(1)->latency_ms, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(refuses_urls_that_no_directory_has),
        TEST(refuses_what_passes_a_limit),
        TEST(refuses_contacts_that_are_no_mail_addresses),
        TEST(refuses_half_an_external_account),
        TEST(takes_the_largest_that_its_limits_allow),
        TEST(a_refused_change_leaves_what_was_set),
        TEST(two_directories_of_one_host_are_two_accounts),
        TEST(certificates_of_an_unknown_authority_are_refused),
        TEST(the_key_is_durable_before_the_account_is_asked_for),
        TEST(the_account_is_found_again_after_a_restart),
        TEST(a_damaged_account_is_looked_up_by_its_key),
        TEST(a_damaged_key_is_never_replaced),
        TEST(a_key_that_another_process_stored_first_is_used),
        TEST(a_slow_port_makes_account_and_signatures_all_the_same),
        TEST(kept_accounts_have_their_keys_made_by_an_action_and_others_not),
        TEST(a_ca_that_wants_a_binding_is_not_asked_for_an_account),
        TEST(an_account_on_another_host_is_refused),
        TEST(a_directory_is_fetched_anew_after_a_day),
        TEST(what_is_learned_of_a_ca_keeps_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
