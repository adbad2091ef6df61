/* SPDX-License-Identifier: MIT */
/*
 * The storage port in memory: a list of records and a list of locks behind one mutex. It is made
 * for hundreds of records, not for hundreds of thousands: every look goes through the list.
 *
 * Invariant: the list holds no path twice, and no path that is a record and a folder; a write is
 * carried out while nobody else looks.
 */

#include "thinair/memory_storage.h"

#include <pthread.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

struct record {
    struct record *next;
    uint64_t version;
    size_t path_size;
    size_t value_size;
    uint8_t bytes[]; /* path, then value */
};

struct held {
    struct held *next;
    size_t path_size;
    uint8_t path[];
};

struct memory {
    struct air_storage port;
    pthread_mutex_t mutex;
    uint64_t version; /* the last one given */
    uint64_t fence;
    struct record *records;
    struct held *locks;
};

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);
static enum air_error storage_lock(void *self, air_span path, uint64_t *fence);
static enum air_error storage_unlock(void *self, air_span path);
static air_span path_of(const struct record *record);
static struct record **find(struct memory *memory, air_span path);
static struct held **find_lock(struct memory *memory, air_span path);
static bool is_below(air_span path, air_span folder);
static air_span next_segment(const struct memory *memory, air_span prefix, air_span after);
static enum air_error check(
    struct memory *memory, const struct air_guard *guard, const struct air_put *puts, size_t count);
static enum air_error carry_out(struct memory *memory, const struct air_put *put);
static bool is_folder_clash(struct memory *memory, air_span path);
static void drop(struct record **place);

enum air_error air_storage_memory_new(struct air_storage **out) {
    struct memory *memory = air_memory_new(sizeof(*memory));
    if (memory == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    (void)pthread_mutex_init(&memory->mutex, NULL);
    memory->port = (struct air_storage){
        .size = sizeof(memory->port),
        .self = memory,
        .read = storage_read,
        .write = storage_write,
        .list = storage_list,
        .lock = storage_lock,
        .unlock = storage_unlock,
    };
    *out = &memory->port;
    return AIR_OK;
}

void air_storage_memory_free(struct air_storage *storage) {
    if (storage == NULL) {
        return;
    }
    struct memory *memory = storage->self;
    while (memory->records != NULL) {
        drop(&memory->records);
    }
    while (memory->locks != NULL) {
        struct held *held = memory->locks;
        memory->locks = held->next;
        air_memory_free(held, sizeof(*held) + held->path_size);
    }
    (void)pthread_mutex_destroy(&memory->mutex);
    air_memory_free(memory, sizeof(*memory));
}

void air_storage_memory_forget(struct air_storage *storage, air_span folder) {
    struct memory *memory = storage->self;
    (void)pthread_mutex_lock(&memory->mutex);
    for (struct record **place = &memory->records; *place != NULL;) {
        if (is_below(path_of(*place), folder)) {
            drop(place);
        } else {
            place = &(*place)->next;
        }
    }
    (void)pthread_mutex_unlock(&memory->mutex);
}

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct memory *memory = self;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->mutex);
    enum air_error error = AIR_ERR_NOT_FOUND;
    const struct record *record = *find(memory, path);
    if (record != NULL) {
        error = air_buffer_append(out, record->bytes + record->path_size, record->value_size);
        *version = error == AIR_OK ? record->version : *version;
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return error;
}

static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct memory *memory = self;
    (void)pthread_mutex_lock(&memory->mutex);
    enum air_error error = check(memory, guard, puts, puts_count);
    for (size_t i = 0; i < puts_count && error == AIR_OK; i++) {
        error = carry_out(memory, &puts[i]);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return error;
}

static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct memory *memory = self;
    if (prefix.size > 0 && !air_path_is_valid(prefix)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->mutex);
    air_span segment = next_segment(memory, prefix, after);
    while (segment.size > 0 && visit(context, segment)) {
        segment = next_segment(memory, prefix, segment);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return AIR_OK;
}

static enum air_error storage_lock(void *self, air_span path, uint64_t *fence) {
    struct memory *memory = self;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    struct held *held = air_memory_new(sizeof(*held) + path.size);
    if (held == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    held->path_size = path.size;
    memcpy(held->path, path.data, path.size);
    (void)pthread_mutex_lock(&memory->mutex);
    struct held **place = find_lock(memory, path);
    bool is_free = *place == NULL;
    if (is_free) {
        *place = held;
        *fence = ++memory->fence;
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    if (!is_free) {
        air_memory_free(held, sizeof(*held) + path.size);
    }
    return is_free ? AIR_OK : AIR_ERR_BUSY;
}

static enum air_error storage_unlock(void *self, air_span path) {
    struct memory *memory = self;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->mutex);
    struct held **place = find_lock(memory, path);
    struct held *held = *place;
    if (held != NULL) {
        *place = held->next;
        air_memory_free(held, sizeof(*held) + held->path_size);
    }
    (void)pthread_mutex_unlock(&memory->mutex);
    return held != NULL ? AIR_OK : AIR_ERR_STATE;
}

static air_span path_of(const struct record *record) {
    return air_span_of(record->bytes, record->path_size);
}

/* Where the record hangs, or the end of the list. */
static struct record **find(struct memory *memory, air_span path) {
    struct record **place = &memory->records;
    while (*place != NULL && !air_span_equal(path_of(*place), path)) {
        place = &(*place)->next;
    }
    return place;
}

static struct held **find_lock(struct memory *memory, air_span path) {
    struct held **place = &memory->locks;
    while (
        *place != NULL && !air_span_equal(air_span_of((*place)->path, (*place)->path_size), path)) {
        place = &(*place)->next;
    }
    return place;
}

static bool is_below(air_span path, air_span folder) {
    return folder.size == 0 || (path.size > folder.size && path.data[folder.size] == '/' &&
                                   air_span_equal(air_span_take(path, folder.size), folder));
}

/* The least segment below prefix that is greater than after; empty: none. */
static air_span next_segment(const struct memory *memory, air_span prefix, air_span after) {
    air_span next = {0};
    for (const struct record *at = memory->records; at != NULL; at = at->next) {
        if (!is_below(path_of(at), prefix)) {
            continue;
        }
        air_span rest = air_span_skip(path_of(at), prefix.size == 0 ? 0 : prefix.size + 1);
        air_span segment = air_span_take(rest, air_span_find(rest, '/'));
        if (air_span_compare(segment, after) > 0 &&
            (next.size == 0 || air_span_compare(segment, next) < 0)) {
            next = segment;
        }
    }
    return next;
}

static enum air_error check(struct memory *memory, const struct air_guard *guard,
    const struct air_put *puts, size_t count) {
    if (count > AIR_STORAGE_PUTS_MAX) {
        return AIR_ERR_LIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        if (!air_path_is_valid(puts[i].path)) {
            return AIR_ERR_ARGUMENT;
        }
        if (!puts[i].is_delete && puts[i].value.size > AIR_STORAGE_VALUE_SIZE_MAX) {
            return AIR_ERR_LIMIT;
        }
    }
    if (guard == NULL || guard->path.size == 0) {
        return AIR_OK;
    }
    if (!air_path_is_valid(guard->path)) {
        return AIR_ERR_ARGUMENT;
    }
    const struct record *record = *find(memory, guard->path);
    return guard->version == (record == NULL ? 0 : record->version) ? AIR_OK : AIR_ERR_CONFLICT;
}

static enum air_error carry_out(struct memory *memory, const struct air_put *put) {
    if (put->is_delete) {
        struct record **place = find(memory, put->path);
        if (*place != NULL) {
            drop(place);
        }
        return AIR_OK;
    }
    if (is_folder_clash(memory, put->path)) {
        return AIR_ERR_EXISTS;
    }
    struct record *record = air_memory_new(sizeof(*record) + put->path.size + put->value.size);
    if (record == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    record->version = ++memory->version;
    record->path_size = put->path.size;
    record->value_size = put->value.size;
    memcpy(record->bytes, put->path.data, put->path.size);
    if (put->value.size > 0) {
        memcpy(record->bytes + put->path.size, put->value.data, put->value.size);
    }
    struct record **place = find(memory, put->path);
    if (*place != NULL) {
        drop(place);
    }
    record->next = memory->records;
    memory->records = record;
    return AIR_OK;
}

/* Whether the path is a folder, or leads through a record. */
static bool is_folder_clash(struct memory *memory, air_span path) {
    for (const struct record *at = memory->records; at != NULL; at = at->next) {
        if (is_below(path_of(at), path) || is_below(path, path_of(at))) {
            return true;
        }
    }
    return false;
}

static void drop(struct record **place) {
    struct record *record = *place;
    *place = record->next;
    air_memory_free(record, sizeof(*record) + record->path_size + record->value_size);
}
