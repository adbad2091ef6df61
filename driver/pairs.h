/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_PAIRS_H
#define AIR_DRIVER_PAIRS_H

/*
 * What a server serves, by certificate and kind of key, remembered so that it can be served again
 * when its successor does not work. One thread.
 */

#include "thinair/action.h"

#define AIR_PAIRS_BUCKETS_COUNT 4096

/* A certificate with its key: copies in one block, wiped when freed. */
struct air_pair {
    size_t block_size;
    enum air_key_type key_type;
    air_span *names;
    size_t names_count;
    air_span chain;
    air_span key;
};

/* Where a pair is served: one id, ECDSA or RSA. */
struct air_place {
    struct air_place *next;
    size_t block_size;
    air_span id;
    bool is_rsa;
    struct air_pair *served;    /* proven, or stored by an earlier run; NULL: none yet */
    struct air_pair *candidate; /* in the table, being proven; NULL: none */
};

struct air_pairs {
    struct air_place *buckets[AIR_PAIRS_BUCKETS_COUNT];
};

void air_pairs_deinit(struct air_pairs *pairs);

/* The place of an id and a kind of key, made when it is new. NULL: no memory. */
struct air_place *air_pairs_place(struct air_pairs *pairs, air_span id, enum air_key_type key_type);

/* A copy of what is to be installed. NULL: no memory. */
struct air_pair *air_pair_new(const struct air_install_action *install);
void air_pair_free(struct air_pair *pair);

#endif
