/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_REMOTE_H
#define AIR_KEEPER_REMOTE_H

/*
 * The crypto port of a server whose account keys are kept elsewhere: see air_keeper_crypto().
 */

#include "thinair/crypto.h"

struct air_remote;

/* out: yours, air_remote_free(). AIR_ERR_NO_MEMORY. */
enum air_error air_remote_new(struct air_crypto *local, struct air_remote **out);
void air_remote_free(struct air_remote *remote);

struct air_crypto *air_remote_crypto(struct air_remote *remote);

/* The keeper's number of the key behind a handle. AIR_ERR_ARGUMENT: not a remote key. */
enum air_error air_remote_number(struct air_remote *remote, uint64_t handle, uint32_t *number);

#endif
