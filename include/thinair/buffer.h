/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_BUFFER_H
#define THINAIR_BUFFER_H

/*
 * A growable buffer with a hard maximum and a memory of its first failure.
 *
 * Ports and builders write into one. Append as often as needed and look at `error` once, at the
 * end: after the first failure every further append does nothing. Freed memory is wiped, so a
 * buffer may hold a private key.
 */

#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_buffer {
    uint8_t *data; /* NULL while empty */
    size_t size;
    size_t capacity;
    size_t size_max;
    enum air_error error; /* the first failure, or AIR_OK */
};

/* Make an empty buffer that never holds more than size_max bytes. Allocates nothing. */
AIR_API void air_buffer_init(struct air_buffer *buffer, size_t size_max);

/* Wipe and free the content; the buffer is as after air_buffer_init(). A zeroed struct is accepted.
 */
AIR_API void air_buffer_deinit(struct air_buffer *buffer);

/* Forget content and failure, keep the memory (wiped). */
AIR_API void air_buffer_clear(struct air_buffer *buffer);

/*
 * Append size bytes. data may be NULL when size is 0.
 *
 * Returns AIR_OK, or, also kept in buffer->error:
 *   AIR_ERR_LIMIT      size_max would be passed; nothing was appended.
 *   AIR_ERR_NO_MEMORY  nothing was appended.
 */
AIR_API enum air_error air_buffer_append(struct air_buffer *buffer, const void *data, size_t size);

/* Append a span; a terminated text; one byte. Same errors. */
AIR_API enum air_error air_buffer_append_span(struct air_buffer *buffer, air_span span);
AIR_API enum air_error air_buffer_append_text(struct air_buffer *buffer, const char *text);
AIR_API enum air_error air_buffer_append_byte(struct air_buffer *buffer, uint8_t byte);

/* Append the decimal digits of a number. Same errors. */
AIR_API enum air_error air_buffer_append_number(struct air_buffer *buffer, int64_t number);

/*
 * Make room for size more bytes and return where they go, or NULL (see buffer->error). The buffer's
 * size grows by size at once: the caller fills all of it, or calls air_buffer_truncate().
 */
AIR_API uint8_t *air_buffer_extend(struct air_buffer *buffer, size_t size);

/* Cut to size bytes, at most the present size; what is cut is wiped. */
AIR_API void air_buffer_truncate(struct air_buffer *buffer, size_t size);

/* The content. Valid until the buffer changes. */
AIR_API air_span air_buffer_span(const struct air_buffer *buffer);

#ifdef __cplusplus
}
#endif

#endif
