/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_RESIDENT_PARTS_H
#define AIR_LWS_RESIDENT_PARTS_H

/*
 * What the resident's files share.
 */

#include "hosts/lws/resident.h"
#include "hosts/slices/slices.h"
#include "thinair/keeper.h"

struct air_resident {
    struct air_crypto *local_crypto;
    const struct air_crypto *crypto; /* the engine's: the keeper's, or the local one */
    struct air_keeper *keeper;       /* or NULL: then */
    struct air_storage *snapshot;    /* this one */
    bool is_alone;                   /* the keeper has ended */
    struct air_engine *engine;
    struct air_slices *slices;
    struct air_tls *tls;
    struct air_responder *responder;
    bool is_slice_next;
    bool is_sealed;
    struct air_resident_wish *wishes; /* of resident_add.c */
};

/* Open the keeper, or the snapshot. */
AIR_MUST_CHECK enum air_error air_resident_open(
    struct air_resident *resident, const char *state_dir, bool is_kept, struct air_buffer *reason);
void air_resident_close(struct air_resident *resident);

#endif
