/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_DUTY_H
#define AIR_KEEPER_DUTY_H

/*
 * What the keeper's process has, and how it carries out one action with it.
 */

#include "backends/keeper/vault.h"
#include "thinair/action.h"
#include "thinair/keeper.h"
#include "thinair/pair_files.h"

#define AIR_DUTY_PAIRS_MAX 256

struct air_duty_pair {
    char folder[AIR_STORAGE_PATH_SIZE_MAX]; /* "live/example.net/ecdsa-p256/" */
    struct air_pair_files *files;
};

struct air_duty {
    struct air_storage *storage;
    struct air_crypto *crypto;
    struct air_vault vault;
    struct air_duty_pair pairs[AIR_DUTY_PAIRS_MAX];
    size_t pairs_count;
};

/* Open a pair's files; what the storage has for it becomes the current pair. */
enum air_error air_duty_add_pair(
    struct air_duty *duty, const struct air_keeper_pair *pair, struct air_buffer *reason);

/* Carry out an action and append the answer's content (channel.h). False: nobody may ask for that,
 * or there is no memory even to say so. */
bool air_duty_carry_out(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer);

#endif
