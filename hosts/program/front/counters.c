/* SPDX-License-Identifier: MIT */
/*
 * Adds to counters and subtracts from them. Relaxed: nothing is ordered by a count, and whoever
 * reads several of them gets no common instant.
 */

#include "hosts/program/front/counters.h"

void air_front_count(_Atomic uint64_t *counter, uint64_t more) {
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void air_front_uncount(_Atomic uint64_t *counter, uint64_t less) {
    atomic_fetch_sub_explicit(counter, less, memory_order_relaxed);
}
