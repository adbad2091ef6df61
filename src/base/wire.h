/* SPDX-License-Identifier: MIT */
#ifndef AIR_BASE_WIRE_H
#define AIR_BASE_WIRE_H

/*
 * Primitives of the wire encoding: big-endian fixed-width numbers, and bytes preceded by their
 * length (32 bits). The reader remembers its first failure, like the buffer that the writer appends
 * to.
 */

#include "thinair/buffer.h"

void air_wire_put_u8(struct air_buffer *out, uint8_t value);
void air_wire_put_u32(struct air_buffer *out, uint32_t value);
void air_wire_put_u64(struct air_buffer *out, uint64_t value);
void air_wire_put_i64(struct air_buffer *out, int64_t value);
void air_wire_put_span(struct air_buffer *out, air_span value);

struct air_wire_reader {
    air_span rest;
    enum air_error error; /* the first failure: AIR_ERR_MALFORMED */
};

/* After a failure every read gives 0 or the empty span. Spans borrow from the input. */
uint8_t air_wire_get_u8(struct air_wire_reader *reader);
uint32_t air_wire_get_u32(struct air_wire_reader *reader);
uint64_t air_wire_get_u64(struct air_wire_reader *reader);
int64_t air_wire_get_i64(struct air_wire_reader *reader);
air_span air_wire_get_span(struct air_wire_reader *reader);

#endif
