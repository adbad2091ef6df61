/* SPDX-License-Identifier: MIT */
/*
 * One turn: the next action of the engine, or a step of one that takes several (hosts/slices), or a
 * rest. What Lua was handed and lost is given up here.
 *
 * Invariant: a turn makes at most one durable write, one handshake in memory or some milliseconds
 * of a key; what was carried out is told to the engine, however short memory is.
 */

#include "hosts/haproxy/inside.h"

/* HAProxy runs what is ready to run again and again, and looks for traffic after two hundred of
 * these at the earliest: so after that time there is a rest, which makes it look. */
#define WORK_MS 5
#define REST_MS 1
#define PAUSE_MAX_MS 1000

/* A crt-list that could not be written is tried again after that. */
#define LIST_RETRY_MS 1000

static bool must_rest(struct air_haproxy *haproxy, air_time_ms boot_ms);
static bool give_up_lost(struct air_haproxy *haproxy);
static void take(
    struct air_haproxy *haproxy, const struct air_action *action, struct air_turn *turn);

void air_haproxy_turn(struct air_haproxy *haproxy, struct air_turn *turn) {
    const struct air_action *action = NULL;
    *turn = (struct air_turn){.kind = AIR_TURN_AGAIN};
    (void)pthread_mutex_lock(&haproxy->mutex);
    const struct air_time now = haproxy->clock();
    air_orders_expire(haproxy, now.boot_ms);
    haproxy->is_slice_next = !haproxy->is_slice_next;
    if (!give_up_lost(haproxy) || must_rest(haproxy, now.boot_ms)) {
        turn->kind = AIR_TURN_REST;
        turn->pause_ms = REST_MS;
    } else if (!haproxy->is_slice_next || !air_slices_step(haproxy->slices)) {
        if (air_engine_next(haproxy->engine, now, &action) == AIR_OK && action != NULL) {
            take(haproxy, action, turn);
        } else if (haproxy->is_list_old && now.boot_ms >= haproxy->list_boot_ms) {
            haproxy->is_list_old = air_crt_list_write(haproxy, false) != AIR_OK;
            haproxy->list_boot_ms = now.boot_ms + LIST_RETRY_MS;
        } else if (haproxy->is_slice_next || !air_slices_step(haproxy->slices)) {
            turn->kind = AIR_TURN_IDLE;
            turn->pause_ms = air_slices_pause_ms(haproxy->slices, now, PAUSE_MAX_MS);
            haproxy->is_working = false;
        }
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
}

enum air_error air_haproxy_complete(
    struct air_haproxy *haproxy, uint64_t id, const struct air_result *result) {
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = air_engine_complete(haproxy->engine, id, result, haproxy->clock());
    haproxy->handed_id = haproxy->handed_id == id && error == AIR_OK ? 0 : haproxy->handed_id;
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

void air_haproxy_taken(struct air_haproxy *haproxy) {
    (void)pthread_mutex_lock(&haproxy->mutex);
    haproxy->handed_id = 0;
    (void)pthread_mutex_unlock(&haproxy->mutex);
}

/* The action of an earlier turn that nobody took on fails now, not when its time is over. False:
 * there is no memory to tell it, and none for another action. */
static bool give_up_lost(struct air_haproxy *haproxy) {
    static const struct air_result lost = {
        .error = AIR_ERR_NETWORK, .explanation = {(const uint8_t *)"lost by an error in Lua", 23}};
    if (haproxy->handed_id != 0 && air_engine_complete(haproxy->engine, haproxy->handed_id, &lost,
                                       haproxy->clock()) == AIR_OK) {
        haproxy->handed_id = 0;
    }
    return haproxy->handed_id == 0;
}

static bool must_rest(struct air_haproxy *haproxy, air_time_ms boot_ms) {
    if (!haproxy->is_working) {
        haproxy->is_working = true;
        haproxy->working_boot_ms = boot_ms;
    } else if (boot_ms - haproxy->working_boot_ms >= WORK_MS) {
        haproxy->is_working = false;
    }
    return !haproxy->is_working;
}

static void take(
    struct air_haproxy *haproxy, const struct air_action *action, struct air_turn *turn) {
    turn->action = action;
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        turn->kind = AIR_TURN_HTTP;
        haproxy->handed_id = action->id;
        return;
    case AIR_ACTION_INSTALL:
        if (air_haproxy_is_managed(action->install.certificate)) {
            turn->kind = AIR_TURN_INSTALL;
            haproxy->handed_id = action->id;
        } else {
            air_slices_begin(haproxy->slices, action);
        }
        return;
    case AIR_ACTION_EVENT:
        turn->kind = AIR_TURN_EVENT;
        haproxy->is_list_old =
            haproxy->is_list_old || (action->event.event == AIR_EVENT_INSTALLED &&
                                        air_haproxy_is_managed(action->event.certificate));
        air_orders_hear(haproxy, &action->event);
        return;
    case AIR_ACTION_CANCEL:
        air_slices_cancel(haproxy->slices, action->cancel.cancelled_id);
        return;
    case AIR_ACTION_WRITE:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_GENERATE_KEY:
    case AIR_ACTION_READ:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_SIGN:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
        air_slices_begin(haproxy->slices, action);
        return;
    }
}
