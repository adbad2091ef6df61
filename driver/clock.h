/* SPDX-License-Identifier: MIT */
#ifndef AIR_DRIVER_CLOCK_H
#define AIR_DRIVER_CLOCK_H

/* The only place that reads the machine's clocks for the engine. */

#include <time.h>

#include "thinair/thinair.h"

#define AIR_CLOCK_MS_PER_S 1000
#define AIR_CLOCK_NS_PER_MS 1000000

static inline air_time_ms air_clock_read(clockid_t id) {
    struct timespec at = {0};

    clock_gettime(id, &at); /* fails only for clocks that do not exist */
    return (air_time_ms)at.tv_sec * AIR_CLOCK_MS_PER_S + at.tv_nsec / AIR_CLOCK_NS_PER_MS;
}

static inline struct air_time air_clock_now(void) {
    return (struct air_time){
        .wall_ms = air_clock_read(CLOCK_REALTIME),
        .boot_ms = air_clock_read(CLOCK_BOOTTIME),
    };
}

#endif
