/* SPDX-License-Identifier: MIT */
/*
 * The actions under way, each in a place of its own, and a step of one of them at a time. Which
 * action is taken when, and how long to go on, is the host's.
 *
 * Invariant: a place is free again only when the engine has heard how its action went.
 */

#include "hosts/slices/slices.h"

#include <time.h>

#include "src/base/memory.h"
#include "src/base/span.h"

#define SLICE_US 5000

#define MS_PER_S 1000
#define US_PER_S 1000000
#define NS_PER_US 1000
#define NS_PER_MS 1000000

/* Actions under way at once: 64 of each of the eleven kinds that are carried out here
 * (thinair/action.h says how many the engine opens). */
#define PLACES_MAX 704

struct slice {
    const struct air_action *action; /* NULL: a free place */
    size_t done_count;               /* puts, or names */
    struct air_openssl_generation *generation;
    bool is_over; /* carried out, but the engine had no memory to hear of it */
    enum air_error error;
    uint64_t key; /* that was made */
};

struct air_slices {
    struct air_slices_config config;
    size_t next;
    struct slice places[PLACES_MAX];
};

static void step(struct air_slices *slices, struct slice *slice);
static void use_storage(struct air_slices *slices, struct slice *slice);
static void sign(struct air_slices *slices, struct slice *slice);
static void put_next(struct air_slices *slices, struct slice *slice);
static void prove_next(struct air_slices *slices, struct slice *slice);
static void generate_more(struct air_slices *slices, struct slice *slice);
static enum air_error publish(struct air_slices *slices, const struct air_publish_action *publish);
static void withdraw(struct air_slices *slices, const struct air_publish_action *publish);
static bool tell(struct air_slices *slices, struct slice *slice, const struct air_result *result);
static void end(struct air_slices *slices, struct slice *slice, enum air_error error);
static air_time_ms read_ms(clockid_t id);
static int64_t clock_us(void);

struct air_time air_slices_now(void) {
    return (struct air_time){
        .wall_ms = read_ms(CLOCK_REALTIME), .boot_ms = read_ms(CLOCK_BOOTTIME)};
}

uint32_t air_slices_pause_ms(
    const struct air_slices *slices, struct air_time now, uint32_t max_ms) {
    const air_time_ms until_ms = air_engine_wakeup(slices->config.engine) - now.boot_ms;
    if (until_ms > max_ms) {
        return max_ms;
    }
    return until_ms < 1 ? 1 : (uint32_t)until_ms;
}

enum air_error air_slices_new(const struct air_slices_config *config, struct air_slices **out) {
    struct air_slices *slices = air_memory_new(sizeof(*slices));
    if (slices == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    slices->config = *config;
    *out = slices;
    return AIR_OK;
}

void air_slices_free(struct air_slices *slices) {
    if (slices == NULL) {
        return;
    }
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct air_crypto *crypto = slices->config.crypto;
        crypto->key_free(crypto->self, slices->places[i].key);
        air_openssl_generation_free(slices->places[i].generation);
    }
    air_memory_free(slices, sizeof(*slices));
}

void air_slices_begin(struct air_slices *slices, const struct air_action *action) {
    struct slice *slice = NULL;
    for (size_t i = 0; i < PLACES_MAX && slice == NULL; i++) {
        slice = slices->places[i].action == NULL ? &slices->places[i] : NULL;
    }
    if (slice == NULL) { /* more than the engine has open at once: its time limit ends it */
        return;
    }
    *slice = (struct slice){.action = action};
    if (action->kind == AIR_ACTION_GENERATE_KEY) {
        const enum air_error error = air_openssl_generation_new(
            slices->config.crypto, action->generate_key.type, &slice->generation);
        if (error != AIR_OK) {
            end(slices, slice, error);
        }
        return;
    }
    step(slices, slice);
}

bool air_slices_step(struct air_slices *slices) {
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct slice *slice = &slices->places[slices->next++ % PLACES_MAX];
        if (slice->action != NULL) {
            step(slices, slice);
            return true;
        }
    }
    return false;
}

void air_slices_cancel(struct air_slices *slices, uint64_t id) {
    for (size_t i = 0; i < PLACES_MAX; i++) {
        struct slice *slice = &slices->places[i];
        if (slice->action == NULL || slice->action->id != id) {
            continue;
        }
        if (slice->is_over) { /* a key that was made is the engine's to free */
            step(slices, slice);
        } else {
            end(slices, slice, AIR_ERR_CANCELLED);
        }
    }
}

bool air_slices_look(
    const struct air_slices *slices, enum air_action_kind kind, size_t *done_count) {
    for (size_t i = 0; i < PLACES_MAX; i++) {
        const struct slice *slice = &slices->places[i];
        if (slice->action != NULL && slice->action->kind == kind) {
            *done_count = slice->done_count;
            return true;
        }
    }
    return false;
}

static void step(struct air_slices *slices, struct slice *slice) {
    const struct air_action *action = slice->action;
    if (slice->is_over) {
        struct air_result result = {.error = slice->error};
        result.generate_key.key = slice->key;
        (void)tell(slices, slice, &result);
        return;
    }
    switch (action->kind) {
    case AIR_ACTION_READ:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        use_storage(slices, slice);
        return;
    case AIR_ACTION_WRITE:
        put_next(slices, slice);
        return;
    case AIR_ACTION_GENERATE_KEY:
        generate_more(slices, slice);
        return;
    case AIR_ACTION_SIGN:
        sign(slices, slice);
        return;
    case AIR_ACTION_PROVE:
        prove_next(slices, slice);
        return;
    case AIR_ACTION_PUBLISH:
        end(slices, slice, publish(slices, &action->publish));
        return;
    case AIR_ACTION_WITHDRAW:
        withdraw(slices, &action->publish);
        end(slices, slice, AIR_OK);
        return;
    case AIR_ACTION_INSTALL:
        end(slices, slice, slices->config.install(slices->config.host, &action->install));
        return;
    case AIR_ACTION_HTTP:
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        end(slices, slice, AIR_ERR_ARGUMENT);
        return;
    }
}

/* Tell the engine; the place is free then. False: there is no memory for it, told later again. */
static bool tell(struct air_slices *slices, struct slice *slice, const struct air_result *result) {
    const uint64_t id = slice->action->id;
    if (air_engine_complete(slices->config.engine, id, result, slices->config.clock()) != AIR_OK) {
        return false;
    }
    air_openssl_generation_free(slice->generation);
    *slice = (struct slice){0};
    return true;
}

/* With a result that is no more than this. */
static void end(struct air_slices *slices, struct slice *slice, enum air_error error) {
    slice->is_over = true;
    slice->error = error;
    step(slices, slice);
}

static void use_storage(struct air_slices *slices, struct slice *slice) {
    struct air_storage *storage = slices->config.storage;
    const struct air_action *action = slice->action;
    struct air_carried carried;
    air_storage_carry_out(storage, action, &carried);
    const enum air_error error = carried.result.error;
    if (!tell(slices, slice, &carried.result)) {
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

static void sign(struct air_slices *slices, struct slice *slice) {
    const struct air_crypto *crypto = slices->config.crypto;
    const struct air_sign_action *sign = &slice->action->sign;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    struct air_result result = {.error = AIR_OK};
    result.error = crypto->key_sign_slow(
        crypto->self, sign->key, sign->algorithm, sign->data, signature, &signature_size);
    result.sign.signature = air_span_of(signature, signature_size);
    (void)tell(slices, slice, &result); /* else it is signed again */
}

/* The guard holds for the whole write: nobody else writes there while the lineage's lock is held.
 * It is looked at before the first put. */
static void put_next(struct air_slices *slices, struct slice *slice) {
    const struct air_write_action *write = &slice->action->write;
    const bool is_first = slice->done_count == 0;
    struct air_storage *storage = slices->config.storage;
    const size_t count = write->puts_count > 0 ? 1 : 0;
    const enum air_error error = storage->write(storage->self, is_first ? &write->guard : NULL,
        count > 0 ? &write->puts[slice->done_count] : NULL, count);
    slice->done_count += count;
    if (error != AIR_OK || slice->done_count == write->puts_count) {
        end(slices, slice, error);
    }
}

static void prove_next(struct air_slices *slices, struct slice *slice) {
    const struct air_prove_action *prove = &slice->action->prove;
    const enum air_error error = air_tls_prove(
        prove->chain, prove->key, prove->key_type, prove->names[slice->done_count++], NULL);
    if (error != AIR_OK || slice->done_count == prove->names_count) {
        end(slices, slice, error);
    }
}

static void generate_more(struct air_slices *slices, struct slice *slice) {
    const int64_t begun_us = clock_us();
    enum air_error error = AIR_ERR_LATER;
    do {
        error = air_openssl_generation_step(slice->generation, &slice->key);
    } while (error == AIR_ERR_LATER && !air_openssl_generation_is_ending(slice->generation) &&
             clock_us() - begun_us < SLICE_US);
    if (error != AIR_ERR_LATER) {
        end(slices, slice, error);
    }
}

static enum air_error publish(struct air_slices *slices, const struct air_publish_action *publish) {
    const struct air_slices_config *config = &slices->config;
    if (publish->type == AIR_HTTP_01) {
        return air_responder_set(
            config->responder, publish->name, publish->token, publish->key_authorization);
    }
    return air_tls_challenge_publish(
        config->tls, config->crypto, publish->name, publish->digest, config->clock().wall_ms);
}

static void withdraw(struct air_slices *slices, const struct air_publish_action *publish) {
    if (publish->type == AIR_HTTP_01) {
        air_responder_remove(slices->config.responder, publish->name, publish->token);
    } else {
        air_tls_challenge_remove(slices->config.tls, publish->name);
    }
}

static air_time_ms read_ms(clockid_t id) {
    struct timespec at = {0};
    (void)clock_gettime(id, &at);
    return (air_time_ms)at.tv_sec * MS_PER_S + at.tv_nsec / NS_PER_MS;
}

/* The machine's own, whatever clock the engine is told of. */
static int64_t clock_us(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}
