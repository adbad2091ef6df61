/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a configuration file fills the settings, flags win over it, and everything that is
 * not in the schema is refused with the line of the key or item itself and a hint: a table of text
 * and the whole sentence that is expected.
 */

#include "hosts/program/yaml.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static const char whole[] = "state: /var/lib/thinair\n"
                            "user: thinair\n"
                            "listen: [':443', '[::1]:8443']\n"
                            "http: ':80'\n"
                            "log-format: json\n"
                            "contact: [a@example.net, b@example.net]\n"
                            "agree-terms: true\n"
                            "authorities:\n"
                            "  inside:\n"
                            "    directory: https://ca.example/dir\n"
                            "    ca-file: /etc/ca.pem\n"
                            "certificates:\n"
                            "  - name: example.net\n"
                            "    to: 127.0.0.1:8080\n"
                            "  - names:\n"
                            "      - a.example\n"
                            "      - b.example\n"
                            "    id: pair\n"
                            "    keys: [ecdsa-p256, rsa-2048]\n"
                            "    ca: inside\n"
                            "    must-staple: false\n";

static void reads_every_kind_of_value(void **state) {
    (void)state;
    struct air_settings settings;
    air_settings_init(&settings);
    assert_ok(air_yaml_read_text(&settings, "t.yaml", air_span_text(whole), NULL));
    assert_string_equal(settings.state.text, "/var/lib/thinair");
    assert_int_equal(settings.state.place.line, 1);
    assert_int_equal(settings.listen.count, 2);
    assert_string_equal(settings.listen.items[1].text, "[::1]:8443");
    assert_int_equal(settings.http.count, 1);
    assert_string_equal(settings.authority.contact.items[1].text, "b@example.net");
    assert_true(air_value_is_true(&settings.authority.agree_terms));
    assert_int_equal(settings.authorities_count, 1);
    assert_string_equal(settings.authorities[0].name.text, "inside");
    assert_string_equal(settings.authorities[0].directory.text, "https://ca.example/dir");
    assert_int_equal(settings.certificates_count, 2);
    assert_string_equal(settings.certificates[0].names.items[0].text, "example.net");
    assert_int_equal(settings.certificates[0].place.line, 13);
    assert_string_equal(settings.certificates[1].names.items[1].text, "b.example");
    assert_int_equal(settings.certificates[1].names.items[1].place.line, 17);
    assert_string_equal(settings.certificates[1].keys.items[1].text, "rsa-2048");
    assert_false(air_value_is_true(&settings.certificates[1].must_staple));
    air_settings_deinit(&settings);
}

static void lets_flags_win(void **state) {
    (void)state;
    struct air_settings settings;
    struct air_place flag = {"--listen", 0};
    air_settings_init(&settings);
    assert_ok(air_settings_append(&settings, &settings.listen, SPAN(":1"), flag));
    assert_ok(air_settings_assign(&settings, &settings.state, SPAN("/elsewhere"), flag));
    assert_ok(air_yaml_read_text(&settings, "t.yaml", air_span_text(whole), NULL));
    assert_string_equal(settings.state.text, "/elsewhere");
    assert_int_equal(settings.listen.count, 1);
    assert_string_equal(settings.listen.items[0].text, ":1");
    assert_string_equal(settings.user.text, "thinair");
    air_settings_deinit(&settings);
}

static void keeps_an_empty_list_apart_from_none(void **state) {
    (void)state;
    struct air_settings settings;
    air_settings_init(&settings);
    assert_ok(air_yaml_read_text(&settings, "t.yaml", SPAN("listen: []\n"), NULL));
    assert_non_null(settings.listen.place.source);
    assert_int_equal(settings.listen.count, 0);
    assert_null(settings.http.place.source);
    air_settings_deinit(&settings);
}

static const struct {
    const char *text;
    const char *complaint;
} refusals[] = {
    {"", "t.yaml: is empty; it needs at least certificates:"},
    {"# only a comment\n", "t.yaml: is empty; it needs at least certificates:"},
    {"just words\n",
        "t.yaml:1: expected keys such as certificates: at the top level, found a text"},
    {"- a\n", "t.yaml:1: expected keys such as certificates: at the top level, found a list"},
    {"state: /a\n\nlisen: ':443'\n", "t.yaml:3: unknown key lisen; did you mean listen?"},
    {"certificates:\n  - name: a.example\n    kyes: rsa-2048\n",
        "t.yaml:3: unknown key kyes; did you mean keys?"},
    {"authorities:\n  x:\n    url: https://a/\n",
        "t.yaml:3: unknown key url; an entry of authorities takes directory, ca-file, contact, "
        "agree-terms, eab-kid, eab-key-file"},
    {"state: /a\nstate: /b\n", "t.yaml:2: state stands on line 1 already; keep one"},
    {"certificates:\n  - name: a.example\n    names: [b.example]\n",
        "t.yaml:3: names says the same as line 2; put everything in one list"},
    {"state:\n  - /a\n", "t.yaml:1: state: expected a text, found a list"},
    {"state: {a: b}\n", "t.yaml:1: state: expected a text, found a map"},
    {"user: a\nstate:\n", "t.yaml:2: state: has no value; give one or drop it"},
    {"state: ~\n", "t.yaml:1: state: has no value; give one or drop it"},
    {"state: ''\n", "t.yaml:1: state: has no value; give one or drop it"},
    {"listen:\n  - ':443'\n  - {a: b}\n", "t.yaml:3: listen: expected a text, found a map"},
    {"listen:\n  - ':443'\n  -\n", "t.yaml:3: listen: has no value; give one or drop it"},
    {"listen: {a: b}\n", "t.yaml:1: listen: expected a text, found a map"},
    {"agree-terms: yes\n", "t.yaml:1: agree-terms: expected true or false, found yes"},
    {"agree-terms: [true]\n", "t.yaml:1: agree-terms: expected a text, found a list"},
    {"certificates: example.net\n",
        "t.yaml:1: certificates: expected a list (lines beginning with -), found a text"},
    {"certificates:\n  name: example.net\n",
        "t.yaml:1: certificates: expected a list (lines beginning with -), found a map"},
    {"certificates:\n  - example.net\n",
        "t.yaml:2: certificates: expected keys such as name:, found a text"},
    {"authorities: x\n",
        "t.yaml:1: authorities: expected names with keys below them, found a text"},
    {"authorities:\n  x: https://a/\n",
        "t.yaml:2: x: expected keys such as directory:, found a text"},
    {"authorities:\n  [x]: y\n", "t.yaml:2: authorities: expected a text, found a list"},
    {"? [a]\n: b\n", "t.yaml:1: expected a key, found a list"},
    {"state: &a /x\n", "t.yaml:1: anchors (&), aliases (*) and tags (!) are not taken; write the "
                       "value out, and quote a text that begins with such a sign"},
    {"state: *a\n", "t.yaml:1: anchors (&), aliases (*) and tags (!) are not taken; write the "
                    "value out, and quote a text that begins with such a sign"},
    {"state: !!str x\n", "t.yaml:1: anchors (&), aliases (*) and tags (!) are not taken; write the "
                         "value out, and quote a text that begins with such a sign"},
    {"state: |\n  a\n  b\n", "t.yaml:1: state: holds a line break or control character"},
    {"state: \"a\\0b\"\n", "t.yaml:1: state: holds a line break or control character"},
    {"state: /a\n---\nstate: /b\n", "t.yaml:2: a second document begins here; keep one per file"},
    {"listen: [a\nuser: b\n", "t.yaml:2: is not YAML: did not find expected ',' or ']' while "
                              "parsing a flow sequence"},
    {"state: /a\n  user: b\n",
        "t.yaml:2: is not YAML: mapping values are not allowed in this context"},
    {"state: \x01\n", "t.yaml:1: is not YAML: control characters are not allowed"},
};

static void refuses_what_is_not_in_the_schema(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct air_settings settings;
        struct air_buffer reason;
        air_settings_init(&settings);
        air_buffer_init(&reason, 4096);
        assert_int_equal(
            air_yaml_read_text(&settings, "t.yaml", air_span_text(refusals[i].text), &reason),
            AIR_ERR_MALFORMED);
        assert_span(air_buffer_span(&reason), refusals[i].complaint);
        air_settings_deinit(&settings);
        air_buffer_deinit(&reason);
    }
}

static void refuses_a_file_that_is_not_there(void **state) {
    (void)state;
    struct air_settings settings;
    struct air_buffer reason;
    air_settings_init(&settings);
    air_buffer_init(&reason, 4096);
    assert_int_equal(air_yaml_read(&settings, "/nonexistent/t.yaml", &reason), AIR_ERR_NOT_FOUND);
    assert_span(air_buffer_span(&reason),
        "/nonexistent/t.yaml: cannot be opened: No such file or directory");
    assert_int_equal(air_yaml_read(&settings, "/", &reason), AIR_ERR_NOT_FOUND);
    assert_span(air_buffer_span(&reason), "/: cannot be read; is it a file?");
    air_settings_deinit(&settings);
    air_buffer_deinit(&reason);
}

static enum air_error read_whole(void *context) {
    (void)context;
    struct air_settings settings;
    air_settings_init(&settings);
    enum air_error error = air_yaml_read_text(&settings, "t.yaml", air_span_text(whole), NULL);
    air_settings_deinit(&settings);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_whole, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_kind_of_value),
        cmocka_unit_test(lets_flags_win),
        cmocka_unit_test(keeps_an_empty_list_apart_from_none),
        cmocka_unit_test(refuses_what_is_not_in_the_schema),
        cmocka_unit_test(refuses_a_file_that_is_not_there),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
