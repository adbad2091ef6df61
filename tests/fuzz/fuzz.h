/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_FUZZ_FUZZ_H
#define AIR_TEST_FUZZ_FUZZ_H

/*
 * The one function of a fuzz target. The fuzz preset builds it under libFuzzer's name for it; in
 * every other preset replay.c calls it with each file of the target's corpus.
 */

#include "thinair/thinair.h"

/* Ends the process when a promise of the code under test is broken. Returns 0. */
int air_fuzz_one(const uint8_t *data, size_t size);

/* A promise: what must hold for every input. */
void air_fuzz_check(bool holds, const char *promise);

/* Whether part lies within whole, or has no bytes. */
bool air_fuzz_is_within(air_span part, const uint8_t *whole, size_t whole_size);

#endif
