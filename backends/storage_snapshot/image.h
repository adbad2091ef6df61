/* SPDX-License-Identifier: MIT */
#ifndef AIR_STORAGE_SNAPSHOT_IMAGE_H
#define AIR_STORAGE_SNAPSHOT_IMAGE_H

/*
 * What a snapshot looks like: one image of all records, with its number, its size and a checksum.
 */

#include "backends/storage_snapshot/records.h"

/* Append the image of these records. AIR_ERR_LIMIT: over AIR_SNAPSHOT_SIZE_MAX. */
enum air_error air_snapshot_image_write(
    const struct air_snapshot_records *records, uint64_t number, struct air_buffer *out);

/*
 * Read one.
 *
 * out  Yours on AIR_OK: air_snapshot_records_deinit().
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED (not whole), AIR_ERR_UNSUPPORTED (whole, of a later thinair) or
 * AIR_ERR_NO_MEMORY.
 */
enum air_error air_snapshot_image_read(
    air_span image, struct air_snapshot_records *out, uint64_t *number);

#endif
