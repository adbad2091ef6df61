/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the order service's readers share. The captured requests are the fuzzers'
 * corpus, so that both read the same bytes.
 *
 * Invariant: a body is given to a reader in memory of exactly its size, for AddressSanitizer.
 */

#include "tests/unit/haproxy_order/order_support.h"

#include <stdio.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

void air_test_request_load(const char *name, struct air_test_request *out) {
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", AIR_TEST_CORPUS, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s: cannot be opened", path);
        return;
    }
    size_t size = fread(out->bytes, 1, sizeof(out->bytes), file);
    (void)fclose(file);
    assert_true(size < sizeof(out->bytes));
    air_span all = air_span_of(out->bytes, size);
    out->content_type = air_span_take(all, air_span_find(all, '\n'));
    out->body = air_span_skip(all, out->content_type.size + 1);
}

void air_test_refuses_form(
    air_span content_type, air_span body, enum air_error error, const char *sentence) {
    struct air_form form = {.fields_count = 0};
    struct air_refusal refusal = {.status = 0};
    int64_t live_before = air_memory_live();
    uint8_t *copy = air_memory_new(body.size);
    for (size_t i = 0; i < body.size; i++) {
        copy[i] = body.data[i];
    }
    assert_int_equal(
        air_form_read(content_type, air_span_of(copy, body.size), &form, &refusal), error);
    assert_string_equal(refusal.sentence, sentence);
    assert_int_equal(refusal.status, air_test_status(error));
    assert_null(form.text);
    air_memory_free(copy, body.size);
    assert_int_equal(air_memory_live(), live_before);
}

void air_test_refuses_request(
    air_span content_type, air_span body, enum air_error error, const char *sentence) {
    struct air_order_requests requests = {.orders_count = 0};
    struct air_refusal refusal = {.status = 0};
    int64_t live_before = air_memory_live();
    assert_int_equal(air_order_requests_read(content_type, body, &requests, &refusal), error);
    assert_string_equal(refusal.sentence, sentence);
    assert_int_equal(refusal.status, air_test_status(error));
    assert_null(requests.orders);
    assert_int_equal(air_memory_live(), live_before);
}

unsigned air_test_status(enum air_error error) {
    static const struct {
        enum air_error error;
        unsigned status;
    } rows[] = {{AIR_ERR_MALFORMED, 400}, {AIR_ERR_LIMIT, 413}, {AIR_ERR_UNSUPPORTED, 415},
        {AIR_ERR_BAD_NAME, 422}, {AIR_ERR_BAD_KEY, 422}, {AIR_ERR_NO_MEMORY, 503}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].error == error) {
            return rows[i].status;
        }
    }
    return 0;
}
