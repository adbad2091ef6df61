/* SPDX-License-Identifier: MIT */
/*
 * What several test programs share: the loop over failing allocations, and assertions on spans.
 * What only one program needs stays there.
 *
 * Invariant: no planned failure is left behind for the next test.
 */

#include "tests/support/allocation.h"

#include <inttypes.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

/* A scenario with more allocations than this is not a unit test's. */
#define RUNS_MAX 100000

void air_test_each_allocation(enum air_error (*scenario)(void *context), void *context) {
    for (uint64_t n = 1; n <= RUNS_MAX; n++) {
        int64_t live_before = air_memory_live();
        uint64_t count_before = air_memory_count();
        air_memory_fail_at(n);
        enum air_error error = scenario(context);
        air_memory_fail_at(0);
        if (air_memory_live() != live_before) {
            fail_msg("allocation %" PRIu64 " failing: blocks leaked", n);
        }
        if (air_memory_count() - count_before < n) {
            assert_int_equal(error, AIR_OK);
            return;
        }
        if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) {
            fail_msg("allocation %" PRIu64 " failing: %s", n, air_error_name(error));
        }
    }
    fail_msg("over %d allocations", RUNS_MAX);
}

void air_test_assert_span(air_span span, const char *text, const char *file, int line) {
    if (!air_span_equal_text(span, text)) {
        print_error("\"%.*s\" is not \"%s\"\n", (int)span.size, (const char *)span.data, text);
        _fail(file, line);
    }
}
