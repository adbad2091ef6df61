/* SPDX-License-Identifier: MIT */
/*
 * Proven here: settings become a plan with the documented defaults, and whatever cannot work is
 * refused before anything is bound or sent, with the place of the culprit and what to do: a table
 * of files and sentences. The files that settings name are made in a temporary folder.
 */

#include "hosts/program/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts/program/yaml.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

struct fixture {
    struct air_settings settings;
    struct air_plan plan;
    struct air_buffer reason;
};

static enum air_error plan_text(
    struct fixture *fixture, const char *text, enum air_purpose purpose) {
    memset(fixture, 0, sizeof(*fixture));
    air_settings_init(&fixture->settings);
    air_buffer_init(&fixture->reason, 4096);
    enum air_error error = air_settings_assign(&fixture->settings, &fixture->settings.config,
        SPAN("t.yaml"), (struct air_place){"--config", 0});
    if (error == AIR_OK) {
        error =
            air_yaml_read_text(&fixture->settings, "t.yaml", air_span_text(text), &fixture->reason);
    }
    if (error == AIR_OK) {
        error = air_plan_make(&fixture->settings, purpose, &fixture->plan, &fixture->reason);
    }
    return error;
}

static void end(struct fixture *fixture) {
    air_plan_deinit(&fixture->plan);
    air_settings_deinit(&fixture->settings);
    air_buffer_deinit(&fixture->reason);
}

static void fills_in_the_documented_defaults(void **state) {
    (void)state;
    struct fixture fixture;
    assert_ok(plan_text(
        &fixture, "certificates: [{name: WWW.Example.NET., to: '[::1]:80'}]\n", AIR_PURPOSE_RUN));
    const struct air_plan *plan = &fixture.plan;
    assert_string_equal(plan->state_dir, "/var/lib/thinair");
    assert_string_equal(plan->admin_path, "/var/lib/thinair/admin.sock");
    assert_null(plan->user);
    assert_int_equal(plan->listen_count, 1);
    assert_int_equal(plan->listen[0].port, 443);
    assert_int_equal(plan->http[0].port, 80);
    assert_memory_equal(plan->alpn, "\x08http/1.1", 9);
    const struct air_certificate_spec *spec = &plan->certificates[0].spec;
    assert_span(spec->id, "www.example.net");
    assert_int_equal(spec->key_types_count, 1);
    assert_int_equal(spec->key_types[0], AIR_KEY_ECDSA_P256);
    assert_int_equal(spec->challenges_count, 2);
    assert_int_equal(spec->challenges[0], AIR_TLS_ALPN_01);
    assert_span(spec->directory_url, "https://acme-v02.api.letsencrypt.org/directory");
    assert_false(plan->authorities[0].terms_agreed);
    end(&fixture);
}

static void listens_for_tls_only_when_issue_is_told_to(void **state) {
    (void)state;
    struct fixture fixture;
    assert_ok(plan_text(&fixture, "certificates: [{name: a.example}]\n", AIR_PURPOSE_ISSUE));
    assert_int_equal(fixture.plan.listen_count, 0);
    assert_true(air_plan_uses(&fixture.plan, AIR_HTTP_01));
    assert_false(air_plan_uses(&fixture.plan, AIR_TLS_ALPN_01));
    end(&fixture);
    assert_ok(plan_text(
        &fixture, "listen: ':8443'\ncertificates: [{name: a.example}]\n", AIR_PURPOSE_ISSUE));
    assert_true(air_plan_uses(&fixture.plan, AIR_TLS_ALPN_01));
    end(&fixture);
}

static void reads_names_in_unicode_as_a_labels(void **state) {
    (void)state;
    struct fixture fixture;
    assert_ok(plan_text(&fixture, "certificates: [{names: [Bücher.example, xn--bcher-kva.test]}]\n",
        AIR_PURPOSE_ISSUE));
    assert_span(fixture.plan.certificates[0].spec.names[0], "xn--bcher-kva.example");
    assert_span(fixture.plan.certificates[0].spec.id, "xn--bcher-kva.example");
    end(&fixture);
}

static void lets_an_authority_fall_back_to_the_top_level(void **state) {
    (void)state;
    struct fixture fixture;
    assert_ok(plan_text(&fixture,
        "contact: top@example.net\nagree-terms: true\nca: one\n"
        "authorities:\n  one: {directory: 'https://one.example/d'}\n"
        "  two: {directory: 'https://two.example/d', contact: 'mailto:two@example.net', "
        "agree-terms: false}\n"
        "certificates:\n- name: a.example\n- {name: b.example, ca: two}\n"
        "- {name: c.example, ca: letsencrypt-staging}\n- {name: d.example, ca: two}\n",
        AIR_PURPOSE_CONFIG));
    assert_int_equal(fixture.plan.authorities_count, 3);
    assert_span(fixture.plan.authorities[0].directory_url, "https://one.example/d");
    assert_span(fixture.plan.authorities[0].contacts[0], "mailto:top@example.net");
    assert_true(fixture.plan.authorities[0].terms_agreed);
    assert_span(fixture.plan.authorities[1].contacts[0], "mailto:two@example.net");
    assert_false(fixture.plan.authorities[1].terms_agreed);
    assert_span(fixture.plan.authorities[2].directory_url,
        "https://acme-staging-v02.api.letsencrypt.org/directory");
    assert_span(fixture.plan.certificates[3].spec.directory_url, "https://two.example/d");
    end(&fixture);
}

#define ONE "certificates:\n- {name: a.example, to: 'b:1'}\n"

static const struct {
    const char *text;
    const char *complaint;
} refusals[] = {
    {"state: /a\n", "t.yaml: names no certificate; add certificates: with at least one - name:"},
    {"certificates: []\n",
        "t.yaml: names no certificate; add certificates: with at least one - name:"},
    {"certificates:\n- to: a:1\n", "t.yaml:2: this certificate has no name; give name: or names:"},
    {"certificates:\n- name: a.example\n",
        "t.yaml:2: a.example has nowhere to go: say where its "
        "requests are forwarded, to 127.0.0.1:8080 for instance"},
    {"certificates:\n- names:\n  - a.example\n  - b_c.example\n",
        "t.yaml:4: b_c.example is no DNS name that a public CA certifies: letters, digits and "
        "hyphens, at least two labels"},
    {"certificates:\n- name: localhost\n",
        "t.yaml:2: localhost is no DNS name that a public CA certifies: letters, digits and "
        "hyphens, at least two labels"},
    {"certificates:\n- name: https://a.example/\n",
        "t.yaml:2: https://a.example/ is a URL; give the host name alone"},
    {"certificates:\n- name: a.example:443\n",
        "t.yaml:2: a.example:443 has a port; give the host name alone"},
    {"certificates:\n- name: 192.0.2.1\n",
        "t.yaml:2: 192.0.2.1 is an address; certificates for addresses are not supported, give a "
        "DNS name"},
    {"certificates:\n- name: '2001:db8::1'\n",
        "t.yaml:2: 2001:db8::1 is an address; certificates for addresses are not supported, give a "
        "DNS name"},
    {"certificates:\n- name: '*.a.example'\n",
        "t.yaml:2: *.a.example is a wildcard, which needs dns-01; give the host names themselves"},
    {"certificates:\n- names: [a.example,\n    A.EXAMPLE]\n",
        "t.yaml:3: a.example is there twice; keep one"},
    {"certificates:\n- {name: a.example, to: 'b:1'}\n- {name: b.example, to: 'b:1', id: "
     "a.example}\n",
        "t.yaml:3: the id a.example belongs to the certificate on line 2 already; give one of them "
        "another with id:"},
    {"certificates:\n- {name: a.example, to: 'b:1'}\n"
     "- {names: [b.example, a.example], to: 'b:1'}\n",
        "t.yaml:3: the name a.example belongs to the certificate on line 2 already; name it in one "
        "of them"},
    {"certificates:\n- name: a.example\n  id: a/b\n",
        "t.yaml:3: a/b is no id; it is a folder's name of letters, digits, '-', '_' and '.', and "
        "does not begin with '.'"},
    {"certificates:\n- name: a.example\n  id: ..\n",
        "t.yaml:3: .. is no id; it is a folder's name of letters, digits, '-', '_' and '.', and "
        "does not begin with '.'"},
    {"certificates:\n- name: a.example\n  keys: ed25519\n",
        "t.yaml:3: ed25519 is no key type; there are ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 "
        "and "
        "rsa-4096"},
    {"certificates:\n- name: a.example\n  keys: [rsa-2048, rsa-4096]\n",
        "t.yaml:3: rsa-4096 is one too many; a certificate takes one ecdsa and one rsa key"},
    {"certificates:\n- name: a.example\n  challenge: dns-01\n",
        "t.yaml:3: dns-01: give http-01, tls-alpn-01 or both, each once"},
    {"http: []\ncertificates:\n- name: a.example\n  challenge: http-01\n",
        "t.yaml:4: http-01 needs an address to answer on; give http"},
    {"http: []\nlisten: []\ncertificates:\n- name: a.example\n",
        "t.yaml:4: the CA cannot check these names: give http, listen or both"},
    {"certificates:\n- name: a.example\n  renew-before: 1w\n",
        "t.yaml:3: 1w is no span of time; write a number and one of d, h, m, s: 30d, 12h (at most "
        "3650d)"},
    {"certificates:\n- name: a.example\n  to: localhost\n",
        "t.yaml:3: localhost has no port; write host:port, [v6]:port"},
    {"certificates:\n- name: a.example\n  to: :80\n",
        "t.yaml:3: :80 names no host; write host:port"},
    {"certificates:\n- name: a.example\n  to: b:0\n",
        "t.yaml:3: 0 is no port; ports are numbers from 1 to 65535"},
    {"certificates:\n- name: a.example\n  to: b:1\n  on-installed: reload\n",
        "t.yaml:4: reload: give the program's whole path; no shell looks for it"},
    {"listen: ::1:443\n" ONE,
        "t.yaml:1: ::1:443 has more than one colon; write an IPv6 address as [v6]:port"},
    {"listen: '[::1]'\n" ONE, "t.yaml:1: [::1] has no port; write host:port, [v6]:port or :port"},
    {"listen:\n- ':443'\n- ':99999'\n" ONE,
        "t.yaml:3: 99999 is no port; ports are numbers from 1 to 65535"},
    {"http: 80\n" ONE, "t.yaml:1: 80 has no port; write host:port, [v6]:port or :port"},
    {"alpn: acme-tls/1\n" ONE,
        "t.yaml:1: \"acme-tls/1\" is no protocol to offer; write h2,http/1.1"},
    {"log-format: xml\n" ONE, "t.yaml:1: log-format is text or json, not xml"},
    {"ca: letsencrypt-stagign\n" ONE,
        "t.yaml:1: letsencrypt-stagign is no known CA; did you mean letsencrypt-staging? Else give "
        "letsencrypt, letsencrypt-staging, the https URL of a directory, or a name under "
        "authorities:"},
    {"certificates:\n- name: a.example\n  to: b:1\n  ca: other\n",
        "t.yaml:4: other is no known CA; give letsencrypt, letsencrypt-staging, the https URL of a "
        "directory, or a name under authorities:"},
    {"ca: http://ca.example/d\n" ONE,
        "t.yaml:1: the CA's directory http://ca.example/d must begin with https://: certificates "
        "are never ordered in the clear"},
    {"ca: https://u:p@ca.example/d\n" ONE,
        "t.yaml:1: the CA's directory https://u:p@ca.example/d must hold no user name or password"},
    {"ca: https:///d\n" ONE, "t.yaml:1: the CA's directory https:///d names no host"},
    {"authorities:\n  x:\n    contact: a@b.example\n" ONE,
        "t.yaml:2: x has no directory; give its https URL"},
    {"authorities:\n  x: {directory: 'https://a/'}\n  y: {directory: 'https://a/'}\n" ONE,
        "t.yaml:3: y has the directory of x on line 2; a CA has one account here, keep one"},
    {"authorities:\n  x: {directory: 'https://a/'}\n  x: {directory: 'https://b/'}\n" ONE,
        "t.yaml:3: x stands on line 2 already; keep one"},
    {"contact: nobody\n" ONE, "t.yaml:1: nobody is no mail address; write somebody@example.net"},
    {"contact: a@b.example?subject=x\n" ONE,
        "t.yaml:1: a@b.example?subject=x is no mail address; write somebody@example.net"},
    {"eab-kid: x\n" ONE, "t.yaml:1: needs its other half: give both eab-kid and eab-key-file, as "
                         "the CA told them"},
    {"ca-file: /nonexistent/ca.pem\n" ONE,
        "t.yaml:1: /nonexistent/ca.pem cannot be opened: No such file or directory"},
    {"ca-file: /\n" ONE, "t.yaml:1: / is no regular file"},
    {"ca-file: empty\n" ONE,
        "t.yaml:1: empty holds no certificate; it must be PEM, beginning with BEGIN CERTIFICATE"},
    {"eab-kid: x\neab-key-file: open\n" ONE, "t.yaml:2: open is open to others; chmod it to 0600"},
    {"eab-kid: x\neab-key-file: empty\n" ONE, "t.yaml:2: empty holds no base64url key; it must "
                                              "hold the MAC key alone, as the CA told it"},
};

static void refuses_what_cannot_work(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct fixture fixture;
        enum air_error error = plan_text(&fixture, refusals[i].text, AIR_PURPOSE_RUN);
        assert_int_not_equal(error, AIR_OK);
        assert_int_not_equal(error, AIR_ERR_NO_MEMORY);
        assert_span(air_buffer_span(&fixture.reason), refusals[i].complaint);
        end(&fixture);
    }
}

static void refuses_a_certificate_by_flags_beside_a_file(void **state) {
    (void)state;
    struct fixture fixture;
    struct air_plan plan = {.state_dir = NULL};
    assert_ok(plan_text(&fixture, ONE, AIR_PURPOSE_RUN));
    assert_ok(air_settings_append(&fixture.settings, &fixture.settings.by_flags.names,
        SPAN("b.example"), (struct air_place){"--name", 0}));
    assert_int_equal(air_plan_make(&fixture.settings, AIR_PURPOSE_RUN, &plan, &fixture.reason),
        AIR_ERR_MALFORMED);
    assert_span(air_buffer_span(&fixture.reason),
        "--name: cannot be given together with --config; put it under certificates: in t.yaml");
    air_plan_deinit(&plan);
    end(&fixture);
}

static void finds_a_name_shared_among_thousands(void **state) {
    (void)state;
    struct air_buffer text;
    struct fixture fixture;
    air_buffer_init(&text, 1 << 20);
    air_buffer_append_text(&text, "certificates:\n");
    for (int i = 0; i < 4000; i++) {
        air_buffer_append_text(&text, "- {to: 'b:1', name: n");
        air_buffer_append_number(&text, i == 3999 ? 17 : i);
        air_buffer_append_text(&text, i == 3999 ? ".example, id: other}\n" : ".example}\n");
    }
    air_buffer_append_byte(&text, 0);
    assert_int_equal(plan_text(&fixture, (const char *)text.data, AIR_PURPOSE_RUN), AIR_ERR_EXISTS);
    assert_span(air_buffer_span(&fixture.reason),
        "t.yaml:4001: the name n17.example belongs to the certificate on line 19 already; name it "
        "in one of them");
    end(&fixture);
    air_buffer_deinit(&text);
}

static void shows_what_is_meant(void **state) {
    (void)state;
    struct fixture fixture;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(plan_text(&fixture,
        "state: \"/it's\"\nuser: www\nca: https://ca.example/d\nalpn: [h2, http/1.1]\n"
        "contact: a@b.example\ncertificates:\n"
        "- {names: [a.example, b.example], keys: [ecdsa-p384, rsa-2048], to: 'b:1', "
        "renew-before: 36h, must-staple: true, on-installed: [/bin/true, x]}\n",
        AIR_PURPOSE_CONFIG));
    air_plan_write(&fixture.plan, &out);
    assert_ok(out.error);
    assert_span(air_buffer_span(&out),
        "state: '/it''s'\nadmin: '/it''s/admin.sock'\nuser: 'www'\nlisten: [':443']\n"
        "http: [':80']\nalpn: ['h2', 'http/1.1']\nproxy-protocol: false\nlog-format: 'text'\n"
        "authorities:\n  ca1:\n    directory: 'https://ca.example/d'\n    contact:\n"
        "      - 'mailto:a@b.example'\n    agree-terms: false\ncertificates:\n"
        "  - id: 'a.example'\n    names: [a.example, b.example]\n    keys: [ecdsa-p384, rsa-2048]\n"
        "    challenge: [tls-alpn-01, http-01]\n    ca: ca1\n    to: 'b:1'\n"
        "    renew-before: 36h\n    must-staple: true\n    on-installed:\n      - '/bin/true'\n"
        "      - 'x'\n");
    struct fixture again;
    air_buffer_append_byte(&out, 0);
    assert_ok(plan_text(&again, (const char *)out.data, AIR_PURPOSE_CONFIG));
    end(&again);
    end(&fixture);
    air_buffer_deinit(&out);
}

static enum air_error plan_one(void *context) {
    (void)context;
    struct fixture fixture;
    enum air_error error = plan_text(&fixture,
        "contact: a@b.example\nagree-terms: true\nlisten: [':1', '[::1]:2']\n"
        "certificates:\n- {names: [a.example, b.example], to: 'b:1', on-installed: /bin/true}\n",
        AIR_PURPOSE_RUN);
    end(&fixture);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(plan_one, NULL);
}

static void make_file(const char *name, mode_t mode) {
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static int enter_folder(void **state) {
    static char folder[] = "/tmp/air-plan-XXXXXX";
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return -1;
    }
    make_file("empty", 0600);
    make_file("open", 0644);
    *state = folder;
    return 0;
}

static int leave_folder(void **state) {
    return unlink("empty") == 0 && unlink("open") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_the_documented_defaults),
        cmocka_unit_test(listens_for_tls_only_when_issue_is_told_to),
        cmocka_unit_test(reads_names_in_unicode_as_a_labels),
        cmocka_unit_test(lets_an_authority_fall_back_to_the_top_level),
        cmocka_unit_test(refuses_what_cannot_work),
        cmocka_unit_test(refuses_a_certificate_by_flags_beside_a_file),
        cmocka_unit_test(finds_a_name_shared_among_thousands),
        cmocka_unit_test(shows_what_is_meant),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, enter_folder, leave_folder);
    return air_memory_live() == 0 ? failed : 1;
}
