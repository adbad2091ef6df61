/* SPDX-License-Identifier: MIT */
/*
 * The growable buffer of thinair/buffer.h. It knows nothing of what is written into it.
 *
 * Invariant: size <= capacity <= size_max; the bytes behind size are zero, so nothing that was cut
 * off lingers; error is the first failure and stops every later append.
 */

#include "thinair/buffer.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"

/* The first allocation: room for a header or a short text without growing twice. */
#define CAPACITY_MIN 64

static enum air_error make_room(struct air_buffer *buffer, size_t size);
static enum air_error remember(struct air_buffer *buffer, enum air_error error);

void air_buffer_init(struct air_buffer *buffer, size_t size_max) {
    *buffer = (struct air_buffer){.size_max = size_max};
}

void air_buffer_deinit(struct air_buffer *buffer) {
    air_memory_free(buffer->data, buffer->capacity);
    air_buffer_init(buffer, buffer->size_max);
}

void air_buffer_clear(struct air_buffer *buffer) {
    air_buffer_truncate(buffer, 0);
    buffer->error = AIR_OK;
}

enum air_error air_buffer_append(struct air_buffer *buffer, const void *data, size_t size) {
    uint8_t *place = air_buffer_extend(buffer, size);
    if (place != NULL && size > 0) {
        memcpy(place, data, size);
    }
    return buffer->error;
}

enum air_error air_buffer_append_span(struct air_buffer *buffer, air_span span) {
    return air_buffer_append(buffer, span.data, span.size);
}

enum air_error air_buffer_append_text(struct air_buffer *buffer, const char *text) {
    return air_buffer_append_span(buffer, air_span_text(text));
}

enum air_error air_buffer_append_byte(struct air_buffer *buffer, uint8_t byte) {
    return air_buffer_append(buffer, &byte, 1);
}

enum air_error air_buffer_append_number(struct air_buffer *buffer, int64_t number) {
    char digits[20]; /* INT64_MIN has a sign and 19 digits */
    size_t start = sizeof(digits);
    /* Unsigned, because -INT64_MIN does not exist. */
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--start] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (number < 0) {
        digits[--start] = '-';
    }
    return air_buffer_append(buffer, digits + start, sizeof(digits) - start);
}

uint8_t *air_buffer_extend(struct air_buffer *buffer, size_t size) {
    if (make_room(buffer, size) != AIR_OK || buffer->data == NULL) {
        return NULL;
    }
    uint8_t *place = buffer->data + buffer->size;
    buffer->size += size;
    return place;
}

void air_buffer_truncate(struct air_buffer *buffer, size_t size) {
    if (size < buffer->size) {
        explicit_bzero(buffer->data + size, buffer->size - size);
        buffer->size = size;
    }
}

air_span air_buffer_span(const struct air_buffer *buffer) {
    return air_span_of(buffer->data, buffer->size);
}

/* Let size more bytes fit, growing by doubling so that many small appends stay linear. */
static enum air_error make_room(struct air_buffer *buffer, size_t size) {
    if (buffer->error != AIR_OK) {
        return buffer->error;
    }
    if (size > buffer->size_max - buffer->size) {
        return remember(buffer, AIR_ERR_LIMIT);
    }
    size_t needed = buffer->size + size;
    if (needed <= buffer->capacity) {
        return AIR_OK;
    }
    size_t doubled =
        buffer->capacity <= buffer->size_max / 2 ? buffer->capacity * 2 : buffer->size_max;
    size_t capacity = doubled > needed ? doubled : needed;
    if (capacity < CAPACITY_MIN) {
        capacity = CAPACITY_MIN < buffer->size_max ? CAPACITY_MIN : buffer->size_max;
    }
    uint8_t *data = air_memory_resize(buffer->data, buffer->capacity, capacity);
    if (data == NULL) {
        return remember(buffer, AIR_ERR_NO_MEMORY);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return AIR_OK;
}

static enum air_error remember(struct air_buffer *buffer, enum air_error error) {
    buffer->error = error;
    return error;
}
