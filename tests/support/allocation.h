/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_ALLOCATION_H
#define AIR_TEST_SUPPORT_ALLOCATION_H

/* Running a scenario with each of its allocations failing in turn. */

#include "thinair/thinair.h"

/*
 * Run the scenario with its first allocation failing, then its second, until a run has fewer.
 *
 * A scenario cleans up after itself and returns what the code under test returned. Asserted for
 * every run: as many blocks live after it as before, and AIR_OK or AIR_ERR_NO_MEMORY as its result;
 * for the last run: AIR_OK.
 */
void air_test_each_allocation(enum air_error (*scenario)(void *context), void *context);

#endif
