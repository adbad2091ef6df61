/* SPDX-License-Identifier: MIT */
/*
 * The names of actions and events, from the lists in thinair/action.h. Logs, hooks and traces show
 * them, so they are stable. Nothing here allocates.
 */

#include "thinair/action.h"

#define KIND_CASE(name, number, text, open_max)                                                    \
    case name:                                                                                     \
        return text;

const char *air_action_text(enum air_action_kind kind) {
    switch (kind) { AIR_ACTIONS(KIND_CASE) }
    return "unknown";
}

#define EVENT_CASE(name, number, text, level)                                                      \
    case name:                                                                                     \
        return text;

const char *air_event_text(enum air_event_kind kind) {
    switch (kind) { AIR_EVENTS(EVENT_CASE) }
    return "unknown";
}

#define LEVEL_CASE(name, number, text, level)                                                      \
    case name:                                                                                     \
        return level;

enum air_level air_event_level(enum air_event_kind kind) {
    switch (kind) { AIR_EVENTS(LEVEL_CASE) }
    return AIR_ALARM;
}
