/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_FILES_H
#define THINAIR_FILES_H

/*
 * The storage port on files that people can read: one record, one file, below a state directory of
 * mode 0700.
 */

#include "thinair/storage.h"

#ifdef __cplusplus
extern "C" {
#endif

enum air_files_flags {
    AIR_FILES_CREATE = 1,   /* make the directory (one level) and VERSION when missing */
    AIR_FILES_READ_ONLY = 2 /* refuse write and lock with AIR_ERR_PERMISSION */
};

/*
 * Open a state directory.
 *
 * The directory is opened once; everything later is relative to that handle, without following
 * links. It must belong to the calling user (or root) and be closed to others, and nobody else may
 * be able to rename the directories above it; a file found open to others, hard-linked or not
 * regular is refused when read. Leftover temporary files are removed: those of a process that died
 * by the next writer, others in the first few hundred folders.
 *
 * Locks are the kernel's, on the file `lock` in the directory: never remove it while a process
 * runs. A fork's child may go on using the storage, but holds none of its parent's locks. A child
 * that neither uses nor frees it keeps its dead parent's locks alive until it ends or calls exec.
 * Do not fork while another thread is inside a method.
 *
 * path    Terminated; absolute or relative to the working directory at this moment.
 * flags   enum air_files_flags, or 0. Both together are refused. A file system that is read-only or
 * full can be opened with AIR_FILES_READ_ONLY.
 * out     Yours: air_storage_files_free(), which releases its locks.
 * reason  On failure a sentence that names the path, what is wrong and what to do; may be NULL.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_NOT_FOUND    it does not exist and AIR_FILES_CREATE was not given, or the directory
 *                        above it does not exist.
 *   AIR_ERR_PERMISSION   it belongs to another user, is open to others, is a link, or may not be
 *                        opened; or a directory above it may be written by others.
 *   AIR_ERR_UNSUPPORTED  its VERSION is of a later thinair, or it is not a state directory: without
 *                        VERSION, and AIR_FILES_CREATE not given or files of others in it.
 *   AIR_ERR_STORAGE, AIR_ERR_STORAGE_FULL  the file system failed.
 *   AIR_ERR_BUSY         it is new, and another process that sets it up does not end.
 *   AIR_ERR_LIMIT        the path is longer than 1024 bytes.
 *   AIR_ERR_ARGUMENT     wrong flags or an empty path.
 *   AIR_ERR_NO_MEMORY    nothing changed.
 */
AIR_API AIR_MUST_CHECK enum air_error air_storage_files_new(
    const char *path, unsigned flags, struct air_storage **out, struct air_buffer *reason);
AIR_API void air_storage_files_free(struct air_storage *storage);

#ifdef __cplusplus
}
#endif

#endif
