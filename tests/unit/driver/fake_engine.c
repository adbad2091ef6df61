/* SPDX-License-Identifier: MIT */
/*
 * A scripted engine: it hands out what a test pushed and remembers what came back.
 *
 * It judges nothing but the life of an action: handed out once, completed once. Invariant: the
 * memory of an action is gone with its completion, so that a sanitizer sees late use.
 */
#include "tests/unit/driver/fake_engine.h"

#include <stdlib.h>
#include <string.h>

#define ACTIONS_MAX 1024

struct air_engine {
    struct air_fake_engine script;
    struct air_action *actions[ACTIONS_MAX]; /* by id - 1; NULL: completed */
    size_t actions_count;
    size_t handed_out_count;
    struct air_action *passing; /* the event or cancel handed out latest */
};

struct air_engine *air_fake_engine_new(void) {
    struct air_engine *engine = calloc(1, sizeof(*engine));

    if (engine == NULL) {
        abort();
    }
    engine->script.wakeup_ms = INT64_MAX;
    return engine;
}

struct air_fake_engine *air_fake_engine_of(struct air_engine *engine) {
    return &engine->script;
}

void air_engine_free(struct air_engine *engine) {
    if (engine == NULL) {
        return;
    }
    for (size_t i = 0; i < engine->actions_count; i++) {
        free(engine->actions[i]);
    }
    free(engine->passing);
    free(engine);
}

uint64_t air_fake_engine_push(struct air_engine *engine, const struct air_action *action) {
    struct air_action *copy = malloc(sizeof(*copy));

    if (copy == NULL || engine->actions_count == ACTIONS_MAX) {
        abort();
    }
    *copy = *action;
    copy->id = engine->actions_count + 1;
    engine->actions[engine->actions_count++] = copy;
    return copy->id;
}

size_t air_fake_engine_open_count(const struct air_engine *engine) {
    size_t count = 0;

    for (size_t i = 0; i < engine->handed_out_count; i++) {
        count += engine->actions[i] != NULL ? 1 : 0;
    }
    return count;
}

enum air_error air_engine_next(
    struct air_engine *engine, struct air_time now, const struct air_action **out) {
    struct air_action *action;

    free(engine->passing);
    engine->passing = NULL;
    engine->script.asked_count++;
    engine->script.latest = now;
    if (engine->script.next_failures > 0) {
        engine->script.next_failures--;
        return AIR_ERR_NO_MEMORY;
    }
    *out = NULL;
    if (engine->handed_out_count == engine->actions_count) {
        return AIR_OK;
    }
    action = engine->actions[engine->handed_out_count++];
    if (action->kind == AIR_ACTION_EVENT || action->kind == AIR_ACTION_CANCEL) {
        engine->passing = action;
        engine->actions[action->id - 1] = NULL;
    }
    *out = action;
    return AIR_OK;
}

enum air_error air_engine_complete(
    struct air_engine *engine, uint64_t id, const struct air_result *result, struct air_time now) {
    struct air_fake_engine *script = &engine->script;

    script->latest = now;
    if (script->complete_failures > 0) {
        script->complete_failures--;
        return AIR_ERR_NO_MEMORY;
    }
    if (id == 0 || id > engine->handed_out_count || engine->actions[id - 1] == NULL) {
        script->unknown_count++;
        return AIR_OK;
    }
    if (script->on_complete != NULL) {
        script->on_complete(script->context, engine->actions[id - 1], result);
    }
    if (script->completed_count < sizeof(script->completed) / sizeof(script->completed[0])) {
        script->completed[script->completed_count] = id;
    }
    script->completed_count++;
    memset(engine->actions[id - 1], 0xdb, sizeof(*engine->actions[id - 1]));
    free(engine->actions[id - 1]);
    engine->actions[id - 1] = NULL;
    return AIR_OK;
}

air_time_ms air_engine_wakeup(const struct air_engine *engine) {
    return engine->script.wakeup_ms;
}
