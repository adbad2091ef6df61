/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_PERIOD_H
#define AIR_PROGRAM_PERIOD_H

/*
 * Lengths of time as people write them: "30d", "12h", "90m", "45s".
 */

#include "thinair/thinair.h"

/* Longest accepted: no certificate lives longer. */
#define AIR_PERIOD_DAYS_MAX 3650

/* One number from 1 and one unit. AIR_ERR_MALFORMED otherwise, AIR_ERR_LIMIT beyond the longest. */
enum air_error air_period_read(air_span text, air_time_ms *out);

#endif
