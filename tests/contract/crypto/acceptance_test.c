/* SPDX-License-Identifier: MIT */
/*
 * Proven: a certificate is accepted only when it is what was ordered and may be served (R-A14):
 * our key, exactly our names, a lifetime that holds now, for servers, new. There is a test for
 * every reason to refuse, and each refusal is told in a sentence of bounded length. What stands
 * around the leaf is chain_test.c's.
 */

#include <string.h>

#include "tests/contract/crypto/candidate.h"
#include "tests/contract/crypto/oracle.h"

static void accepts_what_was_ordered(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_candidate_assert_accepted(&candidate);
    air_candidate_append(&candidate, air_test_pki_root(candidate.pki));
    air_candidate_assert_accepted(&candidate);
    air_candidate_deinit(&candidate);
}

static void accepts_the_request_it_made(void **state) {
    const struct air_crypto *port = *state;
    struct air_candidate candidate;
    struct air_buffer csr;
    air_candidate_init(&candidate, port);
    air_buffer_init(&csr, AIR_CSR_SIZE_MAX);
    assert_ok(port->csr_create(
        port->self, candidate.wish.key, NULL, air_candidate_names, 2, false, &csr));
    assert_true(air_test_pki_sign_csr(candidate.pki, air_buffer_span(&csr), AIR_CANDIDATE_NOW_MS,
        AIR_CANDIDATE_NOW_MS + AIR_CANDIDATE_DAY_MS, &candidate.chain));
    air_candidate_assert_accepted(&candidate);
    air_buffer_deinit(&csr);
    air_candidate_deinit(&candidate);
}

static void accepts_names_in_another_order_and_case(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.names = "DNS:*.EXAMPLE.net,DNS:example.NET,DNS:example.net";
    air_candidate_issue(&candidate);
    air_candidate_assert_accepted(&candidate);
    air_candidate_deinit(&candidate);
}

/* The edges of R-A14: an hour of skew at the beginning, none at the end. */
static void accepts_dates_up_to_their_edges(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.not_before_ms = AIR_CANDIDATE_NOW_MS + AIR_CANDIDATE_HOUR_MS;
    air_candidate_issue(&candidate);
    air_candidate_assert_accepted(&candidate);
    candidate.leaf.not_before_ms = AIR_CANDIDATE_NOW_MS - AIR_CANDIDATE_HOUR_MS;
    candidate.leaf.not_after_ms = AIR_CANDIDATE_NOW_MS;
    candidate.wish.now_wall_ms = AIR_CANDIDATE_NOW_MS - 1;
    air_candidate_issue(&candidate);
    air_candidate_assert_accepted(&candidate);
    air_candidate_deinit(&candidate);
}

static void accepts_a_renewal_with_the_same_key(void **state) {
    struct air_candidate candidate;
    struct air_buffer previous;
    air_candidate_init(&candidate, *state);
    air_buffer_init(&previous, AIR_CHAIN_SIZE_MAX);
    air_test_pki_issue_leaf(candidate.pki, &candidate.leaf, &previous);
    air_candidate_issue(&candidate);
    candidate.wish.previous_chain = air_buffer_span(&previous);
    air_candidate_assert_accepted(&candidate);
    candidate.wish.previous_chain = SPAN("nothing that can be read");
    air_candidate_assert_accepted(&candidate);
    air_buffer_deinit(&previous);
    air_candidate_deinit(&candidate);
}

static void refuses_another_key(void **state) {
    struct air_candidate candidate;
    const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_ECDSA_P384, AIR_KEY_RSA_2048};
    air_candidate_init(&candidate, *state);
    for (size_t i = 0; i < 3; i++) {
        air_buffer_clear(&candidate.key);
        air_test_key_make(types[i], &candidate.key);
        candidate.leaf.key = air_buffer_span(&candidate.key);
        air_candidate_assert_leaf_refused(&candidate, "another key");
    }
    air_candidate_deinit(&candidate);
}

static void refuses_a_missing_name(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.names = "DNS:example.net";
    air_candidate_assert_leaf_refused(&candidate, "lacks *.example.net,");
    candidate.leaf.names = NULL;
    air_candidate_assert_leaf_refused(&candidate, "lacks example.net,");
    air_candidate_deinit(&candidate);
}

static void refuses_an_extra_name(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.names = "DNS:example.net,DNS:*.example.net,DNS:www.example.net";
    air_candidate_assert_leaf_refused(&candidate, "names www.example.net, which was not ordered");
    candidate.leaf.names = "DNS:example.net,DNS:*.example.net,DNS:xexample.net";
    air_candidate_assert_leaf_refused(&candidate, "names xexample.net, which was not ordered");
    air_candidate_deinit(&candidate);
}

static void refuses_names_of_another_kind(void **state) {
    const char *const names[] = {
        "DNS:example.net,DNS:*.example.net,IP:192.0.2.1",
        "DNS:example.net,DNS:*.example.net,email:root@example.net",
        "DNS:example.net,DNS:*.example.net,URI:https://example.net/",
        "DNS:example.net,DNS:*.example.net,RID:1.2.3.4",
    };
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        candidate.leaf.names = names[i];
        air_candidate_assert_leaf_refused(&candidate, "not a DNS name");
    }
    air_candidate_deinit(&candidate);
}

/* R-A6: what a C string would end at must not end the name, nor reach a terminal. */
static void refuses_names_no_host_has(void **state) {
    const air_span bad[] = {
        SPAN("example.net\0"),
        SPAN("example.net\0.evil.example"),
        SPAN("example.net\x1b[2J"),
        SPAN("example net"),
        SPAN(""),
    };
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.names = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const air_span names[] = {bad[i], air_candidate_names[0], air_candidate_names[1]};
        struct air_buffer der;
        air_buffer_init(&der, 4096);
        air_oracle_names(names, 3, &der);
        candidate.leaf.names_der = air_buffer_span(&der);
        air_candidate_assert_leaf_refused(&candidate, "no host can have");
        air_buffer_deinit(&der);
    }
    air_candidate_deinit(&candidate);
}

static void refuses_lists_of_names_that_cannot_be_read(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.names_der = SPAN("\x30\x05\x82\x03"
                                    "a.b");
    air_candidate_assert_leaf_refused(&candidate, "cannot be read"); /* two lists */
    candidate.leaf.names = NULL;
    candidate.leaf.names_der = SPAN("\x31\x00");
    air_candidate_assert_leaf_refused(&candidate, "cannot be read");
    air_candidate_deinit(&candidate);
}

static void reasons_stay_short_with_long_names(void **state) {
    struct air_candidate candidate;
    char text[253];
    memset(text, 'a', sizeof(text));
    text[63] = text[127] = text[191] = '.';
    const air_span name = air_span_of(text, sizeof(text));
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    candidate.wish.names = &name;
    candidate.wish.names_count = 1;
    air_candidate_assert_refused(&candidate, "which was not ordered");
    const air_span names[] = {air_candidate_names[0], air_candidate_names[1], name};
    candidate.wish.names = names;
    candidate.wish.names_count = 3;
    air_candidate_assert_refused(&candidate, "aaaa..., which was ordered");
    air_candidate_deinit(&candidate);
}

static void refuses_an_expired_certificate(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.not_after_ms = AIR_CANDIDATE_NOW_MS;
    air_candidate_assert_leaf_refused(&candidate, "expired at 2026-11-18T11:06:40Z");
    candidate.wish.now_wall_ms = INT64_MAX;
    air_candidate_assert_leaf_refused(&candidate, "expired");
    air_candidate_deinit(&candidate);
}

static void refuses_a_certificate_of_the_future(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.not_before_ms = AIR_CANDIDATE_NOW_MS + AIR_CANDIDATE_HOUR_MS + 1000;
    air_candidate_assert_leaf_refused(&candidate, "not valid before 2026-11-18T12:06:41Z");
    candidate.wish.now_wall_ms = INT64_MIN;
    air_candidate_assert_leaf_refused(&candidate, "not valid before");
    air_candidate_deinit(&candidate);
}

static void refuses_a_lifetime_that_is_none(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.not_after_ms = candidate.leaf.not_before_ms;
    air_candidate_assert_leaf_refused(&candidate, "ends before it begins");
    candidate.leaf.not_after_ms = candidate.leaf.not_before_ms - AIR_CANDIDATE_DAY_MS;
    air_candidate_assert_leaf_refused(&candidate, "ends before it begins");
    air_candidate_deinit(&candidate);
}

static void refuses_certificates_not_for_servers(void **state) {
    const char *const usages[] = {NULL, "clientAuth", "anyExtendedKeyUsage", "codeSigning"};
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        candidate.leaf.usage = usages[i];
        air_candidate_assert_leaf_refused(&candidate, "serverAuth");
    }
    candidate.leaf.usage = "clientAuth,serverAuth";
    air_candidate_issue(&candidate);
    air_candidate_assert_accepted(&candidate);
    air_candidate_deinit(&candidate);
}

static void refuses_a_ca_as_leaf(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.constraints = "critical,CA:TRUE";
    air_candidate_assert_leaf_refused(&candidate, "is a CA's");
    air_candidate_deinit(&candidate);
}

static void refuses_a_malformed_extension(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.constraints = "CA:FALSE,pathlen:-1";
    air_candidate_assert_leaf_refused(&candidate, "malformed extension");
    air_candidate_deinit(&candidate);
}

static void refuses_a_precertificate(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    candidate.leaf.is_precertificate = true;
    air_candidate_assert_leaf_refused(&candidate, "critical extension");
    air_candidate_deinit(&candidate);
}

static void refuses_the_certificate_that_is_served(void **state) {
    struct air_candidate candidate;
    struct air_buffer previous;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_init(&previous, AIR_CHAIN_SIZE_MAX);
    assert_ok(air_buffer_append_span(&previous, air_buffer_span(&candidate.chain)));
    candidate.wish.previous_chain = air_buffer_span(&previous);
    air_candidate_assert_refused(&candidate, "sent again");
    /* Another issuer behind it makes it no new one. */
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    air_candidate_assert_refused(&candidate, "sent again");
    air_buffer_deinit(&previous);
    air_candidate_deinit(&candidate);
}

static void refuses_to_judge_without_a_key(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    candidate.port->key_free(candidate.port->self, candidate.wish.key);
    air_candidate_assert_refused_with(&candidate, AIR_ERR_ARGUMENT, "");
    air_candidate_deinit(&candidate);
}

static void refuses_also_when_the_reason_does_not_fit(void **state) {
    struct air_candidate candidate;
    struct air_buffer reason;
    air_candidate_init(&candidate, *state);
    candidate.leaf.usage = NULL;
    air_candidate_issue(&candidate);
    air_buffer_init(&reason, 5);
    assert_int_equal(candidate.port->certificate_check(candidate.port->self,
                         air_buffer_span(&candidate.chain), &candidate.wish, &reason),
        AIR_ERR_BAD_CERTIFICATE);
    air_buffer_deinit(&reason);
    air_candidate_deinit(&candidate);
}

int air_contract_acceptance(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(accepts_what_was_ordered),
        CONTRACT_TEST(accepts_the_request_it_made),
        CONTRACT_TEST(accepts_names_in_another_order_and_case),
        CONTRACT_TEST(accepts_dates_up_to_their_edges),
        CONTRACT_TEST(accepts_a_renewal_with_the_same_key),
        CONTRACT_TEST(refuses_another_key),
        CONTRACT_TEST(refuses_a_missing_name),
        CONTRACT_TEST(refuses_an_extra_name),
        CONTRACT_TEST(refuses_names_of_another_kind),
        CONTRACT_TEST(refuses_names_no_host_has),
        CONTRACT_TEST(refuses_lists_of_names_that_cannot_be_read),
        CONTRACT_TEST(reasons_stay_short_with_long_names),
        CONTRACT_TEST(refuses_an_expired_certificate),
        CONTRACT_TEST(refuses_a_certificate_of_the_future),
        CONTRACT_TEST(refuses_a_lifetime_that_is_none),
        CONTRACT_TEST(refuses_certificates_not_for_servers),
        CONTRACT_TEST(refuses_a_ca_as_leaf),
        CONTRACT_TEST(refuses_a_malformed_extension),
        CONTRACT_TEST(refuses_a_precertificate),
        CONTRACT_TEST(refuses_the_certificate_that_is_served),
        CONTRACT_TEST(refuses_to_judge_without_a_key),
        CONTRACT_TEST(refuses_also_when_the_reason_does_not_fit),
    };
    return cmocka_run_group_tests_name(
        "acceptance", tests, air_candidate_open, air_candidate_close);
}
