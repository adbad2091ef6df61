/* SPDX-License-Identifier: MIT */
/*
 * Orders from JSON: one object, or a batch. jansson reads the document after json_secrets.c has
 * taken the keys out of it.
 *
 * Invariant: the orders borrow nothing from the document, so it is gone when they are handed out.
 */

#include <string.h>

#include "hosts/haproxy/json_secrets.h"
#include "hosts/haproxy/order_fields.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* What the parser gets at most, keys not counted: that takes it 8 ms, and HAProxy must not wait.
 * Enough for AIR_ORDERS_MAX orders of 50 names. */
#define TEXT_SIZE_MAX 262144

struct reading {
    struct air_json_secrets secrets;
    air_span account_key; /* of those orders of a batch that have none of their own */
    struct air_order_requests *out;
    struct air_refusal *refusal;
};

static enum air_error read_document(struct reading *reading, air_span body, json_t **json);
static enum air_error explain(enum air_error error, struct air_refusal *refusal);
static enum air_error read_batch(struct reading *reading, json_t *json);
static enum air_error read_beside(struct reading *reading, json_t *json);
static enum air_error make_orders(struct reading *reading, size_t count);
static enum air_error read_order(const struct reading *reading, json_t *json,
    struct air_order_request *out, struct air_refusal *refusal);
static enum air_error read_value(const struct reading *reading, enum air_order_field field,
    const json_t *json, struct air_order_value *out, struct air_refusal *refusal);
static bool read_switch(const json_t *json, air_span *out);
static bool is_list(const json_t *json);

enum air_error air_order_json_read(
    air_span body, struct air_order_requests *out, struct air_refusal *refusal) {
    if (body.size > AIR_ORDERS_BODY_SIZE_MAX) {
        return air_refusal_set(refusal, AIR_ERR_LIMIT,
            "the body is longer than %d bytes, the most that is taken", AIR_ORDERS_BODY_SIZE_MAX);
    }
    struct reading *reading = air_memory_new(sizeof(*reading));
    if (reading == NULL) {
        return explain(AIR_ERR_NO_MEMORY, refusal);
    }
    reading->out = out;
    reading->refusal = refusal;
    json_t *json = NULL;
    enum air_error error = read_document(reading, body, &json);
    if (error == AIR_OK && json_object_get(json, "orders") != NULL) {
        error = read_batch(reading, json);
    } else if (error == AIR_OK) {
        error = make_orders(reading, 1);
        if (error == AIR_OK) {
            error = read_order(reading, json, &out->orders[0], refusal);
        }
    }
    json_decref(json);
    out->secrets = reading->secrets.text;
    out->secrets_size = reading->secrets.text_capacity;
    air_memory_free(reading, sizeof(*reading));
    return error;
}

static enum air_error read_document(struct reading *reading, air_span body, json_t **json) {
    static const char *const members[] = {"account_key", "domain_key", NULL};
    struct air_buffer redacted;
    air_buffer_init(&redacted, TEXT_SIZE_MAX);
    enum air_error error = air_json_secrets_take(body, members, &reading->secrets, &redacted);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&redacted), json);
    }
    air_buffer_deinit(&redacted);
    return error == AIR_OK ? AIR_OK : explain(error, reading->refusal);
}

static enum air_error explain(enum air_error error, struct air_refusal *refusal) {
    if (error == AIR_ERR_NO_MEMORY) {
        return air_refusal_set(refusal, error, "out of memory: try again later");
    }
    if (error == AIR_ERR_LIMIT) {
        return air_refusal_set(refusal, error,
            "the body has more than %d keys, or more than %d bytes beside its keys",
            AIR_JSON_SECRETS_MAX, TEXT_SIZE_MAX);
    }
    return air_refusal_set(refusal, error,
        "the body is not a JSON object, or it has a member twice, a name with escapes, a key with "
        "escapes that PEM does not need, numbers with fractions, or over %d values",
        AIR_JSON_VALUES_MAX);
}

static enum air_error read_batch(struct reading *reading, json_t *json) {
    const json_t *orders = json_object_get(json, "orders");
    size_t count = json_array_size(orders);
    if (count == 0) {
        return air_refusal_set(
            reading->refusal, AIR_ERR_MALFORMED, "\"orders\" is an array of at least one order");
    }
    if (count > AIR_ORDERS_MAX) {
        return air_refusal_set(reading->refusal, AIR_ERR_LIMIT,
            "\"orders\" has %zu orders; send at most %d at once", count, AIR_ORDERS_MAX);
    }
    enum air_error error = read_beside(reading, json);
    if (error == AIR_OK) {
        error = make_orders(reading, count);
    }
    reading->out->is_batch = true;
    for (size_t i = 0; i < count && error == AIR_OK; i++) {
        struct air_order_request *order = &reading->out->orders[i];
        struct air_refusal refusal = {.status = 0};
        error = read_order(reading, json_array_get(orders, i), order, &refusal);
        if (error == AIR_ERR_NO_MEMORY) {
            *reading->refusal = refusal;
        } else if (error != AIR_OK) {
            *order = (struct air_order_request){.refusal = refusal};
            error = AIR_OK;
        }
    }
    return error;
}

/* What a batch has beside its orders. */
static enum air_error read_beside(struct reading *reading, json_t *json) {
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        const char *name = json_object_iter_key(at);
        struct air_order_value value = {.array = NULL};
        enum air_error error = AIR_OK;
        if (strcmp(name, "orders") == 0) {
            continue;
        }
        if (strcmp(name, air_order_field_name(AIR_ORDER_ACCOUNT_KEY)) != 0) {
            return air_refusal_set(reading->refusal, AIR_ERR_MALFORMED,
                "beside \"orders\" there may be \"account_key\", not \"%s\"",
                air_refusal_quote(air_span_text(name)).text);
        }
        error = read_value(
            reading, AIR_ORDER_ACCOUNT_KEY, json_object_iter_value(at), &value, reading->refusal);
        if (error == AIR_OK && value.text.size > 0) {
            error = air_order_key_check(AIR_ORDER_ACCOUNT_KEY, value.text, reading->refusal);
        }
        if (error != AIR_OK) {
            return error;
        }
        reading->account_key = value.text;
    }
    return AIR_OK;
}

static enum air_error make_orders(struct reading *reading, size_t count) {
    struct air_order_requests *out = reading->out;
    out->orders = air_memory_new(count * sizeof(*out->orders));
    if (out->orders == NULL) {
        return explain(AIR_ERR_NO_MEMORY, reading->refusal);
    }
    out->orders_count = count;
    return AIR_OK;
}

static enum air_error read_order(const struct reading *reading, json_t *json,
    struct air_order_request *out, struct air_refusal *refusal) {
    struct air_order_fields fields = {.values = {{.array = NULL}}};
    if (!json_is_object(json)) {
        return air_refusal_set(refusal, AIR_ERR_MALFORMED, "an order is a JSON object");
    }
    for (void *at = json_object_iter(json); at != NULL; at = json_object_iter_next(json, at)) {
        air_span name = air_span_text(json_object_iter_key(at));
        enum air_order_field field = air_order_field_find(name);
        if (field == AIR_ORDER_FIELDS_COUNT) {
            return air_order_field_refuse(name, refusal);
        }
        enum air_error error =
            read_value(reading, field, json_object_iter_value(at), &fields.values[field], refusal);
        if (error != AIR_OK) {
            return error;
        }
    }
    struct air_order_value *account_key = &fields.values[AIR_ORDER_ACCOUNT_KEY];
    if (account_key->text.size == 0) {
        account_key->text = reading->account_key;
    }
    return air_order_fields_check(&fields, out, refusal);
}

static enum air_error read_value(const struct reading *reading, enum air_order_field field,
    const json_t *json, struct air_order_value *out, struct air_refusal *refusal) {
    air_span text = air_span_of(json_string_value(json), json_string_length(json));
    bool is_key = field == AIR_ORDER_ACCOUNT_KEY || field == AIR_ORDER_DOMAIN_KEY;
    bool may_list = field == AIR_ORDER_ALIASES || field == AIR_ORDER_KEY_TYPE;
    bool is_switch = field == AIR_ORDER_MUST_STAPLE || field == AIR_ORDER_MANAGED;
    if (json_is_null(json)) {
        return AIR_OK;
    }
    if (may_list && is_list(json)) {
        out->array = json;
        return AIR_OK;
    }
    if (is_switch && read_switch(json, &out->text)) {
        return AIR_OK;
    }
    if (is_key ? json_is_string(json) && air_json_secrets_find(&reading->secrets, text, &out->text)
               : json_is_string(json)) {
        out->text = is_key ? out->text : text;
        return AIR_OK;
    }
    return air_refusal_set(refusal, AIR_ERR_MALFORMED, "\"%s\" is %s", air_order_field_name(field),
        is_switch  ? "true or false"
        : may_list ? "a string or an array of strings"
                   : "a string");
}

static bool read_switch(const json_t *json, air_span *out) {
    bool is_one = json_is_true(json) || (json_is_integer(json) && json_integer_value(json) == 1);
    bool is_zero = json_is_false(json) || (json_is_integer(json) && json_integer_value(json) == 0);
    *out = air_span_text(is_one ? "1" : "0");
    return is_one || is_zero;
}

static bool is_list(const json_t *json) {
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (!json_is_string(json_array_get(json, i))) {
            return false;
        }
    }
    return json_is_array(json);
}
