/* SPDX-License-Identifier: MIT */
/*
 * JSON in and out. jansson parses and checks UTF-8; what it cannot be told to refuse (depth, number
 * of values, fractions and exponents) is refused by a scan before it allocates anything. Its
 * allocator hook is global and belongs to the host: it is never touched.
 *
 * Invariant: a document that this reader accepts has at most AIR_JSON_DEPTH_MAX levels and
 * AIR_JSON_VALUES_MAX values; what the writer writes is accepted by the reader.
 */

#include "src/base/json.h"

#include "src/base/base64url.h"
#include "src/base/span.h"

static enum air_error load(air_span text, json_t **out);
static bool is_within_limits(air_span text, bool takes_reals);
static bool is_real_part(air_span text, size_t i);
static size_t skip_string(air_span text, size_t start);
static bool needs_comma(const struct air_buffer *out);
static void put_key(struct air_buffer *out, const char *key);
static void put_string(struct air_buffer *out, air_span text);
static void put_escape(struct air_buffer *out, uint8_t byte);

enum air_error air_json_read(air_span text, json_t **out) {
    return is_within_limits(text, false) ? load(text, out) : AIR_ERR_MALFORMED;
}

enum air_error air_json_read_reals(air_span text, json_t **out) {
    return is_within_limits(text, true) ? load(text, out) : AIR_ERR_MALFORMED;
}

air_span air_json_text(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return air_span_of(json_string_value(value), json_string_length(value));
}

int64_t air_json_integer(const json_t *object, const char *key, int64_t fallback) {
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool air_json_true(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}

json_t *air_json_array(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

json_t *air_json_object(const json_t *object, const char *key) {
    json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

void air_json_begin(struct air_buffer *out, const char *key, char bracket) {
    put_key(out, key);
    air_buffer_append_byte(out, (uint8_t)bracket);
}

void air_json_end(struct air_buffer *out, char bracket) {
    air_buffer_append_byte(out, (uint8_t)bracket);
}

void air_json_put_text(struct air_buffer *out, const char *key, air_span value) {
    put_key(out, key);
    put_string(out, value);
}

void air_json_put_base64url(struct air_buffer *out, const char *key, air_span data) {
    put_key(out, key);
    air_buffer_append_byte(out, '"');
    air_base64url_encode(data, out);
    air_buffer_append_byte(out, '"');
}

void air_json_put_integer(struct air_buffer *out, const char *key, int64_t value) {
    put_key(out, key);
    air_buffer_append_number(out, value);
}

void air_json_put_bool(struct air_buffer *out, const char *key, bool value) {
    put_key(out, key);
    air_buffer_append_text(out, value ? "true" : "false");
}

void air_json_put_raw(struct air_buffer *out, const char *key, air_span json) {
    put_key(out, key);
    /* White space at the end would hide the value from needs_comma(). */
    air_buffer_append_span(out, air_span_trim(json));
}

static enum air_error load(air_span text, json_t **out) {
    json_error_t error = {0};
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        /* jansson says nothing at all when it cannot allocate a value. */
        bool is_memory =
            error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory;
        return is_memory ? AIR_ERR_NO_MEMORY : AIR_ERR_MALFORMED;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return AIR_ERR_MALFORMED;
    }
    *out = json;
    return AIR_OK;
}

/* Look at the brackets, commas and numbers outside strings; whether the text is JSON at all is
 * jansson's question. */
static bool is_within_limits(air_span text, bool takes_reals) {
    size_t depth = 0;
    size_t values_count = 1;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"') {
            i = skip_string(text, i);
        } else if (byte == '[' || byte == '{') {
            depth++;
            values_count++;
        } else if ((byte == ']' || byte == '}') && depth > 0) {
            depth--;
        } else if (byte == ',') {
            values_count++;
        } else if (!takes_reals && is_real_part(text, i)) {
            return false;
        }
        if (depth > AIR_JSON_DEPTH_MAX || values_count > AIR_JSON_VALUES_MAX) {
            return false;
        }
    }
    return true;
}

/* A fraction's point, or an exponent's letter: an 'e' also stands in true and false. */
static bool is_real_part(air_span text, size_t i) {
    uint8_t byte = text.data[i];
    return byte == '.' || byte == 'E' ||
           (byte == 'e' && i > 0 && text.data[i - 1] >= '0' && text.data[i - 1] <= '9');
}

/* The index of the quote that ends the string which begins at start, or the text's end. */
static size_t skip_string(air_span text, size_t start) {
    size_t i = start + 1;
    while (i < text.size && text.data[i] != '"') {
        i += text.data[i] == '\\' ? 2 : 1;
    }
    return i;
}

/* A comma is due behind a finished value: anything but an opening bracket or a line's start. */
static bool needs_comma(const struct air_buffer *out) {
    if (out->size == 0) {
        return false;
    }
    uint8_t last = out->data[out->size - 1];
    return last != '{' && last != '[' && last != '\n';
}

static void put_key(struct air_buffer *out, const char *key) {
    if (needs_comma(out)) {
        air_buffer_append_byte(out, ',');
    }
    if (key != NULL) {
        put_string(out, air_span_text(key));
        air_buffer_append_byte(out, ':');
    }
}

static void put_string(struct air_buffer *out, air_span text) {
    air_buffer_append_byte(out, '"');
    while (text.size > 0) {
        size_t size = air_span_character_size(text);
        uint8_t byte = text.data[0];
        if (size == 0 || byte == 0) {
            air_buffer_append_text(out, "\xEF\xBF\xBD"); /* U+FFFD, the replacement character */
        } else if (byte < 0x20 || byte == '"' || byte == '\\') {
            put_escape(out, byte);
        } else {
            air_buffer_append(out, text.data, size);
        }
        text = air_span_skip(text, size == 0 ? 1 : size);
    }
    air_buffer_append_byte(out, '"');
}

static void put_escape(struct air_buffer *out, uint8_t byte) {
    static const char short_names[] = "\"\"\\\\\nn\rr\tt";
    static const char hex_digits[] = "0123456789abcdef";
    air_buffer_append_byte(out, '\\');
    for (size_t i = 0; short_names[i] != '\0'; i += 2) {
        if ((uint8_t)short_names[i] == byte) {
            air_buffer_append_byte(out, (uint8_t)short_names[i + 1]);
            return;
        }
    }
    air_buffer_append_text(out, "u00");
    air_buffer_append_byte(out, (uint8_t)hex_digits[byte >> 4]);
    air_buffer_append_byte(out, (uint8_t)hex_digits[byte & 15]);
}
