/* SPDX-License-Identifier: MIT */
#ifndef AIR_STORAGE_SNAPSHOT_H
#define AIR_STORAGE_SNAPSHOT_H

/*
 * The parts of the snapshot storage, bottom up: what failed, the folder, the two files, the port.
 */

#include <pthread.h>

#include "backends/storage_snapshot/records.h"
#include "thinair/snapshot_storage.h"

/* Longest path of a folder, in bytes, and longest sentence. */
#define AIR_SNAPSHOT_PATH_SIZE_MAX 1024
#define AIR_SNAPSHOT_SENTENCE_SIZE (AIR_SNAPSHOT_PATH_SIZE_MAX + 256)

#define AIR_SNAPSHOT_FILES_COUNT 2

/* Threads whose last failure is remembered. */
#define AIR_SNAPSHOT_FAILURES_MAX 16

struct air_snapshot_failure {
    pthread_t thread;
    const char *name; /* in the folder; "": the folder itself; NULL: no failure */
    const char *text;
    int number; /* errno, or 0 */
};

struct air_snapshot_held {
    struct air_snapshot_held *next;
    size_t path_size;
    uint8_t path[];
};

struct air_snapshot {
    struct air_storage port;
    pthread_mutex_t change; /* held by a write from its guard to its end */
    pthread_mutex_t view;   /* guards records, locks and failures; taken after change */
    struct air_snapshot_records records;
    struct air_snapshot_held *locks;
    struct air_snapshot_failure failures[AIR_SNAPSHOT_FAILURES_MAX];
    size_t failures_next;

    int folder; /* while it is opened; -1 afterwards */
    int lock;
    int files[AIR_SNAPSHOT_FILES_COUNT];
    uint64_t number;  /* of the newest image */
    size_t current;   /* the file that holds it; the next one goes to the other */
    unsigned damaged; /* a bit for each file that was set aside */
    size_t path_size;
    char path[];
};

/* ---- failure.c: why, for people ---- */

/* Note a failed call and say what its errno means to callers. name and text are static. */
enum air_error air_snapshot_fail(
    struct air_snapshot *snapshot, const char *name, const char *text, int number);

/* Note a refusal of our own; returns error. */
enum air_error air_snapshot_refuse(
    struct air_snapshot *snapshot, const char *name, const char *text, enum air_error error);

/* The sentence about this thread's last failure; at most size bytes, terminated. */
void air_snapshot_explain(struct air_snapshot *snapshot, char *out, size_t size);

/* ---- folder.c: the folder is ours alone ---- */

/* Make it when it is missing, open it, judge it. */
enum air_error air_snapshot_folder_open(struct air_snapshot *snapshot);

/* Make a new name in it durable. */
enum air_error air_snapshot_folder_sync(struct air_snapshot *snapshot);

/* Open a file in it, made when missing, and judge it. out: a descriptor. */
enum air_error air_snapshot_folder_file(struct air_snapshot *snapshot, const char *name, int *out);

/* ---- files.c: what the two files hold ---- */

/* Take the kernel's lock, open both files, load the newest whole image, set others aside. */
enum air_error air_snapshot_files_open(struct air_snapshot *snapshot);

/* Write an image into the older file, durably. On failure it holds no image. */
enum air_error air_snapshot_files_write(struct air_snapshot *snapshot, air_span image);

/* Close all that is open. */
void air_snapshot_files_close(struct air_snapshot *snapshot);

#endif
