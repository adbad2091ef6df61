/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_PRIVILEGE_H
#define AIR_PROGRAM_PRIVILEGE_H

/*
 * Giving up what the program does not need. These change the whole process: only `thinair` itself
 * calls them, never a library.
 */

#include "thinair/buffer.h"

/*
 * From now on: no core dumps, no reading of our memory by other processes of the same user, no new
 * privileges by exec, files closed to others. Failures are of no consequence.
 */
void air_privilege_harden(void);

/*
 * Make the state directory, mode 0700 and owned by user, when it is missing and we are root. One
 * that exists is left as it is: the storage judges it.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (no such user) or AIR_ERR_PERMISSION; reason says what to do.
 */
enum air_error air_privilege_prepare(
    const char *state_dir, const char *user, struct air_buffer *reason);

/*
 * Become user for good: groups, group, user, and proof that root does not come back. Nothing to do
 * when we are that user already.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND or AIR_ERR_PERMISSION; reason says what to do.
 */
enum air_error air_privilege_drop(const char *user, struct air_buffer *reason);

#endif
