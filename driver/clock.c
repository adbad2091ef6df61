/* SPDX-License-Identifier: MIT */
/*
 * The machine's clocks, as the engine wants them.
 *
 * What time means is the engine's business. Invariant: boot_ms counts through suspension, so that
 * a deadline that passed while the machine slept is seen as passed.
 */
#include "driver/clock.h"

#include <time.h>

#define MS_PER_S 1000
#define NS_PER_MS 1000000

static air_time_ms read_ms(clockid_t id);

struct air_time air_clock_now(void) {
    return (struct air_time){.wall_ms = read_ms(CLOCK_REALTIME), .boot_ms = air_clock_boot_ms()};
}

air_time_ms air_clock_boot_ms(void) {
    return read_ms(CLOCK_BOOTTIME);
}

static air_time_ms read_ms(clockid_t id) {
    struct timespec at = {0};

    clock_gettime(id, &at); /* fails only for clocks that do not exist */
    return (air_time_ms)at.tv_sec * MS_PER_S + at.tv_nsec / NS_PER_MS;
}
