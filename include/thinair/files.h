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
 * links. It must belong to the calling user (or root) and be closed to others; a file found open to
 * others, hard-linked or not regular is refused when read. Leftover temporary files are removed.
 *
 * path    Terminated; absolute or relative to the working directory at this moment.
 * out     Yours: air_storage_files_free().
 * reason  On failure a sentence that names the path, what is wrong and what to do; may be NULL.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_NOT_FOUND    it does not exist and AIR_FILES_CREATE was not given.
 *   AIR_ERR_PERMISSION   it belongs to another user, is open to others, or may not be opened.
 *   AIR_ERR_UNSUPPORTED  its VERSION is of a later thinair, or it is not a state directory.
 *   AIR_ERR_STORAGE      the file system failed.
 */
AIR_API AIR_MUST_CHECK enum air_error air_storage_files_new(
    const char *path, unsigned flags, struct air_storage **out, struct air_buffer *reason);
AIR_API void air_storage_files_free(struct air_storage *storage);

#ifdef __cplusplus
}
#endif

#endif
