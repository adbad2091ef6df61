/* SPDX-License-Identifier: MIT */
/*
 * Open addressing with linear probing; a removal closes the gap, so there are no tombstones. Ids
 * come from the operator, not from the network: a plain hash will do.
 * Invariant: at most half of the slots are taken, and no empty slot stands between a certificate's
 * slot and the one its hash asks for.
 */

#include "src/engine/ids.h"

#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/schedule.h"

#define SLOTS_MIN 16
#define CERTIFICATES_MAX ((size_t)1 << 31)

static size_t wanted_slot(const struct air_ids *ids, air_span id) {
    return (size_t)air_schedule_spread(id, AIR_KEY_NONE) & (ids->slots_count - 1);
}

/* The slot of this id, or the empty one where it would go. */
static size_t find_slot(
    const struct air_ids *ids, struct air_certificate *const *list, air_span id) {
    size_t slot = wanted_slot(ids, id);
    while (ids->slots[slot] != 0 &&
           !air_span_equal(air_certificate_id(list[ids->slots[slot] - 1]), id)) {
        slot = (slot + 1) & (ids->slots_count - 1);
    }
    return slot;
}

enum air_error air_ids_reserve(
    struct air_ids *ids, struct air_certificate *const *list, size_t known, size_t count) {
    if (count <= ids->slots_count / 2) {
        return AIR_OK;
    }
    if (count > CERTIFICATES_MAX) {
        return AIR_ERR_LIMIT;
    }
    struct air_ids grown = {.slots_count = SLOTS_MIN};
    while (grown.slots_count / 2 < count) {
        grown.slots_count *= 2;
    }
    grown.slots = air_memory_new(grown.slots_count * sizeof *grown.slots);
    if (grown.slots == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < known; i++) {
        air_ids_add(&grown, list, i);
    }
    air_ids_deinit(ids);
    *ids = grown;
    return AIR_OK;
}

void air_ids_deinit(struct air_ids *ids) {
    air_memory_free(ids->slots, ids->slots_count * sizeof *ids->slots);
    *ids = (struct air_ids){0};
}

size_t air_ids_find(const struct air_ids *ids, struct air_certificate *const *list, air_span id) {
    if (ids->slots_count == 0) {
        return AIR_ID_NOWHERE;
    }
    const uint32_t found = ids->slots[find_slot(ids, list, id)];
    return found != 0 ? found - 1 : AIR_ID_NOWHERE;
}

void air_ids_add(struct air_ids *ids, struct air_certificate *const *list, size_t place) {
    ids->slots[find_slot(ids, list, air_certificate_id(list[place]))] = (uint32_t)place + 1;
}

void air_ids_move(
    struct air_ids *ids, struct air_certificate *const *list, size_t place, size_t new_place) {
    ids->slots[find_slot(ids, list, air_certificate_id(list[place]))] = (uint32_t)new_place + 1;
}

void air_ids_remove(struct air_ids *ids, struct air_certificate *const *list, size_t place) {
    const size_t mask = ids->slots_count - 1;
    size_t gap = find_slot(ids, list, air_certificate_id(list[place]));
    for (size_t at = (gap + 1) & mask; ids->slots[at] != 0; at = (at + 1) & mask) {
        const size_t wanted = wanted_slot(ids, air_certificate_id(list[ids->slots[at] - 1]));
        /* It may move back unless its wanted slot lies behind the gap. */
        if (((at - wanted) & mask) >= ((at - gap) & mask)) {
            ids->slots[gap] = ids->slots[at];
            gap = at;
        }
    }
    ids->slots[gap] = 0;
}
