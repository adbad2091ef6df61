/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_CLOCK_H
#define AIR_DRIVER_CLOCK_H

/* The only place that reads the machine's clocks for the engine. */

#include "thinair/thinair.h"

/* Both clocks. */
struct air_time air_clock_now(void);

/* The one that never steps back, alone. */
air_time_ms air_clock_boot_ms(void);

#endif
