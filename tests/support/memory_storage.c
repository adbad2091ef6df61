/* SPDX-License-Identifier: MIT */
/*
 * Storage in memory: one sorted table of records per world, and any number of storages that look at
 * it. A write is carried out put by put under the world's mutex, and may be stopped at any of them.
 *
 * Records are ordered as if '/' were the smallest byte, so that what lies below one folder stands
 * together and its segments come in byte order.
 *
 * Invariant: the table holds no path twice, and no path that is a record and a folder.
 */

#include "tests/support/memory_storage.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/path.h"
#include "src/base/span.h"

struct record {
    uint8_t *path;
    size_t path_size;
    uint8_t *value;
    size_t value_size;
    uint64_t version;
};

struct held {
    const void *owner;
    struct held *next;
    size_t path_size;
    uint8_t path[AIR_STORAGE_PATH_SIZE_MAX];
};

/* The records, shared by the storages that look at them. */
struct world {
    pthread_mutex_t mutex;
    size_t storages_count;
    struct record *records;
    size_t records_count;
    size_t records_capacity;
    uint64_t version; /* the last one given */
    uint64_t fence;
    struct held *locks;
};

struct memory_storage {
    struct air_storage port;
    struct world *world;
    uint64_t put_count;
    uint64_t fail_write_in; /* writes; 0: never */
    enum air_error write_error;
    uint64_t stop_in; /* puts; 0: never */
    enum air_error stop_error;
};

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);
static enum air_error storage_lock(void *self, air_span path, uint64_t *fence);
static enum air_error storage_unlock(void *self, air_span path);

static struct world *world_new(void);
static void world_free(struct world *world);
static bool world_copy(struct world *to, const struct world *from);
static struct air_storage *look_at(struct world *world);
static size_t find(const struct world *world, air_span path);
static const struct record *exact(const struct world *world, air_span path);
static int compare_paths(air_span a, air_span b);
static air_span path_of(const struct record *record);
static bool is_below(air_span path, air_span folder);
static enum air_error check_write(
    struct memory_storage *storage, const struct air_put *puts, size_t puts_count);
static enum air_error check_guard(const struct world *world, const struct air_guard *guard);
static enum air_error carry_out(struct world *world, const struct air_put *put);
static bool is_folder_clash(const struct world *world, air_span path);
static enum air_error insert(struct world *world, const struct air_put *put);
static bool make_room(struct world *world);
static void erase(struct world *world, size_t index);
static void record_free(struct record *record);
static uint8_t *duplicate(const void *data, size_t size);
static struct held **find_lock(struct world *world, air_span path);
static void append_value(struct air_buffer *out, air_span value);

struct air_storage *air_memory_storage_new(void) {
    struct world *world = world_new();
    if (world == NULL) {
        return NULL;
    }
    struct air_storage *storage = look_at(world);
    if (storage == NULL) {
        world_free(world);
    }
    return storage;
}

struct air_storage *air_memory_storage_share(struct air_storage *storage) {
    const struct memory_storage *old = storage->self;
    return look_at(old->world);
}

struct air_storage *air_memory_storage_copy(struct air_storage *storage) {
    const struct memory_storage *old = storage->self;
    struct air_storage *copy = air_memory_storage_new();
    if (copy == NULL) {
        return NULL;
    }
    struct memory_storage *fresh = copy->self;
    (void)pthread_mutex_lock(&old->world->mutex);
    bool is_copied = world_copy(fresh->world, old->world);
    (void)pthread_mutex_unlock(&old->world->mutex);
    if (!is_copied) {
        air_memory_storage_free(copy);
        return NULL;
    }
    return copy;
}

void air_memory_storage_free(struct air_storage *storage) {
    if (storage == NULL) {
        return;
    }
    struct memory_storage *memory = storage->self;
    struct world *world = memory->world;
    (void)pthread_mutex_lock(&world->mutex);
    for (struct held **place = &world->locks; *place != NULL;) {
        struct held *held = *place;
        if (held->owner == memory) {
            *place = held->next;
            free(held);
        } else {
            place = &held->next;
        }
    }
    bool is_last = --world->storages_count == 0;
    (void)pthread_mutex_unlock(&world->mutex);
    free(memory);
    if (is_last) {
        world_free(world);
    }
}

void air_memory_storage_fail_write(struct air_storage *storage, uint64_t n, enum air_error error) {
    struct memory_storage *memory = storage->self;
    (void)pthread_mutex_lock(&memory->world->mutex);
    memory->fail_write_in = n;
    memory->write_error = error;
    (void)pthread_mutex_unlock(&memory->world->mutex);
}

void air_memory_storage_stop_at_put(struct air_storage *storage, uint64_t n, enum air_error error) {
    struct memory_storage *memory = storage->self;
    (void)pthread_mutex_lock(&memory->world->mutex);
    memory->stop_in = n;
    memory->stop_error = error;
    (void)pthread_mutex_unlock(&memory->world->mutex);
}

uint64_t air_memory_storage_put_count(struct air_storage *storage) {
    struct memory_storage *memory = storage->self;
    (void)pthread_mutex_lock(&memory->world->mutex);
    uint64_t count = memory->put_count;
    (void)pthread_mutex_unlock(&memory->world->mutex);
    return count;
}

enum air_error air_memory_storage_dump(struct air_storage *storage, struct air_buffer *out) {
    struct memory_storage *memory = storage->self;
    struct world *world = memory->world;
    (void)pthread_mutex_lock(&world->mutex);
    for (size_t i = 0; i < world->records_count; i++) {
        const struct record *record = &world->records[i];
        (void)air_buffer_append_span(out, path_of(record));
        (void)air_buffer_append_text(out, " ");
        (void)air_buffer_append_number(out, (int64_t)record->value_size);
        (void)air_buffer_append_text(out, " #");
        (void)air_buffer_append_number(out, (int64_t)record->version);
        (void)air_buffer_append_text(out, " ");
        append_value(out, air_span_of(record->value, record->value_size));
        (void)air_buffer_append_text(out, "\n");
    }
    (void)pthread_mutex_unlock(&world->mutex);
    return out->error;
}

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct memory_storage *memory = self;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->world->mutex);
    enum air_error error = AIR_ERR_NOT_FOUND;
    const struct record *record = exact(memory->world, path);
    if (record != NULL) {
        error = air_buffer_append(out, record->value, record->value_size);
        *version = error == AIR_OK ? record->version : *version;
    }
    (void)pthread_mutex_unlock(&memory->world->mutex);
    return error;
}

static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct memory_storage *memory = self;
    (void)pthread_mutex_lock(&memory->world->mutex);
    enum air_error error = check_write(memory, puts, puts_count);
    if (error == AIR_OK) {
        error = check_guard(memory->world, guard);
    }
    for (size_t i = 0; i < puts_count && error == AIR_OK; i++) {
        if (memory->stop_in == 1) {
            error = memory->stop_error;
            break;
        }
        memory->stop_in -= memory->stop_in > 1 ? 1 : 0;
        error = carry_out(memory->world, &puts[i]);
        memory->put_count += error == AIR_OK ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&memory->world->mutex);
    return error;
}

static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct memory_storage *memory = self;
    const struct world *world = memory->world;
    if (prefix.size > 0 && !air_path_is_valid(prefix)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->world->mutex);
    air_span last = after;
    bool is_wanted = true;
    size_t start = prefix.size == 0 ? 0 : find(world, prefix);
    for (size_t i = start; i < world->records_count && is_wanted; i++) {
        air_span path = path_of(&world->records[i]);
        if (prefix.size > 0 && air_span_equal(path, prefix)) {
            continue;
        }
        if (!is_below(path, prefix)) {
            break;
        }
        air_span rest = air_span_skip(path, prefix.size == 0 ? 0 : prefix.size + 1);
        air_span segment = air_span_take(rest, air_span_find(rest, '/'));
        if (air_span_compare(segment, last) > 0) {
            last = segment;
            is_wanted = visit(context, segment);
        }
    }
    (void)pthread_mutex_unlock(&memory->world->mutex);
    return AIR_OK;
}

static enum air_error storage_lock(void *self, air_span path, uint64_t *fence) {
    struct memory_storage *memory = self;
    struct world *world = memory->world;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    struct held *held = calloc(1, sizeof(*held));
    if (held == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    (void)pthread_mutex_lock(&world->mutex);
    bool is_held = *find_lock(world, path) != NULL;
    if (!is_held) {
        held->owner = memory;
        held->path_size = path.size;
        memcpy(held->path, path.data, path.size);
        held->next = world->locks;
        world->locks = held;
        *fence = ++world->fence;
    }
    (void)pthread_mutex_unlock(&world->mutex);
    if (is_held) {
        free(held);
        return AIR_ERR_BUSY;
    }
    return AIR_OK;
}

static enum air_error storage_unlock(void *self, air_span path) {
    struct memory_storage *memory = self;
    if (!air_path_is_valid(path)) {
        return AIR_ERR_ARGUMENT;
    }
    (void)pthread_mutex_lock(&memory->world->mutex);
    enum air_error error = AIR_ERR_STATE;
    struct held **place = find_lock(memory->world, path);
    struct held *held = *place;
    if (held != NULL && held->owner == memory) {
        *place = held->next;
        free(held);
        error = AIR_OK;
    }
    (void)pthread_mutex_unlock(&memory->world->mutex);
    return error;
}

static struct world *world_new(void) {
    struct world *world = calloc(1, sizeof(*world));
    if (world != NULL) {
        (void)pthread_mutex_init(&world->mutex, NULL);
    }
    return world;
}

static void world_free(struct world *world) {
    for (size_t i = 0; i < world->records_count; i++) {
        record_free(&world->records[i]);
    }
    free(world->records);
    (void)pthread_mutex_destroy(&world->mutex);
    free(world);
}

static bool world_copy(struct world *to, const struct world *from) {
    for (size_t i = 0; i < from->records_count; i++) {
        const struct record *record = &from->records[i];
        struct air_put put = {
            .path = path_of(record), .value = air_span_of(record->value, record->value_size)};
        if (insert(to, &put) != AIR_OK) {
            return false;
        }
        to->records[i].version = record->version;
    }
    to->version = from->version;
    to->fence = from->fence;
    return true;
}

static struct air_storage *look_at(struct world *world) {
    struct memory_storage *memory = calloc(1, sizeof(*memory));
    if (memory == NULL) {
        return NULL;
    }
    memory->world = world;
    memory->port = (struct air_storage){
        .size = sizeof(memory->port),
        .self = memory,
        .read = storage_read,
        .write = storage_write,
        .list = storage_list,
        .lock = storage_lock,
        .unlock = storage_unlock,
    };
    (void)pthread_mutex_lock(&world->mutex);
    world->storages_count++;
    (void)pthread_mutex_unlock(&world->mutex);
    return &memory->port;
}

/* The index of the first record that is not before path. */
static size_t find(const struct world *world, air_span path) {
    size_t low = 0;
    size_t high = world->records_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_paths(path_of(&world->records[middle]), path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct record *exact(const struct world *world, air_span path) {
    size_t index = find(world, path);
    bool is_there =
        index < world->records_count && air_span_equal(path_of(&world->records[index]), path);
    return is_there ? &world->records[index] : NULL;
}

/* Byte order, with '/' before every other byte. */
static int compare_paths(air_span a, air_span b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    for (size_t i = 0; i < shared; i++) {
        int left = a.data[i] == '/' ? 0 : a.data[i];
        int right = b.data[i] == '/' ? 0 : b.data[i];
        if (left != right) {
            return left - right;
        }
    }
    return (a.size > b.size) - (a.size < b.size);
}

static air_span path_of(const struct record *record) {
    return air_span_of(record->path, record->path_size);
}

static bool is_below(air_span path, air_span folder) {
    return folder.size == 0 || (path.size > folder.size && path.data[folder.size] == '/' &&
                                   air_span_equal(air_span_take(path, folder.size), folder));
}

static enum air_error check_write(
    struct memory_storage *memory, const struct air_put *puts, size_t puts_count) {
    if (puts_count > AIR_STORAGE_PUTS_MAX) {
        return AIR_ERR_LIMIT;
    }
    for (size_t i = 0; i < puts_count; i++) {
        if (!air_path_is_valid(puts[i].path)) {
            return AIR_ERR_ARGUMENT;
        }
        if (!puts[i].is_delete && puts[i].value.size > AIR_STORAGE_VALUE_SIZE_MAX) {
            return AIR_ERR_LIMIT;
        }
    }
    if (memory->fail_write_in > 0 && --memory->fail_write_in == 0) {
        return memory->write_error;
    }
    return AIR_OK;
}

static enum air_error check_guard(const struct world *world, const struct air_guard *guard) {
    if (guard == NULL || guard->path.size == 0) {
        return AIR_OK;
    }
    if (!air_path_is_valid(guard->path)) {
        return AIR_ERR_ARGUMENT;
    }
    const struct record *record = exact(world, guard->path);
    uint64_t version = record == NULL ? 0 : record->version;
    return version == guard->version ? AIR_OK : AIR_ERR_CONFLICT;
}

static enum air_error carry_out(struct world *world, const struct air_put *put) {
    size_t index = find(world, put->path);
    const struct record *old = exact(world, put->path);
    if (put->is_delete) {
        if (old != NULL) {
            erase(world, index);
        }
        return AIR_OK;
    }
    if (is_folder_clash(world, put->path)) {
        return AIR_ERR_EXISTS;
    }
    if (old != NULL) {
        erase(world, index);
    }
    return insert(world, put);
}

/* Whether the path is a folder, or leads through a record. */
static bool is_folder_clash(const struct world *world, air_span path) {
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] == '/' && exact(world, air_span_take(path, i)) != NULL) {
            return true;
        }
    }
    size_t next = find(world, path) + (exact(world, path) != NULL ? 1 : 0);
    return next < world->records_count && is_below(path_of(&world->records[next]), path);
}

static enum air_error insert(struct world *world, const struct air_put *put) {
    struct record record = {
        .path = duplicate(put->path.data, put->path.size),
        .path_size = put->path.size,
        .value = duplicate(put->value.data, put->value.size),
        .value_size = put->value.size,
        .version = ++world->version,
    };
    if (record.path == NULL || record.value == NULL || !make_room(world)) {
        record_free(&record);
        return AIR_ERR_NO_MEMORY;
    }
    size_t index = find(world, put->path);
    struct record *place = &world->records[index];
    memmove(place + 1, place, (world->records_count - index) * sizeof(*place));
    *place = record;
    world->records_count++;
    return AIR_OK;
}

static bool make_room(struct world *world) {
    if (world->records_count < world->records_capacity) {
        return true;
    }
    size_t capacity = world->records_capacity == 0 ? 16 : 2 * world->records_capacity;
    struct record *records = realloc(world->records, capacity * sizeof(*records));
    if (records == NULL) {
        return false;
    }
    world->records = records;
    world->records_capacity = capacity;
    return true;
}

static void erase(struct world *world, size_t index) {
    struct record *place = &world->records[index];
    record_free(place);
    world->records_count--;
    memmove(place, place + 1, (world->records_count - index) * sizeof(*place));
}

static void record_free(struct record *record) {
    free(record->path);
    free(record->value);
}

/* Never NULL for want of bytes. */
static uint8_t *duplicate(const void *data, size_t size) {
    uint8_t *copy = malloc(size + 1);
    if (copy != NULL && size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

/* Where the lock of that name hangs, or the end of the list. */
static struct held **find_lock(struct world *world, air_span path) {
    struct held **place = &world->locks;
    while (
        *place != NULL && !air_span_equal(air_span_of((*place)->path, (*place)->path_size), path)) {
        place = &(*place)->next;
    }
    return place;
}

static void append_value(struct air_buffer *out, air_span value) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte >= ' ' && byte < 0x7f && byte != '\\') {
            (void)air_buffer_append_byte(out, byte);
            continue;
        }
        char escape[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        (void)air_buffer_append(out, escape, sizeof(escape));
    }
}
