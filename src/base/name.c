/* SPDX-License-Identifier: MIT */
/*
 * DNS names as certificates carry them. Turning Unicode into A-labels and knowing the public
 * suffixes is the domain port's work; here names are ASCII.
 *
 * Invariant: what air_name_normalize() accepts is its own normal form, so two names mean the same
 * exactly when their normal forms have the same bytes.
 */

#include "src/base/name.h"

#include "src/base/span.h"

/* RFC 1035 section 2.3.4. */
#define LABEL_SIZE_MAX 63

static bool is_host_name(air_span name);
static bool is_label(air_span label);
static bool is_number_label(air_span label);
static bool is_digit(uint8_t byte);
static bool is_hex_digit(uint8_t byte);
static bool is_letter(uint8_t byte);

enum air_error air_name_normalize(air_span name, struct air_buffer *out) {
    if (name.size > 0 && name.data[name.size - 1] == '.') {
        name.size--;
    }
    if (name.size > AIR_NAME_SIZE_MAX || !is_host_name(air_name_base(name))) {
        return AIR_ERR_BAD_NAME;
    }
    uint8_t *place = air_buffer_extend(out, name.size);
    if (place == NULL) {
        return out->error;
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        place[i] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
    }
    return AIR_OK;
}

bool air_name_is_wildcard(air_span name) {
    return air_span_starts_with(name, "*.");
}

air_span air_name_base(air_span name) {
    return air_name_is_wildcard(name) ? air_span_skip(name, 2) : name;
}

bool air_name_covers(air_span certificate_name, air_span host) {
    if (air_span_equal(certificate_name, host)) {
        return true;
    }
    size_t label_size = air_span_find(host, '.');
    return air_name_is_wildcard(certificate_name) && label_size > 0 && label_size < host.size &&
           air_span_equal(air_name_base(certificate_name), air_span_skip(host, label_size + 1));
}

/* Whether a name without "*." is at least two labels and no address. */
static bool is_host_name(air_span name) {
    size_t labels_count = 0;
    air_span label = air_span_of(NULL, 0);
    air_span rest = name;
    while (air_span_next(&rest, '.', &label)) {
        if (!is_label(label)) {
            return false;
        }
        labels_count++;
    }
    /* A last label that is a number makes resolvers read the whole as an IPv4 address. */
    return labels_count >= 2 && !is_number_label(label);
}

static bool is_label(air_span label) {
    if (label.size == 0 || label.size > LABEL_SIZE_MAX || label.data[0] == '-' ||
        label.data[label.size - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < label.size; i++) {
        uint8_t byte = label.data[i];
        if (!is_letter(byte) && !is_digit(byte) && byte != '-') {
            return false;
        }
    }
    return true;
}

/* "443", "0x7f". */
static bool is_number_label(air_span label) {
    bool is_hex = air_span_starts_with(label, "0x") || air_span_starts_with(label, "0X");
    for (size_t i = is_hex ? 2 : 0; i < label.size; i++) {
        if (is_hex ? !is_hex_digit(label.data[i]) : !is_digit(label.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_hex_digit(uint8_t byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
