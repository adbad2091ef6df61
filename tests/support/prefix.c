/* SPDX-License-Identifier: MIT */
/*
 * Checking that what a storage holds is what some prefix of a list of puts leaves. Every path is
 * compared on its own for every k, which is slow and plainly right.
 *
 * Invariant: nothing is written.
 */

#include "tests/support/prefix.h"

#include "src/base/span.h"

/* The put that decides what is at path after the first k puts, or NULL. */
static const struct air_put *last_put(const struct air_put *puts, size_t k, air_span path) {
    while (k > 0) {
        k--;
        if (air_span_equal(puts[k].path, path)) {
            return &puts[k];
        }
    }
    return NULL;
}

static bool is_as_put(struct air_storage *storage, air_span path, const struct air_put *put) {
    struct air_buffer value;
    uint64_t version = 0;
    air_buffer_init(&value, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = storage->read(storage->self, path, &value, &version);
    bool is_expected = put == NULL || put->is_delete;
    bool is_equal = is_expected
                        ? error == AIR_ERR_NOT_FOUND
                        : error == AIR_OK && air_span_equal(air_buffer_span(&value), put->value);
    air_buffer_deinit(&value);
    return is_equal;
}

bool air_prefix_holds(struct air_storage *storage, const struct air_put *puts, size_t least_count,
    size_t most_count, size_t puts_count) {
    for (size_t k = least_count; k <= most_count; k++) {
        bool is_equal = true;
        for (size_t i = 0; i < puts_count && is_equal; i++) {
            is_equal = is_as_put(storage, puts[i].path, last_put(puts, k, puts[i].path));
        }
        if (is_equal) {
            return true;
        }
    }
    return false;
}
