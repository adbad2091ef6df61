/* SPDX-License-Identifier: MIT */
/*
 * A form: which kind it is, and what every field of it must be. Taking the body apart is the work
 * of form_multipart.c and form_urlencoded.c; what fields mean is for the caller to say.
 *
 * Invariant: the text never moves, so that fields may point into it; it is wiped when it is freed.
 */

#include "hosts/haproxy/form.h"

#include "hosts/haproxy/form_parts.h"
#include "hosts/haproxy/media_type.h"
#include "src/base/memory.h"
#include "src/base/span.h"

static enum air_error read_kind(
    air_span content_type, air_span body, struct air_form *form, struct air_refusal *refusal);
static bool has_control(air_span text, bool is_multiline);

enum air_error air_form_read(
    air_span content_type, air_span body, struct air_form *out, struct air_refusal *refusal) {
    if (body.size > AIR_FORM_BODY_SIZE_MAX) {
        return air_refusal_set(refusal, AIR_ERR_LIMIT,
            "the form is longer than %d bytes, the most that is taken", AIR_FORM_BODY_SIZE_MAX);
    }
    if (body.size == 0) {
        return air_refusal_set(refusal, AIR_ERR_MALFORMED, "the body is empty");
    }
    struct air_form form = {.text_capacity = body.size};
    form.text = air_memory_new(form.text_capacity);
    if (form.text == NULL) {
        return air_refusal_set(refusal, AIR_ERR_NO_MEMORY, "out of memory: try again later");
    }
    enum air_error error = read_kind(content_type, body, &form, refusal);
    if (error != AIR_OK) {
        air_form_deinit(&form);
        return error;
    }
    *out = form;
    return AIR_OK;
}

void air_form_deinit(struct air_form *form) {
    air_memory_free(form->text, form->text_capacity);
    *form = (struct air_form){.fields_count = 0};
}

const struct air_form_field *air_form_find(const struct air_form *form, const char *name) {
    for (size_t i = 0; i < form->fields_count; i++) {
        if (air_span_equal_text(form->fields[i].name, name)) {
            return &form->fields[i];
        }
    }
    return NULL;
}

enum air_error air_form_add(struct air_form *form, const struct air_form_field *field,
    size_t ordinal, struct air_refusal *refusal) {
    struct air_refusal_name name = air_refusal_quote(field->name);
    if (field->name.size == 0) {
        return air_refusal_set(refusal, AIR_ERR_MALFORMED, "field %zu has no name", ordinal);
    }
    if (field->name.size > AIR_FORM_NAME_SIZE_MAX) {
        return air_refusal_set(refusal, AIR_ERR_LIMIT,
            "the name of field %zu is longer than %d bytes", ordinal, AIR_FORM_NAME_SIZE_MAX);
    }
    if (has_control(field->name, false)) {
        return air_refusal_set(
            refusal, AIR_ERR_MALFORMED, "the name of field %zu has a control byte", ordinal);
    }
    if (field->filename.size > AIR_FORM_FILENAME_SIZE_MAX) {
        return air_refusal_set(refusal, AIR_ERR_LIMIT,
            "the field \"%s\" has a filename longer than %d bytes", name.text,
            AIR_FORM_FILENAME_SIZE_MAX);
    }
    if (has_control(field->filename, false)) {
        return air_refusal_set(refusal, AIR_ERR_MALFORMED,
            "the filename of the field \"%s\" has a control byte", name.text);
    }
    if (!field->is_file && has_control(field->value, true)) {
        return air_refusal_set(
            refusal, AIR_ERR_MALFORMED, "the field \"%s\" has a control byte", name.text);
    }
    for (size_t i = 0; i < form->fields_count; i++) {
        if (air_span_equal(form->fields[i].name, field->name)) {
            return air_refusal_set(
                refusal, AIR_ERR_MALFORMED, "the field \"%s\" is given twice", name.text);
        }
    }
    if (form->fields_count == AIR_FORM_FIELDS_MAX) {
        return air_refusal_set(refusal, AIR_ERR_LIMIT,
            "the form has more than %d fields, the most that are taken", AIR_FORM_FIELDS_MAX);
    }
    form->fields[form->fields_count++] = *field;
    return AIR_OK;
}

bool air_form_is_control(uint8_t byte) {
    return byte < ' ' || byte == 0x7F;
}

static enum air_error read_kind(
    air_span content_type, air_span body, struct air_form *form, struct air_refusal *refusal) {
    air_span parameters = content_type;
    air_span kind = air_media_type_cut(&parameters);
    if (air_span_equal_nocase(kind, air_span_text("multipart/form-data"))) {
        return air_form_read_multipart(parameters, body, form, refusal);
    }
    if (air_span_equal_nocase(kind, air_span_text("application/x-www-form-urlencoded"))) {
        return air_form_read_urlencoded(body, form, refusal);
    }
    return air_refusal_set(refusal, AIR_ERR_UNSUPPORTED,
        "%s: send multipart/form-data or application/x-www-form-urlencoded",
        kind.size == 0 ? "there is no Content-Type" : "this Content-Type is not taken here");
}

/* A text of several lines may have tab, CR and LF: keys in PEM have. */
static bool has_control(air_span text, bool is_multiline) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool is_break = byte == '\t' || byte == '\r' || byte == '\n';
        if (air_form_is_control(byte) && !(is_multiline && is_break)) {
            return true;
        }
    }
    return false;
}
