/* SPDX-License-Identifier: MIT */
/*
 * Taking secrets out of a JSON text. Only strings and the colons behind them are looked at: whether
 * the text is JSON is the parser's question, and what it refuses is refused with numbers in it.
 *
 * Invariant: no byte of a secret gets into the redacted text.
 */

#include "hosts/haproxy/json_secrets.h"

#include "hosts/haproxy/media_type.h"
#include "src/base/memory.h"
#include "src/base/span.h"

static size_t string_size(air_span text);
static air_span skip_white(air_span text);
static bool is_secret(air_span name, const char *const *members);
static enum air_error take_value(
    air_span *rest, struct air_json_secrets *out, struct air_buffer *redacted);
static bool decode(air_span text, struct air_json_secrets *out, air_span *value);
static size_t decode_escape(air_span text, uint8_t *out);

enum air_error air_json_secrets_take(air_span json, const char *const *members,
    struct air_json_secrets *out, struct air_buffer *redacted) {
    *out = (struct air_json_secrets){.text_capacity = json.size};
    out->text = air_memory_new(out->text_capacity);
    if (out->text == NULL) {
        return json.size == 0 ? AIR_ERR_MALFORMED : AIR_ERR_NO_MEMORY;
    }
    air_span rest = json;
    enum air_error error = AIR_OK;
    while (rest.size > 0 && error == AIR_OK && redacted->error == AIR_OK) {
        air_span plain = air_span_take(rest, air_span_find(rest, '"'));
        air_buffer_append_span(redacted, plain);
        rest = air_span_skip(rest, plain.size);
        if (rest.size == 0) {
            break;
        }
        size_t size = string_size(rest);
        if (size == 0) {
            return AIR_ERR_MALFORMED;
        }
        air_span string = air_span_take(rest, size);
        air_span name = air_span_take(air_span_skip(string, 1), size - 2);
        rest = air_span_skip(rest, size);
        air_buffer_append_span(redacted, string);
        air_span behind = skip_white(rest);
        if (behind.size == 0 || behind.data[0] != ':') {
            continue;
        }
        if (air_span_find(name, '\\') < name.size) {
            return AIR_ERR_MALFORMED;
        }
        behind = skip_white(air_span_skip(behind, 1));
        if (behind.size > 0 && behind.data[0] == '"' && is_secret(name, members)) {
            air_buffer_append_byte(redacted, ':');
            rest = behind;
            error = take_value(&rest, out, redacted);
        }
    }
    return error != AIR_OK ? error : redacted->error;
}

bool air_json_secrets_find(const struct air_json_secrets *secrets, air_span number, air_span *out) {
    int64_t index = 0;
    if (!air_span_number(number, &index) || (uint64_t)index >= secrets->values_count) {
        return false;
    }
    *out = secrets->values[index];
    return true;
}

void air_json_secrets_deinit(struct air_json_secrets *secrets) {
    air_memory_free(secrets->text, secrets->text_capacity);
    *secrets = (struct air_json_secrets){.text_size = 0};
}

/* The size of the string that text begins with, its quotes included; 0: it has no end. */
static size_t string_size(air_span text) {
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] == '"') {
            return i + 1;
        }
        if (text.data[i] == '\\') {
            i++;
        }
    }
    return 0;
}

static air_span skip_white(air_span text) {
    size_t i = 0;
    while (i < text.size && (text.data[i] == ' ' || text.data[i] == '\t' || text.data[i] == '\r' ||
                                text.data[i] == '\n')) {
        i++;
    }
    return air_span_skip(text, i);
}

static bool is_secret(air_span name, const char *const *members) {
    for (size_t i = 0; members[i] != NULL; i++) {
        if (air_span_equal_text(name, members[i])) {
            return true;
        }
    }
    return false;
}

static enum air_error take_value(
    air_span *rest, struct air_json_secrets *out, struct air_buffer *redacted) {
    size_t size = string_size(*rest);
    if (out->values_count == AIR_JSON_SECRETS_MAX) {
        return AIR_ERR_LIMIT;
    }
    air_span text = air_span_take(air_span_skip(*rest, 1), size < 2 ? 0 : size - 2);
    if (size == 0 || !decode(text, out, &out->values[out->values_count])) {
        return AIR_ERR_MALFORMED;
    }
    air_buffer_append_byte(redacted, '"');
    air_buffer_append_number(redacted, (int64_t)out->values_count);
    air_buffer_append_byte(redacted, '"');
    out->values_count++;
    *rest = air_span_skip(*rest, size);
    return redacted->error;
}

static bool decode(air_span text, struct air_json_secrets *out, air_span *value) {
    uint8_t *place = out->text + out->text_size;
    size_t size = 0;
    air_span rest = text;
    while (rest.size > 0) {
        uint8_t byte = rest.data[0];
        size_t used = 1;
        bool is_escape = byte == '\\';
        if (is_escape) {
            used = decode_escape(rest, &byte);
        }
        bool is_break = is_escape && (byte == '\t' || byte == '\r' || byte == '\n');
        if (used == 0 || byte >= 0x7F || (byte < ' ' && !is_break)) {
            return false;
        }
        place[size++] = byte;
        rest = air_span_skip(rest, used);
    }
    out->text_size += size;
    *value = air_span_of(place, size);
    return true;
}

/* One escape of RFC 8259 section 7 for an ASCII character; gives its size, 0 when it is none. */
static size_t decode_escape(air_span text, uint8_t *out) {
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    if (air_span_starts_with(text, "\\u00")) {
        return air_hex_pair(air_span_skip(text, 4), out) ? 6 : 0;
    }
    for (size_t i = 0; text.size > 1 && escapes[i] != '\0'; i += 2) {
        if (text.data[1] == (uint8_t)escapes[i]) {
            *out = (uint8_t)escapes[i + 1];
            return 2;
        }
    }
    return 0;
}
