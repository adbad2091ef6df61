/* SPDX-License-Identifier: MIT */
/*
 * Taking secrets out of JSON, on any bytes.
 *
 * Promised for each: nothing is left allocated; secrets lie in their own memory; and what matters
 * most: when the document and its redacted form both are JSON, each secret that jansson sees in the
 * one is, in the other, the number of a secret with just these bytes.
 */

#include "hosts/haproxy/json_secrets.h"

#include <string.h>

#include "src/base/json.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/fuzz/fuzz.h"

static void compare(const struct air_json_secrets *secrets, json_t *whole, json_t *redacted);
static bool is_secret(const char *name);

int air_fuzz_one(const uint8_t *data, size_t size) {
    static const char *const members[] = {"account_key", "domain_key", NULL};
    static struct air_json_secrets secrets;
    struct air_buffer redacted;
    json_t *whole = NULL;
    json_t *rest = NULL;
    int64_t live_before = air_memory_live();
    air_buffer_init(&redacted, size + AIR_JSON_SECRETS_ROOM);
    air_span input = air_span_of(data, size);
    if (air_json_secrets_take(input, members, &secrets, &redacted) == AIR_OK) {
        for (size_t i = 0; i < secrets.values_count; i++) {
            air_fuzz_check(
                air_fuzz_is_within(secrets.values[i], secrets.text, secrets.text_size), "place");
        }
        if (air_json_read(input, &whole) == AIR_OK) {
            air_fuzz_check(air_json_read(air_buffer_span(&redacted), &rest) == AIR_OK,
                "what was JSON is JSON without its secrets");
            compare(&secrets, whole, rest);
        }
    }
    json_decref(whole);
    json_decref(rest);
    air_buffer_deinit(&redacted);
    air_json_secrets_deinit(&secrets);
    air_fuzz_check(air_memory_live() == live_before, "nothing is left allocated");
    return 0;
}

static void compare(const struct air_json_secrets *secrets, json_t *whole, json_t *redacted) {
    for (size_t i = 0; i < json_array_size(whole); i++) {
        compare(secrets, json_array_get(whole, i), json_array_get(redacted, i));
    }
    for (void *at = json_object_iter(whole); at != NULL; at = json_object_iter_next(whole, at)) {
        const char *name = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);
        json_t *number = json_object_get(redacted, name);
        air_span secret = air_span_of(NULL, 0);
        if (!json_is_string(value) || !is_secret(name)) {
            compare(secrets, value, number);
            continue;
        }
        air_fuzz_check(
            air_json_secrets_find(secrets, air_span_text(json_string_value(number)), &secret),
            "a secret is replaced by its number");
        air_fuzz_check(air_span_equal(secret,
                           air_span_of(json_string_value(value), json_string_length(value))),
            "a secret is decoded as jansson does it");
    }
}

static bool is_secret(const char *name) {
    return strcmp(name, "account_key") == 0 || strcmp(name, "domain_key") == 0;
}
