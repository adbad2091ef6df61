/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_PAIR_FILES_H
#define THINAIR_PAIR_FILES_H

/*
 * A certificate chain and its private key at two paths that other programs read, replaced together:
 * whatever crashes, and whenever, the two paths hold a matching pair, the old or the new one.
 *
 * Two renames cannot do that. So the pairs are kept, numbered and never changed, in folders of
 * their own, and both paths are links through one link, which is all that is replaced:
 *
 *   <chain_path>          -> <chain_path>.pairs/current/chain.pem
 *   <key_path>            -> <chain_path>.pairs/current/key.pem
 *   <chain_path>.pairs/   (mode 0700)
 *       current           -> 000003
 *       000003/           chain.pem and key.pem (mode 0600), and so on: the latest 8 are kept
 *       next-a, next-b    slots, see air_pair_files_keep()
 *
 * All calls for one pair of paths are made by one process at a time.
 */

#include "thinair/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_pair_files;

enum air_pair_flags {
    AIR_PAIR_SLOTS = 1 /* open the slots, for a process that gives up its privileges */
};

/*
 * Open the directories of both paths, and put right what an earlier process left, in this order:
 *
 * - A current pair that is damaged gives way to the latest numbered one that is whole.
 * - Files at the two paths that are not our links: a matching pair becomes a numbered one, and then
 *   each path becomes a link to the same content. Others are renamed to "<path>.old.0" (.1, and so
 *   on): a chain without its key is of no use to anybody.
 * - The latest whole slot becomes the current pair. A slot that was cut short or does not match is
 *   renamed to "bad-a" or "bad-b" in the folder, and never used.
 *
 * chain_path, key_path  Terminated, absolute, in directories that are there and in which nobody but
 *                       this user and root can write.
 * flags   enum air_pair_flags, or 0.
 * out     Yours: air_pair_files_close().
 * reason  On failure a sentence that names the path and says what to change; may be NULL.
 *
 * Returns AIR_OK, or
 *   AIR_ERR_NOT_FOUND   a directory does not exist: it is not made.
 *   AIR_ERR_PERMISSION  a directory is open to others, or may not be written.
 *   AIR_ERR_EXISTS      one of the paths is a directory.
 *   AIR_ERR_STORAGE, AIR_ERR_STORAGE_FULL  the file system failed.
 *   AIR_ERR_LIMIT       a path is longer than 1024 bytes.
 *   AIR_ERR_ARGUMENT    a path is not absolute, names no file, or both are one.
 *   AIR_ERR_NO_MEMORY
 */
AIR_API AIR_MUST_CHECK enum air_error air_pair_files_open(const char *chain_path,
    const char *key_path, unsigned flags, struct air_pair_files **out, struct air_buffer *reason);
AIR_API void air_pair_files_close(struct air_pair_files *files);

/*
 * Make a pair the current one, durably; with AIR_OK both paths hold it. It needs the privileges
 * that open needed. The current pair given again changes nothing.
 *
 * chain, key  PEM, leaf first; they must fit each other.
 * reason      As in open.
 *
 * Returns AIR_OK, AIR_ERR_BAD_CERTIFICATE (not a chain with its key), AIR_ERR_LIMIT (over
 * AIR_CHAIN_SIZE_MAX or AIR_KEY_PEM_SIZE_MAX), or what open answers. After AIR_ERR_STORAGE the pair
 * may be current or not.
 */
AIR_API AIR_MUST_CHECK enum air_error air_pair_files_put(
    struct air_pair_files *files, air_span chain, air_span key, struct air_buffer *reason);

/*
 * Keep a pair for the next process that opens the files, in the slot that holds the older one. It
 * needs no privileges: the slot was opened before. The two paths do not change.
 *
 * Errors as air_pair_files_put(), and AIR_ERR_STATE: opened without AIR_PAIR_SLOTS. After a failure
 * the other slot holds what it held.
 */
AIR_API AIR_MUST_CHECK enum air_error air_pair_files_keep(
    struct air_pair_files *files, air_span chain, air_span key, struct air_buffer *reason);

/*
 * Append the current pair. It needs the privileges that open needed.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (there is none yet), AIR_ERR_BAD_CERTIFICATE (somebody changed
 * it: the next open puts it right), AIR_ERR_STORAGE, AIR_ERR_PERMISSION or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_pair_files_read(
    struct air_pair_files *files, struct air_buffer *chain, struct air_buffer *key);

#ifdef __cplusplus
}
#endif

#endif
