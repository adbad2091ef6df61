/* SPDX-License-Identifier: MIT */
/*
 * What fuzz targets share: saying which promise is broken. The sanitizers see to memory.
 *
 * Invariant: a broken promise ends the process with a signal, which libFuzzer and CTest both see.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

void air_fuzz_check(bool holds, const char *promise) {
    if (!holds) {
        (void)fprintf(stderr, "broken: %s\n", promise);
        abort();
    }
}

bool air_fuzz_is_within(air_span part, const uint8_t *whole, size_t whole_size) {
    return part.size == 0 || (part.data >= whole && part.size <= whole_size &&
                                 (size_t)(part.data - whole) <= whole_size - part.size);
}
