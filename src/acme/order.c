/* SPDX-License-Identifier: MIT */
/*
 * Orders: what is sent and what comes back, side by side. All text of a read order is copied into
 * one buffer. Invariant: every URL in a read order is acceptable and within the directory's host.
 */

#include "src/acme/order.h"

#include "src/acme/url.h"
#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

enum air_error air_order_write(
    const air_span *names, size_t names_count, struct air_buffer *payload) {
    air_json_begin(payload, NULL, '{');
    air_json_begin(payload, "identifiers", '[');
    for (size_t i = 0; i < names_count; i++) {
        air_json_begin(payload, NULL, '{');
        air_json_put_text(payload, "type", air_span_text("dns"));
        air_json_put_text(payload, "value", names[i]);
        air_json_end(payload, '}');
    }
    air_json_end(payload, ']');
    air_json_end(payload, '}');
    return payload->error;
}

enum air_error air_order_write_finalize(air_span csr, struct air_buffer *payload) {
    air_buffer_append_text(payload, "{\"csr\":\"");
    air_base64url_encode(csr, payload);
    return air_buffer_append_text(payload, "\"}");
}

static enum air_order_status read_status(air_span text) {
    static const struct {
        const char *text;
        enum air_order_status status;
    } statuses[] = {
        {"pending", AIR_ORDER_PENDING},
        {"ready", AIR_ORDER_READY},
        {"processing", AIR_ORDER_PROCESSING},
        {"valid", AIR_ORDER_VALID},
        {"invalid", AIR_ORDER_INVALID},
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (air_span_equal_text(text, statuses[i].text)) {
            return statuses[i].status;
        }
    }
    return AIR_ORDER_UNKNOWN;
}

/* Copy a URL into the order's text and point *out at the copy. An empty one stays empty. */
static enum air_error keep_url(
    struct air_order *order, air_span url, air_span directory_url, air_span *out) {
    if (url.size == 0) {
        return AIR_OK;
    }
    if (!air_url_is_within(url, directory_url)) {
        return AIR_ERR_MALFORMED;
    }
    const size_t begin = order->text.size;
    const enum air_error error = air_buffer_append_span(&order->text, url);
    *out = air_span_of(order->text.data + begin, url.size);
    return error;
}

static enum air_error read_authorizations(
    struct air_order *order, const json_t *list, air_span directory_url) {
    const size_t count = json_array_size(list);
    if (count > AIR_AUTHORIZATIONS_MAX) {
        return AIR_ERR_LIMIT;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        air_span url = {NULL, 0};
        if (json_is_string(item)) {
            url = air_span_of(json_string_value(item), json_string_length(item));
        }
        if (url.size == 0) {
            return AIR_ERR_MALFORMED;
        }
        const enum air_error error = keep_url(order, url, directory_url, &order->authorizations[i]);
        if (error != AIR_OK) {
            return error;
        }
        order->authorizations_count = i + 1;
    }
    return AIR_OK;
}

/* Reserve once, so that spans into the text stay true while it fills. */
static enum air_error reserve(struct air_buffer *text, size_t size) {
    air_buffer_init(text, size);
    if (air_buffer_extend(text, size) == NULL) {
        return text->error;
    }
    air_buffer_truncate(text, 0);
    return AIR_OK;
}

static enum air_error read_problem(struct air_order *order, const json_t *object) {
    air_buffer_init(&order->problem_text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    if (object == NULL) {
        order->problem = (struct air_problem){.remedy = AIR_REMEDY_NEW_ORDER, .retry_after_ms = -1};
        return AIR_OK;
    }
    return air_problem_read_object(object, &order->problem, &order->problem_text);
}

enum air_error air_order_read(air_span body, air_span directory_url, struct air_order *out) {
    json_t *object = NULL;
    if (body.size > AIR_ORDER_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    enum air_error error = air_json_read(body, &object);
    if (error != AIR_OK) {
        return error;
    }
    struct air_order order = {0};
    const air_span status = air_json_text(object, "status");
    error = status.size > 0 ? reserve(&order.text, body.size) : AIR_ERR_MALFORMED;
    if (error == AIR_OK) {
        order.status = read_status(status);
        error = keep_url(&order, air_json_text(object, "finalize"), directory_url, &order.finalize);
    }
    if (error == AIR_OK) {
        error = keep_url(
            &order, air_json_text(object, "certificate"), directory_url, &order.certificate);
    }
    if (error == AIR_OK) {
        error =
            read_authorizations(&order, air_json_array(object, "authorizations"), directory_url);
    }
    if (error == AIR_OK) {
        error = read_problem(&order, air_json_object(object, "error"));
    }
    if (error == AIR_OK &&
        air_time_read_rfc3339(air_json_text(object, "expires"), &order.expires_ms) != AIR_OK) {
        order.expires_ms = 0;
    }
    json_decref(object);
    if (error != AIR_OK) {
        air_order_deinit(&order);
        return error;
    }
    air_order_deinit(out);
    *out = order;
    return AIR_OK;
}

void air_order_deinit(struct air_order *order) {
    air_buffer_deinit(&order->text);
    air_buffer_deinit(&order->problem_text);
    *order = (struct air_order){0};
}
