/* SPDX-License-Identifier: MIT */
/*
 * Turning what the kernel answers into our errors and into sentences. The last failure is kept per
 * thread, because several threads call one storage and each asks about its own call; a small ring
 * in the storage does this without thread-local memory.
 *
 * Invariant: the texts kept are static, so noting a failure cannot fail.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/storage_file/files.h"

/* What an errno means to our callers and to people. Others are AIR_ERR_STORAGE. */
static const struct meaning {
    int number;
    enum air_error error;
    const char *text;
} meanings[] = {
    {ENOSPC, AIR_ERR_STORAGE_FULL, "no space left on the device"},
    {EDQUOT, AIR_ERR_STORAGE_FULL, "the disk quota is used up"},
    {EFBIG, AIR_ERR_STORAGE_FULL, "the limit of file sizes is reached"},
    {EACCES, AIR_ERR_PERMISSION, "permission denied"},
    {EPERM, AIR_ERR_PERMISSION, "operation not permitted"},
    {EROFS, AIR_ERR_PERMISSION, "the file system is read-only"},
    {ELOOP, AIR_ERR_PERMISSION, "it is a symbolic link, or behind one, and links are not followed"},
    {EXDEV, AIR_ERR_PERMISSION, "it leads out of the state directory"},
    {ENXIO, AIR_ERR_PERMISSION, "it is not a regular file"},
    {ENOTDIR, AIR_ERR_EXISTS, "a file is in the place of a folder"},
    {EISDIR, AIR_ERR_EXISTS, "a folder is in the place of the file"},
    {ENOMEM, AIR_ERR_NO_MEMORY, "out of memory"},
    {ENOENT, AIR_ERR_STORAGE, "it vanished meanwhile"},
    {EIO, AIR_ERR_STORAGE, "input/output error"},
    {EMFILE, AIR_ERR_STORAGE, "too many open files in this process"},
    {ENFILE, AIR_ERR_STORAGE, "too many open files on this machine"},
    {ENOLCK, AIR_ERR_STORAGE, "the file system cannot lock"},
    {ESTALE, AIR_ERR_STORAGE, "the file server forgot it"},
};

static const struct meaning *find_meaning(int number);
static void note(struct air_files *files, const char *path, const char *text, int number);
static struct air_files_failure *own_entry(struct air_files_failures *failures);
static void describe(
    const struct air_files *files, const struct air_files_failure *failure, char *out, size_t size);

enum air_error air_files_fail(
    struct air_files *files, const char *path, const char *text, int64_t status) {
    int number = (int)-status;
    const struct meaning *meaning = find_meaning(number);
    note(files, path, text, number);
    return meaning == NULL ? AIR_ERR_STORAGE : meaning->error;
}

enum air_error air_files_refuse(
    struct air_files *files, const char *path, const char *text, enum air_error error) {
    note(files, path, text, 0);
    return error;
}

void air_files_explain(struct air_files *files, char *out, size_t size) {
    if (size == 0) {
        return;
    }
    out[0] = '\0';
    (void)pthread_mutex_lock(&files->failures.mutex);
    const struct air_files_failure *failure = own_entry(&files->failures);
    if (failure != NULL) {
        describe(files, failure, out, size);
    }
    (void)pthread_mutex_unlock(&files->failures.mutex);
}

static const struct meaning *find_meaning(int number) {
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].number == number) {
            return &meanings[i];
        }
    }
    return NULL;
}

static void note(struct air_files *files, const char *path, const char *text, int number) {
    (void)pthread_mutex_lock(&files->failures.mutex);
    struct air_files_failure *failure = own_entry(&files->failures);
    if (failure == NULL) {
        failure = &files->failures.entries[files->failures.next];
        files->failures.next = (files->failures.next + 1) % AIR_FILES_FAILURES_MAX;
    }
    failure->is_used = true;
    failure->thread = pthread_self();
    failure->number = number;
    failure->text = text;
    (void)snprintf(failure->path, sizeof(failure->path), "%s", path);
    (void)pthread_mutex_unlock(&files->failures.mutex);
}

/* The calling thread's entry, or NULL. The caller holds the mutex. */
static struct air_files_failure *own_entry(struct air_files_failures *failures) {
    for (size_t i = 0; i < AIR_FILES_FAILURES_MAX; i++) {
        struct air_files_failure *entry = &failures->entries[i];
        if (entry->is_used && pthread_equal(entry->thread, pthread_self())) {
            return entry;
        }
    }
    return NULL;
}

static void describe(const struct air_files *files, const struct air_files_failure *failure,
    char *out, size_t size) {
    const char *slash = failure->path[0] == '\0' ? "" : "/";
    const struct meaning *meaning = find_meaning(failure->number);
    if (failure->number == 0) {
        (void)snprintf(out, size, "%s%s%s: %s", files->path, slash, failure->path, failure->text);
    } else if (meaning != NULL) {
        (void)snprintf(out, size, "%s%s%s: %s: %s", files->path, slash, failure->path,
            failure->text, meaning->text);
    } else {
        (void)snprintf(out, size, "%s%s%s: %s: system error %d", files->path, slash, failure->path,
            failure->text, failure->number);
    }
}
