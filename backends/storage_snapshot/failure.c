/* SPDX-License-Identifier: MIT */
/*
 * What the kernel answers, as our errors and as sentences. The last failure is kept for each
 * thread, because several call one storage and each asks about its own call.
 *
 * Invariant: the texts kept are static, so noting a failure cannot fail.
 */

#include <errno.h>
#include <stdio.h>

#include "backends/storage_snapshot/snapshot.h"

/* What an errno means to callers and to people. Others are AIR_ERR_STORAGE. */
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
    {ELOOP, AIR_ERR_PERMISSION, "it is a symbolic link, and links are not followed"},
    {ENXIO, AIR_ERR_PERMISSION, "it is not a regular file"},
    {EISDIR, AIR_ERR_PERMISSION, "it is not a regular file"},
    {ENOMEM, AIR_ERR_NO_MEMORY, "out of memory"},
    {EIO, AIR_ERR_STORAGE, "input/output error"},
    {EMFILE, AIR_ERR_STORAGE, "too many open files in this process"},
    {ENFILE, AIR_ERR_STORAGE, "too many open files on this machine"},
    {ENOLCK, AIR_ERR_STORAGE, "the file system cannot lock"},
};

static const struct meaning *find_meaning(int number);
static void note(struct air_snapshot *snapshot, const char *name, const char *text, int number);
static struct air_snapshot_failure *own_failure(struct air_snapshot *snapshot);
static void describe(const struct air_snapshot *snapshot,
    const struct air_snapshot_failure *failure, char *out, size_t size);

enum air_error air_snapshot_fail(
    struct air_snapshot *snapshot, const char *name, const char *text, int number) {
    const struct meaning *meaning = find_meaning(number);
    note(snapshot, name, text, number);
    return meaning == NULL ? AIR_ERR_STORAGE : meaning->error;
}

enum air_error air_snapshot_refuse(
    struct air_snapshot *snapshot, const char *name, const char *text, enum air_error error) {
    note(snapshot, name, text, 0);
    return error;
}

void air_snapshot_explain(struct air_snapshot *snapshot, char *out, size_t size) {
    if (size == 0) {
        return;
    }
    out[0] = '\0';
    (void)pthread_mutex_lock(&snapshot->view);
    const struct air_snapshot_failure *failure = own_failure(snapshot);
    if (failure != NULL) {
        describe(snapshot, failure, out, size);
    }
    (void)pthread_mutex_unlock(&snapshot->view);
}

static const struct meaning *find_meaning(int number) {
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].number == number) {
            return &meanings[i];
        }
    }
    return NULL;
}

static void note(struct air_snapshot *snapshot, const char *name, const char *text, int number) {
    (void)pthread_mutex_lock(&snapshot->view);
    struct air_snapshot_failure *failure = own_failure(snapshot);
    if (failure == NULL) {
        failure = &snapshot->failures[snapshot->failures_next];
        snapshot->failures_next = (snapshot->failures_next + 1) % AIR_SNAPSHOT_FAILURES_MAX;
    }
    *failure = (struct air_snapshot_failure){
        .thread = pthread_self(), .name = name, .text = text, .number = number};
    (void)pthread_mutex_unlock(&snapshot->view);
}

/* The calling thread's, or NULL. The caller holds view. */
static struct air_snapshot_failure *own_failure(struct air_snapshot *snapshot) {
    for (size_t i = 0; i < AIR_SNAPSHOT_FAILURES_MAX; i++) {
        struct air_snapshot_failure *failure = &snapshot->failures[i];
        if (failure->name != NULL && pthread_equal(failure->thread, pthread_self())) {
            return failure;
        }
    }
    return NULL;
}

static void describe(const struct air_snapshot *snapshot,
    const struct air_snapshot_failure *failure, char *out, size_t size) {
    const char *slash = failure->name[0] == '\0' ? "" : "/";
    const struct meaning *meaning = find_meaning(failure->number);
    if (failure->number == 0) {
        (void)snprintf(
            out, size, "%s%s%s: %s", snapshot->path, slash, failure->name, failure->text);
    } else if (meaning != NULL) {
        (void)snprintf(out, size, "%s%s%s: %s: %s", snapshot->path, slash, failure->name,
            failure->text, meaning->text);
    } else {
        (void)snprintf(out, size, "%s%s%s: %s: system error %d", snapshot->path, slash,
            failure->name, failure->text, failure->number);
    }
}
