/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_CORE_H
#define AIR_ENGINE_CORE_H

/*
 * The engine's inside: what its parts share.
 */

#include "src/engine/desk.h"
#include "src/engine/ids.h"

#define AIR_TARGET_SIZE_MAX 64

struct air_target {
    char name[AIR_TARGET_SIZE_MAX];
    size_t name_size;
};

struct air_engine {
    const struct air_crypto *crypto;
    uint32_t issuances_max;
    bool report_steps;
    bool has_time; /* now was told at least once */
    struct air_time now;
    struct air_desk desk;
    struct air_queue queue;
    struct air_authority **authorities;
    size_t authorities_count;
    size_t authorities_capacity;
    struct air_certificate **certificates;
    size_t certificates_count;
    size_t certificates_capacity;
    struct air_ids ids;             /* places in certificates */
    size_t lineages_count;          /* of all certificates */
    struct air_issuance *issuances; /* under way, a list */
    size_t issuances_count;
    struct air_target targets[AIR_TARGETS_MAX];
    size_t targets_count;
    size_t status_certificate;            /* where the status asked for last was found, */
    size_t status_first;                  /* and the index of that certificate's first lineage */
    air_span status_names[AIR_NAMES_MAX]; /* lent to whoever asked for a status last */
};

/* Tell the operator. Without memory for it the event is lost, nothing else. */
void air_engine_report(struct air_engine *engine, const struct air_event_action *event);

/* An event about a lineage: id, key type, generation and times are filled in. */
void air_engine_report_lineage(struct air_engine *engine, enum air_event_kind kind,
    const struct air_lineage *lineage, air_span text);

/* Let every issuance that waits for this authority go on. */
void air_engine_authority_changed(struct air_engine *engine, const struct air_authority *authority);

#endif
