/* SPDX-License-Identifier: MIT */
/*
 * Making a chain to be judged, and asserting the judgement.
 *
 * Authorities are made once for a group of tests, because they are never changed; everything else
 * is a test's own, so that nothing one test spoils is seen by the next.
 */

#include "tests/contract/crypto/candidate.h"

#include "src/base/pem.h"
#include "tests/contract/crypto/oracle.h"

static struct air_test_pki *pki;
static struct air_test_pki *impostor;

const air_span air_candidate_names[2] = {
    {(const uint8_t *)"example.net", 11}, {(const uint8_t *)"*.example.net", 13}};

static bool contains(air_span text, const char *part);

int air_candidate_open(void **state) {
    (void)state;
    pki = air_test_pki_new();
    impostor = air_test_pki_new();
    return 0;
}

int air_candidate_close(void **state) {
    (void)state;
    air_test_pki_free(pki);
    air_test_pki_free(impostor);
    return 0;
}

void air_candidate_init(struct air_candidate *candidate, const struct air_crypto *port) {
    candidate->port = port;
    candidate->pki = pki;
    candidate->impostor = impostor;
    air_buffer_init(&candidate->key, 65536);
    air_buffer_init(&candidate->chain, 4 * AIR_CHAIN_SIZE_MAX);
    candidate->wish = (struct air_certificate_wish){
        .key = air_oracle_generate(port, AIR_KEY_ECDSA_P256),
        .names = air_candidate_names,
        .names_count = 2,
        .now_wall_ms = AIR_CANDIDATE_NOW_MS,
    };
    assert_ok(port->key_export(port->self, candidate->wish.key, &candidate->key));
    candidate->leaf = (struct air_test_leaf){
        .key = air_buffer_span(&candidate->key),
        .names = "DNS:example.net,DNS:*.example.net",
        .usage = "serverAuth",
        .constraints = "critical,CA:FALSE",
        .not_before_ms = AIR_CANDIDATE_NOW_MS - AIR_CANDIDATE_HOUR_MS,
        .not_after_ms = AIR_CANDIDATE_NOW_MS + 6 * AIR_CANDIDATE_DAY_MS,
    };
}

void air_candidate_deinit(struct air_candidate *candidate) {
    air_buffer_deinit(&candidate->key);
    air_buffer_deinit(&candidate->chain);
}

void air_candidate_issue(struct air_candidate *candidate) {
    air_buffer_clear(&candidate->chain);
    air_test_pki_issue_leaf(candidate->pki, &candidate->leaf, &candidate->chain);
}

void air_candidate_append(struct air_candidate *candidate, air_span text) {
    assert_ok(air_buffer_append_span(&candidate->chain, text));
}

air_span air_candidate_block(const struct air_candidate *candidate, size_t n) {
    air_span rest = air_buffer_span(&candidate->chain);
    air_span block = {NULL, 0};
    air_span label;
    for (size_t i = 0; i <= n; i++) {
        assert_true(air_pem_next(&rest, &block, &label, NULL));
    }
    return block;
}

void air_candidate_assert_accepted(const struct air_candidate *candidate) {
    struct air_buffer reason;
    air_buffer_init(&reason, AIR_REASON_SIZE_MAX);
    assert_ok(candidate->port->certificate_check(
        candidate->port->self, air_buffer_span(&candidate->chain), &candidate->wish, &reason));
    assert_int_equal(reason.size, 0);
    air_buffer_deinit(&reason);
}

void air_candidate_assert_refused_with(
    const struct air_candidate *candidate, enum air_error expected, const char *words) {
    struct air_buffer reason;
    air_buffer_init(&reason, AIR_REASON_SIZE_MAX);
    assert_int_equal(candidate->port->certificate_check(candidate->port->self,
                         air_buffer_span(&candidate->chain), &candidate->wish, &reason),
        expected);
    assert_ok(reason.error);
    for (size_t i = 0; i < reason.size; i++) {
        assert_true(reason.data[i] >= ' ' && reason.data[i] < 0x7f);
    }
    if (!contains(air_buffer_span(&reason), words)) {
        fail_msg("\"%.*s\" lacks \"%s\"", (int)reason.size, (const char *)reason.data, words);
    }
    air_buffer_deinit(&reason);
}

void air_candidate_assert_refused(const struct air_candidate *candidate, const char *words) {
    air_candidate_assert_refused_with(candidate, AIR_ERR_BAD_CERTIFICATE, words);
}

void air_candidate_assert_leaf_refused(struct air_candidate *candidate, const char *words) {
    air_candidate_issue(candidate);
    air_candidate_assert_refused(candidate, words);
}

static bool contains(air_span text, const char *part) {
    for (size_t at = 0; at <= text.size; at++) {
        if (air_span_starts_with(air_span_skip(text, at), part)) {
            return true;
        }
    }
    return false;
}
