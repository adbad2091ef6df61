/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_CHILD_H
#define AIR_KEEPER_CHILD_H

#include "thinair/keeper.h"

/* The whole life of the keeper's process, in the child of a fork. Does not return. */
__attribute__((noreturn)) void air_keeper_child_run(
    int socket, const struct air_keeper_config *config);

#endif
