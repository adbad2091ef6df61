/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_ISSUERS_H
#define AIR_TLS_ISSUERS_H

/*
 * The few intermediates that most certificates have in common, held once.
 */

#include "tls/bundle.h"

/* A CA has a handful of intermediates in use; chains beyond that many keep their own copies. */
#define AIR_ISSUERS_COUNT_MAX 64

struct air_issuer {
    X509 *certificate; /* NULL: a free place */
    size_t uses_count; /* bundles in the table whose chain has it */
};

/* All zero is empty. One thread at a time. */
struct air_issuers {
    struct air_issuer at[AIR_ISSUERS_COUNT_MAX];
};

/* Let a bundle that no other thread has seen use the copies that are held. */
void air_issuers_share(struct air_issuers *issuers, struct air_bundle *bundle);

/* The bundle leaves the table. Not after its last reference. NULL is accepted. */
void air_issuers_forget(struct air_issuers *issuers, const struct air_bundle *bundle);

#endif
