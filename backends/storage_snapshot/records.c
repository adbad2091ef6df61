/* SPDX-License-Identifier: MIT */
/*
 * The sorted list of records and its change. Where the bytes are kept is files.c's.
 *
 * Invariant: between change and accept or reject, a record that only the old list has is marked as
 * dropped, and one that only the fresh list has is of a later version than the old list knows.
 */

#include "backends/storage_snapshot/records.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

static size_t lower_bound(const struct air_snapshot_records *records, air_span path);
static bool is_at(const struct air_snapshot_records *records, size_t index, air_span path);
static bool is_folder_clash(const struct air_snapshot_records *records, air_span path);
static bool is_below(air_span path, air_span folder);
static struct air_snapshot_record *record_new(uint64_t version, air_span path, air_span value);
static void record_free(struct air_snapshot_record *record);
static enum air_error carry_out(
    struct air_snapshot_records *fresh, uint64_t old_version, const struct air_put *put);
static void release(struct air_snapshot_record *record, uint64_t old_version);
static void items_free(struct air_snapshot_records *records);

air_span air_snapshot_record_path(const struct air_snapshot_record *record) {
    return air_span_of(record->bytes, record->path_size);
}

air_span air_snapshot_record_value(const struct air_snapshot_record *record) {
    return air_span_of(record->bytes + record->path_size, record->value_size);
}

enum air_error air_snapshot_records_init(struct air_snapshot_records *records, size_t capacity) {
    *records = (struct air_snapshot_records){0};
    if (capacity == 0) {
        return AIR_OK;
    }
    records->items = air_memory_new(capacity * sizeof(*records->items));
    if (records->items == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    records->capacity = capacity;
    return AIR_OK;
}

void air_snapshot_records_deinit(struct air_snapshot_records *records) {
    for (size_t i = 0; i < records->count; i++) {
        record_free(records->items[i]);
    }
    items_free(records);
}

const struct air_snapshot_record *air_snapshot_records_find(
    const struct air_snapshot_records *records, air_span path) {
    size_t index = lower_bound(records, path);
    return is_at(records, index, path) ? records->items[index] : NULL;
}

enum air_error air_snapshot_records_append(
    struct air_snapshot_records *records, uint64_t version, air_span path, air_span value) {
    bool is_next =
        records->count == 0 ||
        air_span_compare(air_snapshot_record_path(records->items[records->count - 1]), path) < 0;
    if (!air_path_is_valid(path) || value.size > AIR_STORAGE_VALUE_SIZE_MAX || !is_next ||
        records->count == records->capacity || is_folder_clash(records, path)) {
        return AIR_ERR_MALFORMED;
    }
    struct air_snapshot_record *record = record_new(version, path, value);
    if (record == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    records->items[records->count++] = record;
    return AIR_OK;
}

enum air_error air_snapshot_records_change(struct air_snapshot_records *old,
    const struct air_put *puts, size_t puts_count, struct air_snapshot_records *fresh) {
    enum air_error error = air_snapshot_records_init(fresh, old->count + puts_count);
    if (error != AIR_OK) {
        return error;
    }
    if (old->count > 0) {
        memcpy(fresh->items, old->items, old->count * sizeof(*old->items));
    }
    fresh->count = old->count;
    fresh->version = old->version;
    for (size_t i = 0; i < puts_count && error == AIR_OK; i++) {
        error = carry_out(fresh, old->version, &puts[i]);
    }
    if (error != AIR_OK) {
        air_snapshot_records_reject(old, fresh);
    }
    return error;
}

void air_snapshot_records_accept(
    struct air_snapshot_records *old, const struct air_snapshot_records *fresh) {
    for (size_t i = 0; i < old->count; i++) {
        if (old->items[i]->is_dropped) {
            record_free(old->items[i]);
        }
    }
    items_free(old);
    *old = *fresh;
}

void air_snapshot_records_reject(
    struct air_snapshot_records *old, struct air_snapshot_records *fresh) {
    for (size_t i = 0; i < fresh->count; i++) {
        if (fresh->items[i]->version > old->version) {
            record_free(fresh->items[i]);
        }
    }
    items_free(fresh);
    for (size_t i = 0; i < old->count; i++) {
        old->items[i]->is_dropped = false;
    }
}

air_span air_snapshot_records_segment(
    const struct air_snapshot_records *records, air_span folder, air_span after) {
    air_span next = {0};
    for (size_t i = 0; i < records->count; i++) {
        air_span path = air_snapshot_record_path(records->items[i]);
        if (!is_below(path, folder)) {
            continue;
        }
        air_span rest = air_span_skip(path, folder.size == 0 ? 0 : folder.size + 1);
        air_span segment = air_span_take(rest, air_span_find(rest, '/'));
        if (air_span_compare(segment, after) > 0 &&
            (next.size == 0 || air_span_compare(segment, next) < 0)) {
            next = segment;
        }
    }
    return next;
}

/* The index of the first record that is not before this path. */
static size_t lower_bound(const struct air_snapshot_records *records, air_span path) {
    size_t low = 0;
    size_t high = records->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (air_span_compare(air_snapshot_record_path(records->items[middle]), path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct air_snapshot_records *records, size_t index, air_span path) {
    return index < records->count &&
           air_span_equal(air_snapshot_record_path(records->items[index]), path);
}

/* Whether the path is a folder, or leads through a record. */
static bool is_folder_clash(const struct air_snapshot_records *records, air_span path) {
    uint8_t folder[AIR_STORAGE_PATH_SIZE_MAX + 1];
    memcpy(folder, path.data, path.size);
    folder[path.size] = '/';
    size_t index = lower_bound(records, air_span_of(folder, path.size + 1));
    if (index < records->count && is_below(air_snapshot_record_path(records->items[index]), path)) {
        return true;
    }
    for (size_t i = 0; i < path.size; i++) {
        air_span above = air_span_take(path, i);
        if (path.data[i] == '/' && is_at(records, lower_bound(records, above), above)) {
            return true;
        }
    }
    return false;
}

static bool is_below(air_span path, air_span folder) {
    return folder.size == 0 || (path.size > folder.size && path.data[folder.size] == '/' &&
                                   air_span_equal(air_span_take(path, folder.size), folder));
}

static struct air_snapshot_record *record_new(uint64_t version, air_span path, air_span value) {
    struct air_snapshot_record *record = air_memory_new(sizeof(*record) + path.size + value.size);
    if (record == NULL) {
        return NULL;
    }
    record->version = version;
    record->path_size = path.size;
    record->value_size = value.size;
    memcpy(record->bytes, path.data, path.size);
    if (value.size > 0) {
        memcpy(record->bytes + path.size, value.data, value.size);
    }
    return record;
}

static void record_free(struct air_snapshot_record *record) {
    air_memory_free(record, sizeof(*record) + record->path_size + record->value_size);
}

static enum air_error carry_out(
    struct air_snapshot_records *fresh, uint64_t old_version, const struct air_put *put) {
    size_t index = lower_bound(fresh, put->path);
    bool is_there = is_at(fresh, index, put->path);
    size_t left_count = fresh->count - index - (is_there ? 1 : 0);
    struct air_snapshot_record **place = fresh->items + index;
    if (put->is_delete) {
        if (is_there) {
            release(place[0], old_version);
            memmove(place, place + 1, left_count * sizeof(*place));
            fresh->count--;
        }
        return AIR_OK;
    }
    if (is_folder_clash(fresh, put->path)) {
        return AIR_ERR_EXISTS;
    }
    struct air_snapshot_record *record = record_new(fresh->version + 1, put->path, put->value);
    if (record == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    fresh->version++;
    if (is_there) {
        release(place[0], old_version);
    } else {
        memmove(place + 1, place, left_count * sizeof(*place));
        fresh->count++;
    }
    place[0] = record;
    return AIR_OK;
}

/* The fresh list has it no longer. */
static void release(struct air_snapshot_record *record, uint64_t old_version) {
    if (record->version > old_version) {
        record_free(record);
    } else {
        record->is_dropped = true;
    }
}

static void items_free(struct air_snapshot_records *records) {
    air_memory_free(records->items, records->capacity * sizeof(*records->items));
    *records = (struct air_snapshot_records){0};
}
