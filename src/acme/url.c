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

bool air_url_is_acceptable(air_span url) {
    if (url.size > AIR_ACME_URL_SIZE_MAX || !air_span_starts_with(url, scheme) ||
        !is_visible(url)) {
        return false;
    }
    if (air_span_find(url, '#') != url.size || air_span_find(url, '\\') != url.size) {
        return false;
    }
    return air_url_authority(url).size > 0;
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
    const air_span authority = air_url_authority(url);
    if (authority.size > 0 && authority.data[0] == '[') {
        const air_span inner = air_span_skip(authority, 1);
        return air_span_take(inner, air_span_find(inner, ']'));
    }
    return air_span_take(authority, air_span_find(authority, ':'));
}

bool air_url_is_within(air_span url, air_span directory_url) {
    return air_url_is_acceptable(url) &&
           air_span_equal_nocase(air_url_authority(url), air_url_authority(directory_url));
}

bool air_url_is_loopback(air_span url) {
    const air_span host = air_url_host(url);
    return air_span_equal_text(host, "localhost") || air_span_equal_text(host, "::1") ||
           air_span_starts_with(host, "127.");
}
