/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_PREFIX_H
#define AIR_TEST_SUPPORT_PREFIX_H

/* The rule that crash and fault tests check: some prefix of all puts holds, each of them whole. */

#include "thinair/storage.h"

/*
 * Whether the records that puts name are in the storage as after the first k puts, with some k from
 * least_count to most_count. Records are read through the port; one that cannot be read is a
 * breach.
 */
bool air_prefix_holds(struct air_storage *storage, const struct air_put *puts, size_t least_count,
    size_t most_count, size_t puts_count);

#endif
