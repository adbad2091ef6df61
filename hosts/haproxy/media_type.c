/* SPDX-License-Identifier: MIT */
/*
 * Reading header values that have parameters. Which parameters there must be, and what they may
 * hold, is for the callers to say.
 *
 * Invariant: every span lies within the value that was given; each byte of it is in one span at
 * most, so what is decoded is never longer than the value.
 */

#include "hosts/haproxy/media_type.h"

#include "src/base/span.h"

static bool is_white(uint8_t byte);
static bool is_token(air_span text);
static air_span skip_white(air_span text);
static enum air_error cut_quoted(air_span *rest, air_span *value);
static enum air_error cut_plain(air_span *rest, air_span *value);

air_span air_media_type_cut(air_span *rest) {
    air_span word = air_span_take(*rest, air_span_find(*rest, ';'));
    *rest = air_span_skip(*rest, word.size);
    return air_span_trim(word);
}

enum air_error air_parameter_next(air_span *rest, struct air_parameter *out) {
    air_span text = skip_white(*rest);
    while (text.size > 0 && text.data[0] == ';') {
        text = skip_white(air_span_skip(text, 1));
    }
    if (text.size == 0) {
        *rest = text;
        return AIR_ERR_NOT_FOUND;
    }
    size_t name_size = air_span_find(text, '=');
    air_span name = air_span_trim(air_span_take(text, name_size));
    if (name_size == text.size || !is_token(name)) {
        return AIR_ERR_MALFORMED;
    }
    text = skip_white(air_span_skip(text, name_size + 1));
    bool is_quoted = text.size > 0 && text.data[0] == '"';
    air_span value = air_span_of(NULL, 0);
    enum air_error error = is_quoted ? cut_quoted(&text, &value) : cut_plain(&text, &value);
    if (error != AIR_OK) {
        return error;
    }
    *out = (struct air_parameter){.name = name, .value = value, .is_quoted = is_quoted};
    *rest = text;
    return AIR_OK;
}

size_t air_parameter_decode(const struct air_parameter *parameter, uint8_t *out) {
    size_t size = 0;
    air_span rest = parameter->value;
    while (rest.size > 0) {
        uint8_t byte = rest.data[0];
        size_t used = 1;
        uint8_t pair = 0;
        if (parameter->is_quoted && byte == '\\' && rest.size > 1 &&
            (rest.data[1] == '"' || rest.data[1] == '\\')) {
            byte = rest.data[1];
            used = 2;
        } else if (byte == '%' && air_hex_pair(air_span_skip(rest, 1), &pair) &&
                   (pair == '"' || pair == '\r' || pair == '\n')) {
            byte = pair;
            used = 3;
        }
        out[size++] = byte;
        rest = air_span_skip(rest, used);
    }
    return size;
}

enum air_error air_parameter_decode_extended(
    const struct air_parameter *parameter, uint8_t *out, size_t *size) {
    air_span rest = parameter->value;
    air_span charset;
    air_span language;
    if (!air_span_next(&rest, '\'', &charset) || !air_span_next(&rest, '\'', &language) ||
        rest.data == NULL || !air_span_equal_nocase(charset, air_span_text("UTF-8"))) {
        return AIR_ERR_MALFORMED;
    }
    size_t written = 0;
    while (rest.size > 0) {
        uint8_t byte = rest.data[0];
        size_t used = 1;
        if (byte == '%') {
            if (!air_hex_pair(air_span_skip(rest, 1), &byte)) {
                return AIR_ERR_MALFORMED;
            }
            used = 3;
        }
        out[written++] = byte;
        rest = air_span_skip(rest, used);
    }
    *size = written;
    return AIR_OK;
}

bool air_hex_pair(air_span text, uint8_t *out) {
    unsigned value = 0;
    if (text.size < 2) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        uint8_t byte = text.data[i];
        unsigned digit = 0;
        if (byte >= '0' && byte <= '9') {
            digit = byte - (unsigned)'0';
        } else if (byte >= 'a' && byte <= 'f') {
            digit = byte - (unsigned)'a' + 10;
        } else if (byte >= 'A' && byte <= 'F') {
            digit = byte - (unsigned)'A' + 10;
        } else {
            return false;
        }
        value = value * 16 + digit;
    }
    *out = (uint8_t)value;
    return true;
}

static bool is_white(uint8_t byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* RFC 9110 section 5.6.2. */
static bool is_token(air_span text) {
    static const air_span others = {(const uint8_t *)"!#$%&'*+-.^_`|~", 15};
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool is_alphanumeric = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                               (byte >= '0' && byte <= '9');
        if (!is_alphanumeric && air_span_find(others, byte) == others.size) {
            return false;
        }
    }
    return text.size > 0;
}

static air_span skip_white(air_span text) {
    size_t count = 0;
    while (count < text.size && is_white(text.data[count])) {
        count++;
    }
    return air_span_skip(text, count);
}

/* From the opening quote to the one that closes it; only white space may follow before ';'. */
static enum air_error cut_quoted(air_span *rest, air_span *value) {
    air_span text = air_span_skip(*rest, 1);
    size_t end = 0;
    while (end < text.size && text.data[end] != '"') {
        bool is_escape = text.data[end] == '\\' && end + 1 < text.size &&
                         (text.data[end + 1] == '"' || text.data[end + 1] == '\\');
        end += is_escape ? 2 : 1;
    }
    if (end >= text.size) {
        return AIR_ERR_MALFORMED;
    }
    air_span behind = skip_white(air_span_skip(text, end + 1));
    if (behind.size > 0 && behind.data[0] != ';') {
        return AIR_ERR_MALFORMED;
    }
    *value = air_span_take(text, end);
    *rest = behind;
    return AIR_OK;
}

static enum air_error cut_plain(air_span *rest, air_span *value) {
    air_span whole = air_span_take(*rest, air_span_find(*rest, ';'));
    air_span text = air_span_trim(whole);
    for (size_t i = 0; i < text.size; i++) {
        if (is_white(text.data[i]) || text.data[i] == '"') {
            return AIR_ERR_MALFORMED;
        }
    }
    if (text.size == 0) {
        return AIR_ERR_MALFORMED;
    }
    *value = text;
    *rest = air_span_skip(*rest, whole.size);
    return AIR_OK;
}
