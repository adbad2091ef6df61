/* SPDX-License-Identifier: MIT */
/*
 * Times from times. No state, no randomness: the spread comes from the certificate's id, so that a
 * fleet that was restored from one backup does not renew in one second. All arithmetic saturates or
 * is bounded beforehand (R-C1, R-C7): lives come from certificates, which may say year 9999 or have
 * an end before their beginning.
 */

#include "src/engine/schedule.h"

#define SPREAD_STEPS 1000

uint64_t air_schedule_spread(air_span id, enum air_key_type key_type) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < id.size; i++) {
        hash = (hash ^ id.data[i]) * 1099511628211u;
    }
    hash = (hash ^ (uint64_t)key_type) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static air_time_ms life_of(air_time_ms not_before_ms, air_time_ms not_after_ms) {
    return not_after_ms > not_before_ms ? not_after_ms - not_before_ms : 0;
}

air_time_ms air_schedule_renewal(air_time_ms not_before_ms, air_time_ms not_after_ms,
    air_time_ms renew_before_ms, uint64_t spread) {
    const air_time_ms life_ms = life_of(not_before_ms, not_after_ms);
    if (renew_before_ms > 0) {
        const air_time_ms latest_ms = life_ms - life_ms / 10;
        return not_after_ms - (renew_before_ms < latest_ms ? renew_before_ms : latest_ms);
    }
    if (life_ms == 0) {
        return not_after_ms; /* a beginning in the far future is no reason to wait */
    }
    const air_time_ms begin_ms = life_ms < 10 * AIR_DAY_MS ? life_ms / 2 : life_ms / 3 * 2;
    const air_time_ms step = (air_time_ms)(spread % SPREAD_STEPS);
    return not_before_ms + begin_ms + life_ms / 20 / SPREAD_STEPS * step;
}

air_time_ms air_schedule_warning(air_time_ms not_before_ms, air_time_ms not_after_ms) {
    return not_after_ms - life_of(not_before_ms, not_after_ms) / 10;
}

air_time_ms air_schedule_retry(enum air_failure failure, uint32_t failures_count,
    air_time_ms life_left_ms, air_time_ms retry_after_ms, uint64_t spread) {
    air_time_ms wait_ms = AIR_RETRY_MAX_MS;
    if (failure != AIR_FAILURE_PERMANENT && failures_count < 6) {
        wait_ms = AIR_RETRY_MIN_MS;
        for (uint32_t i = 1; i < failures_count; i++) {
            wait_ms *= 4;
        }
    }
    if (life_left_ms > 0 && wait_ms > life_left_ms / 5) {
        wait_ms = life_left_ms / 5;
    }
    if (wait_ms > AIR_RETRY_MAX_MS) {
        wait_ms = AIR_RETRY_MAX_MS;
    }
    const air_time_ms step = (air_time_ms)((spread ^ failures_count) % SPREAD_STEPS);
    wait_ms -= wait_ms / 10 / SPREAD_STEPS * step;
    if (wait_ms < AIR_RETRY_MIN_MS) {
        wait_ms = AIR_RETRY_MIN_MS;
    }
    return retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
}

air_time_ms air_schedule_poll(air_time_ms base_ms, unsigned try_count, air_time_ms max_ms) {
    air_time_ms wait_ms = base_ms;
    for (unsigned i = 1; i < try_count && wait_ms < max_ms; i++) {
        wait_ms *= 2;
    }
    return wait_ms < max_ms ? wait_ms : max_ms;
}
