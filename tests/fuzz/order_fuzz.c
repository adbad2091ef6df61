/* SPDX-License-Identifier: MIT */
/*
 * The reader of order requests on any bytes. An input is the Content-Type, a line feed, the body.
 *
 * Promised for each: nothing is left allocated; what is refused has a status; an order that is not
 * has at least one name in normal form and at most so many, key types of distinct families, and
 * keys that lie in the body, the form's text or the decoded secrets.
 */

#include "hosts/haproxy/order_request.h"

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"
#include "tests/fuzz/fuzz.h"

static void check_order(const struct air_order_requests *requests,
    const struct air_order_request *order, air_span body);
static void check_key(const struct air_order_requests *requests, air_span key, air_span body);

int air_fuzz_one(const uint8_t *data, size_t size) {
    air_span input = air_span_of(data, size);
    size_t line_size = air_span_find(input, '\n');
    air_span body = air_span_skip(input, line_size + 1);
    struct air_order_requests requests = {.orders_count = 0};
    struct air_refusal refusal = {.status = 0};
    int64_t live_before = air_memory_live();
    enum air_error error =
        air_order_requests_read(air_span_take(input, line_size), body, &requests, &refusal);
    air_fuzz_check(error == AIR_OK || refusal.status >= 400, "a refusal has its status");
    for (size_t i = 0; i < requests.orders_count; i++) {
        if (requests.orders[i].refusal.status == 0) {
            check_order(&requests, &requests.orders[i], body);
        } else {
            air_fuzz_check(requests.is_batch, "only orders of a batch are refused by themselves");
        }
    }
    air_order_requests_deinit(&requests);
    air_fuzz_check(air_memory_live() == live_before, "nothing is left allocated");
    return 0;
}

static void check_order(const struct air_order_requests *requests,
    const struct air_order_request *order, air_span body) {
    air_fuzz_check(order->names_count > 0 && order->names_count <= AIR_NAMES_MAX, "names");
    for (size_t i = 0; i < order->names_count; i++) {
        struct air_buffer again;
        air_buffer_init(&again, AIR_NAME_SIZE_MAX);
        air_fuzz_check(air_name_normalize(order->names[i], &again) == AIR_OK &&
                           air_span_equal(air_buffer_span(&again), order->names[i]),
            "a name is its own normal form");
        air_buffer_deinit(&again);
    }
    air_fuzz_check(order->key_types_count <= AIR_KEY_TYPES_MAX, "key types");
    air_fuzz_check(order->domain_key.size == 0 || order->key_types_count < 2, "one key, one type");
    check_key(requests, order->account_key, body);
    check_key(requests, order->domain_key, body);
}

static void check_key(const struct air_order_requests *requests, air_span key, air_span body) {
    air_fuzz_check(key.size <= AIR_KEY_PEM_SIZE_MAX, "a key's size");
    air_fuzz_check(air_fuzz_is_within(key, body.data, body.size) ||
                       air_fuzz_is_within(key, requests->form.text, requests->form.text_size) ||
                       air_fuzz_is_within(key, requests->secrets, requests->secrets_size),
        "a key is where it will be wiped, or the caller's");
}
