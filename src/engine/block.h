/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_BLOCK_H
#define AIR_ENGINE_BLOCK_H

/*
 * Reading wire text into one block of memory: the value, then the arrays it points to, then the
 * wire text itself, which all spans of the value point into. A reader runs twice: first without
 * memory, to learn the arrays' size.
 */

#include "src/base/wire.h"

struct air_block {
    struct air_wire_reader reader;
    uint8_t *arrays; /* NULL in the first run */
    size_t arrays_size;
};

/* Room for count elements, zeroed; NULL in the first run. */
void *air_block_array(struct air_block *block, size_t count, size_t element_size);

/* A count of at most max, else the reader's failure and 0. */
size_t air_block_count(struct air_block *block, size_t max);

/* An array of spans with its count. */
const air_span *air_block_spans(struct air_block *block, size_t *count, size_t max);

/*
 * Run `read` over the wire text twice and keep what it made. The value comes first in the block.
 *
 * out  The value: air_block_free().
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or the reader's failure (bytes left over are one).
 */
enum air_error air_block_read(air_span wire, size_t value_size,
    void (*read)(struct air_block *block, void *value), void **out);

/* Wipe and free. NULL is accepted. */
void air_block_free(void *value);

#endif
