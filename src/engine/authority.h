/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_AUTHORITY_H
#define AIR_ENGINE_AUTHORITY_H

/*
 * One CA and our account there: directory, account key, account. All issuances with this CA share
 * it; the first that wants it sets it to work.
 */

#include "src/acme/directory.h"
#include "src/engine/job.h"
#include "src/engine/schedule.h"
#include "thinair/engine.h"

/* A directory is fetched again after a day. */
#define AIR_DIRECTORY_AGE_MAX_MS AIR_DAY_MS

enum air_authority_state {
    AIR_AUTHORITY_IDLE, /* nobody has wanted it, or the last try failed and was told */
    AIR_AUTHORITY_WORKING,
    AIR_AUTHORITY_READY,
    AIR_AUTHORITY_FAILED /* issuances that wait are being told */
};

struct air_authority {
    struct air_job job; /* first: a job is cast to its authority */
    enum air_authority_state state;
    struct air_session session;
    struct air_directory directory;
    air_time_ms directory_boot_ms; /* when it was fetched */
    char thumbprint[AIR_THUMBPRINT_SIZE];
    struct air_buffer texts; /* what the spans below point into */
    air_span contacts[AIR_CONTACTS_MAX];
    size_t contacts_count;
    air_span eab_kid;
    air_span eab_mac_key;
    air_span folder;             /* "accounts/<host>-<hex>", then "-<account>" if it has a name */
    air_span account;            /* its name, or empty */
    struct air_buffer given_key; /* PEM, private: for an account that has no stored key */
    bool terms_agreed;
    enum air_key_type account_key_type;
    struct air_buffer account_url;
    struct air_buffer new_key; /* PEM, until it is stored */
    bool is_account_loaded;    /* storage was read */
    bool is_key_stored;
    bool is_account_lost;            /* the CA said that it does not know it */
    air_time_ms registered_again_ms; /* wall: the latest newAccount; 0: never (R-B6) */
    air_time_ms latency_ms;          /* learned: from an answered challenge to a ready order */
    enum air_failure failure;        /* of the last try */
    air_time_ms retry_after_ms;
    struct air_buffer failure_text;
};

/* out: air_authority_free(). The errors of air_engine_authority_set(). */
enum air_error air_authority_new(
    struct air_engine *engine, const struct air_authority_spec *spec, struct air_authority **out);
void air_authority_free(struct air_authority *authority);

/* Take new settings for the same directory URL and account; what is stored of it stays. */
enum air_error air_authority_change(
    struct air_authority *authority, const struct air_authority_spec *spec);

air_span air_authority_directory_url(const struct air_authority *authority);

/* Set it to work if need be, and tell how it is. */
enum air_authority_state air_authority_want(struct air_authority *authority);

/* The CA does not know the account any more: look it up or register again at the next want, at most
 * once a day. */
void air_authority_forget_account(struct air_authority *authority);

/* The CA does not know a URL of the directory any more: fetch it again at the next want. */
void air_authority_forget_directory(struct air_authority *authority);

/* A validation or issuance took so long; is_first: the first poll found it done. */
void air_authority_learn(struct air_authority *authority, air_time_ms took_ms, bool is_first);

#endif
