/* SPDX-License-Identifier: MIT */
/*
 * Folders below the state directory: opening them without following links, making them durably,
 * and tidying up: empty folders after a delete, temporary files after a crash.
 *
 * What a record is, is record.c's; which folder needs tidying, lock.c's and state.c's.
 *
 * Invariant: every path is resolved below files->root, and a folder is durable in its parent before
 * anything is put into it.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <string.h>

#include "backends/storage_file/files.h"
#include "src/base/path.h"
#include "src/base/span.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* openat2(2): a rename elsewhere may race with the walk; it is asked again. */
#define OPEN_TRIES_MAX 16

/* Times that another write may prune a folder before something is put into it. */
#define MAKE_TRIES_MAX 16

/*
 * How far a sweep goes. After a process died, its note leads to the one folder that matters; a
 * sweep helps after a power cut, and start-up must not grow with the number of certificates.
 */
#define SWEPT_FOLDERS_MAX 512
#define SWEPT_DEPTH_MAX 8

/* A folder that is being cleared of temporary files. */
struct sweep {
    struct air_files *files;
    int folder;
    unsigned depth;
    unsigned *folders_left;
    unsigned removed_count;
};

static int walk(struct air_files *files, const char *path, int flags);
static int open_segment(struct air_files *files, int folder, const char *segment, int flags);
static int make_folders(struct air_files *files, const char *path);
static int make_segment(struct air_files *files, int folder, const char *segment, int *out);
static enum air_error check_folder(struct air_files *files, const char *path, int folder);
static int remove_folder(struct air_files *files, const char *path, size_t path_size);
static bool has_shed_temporaries(struct air_files *files, const char *path);
static unsigned remove_temporaries(struct air_files *files, int folder);
static bool sweep_entry(void *context, const char *name, unsigned char type);
static size_t parent_size(const char *path, size_t size);
static bool cut_segment(const char **rest, char *segment);

int air_files_open_below(struct air_files *files, const char *path, int flags) {
    /* O_NONBLOCK: a planted pipe must not hold us up. */
    flags |= O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const char *name = path[0] == '\0' ? "." : path;
    if (!files->has_open_beneath) {
        return walk(files, name, flags);
    }
    /* The call follows no link anyway; without O_NOFOLLOW it says ELOOP of one at the end, too. */
    flags &= ~O_NOFOLLOW;
    int file = -EAGAIN;
    for (int i = 0; i < OPEN_TRIES_MAX && (file == -EAGAIN || file == -EINTR); i++) {
        file = files->system->open_beneath(files->system->context, files->root, name, flags);
    }
    return file;
}

int air_files_folder_open(struct air_files *files, const char *path) {
    return air_files_open_below(files, path, FOLDER_FLAGS);
}

void air_files_folder_of(const struct air_files_path *path, char *folder) {
    memcpy(folder, path->text, path->folder_size);
    folder[path->folder_size] = '\0';
}

enum air_error air_files_folder_make(
    struct air_files *files, const struct air_files_path *path, int *out) {
    char folder_path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    air_files_folder_of(path, folder_path);
    *out = -1;

    int folder = air_files_folder_open(files, folder_path);
    for (int i = 0; i < MAKE_TRIES_MAX && folder == -ENOENT; i++) {
        folder = make_folders(files, folder_path);
    }
    if (folder < 0) {
        return air_files_fail(files, folder_path, "the folder cannot be made or opened", folder);
    }
    enum air_error error = check_folder(files, folder_path, folder);
    if (error != AIR_OK) {
        (void)files->system->close(files->system->context, folder);
        return error;
    }
    *out = folder;
    return AIR_OK;
}

void air_files_folder_prune(struct air_files *files, const struct air_files_path *path) {
    char text[AIR_STORAGE_PATH_SIZE_MAX + 1];
    memcpy(text, path->text, sizeof(text));
    size_t size = path->folder_size;
    while (size > 0) {
        text[size] = '\0';
        int status = remove_folder(files, text, size);
        /* Only where the record was can temporary files be all that is left. */
        if (status == -ENOTEMPTY && size == path->folder_size &&
            has_shed_temporaries(files, text)) {
            status = remove_folder(files, text, size);
        }
        if (status < 0) {
            return;
        }
        size = parent_size(text, size);
    }
}

void air_files_folder_settle(struct air_files *files, const char *path) {
    const struct air_files_system *system = files->system;
    char segment[AIR_STORAGE_SEGMENT_SIZE_MAX + 1];
    int folder = air_files_folder_open(files, "");
    while (folder >= 0) {
        int child = -1;
        if (cut_segment(&path, segment)) {
            child = open_segment(files, folder, segment, FOLDER_FLAGS);
        }
        if (child < 0) {
            (void)remove_temporaries(files, folder);
        }
        (void)system->sync(system->context, folder);
        (void)system->close(system->context, folder);
        folder = child;
    }
}

void air_files_folder_sweep(struct air_files *files) {
    unsigned folders_left = SWEPT_FOLDERS_MAX;
    struct sweep sweep = {.files = files, .folders_left = &folders_left};
    sweep.folder = air_files_folder_open(files, "");
    if (sweep.folder < 0) {
        return;
    }
    (void)air_files_folder_each(files, sweep.folder, sweep_entry, &sweep);
    (void)files->system->close(files->system->context, sweep.folder);
}

int air_files_folder_each(struct air_files *files, int folder,
    bool (*visit)(void *context, const char *name, unsigned char type), void *context) {
    alignas(struct dirent64) char data[4096];
    for (;;) {
        int64_t size = files->system->entries(files->system->context, folder, data, sizeof(data));
        if (size <= 0) {
            return (int)size;
        }
        size_t at = 0;
        while (at < (size_t)size) {
            const struct dirent64 *entry = (const void *)(data + at);
            if (!visit(context, entry->d_name, entry->d_type)) {
                return 0;
            }
            at += entry->d_reclen;
        }
    }
}

/* What openat2 does for us, by hand: every segment is opened without following a link. */
static int walk(struct air_files *files, const char *path, int flags) {
    const struct air_files_system *system = files->system;
    char segment[AIR_STORAGE_SEGMENT_SIZE_MAX + 1];
    int folder = files->root;
    int file = -ENOENT;
    while (cut_segment(&path, segment)) {
        bool is_last = path[0] == '\0';
        file = open_segment(files, folder, segment, is_last ? flags : FOLDER_FLAGS);
        if (folder != files->root) {
            (void)system->close(system->context, folder);
        }
        if (file < 0 || is_last) {
            return file;
        }
        folder = file;
    }
    return file;
}

/* Open one segment; a link in the place of a folder is told apart from a file (openat(2) answers
 * ENOTDIR for both). */
static int open_segment(struct air_files *files, int folder, const char *segment, int flags) {
    const struct air_files_system *system = files->system;
    int file = system->open(system->context, folder, segment, flags, 0);
    struct stat status;
    if (file == -ENOTDIR && system->status_at(system->context, folder, segment, &status) == 0 &&
        S_ISLNK(status.st_mode)) {
        return -ELOOP;
    }
    return file;
}

/* Make what is missing on the way to this folder, and open it. A status; -ENOENT: another write
 * pruned a folder of the way that was still empty. */
static int make_folders(struct air_files *files, const char *path) {
    char segment[AIR_STORAGE_SEGMENT_SIZE_MAX + 1];
    int folder = air_files_folder_open(files, "");
    while (folder >= 0 && cut_segment(&path, segment)) {
        int child = -1;
        int status = make_segment(files, folder, segment, &child);
        (void)files->system->close(files->system->context, folder);
        folder = status < 0 ? status : child;
    }
    return folder;
}

static int make_segment(struct air_files *files, int folder, const char *segment, int *out) {
    const struct air_files_system *system = files->system;
    int status = system->make_folder(system->context, folder, segment, 0700);
    if (status == 0) {
        status = system->sync(system->context, folder);
    }
    if (status < 0 && status != -EEXIST) {
        return status;
    }
    *out = open_segment(files, folder, segment, FOLDER_FLAGS);
    return *out < 0 ? *out : 0;
}

/* The state directory keeps others out; a folder below it must be ours and not writable by more. */
static enum air_error check_folder(struct air_files *files, const char *path, int folder) {
    struct stat status;
    int answer = files->system->status(files->system->context, folder, &status);
    if (answer < 0) {
        return air_files_fail(files, path, "the folder cannot be examined", answer);
    }
    if (status.st_uid != files->owner && status.st_uid != 0) {
        return air_files_refuse(
            files, path, "the folder belongs to another user", AIR_ERR_PERMISSION);
    }
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return air_files_refuse(files, path,
            "the folder may be written by others: set its mode to 0700", AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

/* Remove one empty folder. A status. */
static int remove_folder(struct air_files *files, const char *path, size_t path_size) {
    const struct air_files_system *system = files->system;
    char parent_path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    size_t parent_end = parent_size(path, path_size);
    memcpy(parent_path, path, parent_end);
    parent_path[parent_end] = '\0';

    int parent = air_files_folder_open(files, parent_path);
    if (parent < 0) {
        return parent;
    }
    const char *name = path + (parent_end == 0 ? 0 : parent_end + 1);
    int status = system->remove(system->context, parent, name, AT_REMOVEDIR);
    (void)system->close(system->context, parent);
    return status;
}

static bool has_shed_temporaries(struct air_files *files, const char *path) {
    int folder = air_files_folder_open(files, path);
    if (folder < 0) {
        return false;
    }
    unsigned removed_count = remove_temporaries(files, folder);
    (void)files->system->close(files->system->context, folder);
    return removed_count > 0;
}

static unsigned remove_temporaries(struct air_files *files, int folder) {
    unsigned folders_left = 0;
    struct sweep sweep = {.files = files, .folder = folder, .folders_left = &folders_left};
    (void)air_files_folder_each(files, folder, sweep_entry, &sweep);
    return sweep.removed_count;
}

static bool sweep_entry(void *context, const char *name, unsigned char type) {
    struct sweep *sweep = context;
    const struct air_files_system *system = sweep->files->system;
    air_span span = air_span_text(name);
    if (air_span_starts_with(span, AIR_FILES_TEMPORARY_PREFIX)) {
        if (system->remove(system->context, sweep->folder, name, 0) == 0) {
            sweep->removed_count++;
        }
        return true;
    }
    if (type != DT_DIR || !air_path_segment_is_valid(span) || *sweep->folders_left == 0 ||
        sweep->depth == SWEPT_DEPTH_MAX) {
        return true;
    }
    (*sweep->folders_left)--;
    struct sweep below = *sweep;
    below.depth++;
    below.folder = system->open(system->context, sweep->folder, name, FOLDER_FLAGS, 0);
    if (below.folder >= 0) {
        (void)air_files_folder_each(sweep->files, below.folder, sweep_entry, &below);
        (void)system->close(system->context, below.folder);
    }
    return true;
}

/* Where the parent's path ends in the first size bytes of path. */
static size_t parent_size(const char *path, size_t size) {
    while (size > 0 && path[size - 1] != '/') {
        size--;
    }
    return size > 0 ? size - 1 : 0;
}

/* Cut the next segment off a terminated path; false at its end. */
static bool cut_segment(const char **rest, char *segment) {
    if ((*rest)[0] == '\0') {
        return false;
    }
    size_t size = strcspn(*rest, "/");
    if (size > AIR_STORAGE_SEGMENT_SIZE_MAX) {
        return false;
    }
    memcpy(segment, *rest, size);
    segment[size] = '\0';
    *rest += size + ((*rest)[size] == '/' ? 1 : 0);
    return true;
}
