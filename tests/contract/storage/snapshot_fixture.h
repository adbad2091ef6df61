/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_STORAGE_SNAPSHOT_FIXTURE_H
#define AIR_TEST_CONTRACT_STORAGE_SNAPSHOT_FIXTURE_H

/* A folder for snapshots, opened and looked at from outside. */

#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "thinair/snapshot_storage.h"

/* Around every test: a temporary folder, in which "snapshots" is not made yet. End fails when
 * memory is left. */
int air_snapshots_begin(void **state);
int air_snapshots_end(void **state);

/* The path of a file in the folder of snapshots; "": of the folder. Valid until the next call. */
const char *air_snapshots_path(const char *name);

/* Open it; there is nothing to tell. */
struct air_storage *air_snapshots_open(void);

/* It is refused with this error and a sentence with this text in it. */
void air_snapshots_refuse(enum air_error expected, const char *text);

/* Opened with a sentence that has this text in it. */
struct air_storage *air_snapshots_open_told(const char *text);

enum air_error air_snapshots_put(struct air_storage *storage, const char *path, const char *value);

/* Whether the record has this value; NULL: whether there is none. */
bool air_snapshots_has(struct air_storage *storage, const char *path, const char *value);

/* A file's content, replaced and read. size_max: room in data; returns the size. */
void air_snapshots_file_set(const char *name, const void *data, size_t size);
size_t air_snapshots_file_get(const char *name, void *data, size_t size_max);
bool air_snapshots_file_exists(const char *name);

#endif
