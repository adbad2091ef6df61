/* SPDX-License-Identifier: MIT */
/*
 * Sleepable read-copy-update with two phases of counters (as Linux's SRCU). A reader adds itself to
 * the counter of the present phase, then follows pointers. A writer first unlinks, then sees each
 * counter of both phases at zero once; only then may it free.
 *
 * Why that suffices: all these operations, and the loads and stores of the links themselves, are
 * sequentially consistent. A reader that counted itself before the writer saw its counter at zero
 * has left; one that counted itself after it loads links after the unlinking. Turning the phase
 * before looking keeps new readers off the counter that is looked at, so the wait ends.
 */

#include "tls/readers.h"

#include <time.h>

/* Sections last nanoseconds; only one whose thread was preempted inside is waited for. */
#define RECHECK_NS 20000

static void wait_for_phase(struct air_readers *readers, unsigned phase);

struct air_reader air_readers_enter(struct air_readers *readers, const void *spread) {
    uintptr_t address = (uintptr_t)spread;
    size_t stripe = (address >> 6 ^ address >> 12) % AIR_READERS_STRIPES;
    unsigned phase = atomic_load(&readers->phase) & 1;
    struct air_reader reader = {&readers->stripes[stripe].count[phase]};

    atomic_fetch_add(reader.count, 1);
    return reader;
}

void air_readers_leave(struct air_reader reader) {
    atomic_fetch_sub(reader.count, 1);
}

void air_readers_wait(struct air_readers *readers) {
    for (int turn = 0; turn < 2; turn++) {
        wait_for_phase(readers, atomic_fetch_xor(&readers->phase, 1) & 1);
    }
}

static void wait_for_phase(struct air_readers *readers, unsigned phase) {
    const struct timespec pause = {0, RECHECK_NS};

    for (size_t i = 0; i < AIR_READERS_STRIPES; i++) {
        while (atomic_load(&readers->stripes[i].count[phase]) != 0) {
            (void)nanosleep(&pause, NULL);
        }
    }
}
