/* SPDX-License-Identifier: MIT */
/*
 * The engine's inputs: authorities, certificates, targets, and what an operator asks for. What is
 * done with them is in engine_run.c. Invariant: certificates and authorities are reached by
 * pointers that stay true while they are known; a certificate that is changed or removed takes its
 * issuances with it.
 */

#include "thinair/engine.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/authority.h"
#include "src/engine/issuance.h"

#define ISSUANCES_DEFAULT 16
#define ISSUANCES_MAX 64

enum air_error air_engine_new(const struct air_engine_config *config, struct air_engine **out) {
    if (config->size != sizeof *config || config->crypto == NULL ||
        config->issuances_max > ISSUANCES_MAX) {
        return AIR_ERR_ARGUMENT;
    }
    struct air_engine *engine = air_memory_new(sizeof *engine);
    if (engine == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    engine->crypto = config->crypto;
    engine->issuances_max = config->issuances_max > 0 ? config->issuances_max : ISSUANCES_DEFAULT;
    engine->report_steps = config->report_steps;
    air_desk_init(&engine->desk);
    *out = engine;
    return AIR_OK;
}

static void end_issuance(struct air_engine *engine, struct air_lineage *lineage) {
    struct air_issuance **at = &engine->issuances;
    while (*at != NULL && *at != lineage->issuance) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        struct air_issuance *issuance = *at;
        *at = issuance->next;
        engine->issuances_count--;
        lineage->issuance = NULL;
        air_issuance_free(issuance);
    }
}

static void leave(struct air_engine *engine, struct air_certificate *certificate) {
    engine->status_certificate = 0;
    engine->status_first = 0;
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        end_issuance(engine, &certificate->lineages[i]);
        air_queue_remove(&engine->queue, &certificate->lineages[i]);
    }
}

void air_engine_free(struct air_engine *engine) {
    if (engine == NULL) {
        return;
    }
    for (size_t i = 0; i < engine->certificates_count; i++) {
        leave(engine, engine->certificates[i]);
        air_certificate_free(engine->certificates[i]);
    }
    for (size_t i = 0; i < engine->authorities_count; i++) {
        air_authority_free(engine->authorities[i]);
    }
    air_memory_free(
        engine->certificates, engine->certificates_capacity * sizeof *engine->certificates);
    air_memory_free(
        engine->authorities, engine->authorities_capacity * sizeof *engine->authorities);
    air_ids_deinit(&engine->ids);
    air_queue_deinit(&engine->queue);
    air_desk_deinit(&engine->desk);
    air_memory_free(engine, sizeof *engine);
}

static struct air_authority *find_authority(
    const struct air_engine *engine, air_span url, air_span account) {
    for (size_t i = 0; i < engine->authorities_count; i++) {
        struct air_authority *authority = engine->authorities[i];
        if (air_span_equal(air_authority_directory_url(authority), url) &&
            air_span_equal(authority->account, account)) {
            return authority;
        }
    }
    return NULL;
}

/* Room for one more pointer. */
static enum air_error reserve(void ***array, size_t count, size_t *capacity) {
    if (count < *capacity) {
        return AIR_OK;
    }
    const size_t grown_capacity = *capacity * 2 + 8;
    void **grown =
        air_memory_resize(*array, *capacity * sizeof **array, grown_capacity * sizeof **array);
    if (grown == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    *array = grown;
    *capacity = grown_capacity;
    return AIR_OK;
}

enum air_error air_engine_authority_set(
    struct air_engine *engine, const struct air_authority_spec *spec) {
    if (spec->size != sizeof *spec) {
        return AIR_ERR_ARGUMENT;
    }
    struct air_authority *known = find_authority(engine, spec->directory_url, spec->account);
    if (known != NULL) {
        return air_authority_change(known, spec);
    }
    enum air_error error = reserve(
        (void ***)&engine->authorities, engine->authorities_count, &engine->authorities_capacity);
    if (error == AIR_OK) {
        error = air_authority_new(engine, spec, &engine->authorities[engine->authorities_count]);
    }
    if (error == AIR_OK) {
        engine->authorities_count++;
    }
    return error;
}

enum air_error air_engine_authority_remove(
    struct air_engine *engine, air_span directory_url, air_span account) {
    struct air_authority *authority = find_authority(engine, directory_url, account);
    if (authority == NULL) {
        return AIR_ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < engine->certificates_count; i++) {
        if (engine->certificates[i]->authority == authority) {
            return AIR_ERR_BUSY;
        }
    }
    size_t index = 0;
    while (engine->authorities[index] != authority) {
        index++;
    }
    engine->authorities[index] = engine->authorities[--engine->authorities_count];
    air_authority_free(authority);
    return AIR_OK;
}

/* Its place, or AIR_ID_NOWHERE. */
static size_t find_certificate(const struct air_engine *engine, air_span id) {
    return air_ids_find(&engine->ids, engine->certificates, id);
}

/* To be looked at now; one that is being worked on already is looked at again when that is over,
 * unless its work sets another time. */
static void queue_now(struct air_engine *engine, struct air_lineage *lineage) {
    /* Key types in the order they were asked for. */
    lineage->next_ms = lineage - lineage->certificate->lineages;
    if (lineage->issuance == NULL) {
        air_queue_set(&engine->queue, lineage, lineage->next_ms);
    }
}

/* The changed certificate's lineages know what the old one's served. */
static void inherit(struct air_certificate *fresh, struct air_certificate *old) {
    for (size_t i = 0; i < fresh->lineages_count; i++) {
        for (size_t k = 0; k < old->lineages_count; k++) {
            if (fresh->lineages[i].key_type == old->lineages[k].key_type) {
                air_lineage_inherit(&fresh->lineages[i], &old->lineages[k]);
            }
        }
    }
}

enum air_error air_engine_certificate_set(
    struct air_engine *engine, const struct air_certificate_spec *spec, struct air_buffer *reason) {
    if (spec->size != sizeof *spec) {
        return AIR_ERR_ARGUMENT;
    }
    struct air_authority *authority = find_authority(engine, spec->directory_url, spec->account);
    if (authority == NULL) {
        return AIR_ERR_NOT_FOUND;
    }
    struct air_certificate *fresh = NULL;
    enum air_error error = air_certificate_new(engine->crypto, spec, authority, &fresh, reason);
    if (error == AIR_OK) {
        error = air_queue_reserve(&engine->queue, engine->lineages_count + fresh->lineages_count);
    }
    if (error == AIR_OK) {
        error = reserve((void ***)&engine->certificates, engine->certificates_count,
            &engine->certificates_capacity);
    }
    if (error == AIR_OK) {
        error = air_ids_reserve(&engine->ids, engine->certificates, engine->certificates_count,
            engine->certificates_count + 1);
    }
    if (error != AIR_OK) {
        air_certificate_free(fresh);
        return error;
    }
    const size_t index = find_certificate(engine, air_certificate_id(fresh));
    if (index != AIR_ID_NOWHERE && air_certificate_is_same(fresh, engine->certificates[index])) {
        air_certificate_free(fresh); /* what is under way goes on */
        return AIR_OK;
    }
    if (index != AIR_ID_NOWHERE) {
        leave(engine, engine->certificates[index]);
        inherit(fresh, engine->certificates[index]);
        engine->lineages_count -= engine->certificates[index]->lineages_count;
        air_certificate_free(engine->certificates[index]);
        engine->certificates[index] = fresh;
    } else {
        engine->certificates[engine->certificates_count++] = fresh;
        air_ids_add(&engine->ids, engine->certificates, engine->certificates_count - 1);
    }
    engine->lineages_count += fresh->lineages_count;
    for (size_t i = 0; i < fresh->lineages_count; i++) {
        queue_now(engine, &fresh->lineages[i]);
    }
    return AIR_OK;
}

enum air_error air_engine_certificate_remove(struct air_engine *engine, air_span id) {
    const size_t index = find_certificate(engine, id);
    if (index == AIR_ID_NOWHERE) {
        return AIR_ERR_NOT_FOUND;
    }
    struct air_certificate *certificate = engine->certificates[index];
    const size_t last = engine->certificates_count - 1;
    leave(engine, certificate);
    engine->lineages_count -= certificate->lineages_count;
    air_ids_remove(&engine->ids, engine->certificates, index);
    if (index != last) {
        air_ids_move(&engine->ids, engine->certificates, last, index);
        engine->certificates[index] = engine->certificates[last];
    }
    engine->certificates_count--;
    air_certificate_free(certificate);
    return AIR_OK;
}

enum air_error air_engine_certificate_renew(struct air_engine *engine, air_span id) {
    const size_t index = find_certificate(engine, id);
    if (index == AIR_ID_NOWHERE) {
        return AIR_ERR_NOT_FOUND;
    }
    struct air_certificate *certificate = engine->certificates[index];
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        certificate->lineages[i].is_forced = true;
        certificate->lineages[i].is_retried = true;
        queue_now(engine, &certificate->lineages[i]);
    }
    return AIR_OK;
}

enum air_error air_engine_certificate_retry(struct air_engine *engine, air_span id) {
    const size_t index = find_certificate(engine, id);
    if (index == AIR_ID_NOWHERE) {
        return AIR_ERR_NOT_FOUND;
    }
    struct air_certificate *certificate = engine->certificates[index];
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        certificate->lineages[i].is_retried = true;
        certificate->lineages[i].needs_load = true;
        queue_now(engine, &certificate->lineages[i]);
    }
    return AIR_OK;
}

void air_engine_store_changed(struct air_engine *engine, air_span id) {
    for (size_t i = 0; i < engine->certificates_count; i++) {
        struct air_certificate *certificate = engine->certificates[i];
        if (id.size > 0 && !air_span_equal(air_certificate_id(certificate), id)) {
            continue;
        }
        for (size_t k = 0; k < certificate->lineages_count; k++) {
            certificate->lineages[k].needs_load = true;
            queue_now(engine, &certificate->lineages[k]);
        }
    }
}

static size_t find_target(const struct air_engine *engine, air_span name) {
    size_t index = 0;
    while (index < engine->targets_count &&
           !air_span_equal(
               air_span_of(engine->targets[index].name, engine->targets[index].name_size), name)) {
        index++;
    }
    return index;
}

enum air_error air_engine_target_add(struct air_engine *engine, air_span target) {
    if (target.size == 0 || target.size > AIR_TARGET_SIZE_MAX) {
        return AIR_ERR_ARGUMENT;
    }
    const size_t index = find_target(engine, target);
    if (index < engine->targets_count) {
        return AIR_OK;
    }
    if (index == AIR_TARGETS_MAX) {
        return AIR_ERR_LIMIT;
    }
    memcpy(engine->targets[index].name, target.data, target.size);
    engine->targets[index].name_size = target.size;
    engine->targets_count++;
    air_engine_store_changed(engine, air_span_text(NULL)); /* it wants what is stored */
    return AIR_OK;
}

void air_engine_target_remove(struct air_engine *engine, air_span target) {
    const size_t index = find_target(engine, target);
    if (index < engine->targets_count) {
        engine->targets[index] = engine->targets[--engine->targets_count];
    }
}
