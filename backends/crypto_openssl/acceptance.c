/* SPDX-License-Identifier: MIT */
/*
 * The judgement over a chain that a CA sent (R-A6, R-A14): is it what was ordered, may it be
 * served?
 *
 * The CA is not trusted to be right, only to be who it is: trust in its root is the client's of the
 * server, not ours. The checks are a table, in the order in which an operator would want to hear of
 * them; the first that fails writes its sentence and ends the matter.
 */

#include "backends/crypto_openssl/acceptance.h"

#include <openssl/x509v3.h>

#include "backends/crypto_openssl/certificate.h"
#include "backends/crypto_openssl/names.h"
#include "src/base/pem.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

/* CAs backdate by a minute to an hour; a clock that is slow by as much is no reason to refuse. */
#define SKEW_MS INT64_C(3600000)

/* So much of a name goes into a sentence, which has to stay below AIR_REASON_SIZE_MAX. */
#define DETAIL_SIZE_MAX 160

struct candidate {
    X509 *certificates[AIR_CHAIN_COUNT_MAX]; /* the leaf first */
    size_t count;
    const struct air_certificate_wish *wish;
    const EVP_PKEY *pkey;
    struct air_buffer *reason;
};

static enum air_error parse(struct candidate *candidate, air_span chain);
static enum air_error parse_next(struct candidate *candidate, air_span block, air_span label);
static enum air_error check_key(struct candidate *candidate);
static enum air_error check_names(struct candidate *candidate);
static enum air_error check_names_ordered(
    struct candidate *candidate, const GENERAL_NAMES *names, int count);
static enum air_error check_names_present(
    struct candidate *candidate, const GENERAL_NAMES *names, int count);
static enum air_error check_dates(struct candidate *candidate);
static enum air_error check_usage(struct candidate *candidate);
static enum air_error check_extensions(struct candidate *candidate);
static enum air_error check_signatures(struct candidate *candidate);
static enum air_error check_is_new(struct candidate *candidate);
static bool is_signed_by(X509 *certificate, X509 *issuer);
static bool is_same(const X509 *a, const X509 *b);
static enum air_error refuse(struct candidate *candidate, const char *sentence);
static enum air_error refuse_about(
    struct candidate *candidate, const char *before, air_span about, const char *after);
static enum air_error refuse_number(
    struct candidate *candidate, const char *before, size_t number, const char *after);
static enum air_error refuse_time(
    struct candidate *candidate, const char *before, air_time_ms time, const char *after);

static enum air_error (*const checks[])(struct candidate *candidate) = {
    check_key,
    check_names,
    check_dates,
    check_extensions,
    check_usage,
    check_signatures,
    check_is_new,
};

enum air_error air_openssl_acceptance_check(air_span chain, const struct air_certificate_wish *wish,
    const EVP_PKEY *pkey, struct air_buffer *reason) {
    struct candidate candidate = {.wish = wish, .pkey = pkey, .reason = reason};
    enum air_error error = parse(&candidate, chain);
    for (size_t i = 0; error == AIR_OK && i < sizeof(checks) / sizeof(checks[0]); i++) {
        error = checks[i](&candidate);
    }
    for (size_t i = 0; i < candidate.count; i++) {
        X509_free(candidate.certificates[i]);
    }
    return error;
}

static enum air_error parse(struct candidate *candidate, air_span chain) {
    if (chain.size > AIR_CHAIN_SIZE_MAX) {
        (void)refuse_number(candidate, "the chain is larger than ", AIR_CHAIN_SIZE_MAX, " bytes");
        return AIR_ERR_LIMIT;
    }
    air_span block;
    air_span label;
    air_span rest = chain;
    bool junk = false;
    while (air_pem_next(&rest, &block, &label, &junk)) {
        if (junk) {
            (void)refuse(candidate, "the chain holds text that is not a certificate");
            return AIR_ERR_MALFORMED;
        }
        enum air_error error = parse_next(candidate, block, label);
        if (error != AIR_OK) {
            return error;
        }
    }
    if (air_span_trim(rest).size > 0 || candidate->count == 0) {
        (void)refuse(candidate, candidate->count == 0
                                    ? "the chain holds no certificate"
                                    : "the chain holds text that is not a certificate");
        return AIR_ERR_MALFORMED;
    }
    return AIR_OK;
}

static enum air_error parse_next(struct candidate *candidate, air_span block, air_span label) {
    if (!air_span_equal_text(label, "CERTIFICATE")) {
        (void)refuse(candidate, "the chain holds a PEM block that is not a certificate");
        return AIR_ERR_MALFORMED;
    }
    if (candidate->count == AIR_CHAIN_COUNT_MAX) {
        (void)refuse_number(
            candidate, "the chain holds more than ", AIR_CHAIN_COUNT_MAX, " certificates");
        return AIR_ERR_LIMIT;
    }
    enum air_error error =
        air_openssl_certificate_parse(block, &candidate->certificates[candidate->count]);
    if (error == AIR_ERR_MALFORMED) {
        (void)refuse_number(
            candidate, "certificate ", candidate->count + 1, " of the chain cannot be read");
    }
    if (error == AIR_OK) {
        candidate->count++;
    }
    return error;
}

static enum air_error check_key(struct candidate *candidate) {
    EVP_PKEY *certified = X509_get0_pubkey(candidate->certificates[0]);
    if (certified == NULL || EVP_PKEY_eq(candidate->pkey, certified) != 1) {
        return refuse(candidate, "the certificate is for another key than the one in the order");
    }
    return AIR_OK;
}

static enum air_error check_names(struct candidate *candidate) {
    GENERAL_NAMES *names = NULL;
    if (air_openssl_names_read(candidate->certificates[0], &names) != AIR_OK) {
        return refuse(candidate, "the certificate's list of names cannot be read");
    }
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    enum air_error error = check_names_ordered(candidate, names, count);
    if (error == AIR_OK) {
        error = check_names_present(candidate, names, count);
    }
    GENERAL_NAMES_free(names);
    return error;
}

/* Whether every name in the certificate was ordered. */
static enum air_error check_names_ordered(
    struct candidate *candidate, const GENERAL_NAMES *names, int count) {
    const struct air_certificate_wish *wish = candidate->wish;
    for (int i = 0; i < count; i++) {
        air_span name;
        enum air_error error = air_openssl_names_at(names, i, &name);
        if (error == AIR_ERR_UNSUPPORTED) {
            return refuse(candidate, "the certificate names something that is not a DNS name");
        }
        if (error != AIR_OK) {
            return refuse(candidate, "the certificate has a name that no host can have");
        }
        size_t at = 0;
        while (at < wish->names_count && !air_span_equal_nocase(name, wish->names[at])) {
            at++;
        }
        if (at == wish->names_count) {
            return refuse_about(
                candidate, "the certificate names ", name, ", which was not ordered");
        }
    }
    return AIR_OK;
}

/* Whether every ordered name is in the certificate, whose names are known to be sound. */
static enum air_error check_names_present(
    struct candidate *candidate, const GENERAL_NAMES *names, int count) {
    const struct air_certificate_wish *wish = candidate->wish;
    for (size_t at = 0; at < wish->names_count; at++) {
        bool present = false;
        for (int i = 0; i < count && !present; i++) {
            air_span name;
            present = air_openssl_names_at(names, i, &name) == AIR_OK &&
                      air_span_equal_nocase(name, wish->names[at]);
        }
        if (!present) {
            return refuse_about(
                candidate, "the certificate lacks ", wish->names[at], ", which was ordered");
        }
    }
    return AIR_OK;
}

static enum air_error check_dates(struct candidate *candidate) {
    air_time_ms now = candidate->wish->now_wall_ms;
    air_time_ms begin = 0;
    air_time_ms end = 0;
    const X509 *leaf = candidate->certificates[0];
    if (air_openssl_certificate_time(X509_get0_notBefore(leaf), &begin) != AIR_OK ||
        air_openssl_certificate_time(X509_get0_notAfter(leaf), &end) != AIR_OK) {
        return refuse(candidate, "the certificate's dates cannot be read");
    }
    if (begin >= end) {
        return refuse(candidate, "the certificate ends before it begins");
    }
    if (now < begin - SKEW_MS) {
        return refuse_time(candidate, "the certificate is not valid before ", begin,
            ", more than an hour from now");
    }
    if (now >= end) {
        return refuse_time(candidate, "the certificate expired at ", end, "");
    }
    return AIR_OK;
}

static enum air_error check_usage(struct candidate *candidate) {
    int found = 0;
    X509 *leaf = candidate->certificates[0];
    EXTENDED_KEY_USAGE *usage = X509_get_ext_d2i(leaf, NID_ext_key_usage, &found, NULL);
    int count = usage == NULL ? 0 : sk_ASN1_OBJECT_num(usage);
    bool serves = false;
    for (int i = 0; i < count; i++) {
        serves = serves || OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i)) == NID_server_auth;
    }
    EXTENDED_KEY_USAGE_free(usage);
    if (!serves) {
        return refuse(candidate, "the certificate is not for TLS servers (no serverAuth)");
    }
    return AIR_OK;
}

/* Clients refuse a critical extension they do not know (RFC 5280 section 4.2); a precertificate
 * (RFC 6962 section 3.1), sent by mistake, has one. */
static enum air_error check_extensions(struct candidate *candidate) {
    X509 *leaf = candidate->certificates[0];
    uint32_t flags = X509_get_extension_flags(leaf);
    if ((flags & EXFLAG_INVALID) != 0) {
        return refuse(candidate, "the certificate has a malformed extension");
    }
    if ((flags & EXFLAG_CRITICAL) != 0) {
        return refuse(candidate, "the certificate has a critical extension that nobody knows");
    }
    if (X509_check_ca(leaf) != 0) {
        return refuse(candidate, "the certificate is a CA's, not a server's");
    }
    return AIR_OK;
}

static enum air_error check_signatures(struct candidate *candidate) {
    for (size_t i = 0; i + 1 < candidate->count; i++) {
        X509 *issuer = candidate->certificates[i + 1];
        if (X509_check_ca(issuer) == 0) {
            return refuse_number(candidate, "certificate ", i + 2, " of the chain is not a CA's");
        }
        if (!is_signed_by(candidate->certificates[i], issuer)) {
            return refuse_number(candidate, "certificate ", i + 1,
                " of the chain is not signed by the one after it");
        }
    }
    return AIR_OK;
}

/* A CA that answers with the certificate it gave last time has renewed nothing. */
static enum air_error check_is_new(struct candidate *candidate) {
    X509 *previous = NULL;
    /* What is served now may be unreadable: the more reason to take the new one. */
    if (air_openssl_certificate_first(candidate->wish->previous_chain, &previous) != AIR_OK) {
        return AIR_OK;
    }
    bool same = is_same(candidate->certificates[0], previous);
    X509_free(previous);
    if (same) {
        return refuse(candidate, "the certificate is the one served now, sent again");
    }
    return AIR_OK;
}

static bool is_signed_by(X509 *certificate, X509 *issuer) {
    EVP_PKEY *pkey = X509_get0_pubkey(issuer);
    return pkey != NULL &&
           X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
           X509_verify(certificate, pkey) == 1;
}

static bool is_same(const X509 *a, const X509 *b) {
    unsigned char *a_der = NULL;
    unsigned char *b_der = NULL;
    int a_size = i2d_X509(a, &a_der);
    int b_size = i2d_X509(b, &b_der);
    bool same =
        a_size > 0 && b_size > 0 &&
        air_span_equal(air_span_of(a_der, (size_t)a_size), air_span_of(b_der, (size_t)b_size));
    OPENSSL_free(a_der);
    OPENSSL_free(b_der);
    return same;
}

static enum air_error refuse(struct candidate *candidate, const char *sentence) {
    return refuse_about(candidate, sentence, air_span_text(""), "");
}

/* A reason that does not fit is the reader's loss only: the refusal stands. */
static enum air_error refuse_about(
    struct candidate *candidate, const char *before, air_span about, const char *after) {
    (void)air_buffer_append_text(candidate->reason, before);
    (void)air_buffer_append_span(candidate->reason, air_span_take(about, DETAIL_SIZE_MAX));
    if (about.size > DETAIL_SIZE_MAX) {
        (void)air_buffer_append_text(candidate->reason, "...");
    }
    (void)air_buffer_append_text(candidate->reason, after);
    return AIR_ERR_BAD_CERTIFICATE;
}

static enum air_error refuse_number(
    struct candidate *candidate, const char *before, size_t number, const char *after) {
    (void)air_buffer_append_text(candidate->reason, before);
    (void)air_buffer_append_number(candidate->reason, (int64_t)number);
    (void)air_buffer_append_text(candidate->reason, after);
    return AIR_ERR_BAD_CERTIFICATE;
}

static enum air_error refuse_time(
    struct candidate *candidate, const char *before, air_time_ms time, const char *after) {
    (void)air_buffer_append_text(candidate->reason, before);
    (void)air_time_write_rfc3339(time, candidate->reason);
    (void)air_buffer_append_text(candidate->reason, after);
    return AIR_ERR_BAD_CERTIFICATE;
}
