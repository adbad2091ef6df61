/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a certificate is what was asked for in its normal form, and every wish that cannot
 * be met is refused with a sentence that names the culprit; a hundred names of 253 octets fit
 * (R-A7); a certificate of one name and one key type at rest costs at most 256 bytes, its places in
 * the engine's array and queue included. How: specs, one defect at a time.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/engine/core.h"
#include "src/engine/inventory.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct air_certificate_spec spec_of(const air_span *names, size_t names_count) {
    return (struct air_certificate_spec){
        .size = sizeof(struct air_certificate_spec), .names = names, .names_count = names_count};
}

static void refuses(
    const struct air_certificate_spec *spec, enum air_error expected, const char *sentence) {
    struct air_certificate *certificate = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 1024);
    assert_int_equal(air_certificate_new(NULL, spec, NULL, &certificate, &reason), expected);
    assert_span(air_buffer_span(&reason), sentence);
    assert_null(certificate);
    air_buffer_deinit(&reason);
    assert_int_equal(air_certificate_new(NULL, spec, NULL, &certificate, NULL), expected);
}

static void keeps_a_wish_in_its_normal_form(void **state) {
    (void)state;
    static const enum air_key_type key_types[] = {AIR_KEY_RSA_2048, AIR_KEY_ECDSA_P384};
    static const enum air_challenge_type challenges[] = {AIR_HTTP_01};
    const air_span names[] = {SPAN("WWW.Example.NET."), SPAN("example.net")};
    struct air_certificate_spec spec = spec_of(names, 2);
    spec.id = SPAN("shop_1.A-b");
    spec.key_types = key_types;
    spec.key_types_count = 2;
    spec.challenges = challenges;
    spec.challenges_count = 1;
    spec.renew_before_ms = 5;
    spec.must_staple = true;
    spec.subject.country = SPAN("CH");
    spec.subject.locality = SPAN("Z\xC3\xBCrich");
    struct air_certificate *certificate = NULL;
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    air_span kept[AIR_NAMES_MAX];
    assert_int_equal(air_certificate_names(certificate, kept), 2);
    assert_span(kept[0], "www.example.net");
    assert_span(kept[1], "example.net");
    assert_span(air_certificate_id(certificate), "shop_1.A-b");
    assert_int_equal(certificate->lineages_count, 2);
    assert_int_equal(certificate->lineages[0].key_type, AIR_KEY_RSA_2048);
    assert_int_equal(certificate->lineages[1].key_type, AIR_KEY_ECDSA_P384);
    assert_int_equal(certificate->challenges_count, 1);
    assert_int_equal(certificate->challenges[0], AIR_HTTP_01);
    assert_int_equal(certificate->renew_before_ms, 5);
    assert_true(certificate->must_staple);
    struct air_subject subject;
    air_certificate_subject(certificate, &subject);
    assert_span(subject.country, "CH");
    assert_span(subject.state, "");
    assert_span(subject.locality, "Z\xC3\xBCrich");
    assert_span(subject.organization, "");
    air_certificate_free(certificate);
}

static void fills_in_what_was_not_said(void **state) {
    (void)state;
    const air_span names[] = {SPAN("Example.net"), SPAN("www.example.net")};
    const struct air_certificate_spec spec = spec_of(names, 2);
    struct air_certificate *certificate = NULL;
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    assert_span(air_certificate_id(certificate), "example.net");
    assert_int_equal(certificate->lineages_count, 1);
    assert_int_equal(certificate->lineages[0].key_type, AIR_KEY_ECDSA_P256);
    assert_ptr_equal(certificate->lineages[0].certificate, certificate);
    assert_int_equal(certificate->lineages[0].queue_index, AIR_LINEAGE_NOT_QUEUED);
    assert_true(certificate->lineages[0].needs_load);
    assert_int_equal(certificate->challenges_count, 2);
    assert_int_equal(certificate->challenges[0], AIR_TLS_ALPN_01);
    assert_int_equal(certificate->challenges[1], AIR_HTTP_01);
    struct air_subject subject;
    air_certificate_subject(certificate, &subject);
    assert_int_equal(certificate->subject_size, 0);
    assert_int_equal(subject.country.size + subject.organization.size, 0);
    air_certificate_free(certificate);
}

static void drops_duplicates(void **state) {
    (void)state;
    const air_span names[] = {
        SPAN("a.net"), SPAN("b.net"), SPAN("A.net"), SPAN("a.net."), SPAN("aa.net"), SPAN("b.net")};
    const struct air_certificate_spec spec = spec_of(names, 6);
    struct air_certificate *certificate = NULL;
    air_span kept[AIR_NAMES_MAX];
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    assert_int_equal(air_certificate_names(certificate, kept), 3);
    assert_span(kept[0], "a.net");
    assert_span(kept[1], "b.net");
    assert_span(kept[2], "aa.net");
    air_certificate_free(certificate);
}

static void refuses_no_names_and_too_many(void **state) {
    (void)state;
    static air_span names[101];
    for (size_t i = 0; i < COUNT(names); i++) {
        names[i] = SPAN("example.net");
    }
    struct air_certificate_spec spec = spec_of(names, 0);
    refuses(&spec, AIR_ERR_ARGUMENT, "a certificate needs 1 to 100 names");
    spec = spec_of(names, 101);
    refuses(&spec, AIR_ERR_ARGUMENT, "a certificate needs 1 to 100 names");
    spec = spec_of(names, SIZE_MAX);
    refuses(&spec, AIR_ERR_ARGUMENT, "a certificate needs 1 to 100 names");
}

static void refuses_names_that_no_certificate_carries(void **state) {
    (void)state;
    static const char *const bad[] = {"", ".", "net", "a..net", "-a.net", "a-.net", "a b.net",
        "a_b.net", "192.0.2.1", "::1", "[::1]", "a.net/path", "https://a.net", "a.net:443",
        "\xc3\xa4.net", "a\n.net", "*", "a.*.net", "**.net"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const air_span names[] = {SPAN("good.net"), air_span_text(bad[i])};
        const struct air_certificate_spec spec = spec_of(names, 2);
        char sentence[200];
        (void)snprintf(
            sentence, sizeof sentence, "not a DNS name that a certificate can carry: %s", bad[i]);
        refuses(&spec, AIR_ERR_BAD_NAME, sentence);
    }
}

static void refuses_a_name_with_a_zero_byte(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net\0.evil.test")};
    const struct air_certificate_spec spec = spec_of(names, 1);
    struct air_certificate *certificate = NULL;
    assert_int_equal(air_certificate_new(NULL, &spec, NULL, &certificate, NULL), AIR_ERR_BAD_NAME);
}

static void refuses_wildcards_while_no_dns_challenge_exists(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net"), SPAN("*.Example.net")};
    const struct air_certificate_spec spec = spec_of(names, 2);
    refuses(&spec, AIR_ERR_BAD_NAME,
        "a wildcard needs a dns challenge, which is not offered: *.Example.net");
}

static void cuts_a_culprit_that_is_too_long_to_show(void **state) {
    (void)state;
    static char name[5000];
    memset(name, 'a', sizeof name);
    const air_span names[] = {air_span_of(name, sizeof name)};
    const struct air_certificate_spec spec = spec_of(names, 1);
    struct air_certificate *certificate = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 1024);
    assert_int_equal(
        air_certificate_new(NULL, &spec, NULL, &certificate, &reason), AIR_ERR_BAD_NAME);
    assert_in_range(reason.size, 45, 45 + AIR_NAME_SIZE_MAX);
    air_buffer_deinit(&reason);
}

static void refuses_key_types_that_do_not_go_together(void **state) {
    (void)state;
    static const struct {
        enum air_key_type types[3];
        size_t count;
        const char *sentence;
    } rows[] = {
        {{AIR_KEY_ECDSA_P256, AIR_KEY_ECDSA_P384}, 2,
            "two key types must be one RSA and one ECDSA"},
        {{AIR_KEY_ECDSA_P256, AIR_KEY_ECDSA_P256}, 2,
            "two key types must be one RSA and one ECDSA"},
        {{AIR_KEY_RSA_2048, AIR_KEY_RSA_4096}, 2, "two key types must be one RSA and one ECDSA"},
        {{AIR_KEY_NONE}, 1, "unknown key type"},
        {{AIR_KEY_ECDSA_P256, AIR_KEY_NONE}, 2, "unknown key type"},
        {{(enum air_key_type)6}, 1, "unknown key type"},
        {{(enum air_key_type)257}, 1, "unknown key type"},
        {{AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048, AIR_KEY_RSA_2048}, 3,
            "too many key types or challenges, or a negative time"},
    };
    const air_span names[] = {SPAN("example.net")};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct air_certificate_spec spec = spec_of(names, 1);
        spec.key_types = rows[i].types;
        spec.key_types_count = rows[i].count;
        refuses(&spec, AIR_ERR_ARGUMENT, rows[i].sentence);
    }
}

static void refuses_challenges_it_does_not_know(void **state) {
    (void)state;
    static const enum air_challenge_type none[] = {AIR_CHALLENGE_NONE};
    static const enum air_challenge_type unknown[] = {AIR_HTTP_01, (enum air_challenge_type)3};
    const air_span names[] = {SPAN("example.net")};
    struct air_certificate_spec spec = spec_of(names, 1);
    spec.challenges = none;
    spec.challenges_count = 1;
    refuses(&spec, AIR_ERR_ARGUMENT, "unknown challenge type");
    spec.challenges = unknown;
    spec.challenges_count = 2;
    refuses(&spec, AIR_ERR_ARGUMENT, "unknown challenge type");
    spec.challenges_count = 3;
    refuses(&spec, AIR_ERR_ARGUMENT, "too many key types or challenges, or a negative time");
}

static void refuses_a_negative_time(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net")};
    struct air_certificate_spec spec = spec_of(names, 1);
    spec.renew_before_ms = -1;
    refuses(&spec, AIR_ERR_ARGUMENT, "too many key types or challenges, or a negative time");
    spec.renew_before_ms = INT64_MIN;
    refuses(&spec, AIR_ERR_ARGUMENT, "too many key types or challenges, or a negative time");
}

static void refuses_ids_that_are_no_path_segment(void **state) {
    (void)state;
    static const char *const ids[] = {".", "..", ".hidden", "a/b", "a b", "a*", "a\n", "\xc3\xa4",
        "a:b", "a\\b", "$(id)", "a%2f", "~"};
    const air_span names[] = {SPAN("example.net")};
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct air_certificate_spec spec = spec_of(names, 1);
        char sentence[200];
        spec.id = air_span_text(ids[i]);
        (void)snprintf(sentence, sizeof sentence,
            "an id is 1 to 128 letters, digits, '.', '_' or '-': %s", ids[i]);
        refuses(&spec, AIR_ERR_ARGUMENT, sentence);
    }
}

static void an_id_has_128_bytes_at_most(void **state) {
    (void)state;
    static char id[AIR_ID_SIZE_MAX + 1];
    memset(id, 'i', sizeof id);
    const air_span names[] = {SPAN("example.net")};
    struct air_certificate_spec spec = spec_of(names, 1);
    struct air_certificate *certificate = NULL;
    spec.id = air_span_of(id, AIR_ID_SIZE_MAX);
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    assert_int_equal(air_certificate_id(certificate).size, AIR_ID_SIZE_MAX);
    air_certificate_free(certificate);
    certificate = NULL;
    spec.id = air_span_of(id, AIR_ID_SIZE_MAX + 1);
    assert_int_equal(air_certificate_new(NULL, &spec, NULL, &certificate, NULL), AIR_ERR_ARGUMENT);
}

/* A name of 253 octets that begins with this number. */
static void write_long_name(char name[AIR_NAME_SIZE_MAX + 1], size_t number) {
    memset(name, 'a', AIR_NAME_SIZE_MAX);
    for (size_t i = 50; i < AIR_NAME_SIZE_MAX; i += 51) {
        name[i] = '.';
    }
    name[0] = (char)('a' + number / 10);
    name[1] = (char)('0' + number % 10);
    name[AIR_NAME_SIZE_MAX] = '\0';
}

static void a_first_name_too_long_for_an_id_needs_one(void **state) {
    (void)state;
    char name[AIR_NAME_SIZE_MAX + 1];
    char sentence[400];
    write_long_name(name, 7);
    const air_span names[] = {air_span_of(name, AIR_NAME_SIZE_MAX)};
    const struct air_certificate_spec spec = spec_of(names, 1);
    (void)snprintf(
        sentence, sizeof sentence, "the first name is too long for an id; give one: %s", name);
    refuses(&spec, AIR_ERR_ARGUMENT, sentence);
}

static void a_hundred_longest_names_fit(void **state) {
    (void)state;
    static char texts[AIR_NAMES_MAX][AIR_NAME_SIZE_MAX + 1];
    air_span names[AIR_NAMES_MAX];
    air_span kept[AIR_NAMES_MAX];
    for (size_t i = 0; i < AIR_NAMES_MAX; i++) {
        write_long_name(texts[i], i);
        names[i] = air_span_of(texts[i], AIR_NAME_SIZE_MAX);
    }
    struct air_certificate_spec spec = spec_of(names, AIR_NAMES_MAX);
    struct air_certificate *certificate = NULL;
    spec.id = SPAN("many");
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    assert_int_equal(air_certificate_names(certificate, kept), AIR_NAMES_MAX);
    for (size_t i = 0; i < AIR_NAMES_MAX; i++) {
        assert_span(kept[i], texts[i]);
    }
    air_certificate_free(certificate);
}

static void a_name_costs_256_bytes_at_rest(void **state) {
    (void)state;
    const air_span names[] = {SPAN("customer-000001.shops.example.net")};
    const struct air_certificate_spec spec = spec_of(names, 1);
    struct air_certificate *certificate = NULL;
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    const size_t places_size =
        sizeof(struct air_certificate *) + sizeof(struct air_lineage *) + 2 * sizeof(uint32_t);
    assert_in_range(certificate->block_size + 2 * places_size, 1, 256); /* arrays grow twofold */
    air_certificate_free(certificate);
}

static void ten_thousand_names_cost_256_bytes_each(void **state) {
    (void)state;
    struct air_crypto *crypto = air_fake_crypto_new(1);
    const struct air_engine_config config = {.size = sizeof config, .crypto = crypto};
    const struct air_authority_spec authority = {
        .size = sizeof authority, .directory_url = SPAN("https://ca.test/dir")};
    struct air_engine *engine = NULL;
    assert_ok(air_engine_new(&config, &engine));
    assert_ok(air_engine_authority_set(engine, &authority));
    size_t size = 0;
    for (int i = 0; i < 10000; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "customer-%06d.shops.example.net", i);
        const air_span names[] = {air_span_text(name)};
        struct air_certificate_spec spec = spec_of(names, 1);
        spec.directory_url = authority.directory_url;
        assert_ok(air_engine_certificate_set(engine, &spec, NULL));
        size += engine->certificates[i]->block_size;
    }
    size += engine->certificates_capacity * sizeof engine->certificates[0];
    size += engine->queue.capacity * sizeof engine->queue.heap[0];
    size += engine->ids.slots_count * sizeof engine->ids.slots[0];
    assert_in_range(size / 10000, 1, 256);
    assert_int_equal(air_engine_lineages_count(engine), 10000);
    air_engine_free(engine);
    air_fake_crypto_free(crypto);
}

static void refuses_subjects_that_no_request_carries(void **state) {
    (void)state;
    static char text[400];
    const air_span names[] = {SPAN("example.net")};
    const air_span countries[] = {
        SPAN("C"), SPAN("CHE"), SPAN("C1"), SPAN("\xC3\xBC"), SPAN("C\0")};
    for (size_t i = 0; i < COUNT(countries); i++) {
        struct air_certificate *certificate = NULL;
        struct air_certificate_spec spec = spec_of(names, 1);
        spec.subject.country = countries[i];
        assert_int_equal(
            air_certificate_new(NULL, &spec, NULL, &certificate, NULL), AIR_ERR_ARGUMENT);
    }
    struct air_certificate_spec spec = spec_of(names, 1);
    spec.subject.country = SPAN("Switzerland");
    refuses(&spec, AIR_ERR_ARGUMENT, "a country is two letters: Switzerland");
    spec = spec_of(names, 1);
    spec.subject.state = SPAN("a\nb");
    refuses(&spec, AIR_ERR_ARGUMENT, "a state is at most 128 characters of UTF-8: a\nb");
    spec = spec_of(names, 1);
    spec.subject.locality = SPAN("Z\xFCrich");
    refuses(&spec, AIR_ERR_ARGUMENT, "a locality is at most 128 characters of UTF-8: Z\xFCrich");
    (void)snprintf(
        text, sizeof text, "an organization is at most 64 characters of UTF-8: %065d", 0);
    spec = spec_of(names, 1);
    spec.subject.organization = air_span_text(text + strlen(text) - 65);
    refuses(&spec, AIR_ERR_ARGUMENT, text);
}

static void keeps_the_longest_subject(void **state) {
    (void)state;
    static char text[512];
    const air_span names[] = {SPAN("example.net")};
    struct air_certificate *certificate = NULL;
    struct air_subject kept;
    for (size_t i = 0; i < sizeof text; i += 4) {
        memcpy(text + i, "\xF0\x9F\x90\x98", 4);
    }
    struct air_certificate_spec spec = spec_of(names, 1);
    spec.subject = (struct air_subject){.country = SPAN("ch"),
        .state = air_span_of(text, 512),
        .locality = air_span_of(text, 512),
        .organization = air_span_of(text, 256)};
    assert_ok(air_certificate_new(NULL, &spec, NULL, &certificate, NULL));
    air_certificate_subject(certificate, &kept);
    assert_span(kept.country, "ch");
    assert_true(air_span_equal(kept.state, spec.subject.state));
    assert_true(air_span_equal(kept.locality, spec.subject.locality));
    assert_true(air_span_equal(kept.organization, spec.subject.organization));
    air_certificate_free(certificate);
    spec.subject.organization = air_span_of(text, 260);
    assert_int_equal(air_certificate_new(NULL, &spec, NULL, &certificate, NULL), AIR_ERR_ARGUMENT);
}

static void sees_whether_two_wishes_are_the_same(void **state) {
    (void)state;
    static const enum air_key_type rsa[] = {AIR_KEY_RSA_2048};
    static const enum air_challenge_type http[] = {AIR_HTTP_01};
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net")};
    const air_span others[] = {SPAN("example.net"), SPAN("wwx.example.net")};
    struct air_certificate_spec specs[10];
    for (size_t i = 0; i < COUNT(specs); i++) {
        specs[i] = spec_of(names, 2);
    }
    specs[1].names = others;
    specs[2].names_count = 1;
    specs[3].id = SPAN("example.ne");
    specs[4].key_types = rsa;
    specs[4].key_types_count = 1;
    specs[5].challenges = http;
    specs[5].challenges_count = 1;
    specs[6].renew_before_ms = 1;
    specs[7].must_staple = true;
    specs[8].subject.state = SPAN("Bern");
    specs[9].subject.locality = SPAN("Bern");
    struct air_certificate *certificates[COUNT(specs)] = {0};
    for (size_t i = 0; i < COUNT(specs); i++) {
        assert_ok(air_certificate_new(NULL, &specs[i], NULL, &certificates[i], NULL));
    }
    for (size_t i = 0; i < COUNT(specs); i++) {
        for (size_t k = 0; k < COUNT(specs); k++) {
            assert_int_equal(air_certificate_is_same(certificates[i], certificates[k]), i == k);
        }
    }
    for (size_t i = 0; i < COUNT(specs); i++) {
        air_certificate_free(certificates[i]);
    }
}

static void keeps_the_last_error_within_its_limit(void **state) {
    (void)state;
    static char text[1000];
    struct air_lineage lineage = {0};
    memset(text, 'e', sizeof text);
    air_lineage_set_error(&lineage, air_span_of(text, sizeof text));
    assert_int_equal(lineage.last_error_size, 480);
    air_lineage_set_error(&lineage, SPAN("short"));
    assert_span(air_span_of(lineage.last_error, lineage.last_error_size), "short");
    air_memory_fail_at(1);
    air_lineage_set_error(&lineage, SPAN("lost"));
    air_memory_fail_at(0);
    assert_null(lineage.last_error);
    assert_int_equal(lineage.last_error_size, 0);
    air_lineage_set_error(&lineage, SPAN("again"));
    air_lineage_set_error(&lineage, air_span_text(NULL));
    assert_null(lineage.last_error);
}

static enum air_error make_once(void *context) {
    (void)context;
    static const enum air_key_type key_types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net"), SPAN("c.example.net")};
    struct air_certificate_spec spec = spec_of(names, 3);
    spec.key_types = key_types;
    spec.key_types_count = 2;
    spec.subject.organization = SPAN("Example");
    struct air_certificate *certificate = NULL;
    const enum air_error error = air_certificate_new(NULL, &spec, NULL, &certificate, NULL);
    if (error == AIR_OK) {
        air_lineage_set_error(&certificate->lineages[1], SPAN("something"));
    }
    air_certificate_free(certificate);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(make_once, NULL);
}

static int leaves_nothing(void **state) {
    (void)state;
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_wish_in_its_normal_form),
        cmocka_unit_test(fills_in_what_was_not_said),
        cmocka_unit_test(drops_duplicates),
        cmocka_unit_test(refuses_no_names_and_too_many),
        cmocka_unit_test(refuses_names_that_no_certificate_carries),
        cmocka_unit_test(refuses_a_name_with_a_zero_byte),
        cmocka_unit_test(refuses_wildcards_while_no_dns_challenge_exists),
        cmocka_unit_test(cuts_a_culprit_that_is_too_long_to_show),
        cmocka_unit_test(refuses_key_types_that_do_not_go_together),
        cmocka_unit_test(refuses_challenges_it_does_not_know),
        cmocka_unit_test(refuses_a_negative_time),
        cmocka_unit_test(refuses_subjects_that_no_request_carries),
        cmocka_unit_test(keeps_the_longest_subject),
        cmocka_unit_test(refuses_ids_that_are_no_path_segment),
        cmocka_unit_test(an_id_has_128_bytes_at_most),
        cmocka_unit_test(a_first_name_too_long_for_an_id_needs_one),
        cmocka_unit_test(a_hundred_longest_names_fit),
        cmocka_unit_test(a_name_costs_256_bytes_at_rest),
        cmocka_unit_test(ten_thousand_names_cost_256_bytes_each),
        cmocka_unit_test(sees_whether_two_wishes_are_the_same),
        cmocka_unit_test(keeps_the_last_error_within_its_limit),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, leaves_nothing);
}
