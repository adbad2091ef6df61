/* SPDX-License-Identifier: MIT */
/*
 * Proven: a leaf that is right is accepted only in a chain that is one (R-A6): certificates and
 * white space, nothing else, within the limits, each signed by the next. There is a test for every
 * reason to refuse.
 */

#include <openssl/x509.h>
#include <string.h>

#include "tests/contract/crypto/candidate.h"
#include "tests/contract/crypto/oracle.h"

static void accepts_white_space_between_certificates(void **state) {
    struct air_candidate candidate;
    struct air_buffer text;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_init(&text, AIR_CHAIN_SIZE_MAX);
    assert_ok(air_buffer_append_text(&text, "\r\n \t\n"));
    assert_ok(air_buffer_append_span(&text, air_candidate_block(&candidate, 0)));
    assert_ok(air_buffer_append_text(&text, "\n\n\r\n"));
    assert_ok(air_buffer_append_span(&text, air_candidate_block(&candidate, 1)));
    assert_ok(air_buffer_append_text(&text, " \n"));
    air_buffer_clear(&candidate.chain);
    air_candidate_append(&candidate, air_buffer_span(&text));
    air_candidate_assert_accepted(&candidate);
    air_buffer_deinit(&text);
    air_candidate_deinit(&candidate);
}

static void accepts_a_leaf_alone(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    air_candidate_assert_accepted(&candidate);
    air_candidate_deinit(&candidate);
}

/* RFC 7468 section 2: the headers of RFC 1421 have no place in a certificate. */
static void refuses_a_certificate_with_headers(void **state) {
    struct air_candidate candidate;
    struct air_buffer text;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_span block = air_candidate_block(&candidate, 0);
    air_buffer_init(&text, AIR_CHAIN_SIZE_MAX);
    size_t first_line = air_span_find(block, '\n') + 1;
    assert_ok(air_buffer_append_span(&text, air_span_take(block, first_line)));
    assert_ok(air_buffer_append_text(&text, "X-Note: none\n\n"));
    assert_ok(air_buffer_append_span(&text, air_span_skip(block, first_line)));
    air_buffer_clear(&candidate.chain);
    air_candidate_append(&candidate, air_buffer_span(&text));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "certificate 1 of the chain cannot be read");
    air_buffer_deinit(&text);
    air_candidate_deinit(&candidate);
}

static void refuses_the_leaf_in_the_wrong_place(void **state) {
    struct air_candidate candidate;
    struct air_buffer text;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_init(&text, AIR_CHAIN_SIZE_MAX);
    assert_ok(air_buffer_append_span(&text, air_candidate_block(&candidate, 1)));
    assert_ok(air_buffer_append_span(&text, air_candidate_block(&candidate, 0)));
    air_buffer_clear(&candidate.chain);
    air_candidate_append(&candidate, air_buffer_span(&text));
    air_candidate_assert_refused(&candidate, "another key");
    air_buffer_deinit(&text);
    air_candidate_deinit(&candidate);
}

static void refuses_a_chain_with_a_gap(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    air_candidate_append(&candidate, air_test_pki_root(candidate.pki));
    air_candidate_assert_refused(
        &candidate, "certificate 1 of the chain is not signed by the one after it");
    air_candidate_append(&candidate, air_test_pki_intermediate(candidate.pki));
    air_candidate_assert_refused(
        &candidate, "certificate 1 of the chain is not signed by the one after it");
    air_candidate_deinit(&candidate);
}

static void refuses_an_issuer_twice(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_candidate_append(&candidate, air_test_pki_intermediate(candidate.pki));
    air_candidate_assert_refused(
        &candidate, "certificate 2 of the chain is not signed by the one after it");
    air_candidate_deinit(&candidate);
}

/* The names fit, the key does not. */
static void refuses_an_issuer_of_the_same_name(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    air_candidate_append(&candidate, air_test_pki_intermediate(candidate.impostor));
    air_candidate_assert_refused(&candidate, "certificate 1 of the chain is not signed");
    air_candidate_deinit(&candidate);
}

/* The key fits, the name does not: clients look for the next certificate by its name. */
static void refuses_an_issuer_of_another_name(void **state) {
    struct air_candidate candidate;
    unsigned char *der = NULL;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    X509 *issuer = air_oracle_certificate(air_candidate_block(&candidate, 1));
    assert_int_equal(X509_set_subject_name(issuer, X509_get_issuer_name(issuer)), 1);
    assert_true(i2d_re_X509_tbs(issuer, NULL) > 0); /* forget the bytes it was read from */
    int size = i2d_X509(issuer, &der);
    assert_true(size > 0);
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    air_oracle_pem("CERTIFICATE", air_span_of(der, (size_t)size), &candidate.chain);
    air_candidate_assert_refused(&candidate, "certificate 1 of the chain is not signed");
    OPENSSL_free(der);
    X509_free(issuer);
    air_candidate_deinit(&candidate);
}

static void refuses_a_leaf_as_issuer(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_buffer_truncate(&candidate.chain, air_candidate_block(&candidate, 0).size);
    struct air_buffer other;
    air_buffer_init(&other, AIR_CHAIN_SIZE_MAX);
    air_test_pki_issue_leaf(candidate.pki, &candidate.leaf, &other);
    air_candidate_append(&candidate, air_buffer_span(&other));
    air_candidate_assert_refused(&candidate, "certificate 2 of the chain is not a CA's");
    air_buffer_deinit(&other);
    air_candidate_deinit(&candidate);
}

static void refuses_a_changed_signature(void **state) {
    struct air_candidate candidate;
    uint8_t der[4096];
    unsigned char *end = der;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    X509 *certificate = air_oracle_certificate(air_candidate_block(&candidate, 0));
    int size = i2d_X509(certificate, NULL);
    assert_true(size > 0 && (size_t)size <= sizeof(der));
    assert_int_equal(i2d_X509(certificate, &end), size);
    der[size - 1] ^= 1;
    air_buffer_clear(&candidate.chain);
    air_oracle_pem("CERTIFICATE", air_span_of(der, (size_t)size), &candidate.chain);
    air_candidate_append(&candidate, air_test_pki_intermediate(candidate.pki));
    air_candidate_assert_refused(&candidate, "certificate 1 of the chain is not signed");
    X509_free(certificate);
    air_candidate_deinit(&candidate);
}

static void refuses_more_certificates_than_the_limit(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    for (int count = 2; count < AIR_CHAIN_COUNT_MAX; count++) {
        air_candidate_append(
            &candidate, air_test_pki_root(candidate.pki)); /* which is signed by itself */
    }
    air_candidate_assert_accepted(&candidate);
    air_candidate_append(&candidate, air_test_pki_root(candidate.pki));
    air_candidate_assert_refused_with(&candidate, AIR_ERR_LIMIT, "more than 8 certificates");
    air_candidate_deinit(&candidate);
}

static void refuses_more_bytes_than_the_limit(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    size_t fill = AIR_CHAIN_SIZE_MAX - candidate.chain.size;
    memset(air_buffer_extend(&candidate.chain, fill), '\n', fill);
    air_candidate_assert_accepted(&candidate);
    air_candidate_append(&candidate, SPAN("\n"));
    air_candidate_assert_refused_with(&candidate, AIR_ERR_LIMIT, "larger than 131072 bytes");
    air_candidate_deinit(&candidate);
}

static void refuses_an_empty_answer(void **state) {
    const air_span texts[] = {air_span_of(NULL, 0), SPAN("\n"), SPAN("<html>busy</html>"),
        SPAN("-----BEGIN CERTIFICATE-----\n")};
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        air_buffer_clear(&candidate.chain);
        air_candidate_append(&candidate, texts[i]);
        air_candidate_assert_refused_with(&candidate, AIR_ERR_MALFORMED, "no certificate");
    }
    air_candidate_deinit(&candidate);
}

static void refuses_text_between_certificates(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_candidate_append(&candidate, SPAN("junk\n"));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "text that is not a certificate");
    air_candidate_append(&candidate, air_test_pki_root(candidate.pki));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "text that is not a certificate");
    air_candidate_issue(&candidate);
    air_candidate_append(&candidate, SPAN("\0"));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "text that is not a certificate");
    air_candidate_issue(&candidate);
    air_candidate_append(&candidate, SPAN("-----BEGIN CERTIFICATE-----\nMII\n"));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "text that is not a certificate");
    air_candidate_deinit(&candidate);
}

static void refuses_other_blocks(void **state) {
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    air_candidate_issue(&candidate);
    air_candidate_append(&candidate, air_buffer_span(&candidate.key));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "a PEM block that is not a certificate");
    air_candidate_issue(&candidate);
    air_candidate_append(
        &candidate, SPAN("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"));
    air_candidate_assert_refused_with(
        &candidate, AIR_ERR_MALFORMED, "a PEM block that is not a certificate");
    air_candidate_deinit(&candidate);
}

static void refuses_blocks_that_cannot_be_read(void **state) {
    const air_span blocks[] = {
        SPAN("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
        SPAN("-----BEGIN CERTIFICATE-----\n####\n-----END CERTIFICATE-----\n"),
        SPAN("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
        SPAN("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nMAA=\n"
             "-----END CERTIFICATE-----\n"),
    };
    struct air_candidate candidate;
    air_candidate_init(&candidate, *state);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        air_candidate_issue(&candidate);
        air_candidate_append(&candidate, blocks[i]);
        air_candidate_assert_refused_with(
            &candidate, AIR_ERR_MALFORMED, "certificate 3 of the chain cannot");
    }
    air_candidate_deinit(&candidate);
}

int air_contract_chain(void) {
    const struct CMUnitTest tests[] = {
        CONTRACT_TEST(accepts_white_space_between_certificates),
        CONTRACT_TEST(accepts_a_leaf_alone),
        CONTRACT_TEST(refuses_a_certificate_with_headers),
        CONTRACT_TEST(refuses_the_leaf_in_the_wrong_place),
        CONTRACT_TEST(refuses_a_chain_with_a_gap),
        CONTRACT_TEST(refuses_an_issuer_twice),
        CONTRACT_TEST(refuses_an_issuer_of_the_same_name),
        CONTRACT_TEST(refuses_an_issuer_of_another_name),
        CONTRACT_TEST(refuses_a_leaf_as_issuer),
        CONTRACT_TEST(refuses_a_changed_signature),
        CONTRACT_TEST(refuses_more_certificates_than_the_limit),
        CONTRACT_TEST(refuses_more_bytes_than_the_limit),
        CONTRACT_TEST(refuses_an_empty_answer),
        CONTRACT_TEST(refuses_text_between_certificates),
        CONTRACT_TEST(refuses_other_blocks),
        CONTRACT_TEST(refuses_blocks_that_cannot_be_read),
    };
    return cmocka_run_group_tests_name("chain", tests, air_candidate_open, air_candidate_close);
}
