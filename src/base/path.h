/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_PATH_H
#define AIR_BASE_PATH_H

/*
 * The grammar of storage paths, as include/thinair/storage.h states it, for every backend.
 */

#include "thinair/thinair.h"

/* One segment: up to AIR_STORAGE_SEGMENT_SIZE_MAX bytes of [A-Za-z0-9._-], the first not '.'. */
bool air_path_segment_is_valid(air_span segment);

/* A folder's path: segments parted by '/', AIR_STORAGE_PATH_SIZE_MAX bytes at most in all. */
bool air_path_folder_is_valid(air_span path);

/* A record's path: a folder's path whose first segment is not a name that backends reserve. */
bool air_path_is_valid(air_span path);

/* Whether a backend keeps this first segment for itself: "VERSION", "lock". */
bool air_path_is_reserved(air_span segment);

#endif
