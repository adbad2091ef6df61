/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_DRIVER_HARNESS_H
#define AIR_TEST_DRIVER_HARNESS_H

/* A loop, a scripted engine and a driver between them, with ports that live in memory. */

#include <pthread.h>
#include <uv.h>

#include "tests/support/test.h"
#include "tests/unit/driver/fake_engine.h"
#include "thinair/driver.h"

/* What a completed action came back with, copied. */
struct air_answer {
    uint64_t id;
    enum air_error error;
    char explanation[600];
    uint32_t status;
    size_t headers_count;
    char headers[1024]; /* "name=value|" for each */
    char body[1024];
    size_t body_size;
    size_t records_count;
    enum air_error record_errors[4];
    uint64_t record_versions[4];
    char records[4][64];
    char segments[256]; /* "a|b|" */
    bool has_more;
    uint64_t fence;
    uint64_t key;
    char signature[64];
};

struct air_harness {
    uv_loop_t loop;
    uv_timer_t guard;
    struct air_engine *engine;
    struct air_fake_engine *script;
    struct air_driver *driver;
    struct air_answer answers[64]; /* by id */
    bool is_stopped;

    /* the host's part */
    bool (*carry)(
        struct air_harness *harness, const struct air_action *action, struct air_result *result);
    unsigned carried_count;
    unsigned events_count;

    /* the ports, called by many threads */
    struct air_crypto crypto;
    struct air_storage storage;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    unsigned running;  /* methods that wait at the gate */
    bool is_gate_shut; /* methods wait until it is opened */
    uint64_t keys_made;
    uint64_t keys_freed;
    unsigned writes_count;
    enum air_error storage_error; /* what the storage answers */
    enum air_error crypto_error;
};

/* Make everything but the driver; then the driver. */
void air_harness_init(struct air_harness *harness);
enum air_error air_harness_begin(struct air_harness *harness, const char *user_agent);

/* Stop the driver, if there is one, and free it. */
void air_harness_stop(struct air_harness *harness);

/* The same; see that the loop is empty; free everything. */
void air_harness_deinit(struct air_harness *harness);

/* Turn the loop until so many actions are completed; then return the answer of one of them. */
void air_harness_run(struct air_harness *harness, size_t completed_count);
const struct air_answer *air_harness_answer(struct air_harness *harness, uint64_t id);

/* Turn the loop until *count is at least wanted. */
void air_harness_run_until(struct air_harness *harness, const unsigned *count, unsigned wanted);

/* Shut the gate: the ports' methods wait there. Wait until so many do; open it. */
void air_harness_gate_shut(struct air_harness *harness);
void air_harness_gate_wait(struct air_harness *harness, unsigned running);
void air_harness_gate_open(struct air_harness *harness);

#endif
