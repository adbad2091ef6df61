/* SPDX-License-Identifier: MIT */
/*
 * What an operator sees of a lineage. Read only; the names' spans need room, which the engine lends
 * until the next call on it.
 */

#include <string.h>

#include "src/base/span.h"
#include "src/engine/authority.h"
#include "src/engine/issuance.h"

const char *air_state_text(enum air_state state) {
    switch (state) {
    case AIR_STATE_LOADING:
        return "loading";
    case AIR_STATE_WAITING:
        return "waiting";
    case AIR_STATE_ORDERING:
        return "ordering";
    case AIR_STATE_RETRYING:
        return "retrying";
    }
    return "";
}

size_t air_engine_lineages_count(const struct air_engine *engine) {
    return engine->lineages_count;
}

static enum air_state state_of(const struct air_lineage *lineage) {
    if (lineage->issuance != NULL && (lineage->issuance->has_lock || lineage->is_loaded)) {
        return AIR_STATE_ORDERING;
    }
    if (lineage->failures_count > 0) {
        return AIR_STATE_RETRYING;
    }
    if (!lineage->is_loaded) {
        return AIR_STATE_LOADING;
    }
    return lineage->generation > 0 && lineage->is_current ? AIR_STATE_WAITING : AIR_STATE_ORDERING;
}

static void fill(struct air_engine *engine, struct air_lineage *lineage, struct air_status *out) {
    const struct air_certificate *certificate = lineage->certificate;
    *out = (struct air_status){
        .certificate = air_certificate_id(certificate),
        .key_type = (enum air_key_type)lineage->key_type,
        .names = engine->status_names,
        .names_count = air_certificate_names(certificate, engine->status_names),
        .directory_url = air_authority_directory_url(certificate->authority),
        .state = state_of(lineage),
        .step = lineage->issuance != NULL ? air_job_step_text(&lineage->issuance->job) : "",
        .is_current = lineage->generation > 0 && lineage->is_current,
        .generation = lineage->generation,
        .serial_size = lineage->serial_size,
        .not_before_ms = lineage->not_before_ms,
        .not_after_ms = lineage->not_after_ms,
        .next_ms = lineage->next_ms,
        .failures_count = lineage->failures_count,
        .last_error = air_span_of(lineage->last_error, lineage->last_error_size),
    };
    memcpy(out->serial, lineage->serial, lineage->serial_size);
}

enum air_error air_engine_status(struct air_engine *engine, size_t index, struct air_status *out) {
    if (index < engine->status_first) {
        engine->status_certificate = 0;
        engine->status_first = 0;
    }
    /* From where the last one was found, so that going through all of them takes one walk. */
    while (engine->status_certificate < engine->certificates_count) {
        struct air_certificate *certificate = engine->certificates[engine->status_certificate];
        if (index - engine->status_first < certificate->lineages_count) {
            fill(engine, &certificate->lineages[index - engine->status_first], out);
            return AIR_OK;
        }
        engine->status_certificate++;
        engine->status_first += certificate->lineages_count;
    }
    engine->status_certificate = 0;
    engine->status_first = 0;
    return AIR_ERR_NOT_FOUND;
}
