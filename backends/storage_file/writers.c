/* SPDX-License-Identifier: MIT */
/*
 * Who writes when. Of several processes one at a time, of its threads as many at once as work in
 * different folders: flushes of a disk then go side by side, and a bulk of certificates is not as
 * slow as the sum of them.
 *
 * The first writer takes the kernel's lock for the process and settles what a dead writer left; the
 * last one gives it back. A group of writers ends after GROUP_MAX writes, or when one of them
 * failed, so that another process gets its turn and what was left is settled before it is built on.
 *
 * Invariant: while is_held, the write byte is this process's, and no two writers in the list share
 * a scope.
 */

#include "backends/storage_file/files.h"
#include "src/base/span.h"

#define GROUP_MAX 64

static bool may_join(const struct air_files_writers *writers, uint64_t scopes);
static enum air_error open_group(struct air_files *files, uint32_t patience_ms);
static unsigned join(struct air_files_writers *writers, uint64_t scopes);

void air_files_writers_init(struct air_files_writers *writers) {
    (void)pthread_mutex_init(&writers->mutex, NULL);
    (void)pthread_cond_init(&writers->changed, NULL);
}

void air_files_writers_deinit(struct air_files_writers *writers) {
    (void)pthread_cond_destroy(&writers->changed);
    (void)pthread_mutex_destroy(&writers->mutex);
}

uint64_t air_files_write_scope(const struct air_files_path *path) {
    air_span folder = air_span_of(path->text, path->folder_size);
    air_span below = air_span_skip(folder, air_span_find(folder, '/'));
    size_t second_size = below.size > 0 ? 1 + air_span_find(air_span_skip(below, 1), '/') : 0;
    air_span scope = air_span_take(folder, folder.size - below.size + second_size);
    return UINT64_C(1) << (air_files_hash(scope) % 64);
}

enum air_error air_files_write_begin(
    struct air_files *files, uint64_t scopes, uint32_t patience_ms, unsigned *writer) {
    struct air_files_writers *writers = &files->writers;
    enum air_error error = AIR_OK;
    (void)pthread_mutex_lock(&writers->mutex);
    while (error == AIR_OK && !may_join(writers, scopes)) {
        if (writers->is_held || writers->is_taking) {
            (void)pthread_cond_wait(&writers->changed, &writers->mutex);
        } else {
            error = open_group(files, patience_ms);
        }
    }
    if (error == AIR_OK) {
        *writer = join(writers, scopes);
    }
    (void)pthread_mutex_unlock(&writers->mutex);
    return error;
}

void air_files_write_end(struct air_files *files, unsigned writer, bool is_settled) {
    struct air_files_writers *writers = &files->writers;
    (void)pthread_mutex_lock(&writers->mutex);
    if (is_settled) {
        air_files_note_clear(files, writer);
    }
    writers->is_closing = writers->is_closing || !is_settled;
    writers->scopes[writer] = 0;
    writers->active_count--;
    if (writers->active_count == 0) {
        air_files_lock_give_write(files);
        writers->is_held = false;
    }
    (void)pthread_cond_broadcast(&writers->changed);
    (void)pthread_mutex_unlock(&writers->mutex);
}

static bool may_join(const struct air_files_writers *writers, uint64_t scopes) {
    if (!writers->is_held || writers->is_closing || writers->joined_count == GROUP_MAX ||
        writers->active_count == AIR_FILES_WRITERS_MAX) {
        return false;
    }
    for (unsigned i = 0; i < AIR_FILES_WRITERS_MAX; i++) {
        if ((writers->scopes[i] & scopes) != 0) {
            return false;
        }
    }
    return true;
}

/* Take the write byte; the mutex is released meanwhile, since another process may keep us waiting.
 */
static enum air_error open_group(struct air_files *files, uint32_t patience_ms) {
    struct air_files_writers *writers = &files->writers;
    writers->is_taking = true;
    (void)pthread_mutex_unlock(&writers->mutex);
    enum air_error error = air_files_lock_take_write(files, patience_ms);
    (void)pthread_mutex_lock(&writers->mutex);
    writers->is_taking = false;
    writers->is_held = error == AIR_OK;
    writers->is_closing = false;
    writers->joined_count = 0;
    (void)pthread_cond_broadcast(&writers->changed);
    return error;
}

static unsigned join(struct air_files_writers *writers, uint64_t scopes) {
    unsigned writer = 0;
    while (writers->scopes[writer] != 0) {
        writer++;
    }
    writers->scopes[writer] = scopes;
    writers->active_count++;
    writers->joined_count++;
    return writer;
}
