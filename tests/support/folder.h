/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FOLDER_H
#define AIR_TEST_SUPPORT_FOLDER_H

/* Temporary folders for tests, below TMPDIR or /tmp. */

#include <stddef.h>

#define AIR_TEST_PATH_SIZE 512

/* Make a new folder of mode 0700; the test fails when that cannot be done. */
void air_test_folder_make(char path[AIR_TEST_PATH_SIZE]);

/* Remove a folder and all below it, without following links. */
void air_test_folder_remove(const char *path);

/* folder + "/" + name. Truncation fails the test. */
void air_test_path(char out[AIR_TEST_PATH_SIZE], const char *folder, const char *name);

#endif
