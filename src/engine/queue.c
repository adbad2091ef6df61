/* SPDX-License-Identifier: MIT */
/*
 * A binary heap of lineages by due time. Each lineage knows its place, so that it can be moved.
 * Invariant: no lineage is due before its parent, heap[i]->queue_index == i, and lineages outside
 * the heap have AIR_LINEAGE_NOT_QUEUED.
 */

#include "src/base/memory.h"
#include "src/engine/inventory.h"

static void place(struct air_queue *queue, size_t index, struct air_lineage *lineage) {
    queue->heap[index] = lineage;
    lineage->queue_index = (uint32_t)index;
}

static void sift_up(struct air_queue *queue, size_t index) {
    struct air_lineage *lineage = queue->heap[index];
    while (index > 0 && lineage->due_ms < queue->heap[(index - 1) / 2]->due_ms) {
        place(queue, index, queue->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    place(queue, index, lineage);
}

static void sift_down(struct air_queue *queue, size_t index) {
    struct air_lineage *lineage = queue->heap[index];
    for (size_t child = 2 * index + 1; child < queue->count; child = 2 * index + 1) {
        if (child + 1 < queue->count &&
            queue->heap[child + 1]->due_ms < queue->heap[child]->due_ms) {
            child++;
        }
        if (lineage->due_ms <= queue->heap[child]->due_ms) {
            break;
        }
        place(queue, index, queue->heap[child]);
        index = child;
    }
    place(queue, index, lineage);
}

void air_queue_set(struct air_queue *queue, struct air_lineage *lineage, air_time_ms due_ms) {
    lineage->due_ms = due_ms;
    if (lineage->queue_index == AIR_LINEAGE_NOT_QUEUED) {
        place(queue, queue->count++, lineage);
    }
    sift_up(queue, lineage->queue_index);
    sift_down(queue, lineage->queue_index);
}

void air_queue_remove(struct air_queue *queue, struct air_lineage *lineage) {
    const size_t index = lineage->queue_index;
    if (index == AIR_LINEAGE_NOT_QUEUED) {
        return;
    }
    lineage->queue_index = AIR_LINEAGE_NOT_QUEUED;
    struct air_lineage *last = queue->heap[--queue->count];
    if (last != lineage) {
        place(queue, index, last);
        sift_up(queue, index);
        sift_down(queue, last->queue_index);
    }
}

struct air_lineage *air_queue_first(const struct air_queue *queue) {
    return queue->count > 0 ? queue->heap[0] : NULL;
}

enum air_error air_queue_reserve(struct air_queue *queue, size_t count) {
    if (count <= queue->capacity) {
        return AIR_OK;
    }
    const size_t capacity = count * 2;
    struct air_lineage **heap =
        air_memory_resize(queue->heap, queue->capacity * sizeof *heap, capacity * sizeof *heap);
    if (heap == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    queue->heap = heap;
    queue->capacity = capacity;
    return AIR_OK;
}

void air_queue_deinit(struct air_queue *queue) {
    air_memory_free(queue->heap, queue->capacity * sizeof *queue->heap);
    *queue = (struct air_queue){0};
}
