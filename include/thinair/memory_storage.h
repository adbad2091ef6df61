/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_MEMORY_STORAGE_H
#define THINAIR_MEMORY_STORAGE_H

/*
 * The storage port in memory: for hosts that may not write, and for what must not be kept. Nothing
 * survives the process. Values are wiped when they are replaced, removed or freed.
 */

#include "thinair/storage.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make an empty storage.
 *
 * out  Yours: air_storage_memory_free().
 *
 * Returns AIR_OK or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_storage_memory_new(struct air_storage **out);
AIR_API void air_storage_memory_free(struct air_storage *storage);

/* Remove every record below a folder, as "certificates/example.net". Locks stay. */
AIR_API void air_storage_memory_forget(struct air_storage *storage, air_span folder);

#ifdef __cplusplus
}
#endif

#endif
