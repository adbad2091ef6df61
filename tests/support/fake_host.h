/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_HOST_H
#define AIR_TEST_SUPPORT_FAKE_HOST_H

/*
 * A host for engine tests: it carries out actions at once, one after the other, against a storage
 * in memory, a fake CA and tables of its own, on a clock that stands still unless it is told to
 * move. Everything it did is a text that can be read (the transcript). It can die before or after
 * any action is completed, and start again on what is stored.
 */

#include "tests/support/fake_ca.h"
#include "thinair/engine.h"
#include "thinair/storage.h"

#define AIR_FAKE_HOST_CAS_MAX 2
#define AIR_FAKE_HOST_PUBLISHED_MAX 128
#define AIR_FAKE_HOST_EPOCH_MS INT64_C(1795446000000)

struct air_fake_host {
    const struct air_crypto *crypto;
    struct air_storage *storage;
    struct air_fake_ca *cas[AIR_FAKE_HOST_CAS_MAX];
    struct air_engine *engine;
    struct air_time now;
    air_time_ms told_boot_ms; /* the transcript's latest time */
    struct air_buffer transcript;
    uint64_t actions_count; /* completed or refused since the host was made */
    uint64_t events_count[64];

    /* Die at this action (counted from 1), before it is carried out or after, but before the engine
     * hears. */
    uint64_t die_at;
    bool dies_after;
    size_t dies_after_puts; /* not 0: in the middle of a write, when so many of its puts are done */
    bool is_dead;
    bool was_in_the_middle; /* of a write, when it died */

    /* The next action of this kind is carried out, but its result is told only by
     * air_fake_host_release; 0: none. */
    int held_kind;
    uint64_t held_id;
    struct air_result held_result;

    /* Allocations of the engine and its crypto port, those of the host's own work not counted: the
     * fail_at-th fails (from 1; 0: none), and every fail_each-th (0: none). */
    uint64_t fail_at;
    uint64_t fail_each;
    uint64_t allocations_count;

    /* What is visible and what is served. */
    struct {
        char text[600]; /* "http-01 example.net token" */
        char answer[400];
    } published[AIR_FAKE_HOST_PUBLISHED_MAX];
    size_t published_count;
    uint32_t served_generation;
    size_t installs_count;
    struct air_buffer served_chain;
    enum air_error install_error; /* what targets answer, until changed */
    enum air_error prove_error;
};

/* All parts belong to the test. The engine is made by air_fake_host_start. */
void air_fake_host_init(
    struct air_fake_host *host, const struct air_crypto *crypto, struct air_storage *storage);
void air_fake_host_deinit(struct air_fake_host *host);

/* Make an engine, or another one after the first died. A target "front" is added. */
enum air_error air_fake_host_start(struct air_fake_host *host);

/* Ask for example.net, or what spec says; the authority is https://<ca's host>/dir, terms agreed.
 * */
enum air_error air_fake_host_add(struct air_fake_host *host, const char *name,
    const enum air_key_type *key_types, size_t key_types_count);

/* Carry out actions until none is left, or the host is dead. */
void air_fake_host_run(struct air_fake_host *host);

/* Run, moving the clock to each wakeup, until so much time has passed. */
void air_fake_host_pass(struct air_fake_host *host, air_time_ms span_ms);

/* Tell the result that was held; it carries no spans. */
void air_fake_host_release(struct air_fake_host *host);

/* The engine dies: what was not stored is lost. Published answers are lost too. */
void air_fake_host_kill(struct air_fake_host *host);

/* For struct air_fake_ca_config: whether the host has this answer published. */
bool air_fake_host_validate(
    void *host, const char *type, air_span name, air_span token, air_span key_authorization);

#endif
