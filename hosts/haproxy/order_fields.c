/* SPDX-License-Identifier: MIT */
/*
 * From fields to an order: names, key types, switches. Keys are looked at in order_key.c; whether
 * the CA issues for a name is for the CA to say.
 *
 * Invariant: a refusal names the field, or the entry of a list by its number, never what it holds:
 * people paste keys into the wrong field.
 */

#include "hosts/haproxy/order_fields.h"

#include <stdio.h>

#include "src/base/name.h"
#include "src/base/span.h"

/* "entry 100 of \"aliases\"". */
#define PLACE_SIZE_MAX 48

/* The entries of a field, one after the other. */
struct list {
    air_span rest;
    const json_t *array;
    size_t count; /* entries handed out */
};

static const char *const names[AIR_ORDER_FIELDS_COUNT] = {
    "domain", "aliases", "account_key", "domain_key", "key_type", "must_staple", "managed"};

static enum air_error check_names(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal);
static enum air_error reserve(const struct air_order_fields *fields, struct air_buffer *text);
static enum air_error add_name(
    struct air_order_request *out, air_span name, const char *place, struct air_refusal *refusal);
static bool is_ascii(air_span text);
static enum air_error check_key_types(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal);
static bool is_rsa(enum air_key_type type);
static enum air_error check_keys(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal);
static enum air_error check_switch(const struct air_order_fields *fields,
    enum air_order_field field, bool *out, struct air_refusal *refusal);
static bool next_entry(struct list *list, air_span *entry);

const char *air_order_field_name(enum air_order_field field) {
    return names[field];
}

enum air_order_field air_order_field_find(air_span name) {
    size_t i = 0;
    while (i < AIR_ORDER_FIELDS_COUNT && !air_span_equal_text(name, names[i])) {
        i++;
    }
    return (enum air_order_field)i;
}

enum air_error air_order_field_refuse(air_span name, struct air_refusal *refusal) {
    return air_refusal_set(refusal, AIR_ERR_MALFORMED,
        "there is no field \"%s\"; there are domain, aliases, account_key, domain_key, key_type, "
        "must_staple and managed",
        air_refusal_quote(name).text);
}

enum air_error air_order_fields_check(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal) {
    enum air_error error = check_names(fields, out, refusal);
    if (error == AIR_OK) {
        error = check_key_types(fields, out, refusal);
    }
    if (error == AIR_OK) {
        error = check_keys(fields, out, refusal);
    }
    if (error == AIR_OK) {
        error = check_switch(fields, AIR_ORDER_MUST_STAPLE, &out->must_staple, refusal);
    }
    if (error == AIR_OK) {
        error = check_switch(fields, AIR_ORDER_MANAGED, &out->managed, refusal);
    }
    if (error != AIR_OK) {
        air_buffer_deinit(&out->text);
    }
    return error;
}

static enum air_error check_names(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal) {
    air_span domain = air_span_trim(fields->values[AIR_ORDER_DOMAIN].text);
    if (domain.size == 0) {
        return air_refusal_set(refusal, AIR_ERR_MALFORMED, "\"domain\" is missing");
    }
    if (air_span_find(domain, ',') < domain.size) {
        return air_refusal_set(
            refusal, AIR_ERR_BAD_NAME, "\"domain\" takes one name; the others go into \"aliases\"");
    }
    if (reserve(fields, &out->text) != AIR_OK) {
        return air_refusal_set(refusal, AIR_ERR_NO_MEMORY, "out of memory: try again later");
    }
    enum air_error error = add_name(out, domain, "\"domain\"", refusal);
    const struct air_order_value *aliases = &fields->values[AIR_ORDER_ALIASES];
    struct list list = {.rest = aliases->text, .array = aliases->array};
    air_span entry;
    while (error == AIR_OK && next_entry(&list, &entry)) {
        char place[PLACE_SIZE_MAX];
        (void)snprintf(place, sizeof(place), "entry %zu of \"aliases\"", list.count);
        if (list.count >= AIR_NAMES_MAX) {
            return air_refusal_set(refusal, AIR_ERR_BAD_NAME,
                "\"aliases\" has too many names: a certificate takes %d, the domain included",
                AIR_NAMES_MAX);
        }
        if (entry.size == 0) {
            return air_refusal_set(refusal, AIR_ERR_MALFORMED, "%s is empty", place);
        }
        error = add_name(out, entry, place, refusal);
    }
    return error;
}

/* Make room for all names at once, so that none moves any more. A normal form is never longer. */
static enum air_error reserve(const struct air_order_fields *fields, struct air_buffer *text) {
    const struct air_order_value *aliases = &fields->values[AIR_ORDER_ALIASES];
    size_t size = fields->values[AIR_ORDER_DOMAIN].text.size + aliases->text.size;
    for (size_t i = 0; i < json_array_size(aliases->array); i++) {
        size += json_string_length(json_array_get(aliases->array, i));
    }
    size_t size_max = (size_t)AIR_NAMES_MAX * AIR_NAME_SIZE_MAX;
    air_buffer_init(text, size < size_max ? size : size_max);
    (void)air_buffer_extend(text, text->size_max);
    air_buffer_truncate(text, 0);
    return text->error;
}

static enum air_error add_name(
    struct air_order_request *out, air_span name, const char *place, struct air_refusal *refusal) {
    if (!is_ascii(name)) {
        return air_refusal_set(refusal, AIR_ERR_BAD_NAME,
            "%s is not ASCII: write an international name with its xn-- labels", place);
    }
    if (air_name_is_wildcard(name)) {
        return air_refusal_set(refusal, AIR_ERR_BAD_NAME,
            "%s is a wildcard: that needs a dns challenge, which is not answered here", place);
    }
    size_t start = out->text.size;
    if (air_name_normalize(name, &out->text) != AIR_OK) {
        return air_refusal_set(
            refusal, AIR_ERR_BAD_NAME, "%s is not a DNS name that a certificate can carry", place);
    }
    air_span normal = air_span_skip(air_buffer_span(&out->text), start);
    for (size_t i = 0; i < out->names_count; i++) {
        if (air_span_equal(out->names[i], normal)) {
            air_buffer_truncate(&out->text, start);
            return AIR_OK;
        }
    }
    out->names[out->names_count++] = normal;
    return AIR_OK;
}

static bool is_ascii(air_span text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static enum air_error check_key_types(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal) {
    const struct air_order_value *value = &fields->values[AIR_ORDER_KEY_TYPE];
    struct list list = {.rest = value->text, .array = value->array};
    air_span entry;
    while (next_entry(&list, &entry)) {
        enum air_key_type type = air_key_type_parse(entry);
        if (type == AIR_KEY_NONE) {
            return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
                "entry %zu of \"key_type\" is no key type; there are ecdsa-p256, ecdsa-p384, "
                "rsa-2048, rsa-3072 and rsa-4096",
                list.count);
        }
        /* Two of one family would never both be chosen: clients tell RSA from ECDSA only. */
        bool is_new = out->key_types_count == 0 || is_rsa(type) != is_rsa(out->key_types[0]);
        if (out->key_types_count == AIR_KEY_TYPES_MAX || !is_new) {
            return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
                "entry %zu of \"key_type\" is one too many: a certificate takes one ecdsa and one "
                "rsa key",
                list.count);
        }
        out->key_types[out->key_types_count++] = type;
    }
    return AIR_OK;
}

static bool is_rsa(enum air_key_type type) {
    return type == AIR_KEY_RSA_2048 || type == AIR_KEY_RSA_3072 || type == AIR_KEY_RSA_4096;
}

static enum air_error check_keys(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal) {
    enum air_error error = AIR_OK;
    air_span account_key = fields->values[AIR_ORDER_ACCOUNT_KEY].text;
    air_span domain_key = fields->values[AIR_ORDER_DOMAIN_KEY].text;
    if (account_key.size > 0) {
        error = air_order_key_check(AIR_ORDER_ACCOUNT_KEY, account_key, refusal);
    }
    if (error == AIR_OK && domain_key.size > 0) {
        error = air_order_key_check(AIR_ORDER_DOMAIN_KEY, domain_key, refusal);
    }
    if (error != AIR_OK) {
        return error;
    }
    if (domain_key.size > 0 && out->key_types_count > 1) {
        return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
            "\"key_type\" asks for two key types, but \"domain_key\" is of one");
    }
    /* RFC 8555 section 11.1: a CA refuses it. The same key in other words is the CA's to see. */
    if (domain_key.size > 0 &&
        air_span_equal(air_span_trim(domain_key), air_span_trim(account_key))) {
        return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
            "\"domain_key\" and \"account_key\" are the same key: CAs want two");
    }
    out->account_key = account_key;
    out->domain_key = domain_key;
    return AIR_OK;
}

static enum air_error check_switch(const struct air_order_fields *fields,
    enum air_order_field field, bool *out, struct air_refusal *refusal) {
    air_span text = air_span_trim(fields->values[field].text);
    *out = air_span_equal_text(text, "1");
    if (text.size == 0 || *out || air_span_equal_text(text, "0")) {
        return AIR_OK;
    }
    return air_refusal_set(refusal, AIR_ERR_MALFORMED, "\"%s\" is 0 or 1", names[field]);
}

/* The next entry, without white space around it; a text of nothing has none. */
static bool next_entry(struct list *list, air_span *entry) {
    if (list->array != NULL) {
        if (list->count == json_array_size(list->array)) {
            return false;
        }
        const json_t *item = json_array_get(list->array, list->count);
        *entry = air_span_of(json_string_value(item), json_string_length(item));
    } else if (air_span_trim(list->rest).size == 0 && list->count == 0) {
        return false;
    } else if (!air_span_next(&list->rest, ',', entry)) {
        return false;
    }
    *entry = air_span_trim(*entry);
    list->count++;
    return true;
}
