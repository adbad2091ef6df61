/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_SNAPSHOT_STORAGE_H
#define THINAIR_SNAPSHOT_STORAGE_H

/*
 * The storage port in memory, with its whole content kept in two files that are opened once: for a
 * process that starts as root, gives that up, and can make nothing in its directory any more.
 *
 * Each write of the port goes as one step: all its puts or none. The whole content is written into
 * the older of the two files and flushed before AIR_OK is answered, so that the other one holds the
 * state before at every moment. It is meant for hundreds of records; a write costs what all of them
 * weigh.
 */

#include "thinair/storage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Records, paths and their overhead in all; a write beyond it is AIR_ERR_STORAGE_FULL. */
#define AIR_SNAPSHOT_SIZE_MAX 16777216

/*
 * Open the snapshots of a folder and load the newest that is whole.
 *
 * The folder is made (one level, mode 0700) when it is missing. It must belong to the calling user
 * or root and be closed to others, and nobody else may be able to rename what is above it. In it
 * are `snapshot-a`, `snapshot-b` and `lock`, which a kernel lock is held on until the storage is
 * freed or the process ends: remove none of them while it runs. After this call nothing is opened,
 * made or renamed; write, flush and truncate on the open files is all that is done. Open it after
 * the host's forks: a child would share the files and the lock.
 *
 * A snapshot that is truncated or damaged is renamed to `snapshot-a.bad.1` (to `.9`, which the next
 * one replaces) and never used. A torn write of a process that died leaves such a one; what it had
 * not answered is then missing, and nothing else. With no whole one the storage is empty.
 *
 * path    Terminated; of the folder.
 * out     Yours: air_storage_snapshot_free().
 * reason  On failure a sentence that names the path and says what to do; on AIR_OK one for what was
 *         set aside, or nothing. May be NULL.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_NOT_FOUND    the directory above it does not exist.
 *   AIR_ERR_PERMISSION   the folder or a file in it belongs to another user, is open to others, or
 *                        is a link; or a directory above may be written by others.
 *   AIR_ERR_UNSUPPORTED  a snapshot is of a later thinair, or the folder is not one of snapshots.
 *   AIR_ERR_BUSY         it is in use, by another process or by this one.
 *   AIR_ERR_STORAGE, AIR_ERR_STORAGE_FULL  the file system failed.
 *   AIR_ERR_LIMIT        the path is longer than 1024 bytes.
 *   AIR_ERR_ARGUMENT     the path is empty.
 *   AIR_ERR_NO_MEMORY
 *
 * A write also answers AIR_ERR_STORAGE when somebody removed the file it went to. After any failed
 * write the storage is as before it. Where the process may meet a limit of file sizes
 * (RLIMIT_FSIZE), it must ignore SIGXFSZ to be told.
 */
AIR_API AIR_MUST_CHECK enum air_error air_storage_snapshot_new(
    const char *path, struct air_storage **out, struct air_buffer *reason);
AIR_API void air_storage_snapshot_free(struct air_storage *storage);

#ifdef __cplusplus
}
#endif

#endif
