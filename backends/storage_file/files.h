/* SPDX-License-Identifier: MIT */
#ifndef AIR_STORAGE_FILE_FILES_H
#define AIR_STORAGE_FILE_FILES_H

/*
 * What the files of this room share: one open state directory.
 *
 * A status is what a struct air_files_system call answers: a negative errno is a failure. Whoever
 * turns one into an enum air_error also notes the sentence for explain().
 *
 * The lock file <state>/lock carries the kernel's locks and, for each write that is going on, a
 * note: the folder it works in. A process that dies in the middle leaves its notes behind, and the
 * next writer settles those folders: what is visible there becomes durable, temporary files go.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "backends/storage_file/system.h"
#include "thinair/files.h"

/* Temporary files begin so; no record can. */
#define AIR_FILES_TEMPORARY_PREFIX ".tmp."

/* The longest path of a state directory, and the buffer that holds any sentence about it. */
#define AIR_FILES_ROOT_SIZE_MAX 1024
#define AIR_FILES_SENTENCE_SIZE 2048

/* A record's path, terminated, and where its folder ends (0: it is at the top). */
struct air_files_path {
    char text[AIR_STORAGE_PATH_SIZE_MAX + 1];
    size_t folder_size;
};

/* The last failure of one thread. */
struct air_files_failure {
    bool is_used;
    pthread_t thread;
    int number;       /* an errno, or 0 */
    const char *text; /* static: what could not be done, or what is wrong */
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
};

/* Threads whose last failure is remembered; the oldest gives way. */
#define AIR_FILES_FAILURES_MAX 16

struct air_files_failures {
    pthread_mutex_t mutex;
    size_t next; /* the entry that gives way */
    struct air_files_failure entries[AIR_FILES_FAILURES_MAX];
};

struct air_files_held; /* one lock, in lock.c */

struct air_files_locks {
    pthread_mutex_t mutex;
    int file;      /* <state>/lock, or -1 */
    pid_t process; /* who opened it: a fork's child opens its own */
    struct air_files_held *held;
};

/* Writes that are under way at once, at most. */
#define AIR_FILES_WRITERS_MAX 16

/* A write needs every scope. */
#define AIR_FILES_SCOPES_ALL UINT64_MAX

struct air_files_writers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_taking;  /* a thread waits for other processes */
    bool is_held;    /* the write byte is ours, and there is a writer */
    bool is_closing; /* nobody joins before it was given back */
    unsigned joined_count;
    unsigned active_count;
    uint64_t scopes[AIR_FILES_WRITERS_MAX]; /* of each writer; 0: none */
};

struct air_files {
    struct air_storage port;
    const struct air_files_system *system;
    int root;    /* the state directory, or -1 */
    uid_t owner; /* of the state directory */
    bool is_read_only;
    bool has_open_beneath;
    atomic_uint_least64_t temporaries_count;
    struct air_files_writers writers;
    struct air_files_locks locks;
    struct air_files_failures failures;
    size_t path_size;
    char path[]; /* as the caller named it, terminated */
};

/* air_storage_files_new() on other system calls, which must outlive it. */
enum air_error air_files_new(const char *path, unsigned flags,
    const struct air_files_system *system, struct air_storage **out, struct air_buffer *reason);

/* ---- failure.c: sentences for the operator ---- */

/* Note that `text` ("cannot be read") failed with that status; gives the error it stands for. */
enum air_error air_files_fail(
    struct air_files *files, const char *path, const char *text, int64_t status);

/* Note why we refuse; gives error back. */
enum air_error air_files_refuse(
    struct air_files *files, const char *path, const char *text, enum air_error error);

/* The sentence on this thread's last failure; empty when there is none. */
void air_files_explain(struct air_files *files, char *out, size_t size);

/* ---- folder.c: folders below the state directory ---- */

/* Open a path below the state directory ("" is itself) without following links. A status. */
int air_files_open_below(struct air_files *files, const char *path, int flags);

/* Open a folder for reading its entries and for sync. A status. */
int air_files_folder_open(struct air_files *files, const char *path);

/* The folder of a record's path, terminated; folder has room for AIR_STORAGE_PATH_SIZE_MAX + 1. */
void air_files_folder_of(const struct air_files_path *path, char *folder);

/* Open the folder of a record; what is missing is made, durably. *out is -1 on failure. */
enum air_error air_files_folder_make(
    struct air_files *files, const struct air_files_path *path, int *out);

/* Remove the folders above a record that are empty now. Best effort: an empty folder harms nobody.
 */
void air_files_folder_prune(struct air_files *files, const struct air_files_path *path);

/* Make what is visible on the way to this folder durable and remove its temporary files. */
void air_files_folder_settle(struct air_files *files, const char *path);

/* Remove temporary files below the top, looking into a bounded number of folders. */
void air_files_folder_sweep(struct air_files *files);

/* Call visit with every name in a freshly opened folder until it returns false. A status. */
int air_files_folder_each(struct air_files *files, int folder,
    bool (*visit)(void *context, const char *name, unsigned char type), void *context);

/* ---- record.c: one record, one file ---- */

/* False when span is not a record's path. */
bool air_files_path_init(struct air_files_path *path, air_span span);

/* FNV-1a, 64 bits; never 0. */
uint64_t air_files_hash(air_span span);

/* Append the record to out. Errors as in struct air_storage. */
enum air_error air_files_record_read(struct air_files *files, const struct air_files_path *path,
    struct air_buffer *out, uint64_t *version);

/* Replace or create the record durably; the caller is inside a write. */
enum air_error air_files_record_put(
    struct air_files *files, const struct air_files_path *path, air_span value);

/* Remove the record durably; the caller is inside a write. */
enum air_error air_files_record_delete(struct air_files *files, const struct air_files_path *path);

/* What is wrong with an open file that should be a record or ours, or NULL. */
const char *air_files_record_flaw(const struct air_files *files, const struct stat *status);

/* ---- names.c ---- */

/* struct air_storage's list; folder is terminated, "" is the top. */
enum air_error air_files_names_list(struct air_files *files, const char *folder, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);

/* ---- lock.c: the kernel's locks ---- */

enum air_error air_files_lock_take(struct air_files *files, const struct air_files_path *path);
enum air_error air_files_lock_give(struct air_files *files, const struct air_files_path *path);

/*
 * Keep every other process from writing, and settle what a dead one left. patience_ms: how long to
 * wait. AIR_ERR_BUSY: another one did not end.
 */
enum air_error air_files_lock_take_write(struct air_files *files, uint32_t patience_ms);
void air_files_lock_give_write(struct air_files *files);

/* Leave the note that this writer now works in that folder; take it back. */
void air_files_note_write(struct air_files *files, unsigned writer, const char *folder);
void air_files_note_clear(struct air_files *files, unsigned writer);

/* Release every lock this process holds and close the lock file. */
void air_files_locks_close(struct air_files *files);

/* ---- writers.c: who writes when ---- */

void air_files_writers_init(struct air_files_writers *writers);
void air_files_writers_deinit(struct air_files_writers *writers);

/* The set, of one bit, of what a write to this record must have for itself: the first two folders
 * on its way. */
uint64_t air_files_write_scope(const struct air_files_path *path);

/*
 * Begin a write that has these scopes for itself. *writer: whose note is whose. AIR_ERR_BUSY:
 * another process wrote for longer than patience_ms.
 */
enum air_error air_files_write_begin(
    struct air_files *files, uint64_t scopes, uint32_t patience_ms, unsigned *writer);

/* End it. The note goes only when all that is visible is durable. */
void air_files_write_end(struct air_files *files, unsigned writer, bool is_settled);

/* ---- state.c: the state directory itself ---- */

/* Open, check and adopt the state directory at files->path. flags: enum air_files_flags. */
enum air_error air_files_state_open(struct air_files *files, unsigned flags);

#endif
