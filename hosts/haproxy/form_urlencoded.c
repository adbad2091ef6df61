/* SPDX-License-Identifier: MIT */
/*
 * application/x-www-form-urlencoded (WHATWG URL section 5.1), but for one rule: a '%' without two
 * hexadecimal digits is refused there where browsers would keep it, since a key that was encoded
 * wrongly must not pass for another.
 *
 * Invariant: names and values are decoded into the form's text, never longer than they were.
 */

#include "hosts/haproxy/form_parts.h"
#include "hosts/haproxy/media_type.h"
#include "src/base/span.h"

static bool decode(air_span text, struct air_form *form, air_span *out);

enum air_error air_form_read_urlencoded(
    air_span body, struct air_form *form, struct air_refusal *refusal) {
    air_span rest = body;
    air_span pair;
    size_t ordinal = 0;
    while (air_span_next(&rest, '&', &pair)) {
        if (pair.size == 0) {
            continue;
        }
        ordinal++;
        struct air_form_field field = {.is_file = false};
        size_t name_size = air_span_find(pair, '=');
        if (!decode(air_span_take(pair, name_size), form, &field.name)) {
            return air_refusal_set(refusal, AIR_ERR_MALFORMED,
                "the name of field %zu has a %% without two hexadecimal digits", ordinal);
        }
        if (!decode(air_span_skip(pair, name_size + 1), form, &field.value)) {
            return air_refusal_set(refusal, AIR_ERR_MALFORMED,
                "the field \"%s\" has a %% without two hexadecimal digits",
                air_refusal_quote(field.name).text);
        }
        enum air_error error = air_form_add(form, &field, ordinal, refusal);
        if (error != AIR_OK) {
            return error;
        }
    }
    return AIR_OK;
}

static bool decode(air_span text, struct air_form *form, air_span *out) {
    uint8_t *place = form->text + form->text_size;
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            if (!air_hex_pair(air_span_skip(text, i + 1), &byte)) {
                return false;
            }
            i += 2;
        }
        place[size++] = byte;
    }
    form->text_size += size;
    *out = air_span_of(place, size);
    return true;
}
