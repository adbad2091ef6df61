/* SPDX-License-Identifier: MIT */
/*
 * Read, write, list, lock and unlock: the storage port called on the thread pool.
 *
 * What the records mean is the engine's business. Invariant: values live in buffers that are wiped
 * when the engine has taken them; they may be private keys.
 */
#include <string.h>

#include "driver/work.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* More segments than this are not collected for one list: the engine asks for less. */
#define SEGMENTS_COUNT_MAX 4096

/* What a work keeps until the engine has copied it. */
struct storage_part {
    struct air_buffer *values; /* one for each record */
    struct air_record *records;
    size_t records_count;
    struct air_buffer names; /* the segments, each followed by '/' */
    air_span *segments;
    size_t segments_count;
    size_t segments_count_max;
    bool has_more;
};

static void run_read(struct air_work *work);
static void run_write(struct air_work *work);
static void run_list(struct air_work *work);
static bool visit(void *context, air_span segment);
static enum air_error split(struct storage_part *part);
static void run_lock(struct air_work *work);
static void run_unlock(struct air_work *work);
static void explain(struct air_work *work);
static void drop(struct air_work *work);

static void (*const runs[])(struct air_work *work) = {
    [AIR_ACTION_READ] = run_read,
    [AIR_ACTION_WRITE] = run_write,
    [AIR_ACTION_LIST] = run_list,
    [AIR_ACTION_LOCK] = run_lock,
    [AIR_ACTION_UNLOCK] = run_unlock,
};

void air_storage_work_start(struct air_work *work) {
    work->part = air_memory_new(sizeof(struct storage_part));
    work->drop = drop;
    work->run = runs[work->action->kind];
    if (work->part == NULL) {
        air_work_finish(work, AIR_ERR_NO_MEMORY);
        return;
    }
    air_work_queue(work);
}

static void run_read(struct air_work *work) {
    const struct air_read_action *read = &work->action->read;
    struct air_storage *storage = work->driver->config.storage;
    struct storage_part *part = work->part;

    part->records_count = read->paths_count;
    part->values = air_memory_new(read->paths_count * sizeof(*part->values));
    part->records = air_memory_new(read->paths_count * sizeof(*part->records));
    if (read->paths_count > 0 && (part->values == NULL || part->records == NULL)) {
        work->result.error = AIR_ERR_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < read->paths_count; i++) {
        struct air_buffer *value = &part->values[i];
        struct air_record *record = &part->records[i];

        air_buffer_init(value, AIR_STORAGE_VALUE_SIZE_MAX);
        record->error = storage->read(storage->self, read->paths[i], value, &record->version);
        if (record->error == AIR_OK) {
            record->value = air_buffer_span(value);
        } else if (record->error != AIR_ERR_NOT_FOUND) {
            explain(work);
        }
    }
    work->result.read.records = part->records;
    work->result.read.records_count = part->records_count;
}

static void run_write(struct air_work *work) {
    const struct air_write_action *write = &work->action->write;
    struct air_storage *storage = work->driver->config.storage;

    work->result.error =
        storage->write(storage->self, &write->guard, write->puts, write->puts_count);
    if (work->result.error != AIR_OK) {
        explain(work);
    }
}

static void run_list(struct air_work *work) {
    const struct air_list_action *list = &work->action->list;
    struct air_storage *storage = work->driver->config.storage;
    struct storage_part *part = work->part;
    enum air_error error;

    part->segments_count_max =
        list->segments_max < SEGMENTS_COUNT_MAX ? list->segments_max : SEGMENTS_COUNT_MAX;
    air_buffer_init(
        &part->names, part->segments_count_max * ((size_t)AIR_STORAGE_PATH_SIZE_MAX + 1));
    error = storage->list(storage->self, list->prefix, list->after, visit, part);
    if (error != AIR_OK) {
        explain(work);
    } else {
        error = split(part);
    }
    work->result.error = error;
    work->result.list.segments = part->segments;
    work->result.list.segments_count = part->segments_count;
    work->result.list.has_more = part->has_more;
}

static bool visit(void *context, air_span segment) {
    struct storage_part *part = context;

    if (part->segments_count == part->segments_count_max) {
        part->has_more = true;
        return false;
    }
    part->segments_count++;
    air_buffer_append_span(&part->names, segment);
    return air_buffer_append_byte(&part->names, '/') == AIR_OK;
}

/* The buffer no longer moves: the segments can be pointed to. */
static enum air_error split(struct storage_part *part) {
    air_span rest = air_buffer_span(&part->names);

    if (part->names.error != AIR_OK) {
        return part->names.error;
    }
    if (part->segments_count == 0) {
        return AIR_OK;
    }
    part->segments = air_memory_new(part->segments_count * sizeof(*part->segments));
    if (part->segments == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < part->segments_count; i++) {
        (void)air_span_next(&rest, '/', &part->segments[i]);
    }
    return AIR_OK;
}

static void run_lock(struct air_work *work) {
    struct air_storage *storage = work->driver->config.storage;

    work->result.error =
        storage->lock(storage->self, work->action->lock.path, &work->result.lock.fence);
    if (work->result.error != AIR_OK) {
        explain(work);
    }
}

static void run_unlock(struct air_work *work) {
    struct air_storage *storage = work->driver->config.storage;

    work->result.error = storage->unlock(storage->self, work->action->lock.path);
    if (work->result.error != AIR_OK) {
        explain(work);
    }
}

/* What the storage says about this thread's latest call. */
static void explain(struct air_work *work) {
    struct air_storage *storage = work->driver->config.storage;
    char text[AIR_WORK_EXPLANATION_SIZE_MAX + 1] = "";

    if (storage->explain != NULL) {
        storage->explain(storage->self, text, sizeof(text));
        air_work_explain(work, "%s", text);
    }
}

static void drop(struct air_work *work) {
    struct storage_part *part = work->part;

    if (part == NULL) {
        return;
    }
    for (size_t i = 0; part->values != NULL && i < part->records_count; i++) {
        air_buffer_deinit(&part->values[i]);
    }
    air_memory_free(part->values, part->records_count * sizeof(*part->values));
    air_memory_free(part->records, part->records_count * sizeof(*part->records));
    air_memory_free(part->segments, part->segments_count * sizeof(*part->segments));
    air_buffer_deinit(&part->names);
    air_memory_free(part, sizeof(*part));
}
