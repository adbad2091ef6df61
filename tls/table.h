/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_TABLE_H
#define AIR_TLS_TABLE_H

/*
 * Which bundles a server name gets, and which live challenges there are. Look-ups are for any
 * number of threads; changes exclude each other and never make a look-up wait.
 */

#include <pthread.h>

#include "tls/bundle.h"
#include "tls/hello.h"
#include "tls/index.h"
#include "tls/issuers.h"

struct air_entry;

struct air_table {
    uint8_t seed[AIR_HASH_SEED_SIZE];
    struct air_readers readers;
    struct air_index names;      /* of struct name: exact names and "*." names */
    struct air_index challenges; /* of struct challenge, by name */
    _Atomic(struct air_entry *) default_entry;

    pthread_mutex_t change; /* guards what follows; no look-up takes it */
    struct air_index ids;   /* of struct air_entry, by id */
    struct air_issuers issuers;
    uint8_t *default_id; /* an entry of that id may come later; NULL: no default */
    size_t default_id_size;
    uint64_t change_number;
};

/* A choice: at most one bundle of each family, each with a reference. */
struct air_choice {
    struct air_bundle *bundles[AIR_FAMILIES_COUNT];
};

/* AIR_ERR_NO_MEMORY, AIR_ERR_CRYPTO (no random bytes for the seed). */
AIR_MUST_CHECK enum air_error air_table_init(struct air_table *table);

/* Nobody uses it any more. */
void air_table_deinit(struct air_table *table);

/*
 * The bundles for a name: exact, else a wildcard for its first label, else the default's. False:
 * there are none.
 *
 * spread  As for air_readers_enter().
 * out     Give it to air_choice_release() when true is returned.
 */
bool air_table_choose(struct air_table *table, const void *spread,
    const struct air_hello_name *name, struct air_choice *out);
void air_choice_release(struct air_choice *choice);

/* Whether air_table_choose() would find something now. */
bool air_table_knows(
    struct air_table *table, const void *spread, const struct air_hello_name *name);

/* The live challenge for exactly that name, with a reference, or NULL. */
struct air_bundle *air_table_challenge(
    struct air_table *table, const void *spread, const struct air_hello_name *name);

/*
 * Serve a bundle for an id under these names only. Takes the reference on success.
 *
 * names  In normal form. One may come twice.
 *
 * AIR_ERR_EXISTS, AIR_ERR_NO_MEMORY: nothing changed.
 */
AIR_MUST_CHECK enum air_error air_table_set(struct air_table *table, air_span id,
    const air_span *names, size_t names_count, struct air_bundle *bundle);

/* AIR_KEY_NONE: all of it. AIR_ERR_NOT_FOUND. */
AIR_MUST_CHECK enum air_error air_table_remove(
    struct air_table *table, air_span id, enum air_key_type key_type);

/* An empty id: no default. AIR_ERR_NO_MEMORY. */
AIR_MUST_CHECK enum air_error air_table_default_set(struct air_table *table, air_span id);

/* As air_table_set(), for the name of a challenge in normal form. AIR_ERR_NO_MEMORY. */
AIR_MUST_CHECK enum air_error air_table_challenge_set(
    struct air_table *table, air_span name, struct air_bundle *bundle);
void air_table_challenge_remove(struct air_table *table, air_span name);
size_t air_table_challenges_count(struct air_table *table);

#endif
