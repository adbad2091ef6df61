/* SPDX-License-Identifier: MIT */
/*
 * The folder: made or opened, and judged as the file storage judges its state directory; the files
 * in it, opened without following links. What they hold is files.c's.
 *
 * Invariant: nothing is made in a folder before it is known to be ours.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/storage_snapshot/snapshot.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* O_NONBLOCK: a planted pipe must not hold us up. */
#define FILE_FLAGS (O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

/* Directories between the folder and the root of the file system. */
#define ANCESTORS_MAX 64

static enum air_error make(struct air_snapshot *snapshot);
static enum air_error sync_parent(struct air_snapshot *snapshot);
static enum air_error refuse_no_folder(struct air_snapshot *snapshot, int number);
static enum air_error judge(struct air_snapshot *snapshot);
static enum air_error judge_ancestors(struct air_snapshot *snapshot);
static enum air_error judge_file(
    struct air_snapshot *snapshot, const char *name, const struct stat *status);

enum air_error air_snapshot_folder_open(struct air_snapshot *snapshot) {
    enum air_error error = make(snapshot);
    if (error != AIR_OK) {
        return error;
    }
    snapshot->folder = open(snapshot->path, FOLDER_FLAGS);
    if (snapshot->folder < 0) {
        return refuse_no_folder(snapshot, errno);
    }
    error = judge(snapshot);
    if (error == AIR_OK) {
        error = judge_ancestors(snapshot);
    }
    if (error == AIR_OK && faccessat(snapshot->folder, "VERSION", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        error = air_snapshot_refuse(snapshot, "",
            "is a state directory of the file storage: use another folder", AIR_ERR_UNSUPPORTED);
    }
    return error;
}

enum air_error air_snapshot_folder_sync(struct air_snapshot *snapshot) {
    if (fsync(snapshot->folder) != 0) {
        return air_snapshot_fail(snapshot, "", "cannot be made durable", errno);
    }
    return AIR_OK;
}

enum air_error air_snapshot_folder_file(struct air_snapshot *snapshot, const char *name, int *out) {
    struct stat status;
    int file = openat(snapshot->folder, name, FILE_FLAGS, 0600);
    if (file < 0) {
        return air_snapshot_fail(snapshot, name, "cannot be opened", errno);
    }
    enum air_error error = AIR_OK;
    if (fstat(file, &status) != 0) {
        error = air_snapshot_fail(snapshot, name, "cannot be examined", errno);
    } else {
        error = judge_file(snapshot, name, &status);
    }
    if (error != AIR_OK) {
        (void)close(file);
        return error;
    }
    *out = file;
    return AIR_OK;
}

static enum air_error make(struct air_snapshot *snapshot) {
    if (mkdir(snapshot->path, 0700) == 0) {
        return sync_parent(snapshot);
    }
    if (errno == EEXIST) {
        return AIR_OK;
    }
    if (errno == ENOENT) {
        return air_snapshot_refuse(
            snapshot, "", "cannot be made: the directory above does not exist", AIR_ERR_NOT_FOUND);
    }
    return air_snapshot_fail(snapshot, "", "cannot be made", errno);
}

/* The new folder's name must be durable too. */
static enum air_error sync_parent(struct air_snapshot *snapshot) {
    char parent[AIR_SNAPSHOT_PATH_SIZE_MAX + 1];
    memcpy(parent, snapshot->path, snapshot->path_size + 1);
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        memcpy(parent, ".", 2);
    } else {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        /* We may make directories there, but not look: nobody could sync it. */
        return errno == EACCES ? AIR_OK
                               : air_snapshot_fail(snapshot, "", "cannot be made durable", errno);
    }
    enum air_error error = AIR_OK;
    if (fsync(folder) != 0) {
        error = air_snapshot_fail(snapshot, "", "cannot be made durable", errno);
    }
    (void)close(folder);
    return error;
}

static enum air_error refuse_no_folder(struct air_snapshot *snapshot, int number) {
    struct stat status;
    if (number != ENOTDIR && number != ELOOP) {
        return air_snapshot_fail(snapshot, "", "cannot be opened", number);
    }
    if (lstat(snapshot->path, &status) == 0 && S_ISLNK(status.st_mode)) {
        return air_snapshot_refuse(
            snapshot, "", "is a symbolic link: name the folder itself", AIR_ERR_PERMISSION);
    }
    return air_snapshot_refuse(snapshot, "", "is not a folder", AIR_ERR_UNSUPPORTED);
}

static enum air_error judge(struct air_snapshot *snapshot) {
    struct stat status;
    if (fstat(snapshot->folder, &status) != 0) {
        return air_snapshot_fail(snapshot, "", "cannot be examined", errno);
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return air_snapshot_refuse(
            snapshot, "", "belongs to another user: run as that user", AIR_ERR_PERMISSION);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return air_snapshot_refuse(
            snapshot, "", "is open to others: set its mode to 0700", AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

/* Whoever can rename a directory above ours can put another in its place at the next start. */
static enum air_error judge_ancestors(struct air_snapshot *snapshot) {
    struct stat below;
    struct stat above = {0};
    int folder = snapshot->folder;
    bool is_good = fstat(folder, &below) == 0;
    for (int i = 0; i < ANCESTORS_MAX && is_good; i++) {
        int parent = openat(folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder != snapshot->folder) {
            (void)close(folder);
        }
        folder = parent;
        /* One that is hidden from us cannot be judged; the root is its own parent. */
        if (folder < 0 || fstat(folder, &above) != 0 ||
            (above.st_ino == below.st_ino && above.st_dev == below.st_dev)) {
            break;
        }
        is_good = (above.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (above.st_mode & S_ISVTX) != 0;
        below = above;
    }
    if (folder >= 0 && folder != snapshot->folder) {
        (void)close(folder);
    }
    if (!is_good) {
        return air_snapshot_refuse(snapshot, "",
            "a directory above may be written by others, who could exchange what is below it: set "
            "its mode to 0755",
            AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

static enum air_error judge_file(
    struct air_snapshot *snapshot, const char *name, const struct stat *status) {
    if (!S_ISREG(status->st_mode)) {
        return air_snapshot_refuse(snapshot, name, "is not a regular file", AIR_ERR_PERMISSION);
    }
    if (status->st_uid != geteuid() && status->st_uid != 0) {
        return air_snapshot_refuse(snapshot, name, "belongs to another user", AIR_ERR_PERMISSION);
    }
    if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return air_snapshot_refuse(
            snapshot, name, "is open to others: set its mode to 0600", AIR_ERR_PERMISSION);
    }
    if (status->st_nlink != 1) {
        return air_snapshot_refuse(
            snapshot, name, "has another name: remove that link", AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}
