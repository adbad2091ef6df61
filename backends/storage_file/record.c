/* SPDX-License-Identifier: MIT */
/*
 * One record, one file: checked when read, replaced as a whole when written.
 *
 * A put writes a temporary file in the record's folder, makes its data durable, renames it over the
 * record and makes the folder durable, in this order. After a failed fsync the file is abandoned,
 * never synced again: the kernel may already have dropped the pages and report success.
 *
 * Invariant: under a record's name stands nothing or one whole value, at every instant and after
 * every crash.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "src/base/path.h"
#include "src/base/span.h"

#define TEMPORARY_SIZE 64

/* Names tried for one temporary file: only another host's process can have taken them. */
#define TEMPORARY_TRIES_MAX 64

static enum air_error check_record(
    struct air_files *files, int file, const char *path, size_t *size);
static enum air_error load(
    struct air_files *files, int file, const char *path, size_t size, struct air_buffer *out);
static int replace(struct air_files *files, int folder, const char *name, air_span value);
static int create_temporary(struct air_files *files, int folder, char name[TEMPORARY_SIZE]);
static int fill(struct air_files *files, int file, air_span value);
static int remove_name(struct air_files *files, int folder, const char *name);
static const char *record_name(const struct air_files_path *path);

bool air_files_path_init(struct air_files_path *path, air_span span) {
    if (!air_path_is_valid(span)) {
        return false;
    }
    memcpy(path->text, span.data, span.size);
    path->text[span.size] = '\0';
    const char *slash = strrchr(path->text, '/');
    path->folder_size = slash == NULL ? 0 : (size_t)(slash - path->text);
    return true;
}

uint64_t air_files_hash(air_span span) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < span.size; i++) {
        hash = (hash ^ span.data[i]) * UINT64_C(1099511628211);
    }
    return hash == 0 ? 1 : hash;
}

enum air_error air_files_record_read(struct air_files *files, const struct air_files_path *path,
    struct air_buffer *out, uint64_t *version) {
    int file = air_files_open_below(files, path->text, O_RDONLY);
    if (file == -ENOENT || file == -ENOTDIR) {
        return air_files_refuse(files, path->text, "no such record", AIR_ERR_NOT_FOUND);
    }
    if (file < 0) {
        return air_files_fail(files, path->text, "cannot be opened", file);
    }
    size_t start = out->size;
    size_t size = 0;
    enum air_error error = check_record(files, file, path->text, &size);
    if (error == AIR_OK) {
        error = load(files, file, path->text, size, out);
    }
    if (error == AIR_OK) {
        *version = air_files_hash(air_span_skip(air_buffer_span(out), start));
    }
    (void)files->system->close(files->system->context, file);
    return error;
}

enum air_error air_files_record_put(
    struct air_files *files, const struct air_files_path *path, air_span value) {
    int folder = -1;
    enum air_error error = air_files_folder_make(files, path, &folder);
    if (error != AIR_OK) {
        return error;
    }
    int status = replace(files, folder, record_name(path), value);
    (void)files->system->close(files->system->context, folder);
    if (status < 0) {
        return air_files_fail(files, path->text, "cannot be written", status);
    }
    return AIR_OK;
}

enum air_error air_files_record_delete(struct air_files *files, const struct air_files_path *path) {
    char folder_path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    air_files_folder_of(path, folder_path);

    int folder = air_files_folder_open(files, folder_path);
    if (folder == -ENOENT || folder == -ENOTDIR) {
        return AIR_OK;
    }
    int status = folder;
    if (folder >= 0) {
        status = remove_name(files, folder, record_name(path));
        (void)files->system->close(files->system->context, folder);
    }
    if (status < 0) {
        return air_files_fail(files, path->text, "cannot be removed", status);
    }
    air_files_folder_prune(files, path);
    return AIR_OK;
}

const char *air_files_record_flaw(const struct air_files *files, const struct stat *status) {
    if (!S_ISREG(status->st_mode)) {
        return "is not a regular file";
    }
    /* 0: it was replaced since it was opened, and is whole. */
    if (status->st_nlink > 1) {
        return "has hard links: copy it to a file of its own";
    }
    if (status->st_uid != files->owner && status->st_uid != 0) {
        return "belongs to another user";
    }
    if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return "is open to others: set its mode to 0600 and consider its keys known";
    }
    return NULL;
}

static enum air_error check_record(
    struct air_files *files, int file, const char *path, size_t *size) {
    struct stat status;
    int answer = files->system->status(files->system->context, file, &status);
    if (answer < 0) {
        return air_files_fail(files, path, "cannot be examined", answer);
    }
    if (S_ISDIR(status.st_mode)) {
        return air_files_refuse(files, path, "is a folder, not a record", AIR_ERR_NOT_FOUND);
    }
    const char *flaw = air_files_record_flaw(files, &status);
    if (flaw != NULL) {
        return air_files_refuse(files, path, flaw, AIR_ERR_PERMISSION);
    }
    if (status.st_size > AIR_STORAGE_VALUE_SIZE_MAX) {
        return air_files_refuse(files, path, "is larger than any record", AIR_ERR_LIMIT);
    }
    *size = (size_t)status.st_size;
    return AIR_OK;
}

/* Append exactly size bytes; records never change in place, so fewer mean damage. */
static enum air_error load(
    struct air_files *files, int file, const char *path, size_t size, struct air_buffer *out) {
    if (size == 0) {
        return out->error;
    }
    size_t start = out->size;
    uint8_t *data = air_buffer_extend(out, size);
    if (data == NULL) {
        return air_files_refuse(files, path, "does not fit into memory", out->error);
    }
    size_t done = 0;
    while (done < size) {
        int64_t got = files->system->read(
            files->system->context, file, data + done, size - done, (int64_t)done);
        if (got == -EINTR) {
            continue;
        }
        if (got <= 0) {
            air_buffer_truncate(out, start);
            return air_files_fail(files, path, "cannot be read", got == 0 ? -EIO : got);
        }
        done += (size_t)got;
    }
    return AIR_OK;
}

/* The durable write. A status. */
static int replace(struct air_files *files, int folder, const char *name, air_span value) {
    const struct air_files_system *system = files->system;
    char temporary[TEMPORARY_SIZE];
    int file = create_temporary(files, folder, temporary);
    if (file < 0) {
        return file;
    }
    int status = fill(files, file, value);
    if (status == 0) {
        status = system->rename(system->context, folder, temporary, name);
    }
    if (status < 0) {
        (void)system->remove(system->context, folder, temporary, 0);
        return status;
    }
    return system->sync(system->context, folder);
}

/* Create a new file, closed to others from its first instant whatever the umask. A status. */
static int create_temporary(struct air_files *files, int folder, char name[TEMPORARY_SIZE]) {
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int file = -EEXIST;
    for (int i = 0; i < TEMPORARY_TRIES_MAX && file == -EEXIST; i++) {
        (void)snprintf(name, TEMPORARY_SIZE, AIR_FILES_TEMPORARY_PREFIX "%ld.%" PRIu64,
            (long)getpid(), (uint64_t)atomic_fetch_add(&files->temporaries_count, 1));
        file = files->system->open(files->system->context, folder, name, flags, 0600);
    }
    return file;
}

/* Write all of value, make it durable, and close the file in every case. A status. */
static int fill(struct air_files *files, int file, air_span value) {
    const struct air_files_system *system = files->system;
    int status = 0;
    size_t done = 0;
    while (done < value.size && status == 0) {
        int64_t put = system->write(
            system->context, file, value.data + done, value.size - done, (int64_t)done);
        if (put > 0) {
            done += (size_t)put;
        } else if (put != -EINTR) {
            status = put == 0 ? -EIO : (int)put;
        }
    }
    if (status == 0) {
        status = system->sync(system->context, file);
    }
    int closed = system->close(system->context, file);
    /* Interrupted or not, Linux has closed it (close(2)), and the data is durable by now. */
    if (status == 0 && closed < 0 && closed != -EINTR) {
        status = closed;
    }
    return status;
}

/* A name that is absent, or a folder's, is no record: nothing to remove. A status. */
static int remove_name(struct air_files *files, int folder, const char *name) {
    const struct air_files_system *system = files->system;
    int status = system->remove(system->context, folder, name, 0);
    if (status == -ENOENT || status == -EISDIR) {
        return 0;
    }
    return status < 0 ? status : system->sync(system->context, folder);
}

static const char *record_name(const struct air_files_path *path) {
    return path->text + (path->folder_size == 0 ? 0 : path->folder_size + 1);
}
