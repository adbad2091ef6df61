/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_CA_H
#define AIR_TEST_SUPPORT_FAKE_CA_H

/*
 * A small CA in memory (RFC 8555), seeded, on the fake crypto port: it checks every signature,
 * nonce and URL, keeps orders until it is freed, and can be told to be slow, forgetful, hostile or
 * wrong. It lives at https://ca.test, or another host. It outlives the engines that talk to it, so
 * that crashes can be played.
 */

#include "thinair/action.h"

#define AIR_FAKE_ORDERS_MAX 512
#define AIR_FAKE_SCRIPT_MAX 16

/* What a fake CA answers instead of the truth, once. */
struct air_fake_answer {
    const char *path;     /* beginning of the path it stands for: "/order/" */
    unsigned skip;        /* so many matching requests are answered truly first */
    bool is_after;        /* the request is carried out, its true answer is lost */
    enum air_error error; /* not AIR_OK: the request fails so */
    uint32_t status;
    const char *header_name; /* one more header, or NULL */
    const char *header_value;
    const char *body;
};

struct air_fake_ca_config {
    const char *host; /* "ca.test" */
    uint64_t seed;
    air_time_ms lifetime_ms; /* of certificates */
    unsigned nonce_reject_percent;
    unsigned authorization_reuse_percent;
    unsigned validation_polls; /* looks at an order before its challenges are judged */
    unsigned processing_polls; /* looks at an order before it is valid */
    bool is_ready_at_once;     /* orders need no authorization */
    const char *retry_after;   /* sent with pending and processing orders, or NULL */
    bool has_terms;

    /* Whether an answer to this challenge is visible; NULL: every one is. */
    bool (*validate)(
        void *context, const char *type, air_span name, air_span token, air_span key_authorization);

    /* Certify a real request (PKCS#10) in place of a fake one; false: it cannot be read. NULL: the
     * requests are the fake crypto port's. */
    bool (*certify)(void *context, air_span csr, air_time_ms not_before_ms,
        air_time_ms not_after_ms, struct air_buffer *chain);
    void *context;
};

struct air_fake_ca;

struct air_fake_ca *air_fake_ca_new(
    const struct air_crypto *crypto, const struct air_fake_ca_config *config);
void air_fake_ca_free(struct air_fake_ca *ca);

/* Changes from now on. */
struct air_fake_ca_config *air_fake_ca_settings(struct air_fake_ca *ca);
void air_fake_ca_answer(struct air_fake_ca *ca, const struct air_fake_answer *answer);

/* Carry out a request; result points into the CA until its next request. */
void air_fake_ca_request(struct air_fake_ca *ca, const struct air_http_action *request,
    struct air_time now, struct air_result *result);

/* What happened so far. */
struct air_fake_ca_counts {
    size_t requests;
    size_t orders;
    size_t finalized;
    size_t accounts;
    size_t deactivated; /* authorizations */
    air_span log;       /* "POST /new-order 201\n" for every request; the CA's */
};
struct air_fake_ca_counts air_fake_ca_counts(const struct air_fake_ca *ca);

#endif
