/* SPDX-License-Identifier: MIT */
#ifndef AIR_FRONT_COUNTERS_H
#define AIR_FRONT_COUNTERS_H

/*
 * The counters behind air_front_counts(): written by every worker, read by anyone. Relaxed: nothing
 * is ordered by them.
 */

#include <stdatomic.h>
#include <stdint.h>

struct air_front_counters {
    _Atomic uint64_t accepted;
    _Atomic uint64_t handshakes_done;
    _Atomic uint64_t handshakes_failed;
    _Atomic uint64_t challenges;
    _Atomic uint64_t backend_failures;
    _Atomic uint64_t unrouted;
    _Atomic uint64_t idle_closed;
    _Atomic uint64_t accept_pauses;
    _Atomic uint64_t received_size;
    _Atomic uint64_t sent_size;
    _Atomic uint64_t active;
    _Atomic uint64_t held;
    _Atomic uint64_t queued_size;
};

void air_front_count(_Atomic uint64_t *counter, uint64_t more);
void air_front_uncount(_Atomic uint64_t *counter, uint64_t less);

#endif
