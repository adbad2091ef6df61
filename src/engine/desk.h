/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_DESK_H
#define AIR_ENGINE_DESK_H

/*
 * The desk: every action from the moment it is wanted until it is completed. It gives ids, keeps
 * the queue of actions not yet handed out, knows who waits for each, and ends those whose time is
 * over.
 */

#include "thinair/action.h"

struct air_job;

/* One action. */
struct air_desk_entry {
    struct air_desk_entry *next;
    struct air_action *action;
    struct air_job *owner; /* NULL: nobody waits for the result any more */
    air_time_ms deadline_boot_ms;
    bool is_handed_out;
};

struct air_desk {
    struct air_desk_entry *first; /* in the order they were posted */
    struct air_desk_entry *last;
    struct air_action *notice; /* the event or cancel handed out last */
    uint64_t last_id;
    size_t open[AIR_ACTION_CANCEL + 1]; /* handed out and not completed, by kind */
};

void air_desk_init(struct air_desk *desk);
void air_desk_deinit(struct air_desk *desk);

/*
 * Want an action. The template is copied; its id is ignored.
 *
 * owner            Is told the result; NULL for events, cancels, and what nobody waits for.
 * deadline_boot_ms When the owner no longer waits; INT64_MAX: never.
 * id               May be NULL.
 */
enum air_error air_desk_post(struct air_desk *desk, struct air_job *owner,
    const struct air_action *action, air_time_ms deadline_boot_ms, uint64_t *id);

/* The next action to hand out, or NULL: none wanted, or too many of their kind open. */
const struct air_action *air_desk_take(struct air_desk *desk);

/* The handed-out action of that id, or NULL. */
struct air_desk_entry *air_desk_find(struct air_desk *desk, uint64_t id);

/* Forget an action: it is completed. */
void air_desk_remove(struct air_desk *desk, struct air_desk_entry *entry);

/*
 * The owner no longer waits: what it wanted is forgotten, what was handed out is cancelled.
 * AIR_ERR_NO_MEMORY: a cancel could not be posted; the action runs to its end unheard.
 */
enum air_error air_desk_disown(struct air_desk *desk, struct air_job *owner);

/* The same for one action. */
enum air_error air_desk_abandon(struct air_desk *desk, struct air_desk_entry *entry);

/* The first action whose owner's deadline has passed, or NULL. */
struct air_desk_entry *air_desk_overdue(struct air_desk *desk, air_time_ms boot_ms);

/* The earliest deadline of a waiting owner; INT64_MAX: none. */
air_time_ms air_desk_wakeup(const struct air_desk *desk);

#endif
