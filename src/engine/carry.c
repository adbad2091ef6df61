/* SPDX-License-Identifier: MIT */
/*
 * From storage actions to calls of the storage port: what every host needs once, whichever thread
 * it calls it on. The values of all records lie in one buffer, which is wiped when it goes.
 * Invariant: nothing is allocated after a write was begun, so that its result is always known.
 */

#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/action.h"

#define VALUES_SIZE_MAX ((size_t)AIR_STORAGE_PUTS_MAX * AIR_STORAGE_VALUE_SIZE_MAX)

/* More segments than this are not collected for one list: the engine asks for less. */
#define SEGMENTS_MAX 4096

static void explain(struct air_storage *storage, struct air_carried *carried) {
    if (storage->explain != NULL) {
        storage->explain(storage->self, carried->explanation, sizeof carried->explanation);
        carried->result.explanation = air_span_text(carried->explanation);
    }
}

static void carry_read(
    struct air_storage *storage, const struct air_read_action *read, struct air_carried *carried) {
    size_t sizes[AIR_STORAGE_PUTS_MAX];
    for (size_t i = 0; i < read->paths_count; i++) {
        struct air_record *record = &carried->records[i];
        const size_t begin = carried->values.size;
        carried->values.size_max = begin + AIR_STORAGE_VALUE_SIZE_MAX;
        carried->values.error = AIR_OK;
        record->error =
            storage->read(storage->self, read->paths[i], &carried->values, &record->version);
        if (record->error != AIR_OK) {
            air_buffer_truncate(&carried->values, begin);
        }
        if (record->error != AIR_OK && record->error != AIR_ERR_NOT_FOUND) {
            explain(storage, carried);
        }
        sizes[i] = carried->values.size - begin;
    }
    air_span rest = air_buffer_span(&carried->values); /* it no longer moves */
    for (size_t i = 0; i < read->paths_count; i++) {
        carried->records[i].value = air_span_take(rest, sizes[i]);
        rest = air_span_skip(rest, sizes[i]);
    }
    carried->result.read.records = carried->records;
    carried->result.read.records_count = read->paths_count;
}

struct listing {
    struct air_carried *carried;
    size_t segments_max;
    size_t count;
    bool has_more;
};

static bool visit(void *context, air_span segment) {
    struct listing *listing = context;
    if (listing->count == listing->segments_max) {
        listing->has_more = true;
        return false;
    }
    listing->count++;
    air_buffer_append_span(&listing->carried->values, segment);
    return air_buffer_append_byte(&listing->carried->values, '/') == AIR_OK;
}

static enum air_error carry_list(
    struct air_storage *storage, const struct air_list_action *list, struct air_carried *carried) {
    struct listing listing = {.carried = carried, .segments_max = list->segments_max};
    listing.segments_max =
        listing.segments_max < SEGMENTS_MAX ? listing.segments_max : SEGMENTS_MAX;
    enum air_error error = storage->list(storage->self, list->prefix, list->after, visit, &listing);
    error = error == AIR_OK ? carried->values.error : error;
    if (error == AIR_OK && listing.count > 0) {
        carried->segments = air_memory_new(listing.count * sizeof *carried->segments);
        error = carried->segments != NULL ? AIR_OK : AIR_ERR_NO_MEMORY;
    }
    if (error != AIR_OK) {
        return error;
    }
    carried->segments_capacity = listing.count;
    air_span rest = air_buffer_span(&carried->values);
    for (size_t i = 0; i < listing.count; i++) {
        (void)air_span_next(&rest, '/', &carried->segments[i]);
    }
    carried->result.list.segments = carried->segments;
    carried->result.list.segments_count = listing.count;
    carried->result.list.has_more = listing.has_more;
    return AIR_OK;
}

static enum air_error carry(
    struct air_storage *storage, const struct air_action *action, struct air_carried *carried) {
    void *self = storage->self;
    if (action->kind == AIR_ACTION_READ) {
        carry_read(storage, &action->read, carried);
        return AIR_OK;
    }
    if (action->kind == AIR_ACTION_WRITE) {
        const struct air_write_action *write = &action->write;
        return storage->write(self, &write->guard, write->puts, write->puts_count);
    }
    if (action->kind == AIR_ACTION_LIST) {
        return carry_list(storage, &action->list, carried);
    }
    if (action->kind == AIR_ACTION_LOCK) {
        return storage->lock(self, action->lock.path, &carried->result.lock.fence);
    }
    return action->kind == AIR_ACTION_UNLOCK ? storage->unlock(self, action->lock.path)
                                             : AIR_ERR_UNSUPPORTED;
}

void air_storage_carry_out(
    struct air_storage *storage, const struct air_action *action, struct air_carried *carried) {
    *carried = (struct air_carried){0};
    air_buffer_init(&carried->values, VALUES_SIZE_MAX);
    carried->result.error = carry(storage, action, carried);
    if (carried->result.error != AIR_OK && carried->result.error != AIR_ERR_UNSUPPORTED) {
        explain(storage, carried);
    }
}

void air_carried_deinit(struct air_carried *carried) {
    air_buffer_deinit(&carried->values);
    air_memory_free(carried->segments, carried->segments_capacity * sizeof *carried->segments);
    *carried = (struct air_carried){0};
}
