/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_ORDER_FIELDS_H
#define AIR_HAPROXY_ORDER_FIELDS_H

/*
 * The fields of one order as they were sent, and how they become a checked order.
 */

#include "hosts/haproxy/order_request.h"

enum air_order_field {
    AIR_ORDER_DOMAIN,
    AIR_ORDER_ALIASES,
    AIR_ORDER_ACCOUNT_KEY,
    AIR_ORDER_DOMAIN_KEY,
    AIR_ORDER_KEY_TYPE,
    AIR_ORDER_MUST_STAPLE,
    AIR_ORDER_MANAGED,
    AIR_ORDER_FIELDS_COUNT /* no field: an unknown name */
};

/* What a field has: a text, or a JSON array of texts. Neither: it was not given. */
struct air_order_value {
    air_span text;
    const json_t *array;
};

struct air_order_fields {
    struct air_order_value values[AIR_ORDER_FIELDS_COUNT];
};

const char *air_order_field_name(enum air_order_field field);

/* The field of that name, or AIR_ORDER_FIELDS_COUNT. */
enum air_order_field air_order_field_find(air_span name);

/* Refuse a field that is not known, by its name. */
enum air_error air_order_field_refuse(air_span name, struct air_refusal *refusal);

/* Check the fields and write the order; out is zeroed. On failure out has nothing to give back. */
enum air_error air_order_fields_check(const struct air_order_fields *fields,
    struct air_order_request *out, struct air_refusal *refusal);

/* Look at a key: whether it is one private key in PEM, not encrypted, and nothing else. */
enum air_error air_order_key_check(
    enum air_order_field field, air_span pem, struct air_refusal *refusal);

/* The orders of a JSON body. */
enum air_error air_order_json_read(
    air_span body, struct air_order_requests *out, struct air_refusal *refusal);

#endif
