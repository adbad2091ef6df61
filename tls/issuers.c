/* SPDX-License-Identifier: MIT */
/*
 * Tens of thousands of certificates share a few issuers. A parsed intermediate takes kilobytes, so
 * chains point to one copy, which OpenSSL counts. A place is free again when no bundle of the table
 * uses it; handshakes that still do have references of their own.
 */

#include "tls/issuers.h"

static struct air_issuer *find_equal(struct air_issuers *issuers, const X509 *certificate);
static struct air_issuer *find_place(struct air_issuers *issuers, const X509 *certificate);

void air_issuers_share(struct air_issuers *issuers, struct air_bundle *bundle) {
    for (int i = 0; i < sk_X509_num(bundle->chain); i++) {
        X509 *own = sk_X509_value(bundle->chain, i);
        struct air_issuer *issuer = find_equal(issuers, own);
        if (issuer != NULL) {
            X509_up_ref(issuer->certificate);
            (void)sk_X509_set(bundle->chain, i, issuer->certificate);
            X509_free(own);
            issuer->uses_count++;
            continue;
        }
        issuer = find_place(issuers, NULL);
        if (issuer != NULL) {
            X509_up_ref(own);
            *issuer = (struct air_issuer){own, 1};
        }
    }
}

void air_issuers_forget(struct air_issuers *issuers, const struct air_bundle *bundle) {
    for (int i = 0; bundle != NULL && i < sk_X509_num(bundle->chain); i++) {
        /* By address: a chain that found no place has copies of its own. */
        struct air_issuer *issuer = find_place(issuers, sk_X509_value(bundle->chain, i));
        if (issuer != NULL && --issuer->uses_count == 0) {
            X509_free(issuer->certificate);
            issuer->certificate = NULL;
        }
    }
}

static struct air_issuer *find_equal(struct air_issuers *issuers, const X509 *certificate) {
    for (size_t i = 0; i < AIR_ISSUERS_COUNT_MAX; i++) {
        struct air_issuer *issuer = &issuers->at[i];
        if (issuer->certificate != NULL && X509_cmp(issuer->certificate, certificate) == 0) {
            return issuer;
        }
    }
    return NULL;
}

/* The place that holds this very object; for NULL, a free one. */
static struct air_issuer *find_place(struct air_issuers *issuers, const X509 *certificate) {
    for (size_t i = 0; i < AIR_ISSUERS_COUNT_MAX; i++) {
        if (issuers->at[i].certificate == certificate) {
            return &issuers->at[i];
        }
    }
    return NULL;
}
