/* SPDX-License-Identifier: MIT */
#ifndef AIR_STORAGE_SNAPSHOT_RECORDS_H
#define AIR_STORAGE_SNAPSHOT_RECORDS_H

/*
 * The records, in memory. A write makes a second list beside the first, which shares what it does
 * not change; then one of the two goes.
 */

#include "thinair/storage.h"

struct air_snapshot_record {
    uint64_t version;
    size_t path_size;
    size_t value_size;
    bool is_dropped; /* it is not in the list that a write has made */
    uint8_t bytes[]; /* path, then value */
};

/* Sorted by path; no path twice, none a record and a folder. */
struct air_snapshot_records {
    struct air_snapshot_record **items;
    size_t count;
    size_t capacity;
    uint64_t version; /* the last one given */
};

air_span air_snapshot_record_path(const struct air_snapshot_record *record);
air_span air_snapshot_record_value(const struct air_snapshot_record *record);

/* Make an empty list with room for so many. AIR_ERR_NO_MEMORY. */
enum air_error air_snapshot_records_init(struct air_snapshot_records *records, size_t capacity);

/* Wipe and free all of it. */
void air_snapshot_records_deinit(struct air_snapshot_records *records);

/* NULL: no such record. */
const struct air_snapshot_record *air_snapshot_records_find(
    const struct air_snapshot_records *records, air_span path);

/*
 * Put a copy behind the last record, into room that init made. AIR_ERR_MALFORMED: no valid path, or
 * not greater than the last one, a folder, or below a record. AIR_ERR_NO_MEMORY.
 */
enum air_error air_snapshot_records_append(
    struct air_snapshot_records *records, uint64_t version, air_span path, air_span value);

/*
 * Make the list that there is after these puts. Then call accept or reject. AIR_ERR_EXISTS,
 * AIR_ERR_NO_MEMORY: nothing to accept or reject.
 */
enum air_error air_snapshot_records_change(struct air_snapshot_records *old,
    const struct air_put *puts, size_t puts_count, struct air_snapshot_records *fresh);
void air_snapshot_records_accept(
    struct air_snapshot_records *old, const struct air_snapshot_records *fresh);
void air_snapshot_records_reject(
    struct air_snapshot_records *old, struct air_snapshot_records *fresh);

/* The least segment below a folder that is greater than after; empty: none. */
air_span air_snapshot_records_segment(
    const struct air_snapshot_records *records, air_span folder, air_span after);

#endif
