/* SPDX-License-Identifier: MIT */
/*
 * Filling the settings, and complaints that point at their place. Judging values is left to plan.c
 * and its neighbours.
 *
 * Invariant: every text and array of the settings lies in their pool.
 */
#include "hosts/program/settings.h"

#include <string.h>

#include "hosts/program/text.h"
#include "src/base/span.h"

void air_settings_init(struct air_settings *settings) {
    memset(settings, 0, sizeof(*settings));
    air_pool_init(&settings->pool);
}

void air_settings_deinit(struct air_settings *settings) {
    air_pool_deinit(&settings->pool);
    air_settings_init(settings);
}

enum air_error air_settings_append(struct air_settings *settings, struct air_values *values,
    air_span text, struct air_place place) {
    struct air_value value = {NULL, {NULL, 0}};
    void *items = values->items;
    struct air_value *item;
    enum air_error error = air_settings_assign(settings, &value, text, place);

    if (error != AIR_OK) {
        return error;
    }
    item = air_pool_append(&settings->pool, &items, &values->count, sizeof(*item));
    if (item == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    values->items = items;
    *item = value;
    if (values->place.source == NULL) {
        values->place = place;
    }
    return AIR_OK;
}

enum air_error air_settings_assign(
    struct air_settings *settings, struct air_value *value, air_span text, struct air_place place) {
    char *copy = air_pool_text(&settings->pool, text);

    if (copy == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    value->text = copy;
    value->place = place;
    return AIR_OK;
}

bool air_value_is_true(const struct air_value *value) {
    return value->text != NULL && strcmp(value->text, "true") == 0;
}

void air_place_complain(
    struct air_buffer *reason, struct air_place place, const char *format, ...) {
    va_list arguments;

    if (reason == NULL) {
        return;
    }
    air_buffer_clear(reason);
    if (place.line > 0) {
        air_text_format(reason, "%s:%u: ", place.source, place.line);
    } else if (place.source != NULL) {
        air_text_format(reason, "%s: ", place.source);
    }
    va_start(arguments, format);
    air_text_format_list(reason, format, arguments);
    va_end(arguments);
}
