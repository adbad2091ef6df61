/* SPDX-License-Identifier: MIT */
/*
 * The state directory itself: made or opened, checked, told apart from other directories by its
 * VERSION, and cleared of what a power cut left.
 *
 * Going back: a directory whose VERSION is of a later thinair is refused untouched.
 *
 * Invariant: nothing is created in a directory before it is known to be ours or empty.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "src/base/path.h"
#include "src/base/span.h"

#define VERSION_START "thinair state "
#define VERSION_NUMBER 1
#define VERSION_TEXT VERSION_START "1\n"
#define VERSION_SIZE_MAX 64

/* How long adopting a new directory waits for another process that does the same. */
#define ADOPT_PATIENCE_MS 10000

/* Directories between the state directory and the root of the file system. */
#define ANCESTORS_MAX 64

static const struct air_files_path version_path = {.text = "VERSION", .folder_size = 0};

static enum air_error make_root(struct air_files *files);
static enum air_error sync_parent(struct air_files *files);
static enum air_error open_root(struct air_files *files);
static enum air_error check_root(struct air_files *files);
static enum air_error check_ancestors(struct air_files *files);
static enum air_error check_ancestor(
    struct air_files *files, const char *path, const struct stat *status);
static bool can_open_beneath(struct air_files *files);
static enum air_error read_version(struct air_files *files, bool *is_missing);
static enum air_error judge_version(struct air_files *files, air_span text);
static enum air_error check_vacant(struct air_files *files);
static bool look_for_foreign(void *context, const char *name, unsigned char type);
static enum air_error prepare(struct air_files *files, bool is_missing);

enum air_error air_files_state_open(struct air_files *files, unsigned flags) {
    enum air_error error = AIR_OK;
    bool is_missing = false;
    if ((flags & AIR_FILES_CREATE) != 0) {
        error = make_root(files);
    }
    if (error == AIR_OK) {
        error = open_root(files);
    }
    if (error == AIR_OK) {
        error = check_root(files);
    }
    if (error == AIR_OK) {
        error = check_ancestors(files);
    }
    if (error == AIR_OK) {
        files->has_open_beneath = can_open_beneath(files);
        error = read_version(files, &is_missing);
    }
    if (error == AIR_OK && is_missing) {
        error = check_vacant(files);
    }
    if (error == AIR_OK && is_missing && (flags & AIR_FILES_CREATE) == 0) {
        error = air_files_refuse(
            files, "", "is not a state directory: it has no VERSION", AIR_ERR_UNSUPPORTED);
    }
    if (error == AIR_OK && !files->is_read_only) {
        error = prepare(files, is_missing);
    }
    return error;
}

static enum air_error make_root(struct air_files *files) {
    int status = files->system->make_folder(files->system->context, AT_FDCWD, files->path, 0700);
    if (status == 0) {
        return sync_parent(files);
    }
    if (status == -EEXIST) {
        return AIR_OK;
    }
    if (status == -ENOENT) {
        return air_files_refuse(
            files, "", "cannot be made: the directory above does not exist", AIR_ERR_NOT_FOUND);
    }
    return air_files_fail(files, "", "cannot be made", status);
}

/* The new directory's name must be durable too. */
static enum air_error sync_parent(struct air_files *files) {
    const struct air_files_system *system = files->system;
    char parent[AIR_FILES_ROOT_SIZE_MAX + 1];
    memcpy(parent, files->path, files->path_size + 1);
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        memcpy(parent, ".", 2);
    } else {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    int folder =
        system->open(system->context, AT_FDCWD, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (folder == -EACCES) {
        return AIR_OK; /* we may make directories there, but not look: nobody could sync it */
    }
    int status = folder;
    if (folder >= 0) {
        status = system->sync(system->context, folder);
        (void)system->close(system->context, folder);
    }
    return status < 0 ? air_files_fail(files, "", "cannot be made durable", status) : AIR_OK;
}

static enum air_error open_root(struct air_files *files) {
    const struct air_files_system *system = files->system;
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int root = system->open(system->context, AT_FDCWD, files->path, flags, 0);
    if (root >= 0) {
        files->root = root;
        return AIR_OK;
    }
    if (root == -ENOENT) {
        return air_files_refuse(files, "", "does not exist", AIR_ERR_NOT_FOUND);
    }
    struct stat status;
    if (root != -ENOTDIR && root != -ELOOP) {
        return air_files_fail(files, "", "cannot be opened", root);
    }
    if (system->status_at(system->context, AT_FDCWD, files->path, &status) == 0 &&
        S_ISLNK(status.st_mode)) {
        return air_files_refuse(
            files, "", "is a symbolic link: name the directory itself", AIR_ERR_PERMISSION);
    }
    return air_files_refuse(files, "", "is not a directory", AIR_ERR_UNSUPPORTED);
}

static enum air_error check_root(struct air_files *files) {
    struct stat status;
    int answer = files->system->status(files->system->context, files->root, &status);
    if (answer < 0) {
        return air_files_fail(files, "", "cannot be examined", answer);
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return air_files_refuse(
            files, "", "belongs to another user: run as that user", AIR_ERR_PERMISSION);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return air_files_refuse(
            files, "", "is open to others: set its mode to 0700", AIR_ERR_PERMISSION);
    }
    files->owner = status.st_uid;
    return AIR_OK;
}

/* Whoever can rename a directory above ours can put another in its place at the next start. */
static enum air_error check_ancestors(struct air_files *files) {
    const struct air_files_system *system = files->system;
    char path[3 * ANCESTORS_MAX + 1] = "";
    struct stat below;
    struct stat above;
    int folder = files->root;
    int status = system->status(system->context, folder, &below);
    enum air_error error = AIR_OK;
    for (int i = 0; i < ANCESTORS_MAX && status == 0 && error == AIR_OK; i++) {
        int parent =
            system->open(system->context, folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (folder != files->root) {
            (void)system->close(system->context, folder);
        }
        folder = parent;
        if (folder < 0) {
            break; /* hidden from us: there is nothing to judge */
        }
        status = system->status(system->context, folder, &above);
        if (status < 0 || (above.st_ino == below.st_ino && above.st_dev == below.st_dev)) {
            break;
        }
        memcpy(path + strlen(path), i == 0 ? ".." : "/..", i == 0 ? 3 : 4);
        error = check_ancestor(files, path, &above);
        below = above;
    }
    if (folder >= 0 && folder != files->root) {
        (void)system->close(system->context, folder);
    }
    return status < 0 ? air_files_fail(files, path, "cannot be examined", status) : error;
}

static enum air_error check_ancestor(
    struct air_files *files, const char *path, const struct stat *status) {
    bool is_writable = (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
    bool is_sticky = (status->st_mode & S_ISVTX) != 0;
    if (is_writable && !is_sticky) {
        return air_files_refuse(files, path,
            "may be written by others, who could exchange what is below it: set its mode to 0755",
            AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

/* Old kernels and some sandboxes do not have openat2. */
static bool can_open_beneath(struct air_files *files) {
    const struct air_files_system *system = files->system;
    int folder =
        system->open_beneath(system->context, files->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return false;
    }
    (void)system->close(system->context, folder);
    return true;
}

static enum air_error read_version(struct air_files *files, bool *is_missing) {
    struct air_buffer text;
    uint64_t version = 0;
    air_buffer_init(&text, VERSION_SIZE_MAX);
    enum air_error error = air_files_record_read(files, &version_path, &text, &version);
    if (error == AIR_OK) {
        error = judge_version(files, air_buffer_span(&text));
    } else if (error == AIR_ERR_NOT_FOUND) {
        *is_missing = true;
        error = AIR_OK;
    } else if (error == AIR_ERR_LIMIT) {
        error = judge_version(files, air_span_of(NULL, 0));
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error judge_version(struct air_files *files, air_span text) {
    int64_t number = 0;
    if (air_span_equal_text(text, VERSION_TEXT)) {
        return AIR_OK;
    }
    air_span digits = air_span_skip(text, sizeof(VERSION_START) - 1);
    digits = air_span_take(digits, air_span_find(digits, '\n'));
    if (air_span_starts_with(text, VERSION_START) && air_span_number(digits, &number) &&
        number > VERSION_NUMBER) {
        return air_files_refuse(files, "VERSION",
            "was written by a later thinair: use that one, or another directory",
            AIR_ERR_UNSUPPORTED);
    }
    return air_files_refuse(files, "VERSION", "is not of a state directory", AIR_ERR_UNSUPPORTED);
}

/* Without a VERSION the directory must hold nothing that is not ours. */
static enum air_error check_vacant(struct air_files *files) {
    bool is_foreign = false;
    int folder = air_files_folder_open(files, "");
    int status = folder;
    if (folder >= 0) {
        status = air_files_folder_each(files, folder, look_for_foreign, &is_foreign);
        (void)files->system->close(files->system->context, folder);
    }
    if (status < 0) {
        return air_files_fail(files, "", "cannot be listed", status);
    }
    if (is_foreign) {
        return air_files_refuse(files, "",
            "is not a state directory: it has no VERSION, and files of others",
            AIR_ERR_UNSUPPORTED);
    }
    return AIR_OK;
}

/* Ours are the engine's folders (a lost VERSION), what a first start that died leaves, and what
 * mkfs makes when the directory is a mount point. */
static bool look_for_foreign(void *context, const char *name, unsigned char type) {
    static const char *const ours[] = {
        ".", "..", "accounts", "certificates", "live", "lock", "lost+found"};
    (void)type;
    bool *is_foreign = context;
    air_span span = air_span_text(name);
    bool is_ours = air_span_starts_with(span, AIR_FILES_TEMPORARY_PREFIX);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        is_ours = is_ours || air_span_equal_text(span, ours[i]);
    }
    *is_foreign = !is_ours;
    return is_ours;
}

/* Write VERSION where it is missing, and remove what a power cut left. */
static enum air_error prepare(struct air_files *files, bool is_missing) {
    unsigned writer = 0;
    enum air_error error = air_files_write_begin(
        files, AIR_FILES_SCOPES_ALL, is_missing ? ADOPT_PATIENCE_MS : 0, &writer);
    if (error == AIR_ERR_BUSY && !is_missing) {
        return AIR_OK; /* another process writes: its temporary files are none of ours to remove */
    }
    if (error != AIR_OK) {
        return error;
    }
    if (is_missing) {
        air_files_note_write(files, writer, "");
        error = air_files_record_put(files, &version_path, air_span_text(VERSION_TEXT));
    }
    if (error == AIR_OK) {
        air_files_folder_sweep(files);
    }
    air_files_write_end(files, writer, error == AIR_OK);
    return error;
}
