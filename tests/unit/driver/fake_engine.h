/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_FAKE_ENGINE_H
#define AIR_TEST_FAKE_ENGINE_H

/* The engine's functions that the driver calls, from a script: actions out, results in. */

#include "thinair/engine.h"

struct air_fake_engine {
    /* What came back for the latest completed actions, in that order. */
    uint64_t completed[64];
    size_t completed_count;
    size_t unknown_count; /* completions of ids that are not open */

    /* Called with each result while its spans are valid; may be NULL. */
    void (*on_complete)(
        void *context, const struct air_action *action, const struct air_result *result);
    void *context;

    unsigned next_failures;     /* so many calls of air_engine_next() have no memory */
    unsigned complete_failures; /* the same of air_engine_complete() */
    unsigned asked_count;       /* calls of air_engine_next() */
    air_time_ms wakeup_ms;      /* boot time; INT64_MAX: none */
    struct air_time latest;     /* what the driver said the time was */

    /* fake_engine_inputs.c, for a server */
    size_t lineages_count; /* certificates asked for */
    size_t loaded_count;   /* so many of them, from the first on, are loaded */
    size_t targets_count;
};

/* Make an engine without actions; its script is reached by air_fake_engine_of(). */
struct air_engine *air_fake_engine_new(void);
struct air_fake_engine *air_fake_engine_of(struct air_engine *engine);

/*
 * Hand this action out when the driver asks. It is copied, its memory poisoned when completed; the
 * bytes its spans point to are the caller's. Returns its id.
 */
uint64_t air_fake_engine_push(struct air_engine *engine, const struct air_action *action);

/* How many actions were handed out and not completed. */
size_t air_fake_engine_open_count(const struct air_engine *engine);

#endif
