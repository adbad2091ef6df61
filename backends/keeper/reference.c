/* SPDX-License-Identifier: MIT */
/*
 * The text that stands for an account's private key wherever the server reads or writes one. Both
 * processes use it; what its number means is the vault's.
 *
 * Invariant: it holds nothing but public values.
 */
#include "backends/keeper/reference.h"

#include <string.h>

#include "src/base/span.h"
#include "thinair/jose.h"

#define TITLE "thinair-keeper-key 1 "

enum air_error air_reference_write(
    uint32_t number, const struct air_public_key *key, struct air_buffer *out) {
    enum air_error error;

    air_buffer_append_text(out, TITLE);
    air_buffer_append_number(out, number);
    air_buffer_append_byte(out, ' ');
    error = air_jwk_write(key, out);
    return error == AIR_OK ? air_buffer_append_byte(out, '\n') : error;
}

bool air_reference_is(air_span text) {
    return air_span_starts_with(text, TITLE);
}

enum air_error air_reference_read(air_span text, uint32_t *number, struct air_public_key *key) {
    air_span rest = air_span_skip(text, strlen(TITLE));
    air_span digits;
    int64_t value = 0;

    if (text.size > AIR_REFERENCE_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (!air_reference_is(text) || !air_span_next(&rest, ' ', &digits) ||
        !air_span_number(digits, &value) || value < 1 || value > UINT32_MAX) {
        return AIR_ERR_MALFORMED;
    }
    *number = (uint32_t)value;
    return air_jwk_read(air_span_trim(rest), key);
}

bool air_reference_is_path(air_span path) {
    air_span rest = path;
    air_span segment = {0};
    air_span name = {0};

    return air_span_next(&rest, '/', &segment) && air_span_equal_text(segment, "accounts") &&
           air_span_next(&rest, '/', &segment) && air_span_next(&rest, '/', &name) &&
           rest.data == NULL && air_span_equal_text(name, "key.pem");
}
