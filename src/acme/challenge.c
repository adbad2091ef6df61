/* SPDX-License-Identifier: MIT */
/*
 * The challenge types by their names at the CA, which are also their names in configurations and
 * logs. Nothing here allocates.
 */

#include "thinair/action.h"

#include "src/base/span.h"

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
