/* SPDX-License-Identifier: MIT */
/*
 * Headers of a CA's response. Every value is the network's: what does not match its grammar counts
 * as missing. Invariant: nothing that is returned points outside the response.
 */

#include "src/acme/response.h"

#include "src/acme/token.h"
#include "src/acme/url.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

air_span air_response_header(const struct air_http_result *response, const char *name) {
    const air_span wanted = air_span_text(name);
    for (size_t i = 0; i < response->headers_count; i++) {
        if (air_span_equal_nocase(response->headers[i].name, wanted)) {
            return air_span_trim(response->headers[i].value);
        }
    }
    return air_span_text(NULL);
}

air_span air_response_location(const struct air_http_result *response, air_span directory_url) {
    const air_span location = air_response_header(response, "location");
    return air_url_is_within(location, directory_url) ? location : air_span_text(NULL);
}

air_time_ms air_response_retry_after_ms(
    const struct air_http_result *response, air_time_ms now_wall_ms) {
    const air_span value = air_response_header(response, "retry-after");
    int64_t seconds = 0;
    air_time_ms wait_ms = 0;
    if (air_span_number(value, &seconds)) {
        wait_ms = seconds > AIR_RETRY_AFTER_MS_MAX / 1000 ? AIR_RETRY_AFTER_MS_MAX : seconds * 1000;
    } else if (air_time_read_http(value, &wait_ms) == AIR_OK) {
        wait_ms -= now_wall_ms;
    } else {
        return -1;
    }
    if (wait_ms < 0) {
        return 0;
    }
    return wait_ms > AIR_RETRY_AFTER_MS_MAX ? AIR_RETRY_AFTER_MS_MAX : wait_ms;
}

air_span air_response_nonce(const struct air_http_result *response) {
    const air_span nonce = air_response_header(response, "replay-nonce");
    return air_token_is_valid(nonce) ? nonce : air_span_text(NULL);
}

/* The index of the first such byte outside a quoted-string, in which a backslash hides the byte
 * behind it (RFC 9110 section 5.6.4), or text.size. */
static size_t find_unquoted(air_span text, uint8_t byte) {
    bool is_quoted = false;
    size_t i = 0;
    while (i < text.size && (is_quoted || text.data[i] != byte)) {
        if (text.data[i] == '"') {
            is_quoted = !is_quoted;
        } else if (is_quoted && text.data[i] == '\\' && i + 1 < text.size) {
            i++;
        }
        i++;
    }
    return i;
}

/* One link-value: <target> then parameters up to the next comma outside quotes. */
static bool link_next(air_span *rest, air_span *target, air_span *parameters) {
    const size_t open = air_span_find(*rest, '<');
    if (open == rest->size) {
        return false;
    }
    const air_span after = air_span_skip(*rest, open + 1);
    const size_t close = air_span_find(after, '>');
    if (close == after.size) {
        return false;
    }
    *target = air_span_take(after, close);
    const air_span tail = air_span_skip(after, close + 1);
    const size_t end = find_unquoted(tail, ',');
    *parameters = air_span_take(tail, end);
    *rest = air_span_skip(tail, end + 1);
    return true;
}

/* Whether a list of relation types, parted by spaces, names this one (RFC 8288 section 3.3). */
static bool names_relation(air_span list, const char *relation) {
    air_span piece;
    while (air_span_next(&list, ' ', &piece)) {
        if (air_span_equal_nocase(piece, air_span_text(relation))) {
            return true;
        }
    }
    return false;
}

/* The first rel parameter counts, the others are ignored (RFC 8288 section 3.3). */
static bool has_relation(air_span parameters, const char *relation) {
    while (parameters.size > 0) {
        const size_t end = find_unquoted(parameters, ';');
        const air_span piece = air_span_take(parameters, end);
        parameters = air_span_skip(parameters, end + 1);
        const size_t equals = air_span_find(piece, '=');
        if (!air_span_equal_nocase(
                air_span_trim(air_span_take(piece, equals)), air_span_text("rel"))) {
            continue;
        }
        air_span value = air_span_trim(air_span_skip(piece, equals + 1));
        if (value.size >= 2 && value.data[0] == '"' && value.data[value.size - 1] == '"') {
            value = air_span_of(value.data + 1, value.size - 2);
        }
        return names_relation(value, relation);
    }
    return false;
}

air_span air_response_link(const struct air_http_result *response, const char *relation) {
    for (size_t i = 0; i < response->headers_count; i++) {
        if (!air_span_equal_nocase(response->headers[i].name, air_span_text("link"))) {
            continue;
        }
        air_span rest = response->headers[i].value;
        air_span target;
        air_span parameters;
        while (link_next(&rest, &target, &parameters)) {
            if (has_relation(parameters, relation)) {
                return target;
            }
        }
    }
    return air_span_text(NULL);
}
