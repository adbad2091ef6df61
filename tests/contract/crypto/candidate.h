/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_CRYPTO_CANDIDATE_H
#define AIR_TEST_CONTRACT_CRYPTO_CANDIDATE_H

/*
 * A chain that is about to be judged: right in every way until a test spoils it.
 */

#include "tests/contract/crypto/suite.h"
#include "tests/support/test_pki.h"

#define AIR_CANDIDATE_NOW_MS INT64_C(1795000000000) /* 2026-11-18T11:06:40Z */
#define AIR_CANDIDATE_HOUR_MS INT64_C(3600000)
#define AIR_CANDIDATE_DAY_MS INT64_C(86400000)

/* The two names that are ordered, "example.net" and "*.example.net". */
extern const air_span air_candidate_names[2];

struct air_candidate {
    const struct air_crypto *port;
    struct air_test_pki *pki;
    struct air_test_pki *impostor; /* has the same names and other keys */
    struct air_buffer key;         /* the one in the order */
    struct air_buffer chain;       /* what was downloaded: empty before it is issued */
    struct air_test_leaf leaf;
    struct air_certificate_wish wish;
};

/* Set up and tear down a group of tests: the two authorities. */
int air_candidate_open(void **state);
int air_candidate_close(void **state);

void air_candidate_init(struct air_candidate *candidate, const struct air_crypto *port);
void air_candidate_deinit(struct air_candidate *candidate);

/* Make the chain: the leaf as it is described now, and the intermediate. */
void air_candidate_issue(struct air_candidate *candidate);

/* Append to the chain; its n-th block, counted from 0. */
void air_candidate_append(struct air_candidate *candidate, air_span text);
air_span air_candidate_block(const struct air_candidate *candidate, size_t n);

void air_candidate_assert_accepted(const struct air_candidate *candidate);

/* Refused as not what was ordered, in a printable sentence that has these words in it; or with
 * another error; or after issuing the leaf. */
void air_candidate_assert_refused(const struct air_candidate *candidate, const char *words);
void air_candidate_assert_refused_with(
    const struct air_candidate *candidate, enum air_error expected, const char *words);
void air_candidate_assert_leaf_refused(struct air_candidate *candidate, const char *words);

#endif
