/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_INVENTORY_H
#define AIR_PROGRAM_INVENTORY_H

/*
 * What the state directory says about the certificates, without a daemon.
 */

#include "thinair/buffer.h"

/*
 * Write a report (report.h) of every stored lineage.
 *
 * reason  On failure a sentence that says what to do.
 *
 * Returns AIR_OK, what air_storage_files_new() answers, AIR_ERR_NO_MEMORY or AIR_ERR_LIMIT. A
 * lineage whose records cannot be read is in the report, with the reason as its last error.
 */
enum air_error air_inventory_report(
    const char *state_dir, struct air_buffer *out, struct air_buffer *reason);

#endif
