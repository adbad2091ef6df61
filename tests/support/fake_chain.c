/* SPDX-License-Identifier: MIT */
/*
 * Judging a downloaded chain as thinair/crypto.h asks every port to: the engine's tests need the
 * refusals as much as the successes. Being signed means naming the next certificate's subject.
 *
 * Invariant: every refusal but that of a malformed text comes with its reason.
 */

#include "tests/support/fake_chain.h"

#include <string.h>

#include "src/base/pem.h"
#include "src/base/span.h"
#include "tests/support/fake_certificate.h"

#define SKEW_MS INT64_C(3600000)

static enum air_error check_links(air_span chain, struct air_buffer *reason);
static const char *find_fault(const struct air_fake_certificate *leaf,
    const struct air_certificate_wish *wish, const uint8_t *spki_sha256);
static bool has_exactly_the_names(
    const struct air_fake_certificate *leaf, const struct air_certificate_wish *wish);
static bool is_among(air_span name, const air_span *names, size_t names_count);
static bool is_served_now(air_span chain, air_span previous_chain);
static enum air_error refuse(struct air_buffer *reason, const char *text);

enum air_error air_fake_chain_check(air_span chain, const struct air_certificate_wish *wish,
    const uint8_t spki_sha256[AIR_SHA256_SIZE], struct air_buffer *reason) {
    size_t count = 0;
    if (!air_pem_is_only(chain, "CERTIFICATE", &count)) {
        return AIR_ERR_MALFORMED;
    }
    if (count > AIR_CHAIN_COUNT_MAX) {
        return refuse(reason, "the chain has too many certificates");
    }
    struct air_fake_certificate leaf;
    enum air_error error = air_fake_certificate_read(chain, &leaf);
    if (error != AIR_OK) {
        return error;
    }
    const char *fault = find_fault(&leaf, wish, spki_sha256);
    air_fake_certificate_deinit(&leaf);
    if (fault == NULL && is_served_now(chain, wish->previous_chain)) {
        fault = "it is the certificate that is served now";
    }
    return fault != NULL ? refuse(reason, fault) : check_links(chain, reason);
}

/* Every certificate names the next one as its issuer. */
static enum air_error check_links(air_span chain, struct air_buffer *reason) {
    uint8_t issuer[AIR_FAKE_ID_SIZE] = {0};
    air_span block;
    air_span label;
    for (size_t i = 0; air_pem_next(&chain, &block, &label, NULL); i++) {
        struct air_fake_certificate certificate;
        enum air_error error = air_fake_certificate_read(block, &certificate);
        if (error != AIR_OK) {
            return error;
        }
        bool is_linked = i == 0 || memcmp(certificate.subject, issuer, sizeof(issuer)) == 0;
        memcpy(issuer, certificate.issuer, sizeof(issuer));
        air_fake_certificate_deinit(&certificate);
        if (!is_linked) {
            return refuse(reason, "a certificate is not signed by the next one");
        }
    }
    return AIR_OK;
}

static const char *find_fault(const struct air_fake_certificate *leaf,
    const struct air_certificate_wish *wish, const uint8_t *spki_sha256) {
    if (memcmp(leaf->spki_sha256, spki_sha256, AIR_SHA256_SIZE) != 0) {
        return "the certificate has another key";
    }
    if (!has_exactly_the_names(leaf, wish)) {
        return "the certificate has other names";
    }
    if (leaf->not_before_ms > wish->now_wall_ms + SKEW_MS) {
        return "the certificate is not valid yet";
    }
    if (leaf->not_after_ms <= wish->now_wall_ms) {
        return "the certificate has expired";
    }
    return leaf->is_server_auth ? NULL : "the certificate is not for servers";
}

static bool has_exactly_the_names(
    const struct air_fake_certificate *leaf, const struct air_certificate_wish *wish) {
    for (size_t i = 0; i < leaf->names_count; i++) {
        if (!is_among(leaf->names[i], wish->names, wish->names_count)) {
            return false;
        }
    }
    for (size_t i = 0; i < wish->names_count; i++) {
        if (!is_among(wish->names[i], leaf->names, leaf->names_count)) {
            return false;
        }
    }
    return true;
}

static bool is_among(air_span name, const air_span *names, size_t names_count) {
    for (size_t i = 0; i < names_count; i++) {
        if (air_span_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_served_now(air_span chain, air_span previous_chain) {
    air_span leaf;
    air_span previous_leaf;
    air_span label;
    return air_pem_next(&chain, &leaf, &label, NULL) &&
           air_pem_next(&previous_chain, &previous_leaf, &label, NULL) &&
           air_span_equal(air_span_trim(leaf), air_span_trim(previous_leaf));
}

static enum air_error refuse(struct air_buffer *reason, const char *text) {
    air_buffer_append_text(reason, text);
    return AIR_ERR_BAD_CERTIFICATE;
}
