/* SPDX-License-Identifier: MIT */
/*
 * One turn: the next action of the engine, or a slice of one that takes several. A write goes put
 * by put, which the storage port's order allows; a proof goes name by name; an RSA key in the steps
 * that the crypto backend offers.
 *
 * Invariant: a turn makes at most one durable write, one handshake in memory or SLICE_MS of a key.
 */

#include <string.h>

#include "hosts/haproxy/inside.h"
#include "src/base/span.h"

#define SLICE_MS 5
#define PAUSE_MAX_MS 1000

static bool go_on(struct air_haproxy *haproxy);
static bool step(struct air_haproxy *haproxy, struct air_slice *slice, struct air_result *result);
static bool put_next(
    struct air_haproxy *haproxy, struct air_slice *slice, struct air_result *result);
static bool prove_next(struct air_slice *slice, struct air_result *result);
static bool generate_more(struct air_slice *slice, struct air_result *result);
static void begin(struct air_haproxy *haproxy, const struct air_action *action);
static void forget(struct air_haproxy *haproxy, uint64_t id);
static void at_once(struct air_haproxy *haproxy, const struct air_action *action);
static enum air_error publish(
    struct air_haproxy *haproxy, const struct air_publish_action *publish);
static void take(
    struct air_haproxy *haproxy, const struct air_action *action, struct air_turn *turn);
static void finish(struct air_haproxy *haproxy, uint64_t id, const struct air_result *result);

void air_haproxy_turn(struct air_haproxy *haproxy, struct air_turn *turn) {
    const struct air_action *action = NULL;
    *turn = (struct air_turn){.kind = AIR_TURN_AGAIN};
    (void)pthread_mutex_lock(&haproxy->mutex);
    const struct air_time now = air_haproxy_now();
    haproxy->is_slice_next = !haproxy->is_slice_next;
    if (!haproxy->is_slice_next || !go_on(haproxy)) {
        if (air_engine_next(haproxy->engine, now, &action) == AIR_OK && action != NULL) {
            take(haproxy, action, turn);
        } else if (haproxy->is_list_old) {
            haproxy->is_list_old = air_crt_list_write(haproxy, false) != AIR_OK;
        } else if (!go_on(haproxy)) {
            const air_time_ms until_ms = air_engine_wakeup(haproxy->engine) - now.boot_ms;
            turn->kind = AIR_TURN_IDLE;
            turn->pause_ms = until_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS
                             : until_ms < 1          ? 1
                                                     : (uint32_t)until_ms;
            air_orders_expire(haproxy, now.boot_ms);
        }
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
}

enum air_error air_haproxy_complete(
    struct air_haproxy *haproxy, uint64_t id, const struct air_result *result) {
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = air_engine_complete(haproxy->engine, id, result, air_haproxy_now());
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

static void take(
    struct air_haproxy *haproxy, const struct air_action *action, struct air_turn *turn) {
    turn->action = action;
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        turn->kind = AIR_TURN_HTTP;
        return;
    case AIR_ACTION_INSTALL:
        if (air_haproxy_is_managed(action->install.certificate)) {
            turn->kind = AIR_TURN_INSTALL;
        } else {
            finish(haproxy, action->id, &(struct air_result){.error = AIR_OK});
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
        begin(haproxy, action);
        return;
    case AIR_ACTION_READ:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_SIGN:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
        at_once(haproxy, action);
        return;
    }
}

static void finish(struct air_haproxy *haproxy, uint64_t id, const struct air_result *result) {
    if (air_engine_complete(haproxy->engine, id, result, air_haproxy_now()) != AIR_OK) {
        return; /* no memory for it: the action's time limit ends it */
    }
}

static void at_once(struct air_haproxy *haproxy, const struct air_action *action) {
    const struct air_crypto *crypto = haproxy->crypto;
    struct air_result result = {.error = AIR_OK};
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    if (action->kind == AIR_ACTION_SIGN) {
        result.error = crypto->key_sign_slow(crypto->self, action->sign.key, action->sign.algorithm,
            action->sign.data, signature, &signature_size);
        result.sign.signature = air_span_of(signature, signature_size);
    } else if (action->kind == AIR_ACTION_PUBLISH) {
        result.error = publish(haproxy, &action->publish);
    } else if (action->kind == AIR_ACTION_WITHDRAW) {
        air_responder_remove(haproxy->responder, action->publish.name, action->publish.token);
        air_tls_challenge_remove(haproxy->tls, action->publish.name);
    } else {
        struct air_carried carried;
        air_storage_carry_out(&haproxy->route.port, action, &carried);
        finish(haproxy, action->id, &carried.result);
        air_carried_deinit(&carried);
        return;
    }
    finish(haproxy, action->id, &result);
}

static enum air_error publish(
    struct air_haproxy *haproxy, const struct air_publish_action *publish) {
    const struct air_crypto *crypto = haproxy->crypto;
    struct air_buffer certificate;
    struct air_buffer key;
    if (publish->type == AIR_HTTP_01) {
        return air_responder_set(
            haproxy->responder, publish->name, publish->token, publish->key_authorization);
    }
    air_buffer_init(&certificate, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error = crypto->challenge_certificate(crypto->self, publish->name,
        publish->digest, air_haproxy_now().wall_ms, &certificate, &key);
    if (error == AIR_OK) {
        error = air_tls_challenge_set(
            haproxy->tls, publish->name, air_buffer_span(&certificate), air_buffer_span(&key));
    }
    air_buffer_deinit(&certificate);
    air_buffer_deinit(&key);
    return error;
}

static void begin(struct air_haproxy *haproxy, const struct air_action *action) {
    struct air_slice *slice = NULL;
    for (size_t i = 0; i < AIR_SLICES_MAX && slice == NULL; i++) {
        slice = haproxy->slices[i].action == NULL ? &haproxy->slices[i] : NULL;
    }
    struct air_result result = {.error = AIR_ERR_BUSY};
    if (slice != NULL) {
        *slice = (struct air_slice){.action = action};
        result.error = AIR_OK;
    }
    if (result.error == AIR_OK && action->kind == AIR_ACTION_GENERATE_KEY) {
        result.error = air_openssl_generation_new(
            haproxy->crypto, action->generate_key.type, &slice->generation);
    }
    if (result.error != AIR_OK) {
        if (slice != NULL) {
            *slice = (struct air_slice){0};
        }
        finish(haproxy, action->id, &result);
    }
}

/* One step of the next action that takes several; false: there is none. */
static bool go_on(struct air_haproxy *haproxy) {
    for (size_t i = 0; i < AIR_SLICES_MAX; i++) {
        struct air_slice *slice = &haproxy->slices[haproxy->slice_next++ % AIR_SLICES_MAX];
        struct air_result result = {.error = AIR_OK};
        if (slice->action == NULL) {
            continue;
        }
        if (step(haproxy, slice, &result)) {
            const uint64_t id = slice->action->id;
            air_openssl_generation_free(slice->generation);
            *slice = (struct air_slice){0};
            finish(haproxy, id, &result);
        }
        return true;
    }
    return false;
}

/* True: it has ended, and this is its result. */
static bool step(struct air_haproxy *haproxy, struct air_slice *slice, struct air_result *result) {
    if (slice->action->kind == AIR_ACTION_WRITE) {
        return put_next(haproxy, slice, result);
    }
    return slice->action->kind == AIR_ACTION_PROVE ? prove_next(slice, result)
                                                   : generate_more(slice, result);
}

static bool put_next(
    struct air_haproxy *haproxy, struct air_slice *slice, struct air_result *result) {
    const struct air_write_action *write = &slice->action->write;
    const bool is_first = slice->done_count == 0;
    struct air_storage *storage = &haproxy->route.port;
    const size_t count = write->puts_count > 0 ? 1 : 0;
    result->error = storage->write(storage->self, is_first ? &write->guard : NULL,
        write->puts_count > 0 ? &write->puts[slice->done_count] : NULL, count);
    slice->done_count += count;
    return result->error != AIR_OK || slice->done_count == write->puts_count;
}

static bool prove_next(struct air_slice *slice, struct air_result *result) {
    const struct air_prove_action *prove = &slice->action->prove;
    result->error = air_tls_prove(
        prove->chain, prove->key, prove->key_type, prove->names[slice->done_count++], NULL);
    return result->error != AIR_OK || slice->done_count == prove->names_count;
}

static bool generate_more(struct air_slice *slice, struct air_result *result) {
    const air_time_ms begun_ms = air_haproxy_now().boot_ms;
    do {
        result->error = air_openssl_generation_step(slice->generation, &result->generate_key.key);
    } while (result->error == AIR_ERR_LATER && air_haproxy_now().boot_ms - begun_ms < SLICE_MS);
    return result->error != AIR_ERR_LATER;
}

/* The engine does not want it any more, and hears so. */
static void forget(struct air_haproxy *haproxy, uint64_t id) {
    for (size_t i = 0; i < AIR_SLICES_MAX; i++) {
        struct air_slice *slice = &haproxy->slices[i];
        if (slice->action != NULL && slice->action->id == id) {
            air_openssl_generation_free(slice->generation);
            *slice = (struct air_slice){0};
            finish(haproxy, id, &(struct air_result){.error = AIR_ERR_CANCELLED});
        }
    }
}
