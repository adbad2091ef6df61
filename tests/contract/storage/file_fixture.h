/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_STORAGE_FILE_FIXTURE_H
#define AIR_TEST_CONTRACT_STORAGE_FILE_FIXTURE_H

/* A temporary state directory for tests of the file storage, and short forms to look into it. */

#include <sys/types.h>

#include "tests/support/folder.h"
#include "thinair/files.h"

extern char air_state_folder[AIR_TEST_PATH_SIZE]; /* a fresh folder for every test */
extern char air_state_path[AIR_TEST_PATH_SIZE];   /* in it, the state directory's path */

/* Around every test. The state directory itself is not made. */
int air_state_begin(void **state);
int air_state_end(void **state);

/* Open the state directory, which must work; make it. */
struct air_storage *air_state_open(unsigned flags);
void air_state_make(void);

/* A path below the state directory, until the next call. */
const char *air_state_below(const char *name);

/* Write a file; give what it holds; whether there is such a name. */
void air_state_plant(const char *path, mode_t mode, const char *text);
void air_state_expect_text(const char *path, const char *text);
bool air_state_exists(const char *path);

/* One put through the port; one delete. */
enum air_error air_state_put(struct air_storage *storage, const char *path, const char *value);
enum air_error air_state_drop(struct air_storage *storage, const char *path);

#endif
