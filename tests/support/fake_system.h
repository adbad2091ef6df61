/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_SYSTEM_H
#define AIR_TEST_SUPPORT_FAKE_SYSTEM_H

/*
 * System calls for the file storage that a test can watch and fail. Each passes a hook, then goes
 * to the kernel, then passes another.
 */

#include "backends/storage_file/system.h"

enum air_fake_kind {
    AIR_FAKE_OPEN,
    AIR_FAKE_OPEN_BENEATH,
    AIR_FAKE_MAKE_FOLDER,
    AIR_FAKE_RENAME,
    AIR_FAKE_REMOVE,
    AIR_FAKE_STATUS,
    AIR_FAKE_STATUS_AT,
    AIR_FAKE_READ,
    AIR_FAKE_WRITE,
    AIR_FAKE_ENTRIES,
    AIR_FAKE_SYNC,
    AIR_FAKE_CLOSE,
    AIR_FAKE_LOCK,
    AIR_FAKE_PAUSE
};

/* One call; what a kind does not have is zero. */
struct air_fake_call {
    enum air_fake_kind kind;
    int file;         /* or the folder that name is in */
    const char *name; /* or path */
    const char *to;   /* the new name of a rename */
    int flags;        /* of open and remove; the type of a lock */
    const void *data; /* of a write */
    size_t size;
    int64_t offset;
    int64_t answer; /* in the after hook: the kernel's, or the one that before gave */
};

struct air_fake_system {
    struct air_files_system table;
    void *owner;

    /* Syncs do not reach the disk: for tests of what happens, not of what is durable. */
    bool is_swift;

    /* A negative errno: answer this and do not call the kernel (a close is made all the same).
     */
    int (*before)(void *owner, const struct air_fake_call *call); /* may be NULL */
    void (*after)(void *owner, const struct air_fake_call *call); /* may be NULL */
};

void air_fake_system_init(struct air_fake_system *fake, void *owner,
    int (*before)(void *owner, const struct air_fake_call *call),
    void (*after)(void *owner, const struct air_fake_call *call));

#endif
