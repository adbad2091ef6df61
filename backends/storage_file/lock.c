/* SPDX-License-Identifier: MIT */
/*
 * The kernel's locks on <state>/lock: open file description locks, one byte each, that the kernel
 * releases when their holder dies. The engine's locks stand at a hash of their name in the lower
 * half of the offsets; writes use two bytes of the upper half.
 *
 * A fork's child shares its parent's open file description, hence its locks. So every process opens
 * the file for itself, and finds its own table empty.
 *
 * Invariant: an offset is in the table exactly while this process's description holds its byte.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backends/storage_file/files.h"
#include "src/base/memory.h"
#include "src/base/path.h"
#include "src/base/span.h"

/* The engine's locks are below, the bytes of writes from here on. */
#define LOWER_HALF_SIZE (INT64_C(1) << 62)

/* Whoever writes holds WRITE_BYTE; whoever waits for it holds TURN_BYTE, so that a process which
 * writes without a break cannot shut the others out. */
#define TURN_BYTE LOWER_HALF_SIZE
#define WRITE_BYTE (LOWER_HALF_SIZE + 1)

#define PAUSE_MAX_MS 16

/* Every writer has room for a note: '/', the folder's path, a line feed. Without one the room is
 * empty or begins with a line feed. */
#define NOTE_SIZE (AIR_STORAGE_PATH_SIZE_MAX + 2)

struct air_files_held {
    int64_t offset;
    struct air_files_held *next;
};

static enum air_error lock_file(struct air_files *files);
static enum air_error open_lock_file(struct air_files *files, int *out);
static void forget_all(struct air_files_locks *locks);
static struct air_files_held **find(struct air_files_locks *locks, int64_t offset);
static enum air_error hold(struct air_files *files, int64_t offset, const char *path);
static int64_t lock_offset(const struct air_files_path *path);
static int take_write(struct air_files *files, uint32_t patience_ms);
static int wait_for(struct air_files *files, int64_t offset, uint32_t *patience_ms);
static int64_t note_offset(unsigned writer);
static void settle(struct air_files *files);
static void settle_folder(struct air_files *files, air_span note);
static int set_lock(struct air_files *files, int type, int64_t offset, int64_t size);

enum air_error air_files_lock_take(struct air_files *files, const struct air_files_path *path) {
    int64_t offset = lock_offset(path);
    (void)pthread_mutex_lock(&files->locks.mutex);
    enum air_error error = lock_file(files);
    if (error == AIR_OK && *find(&files->locks, offset) != NULL) {
        /* Two locks of one open file description never conflict, so the kernel cannot tell. */
        error = air_files_refuse(files, path->text, "is locked already", AIR_ERR_BUSY);
    }
    if (error == AIR_OK) {
        error = hold(files, offset, path->text);
    }
    (void)pthread_mutex_unlock(&files->locks.mutex);
    return error;
}

enum air_error air_files_lock_give(struct air_files *files, const struct air_files_path *path) {
    (void)pthread_mutex_lock(&files->locks.mutex);
    enum air_error error = lock_file(files);
    struct air_files_held **place = find(&files->locks, lock_offset(path));
    struct air_files_held *held = *place;
    if (error == AIR_OK && held == NULL) {
        error = air_files_refuse(files, path->text, "is not locked by us", AIR_ERR_STATE);
    } else if (error == AIR_OK) {
        int status = set_lock(files, F_UNLCK, held->offset, 1);
        if (status < 0) {
            error = air_files_fail(files, path->text, "cannot be unlocked", status);
        } else {
            *place = held->next;
            air_memory_free(held, sizeof(*held));
        }
    }
    (void)pthread_mutex_unlock(&files->locks.mutex);
    return error;
}

enum air_error air_files_lock_take_write(struct air_files *files, uint32_t patience_ms) {
    (void)pthread_mutex_lock(&files->locks.mutex);
    enum air_error error = lock_file(files);
    (void)pthread_mutex_unlock(&files->locks.mutex);
    if (error != AIR_OK) {
        return error;
    }
    int status = take_write(files, patience_ms);
    if (status == -EAGAIN) {
        return air_files_refuse(
            files, "", "another process is writing and does not end", AIR_ERR_BUSY);
    }
    if (status < 0) {
        return air_files_fail(files, "lock", "cannot be locked", status);
    }
    settle(files);
    return AIR_OK;
}

void air_files_lock_give_write(struct air_files *files) {
    (void)set_lock(files, F_UNLCK, WRITE_BYTE, 1);
}

void air_files_note_write(struct air_files *files, unsigned writer, const char *folder) {
    char note[NOTE_SIZE];
    size_t size = strlen(folder);
    note[0] = '/';
    memcpy(note + 1, folder, size);
    note[size + 1] = '\n';
    /* Without it, a crash would leave a temporary file to a later sweep: no reason not to write. */
    (void)files->system->write(
        files->system->context, files->locks.file, note, size + 2, note_offset(writer));
}

void air_files_note_clear(struct air_files *files, unsigned writer) {
    (void)files->system->write(
        files->system->context, files->locks.file, "\n", 1, note_offset(writer));
}

void air_files_locks_close(struct air_files *files) {
    struct air_files_locks *locks = &files->locks;
    if (locks->file >= 0 && locks->process == getpid()) {
        /* Not left to close(): a child of ours may still have the description open. */
        (void)set_lock(files, F_UNLCK, 0, 0);
    }
    forget_all(locks);
    if (locks->file >= 0) {
        (void)files->system->close(files->system->context, locks->file);
    }
    locks->file = -1;
}

/* See to it that locks.file is this process's own description. The caller holds locks.mutex. */
static enum air_error lock_file(struct air_files *files) {
    struct air_files_locks *locks = &files->locks;
    pid_t process = getpid();
    if (locks->file >= 0 && locks->process == process) {
        return AIR_OK;
    }
    int file = -1;
    enum air_error error = open_lock_file(files, &file);
    if (error != AIR_OK) {
        return error;
    }
    if (locks->file >= 0) {
        (void)files->system->close(files->system->context, locks->file);
    }
    forget_all(locks);
    locks->file = file;
    locks->process = process;
    return AIR_OK;
}

static enum air_error open_lock_file(struct air_files *files, int *out) {
    const struct air_files_system *system = files->system;
    int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int file = system->open(system->context, files->root, "lock", flags, 0600);
    if (file < 0) {
        return air_files_fail(files, "lock", "cannot be opened", file);
    }
    struct stat stat;
    enum air_error error = AIR_OK;
    int status = system->status(system->context, file, &stat);
    if (status < 0) {
        error = air_files_fail(files, "lock", "cannot be examined", status);
    } else if (air_files_record_flaw(files, &stat) != NULL) {
        error = air_files_refuse(
            files, "lock", air_files_record_flaw(files, &stat), AIR_ERR_PERMISSION);
    }
    if (error != AIR_OK) {
        (void)system->close(system->context, file);
        return error;
    }
    *out = file;
    return AIR_OK;
}

static void forget_all(struct air_files_locks *locks) {
    while (locks->held != NULL) {
        struct air_files_held *held = locks->held;
        locks->held = held->next;
        air_memory_free(held, sizeof(*held));
    }
}

/* Where the lock at that offset hangs, or the end of the list. */
static struct air_files_held **find(struct air_files_locks *locks, int64_t offset) {
    struct air_files_held **place = &locks->held;
    while (*place != NULL && (*place)->offset != offset) {
        place = &(*place)->next;
    }
    return place;
}

static enum air_error hold(struct air_files *files, int64_t offset, const char *path) {
    struct air_files_held *held = air_memory_new(sizeof(*held));
    if (held == NULL) {
        return air_files_refuse(files, path, "out of memory for a lock", AIR_ERR_NO_MEMORY);
    }
    int status = set_lock(files, F_WRLCK, offset, 1);
    if (status < 0) {
        air_memory_free(held, sizeof(*held));
        if (status == -EAGAIN) {
            return air_files_refuse(files, path, "is locked by another process", AIR_ERR_BUSY);
        }
        return air_files_fail(files, path, "cannot be locked", status);
    }
    held->offset = offset;
    held->next = files->locks.held;
    files->locks.held = held;
    return AIR_OK;
}

static int64_t lock_offset(const struct air_files_path *path) {
    return (int64_t)(air_files_hash(air_span_text(path->text)) % (uint64_t)LOWER_HALF_SIZE);
}

/* Queue, then take the write byte. A status; -EAGAIN: patience ran out. */
static int take_write(struct air_files *files, uint32_t patience_ms) {
    int status = wait_for(files, TURN_BYTE, &patience_ms);
    if (status < 0) {
        return status;
    }
    status = wait_for(files, WRITE_BYTE, &patience_ms);
    (void)set_lock(files, F_UNLCK, TURN_BYTE, 1);
    return status;
}

static int wait_for(struct air_files *files, int64_t offset, uint32_t *patience_ms) {
    uint32_t pause_ms = 1;
    int status = set_lock(files, F_WRLCK, offset, 1);
    while (status == -EAGAIN && *patience_ms >= pause_ms) {
        files->system->pause(files->system->context, pause_ms);
        *patience_ms -= pause_ms;
        pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
        status = set_lock(files, F_WRLCK, offset, 1);
    }
    return status;
}

static int64_t note_offset(unsigned writer) {
    return (int64_t)writer * NOTE_SIZE;
}

/* If writes did not end well, make durable what they left visible before we build on it. */
static void settle(struct air_files *files) {
    for (unsigned writer = 0; writer < AIR_FILES_WRITERS_MAX; writer++) {
        char note[NOTE_SIZE + 1];
        int64_t size = files->system->read(
            files->system->context, files->locks.file, note, NOTE_SIZE, note_offset(writer));
        if (size <= 0) {
            return; /* no note was ever written here or further on */
        }
        if (note[0] == '/') {
            settle_folder(files, air_span_of(note + 1, (size_t)size - 1));
            air_files_note_clear(files, writer);
        }
    }
}

/* note is what follows the '/' in the room of one note. */
static void settle_folder(struct air_files *files, air_span note) {
    air_span folder = air_span_take(note, air_span_find(note, '\n'));
    bool is_whole = folder.size < note.size;
    if (is_whole && (folder.size == 0 || air_path_folder_is_valid(folder))) {
        char path[NOTE_SIZE];
        memcpy(path, folder.data, folder.size);
        path[folder.size] = '\0';
        air_files_folder_settle(files, path);
    }
}

/* A status; -EAGAIN: another holds it. */
static int set_lock(struct air_files *files, int type, int64_t offset, int64_t size) {
    int status = files->system->lock(files->system->context, files->locks.file, type, offset, size);
    return status == -EACCES ? -EAGAIN : status; /* fcntl(2): either number means so */
}
