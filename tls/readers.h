/* SPDX-License-Identifier: MIT */
#ifndef AIR_TLS_READERS_H
#define AIR_TLS_READERS_H

/*
 * Read sections: how handshakes read the table without waiting for whoever changes it, and how
 * whoever changes it learns that nobody reads what was taken out any more.
 */

#include <stdatomic.h>

#include "thinair/thinair.h"

/* Readers are spread over so many counters, so that processors do not fight over one. */
#define AIR_READERS_STRIPES 16

/* A stripe fills a cache line. */
struct air_readers_stripe {
    atomic_size_t count[2];
    unsigned char padding[64 - 2 * sizeof(atomic_size_t)];
};

/* All zero is a valid state: nobody reads. */
struct air_readers {
    atomic_uint phase;
    unsigned char padding[64 - sizeof(atomic_uint)];
    struct air_readers_stripe stripes[AIR_READERS_STRIPES];
};

/* A section that was entered. */
struct air_reader {
    atomic_size_t *count;
};

/*
 * Enter a section: what is reachable now stays allocated until air_readers_leave(). Never waits. A
 * section is a few instructions: no allocation, no lock, no call that may block.
 *
 * spread  Any address that differs between threads, such as the connection's.
 */
struct air_reader air_readers_enter(struct air_readers *readers, const void *spread);
void air_readers_leave(struct air_reader reader);

/*
 * Wait until every section that may still see what the caller made unreachable has been left. One
 * thread at a time; not from inside a section.
 */
void air_readers_wait(struct air_readers *readers);

#endif
