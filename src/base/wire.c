/* SPDX-License-Identifier: MIT */
/*
 * Numbers and byte strings of the wire encoding. What a message means, its version and its limits
 * are its owner's.
 *
 * Invariant: a reader never looks past its input, whatever a length claims, and after the first
 * failure it consumes nothing.
 */

#include "src/base/wire.h"

#include "src/base/span.h"

static void put_number(struct air_buffer *out, uint64_t value, size_t size);
static uint64_t get_number(struct air_wire_reader *reader, size_t size);
static air_span get_bytes(struct air_wire_reader *reader, size_t size);

void air_wire_put_u8(struct air_buffer *out, uint8_t value) {
    put_number(out, value, 1);
}

void air_wire_put_u32(struct air_buffer *out, uint32_t value) {
    put_number(out, value, 4);
}

void air_wire_put_u64(struct air_buffer *out, uint64_t value) {
    put_number(out, value, 8);
}

void air_wire_put_i64(struct air_buffer *out, int64_t value) {
    put_number(out, (uint64_t)value, 8);
}

void air_wire_put_span(struct air_buffer *out, air_span value) {
    if (value.size > UINT32_MAX) {
        out->error = out->error == AIR_OK ? AIR_ERR_LIMIT : out->error;
        return;
    }
    put_number(out, value.size, 4);
    air_buffer_append_span(out, value);
}

uint8_t air_wire_get_u8(struct air_wire_reader *reader) {
    return (uint8_t)get_number(reader, 1);
}

uint32_t air_wire_get_u32(struct air_wire_reader *reader) {
    return (uint32_t)get_number(reader, 4);
}

uint64_t air_wire_get_u64(struct air_wire_reader *reader) {
    return get_number(reader, 8);
}

int64_t air_wire_get_i64(struct air_wire_reader *reader) {
    return (int64_t)get_number(reader, 8);
}

air_span air_wire_get_span(struct air_wire_reader *reader) {
    return get_bytes(reader, air_wire_get_u32(reader));
}

static void put_number(struct air_buffer *out, uint64_t value, size_t size) {
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    air_buffer_append(out, bytes, size);
}

static uint64_t get_number(struct air_wire_reader *reader, size_t size) {
    air_span bytes = get_bytes(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

static air_span get_bytes(struct air_wire_reader *reader, size_t size) {
    if (reader->error == AIR_OK && size > reader->rest.size) {
        reader->error = AIR_ERR_MALFORMED;
    }
    if (reader->error != AIR_OK) {
        return air_span_of(NULL, 0);
    }
    air_span bytes = air_span_take(reader->rest, size);
    reader->rest = air_span_skip(reader->rest, size);
    return bytes;
}
