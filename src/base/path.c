/* SPDX-License-Identifier: MIT */
/*
 * The grammar of storage paths. Kept apart from the backends, so that all of them refuse the same.
 *
 * Invariant: a valid path cannot leave the folder it is relative to, names no hidden file, and is
 * spelled in one way only.
 */

#include "src/base/path.h"

#include "src/base/span.h"
#include "thinair/storage.h"

static bool is_path_byte(uint8_t byte);

bool air_path_segment_is_valid(air_span segment) {
    if (segment.size == 0 || segment.size > AIR_STORAGE_SEGMENT_SIZE_MAX ||
        segment.data[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < segment.size; i++) {
        if (!is_path_byte(segment.data[i])) {
            return false;
        }
    }
    return true;
}

bool air_path_folder_is_valid(air_span path) {
    if (path.size == 0 || path.size > AIR_STORAGE_PATH_SIZE_MAX) {
        return false;
    }
    air_span segment;
    while (air_span_next(&path, '/', &segment)) {
        if (!air_path_segment_is_valid(segment)) {
            return false;
        }
    }
    return true;
}

bool air_path_is_valid(air_span path) {
    return air_path_folder_is_valid(path) &&
           !air_path_is_reserved(air_span_take(path, air_span_find(path, '/')));
}

bool air_path_is_reserved(air_span segment) {
    return air_span_equal_text(segment, "VERSION") || air_span_equal_text(segment, "lock");
}

static bool is_path_byte(uint8_t byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}
