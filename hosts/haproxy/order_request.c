/* SPDX-License-Identifier: MIT */
/*
 * The orders of a request: from a form here, from JSON in order_json.c. What the fields may hold is
 * order_fields.c's.
 *
 * Invariant: whatever may hold a private key is borrowed from the body or wiped when it is freed.
 */

#include "hosts/haproxy/order_request.h"

#include "hosts/haproxy/media_type.h"
#include "hosts/haproxy/order_fields.h"
#include "src/base/memory.h"
#include "src/base/span.h"

static enum air_error read_form(air_span content_type, air_span body,
    struct air_order_requests *out, struct air_refusal *refusal);
static enum air_error collect(
    const struct air_form *form, struct air_order_fields *fields, struct air_refusal *refusal);

enum air_error air_order_requests_read(air_span content_type, air_span body,
    struct air_order_requests *out, struct air_refusal *refusal) {
    struct air_order_requests requests = {.orders_count = 0};
    air_span parameters = content_type;
    air_span kind = air_media_type_cut(&parameters);
    enum air_error error = AIR_OK;
    if (air_span_equal_nocase(kind, air_span_text("application/json"))) {
        error = air_order_json_read(body, &requests, refusal);
    } else {
        error = read_form(content_type, body, &requests, refusal);
    }
    if (error != AIR_OK) {
        air_order_requests_deinit(&requests);
        return error;
    }
    *out = requests;
    return AIR_OK;
}

void air_order_requests_deinit(struct air_order_requests *requests) {
    for (size_t i = 0; i < requests->orders_count; i++) {
        air_buffer_deinit(&requests->orders[i].text);
    }
    air_memory_free(requests->orders, requests->orders_count * sizeof(*requests->orders));
    air_memory_free(requests->secrets, requests->secrets_size);
    air_form_deinit(&requests->form);
    *requests = (struct air_order_requests){.orders_count = 0};
}

enum air_error air_order_request_settle(
    struct air_order_request *request, enum air_key_type type, struct air_refusal *refusal) {
    if (request->key_types_count > 0 && request->key_types[0] != type) {
        return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
            "\"key_type\" says %s, but \"domain_key\" is %s: leave one of them out",
            air_key_type_text(request->key_types[0]), air_key_type_text(type));
    }
    request->key_types[0] = type;
    request->key_types_count = 1;
    return AIR_OK;
}

static enum air_error read_form(air_span content_type, air_span body,
    struct air_order_requests *out, struct air_refusal *refusal) {
    struct air_order_fields fields = {.values = {{.array = NULL}}};
    enum air_error error = air_form_read(content_type, body, &out->form, refusal);
    if (error == AIR_OK) {
        error = collect(&out->form, &fields, refusal);
    }
    if (error != AIR_OK) {
        return error;
    }
    out->orders = air_memory_new(sizeof(*out->orders));
    if (out->orders == NULL) {
        return air_refusal_set(refusal, AIR_ERR_NO_MEMORY, "out of memory: try again later");
    }
    out->orders_count = 1;
    return air_order_fields_check(&fields, &out->orders[0], refusal);
}

static enum air_error collect(
    const struct air_form *form, struct air_order_fields *fields, struct air_refusal *refusal) {
    for (size_t i = 0; i < form->fields_count; i++) {
        const struct air_form_field *field = &form->fields[i];
        enum air_order_field known = air_order_field_find(field->name);
        if (known == AIR_ORDER_FIELDS_COUNT) {
            return air_order_field_refuse(field->name, refusal);
        }
        /* A browser sends no filename where no file was chosen. */
        if (field->is_file && field->value.size == 0 && field->filename.size > 0) {
            return air_refusal_set(refusal, AIR_ERR_MALFORMED, "the file in \"%s\" is empty",
                air_order_field_name(known));
        }
        fields->values[known].text = field->value;
    }
    return AIR_OK;
}
