/* SPDX-License-Identifier: MIT */
/*
 * The storage port on files: the methods, which check what the caller gave and put the room's parts
 * together. Reads and listings take no lock: a record is replaced as a whole, so they see the old
 * or the new one.
 *
 * Invariant: a write has its scopes for itself, in this process and before others; its puts are
 * carried out strictly one after the other, each durable before the next begins.
 */

#include <string.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

/* How long a write waits for the write of another process. */
#define WRITE_PATIENCE_MS 10000

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
static struct air_files *files_alloc(
    const char *path, size_t path_size, const struct air_files_system *system);
static enum air_error check_path(
    struct air_files *files, air_span span, struct air_files_path *path);
static enum air_error check_writable(struct air_files *files);
static enum air_error check_puts(
    struct air_files *files, const struct air_put *puts, size_t puts_count);
static uint64_t scopes_of(
    const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error check_guard(struct air_files *files, const struct air_guard *guard);
static enum air_error carry_out(
    struct air_files *files, unsigned writer, const struct air_put *puts, size_t puts_count);

enum air_error air_storage_files_new(
    const char *path, unsigned flags, struct air_storage **out, struct air_buffer *reason) {
    return air_files_new(path, flags, air_files_system_real(), out, reason);
}

enum air_error air_files_new(const char *path, unsigned flags,
    const struct air_files_system *system, struct air_storage **out, struct air_buffer *reason) {
    bool is_read_only = (flags & AIR_FILES_READ_ONLY) != 0;
    size_t path_size = trimmed_size(path);
    *out = NULL;
    if (path_size == 0 || (flags & ~(unsigned)(AIR_FILES_CREATE | AIR_FILES_READ_ONLY)) != 0 ||
        (is_read_only && (flags & AIR_FILES_CREATE) != 0)) {
        return AIR_ERR_ARGUMENT;
    }
    if (path_size > AIR_FILES_ROOT_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    struct air_files *files = files_alloc(path, path_size, system);
    if (files == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    files->is_read_only = is_read_only;
    enum air_error error = air_files_state_open(files, flags);
    if (error != AIR_OK) {
        char sentence[AIR_FILES_SENTENCE_SIZE];
        air_files_explain(files, sentence, sizeof(sentence));
        if (reason != NULL) {
            (void)air_buffer_append_text(reason, sentence);
        }
        air_storage_files_free(&files->port);
        return error;
    }
    /* What was missing before it was made is no failure. */
    memset(files->failures.entries, 0, sizeof(files->failures.entries));
    *out = &files->port;
    return AIR_OK;
}

void air_storage_files_free(struct air_storage *storage) {
    if (storage == NULL) {
        return;
    }
    struct air_files *files = storage->self;
    air_files_locks_close(files);
    if (files->root >= 0) {
        (void)files->system->close(files->system->context, files->root);
    }
    air_files_writers_deinit(&files->writers);
    (void)pthread_mutex_destroy(&files->locks.mutex);
    (void)pthread_mutex_destroy(&files->failures.mutex);
    air_memory_free(files, sizeof(*files) + files->path_size + 1);
}

static enum air_error storage_read(
    void *self, air_span span, struct air_buffer *out, uint64_t *version) {
    struct air_files *files = self;
    struct air_files_path path;
    enum air_error error = check_path(files, span, &path);
    return error != AIR_OK ? error : air_files_record_read(files, &path, out, version);
}

static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct air_files *files = self;
    enum air_error error = check_writable(files);
    if (error == AIR_OK) {
        error = check_puts(files, puts, puts_count);
    }
    if (error != AIR_OK) {
        return error;
    }
    unsigned writer = 0;
    error = air_files_write_begin(
        files, scopes_of(guard, puts, puts_count), WRITE_PATIENCE_MS, &writer);
    if (error == AIR_OK) {
        bool is_settled = true;
        error = check_guard(files, guard);
        if (error == AIR_OK) {
            error = carry_out(files, writer, puts, puts_count);
            is_settled = error == AIR_OK;
        }
        air_files_write_end(files, writer, is_settled);
    }
    return error;
}

static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct air_files *files = self;
    struct air_files_path path = {.text = ""};
    if (prefix.size > 0) {
        enum air_error error = check_path(files, prefix, &path);
        if (error != AIR_OK) {
            return error;
        }
    }
    return air_files_names_list(files, path.text, after, visit, context);
}

static enum air_error storage_lock(void *self, air_span span, uint64_t *fence) {
    struct air_files *files = self;
    struct air_files_path path;
    enum air_error error = check_path(files, span, &path);
    if (error == AIR_OK) {
        error = check_writable(files);
    }
    if (error == AIR_OK) {
        error = air_files_lock_take(files, &path);
    }
    if (error == AIR_OK) {
        *fence = 1; /* the kernel counts no holders */
    }
    return error;
}

static enum air_error storage_unlock(void *self, air_span span) {
    struct air_files *files = self;
    struct air_files_path path;
    enum air_error error = check_path(files, span, &path);
    if (error == AIR_OK) {
        error = check_writable(files);
    }
    return error != AIR_OK ? error : air_files_lock_give(files, &path);
}

static void storage_explain(void *self, char *out, size_t size) {
    air_files_explain(self, out, size);
}

/* Without the slashes at its end, except in "/". */
static size_t trimmed_size(const char *path) {
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    return size;
}

static struct air_files *files_alloc(
    const char *path, size_t path_size, const struct air_files_system *system) {
    struct air_files *files = air_memory_new(sizeof(*files) + path_size + 1);
    if (files == NULL) {
        return NULL;
    }
    files->port = (struct air_storage){
        .size = sizeof(files->port),
        .self = files,
        .read = storage_read,
        .write = storage_write,
        .list = storage_list,
        .lock = storage_lock,
        .unlock = storage_unlock,
        .explain = storage_explain,
    };
    files->system = system;
    files->root = -1;
    files->locks.file = -1;
    files->path_size = path_size;
    memcpy(files->path, path, path_size);
    air_files_writers_init(&files->writers);
    atomic_init(&files->temporaries_count, 0);
    (void)pthread_mutex_init(&files->locks.mutex, NULL);
    (void)pthread_mutex_init(&files->failures.mutex, NULL);
    return files;
}

static enum air_error check_path(
    struct air_files *files, air_span span, struct air_files_path *path) {
    if (!air_files_path_init(path, span)) {
        return air_files_refuse(files, "", "was asked for what is no path", AIR_ERR_ARGUMENT);
    }
    return AIR_OK;
}

static enum air_error check_writable(struct air_files *files) {
    if (files->is_read_only) {
        return air_files_refuse(files, "", "was opened for reading only", AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

static enum air_error check_puts(
    struct air_files *files, const struct air_put *puts, size_t puts_count) {
    if (puts_count > AIR_STORAGE_PUTS_MAX) {
        return air_files_refuse(files, "", "was given too many puts at once", AIR_ERR_LIMIT);
    }
    for (size_t i = 0; i < puts_count; i++) {
        struct air_files_path path;
        enum air_error error = check_path(files, puts[i].path, &path);
        if (error != AIR_OK) {
            return error;
        }
        if (!puts[i].is_delete && puts[i].value.size > AIR_STORAGE_VALUE_SIZE_MAX) {
            return air_files_refuse(
                files, path.text, "would be larger than any record", AIR_ERR_LIMIT);
        }
    }
    return AIR_OK;
}

/* What the paths share with no other write; a path that is none is refused elsewhere. A write of
 * nothing, which only settles, has everything for itself. */
static uint64_t scopes_of(
    const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct air_files_path path;
    uint64_t scopes = 0;
    for (size_t i = 0; i < puts_count; i++) {
        scopes |= air_files_path_init(&path, puts[i].path) ? air_files_write_scope(&path) : 0;
    }
    if (guard != NULL && air_files_path_init(&path, guard->path)) {
        scopes |= air_files_write_scope(&path);
    }
    return scopes != 0 ? scopes : AIR_FILES_SCOPES_ALL;
}

static enum air_error check_guard(struct air_files *files, const struct air_guard *guard) {
    if (guard == NULL || guard->path.size == 0) {
        return AIR_OK;
    }
    struct air_files_path path;
    enum air_error error = check_path(files, guard->path, &path);
    if (error != AIR_OK) {
        return error;
    }
    struct air_buffer value;
    uint64_t version = 0;
    air_buffer_init(&value, AIR_STORAGE_VALUE_SIZE_MAX);
    error = air_files_record_read(files, &path, &value, &version);
    air_buffer_deinit(&value);
    if (error != AIR_OK && error != AIR_ERR_NOT_FOUND) {
        return error;
    }
    if (version != guard->version) {
        return air_files_refuse(files, path.text, "changed since it was read", AIR_ERR_CONFLICT);
    }
    return AIR_OK;
}

static enum air_error carry_out(
    struct air_files *files, unsigned writer, const struct air_put *puts, size_t puts_count) {
    for (size_t i = 0; i < puts_count; i++) {
        struct air_files_path path = {.text = ""};
        enum air_error error = check_path(files, puts[i].path, &path);
        if (error != AIR_OK) {
            return error;
        }
        char folder[AIR_STORAGE_PATH_SIZE_MAX + 1];
        air_files_folder_of(&path, folder);
        air_files_note_write(files, writer, folder);
        error = puts[i].is_delete ? air_files_record_delete(files, &path)
                                  : air_files_record_put(files, &path, puts[i].value);
        if (error != AIR_OK) {
            return error;
        }
    }
    return AIR_OK;
}
