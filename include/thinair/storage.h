/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_STORAGE_H
#define THINAIR_STORAGE_H

/*
 * The storage port: where accounts, keys, orders and certificates are kept.
 *
 * The engine never calls it: it hands out read, write, list, lock and unlock actions, and the host
 * carries them out with a backend, usually on a worker thread. Methods are called by any thread,
 * also at the same time.
 *
 * Paths are made of the engine's own ids: 1 to AIR_STORAGE_PATH_SIZE_MAX bytes of [A-Za-z0-9._-] in
 * segments parted by '/'. No segment is empty, longer than AIR_STORAGE_SEGMENT_SIZE_MAX, or begins
 * with '.'; the first is neither "VERSION" nor "lock", which belong to the backends. A backend
 * refuses others with AIR_ERR_ARGUMENT. A path is a record or a folder of records, never both.
 *
 * Durability: when write answers AIR_OK, its puts survive a power cut. After a crash in the middle,
 * some prefix of the puts holds, each of them whole.
 */

#include "thinair/buffer.h"
#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AIR_STORAGE_PATH_SIZE_MAX 512

/* The longest name that the file systems in use take. */
#define AIR_STORAGE_SEGMENT_SIZE_MAX 255

#define AIR_STORAGE_VALUE_SIZE_MAX 262144

/* At most so many puts in one write, and so many paths in one read. */
#define AIR_STORAGE_PUTS_MAX 32

/* One change of one record. */
struct air_put {
    air_span path;
    air_span value; /* unused when is_delete */
    bool is_delete; /* remove the record; one that does not exist is no error */
};

/*
 * A condition on a whole write: the record at path has this version, as read gave it; 0: it does
 * not exist. An empty path means no condition.
 */
struct air_guard {
    air_span path;
    uint64_t version;
};

struct air_storage {
    size_t size; /* sizeof(struct air_storage) */
    void *self;

    /*
     * Append a record's value to out and tell its version (not 0).
     * AIR_ERR_NOT_FOUND: no such record. AIR_ERR_LIMIT: longer than out takes or than
     * AIR_STORAGE_VALUE_SIZE_MAX. AIR_ERR_PERMISSION: it exists but is open to others, or belongs
     * to another user. AIR_ERR_STORAGE: it could not be read. On failure nothing was appended.
     */
    enum air_error (*read)(void *self, air_span path, struct air_buffer *out, uint64_t *version);

    /*
     * Carry out the puts in order; each is durable before the next begins to be visible. guard may
     * be NULL: no condition.
     * AIR_ERR_CONFLICT: the guard does not hold; nothing was written. AIR_ERR_LIMIT: more than
     * AIR_STORAGE_PUTS_MAX puts, or a value longer than AIR_STORAGE_VALUE_SIZE_MAX; nothing was
     * written. AIR_ERR_BUSY: another process is in the middle of a write and does not end it;
     * nothing was written. AIR_ERR_EXISTS: a put's path is a folder, or leads through a record.
     * AIR_ERR_STORAGE_FULL, AIR_ERR_STORAGE, AIR_ERR_PERMISSION: the storage refused. After these
     * four a prefix of the puts may have been carried out.
     */
    enum air_error (*write)(
        void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);

    /*
     * Call visit with each next segment below prefix, in byte order, that is greater than after
     * (empty: from the start), until visit returns false. prefix names a folder, without a '/' at
     * its end; empty is the top. One that does not exist has no segments. visit must not call the
     * storage.
     */
    enum air_error (*list)(void *self, air_span prefix, air_span after,
        bool (*visit)(void *context, air_span segment), void *context);

    /*
     * Take the lock of that name, held until unlock or until the process ends, and never by two
     * processes or two storages at once. fence grows with every holder where the backend can tell,
     * else 1. path is only a name: no record of that path is needed. AIR_ERR_BUSY: held, by this
     * storage too. unlock answers AIR_ERR_STATE when this storage does not hold it.
     */
    enum air_error (*lock)(void *self, air_span path, uint64_t *fence);
    enum air_error (*unlock)(void *self, air_span path);

    /* A sentence about the last failure in this thread's call, for the operator ("/var/lib/thinair:
     * Permission denied"); copies at most size bytes, terminated. May be NULL in a backend that has
     * nothing to say. */
    void (*explain)(void *self, char *out, size_t size);
};

#ifdef __cplusplus
}
#endif

#endif
