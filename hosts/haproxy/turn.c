/* SPDX-License-Identifier: MIT */
/*
 * One turn: the next action of the engine, or a slice of one that takes several. A write goes put
 * by put, which the storage port's order allows; a proof goes name by name; an RSA key in the steps
 * that the crypto backend offers.
 *
 * Invariant: a turn makes at most one durable write, one handshake in memory or SLICE_MS of a key;
 * what was carried out is told to the engine, however short memory is.
 */

#include <string.h>

#include "hosts/haproxy/inside.h"
#include "src/base/span.h"

#define SLICE_MS 5

/* HAProxy runs what is ready to run again and again, and looks for traffic after two hundred of
 * these at the earliest: so after that time there is a rest, which makes it look. */
#define WORK_MS 5
#define REST_MS 1
#define PAUSE_MAX_MS 1000

/* A crt-list that could not be written is tried again after that. */
#define LIST_RETRY_MS 1000

static bool must_rest(struct air_haproxy *haproxy, air_time_ms boot_ms);
static bool give_up_lost(struct air_haproxy *haproxy);
static bool go_on(struct air_haproxy *haproxy);
static void take(
    struct air_haproxy *haproxy, const struct air_action *action, struct air_turn *turn);
static void begin(struct air_haproxy *haproxy, const struct air_action *action);
static void forget(struct air_haproxy *haproxy, uint64_t id);
static void step(struct air_haproxy *haproxy, struct air_slice *slice);
static void use_storage(struct air_haproxy *haproxy, struct air_slice *slice);
static void sign(struct air_haproxy *haproxy, struct air_slice *slice);
static enum air_error publish(
    struct air_haproxy *haproxy, const struct air_publish_action *publish);
static void withdraw(struct air_haproxy *haproxy, const struct air_publish_action *publish);
static void put_next(struct air_haproxy *haproxy, struct air_slice *slice);
static void prove_next(struct air_haproxy *haproxy, struct air_slice *slice);
static void generate_more(struct air_haproxy *haproxy, struct air_slice *slice);
static bool tell(
    struct air_haproxy *haproxy, struct air_slice *slice, const struct air_result *result);
static void end(struct air_haproxy *haproxy, struct air_slice *slice, enum air_error error);
static bool must_rest(struct air_haproxy *haproxy, air_time_ms boot_ms) {
    if (!haproxy->is_working) {
        haproxy->is_working = true;
        haproxy->working_boot_ms = boot_ms;
    } else if (boot_ms - haproxy->working_boot_ms >= WORK_MS) {
        haproxy->is_working = false;
    }
    return !haproxy->is_working;
}

static uint32_t pause_of(air_time_ms until_ms);

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
    } else if (!haproxy->is_slice_next || !go_on(haproxy)) {
        if (air_engine_next(haproxy->engine, now, &action) == AIR_OK && action != NULL) {
            take(haproxy, action, turn);
        } else if (haproxy->is_list_old && now.boot_ms >= haproxy->list_boot_ms) {
            haproxy->is_list_old = air_crt_list_write(haproxy, false) != AIR_OK;
            haproxy->list_boot_ms = now.boot_ms + LIST_RETRY_MS;
        } else if (haproxy->is_slice_next || !go_on(haproxy)) {
            turn->kind = AIR_TURN_IDLE;
            turn->pause_ms = pause_of(air_engine_wakeup(haproxy->engine) - now.boot_ms);
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

static uint32_t pause_of(air_time_ms until_ms) {
    if (until_ms > PAUSE_MAX_MS) {
        return PAUSE_MAX_MS;
    }
    return until_ms < 1 ? 1 : (uint32_t)until_ms;
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
            begin(haproxy, action);
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
        forget(haproxy, action->cancel.cancelled_id);
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
        begin(haproxy, action);
        return;
    }
}

/* Give it a place and make its first step. */
static void begin(struct air_haproxy *haproxy, const struct air_action *action) {
    struct air_slice *slice = NULL;
    for (size_t i = 0; i < AIR_SLICES_MAX && slice == NULL; i++) {
        slice = haproxy->slices[i].action == NULL ? &haproxy->slices[i] : NULL;
    }
    if (slice == NULL) { /* more than the engine has open at once: its time limit ends it */
        return;
    }
    *slice = (struct air_slice){.action = action};
    if (action->kind == AIR_ACTION_GENERATE_KEY) {
        const enum air_error error = air_openssl_generation_new(
            haproxy->crypto, action->generate_key.type, &slice->generation);
        if (error != AIR_OK) {
            end(haproxy, slice, error);
        }
        return;
    }
    step(haproxy, slice);
}

/* One step of the next action that has not ended; false: there is none. */
static bool go_on(struct air_haproxy *haproxy) {
    for (size_t i = 0; i < AIR_SLICES_MAX; i++) {
        struct air_slice *slice = &haproxy->slices[haproxy->slice_next++ % AIR_SLICES_MAX];
        if (slice->action != NULL) {
            step(haproxy, slice);
            return true;
        }
    }
    return false;
}

static void step(struct air_haproxy *haproxy, struct air_slice *slice) {
    const struct air_action *action = slice->action;
    if (slice->is_over) {
        struct air_result result = {.error = slice->error};
        result.generate_key.key = slice->key;
        (void)tell(haproxy, slice, &result);
        return;
    }
    switch (action->kind) {
    case AIR_ACTION_READ:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        use_storage(haproxy, slice);
        return;
    case AIR_ACTION_WRITE:
        put_next(haproxy, slice);
        return;
    case AIR_ACTION_GENERATE_KEY:
        generate_more(haproxy, slice);
        return;
    case AIR_ACTION_SIGN:
        sign(haproxy, slice);
        return;
    case AIR_ACTION_PUBLISH:
        end(haproxy, slice, publish(haproxy, &action->publish));
        return;
    case AIR_ACTION_PROVE:
        prove_next(haproxy, slice);
        return;
    case AIR_ACTION_WITHDRAW:
        withdraw(haproxy, &action->publish);
        end(haproxy, slice, AIR_OK);
        return;
    case AIR_ACTION_HTTP:
    case AIR_ACTION_INSTALL: /* of a client's order: nobody serves it */
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        end(haproxy, slice, AIR_OK);
        return;
    }
}

/* Tell the engine; the place is free then. False: there is no memory for it, told later again. */
static bool tell(
    struct air_haproxy *haproxy, struct air_slice *slice, const struct air_result *result) {
    const uint64_t id = slice->action->id;
    if (air_engine_complete(haproxy->engine, id, result, haproxy->clock()) != AIR_OK) {
        return false;
    }
    air_openssl_generation_free(slice->generation);
    *slice = (struct air_slice){0};
    return true;
}

/* With a result that is no more than this. */
static void end(struct air_haproxy *haproxy, struct air_slice *slice, enum air_error error) {
    slice->is_over = true;
    slice->error = error;
    step(haproxy, slice);
}

static void use_storage(struct air_haproxy *haproxy, struct air_slice *slice) {
    struct air_storage *storage = &haproxy->route.port;
    const struct air_action *action = slice->action;
    struct air_carried carried;
    air_storage_carry_out(storage, action, &carried);
    const enum air_error error = carried.result.error;
    if (!tell(haproxy, slice, &carried.result)) {
        /* Looked at again next time; what cannot be done twice is undone, or not repeated. */
        if (action->kind == AIR_ACTION_LOCK && error == AIR_OK) {
            slice->is_over = storage->unlock(storage->self, action->lock.path) != AIR_OK;
            slice->error = AIR_ERR_STORAGE;
        } else if (action->kind == AIR_ACTION_UNLOCK) {
            slice->is_over = true;
            slice->error = error;
        }
    }
    air_carried_deinit(&carried);
}

static void sign(struct air_haproxy *haproxy, struct air_slice *slice) {
    const struct air_crypto *crypto = haproxy->crypto;
    const struct air_sign_action *sign = &slice->action->sign;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    struct air_result result = {.error = AIR_OK};
    result.error = crypto->key_sign_slow(
        crypto->self, sign->key, sign->algorithm, sign->data, signature, &signature_size);
    result.sign.signature = air_span_of(signature, signature_size);
    (void)tell(haproxy, slice, &result); /* else it is signed again */
}

static enum air_error publish(
    struct air_haproxy *haproxy, const struct air_publish_action *publish) {
    if (publish->type == AIR_HTTP_01) {
        return air_responder_set(
            haproxy->responder, publish->name, publish->token, publish->key_authorization);
    }
    return air_tls_challenge_publish(
        haproxy->tls, haproxy->crypto, publish->name, publish->digest, haproxy->clock().wall_ms);
}

static void withdraw(struct air_haproxy *haproxy, const struct air_publish_action *publish) {
    if (publish->type == AIR_HTTP_01) {
        air_responder_remove(haproxy->responder, publish->name, publish->token);
    } else {
        air_tls_challenge_remove(haproxy->tls, publish->name);
    }
}

/* The guard holds for the whole write: nobody else writes there while the lineage's lock is held.
 * It is looked at before the first put. */
static void put_next(struct air_haproxy *haproxy, struct air_slice *slice) {
    const struct air_write_action *write = &slice->action->write;
    const bool is_first = slice->done_count == 0;
    struct air_storage *storage = &haproxy->route.port;
    const size_t count = write->puts_count > 0 ? 1 : 0;
    const enum air_error error = storage->write(storage->self, is_first ? &write->guard : NULL,
        count > 0 ? &write->puts[slice->done_count] : NULL, count);
    slice->done_count += count;
    if (error != AIR_OK || slice->done_count == write->puts_count) {
        end(haproxy, slice, error);
    }
}

static void prove_next(struct air_haproxy *haproxy, struct air_slice *slice) {
    const struct air_prove_action *prove = &slice->action->prove;
    const enum air_error error = air_tls_prove(
        prove->chain, prove->key, prove->key_type, prove->names[slice->done_count++], NULL);
    if (error != AIR_OK || slice->done_count == prove->names_count) {
        end(haproxy, slice, error);
    }
}

static void generate_more(struct air_haproxy *haproxy, struct air_slice *slice) {
    const air_time_ms begun_ms = air_haproxy_now().boot_ms;
    enum air_error error = AIR_ERR_LATER;
    do {
        error = air_openssl_generation_step(slice->generation, &slice->key);
    } while (error == AIR_ERR_LATER && !air_openssl_generation_is_ending(slice->generation) &&
             air_haproxy_now().boot_ms - begun_ms < SLICE_MS);
    if (error != AIR_ERR_LATER) {
        end(haproxy, slice, error);
    }
}

/* The engine does not want it any more, and hears that it has ended. */
static void forget(struct air_haproxy *haproxy, uint64_t id) {
    for (size_t i = 0; i < AIR_SLICES_MAX; i++) {
        struct air_slice *slice = &haproxy->slices[i];
        if (slice->action == NULL || slice->action->id != id) {
            continue;
        }
        if (slice->is_over) { /* a key that was made is the engine's to free */
            step(haproxy, slice);
        } else {
            end(haproxy, slice, AIR_ERR_CANCELLED);
        }
    }
}
