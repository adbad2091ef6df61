/* SPDX-License-Identifier: MIT */
/*
 * Proven here: options of a vhost are read as README.md says, whatever their order; each that is
 * missing, unknown or out of its range is refused by a sentence with its name. Lists are built from
 * a complete one with one option changed.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/lws/options.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/support/test.h"

#define COUNT_MAX 24

static const char *const complete[][2] = {
    {"auth-path", "/etc/acme/auth.jwk"},
    {"cert-path", "/etc/acme/a.crt"},
    {"key-path", "/etc/acme/a.key"},
    {"directory-url", "https://ca.test/directory"},
    {"common-name", "a.test"},
    {"email", "hostmaster@a.test"},
    {"agree-terms", "1"},
};

#define COMPLETE_COUNT (sizeof(complete) / sizeof(complete[0]))

struct list {
    struct lws_protocol_vhost_options options[COUNT_MAX];
    size_t count;
    struct air_lws_options read;
    struct air_buffer reason;
};

/* A complete list, with one option set otherwise; value NULL: left out. */
static void fill(struct list *list, const char *name, const char *value) {
    list->count = 0;
    for (size_t i = 0; i < COMPLETE_COUNT; i++) {
        if (strcmp(complete[i][0], name) != 0) {
            list->options[list->count++] = (struct lws_protocol_vhost_options){
                .name = complete[i][0], .value = complete[i][1]};
        }
    }
    if (value != NULL) {
        list->options[list->count++] =
            (struct lws_protocol_vhost_options){.name = name, .value = value};
    }
}

static void add(struct list *list, const char *name, const char *value) {
    list->options[list->count++] =
        (struct lws_protocol_vhost_options){.name = name, .value = value};
}

static enum air_error read_list(struct list *list) {
    for (size_t i = 0; i + 1 < list->count; i++) {
        list->options[i].next = &list->options[i + 1];
    }
    air_buffer_init(&list->reason, 4096);
    return air_lws_options_read(list->options, &list->read, &list->reason);
}

static void forget(struct list *list) {
    air_lws_options_deinit(&list->read);
    air_buffer_deinit(&list->reason);
}

static void assert_refused(const char *name, const char *value) {
    struct list list = {.count = 0};
    fill(&list, name, value);
    if (read_list(&list) != AIR_ERR_ARGUMENT) {
        fail_msg("%s: \"%s\" was taken", name, value != NULL ? value : "(missing)");
    }
    assert_true(air_buffer_append_byte(&list.reason, '\0') == AIR_OK);
    if (strstr((const char *)list.reason.data, name) == NULL) {
        fail_msg("%s is not named: %s", name, (const char *)list.reason.data);
    }
    forget(&list);
}

static void reads_what_must_be_there_and_defaults(void **state) {
    (void)state;
    struct list list = {.count = 0};
    fill(&list, "", NULL);
    assert_ok(read_list(&list));
    const struct air_lws_options *options = &list.read;
    assert_string_equal(options->auth_path, "/etc/acme/auth.jwk");
    assert_string_equal(options->cert_path, "/etc/acme/a.crt");
    assert_string_equal(options->key_path, "/etc/acme/a.key");
    assert_string_equal(options->state_dir, "/etc/acme/thinair");
    assert_string_equal(options->directory_url, "https://ca.test/directory");
    assert_string_equal(options->contact, "mailto:hostmaster@a.test");
    assert_null(options->ca_file);
    assert_int_equal(options->names_count, 1);
    assert_true(air_span_equal_text(options->names[0], "a.test"));
    assert_int_equal(options->key_types_count, 1);
    assert_int_equal(options->key_types[0], AIR_KEY_ECDSA_P256);
    assert_int_equal(options->challenge, AIR_TLS_ALPN_01);
    assert_int_equal(options->http_port, 0);
    assert_int_equal(options->renew_before_ms, 0);
    assert_true(options->has_keeper && options->has_agreed);
    assert_int_equal(options->subject.country.size, 0);
    forget(&list);
}

static void reads_every_option(void **state) {
    (void)state;
    struct list list = {.count = 0};
    fill(&list, "", NULL);
    add(&list, "subject-alt-name", " www.a.test,b.test , A.test,www.a.test,");
    add(&list, "key-type", "rsa-2048, ecdsa-p384");
    add(&list, "challenge", "http-01");
    add(&list, "http-port", "80");
    add(&list, "ca-file", "/etc/ca.pem");
    add(&list, "state-dir", "/var/lib/thinair");
    add(&list, "renew-before", "14");
    add(&list, "keeper", "0");
    add(&list, "country", "TW");
    add(&list, "state", "Taipei");
    add(&list, "locality", "Xiaobitan");
    add(&list, "organization", "Crash Barrier Ltd");
    add(&list, "status", "ok"); /* lwsws passes it on */
    assert_ok(read_list(&list));
    const struct air_lws_options *options = &list.read;
    assert_int_equal(options->names_count, 3);
    assert_true(air_span_equal_text(options->names[1], "www.a.test"));
    assert_true(air_span_equal_text(options->names[2], "b.test"));
    assert_int_equal(options->key_types_count, 2);
    assert_int_equal(options->key_types[0], AIR_KEY_RSA_2048);
    assert_int_equal(options->key_types[1], AIR_KEY_ECDSA_P384);
    assert_int_equal(options->challenge, AIR_HTTP_01);
    assert_int_equal(options->http_port, 80);
    assert_string_equal(options->ca_file, "/etc/ca.pem");
    assert_string_equal(options->state_dir, "/var/lib/thinair");
    assert_int_equal(options->renew_before_ms, INT64_C(14) * 24 * 60 * 60 * 1000);
    assert_false(options->has_keeper);
    assert_true(air_span_equal_text(options->subject.country, "TW"));
    assert_true(air_span_equal_text(options->subject.state, "Taipei"));
    assert_true(air_span_equal_text(options->subject.locality, "Xiaobitan"));
    assert_true(air_span_equal_text(options->subject.organization, "Crash Barrier Ltd"));
    forget(&list);
}

static void names_the_second_pair_after_its_key_type(void **state) {
    (void)state;
    static const char *const types[][2] = {{"ecdsa-p256,rsa-2048", "/etc/acme/a.crt.rsa"},
        {"rsa-2048,ecdsa-p256", "/etc/acme/a.crt.ecdsa"}};
    for (size_t i = 0; i < 2; i++) {
        struct list list = {.count = 0};
        char chain_path[AIR_LWS_PATH_SIZE];
        char key_path[AIR_LWS_PATH_SIZE];
        fill(&list, "key-type", types[i][0]);
        assert_ok(read_list(&list));
        air_lws_options_pair(&list.read, 0, chain_path, key_path);
        assert_string_equal(chain_path, "/etc/acme/a.crt");
        assert_string_equal(key_path, "/etc/acme/a.key");
        air_lws_options_pair(&list.read, 1, chain_path, key_path);
        assert_string_equal(chain_path, types[i][1]);
        forget(&list);
    }
}

static void refuses_each_that_is_missing_or_empty(void **state) {
    (void)state;
    for (size_t i = 0; i < COMPLETE_COUNT; i++) {
        assert_refused(complete[i][0], NULL);
        assert_refused(complete[i][0], "");
    }
}

static void refuses_what_is_out_of_range(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"auth-path", "auth.jwk"},
        {"auth-path", "/etc/acme/"},
        {"cert-path", "a.crt"},
        {"key-path", "/etc/acme/a.crt"},
        {"ca-file", "ca.pem"},
        {"state-dir", "state"},
        {"directory-url", "http://ca.test/"},
        {"email", "hostmaster"},
        {"email", "a@b c"},
        {"subject-alt-name", "*.a.test"},
        {"key-type", "rsa-1024"},
        {"key-type", "ecdsa-p256,ecdsa-p384"},
        {"key-type", "rsa-2048,ecdsa-p256,rsa-3072"},
        {"challenge", "dns-01"},
        {"http-port", "80"}, /* with tls-alpn-01 */
        {"renew-before", "-1"},
        {"renew-before", "two weeks"},
        {"renew-before", "366"},
        {"agree-terms", "0"},
        {"agree-terms", "yes"},
        {"keeper", "no"},
        {"comon-name", "a.test"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i][0], bad[i][1]);
    }
}

static void refuses_more_names_than_a_certificate_has(void **state) {
    (void)state;
    char names[4096] = "";
    size_t size = 0;
    for (int i = 0; i < AIR_NAMES_MAX; i++) {
        size += (size_t)snprintf(names + size, sizeof(names) - size, "n%d.test,", i);
    }
    assert_refused("subject-alt-name", names);
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    enum air_error error = AIR_ERR_NO_MEMORY;
    for (uint64_t n = 1; error != AIR_OK; n++) {
        struct list list = {.count = 0};
        assert_true(n < 100);
        fill(&list, "", NULL);
        air_memory_fail_at(n);
        error = read_list(&list);
        air_memory_fail_at(0);
        assert_true(error == AIR_OK || error == AIR_ERR_NO_MEMORY);
        forget(&list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_must_be_there_and_defaults),
        cmocka_unit_test(reads_every_option),
        cmocka_unit_test(names_the_second_pair_after_its_key_type),
        cmocka_unit_test(refuses_each_that_is_missing_or_empty),
        cmocka_unit_test(refuses_what_is_out_of_range),
        cmocka_unit_test(refuses_more_names_than_a_certificate_has),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
