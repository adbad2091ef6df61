/* SPDX-License-Identifier: MIT */
/*
 * Text from the network: what may go into a path or a header, and how the rest is shown to people.
 * Tables, not isalnum(): the answer must not depend on the locale.
 */

#include "src/acme/token.h"

#include "src/base/span.h"

static bool is_base64url(uint8_t byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

bool air_token_is_valid(air_span token) {
    if (token.size == 0 || token.size > AIR_TOKEN_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < token.size; i++) {
        if (!is_base64url(token.data[i])) {
            return false;
        }
    }
    return true;
}

enum air_error air_text_escape(air_span text, size_t size_max, struct air_buffer *out) {
    static const char digits[] = "0123456789abcdef";
    const size_t begin = out->size;
    for (size_t i = 0; i < text.size; i++) {
        if (out->size - begin + 7 > size_max) {
            return air_buffer_append_text(out, "...");
        }
        const uint8_t byte = text.data[i];
        if (byte >= 0x20 && byte < 0x7f) {
            air_buffer_append_byte(out, byte);
        } else {
            air_buffer_append_text(out, "\\x");
            air_buffer_append_byte(out, (uint8_t)digits[byte >> 4]);
            air_buffer_append_byte(out, (uint8_t)digits[byte & 15]);
        }
    }
    return out->error;
}
