/* SPDX-License-Identifier: MIT */
/*
 * base64url, the base64 that people paste, and hexadecimal. Decoding measures and checks the whole
 * text first, then fills exactly the room it needs.
 *
 * Invariant: one sequence of bytes has one strict encoding (RFC 4648 section 3.5: the bits left
 * over are zero), and a refused text leaves the buffer as it was.
 */

#include "src/base/base64url.h"

#include "src/base/span.h"

static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_digits[] = "0123456789abcdef";

/* What a byte of encoded text is: a digit's value, or one of these. */
enum { KIND_OTHER = -1, KIND_PADDING = -2, KIND_WHITE = -3 };

static int strict_value(uint8_t byte);
static int lenient_value(uint8_t byte);
static int hex_value(uint8_t byte);
static enum air_error decode(air_span text, int (*value)(uint8_t), struct air_buffer *out);
static bool measure(air_span text, int (*value)(uint8_t), size_t *digits_count);

enum air_error air_base64url_encode(air_span data, struct air_buffer *out) {
    size_t digits_count = data.size / 3 * 4 + (data.size % 3 == 0 ? 0 : data.size % 3 + 1);
    uint8_t *place = air_buffer_extend(out, digits_count);
    if (place == NULL) {
        return out->error;
    }
    uint32_t bits = 0;
    unsigned bits_count = 0;
    for (size_t i = 0; i < data.size; i++) {
        bits = bits << 8 | data.data[i];
        bits_count += 8;
        while (bits_count >= 6) {
            bits_count -= 6;
            *place++ = (uint8_t)url_digits[bits >> bits_count & 63];
        }
    }
    if (bits_count > 0) {
        *place = (uint8_t)url_digits[bits << (6 - bits_count) & 63];
    }
    return AIR_OK;
}

enum air_error air_base64url_decode(air_span text, struct air_buffer *out) {
    return decode(text, strict_value, out);
}

enum air_error air_base64_decode_lenient(air_span text, struct air_buffer *out) {
    return decode(text, lenient_value, out);
}

enum air_error air_hex_encode(air_span data, struct air_buffer *out) {
    uint8_t *place = air_buffer_extend(out, data.size * 2);
    if (place == NULL) {
        return out->error;
    }
    for (size_t i = 0; i < data.size; i++) {
        *place++ = (uint8_t)hex_digits[data.data[i] >> 4];
        *place++ = (uint8_t)hex_digits[data.data[i] & 15];
    }
    return AIR_OK;
}

enum air_error air_hex_encode_serial(air_span serial, struct air_buffer *out) {
    const bool has_sign = serial.size > 1 && serial.data[0] == 0;
    return air_hex_encode(air_span_skip(serial, has_sign ? 1 : 0), out);
}

enum air_error air_hex_decode(air_span text, struct air_buffer *out) {
    if (text.size % 2 != 0) {
        return AIR_ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (hex_value(text.data[i]) < 0) {
            return AIR_ERR_MALFORMED;
        }
    }
    uint8_t *place = air_buffer_extend(out, text.size / 2);
    if (place == NULL) {
        return out->error;
    }
    for (size_t i = 0; i < text.size; i += 2) {
        *place++ = (uint8_t)(hex_value(text.data[i]) << 4 | hex_value(text.data[i + 1]));
    }
    return AIR_OK;
}

static enum air_error decode(air_span text, int (*value)(uint8_t), struct air_buffer *out) {
    size_t digits_count = 0;
    if (!measure(text, value, &digits_count)) {
        return AIR_ERR_MALFORMED;
    }
    size_t tail = digits_count % 4;
    uint8_t *place = air_buffer_extend(out, digits_count / 4 * 3 + (tail == 0 ? 0 : tail - 1));
    if (place == NULL) {
        return out->error;
    }
    uint32_t bits = 0;
    unsigned bits_count = 0;
    for (size_t i = 0; i < text.size; i++) {
        int digit = value(text.data[i]);
        if (digit < 0) {
            continue;
        }
        bits = bits << 6 | (uint32_t)digit;
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            *place++ = (uint8_t)(bits >> bits_count);
        }
    }
    return AIR_OK;
}

/* Count the digits of a text. False when it encodes nothing: a foreign byte, a digit behind
 * padding, too much padding, a length that cannot be, or bits left over that are not zero. */
static bool measure(air_span text, int (*value)(uint8_t), size_t *digits_count) {
    size_t digits = 0;
    size_t padding = 0;
    unsigned last = 0;
    for (size_t i = 0; i < text.size; i++) {
        int kind = value(text.data[i]);
        if (kind == KIND_OTHER || (kind >= 0 && padding > 0)) {
            return false;
        }
        padding += kind == KIND_PADDING;
        if (kind >= 0) {
            digits++;
            last = (unsigned)kind;
        }
    }
    *digits_count = digits;
    switch (digits % 4) {
    case 0:
        return padding == 0;
    case 2:
        return (padding == 0 || padding == 2) && (last & 15) == 0;
    case 3:
        return padding <= 1 && (last & 3) == 0;
    default:
        return false;
    }
}

static int strict_value(uint8_t byte) {
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a' + 26;
    }
    if (byte >= '0' && byte <= '9') {
        return byte - '0' + 52;
    }
    if (byte == '-') {
        return 62;
    }
    return byte == '_' ? 63 : KIND_OTHER;
}

static int lenient_value(uint8_t byte) {
    if (byte == '+') {
        return 62;
    }
    if (byte == '/') {
        return 63;
    }
    if (byte == '=') {
        return KIND_PADDING;
    }
    if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n') {
        return KIND_WHITE;
    }
    return strict_value(byte);
}

static int hex_value(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : KIND_OTHER;
}
