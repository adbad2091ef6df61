/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_ORDER_REQUEST_H
#define AIR_HAPROXY_ORDER_REQUEST_H

/*
 * What a request to the order service asks for, checked.
 *
 * A form is one order. So is a JSON object; one with the member "orders", an array of such objects,
 * is a batch, and may have "account_key" beside it for those that have none of their own. Fields:
 *
 *   domain       a DNS name
 *   aliases      more names: parted by commas; in JSON an array too
 *   account_key  a private key in PEM, not encrypted
 *   domain_key   the same
 *   key_type     one ecdsa-*, one rsa-*, or both: parted by commas; in JSON an array too
 *   must_staple  0 or 1; in JSON a boolean too
 *   managed      the same
 *
 * Only domain must be there. A text that is empty, or null, counts as not given; an empty file that
 * has a filename is a mistake and refused. Names are ASCII; wildcards, which need a dns challenge,
 * are refused.
 */

#include "hosts/haproxy/form.h"
#include "src/base/json.h"
#include "thinair/crypto.h"
#include "thinair/engine.h"

/* Largest JSON body: AIR_ORDERS_MAX orders with an RSA key each; at most 262144 bytes of it are not
 * keys. Forms: AIR_FORM_BODY_SIZE_MAX. */
#define AIR_ORDERS_BODY_SIZE_MAX 1048576

/* Orders in one batch. */
#define AIR_ORDERS_MAX 200

struct air_order_request {
    air_span names[AIR_NAMES_MAX]; /* in normal form, distinct; the domain is first */
    size_t names_count;
    air_span account_key; /* one block of PEM "... PRIVATE KEY", or empty. Not parsed further */
    air_span domain_key;  /* the same; not the same key as account_key */
    enum air_key_type key_types[AIR_KEY_TYPES_MAX]; /* in the order given, of distinct families */
    size_t key_types_count;                         /* 0: not said. With a domain_key at most 1 */
    bool must_staple;
    bool managed;
    struct air_refusal refusal; /* in a batch: why this order is refused; status 0: it is not */
    struct air_buffer text;     /* the names' bytes */
};

struct air_order_requests {
    struct air_order_request *orders;
    size_t orders_count;
    bool is_batch;
    struct air_form form;
    uint8_t *secrets; /* keys that came as JSON, decoded; wiped by air_order_requests_deinit() */
    size_t secrets_size;
};

/*
 * Read the orders of a request.
 *
 * content_type  The header's value; empty when there was none.
 * body          All of it; must outlive the orders, whose keys may be borrowed from it.
 * out           Yours: air_order_requests_deinit(). On failure there is nothing to give back.
 * refusal       On failure what to answer.
 *
 * Returns AIR_OK, or an error that fits the refusal. An order of a batch that is not as it should
 * be makes no failure: the others stand, and its own refusal says why.
 */
AIR_MUST_CHECK enum air_error air_order_requests_read(air_span content_type, air_span body,
    struct air_order_requests *out, struct air_refusal *refusal);

/* Wipe and free. A zeroed struct is accepted. */
void air_order_requests_deinit(struct air_order_requests *requests);

/*
 * Settle the key types once the type of domain_key is known: it is the one. AIR_ERR_BAD_KEY
 * and a refusal: key_type says another.
 */
AIR_MUST_CHECK enum air_error air_order_request_settle(
    struct air_order_request *request, enum air_key_type type, struct air_refusal *refusal);

#endif
