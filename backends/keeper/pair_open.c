/* SPDX-License-Identifier: MIT */
/*
 * The two directories of a pair, and the folder of numbered pairs in the first: opened once, and
 * checked. Everything later is relative to these handles.
 *
 * Invariant: in a directory that was accepted, and above it, nobody but root and this user can
 * rename or replace anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/keeper/pair_parts.h"

static enum air_error set_path(
    struct air_pair_files *files, struct air_pair_path *path, const char *text);
static enum air_error open_folder(struct air_pair_files *files, struct air_pair_path *path);
static enum air_error open_pairs(struct air_pair_files *files);
static enum air_error check_above(const struct air_pair_files *files, const char *path, int folder);

enum air_error air_pair_open_folders(
    struct air_pair_files *files, const char *chain_path, const char *key_path) {
    enum air_error error = set_path(files, &files->chain, chain_path);

    if (error == AIR_OK) {
        error = set_path(files, &files->key, key_path);
    }
    if (error == AIR_OK && strcmp(chain_path, key_path) == 0) {
        error =
            air_pair_refuse(files, key_path, "is the chain's path and the key's", AIR_ERR_ARGUMENT);
    }
    if (error != AIR_OK) {
        return error;
    }
    (void)snprintf(files->pairs_path, sizeof(files->pairs_path), "%s.pairs", chain_path);
    (void)snprintf(
        files->chain.target, sizeof(files->chain.target), "%s.pairs/current/chain.pem", chain_path);
    (void)snprintf(
        files->key.target, sizeof(files->key.target), "%s.pairs/current/key.pem", chain_path);
    error = open_folder(files, &files->chain);
    if (error == AIR_OK) {
        error = open_folder(files, &files->key);
    }
    return error == AIR_OK ? open_pairs(files) : error;
}

void air_pair_close_folders(struct air_pair_files *files) {
    const int handles[] = {files->chain.folder, files->key.folder, files->pairs};

    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
        if (handles[i] >= 0) {
            (void)close(handles[i]);
        }
    }
}

static enum air_error set_path(
    struct air_pair_files *files, struct air_pair_path *path, const char *text) {
    const size_t size = text != NULL ? strlen(text) : 0;

    if (size > AIR_PAIR_PATH_SIZE_MAX) {
        return air_pair_refuse(files, "a path", "is longer than 1024 bytes", AIR_ERR_LIMIT);
    }
    if (size < 2 || text[0] != '/' || text[size - 1] == '/') {
        return air_pair_refuse(files, text != NULL ? text : "",
            "is not the absolute path of a file", AIR_ERR_ARGUMENT);
    }
    memcpy(path->path, text, size + 1);
    path->name = strrchr(path->path, '/') + 1;
    return AIR_OK;
}

/* Root and we may do anything; others nothing, but in a sticky directory above. */
static bool is_safe(const struct stat *status, bool is_above) {
    const bool is_shared = (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;

    return (status->st_uid == 0 || status->st_uid == geteuid()) &&
           (!is_shared || (is_above && (status->st_mode & S_ISVTX) != 0));
}

static enum air_error open_folder(struct air_pair_files *files, struct air_pair_path *path) {
    char folder[AIR_PAIR_TEXT_SIZE];
    struct stat status;

    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(path->name - path->path), path->path);
    path->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (path->folder < 0 && errno == ENOENT) {
        return air_pair_refuse(
            files, folder, "does not exist: make it, with mode 0700", AIR_ERR_NOT_FOUND);
    }
    if (path->folder < 0 || fstat(path->folder, &status) != 0) {
        return air_pair_fail(files, folder, "cannot be opened", errno);
    }
    if (!is_safe(&status, false)) {
        return air_pair_refuse(files, folder,
            "is open to others, who could replace the key: make it root's, with mode 0700",
            AIR_ERR_PERMISSION);
    }
    return check_above(files, folder, path->folder);
}

/* Go up to the root, which is its own parent. */
static enum air_error check_above(
    const struct air_pair_files *files, const char *path, int folder) {
    struct stat below = {0};
    struct stat above;
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);

    while (at >= 0) {
        const int parent = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

        (void)close(at);
        at = parent;
        if (at < 0 || fstat(at, &above) != 0) {
            break;
        }
        if (!is_safe(&above, true)) {
            (void)close(at);
            return air_pair_refuse(
                files, path, "lies in a directory that others may write", AIR_ERR_PERMISSION);
        }
        if (above.st_ino == below.st_ino && above.st_dev == below.st_dev) {
            (void)close(at);
            return AIR_OK;
        }
        below = above;
    }
    if (at >= 0) {
        (void)close(at);
    }
    return air_pair_fail(files, path, "cannot be looked at", errno);
}

static enum air_error open_pairs(struct air_pair_files *files) {
    const char *name = strrchr(files->pairs_path, '/') + 1;
    struct stat status;

    if (mkdirat(files->chain.folder, name, S_IRWXU) != 0 && errno != EEXIST) {
        return air_pair_fail(files, files->pairs_path, "cannot be made", errno);
    }
    if (fsync(files->chain.folder) != 0) {
        return air_pair_fail(files, files->pairs_path, "cannot be made durable", errno);
    }
    files->pairs =
        openat(files->chain.folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (files->pairs < 0 || fstat(files->pairs, &status) != 0) {
        return air_pair_fail(files, files->pairs_path, "cannot be opened", errno);
    }
    if (!is_safe(&status, false) || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return air_pair_refuse(
            files, files->pairs_path, "is open to others: give it mode 0700", AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}
