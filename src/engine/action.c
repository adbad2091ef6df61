/* SPDX-License-Identifier: MIT */
/*
 * The names of actions, events and challenge types, from the lists in thinair/action.h. Logs, hooks
 * and traces show them, so they are stable. Nothing here allocates.
 */

#include "thinair/action.h"

#include "src/base/span.h"

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

const char *air_challenge_type_text(enum air_challenge_type type) {
    switch (type) {
    case AIR_CHALLENGE_NONE:
        return "";
    case AIR_HTTP_01:
        return "http-01";
    case AIR_TLS_ALPN_01:
        return "tls-alpn-01";
    }
    return "";
}

enum air_challenge_type air_challenge_type_parse(air_span text) {
    if (air_span_equal_text(text, "http-01")) {
        return AIR_HTTP_01;
    }
    return air_span_equal_text(text, "tls-alpn-01") ? AIR_TLS_ALPN_01 : AIR_CHALLENGE_NONE;
}
