/* SPDX-License-Identifier: MIT */
/*
 * One block of memory for a decoded value. The block's size stands before the value, so that
 * freeing can wipe it. Invariant: both runs of a reader ask for the same arrays, because both read
 * the same bytes.
 */

#include "src/engine/block.h"

#include <stdalign.h>
#include <string.h>

#include "src/base/memory.h"

struct head {
    alignas(max_align_t) size_t size;
};

static size_t align_up(size_t size) {
    const size_t step = alignof(max_align_t);
    return (size + step - 1) / step * step;
}

void *air_block_array(struct air_block *block, size_t count, size_t element_size) {
    void *room = block->arrays != NULL ? block->arrays + block->arrays_size : NULL;
    block->arrays_size += align_up(count * element_size);
    return room;
}

size_t air_block_count(struct air_block *block, size_t max) {
    const uint32_t count = air_wire_get_u32(&block->reader);
    if (count > max && block->reader.error == AIR_OK) {
        block->reader.error = AIR_ERR_MALFORMED;
    }
    return block->reader.error == AIR_OK ? count : 0;
}

const air_span *air_block_spans(struct air_block *block, size_t *count, size_t max) {
    *count = air_block_count(block, max);
    air_span *spans = air_block_array(block, *count, sizeof *spans);
    for (size_t i = 0; i < *count; i++) {
        const air_span span = air_wire_get_span(&block->reader);
        if (spans != NULL) {
            spans[i] = span;
        }
    }
    return spans;
}

enum air_error air_block_read(air_span wire, size_t value_size,
    void (*read)(struct air_block *block, void *value), void **out) {
    const size_t value_end = align_up(sizeof(struct head)) + align_up(value_size);
    struct head *head = air_memory_new(value_end);
    if (head == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    struct air_block first = {.reader = {.rest = wire}};
    read(&first, (uint8_t *)head + align_up(sizeof *head));
    if (first.reader.error == AIR_OK && first.reader.rest.size > 0) {
        first.reader.error = AIR_ERR_MALFORMED;
    }
    air_memory_free(head, value_end);
    if (first.reader.error != AIR_OK) {
        return first.reader.error;
    }
    const size_t size = value_end + first.arrays_size + wire.size;
    head = air_memory_new(size);
    if (head == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    head->size = size;
    uint8_t *const text = (uint8_t *)head + value_end + first.arrays_size;
    if (wire.size > 0) {
        memcpy(text, wire.data, wire.size);
    }
    struct air_block second = {
        .reader = {.rest = {text, wire.size}}, .arrays = (uint8_t *)head + value_end};
    *out = (uint8_t *)head + align_up(sizeof *head);
    read(&second, *out);
    return AIR_OK;
}

void air_block_free(void *value) {
    if (value != NULL) {
        struct head *head = (struct head *)((uint8_t *)value - align_up(sizeof *head));
        air_memory_free(head, head->size);
    }
}
