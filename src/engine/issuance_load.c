/* SPDX-License-Identifier: MIT */
/*
 * Reading what is stored of a lineage: the pointer, the history, the order under way; then the
 * generation that the pointer names, or, when it is lost or damaged, the newest one that is intact
 * (crash-consistency 4.3). Invariant: a record that cannot be read for another reason than being
 * absent or broken stops everything: nothing is ordered on top of a storage that fails (R-C4).
 */

#include <string.h>

#include "src/base/span.h"
#include "src/engine/issuance.h"

/* Room for three paths, apart. */
struct paths {
    struct air_buffer text;
    size_t ends[3];
};

static void report_set_aside(struct air_issuance *issuance, const char *what) {
    air_engine_report_lineage(
        issuance->job.engine, AIR_EVENT_RECORD_SET_ASIDE, issuance->lineage, air_span_text(what));
}

/* Want the three records whose paths stand in text. */
static enum air_error post_read(struct air_job *job, const struct paths *paths) {
    air_span list[3];
    size_t begin = 0;
    for (size_t i = 0; i < 3; i++) {
        list[i] = air_span_of(paths->text.data + begin, paths->ends[i] - begin);
        begin = paths->ends[i];
    }
    struct air_action action = {.kind = AIR_ACTION_READ};
    action.read.paths = list;
    action.read.paths_count = 3;
    return air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
}

enum air_error air_load_request_read(struct air_job *job) {
    static const char *const names[] = {"current", "history.json", "order.json"};
    struct air_issuance *issuance = air_issuance_of(job);
    issuance->wants_install = issuance->wants_install || issuance->lineage->needs_load;
    issuance->lineage->needs_load = false; /* what changes from now on sets it again */
    struct paths paths;
    air_buffer_init(&paths.text, 3 * AIR_STORAGE_PATH_SIZE_MAX);
    for (size_t i = 0; i < 3; i++) {
        air_path_lineage(issuance->lineage, names[i], &paths.text);
        paths.ends[i] = paths.text.size;
    }
    enum air_error error = paths.text.error;
    if (error == AIR_OK) {
        error = post_read(job, &paths);
    }
    air_buffer_deinit(&paths.text);
    return error;
}

bool air_load_is_readable(enum air_error error) {
    return error == AIR_OK || error == AIR_ERR_NOT_FOUND || error == AIR_ERR_LIMIT;
}

/* A storage that fails is no empty storage: stop. */
static bool stops_at(struct air_issuance *issuance, const struct air_result *result,
    size_t records_count, const char *what) {
    if (result->error != AIR_OK || result->read.records_count != records_count) {
        (void)air_issuance_fail_storage(issuance, what, result);
        return true;
    }
    for (size_t i = 0; i < records_count; i++) {
        const enum air_error error = result->read.records[i].error;
        if (!air_load_is_readable(error)) {
            const struct air_result failure = {.error = error, .explanation = result->explanation};
            (void)air_issuance_fail_storage(issuance, what, &failure);
            return true;
        }
    }
    return false;
}

static enum air_error take_history(struct air_issuance *issuance, const struct air_record *record) {
    enum air_error error = AIR_OK;
    issuance->history = (struct air_history){0};
    if (record->error == AIR_OK) {
        error = air_history_read(record->value, &issuance->history);
        if (error == AIR_ERR_MALFORMED) {
            report_set_aside(issuance, "history.json cannot be read: counting from zero");
            error = AIR_OK;
        }
    }
    for (size_t i = 0; i < issuance->history.generations_count; i++) {
        const uint32_t number = issuance->history.generations[i].number;
        issuance->highest = number > issuance->highest ? number : issuance->highest;
    }
    return error;
}

static enum air_error take_order(struct air_issuance *issuance, const struct air_record *record) {
    enum air_error error = AIR_OK;
    air_order_record_deinit(&issuance->record);
    if (record->error == AIR_OK) {
        error = air_order_record_read(issuance->lineage, record->value, &issuance->record);
        if (error == AIR_ERR_MALFORMED || error == AIR_ERR_LIMIT) {
            report_set_aside(issuance, "order.json cannot be read: the order is given up");
            error = AIR_OK;
        }
    }
    if (issuance->record.generation > issuance->highest) {
        issuance->highest = issuance->record.generation;
    }
    return error;
}

enum air_error air_load_accept_read(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (stops_at(issuance, result, 3, "cannot read the stored certificate: ")) {
        return AIR_OK;
    }
    const struct air_record *records = result->read.records;
    issuance->highest = 0;
    enum air_error error = take_history(issuance, &records[1]);
    if (error == AIR_OK) {
        error = take_order(issuance, &records[2]);
    }
    if (error != AIR_OK) {
        return error;
    }
    issuance->pointer = 0;
    issuance->pointer_version = records[0].error == AIR_OK ? records[0].version : 0;
    if (records[0].error == AIR_OK) {
        error = air_current_read(records[0].value, &issuance->pointer, issuance->pointer_sha256);
    }
    if (error == AIR_ERR_NO_MEMORY) {
        return error;
    }
    issuance->has_pointer = records[0].error == AIR_OK && error == AIR_OK;
    if (records[0].error == AIR_OK && !issuance->has_pointer) {
        report_set_aside(issuance, "current cannot be read: looking for the newest generation");
    }
    issuance->is_searching = !issuance->has_pointer;
    if (issuance->pointer > issuance->highest) {
        issuance->highest = issuance->pointer;
    }
    air_job_enter(job, issuance->has_pointer ? AIR_STEP_READ_GENERATION : AIR_STEP_LIST);
    return AIR_OK;
}

enum air_error air_load_request_list(struct air_job *job) {
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    enum air_error error = air_path_lineage(air_issuance_of(job)->lineage, "generations", &path);
    if (error == AIR_OK) {
        struct air_action action = {.kind = AIR_ACTION_LIST};
        action.list.prefix = air_buffer_span(&path);
        action.list.segments_max = 1024;
        error = air_job_post(job, &action, AIR_STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&path);
    return error;
}

enum air_error air_load_accept_list(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (result->error != AIR_OK) {
        return air_issuance_fail_storage(issuance, "cannot list the stored generations: ", result);
    }
    issuance->is_searching = true;
    issuance->search_count = 0;
    issuance->search_index = 0;
    for (size_t i = result->list.segments_count;
         i-- > 0;) { /* listed in order: the newest is last */
        const uint32_t number = air_generation_parse(result->list.segments[i]);
        issuance->highest = number > issuance->highest ? number : issuance->highest;
        if (number > 0 && number != issuance->pointer && issuance->search_count < AIR_SEARCH_MAX) {
            issuance->search[issuance->search_count++] = number;
        }
    }
    if (issuance->search_count == 0) {
        issuance->lineage->generation = 0; /* nothing is there, or nothing is left */
    }
    air_job_enter(job, issuance->search_count > 0 ? AIR_STEP_READ_GENERATION : AIR_STEP_DECIDE);
    return AIR_OK;
}

static uint32_t generation_to_read(const struct air_issuance *issuance) {
    return issuance->is_searching ? issuance->search[issuance->search_index] : issuance->pointer;
}

enum air_error air_load_request_generation(struct air_job *job) {
    static const char *const names[] = {"fullchain.pem", "key.pem", "manifest.json"};
    const struct air_issuance *issuance = air_issuance_of(job);
    struct paths paths;
    air_buffer_init(&paths.text, 3 * AIR_STORAGE_PATH_SIZE_MAX);
    for (size_t i = 0; i < 3; i++) {
        air_path_generation(issuance->lineage, generation_to_read(issuance), names[i], &paths.text);
        paths.ends[i] = paths.text.size;
    }
    enum air_error error = paths.text.error;
    if (error == AIR_OK) {
        error = post_read(job, &paths);
    }
    air_buffer_deinit(&paths.text);
    return error;
}

/* Whether chain and key are there and the chain is the one that the pointer names. */
static enum air_error check_intact(
    struct air_issuance *issuance, const struct air_record *records, bool *is_intact) {
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    uint8_t digest[AIR_SHA256_SIZE];
    *is_intact = false;
    if (records[0].error != AIR_OK || records[1].error != AIR_OK) {
        return AIR_OK;
    }
    enum air_error error =
        crypto->certificate_read(crypto->self, records[0].value, &issuance->manifest.info);
    if (error == AIR_OK && !issuance->is_searching) {
        error = crypto->sha256(crypto->self, records[0].value, digest);
    }
    if (error == AIR_OK) {
        *is_intact =
            issuance->is_searching || memcmp(digest, issuance->pointer_sha256, sizeof digest) == 0;
    }
    /* What cannot be judged now is not damaged. */
    return air_error_class(error) == AIR_CLASS_RETRY ? error : AIR_OK;
}

struct name_check {
    const air_span *names;
    size_t names_count;
    size_t found;
    bool has_other;
};

static void check_name(void *context, air_span name) {
    struct name_check *check = context;
    for (size_t i = 0; i < check->names_count; i++) {
        if (air_span_equal_nocase(check->names[i], name)) {
            check->found++;
            return;
        }
    }
    check->has_other = true;
}

/* Without a manifest the certificate itself tells whether it has the names that are asked for. */
static enum air_error judge_names(struct air_issuance *issuance, air_span chain) {
    const struct air_crypto *crypto = issuance->job.engine->crypto;
    air_span names[AIR_NAMES_MAX];
    struct name_check check = {.names = names};
    check.names_count = air_certificate_names(issuance->lineage->certificate, names);
    const enum air_error error = crypto->certificate_names(crypto->self, chain, check_name, &check);
    issuance->manifest.is_wish =
        error == AIR_OK && !check.has_other && check.found == check.names_count;
    return air_error_class(error) == AIR_CLASS_RETRY ? error : AIR_OK;
}

static enum air_error take_manifest(
    struct air_issuance *issuance, const struct air_record *record, air_span chain) {
    enum air_error error = AIR_ERR_MALFORMED;
    if (record->error == AIR_OK) {
        error = air_manifest_read(issuance->lineage, record->value, &issuance->manifest);
    }
    if (error == AIR_ERR_MALFORMED) {
        report_set_aside(
            issuance, "manifest.json cannot be read: the certificate itself is judged");
        error = judge_names(issuance, chain);
    }
    return error;
}

/* The generation is the one to serve: remember what it is. */
static void adopt(struct air_issuance *issuance) {
    struct air_lineage *lineage = issuance->lineage;
    const struct air_certificate_info *info = &issuance->manifest.info;
    const uint32_t generation = generation_to_read(issuance);
    if (lineage->generation != generation) {
        lineage->is_alarmed = false;
        lineage->is_expired_told = false;
    }
    issuance->manifest.generation = generation;
    lineage->generation = generation;
    lineage->not_before_ms = info->not_before_ms;
    lineage->not_after_ms = info->not_after_ms;
    lineage->is_current = issuance->manifest.is_wish;
    lineage->serial_size =
        (uint8_t)(info->serial_size <= sizeof lineage->serial ? info->serial_size : 0);
    memcpy(lineage->serial, info->serial, lineage->serial_size);
}

void air_load_search_on(struct air_issuance *issuance) {
    struct air_job *job = &issuance->job;
    if (!issuance->is_searching) {
        report_set_aside(issuance, "the current generation is damaged: looking for an older one");
        air_job_enter(job, AIR_STEP_LIST);
    } else if (++issuance->search_index < issuance->search_count) {
        air_job_enter(job, AIR_STEP_READ_GENERATION);
    } else {
        issuance->lineage->generation = 0; /* nothing is left: order anew */
        air_job_enter(job, AIR_STEP_DECIDE);
    }
}

enum air_error air_load_accept_generation(struct air_job *job, const struct air_result *result) {
    struct air_issuance *issuance = air_issuance_of(job);
    if (stops_at(issuance, result, 3, "cannot read the stored generation: ")) {
        return AIR_OK;
    }
    const struct air_record *records = result->read.records;
    bool is_intact = false;
    enum air_error error = check_intact(issuance, records, &is_intact);
    if (error != AIR_OK) {
        return error;
    }
    if (!is_intact) {
        air_load_search_on(issuance);
        return AIR_OK;
    }
    const bool is_new =
        issuance->lineage->generation != generation_to_read(issuance) || issuance->wants_install;
    error = take_manifest(issuance, &records[2], records[0].value);
    if (error == AIR_OK) {
        air_buffer_clear(&issuance->chain);
        air_buffer_clear(&issuance->chain_key);
        air_buffer_append_span(&issuance->chain, records[0].value);
        error = air_buffer_append_span(&issuance->chain_key, records[1].value);
        error = issuance->chain.error != AIR_OK ? issuance->chain.error : error;
    }
    if (error != AIR_OK) {
        return error;
    }
    adopt(issuance);
    issuance->wants_install = false;
    issuance->target_index = 0;
    issuance->targets_failed = 0;
    issuance->is_damaged = false;
    issuance->targets_installed = 0;
    air_job_enter(job, is_new ? AIR_STEP_INSTALL_STORED : AIR_STEP_DECIDE);
    return AIR_OK;
}
