/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_YAML_H
#define AIR_PROGRAM_YAML_H

/*
 * The configuration file: YAML, read against a table of the keys it may hold.
 */

#include "hosts/program/settings.h"

/* Longest file accepted. */
#define AIR_YAML_FILE_SIZE_MAX (16U * 1024 * 1024)

/*
 * Read a file into settings; what flags have set already stays as it is.
 *
 * reason  On failure a sentence "file:line: ...": line is that of the key or item itself.
 *
 * Returns AIR_OK, AIR_ERR_NOT_FOUND (not to be opened or read), AIR_ERR_LIMIT, AIR_ERR_MALFORMED
 * (not YAML, unknown or repeated key, wrong type) or AIR_ERR_NO_MEMORY.
 */
enum air_error air_yaml_read(
    struct air_settings *settings, const char *path, struct air_buffer *reason);

/* The same for text in memory; source stands for the file's name in complaints and is copied. */
enum air_error air_yaml_read_text(
    struct air_settings *settings, const char *source, air_span text, struct air_buffer *reason);

#endif
