/* SPDX-License-Identifier: MIT */
/*
 * Proven here: JSON bodies give one order or a batch; an order of a batch that is wrong is refused
 * by itself and the others stand; what makes the whole unreadable refuses the whole. Keys never
 * reach the parser: they lie in memory that is wiped.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/haproxy/order_request.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define KIND SPAN("Application/JSON; charset=utf-8")
/* AIR_TEST_KEY, as JSON. */
#define KEY "\"-----BEGIN PRIVATE KEY-----\\nS0VZ\\nS0VZ\\n-----END PRIVATE KEY-----\\n\""
#define KEY_2 "\"-----BEGIN PRIVATE KEY-----\\nT0VZ\\n-----END PRIVATE KEY-----\\n\""

static struct air_order_requests requests;

static void read(const char *body) {
    struct air_refusal refusal = {.status = 0};
    if (air_order_requests_read(KIND, air_span_text(body), &requests, &refusal) != AIR_OK) {
        fail_msg("%s", refusal.sentence);
    }
}

static void refuses(const char *body, enum air_error error, const char *sentence) {
    air_test_refuses_request(KIND, air_span_text(body), error, sentence);
}

static void reads_one_order(void **state) {
    (void)state;
    read("{\"domain\":\"Example.net\",\"aliases\":[\" a.example.net\"],\"domain_key\":" KEY
         ",\"account_key\":" KEY_2 ",\"key_type\":\"rsa-2048\",\"must_staple\":true,"
         "\"managed\":\"1\"}");
    const struct air_order_request *order = &requests.orders[0];
    assert_false(requests.is_batch);
    assert_int_equal(requests.orders_count, 1);
    assert_int_equal(order->names_count, 2);
    assert_span(order->names[0], "example.net");
    assert_span(order->names[1], "a.example.net");
    assert_span(order->domain_key, AIR_TEST_KEY);
    assert_int_equal(order->key_types[0], AIR_KEY_RSA_2048);
    assert_true(order->must_staple && order->managed);
    assert_true(order->domain_key.data >= requests.secrets &&
                order->domain_key.data < requests.secrets + requests.secrets_size);
    air_order_requests_deinit(&requests);
    assert_int_equal(air_memory_live(), 0);
}

static void takes_null_and_empty_for_not_given(void **state) {
    (void)state;
    read("{\"domain\":\"a.b\",\"aliases\":[],\"domain_key\":null,\"account_key\":\"\","
         "\"key_type\":[],\"must_staple\":false,\"managed\":0}");
    assert_int_equal(requests.orders[0].names_count, 1);
    assert_int_equal(requests.orders[0].account_key.size, 0);
    assert_false(requests.orders[0].must_staple || requests.orders[0].managed);
    air_order_requests_deinit(&requests);
}

static void reads_a_batch_with_one_account_key(void **state) {
    (void)state;
    read("{\"orders\":[{\"domain\":\"a.b\"},{\"domain\":\"c.d\",\"account_key\":" KEY_2
         ",\"key_type\":[\"ecdsa-p384\",\"rsa-4096\"]}],\"account_key\":" KEY "}");
    assert_true(requests.is_batch);
    assert_int_equal(requests.orders_count, 2);
    assert_span(requests.orders[0].account_key, AIR_TEST_KEY);
    assert_true(
        air_span_find(requests.orders[1].account_key, 'T') < requests.orders[1].account_key.size);
    assert_int_equal(requests.orders[1].key_types_count, 2);
    air_order_requests_deinit(&requests);
}

static void check_refused(size_t index, unsigned status, const char *sentence) {
    assert_int_equal(requests.orders[index].refusal.status, status);
    assert_string_equal(requests.orders[index].refusal.sentence, sentence);
    assert_int_equal(requests.orders[index].names_count, 0);
}

static void refuses_orders_of_a_batch_by_themselves(void **state) {
    (void)state;
    read("{\"orders\":[{\"domain\":\"a.b\"},{},7,{\"domain\":\"-\"},{\"domain\":\"a.b\","
         "\"domain_key\":\"SECRET\"},{\"domain\":\"a.b\",\"x\":1},{\"domain\":\"c.d\"}]}");
    assert_int_equal(requests.orders_count, 7);
    assert_int_equal(requests.orders[0].refusal.status, 0);
    check_refused(1, 400, "\"domain\" is missing");
    check_refused(2, 400, "an order is a JSON object");
    check_refused(3, 422, "\"domain\" is not a DNS name that a certificate can carry");
    check_refused(4, 422, "\"domain_key\" is not a private key in PEM");
    check_refused(5, 400,
        "there is no field \"x\"; there are domain, aliases, account_key, domain_key, key_type, "
        "must_staple and managed");
    assert_span(requests.orders[6].names[0], "c.d");
    air_order_requests_deinit(&requests);
    assert_int_equal(air_memory_live(), 0);
}

static void refuses_what_is_no_json_object(void **state) {
    (void)state;
    static const char sentence[] =
        "the body is not a JSON object, or it has a member twice, a name with escapes, a key with "
        "escapes that PEM does not need, numbers with fractions, or over 4096 values";
    static const char *const bodies[] = {"", "[]", "\"a\"", "domain=a.b", "{\"domain\":\"a.b\"",
        "{\"domain\":\"a.b\",\"domain\":\"a.b\"}", "{\"domain\":\"a.b\"}x",
        "{\"domain\":\"a\\u0000\"}", "{\"dom\\u0061in\":\"a.b\"}",
        "{\"domain\":\"a.b\",\"account\\u005fkey\":" KEY "}",
        "{\"domain\":\"a.b\",\"managed\":1.0}", "{\"domain_key\":\"\\u00e4\"}",
        "{\"domain\":\"\xFF\"}", "\xEF\xBB\xBF{}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        refuses(bodies[i], AIR_ERR_MALFORMED, sentence);
    }
}

static void refuses_members_of_the_wrong_kind(void **state) {
    (void)state;
    refuses("{\"domain\":7}", AIR_ERR_MALFORMED, "\"domain\" is a string");
    refuses("{\"domain\":[\"a.b\"]}", AIR_ERR_MALFORMED, "\"domain\" is a string");
    refuses(
        "{\"domain\":\"a.b\",\"account_key\":0}", AIR_ERR_MALFORMED, "\"account_key\" is a string");
    refuses("{\"domain\":\"a.b\",\"account_key\":[" KEY "]}", AIR_ERR_MALFORMED,
        "\"account_key\" is a string");
    refuses("{\"domain\":\"a.b\",\"aliases\":{}}", AIR_ERR_MALFORMED,
        "\"aliases\" is a string or an array of strings");
    refuses("{\"domain\":\"a.b\",\"aliases\":[\"c.d\",null]}", AIR_ERR_MALFORMED,
        "\"aliases\" is a string or an array of strings");
    refuses(
        "{\"domain\":\"a.b\",\"managed\":2}", AIR_ERR_MALFORMED, "\"managed\" is true or false");
    refuses("{\"domain\":\"a.b\",\"managed\":\"yes\"}", AIR_ERR_MALFORMED, "\"managed\" is 0 or 1");
    refuses("{\"domain\":\"a.b\",\"aliases\":[\"c.d\",\" \"]}", AIR_ERR_MALFORMED,
        "entry 2 of \"aliases\" is empty");
    refuses("{\"domain\":\"a.b\",\"aliases\":[\"c.d,e.f\"]}", AIR_ERR_BAD_NAME,
        "entry 1 of \"aliases\" is not a DNS name that a certificate can carry");
    refuses("{\"domain\":\"a.b\",\"colour\":\"red\"}", AIR_ERR_MALFORMED,
        "there is no field \"colour\"; there are domain, aliases, account_key, domain_key, "
        "key_type, must_staple and managed");
}

static void refuses_bad_batches(void **state) {
    (void)state;
    static const char shape[] = "\"orders\" is an array of at least one order";
    refuses("{\"orders\":[]}", AIR_ERR_MALFORMED, shape);
    refuses("{\"orders\":{}}", AIR_ERR_MALFORMED, shape);
    refuses("{\"orders\":\"a.b\"}", AIR_ERR_MALFORMED, shape);
    refuses("{\"orders\":null}", AIR_ERR_MALFORMED, shape);
    refuses("{\"orders\":[{\"domain\":\"a.b\"}],\"domain\":\"c.d\"}", AIR_ERR_MALFORMED,
        "beside \"orders\" there may be \"account_key\", not \"domain\"");
    refuses("{\"orders\":[{\"domain\":\"a.b\"}],\"account_key\":7}", AIR_ERR_MALFORMED,
        "\"account_key\" is a string");
    refuses("{\"orders\":[{\"domain\":\"a.b\"}],\"account_key\":\"x\"}", AIR_ERR_BAD_KEY,
        "\"account_key\" is not a private key in PEM");
}

static void refuses_what_passes_a_limit(void **state) {
    (void)state;
    static char body[AIR_ORDERS_BODY_SIZE_MAX + 2] = "{\"orders\":[";
    size_t size = strlen(body);
    for (int i = 0; i < AIR_ORDERS_MAX; i++) {
        size += (size_t)snprintf(
            body + size, 64, "%s{\"domain\":\"%d.b\",\"domain_key\":\"\"}", i == 0 ? "" : ",", i);
    }
    (void)snprintf(body + size, 64, "]}");
    read(body);
    assert_int_equal(requests.orders_count, AIR_ORDERS_MAX);
    air_order_requests_deinit(&requests);
    (void)snprintf(body + size, 64, ",{}]}");
    refuses(body, AIR_ERR_LIMIT, "\"orders\" has 201 orders; send at most 200 at once");

    size = strlen("{\"orders\":[");
    for (int i = 0; i <= 256; i++) {
        size += (size_t)snprintf(body + size, 64, "{\"account_key\":\"\",\"domain_key\":\"\"},");
    }
    refuses(body, AIR_ERR_LIMIT,
        "the body has more than 512 keys, or more than 262144 bytes beside its keys");
    memset(body, '"', AIR_ORDERS_BODY_SIZE_MAX);
    refuses(body, AIR_ERR_LIMIT,
        "the body has more than 512 keys, or more than 262144 bytes beside its keys");

    memset(body, ' ', sizeof(body) - 1);
    refuses(body, AIR_ERR_LIMIT, "the body is longer than 1048576 bytes, the most that is taken");
}

static enum air_error read_once(void *context) {
    struct air_refusal refusal = {.status = 0};
    (void)context;
    enum air_error error = air_order_requests_read(KIND,
        SPAN("{\"orders\":[{\"domain\":\"a.b\",\"domain_key\":" KEY "},{\"domain\":\"-\"},"
             "{\"domain\":\"c.d\"}]}"),
        &requests, &refusal);
    assert_int_equal(refusal.status, error == AIR_OK ? 0 : 503);
    air_order_requests_deinit(&requests);
    return error;
}

static void survives_each_allocation_failing(void **state) {
    (void)state;
    requests = (struct air_order_requests){.orders_count = 0};
    air_test_each_allocation(read_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_one_order),
        cmocka_unit_test(takes_null_and_empty_for_not_given),
        cmocka_unit_test(reads_a_batch_with_one_account_key),
        cmocka_unit_test(refuses_orders_of_a_batch_by_themselves),
        cmocka_unit_test(refuses_what_is_no_json_object),
        cmocka_unit_test(refuses_members_of_the_wrong_kind),
        cmocka_unit_test(refuses_bad_batches),
        cmocka_unit_test(refuses_what_passes_a_limit),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
