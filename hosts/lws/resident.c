/* SPDX-License-Identifier: MIT */
/*
 * What the resident is made of, and its turns: results of the keeper and requests of the engine are
 * passed to and fro; what is done here is done in slices.
 *
 * Invariant: no turn waits for anything; what takes longer is the keeper's, or parted.
 */

#include "hosts/lws/resident.h"

#include "hosts/lws/resident_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* At the latest then is looked again: a step of the wall clock shall be seen. */
#define PAUSE_MAX_MS 60000

static const air_span target = {(const uint8_t *)"vhosts", 6};

static enum air_error make_parts(struct air_resident *resident);
static enum air_error install(void *host, const struct air_install_action *install);
static void take(
    struct air_resident *resident, const struct air_action *action, struct air_resident_turn *turn);
static void pass_on(struct air_resident *resident, const struct air_action *action);
static void on_kept(void *context, uint64_t id, const struct air_result *result);

enum air_error air_resident_new(
    const char *state_dir, bool is_kept, struct air_resident **out, struct air_buffer *reason) {
    struct air_resident *resident = air_memory_new(sizeof(*resident));
    if (resident == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = air_crypto_openssl_new(&resident->local_crypto);
    resident->crypto = resident->local_crypto;
    if (error == AIR_OK) {
        error = air_resident_open(resident, state_dir, is_kept, reason);
    }
    if (error == AIR_OK) {
        error = make_parts(resident);
    }
    if (error != AIR_OK) {
        air_resident_free(resident);
        return error;
    }
    *out = resident;
    return AIR_OK;
}

void air_resident_free(struct air_resident *resident) {
    if (resident == NULL) {
        return;
    }
    air_slices_free(resident->slices);
    air_engine_free(resident->engine);
    air_tls_free(resident->tls);
    air_responder_free(resident->responder);
    air_resident_close(resident);
    air_crypto_openssl_free(resident->local_crypto);
    air_memory_free(resident, sizeof(*resident));
}

int air_resident_socket(const struct air_resident *resident) {
    return resident->keeper != NULL && !resident->is_alone ? air_keeper_socket(resident->keeper)
                                                           : -1;
}

bool air_resident_wants_write(const struct air_resident *resident) {
    return resident->keeper != NULL && air_keeper_wants_write(resident->keeper);
}

void air_resident_turn(struct air_resident *resident, struct air_resident_turn *turn) {
    const struct air_action *action = NULL;
    const struct air_time now = air_slices_now();
    *turn = (struct air_resident_turn){.kind = AIR_RESIDENT_AGAIN};
    if (resident->keeper != NULL && !resident->is_alone) {
        resident->is_alone =
            air_keeper_service(resident->keeper, on_kept, resident) == AIR_ERR_STATE;
    }
    resident->is_slice_next = !resident->is_slice_next;
    if (resident->is_slice_next && air_slices_step(resident->slices)) {
        return;
    }
    if (air_engine_next(resident->engine, now, &action) == AIR_OK && action != NULL) {
        take(resident, action, turn);
    } else if (resident->is_slice_next || !air_slices_step(resident->slices)) {
        turn->kind = AIR_RESIDENT_IDLE;
        turn->pause_ms = air_slices_pause_ms(resident->slices, now, PAUSE_MAX_MS);
    }
}

enum air_error air_resident_complete(
    struct air_resident *resident, uint64_t id, const struct air_result *result) {
    return air_engine_complete(resident->engine, id, result, air_slices_now());
}

int air_resident_client_hello(struct air_resident *resident, SSL *ssl, int *alert) {
    return air_tls_client_hello(resident->tls, ssl, alert);
}

bool air_resident_certificate(struct air_resident *resident, SSL *ssl, const char *name) {
    return (name == NULL ? air_tls_certificate(resident->tls, ssl)
                         : air_tls_certificate_for(resident->tls, ssl, air_span_text(name))) == 1;
}

enum air_error air_resident_answer(struct air_resident *resident, air_span method, air_span path,
    air_span host, struct air_buffer *body) {
    return air_responder_answer(resident->responder, method, path, host, body);
}

static enum air_error make_parts(struct air_resident *resident) {
    const struct air_engine_config config = {.size = sizeof(config), .crypto = resident->crypto};
    enum air_error error = air_engine_new(&config, &resident->engine);
    if (error == AIR_OK) {
        error = air_responder_new(&resident->responder);
    }
    if (error == AIR_OK) {
        error = air_tls_new(&resident->tls);
    }
    const struct air_slices_config slices = {.engine = resident->engine,
        .crypto = resident->local_crypto,
        .storage = resident->snapshot,
        .tls = resident->tls,
        .responder = resident->responder,
        .clock = air_slices_now,
        .install = install,
        .host = resident};
    if (error == AIR_OK) {
        error = air_slices_new(&slices, &resident->slices);
    }
    return error == AIR_OK ? air_engine_target_add(resident->engine, target) : error;
}

static void take(struct air_resident *resident, const struct air_action *action,
    struct air_resident_turn *turn) {
    turn->action = action;
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        turn->kind = AIR_RESIDENT_HTTP;
        return;
    case AIR_ACTION_EVENT:
        turn->kind = AIR_RESIDENT_EVENT;
        return;
    case AIR_ACTION_CANCEL:
        air_slices_cancel(resident->slices, action->cancel.cancelled_id);
        turn->kind = AIR_RESIDENT_CANCEL;
        return;
    case AIR_ACTION_READ:
    case AIR_ACTION_WRITE:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_GENERATE_KEY:
    case AIR_ACTION_SIGN:
        pass_on(resident, action);
        return;
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
        air_slices_begin(resident->slices, action);
        return;
    }
}

/* To the keeper, or into slices of our own. */
static void pass_on(struct air_resident *resident, const struct air_action *action) {
    if (resident->keeper == NULL) {
        air_slices_begin(resident->slices, action);
        return;
    }
    const enum air_error error = air_keeper_submit(resident->keeper, action);
    if (error != AIR_OK) {
        const struct air_result result = {.error = error == AIR_ERR_STATE ? AIR_ERR_STORAGE : error,
            .explanation = air_span_text("the keeper has ended: start the server again")};
        on_kept(resident, action->id, &result);
    }
}

/* Without memory the engine's own time limit ends the action. */
static void on_kept(void *context, uint64_t id, const struct air_result *result) {
    struct air_resident *resident = context;
    const enum air_error error =
        air_engine_complete(resident->engine, id, result, air_slices_now());
    (void)error;
}

static enum air_error install(void *host, const struct air_install_action *install) {
    struct air_resident *resident = host;
    return air_tls_certificate_set(resident->tls, install->certificate, install->key_type,
        install->names, install->names_count, install->chain, install->key, NULL);
}
