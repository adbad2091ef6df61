/* SPDX-License-Identifier: MIT */
/*
 * The form reader on any bytes. An input is the Content-Type, a line feed, the body.
 *
 * Promised for each: nothing is left allocated; a refusal has a status and a printable sentence; in
 * a form that was read, fields are within their limits, distinct, and point into the body or the
 * form's own text.
 */

#include "hosts/haproxy/form.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/fuzz/fuzz.h"

static void check_form(const struct air_form *form, air_span body);
static void check_refusal(const struct air_refusal *refusal);

int air_fuzz_one(const uint8_t *data, size_t size) {
    air_span input = air_span_of(data, size);
    size_t line_size = air_span_find(input, '\n');
    air_span body = air_span_skip(input, line_size + 1);
    struct air_form form = {.fields_count = 0};
    struct air_refusal refusal = {.status = 0};
    int64_t live_before = air_memory_live();
    if (air_form_read(air_span_take(input, line_size), body, &form, &refusal) == AIR_OK) {
        check_form(&form, body);
    } else {
        check_refusal(&refusal);
        air_fuzz_check(form.text == NULL, "a refused form has nothing to give back");
    }
    air_form_deinit(&form);
    air_fuzz_check(air_memory_live() == live_before, "nothing is left allocated");
    return 0;
}

static void check_form(const struct air_form *form, air_span body) {
    air_fuzz_check(form->fields_count <= AIR_FORM_FIELDS_MAX, "at most so many fields");
    air_fuzz_check(form->text_size <= form->text_capacity, "the text is within its memory");
    for (size_t i = 0; i < form->fields_count; i++) {
        const struct air_form_field *field = &form->fields[i];
        air_fuzz_check(
            field->name.size > 0 && field->name.size <= AIR_FORM_NAME_SIZE_MAX, "a name's size");
        air_fuzz_check(field->filename.size <= AIR_FORM_FILENAME_SIZE_MAX, "a filename's size");
        air_fuzz_check(air_fuzz_is_within(field->name, form->text, form->text_size), "name");
        air_fuzz_check(
            air_fuzz_is_within(field->filename, form->text, form->text_size), "filename");
        air_fuzz_check(air_fuzz_is_within(field->value, form->text, form->text_size) ||
                           air_fuzz_is_within(field->value, body.data, body.size),
            "a value is the body's or the text's");
        air_fuzz_check(field->is_file || air_span_find(field->value, 0) == field->value.size,
            "no NUL byte in a text");
        for (size_t j = 0; j < i; j++) {
            air_fuzz_check(
                !air_span_equal(form->fields[j].name, field->name), "names are distinct");
        }
    }
}

static void check_refusal(const struct air_refusal *refusal) {
    size_t size = 0;
    while (size < sizeof(refusal->sentence) && refusal->sentence[size] != '\0') {
        uint8_t byte = (uint8_t)refusal->sentence[size];
        air_fuzz_check(byte >= ' ' && byte < 0x7F, "a sentence is printable");
        size++;
    }
    air_fuzz_check(size > 0 && size < sizeof(refusal->sentence) - 1, "a sentence is whole");
    air_fuzz_check(refusal->status == 400 || refusal->status == 413 || refusal->status == 415,
        "a refusal has its status");
}
