/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_IDS_H
#define AIR_ENGINE_IDS_H

/*
 * Which place in the engine's list has the certificate of an id: a hash table of places, so that
 * adding a million certificates does not take a million walks.
 */

#include "src/engine/inventory.h"

/* What find answers when there is no such id. */
#define AIR_ID_NOWHERE SIZE_MAX

struct air_ids {
    uint32_t *slots; /* a place in the list plus 1; 0: empty */
    size_t slots_count;
};

/*
 * Make room for `count` certificates; `list` has `known` now, all of them added.
 * AIR_ERR_LIMIT: more than 2^31. AIR_ERR_NO_MEMORY: nothing changed.
 */
enum air_error air_ids_reserve(
    struct air_ids *ids, struct air_certificate *const *list, size_t known, size_t count);
void air_ids_deinit(struct air_ids *ids);

size_t air_ids_find(const struct air_ids *ids, struct air_certificate *const *list, air_span id);

/* The certificate at this place is in the list, and its id is not known yet. */
void air_ids_add(struct air_ids *ids, struct air_certificate *const *list, size_t place);

/* The certificate at this place goes; it is in the list still. */
void air_ids_remove(struct air_ids *ids, struct air_certificate *const *list, size_t place);

/* The certificate at this place will stand at another; it is in the list still. */
void air_ids_move(
    struct air_ids *ids, struct air_certificate *const *list, size_t place, size_t new_place);

#endif
