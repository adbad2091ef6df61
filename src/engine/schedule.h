/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_SCHEDULE_H
#define AIR_ENGINE_SCHEDULE_H

/*
 * When to renew, when to try again, when to warn: pure functions of times (DESIGN section 4, "When
 * to renew").
 */

#include "thinair/thinair.h"

#define AIR_MINUTE_MS ((air_time_ms)60 * 1000)
#define AIR_HOUR_MS (60 * AIR_MINUTE_MS)
#define AIR_DAY_MS (24 * AIR_HOUR_MS)

/* Bounds of the pause after a failed attempt. */
#define AIR_RETRY_MIN_MS AIR_MINUTE_MS
#define AIR_RETRY_MAX_MS (12 * AIR_HOUR_MS)

/* A number that spreads lineages over time: the same for the same id and key type, on every
 * machine. */
uint64_t air_schedule_spread(air_span id, enum air_key_type key_type);

/*
 * The wall time to renew at. renew_before_ms over 0 counts back from the end, but never into the
 * first tenth of the life; else 2/3 of the life, 1/2 if it is under ten days, and up to a twentieth
 * of it later by spread (R-C5).
 */
air_time_ms air_schedule_renewal(air_time_ms not_before_ms, air_time_ms not_after_ms,
    air_time_ms renew_before_ms, uint64_t spread);

/* The wall time at which the last tenth of the life begins. */
air_time_ms air_schedule_warning(air_time_ms not_before_ms, air_time_ms not_after_ms);

/* Why an attempt failed, as far as the next one's time depends on it. */
enum air_failure {
    AIR_FAILURE_TRANSIENT, /* network, storage, the CA's own trouble */
    AIR_FAILURE_ORDER,     /* a validation failed, the order is lost */
    AIR_FAILURE_PERMANENT  /* until a person changes something */
};

/*
 * How long to wait after a failed attempt, jittered by a tenth by spread.
 *
 * failures_count  Including this one; any number (R-C1).
 * life_left_ms    Of the certificate that is served; 0 or less: there is none. With one, the pause
 * is at most a fifth
 *                 of what is left, so that even a short life gets many tries.
 * retry_after_ms  What the CA asked for; -1: nothing.
 *
 * Never under AIR_RETRY_MIN_MS, never over AIR_RETRY_MAX_MS unless the CA asked for more.
 */
air_time_ms air_schedule_retry(enum air_failure failure, uint32_t failures_count,
    air_time_ms life_left_ms, air_time_ms retry_after_ms, uint64_t spread);

/* The pause before the try-th repetition (from 1) of a request: doubles from base_ms to at most
 * max_ms. */
air_time_ms air_schedule_poll(air_time_ms base_ms, unsigned try_count, air_time_ms max_ms);

#endif
