/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_PKI_H
#define AIR_TEST_PKI_H

/*
 * A certification authority in memory, for tests: a root, an intermediate, and what they sign.
 *
 * Whatever goes wrong inside ends the test program with a message: a test that cannot build its
 * certificates proves nothing. One thread at a time for each pki. Buffers are appended to.
 */

#include "thinair/buffer.h"

struct air_test_pki;

/* Make a root and an intermediate, both P-256, valid from 2000 to 2099. All pkis have the same
 * subject names and different keys. Free it with air_test_pki_free(). */
struct air_test_pki *air_test_pki_new(void);
void air_test_pki_free(struct air_test_pki *pki);

/* The root certificate; the intermediate's. PEM, valid as long as the pki. */
air_span air_test_pki_root(const struct air_test_pki *pki);
air_span air_test_pki_intermediate(const struct air_test_pki *pki);

/*
 * Make a key and a server certificate for DNS names.
 *
 * chain  Leaf, then intermediate; the root is left out.
 * key    The private key, PKCS#8.
 */
void air_test_pki_issue(struct air_test_pki *pki, enum air_key_type key_type, const air_span *names,
    size_t names_count, air_time_ms not_before_ms, air_time_ms not_after_ms,
    struct air_buffer *chain, struct air_buffer *key);

/* As a CA does at finalize: certify the key and the subjectAltName of a PKCS#10 request in DER.
 * False: it is not one, has no subjectAltName, or its signature does not fit its key. */
bool air_test_pki_sign_csr(struct air_test_pki *pki, air_span csr, air_time_ms not_before_ms,
    air_time_ms not_after_ms, struct air_buffer *chain);

/* A leaf in every detail. Texts are as in an OpenSSL extension section; NULL leaves that one out.
 */
struct air_test_leaf {
    air_span key;            /* private key in PEM; its public half is certified */
    const char *names;       /* "DNS:a.example.net,IP:192.0.2.1" */
    air_span names_der;      /* instead of names: the extension's value, as it is */
    const char *usage;       /* extended key usage: "serverAuth" */
    const char *constraints; /* "CA:FALSE" */
    const char *serial;      /* hexadecimal, of any length, "-" before it or not; NULL: random */
    bool is_precertificate;  /* with the critical poison of RFC 6962 section 3.1 */
    air_time_ms not_before_ms;
    air_time_ms not_after_ms;
};

/* Certify a leaf as it is described, right or wrong; chain as for air_test_pki_issue(). */
void air_test_pki_issue_leaf(
    struct air_test_pki *pki, const struct air_test_leaf *leaf, struct air_buffer *chain);

/* Make a private key, PKCS#8 PEM. */
void air_test_key_make(enum air_key_type type, struct air_buffer *key);

#endif
