/* SPDX-License-Identifier: MIT */
/*
 * The storage port on two snapshots: the methods, which check what the caller gave. Reads and
 * listings see the records before a write or after it; they do not wait for the disk.
 *
 * Invariant: the records in memory are those of the current file's image.
 */

#include "thinair/snapshot_storage.h"

#include <string.h>
#include <unistd.h>

#include "backends/storage_snapshot/image.h"
#include "backends/storage_snapshot/snapshot.h"
#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);
static enum air_error storage_lock(void *self, air_span path, uint64_t *fence);
static enum air_error storage_unlock(void *self, air_span path);
static void storage_explain(void *self, char *out, size_t size);
static size_t trimmed_size(const char *path);
static struct air_snapshot *snapshot_alloc(const char *path, size_t path_size);
static void tell_damage(const struct air_snapshot *snapshot, struct air_buffer *reason);
static enum air_error check_path(struct air_snapshot *snapshot, air_span path);
static enum air_error check_puts(
    struct air_snapshot *snapshot, const struct air_put *puts, size_t puts_count);
static enum air_error check_guard(struct air_snapshot *snapshot, const struct air_guard *guard);
static enum air_error carry_out(
    struct air_snapshot *snapshot, const struct air_put *puts, size_t puts_count);
static enum air_error keep(
    struct air_snapshot *snapshot, const struct air_snapshot_records *records);
static struct air_snapshot_held **find_lock(struct air_snapshot *snapshot, air_span path);
static void held_free(struct air_snapshot_held *held);

enum air_error air_storage_snapshot_new(
    const char *path, struct air_storage **out, struct air_buffer *reason) {
    size_t path_size = trimmed_size(path);
    *out = NULL;
    if (path_size == 0) {
        return AIR_ERR_ARGUMENT;
    }
    if (path_size > AIR_SNAPSHOT_PATH_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    struct air_snapshot *snapshot = snapshot_alloc(path, path_size);
    if (snapshot == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = air_snapshot_folder_open(snapshot);
    if (error == AIR_OK) {
        error = air_snapshot_files_open(snapshot);
    }
    if (snapshot->folder >= 0) {
        (void)close(snapshot->folder);
        snapshot->folder = -1;
    }
    if (error == AIR_OK) {
        tell_damage(snapshot, reason);
        *out = &snapshot->port;
        return AIR_OK;
    }
    char sentence[AIR_SNAPSHOT_SENTENCE_SIZE];
    air_snapshot_explain(snapshot, sentence, sizeof(sentence));
    if (reason != NULL) {
        (void)air_buffer_append_text(reason, sentence);
    }
    air_storage_snapshot_free(&snapshot->port);
    return error;
}

void air_storage_snapshot_free(struct air_storage *storage) {
    if (storage == NULL) {
        return;
    }
    struct air_snapshot *snapshot = storage->self;
    air_snapshot_records_deinit(&snapshot->records);
    while (snapshot->locks != NULL) {
        struct air_snapshot_held *held = snapshot->locks;
        snapshot->locks = held->next;
        held_free(held);
    }
    air_snapshot_files_close(snapshot);
    (void)pthread_mutex_destroy(&snapshot->view);
    (void)pthread_mutex_destroy(&snapshot->change);
    air_memory_free(snapshot, sizeof(*snapshot) + snapshot->path_size + 1);
}

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct air_snapshot *snapshot = self;
    enum air_error error = check_path(snapshot, path);
    if (error != AIR_OK) {
        return error;
    }
    (void)pthread_mutex_lock(&snapshot->view);
    const struct air_snapshot_record *record = air_snapshot_records_find(&snapshot->records, path);
    error = AIR_ERR_NOT_FOUND;
    if (record != NULL) {
        error = air_buffer_append_span(out, air_snapshot_record_value(record));
        *version = error == AIR_OK ? record->version : *version;
    }
    (void)pthread_mutex_unlock(&snapshot->view);
    return error;
}

static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct air_snapshot *snapshot = self;
    enum air_error error = check_puts(snapshot, puts, puts_count);
    if (error != AIR_OK) {
        return error;
    }
    (void)pthread_mutex_lock(&snapshot->change);
    error = check_guard(snapshot, guard);
    if (error == AIR_OK && puts_count > 0) {
        error = carry_out(snapshot, puts, puts_count);
    }
    (void)pthread_mutex_unlock(&snapshot->change);
    return error;
}

static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct air_snapshot *snapshot = self;
    enum air_error error = prefix.size > 0 ? check_path(snapshot, prefix) : AIR_OK;
    if (error != AIR_OK) {
        return error;
    }
    (void)pthread_mutex_lock(&snapshot->view);
    air_span segment = air_snapshot_records_segment(&snapshot->records, prefix, after);
    while (segment.size > 0 && visit(context, segment)) {
        segment = air_snapshot_records_segment(&snapshot->records, prefix, segment);
    }
    (void)pthread_mutex_unlock(&snapshot->view);
    return AIR_OK;
}

/* No other process has this storage, so holders are told apart by nobody. */
static enum air_error storage_lock(void *self, air_span path, uint64_t *fence) {
    struct air_snapshot *snapshot = self;
    enum air_error error = check_path(snapshot, path);
    if (error != AIR_OK) {
        return error;
    }
    struct air_snapshot_held *held = air_memory_new(sizeof(*held) + path.size);
    if (held == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    held->path_size = path.size;
    memcpy(held->path, path.data, path.size);
    (void)pthread_mutex_lock(&snapshot->view);
    struct air_snapshot_held **place = find_lock(snapshot, path);
    bool is_free = *place == NULL;
    if (is_free) {
        *place = held;
    }
    (void)pthread_mutex_unlock(&snapshot->view);
    if (!is_free) {
        held_free(held);
        return air_snapshot_refuse(snapshot, "", "the lock is held", AIR_ERR_BUSY);
    }
    *fence = 1;
    return AIR_OK;
}

static enum air_error storage_unlock(void *self, air_span path) {
    struct air_snapshot *snapshot = self;
    enum air_error error = check_path(snapshot, path);
    if (error != AIR_OK) {
        return error;
    }
    (void)pthread_mutex_lock(&snapshot->view);
    struct air_snapshot_held **place = find_lock(snapshot, path);
    struct air_snapshot_held *held = *place;
    if (held != NULL) {
        *place = held->next;
        held_free(held);
    }
    (void)pthread_mutex_unlock(&snapshot->view);
    return held != NULL ? AIR_OK
                        : air_snapshot_refuse(snapshot, "", "the lock is not held", AIR_ERR_STATE);
}

static void storage_explain(void *self, char *out, size_t size) {
    air_snapshot_explain(self, out, size);
}

/* Without the slashes at its end, except in "/". */
static size_t trimmed_size(const char *path) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    return size;
}

static struct air_snapshot *snapshot_alloc(const char *path, size_t path_size) {
    struct air_snapshot *snapshot = air_memory_new(sizeof(*snapshot) + path_size + 1);
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->port = (struct air_storage){
        .size = sizeof(snapshot->port),
        .self = snapshot,
        .read = storage_read,
        .write = storage_write,
        .list = storage_list,
        .lock = storage_lock,
        .unlock = storage_unlock,
        .explain = storage_explain,
    };
    snapshot->folder = -1;
    snapshot->lock = -1;
    for (size_t i = 0; i < AIR_SNAPSHOT_FILES_COUNT; i++) {
        snapshot->files[i] = -1;
    }
    snapshot->path_size = path_size;
    memcpy(snapshot->path, path, path_size);
    (void)pthread_mutex_init(&snapshot->change, NULL);
    (void)pthread_mutex_init(&snapshot->view, NULL);
    return snapshot;
}

static void tell_damage(const struct air_snapshot *snapshot, struct air_buffer *reason) {
    if (reason == NULL || snapshot->damaged == 0) {
        return;
    }
    air_buffer_append_text(reason, snapshot->path);
    air_buffer_append_text(reason, ": ");
    air_buffer_append_text(reason, snapshot->damaged == 3
                                       ? "both snapshots were damaged and are kept beside as .bad"
                                       : "a snapshot was damaged and is kept beside as .bad");
    air_buffer_append_text(reason,
        snapshot->number > 0 ? "; the one before it is used" : "; the storage starts empty");
}

static enum air_error check_path(struct air_snapshot *snapshot, air_span path) {
    if (!air_path_is_valid(path)) {
        return air_snapshot_refuse(snapshot, "", "was asked for what is no path", AIR_ERR_ARGUMENT);
    }
    return AIR_OK;
}

static enum air_error check_puts(
    struct air_snapshot *snapshot, const struct air_put *puts, size_t puts_count) {
    if (puts_count > AIR_STORAGE_PUTS_MAX) {
        return air_snapshot_refuse(snapshot, "", "was given too many puts at once", AIR_ERR_LIMIT);
    }
    for (size_t i = 0; i < puts_count; i++) {
        enum air_error error = check_path(snapshot, puts[i].path);
        if (error != AIR_OK) {
            return error;
        }
        if (!puts[i].is_delete && puts[i].value.size > AIR_STORAGE_VALUE_SIZE_MAX) {
            return air_snapshot_refuse(
                snapshot, "", "was given a value larger than any record", AIR_ERR_LIMIT);
        }
    }
    return AIR_OK;
}

static enum air_error check_guard(struct air_snapshot *snapshot, const struct air_guard *guard) {
    if (guard == NULL || guard->path.size == 0) {
        return AIR_OK;
    }
    enum air_error error = check_path(snapshot, guard->path);
    if (error != AIR_OK) {
        return error;
    }
    const struct air_snapshot_record *record =
        air_snapshot_records_find(&snapshot->records, guard->path);
    if (guard->version != (record == NULL ? 0 : record->version)) {
        return air_snapshot_refuse(
            snapshot, "", "a record changed since it was read", AIR_ERR_CONFLICT);
    }
    return AIR_OK;
}

/* The caller holds change, so only it changes the records; view is for the moment they go over. */
static enum air_error carry_out(
    struct air_snapshot *snapshot, const struct air_put *puts, size_t puts_count) {
    struct air_snapshot_records fresh;
    enum air_error error =
        air_snapshot_records_change(&snapshot->records, puts, puts_count, &fresh);
    if (error == AIR_ERR_EXISTS) {
        return air_snapshot_refuse(
            snapshot, "", "a record is in the place of a folder, or the other way round", error);
    }
    if (error != AIR_OK) {
        return error;
    }
    error = keep(snapshot, &fresh);
    if (error != AIR_OK) {
        air_snapshot_records_reject(&snapshot->records, &fresh);
        return error;
    }
    (void)pthread_mutex_lock(&snapshot->view);
    air_snapshot_records_accept(&snapshot->records, &fresh);
    (void)pthread_mutex_unlock(&snapshot->view);
    return AIR_OK;
}

static enum air_error keep(
    struct air_snapshot *snapshot, const struct air_snapshot_records *records) {
    struct air_buffer image;
    air_buffer_init(&image, AIR_SNAPSHOT_SIZE_MAX);
    enum air_error error = air_snapshot_image_write(records, snapshot->number + 1, &image);
    if (error == AIR_ERR_LIMIT) {
        error = air_snapshot_refuse(
            snapshot, "", "holds as much as a snapshot may", AIR_ERR_STORAGE_FULL);
    }
    if (error == AIR_OK) {
        error = air_snapshot_files_write(snapshot, air_buffer_span(&image));
    }
    if (error == AIR_OK) {
        snapshot->number++;
    }
    air_buffer_deinit(&image);
    return error;
}

/* Where the lock hangs, or the end of the list. The caller holds view. */
static struct air_snapshot_held **find_lock(struct air_snapshot *snapshot, air_span path) {
    struct air_snapshot_held **place = &snapshot->locks;
    while (
        *place != NULL && !air_span_equal(air_span_of((*place)->path, (*place)->path_size), path)) {
        place = &(*place)->next;
    }
    return place;
}

static void held_free(struct air_snapshot_held *held) {
    air_memory_free(held, sizeof(*held) + held->path_size);
}
