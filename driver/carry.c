/* SPDX-License-Identifier: MIT */
/*
 * What only a server can carry out: answers to challenges, proofs, and serving a certificate.
 *
 * The handshakes themselves are the TLS room's. Invariant: a certificate that a real handshake
 * refused is not served any more when its action is completed; the one before it is.
 */
#include "driver/clock.h"
#include "driver/server_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* A handshake that a thread of the pool makes for an action. */
struct trial {
    uv_work_t work;
    struct air_server *server;
    const struct air_action *action; /* the engine's, valid until completed */
    struct air_place *place;         /* of an installation */
    SSL_CTX *context;                /* borrowed from the server; NULL: none is attached */
    enum air_error error;
    struct air_buffer reason;
};

static enum air_error publish(struct air_server *server, const struct air_publish_action *publish);
static void withdraw(struct air_server *server, const struct air_publish_action *publish);
static bool prove(
    struct air_server *server, const struct air_action *action, struct air_result *result);
static bool install(
    struct air_server *server, const struct air_action *action, struct air_result *result);
static enum air_error serve_candidate(struct trial *trial);
static bool is_to_probe(const struct trial *trial);
static struct trial *trial_new(struct air_server *server, const struct air_action *action);
static void trial_free(struct trial *trial);
static void trial_complete(struct trial *trial);
static void run_proof(uv_work_t *work);
static void after_proof(uv_work_t *work, int status);
static void run_probe(uv_work_t *work);
static void after_probe(uv_work_t *work, int status);
static void settle(struct air_place *place);
static void go_back(struct trial *trial);
static enum air_error serve(
    struct air_server *server, air_span id, const struct air_pair *pair, struct air_buffer *reason);

bool air_server_carry(void *host, const struct air_action *action, struct air_result *result) {
    struct air_server *server = host;

    if (action->kind == AIR_ACTION_PUBLISH) {
        result->error = publish(server, &action->publish);
    } else if (action->kind == AIR_ACTION_WITHDRAW) {
        withdraw(server, &action->publish);
    } else if (action->kind == AIR_ACTION_PROVE) {
        return prove(server, action, result);
    } else if (action->kind == AIR_ACTION_INSTALL) {
        return install(server, action, result);
    } else if (action->kind == AIR_ACTION_EVENT && server->config.on_event != NULL) {
        server->config.on_event(server->config.context, &action->event);
    }
    return true;
}

static enum air_error publish(struct air_server *server, const struct air_publish_action *publish) {
    switch (publish->type) {
    case AIR_HTTP_01:
        return air_responder_set(
            server->responder, publish->name, publish->token, publish->key_authorization);
    case AIR_TLS_ALPN_01:
        return air_tls_challenge_publish(
            server->tls, server->crypto, publish->name, publish->digest, air_clock_now().wall_ms);
    case AIR_CHALLENGE_NONE:
        break;
    }
    return AIR_ERR_UNSUPPORTED;
}

static void withdraw(struct air_server *server, const struct air_publish_action *publish) {
    if (publish->type == AIR_HTTP_01) {
        air_responder_remove(server->responder, publish->name, publish->token);
    } else if (publish->type == AIR_TLS_ALPN_01) {
        air_tls_challenge_remove(server->tls, publish->name);
    }
}

static bool prove(
    struct air_server *server, const struct air_action *action, struct air_result *result) {
    struct trial *trial = trial_new(server, action);

    if (trial == NULL) {
        result->error = AIR_ERR_NO_MEMORY;
        return true;
    }
    /* Fails only without a function to run. */
    (void)uv_queue_work(&server->loop, &trial->work, run_proof, after_proof);
    return false;
}

/*
 * Put the pair in the table; then prove it by a handshake, where there is something to handshake
 * with. What an earlier run had stored was proven then, and is served before anybody listens.
 */
static bool install(
    struct air_server *server, const struct air_action *action, struct air_result *result) {
    struct trial *trial = trial_new(server, action);
    struct air_place *place =
        air_pairs_place(&server->pairs, action->install.certificate, action->install.key_type);

    if (trial == NULL || place == NULL || place->candidate != NULL) {
        result->error = trial != NULL && place != NULL ? AIR_ERR_BUSY : AIR_ERR_NO_MEMORY;
        trial_free(trial);
        return true;
    }
    trial->place = place;
    trial->error = serve_candidate(trial);
    if (trial->error == AIR_OK && is_to_probe(trial)) {
        (void)uv_queue_work(&server->loop, &trial->work, run_probe, after_probe);
        return false;
    }
    if (trial->error == AIR_OK) {
        settle(place);
    }
    trial_complete(trial);
    return false;
}

/* Copy what is to be installed and put it in the table. */
static enum air_error serve_candidate(struct trial *trial) {
    struct air_place *place = trial->place;
    enum air_error error = AIR_ERR_NO_MEMORY;

    place->candidate = air_pair_new(&trial->action->install);
    if (place->candidate != NULL) {
        error = serve(trial->server, place->id, place->candidate, &trial->reason);
    }
    if (error != AIR_OK) {
        air_pair_free(place->candidate);
        place->candidate = NULL;
    }
    return error;
}

static bool is_to_probe(const struct trial *trial) {
    const struct air_server *server = trial->server;
    bool is_new = trial->place->served != NULL || server->is_loaded;

    return is_new && trial->action->install.names_count > 0 &&
           (server->config.on_installed != NULL || trial->context != NULL);
}

static struct trial *trial_new(struct air_server *server, const struct air_action *action) {
    struct trial *trial = air_memory_new(sizeof(*trial));

    if (trial == NULL) {
        return NULL;
    }
    trial->work.data = trial;
    trial->server = server;
    trial->action = action;
    air_buffer_init(&trial->reason, AIR_REASON_SIZE_MAX);
    pthread_mutex_lock(&server->lock);
    trial->context = server->context;
    pthread_mutex_unlock(&server->lock);
    return trial;
}

static void trial_free(struct trial *trial) {
    if (trial != NULL) {
        air_buffer_deinit(&trial->reason);
        air_memory_free(trial, sizeof(*trial));
    }
}

static void trial_complete(struct trial *trial) {
    struct air_result result = {
        .error = trial->error, .explanation = air_buffer_span(&trial->reason)};

    air_driver_complete(trial->server->driver, trial->action->id, &result);
    trial_free(trial);
}

/* Every name: a handshake takes a millisecond, and a name that fails here would fail for people. */
static void run_proof(uv_work_t *work) {
    struct trial *trial = work->data;
    const struct air_prove_action *prove = &trial->action->prove;

    for (size_t i = 0; i < prove->names_count && trial->error == AIR_OK; i++) {
        trial->error = air_tls_prove(
            prove->chain, prove->key, prove->key_type, prove->names[i], &trial->reason);
    }
}

static void after_proof(uv_work_t *work, int status) {
    (void)status; /* nobody takes it off the pool */
    trial_complete(work->data);
}

static void run_probe(uv_work_t *work) {
    struct trial *trial = work->data;
    struct air_server *server = trial->server;
    const struct air_install_action *install = &trial->action->install;

    if (server->config.on_installed != NULL) {
        trial->error = server->config.on_installed(server->config.context, install, &trial->reason);
    } else {
        trial->error = air_tls_probe_context(
            trial->context, install->names[0], install->key_type, install->chain, &trial->reason);
    }
}

static void after_probe(uv_work_t *work, int status) {
    struct trial *trial = work->data;

    (void)status;
    if (trial->error == AIR_OK) {
        settle(trial->place);
    } else {
        go_back(trial);
    }
    trial_complete(trial);
}

/* The candidate is what is served from now on. */
static void settle(struct air_place *place) {
    air_pair_free(place->served);
    place->served = place->candidate;
    place->candidate = NULL;
}

/* Serve what was served before; nothing, if that was nothing. */
static void go_back(struct trial *trial) {
    struct air_place *place = trial->place;
    struct air_server *server = trial->server;
    enum air_error error;

    if (place->served != NULL) {
        error = serve(server, place->id, place->served, NULL);
    } else {
        error = air_tls_certificate_remove(server->tls, place->id, place->candidate->key_type);
    }
    if (error != AIR_OK) {
        air_buffer_append_text(
            &trial->reason, "; the one before it could not be put back, so this one is served");
        settle(place);
        return;
    }
    air_pair_free(place->candidate);
    place->candidate = NULL;
}

static enum air_error serve(struct air_server *server, air_span id, const struct air_pair *pair,
    struct air_buffer *reason) {
    return air_tls_certificate_set(server->tls, id, pair->key_type, pair->names, pair->names_count,
        pair->chain, pair->key, reason);
}
