/* SPDX-License-Identifier: MIT */
/*
 * Judging URLs by their text. Nothing is resolved, decoded or normalized here; the driver connects
 * only to what passed. Invariant: a URL that passes has a non-empty host that ends at the first
 * '/', '?' or the end.
 */

#include "src/acme/url.h"

#include "src/base/span.h"

static const char scheme[] = "https://";

static bool is_visible(air_span text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* The host of an authority, and what stands behind it; empty when a bracket is left open. */
static air_span cut_host(air_span authority, air_span *behind) {
    size_t end = air_span_find(authority, ':');
    if (authority.size > 0 && authority.data[0] == '[') {
        authority = air_span_skip(authority, 1);
        end = air_span_find(authority, ']');
        *behind = air_span_skip(authority, end + 1);
        return air_span_take(authority, end < authority.size ? end : 0);
    }
    *behind = air_span_skip(authority, end);
    return air_span_take(authority, end);
}

/* Nothing, or ":" and a number that a port can have. */
static bool is_port(air_span text) {
    int64_t number = 0;
    return text.size == 0 ||
           (text.data[0] == ':' && air_span_number(air_span_skip(text, 1), &number) && number > 0 &&
               number <= UINT16_MAX);
}

bool air_url_is_acceptable(air_span url) {
    if (url.size > AIR_ACME_URL_SIZE_MAX || !air_span_starts_with(url, scheme) ||
        !is_visible(url)) {
        return false;
    }
    if (air_span_find(url, '#') != url.size || air_span_find(url, '\\') != url.size) {
        return false;
    }
    air_span port;
    return cut_host(air_url_authority(url), &port).size > 0 && is_port(port);
}

air_span air_url_authority(air_span url) {
    const air_span none = {NULL, 0};
    if (!air_span_starts_with(url, scheme)) {
        return none;
    }
    air_span rest = air_span_skip(url, sizeof scheme - 1);
    size_t end = air_span_find(rest, '/');
    const size_t query = air_span_find(rest, '?');
    end = query < end ? query : end;
    rest = air_span_take(rest, end);
    if (air_span_find(rest, '@') != rest.size) {
        return none;
    }
    return rest;
}

air_span air_url_host(air_span url) {
    air_span port;
    return cut_host(air_url_authority(url), &port);
}

bool air_url_is_within(air_span url, air_span directory_url) {
    return air_url_is_acceptable(url) &&
           air_span_equal_nocase(air_url_authority(url), air_url_authority(directory_url));
}

/* Digits and dots only: "127.example.net" is somebody's name. */
static bool is_ipv4(air_span host) {
    for (size_t i = 0; i < host.size; i++) {
        if (host.data[i] != '.' && (host.data[i] < '0' || host.data[i] > '9')) {
            return false;
        }
    }
    return true;
}

bool air_url_is_loopback(air_span url) {
    const air_span host = air_url_host(url);
    return air_span_equal_text(host, "localhost") || air_span_equal_text(host, "::1") ||
           (air_span_starts_with(host, "127.") && is_ipv4(host));
}
