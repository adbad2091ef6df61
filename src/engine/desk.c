/* SPDX-License-Identifier: MIT */
/*
 * The life of actions. A short list is enough: at most one action is open per job, and few jobs run
 * at once. Invariant: an entry is in the list from post until it is completed, cancelled before it
 * was handed out, or the desk ends; an owner is named by at most one entry.
 */

#include "src/engine/desk.h"

#include "src/base/memory.h"

static const size_t open_max[] = {
#define OPEN_MAX(name, number, text, limit) [number] = limit,
    AIR_ACTIONS(OPEN_MAX)
#undef OPEN_MAX
};

void air_desk_init(struct air_desk *desk) {
    *desk = (struct air_desk){0};
}

static void free_entry(struct air_desk_entry *entry) {
    air_action_free(entry->action);
    air_memory_free(entry, sizeof *entry);
}

void air_desk_deinit(struct air_desk *desk) {
    while (desk->first != NULL) {
        struct air_desk_entry *entry = desk->first;
        desk->first = entry->next;
        free_entry(entry);
    }
    air_action_free(desk->notice);
    *desk = (struct air_desk){0};
}

enum air_error air_desk_post(struct air_desk *desk, struct air_job *owner,
    const struct air_action *action, air_time_ms deadline_boot_ms, uint64_t *id) {
    struct air_desk_entry *entry = air_memory_new(sizeof *entry);
    if (entry == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    const enum air_error error = air_action_copy(action, &entry->action);
    if (error != AIR_OK) {
        air_memory_free(entry, sizeof *entry);
        return error;
    }
    entry->action->id = ++desk->last_id;
    entry->owner = owner;
    entry->deadline_boot_ms = deadline_boot_ms;
    if (desk->last != NULL) {
        desk->last->next = entry;
    } else {
        desk->first = entry;
    }
    desk->last = entry;
    if (id != NULL) {
        *id = entry->action->id;
    }
    return AIR_OK;
}

static void unlink_entry(struct air_desk *desk, struct air_desk_entry *entry) {
    struct air_desk_entry *before = NULL;
    for (struct air_desk_entry *at = desk->first; at != entry; at = at->next) {
        before = at;
    }
    if (before != NULL) {
        before->next = entry->next;
    } else {
        desk->first = entry->next;
    }
    if (desk->last == entry) {
        desk->last = before;
    }
}

/* Events and cancels are complete as soon as they are handed out. */
static bool is_notice(const struct air_desk_entry *entry) {
    return entry->action->kind == AIR_ACTION_EVENT || entry->action->kind == AIR_ACTION_CANCEL;
}

const struct air_action *air_desk_take(struct air_desk *desk) {
    air_action_free(desk->notice);
    desk->notice = NULL;
    for (struct air_desk_entry *entry = desk->first; entry != NULL; entry = entry->next) {
        const enum air_action_kind kind = entry->action->kind;
        if (entry->is_handed_out || desk->open[kind] >= open_max[kind]) {
            continue;
        }
        if (is_notice(entry)) {
            unlink_entry(desk, entry);
            desk->notice = entry->action;
            air_memory_free(entry, sizeof *entry);
            return desk->notice;
        }
        entry->is_handed_out = true;
        desk->open[kind]++;
        return entry->action;
    }
    return NULL;
}

struct air_desk_entry *air_desk_find(struct air_desk *desk, uint64_t id) {
    for (struct air_desk_entry *entry = desk->first; entry != NULL; entry = entry->next) {
        if (entry->action->id == id && entry->is_handed_out) {
            return entry;
        }
    }
    return NULL;
}

void air_desk_remove(struct air_desk *desk, struct air_desk_entry *entry) {
    if (entry->is_handed_out) {
        desk->open[entry->action->kind]--;
    }
    unlink_entry(desk, entry);
    free_entry(entry);
}

enum air_error air_desk_disown(struct air_desk *desk, struct air_job *owner) {
    struct air_desk_entry *entry = desk->first;
    while (entry != NULL && entry->owner != owner) {
        entry = entry->next;
    }
    return entry != NULL ? air_desk_abandon(desk, entry) : AIR_OK;
}

enum air_error air_desk_abandon(struct air_desk *desk, struct air_desk_entry *entry) {
    entry->owner = NULL;
    if (!entry->is_handed_out) {
        air_desk_remove(desk, entry);
        return AIR_OK;
    }
    struct air_action cancel = {.kind = AIR_ACTION_CANCEL};
    cancel.cancel.cancelled_id = entry->action->id;
    return air_desk_post(desk, NULL, &cancel, INT64_MAX, NULL);
}

struct air_desk_entry *air_desk_overdue(struct air_desk *desk, air_time_ms boot_ms) {
    for (struct air_desk_entry *entry = desk->first; entry != NULL; entry = entry->next) {
        if (entry->owner != NULL && entry->deadline_boot_ms <= boot_ms) {
            return entry;
        }
    }
    return NULL;
}

air_time_ms air_desk_wakeup(const struct air_desk *desk) {
    air_time_ms earliest = INT64_MAX;
    for (const struct air_desk_entry *entry = desk->first; entry != NULL; entry = entry->next) {
        if (entry->owner != NULL && entry->deadline_boot_ms < earliest) {
            earliest = entry->deadline_boot_ms;
        }
    }
    return earliest;
}
