/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a form becomes a checked order: names in normal form, key types, switches, keys left
 * where they are; everything else is refused with the status and the sentence of the service's
 * table, naming the field. Captured requests of curl are read, also those that the predecessor
 * misread (facts A1, A2: blanks behind commas, empty values, fields in any order).
 */

#include "hosts/haproxy/order_request.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_order/order_support.h"

#define KIND SPAN("application/x-www-form-urlencoded")
/* AIR_TEST_KEY, encoded. */
#define KEY "-----BEGIN+PRIVATE+KEY-----%0AS0VZ%0AS0VZ%0A-----END+PRIVATE+KEY-----%0A"
#define KEY_2 "-----BEGIN+PRIVATE+KEY-----%0AT0VZ%0A-----END+PRIVATE+KEY-----%0A"

static struct air_order_requests requests;

static const struct air_order_request *read(const char *body) {
    struct air_refusal refusal = {.status = 0};
    if (air_order_requests_read(KIND, air_span_text(body), &requests, &refusal) != AIR_OK) {
        fail_msg("%s", refusal.sentence);
    }
    assert_int_equal(requests.orders_count, 1);
    assert_false(requests.is_batch);
    assert_int_equal(requests.orders[0].refusal.status, 0);
    return &requests.orders[0];
}

static void refuses(const char *body, enum air_error error, const char *sentence) {
    air_test_refuses_request(KIND, air_span_text(body), error, sentence);
}

static void reads_the_predecessors_request(void **state) {
    (void)state;
    static struct air_test_request request;
    struct air_refusal refusal;
    static const char *const captured[] = {"order/curl_text", "order/browser_chrome"};
    for (size_t i = 0; i < 2; i++) {
        air_test_request_load(captured[i], &request);
        assert_ok(air_order_requests_read(request.content_type, request.body, &requests, &refusal));
        const struct air_order_request *order = &requests.orders[0];
        assert_int_equal(order->names_count, 1);
        assert_span(order->names[0], "example.net");
        assert_span(order->account_key, i == 0 ? AIR_TEST_KEY : AIR_TEST_KEY_2);
        assert_int_equal(order->domain_key.size, 0);
        air_order_requests_deinit(&requests);
    }
    air_test_request_load("order/curl_urlencode", &request);
    assert_ok(air_order_requests_read(request.content_type, request.body, &requests, &refusal));
    assert_int_equal(requests.orders[0].names_count, 3);
    assert_span(requests.orders[0].names[2], "b.example.net");
    air_order_requests_deinit(&requests);
    assert_int_equal(air_memory_live(), 0);
}

static void refuses_captured_mistakes(void **state) {
    (void)state;
    static struct air_test_request request;
    air_test_request_load("order/curl_emptyfile", &request);
    air_test_refuses_request(request.content_type, request.body, AIR_ERR_MALFORMED,
        "the file in \"account_key\" is empty");
    /* Both keys from one file. */
    air_test_request_load("order/curl_files", &request);
    air_test_refuses_request(request.content_type, request.body, AIR_ERR_BAD_KEY,
        "\"domain_key\" and \"account_key\" are the same key: CAs want two");
}

static void normalizes_names_and_drops_repeated_ones(void **state) {
    (void)state;
    const struct air_order_request *order = read(
        "domain=+Example.NET.%0A&aliases=+a.Example.net,example.net+,A.example.net.,b.example.net");
    assert_int_equal(order->names_count, 3);
    assert_span(order->names[0], "example.net");
    assert_span(order->names[1], "a.example.net");
    assert_span(order->names[2], "b.example.net");
    assert_int_equal(order->key_types_count, 0);
    assert_false(order->must_staple);
    assert_false(order->managed);
    air_order_requests_deinit(&requests);
}

static void reads_every_field(void **state) {
    (void)state;
    const struct air_order_request *order = read("managed=1&must_staple=1&key_type=rsa-2048,+"
                                                 "ecdsa-p256&account_key=" KEY "&domain=a.b");
    assert_true(order->managed && order->must_staple);
    assert_int_equal(order->key_types_count, 2);
    assert_int_equal(order->key_types[0], AIR_KEY_RSA_2048);
    assert_int_equal(order->key_types[1], AIR_KEY_ECDSA_P256);
    assert_span(order->account_key, AIR_TEST_KEY);
    air_order_requests_deinit(&requests);
    order = read("managed=0&must_staple=0&domain_key=" KEY "&account_key=" KEY_2 "&domain=a.b");
    assert_false(order->managed || order->must_staple);
    assert_span(order->domain_key, AIR_TEST_KEY);
    air_order_requests_deinit(&requests);
}

static void takes_empty_texts_for_not_given(void **state) {
    (void)state;
    const struct air_order_request *order =
        read("domain=a.b&aliases=&account_key=&domain_key=&key_type=&must_staple=&managed=");
    assert_int_equal(order->names_count, 1);
    assert_int_equal(order->account_key.size + order->domain_key.size, 0);
    assert_int_equal(order->key_types_count, 0);
    air_order_requests_deinit(&requests);
}

static void refuses_an_order_without_domain(void **state) {
    (void)state;
    static const char sentence[] = "\"domain\" is missing";
    refuses("aliases=a.b", AIR_ERR_MALFORMED, sentence);
    refuses("domain=", AIR_ERR_MALFORMED, sentence);
    refuses("domain=+%0D%0A", AIR_ERR_MALFORMED, sentence);
    refuses("&", AIR_ERR_MALFORMED, sentence);
}

static void refuses_unknown_fields_by_name(void **state) {
    (void)state;
#define KNOWN                                                                                      \
    "; there are domain, aliases, account_key, domain_key, key_type, must_staple and managed"
    refuses("domain=a.b&colour=red", AIR_ERR_MALFORMED, "there is no field \"colour\"" KNOWN);
    refuses("Domain=a.b", AIR_ERR_MALFORMED, "there is no field \"Domain\"" KNOWN);
    refuses("domain=a.b&k%22%c3%a4=", AIR_ERR_MALFORMED, "there is no field \"k%22%C3%A4\"" KNOWN);
}

static void refuses_bad_names(void **state) {
    (void)state;
    static const char *const bad[] = {"localhost", "192.0.2.1", "[2001:db8::1]", "a_b.net",
        "-a.net", "a..net", ".net", "a.net..", "a%20b.net", "http://a.net", "a.net:443", "a.*.net",
        "a.net/x", "a.b@net"};
    char body[1024];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(body, sizeof(body), "domain=%s", bad[i]);
        refuses(
            body, AIR_ERR_BAD_NAME, "\"domain\" is not a DNS name that a certificate can carry");
        (void)snprintf(body, sizeof(body), "domain=a.b&aliases=c.d,%s", bad[i]);
        refuses(body, AIR_ERR_BAD_NAME,
            "entry 2 of \"aliases\" is not a DNS name that a certificate can carry");
    }
    (void)snprintf(body, sizeof(body), "domain=%0254d.b", 0);
    refuses(body, AIR_ERR_BAD_NAME, "\"domain\" is not a DNS name that a certificate can carry");
    refuses("domain=*.a.b", AIR_ERR_BAD_NAME,
        "\"domain\" is a wildcard: that needs a dns challenge, which is not answered here");
    refuses("domain=b%C3%BCcher.example", AIR_ERR_BAD_NAME,
        "\"domain\" is not ASCII: write an international name with its xn-- labels");
    refuses("domain=a.b,c.d", AIR_ERR_BAD_NAME,
        "\"domain\" takes one name; the others go into \"aliases\"");
}

static void refuses_empty_entries(void **state) {
    (void)state;
    refuses("domain=a.b&aliases=,", AIR_ERR_MALFORMED, "entry 1 of \"aliases\" is empty");
    refuses("domain=a.b&aliases=c.d,+,e.f", AIR_ERR_MALFORMED, "entry 2 of \"aliases\" is empty");
    refuses("domain=a.b&aliases=c.d,", AIR_ERR_MALFORMED, "entry 2 of \"aliases\" is empty");
}

static void refuses_more_names_than_a_certificate_takes(void **state) {
    (void)state;
    char body[2048] = "domain=a.b&aliases=0.b";
    size_t size = strlen(body);
    for (int i = 1; i < AIR_NAMES_MAX - 1; i++) {
        size += (size_t)snprintf(body + size, sizeof(body) - size, ",%d.b", i);
    }
    assert_int_equal(read(body)->names_count, AIR_NAMES_MAX);
    air_order_requests_deinit(&requests);
    (void)snprintf(body + size, sizeof(body) - size, ",a.b");
    refuses(body, AIR_ERR_BAD_NAME,
        "\"aliases\" has too many names: a certificate takes 100, the domain included");
}

static void refuses_bad_key_types(void **state) {
    (void)state;
#define NO_TYPE                                                                                    \
    " of \"key_type\" is no key type; there are ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 and "   \
    "rsa-4096"
#define TOO_MANY " of \"key_type\" is one too many: a certificate takes one ecdsa and one rsa key"
    refuses("domain=a.b&key_type=rsa", AIR_ERR_BAD_KEY, "entry 1" NO_TYPE);
    refuses("domain=a.b&key_type=RSA-2048", AIR_ERR_BAD_KEY, "entry 1" NO_TYPE);
    refuses("domain=a.b&key_type=rsa-2048,", AIR_ERR_BAD_KEY, "entry 2" NO_TYPE);
    refuses("domain=a.b&key_type=rsa-1024", AIR_ERR_BAD_KEY, "entry 1" NO_TYPE);
    refuses("domain=a.b&key_type=rsa-2048,rsa-2048", AIR_ERR_BAD_KEY, "entry 2" TOO_MANY);
    refuses("domain=a.b&key_type=ecdsa-p256,ecdsa-p384", AIR_ERR_BAD_KEY, "entry 2" TOO_MANY);
    refuses(
        "domain=a.b&key_type=rsa-2048,ecdsa-p256,rsa-4096", AIR_ERR_BAD_KEY, "entry 3" TOO_MANY);
    refuses("domain=a.b&key_type=rsa-2048,ecdsa-p256&domain_key=" KEY, AIR_ERR_BAD_KEY,
        "\"key_type\" asks for two key types, but \"domain_key\" is of one");
}

static void refuses_bad_switches_and_keys(void **state) {
    (void)state;
    refuses("domain=a.b&must_staple=yes", AIR_ERR_MALFORMED, "\"must_staple\" is 0 or 1");
    refuses("domain=a.b&must_staple=01", AIR_ERR_MALFORMED, "\"must_staple\" is 0 or 1");
    refuses("domain=a.b&managed=2", AIR_ERR_MALFORMED, "\"managed\" is 0 or 1");
    refuses("domain=a.b&account_key=@key.pem", AIR_ERR_BAD_KEY,
        "\"account_key\" is not a private key in PEM");
    refuses(
        "domain=a.b&domain_key=+", AIR_ERR_BAD_KEY, "\"domain_key\" is not a private key in PEM");
    refuses("domain=a.b&domain_key=" KEY "&account_key=%0A" KEY, AIR_ERR_BAD_KEY,
        "\"domain_key\" and \"account_key\" are the same key: CAs want two");
}

static void settles_the_key_type_by_the_key(void **state) {
    (void)state;
    struct air_order_request order = {.names_count = 0};
    struct air_refusal refusal = {.status = 0};
    assert_ok(air_order_request_settle(&order, AIR_KEY_ECDSA_P384, &refusal));
    assert_int_equal(order.key_types_count, 1);
    assert_int_equal(order.key_types[0], AIR_KEY_ECDSA_P384);
    assert_ok(air_order_request_settle(&order, AIR_KEY_ECDSA_P384, &refusal));
    assert_int_equal(air_order_request_settle(&order, AIR_KEY_RSA_2048, &refusal), AIR_ERR_BAD_KEY);
    assert_int_equal(refusal.status, 422);
    assert_string_equal(refusal.sentence, "\"key_type\" says ecdsa-p384, but \"domain_key\" is "
                                          "rsa-2048: leave one of them out");
}

static enum air_error read_once(void *context) {
    struct air_refusal refusal = {.status = 0};
    (void)context;
    enum air_error error = air_order_requests_read(
        KIND, SPAN("domain=a.b&aliases=c.d&account_key=" KEY), &requests, &refusal);
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
        cmocka_unit_test(reads_the_predecessors_request),
        cmocka_unit_test(refuses_captured_mistakes),
        cmocka_unit_test(normalizes_names_and_drops_repeated_ones),
        cmocka_unit_test(reads_every_field),
        cmocka_unit_test(takes_empty_texts_for_not_given),
        cmocka_unit_test(refuses_an_order_without_domain),
        cmocka_unit_test(refuses_unknown_fields_by_name),
        cmocka_unit_test(refuses_bad_names),
        cmocka_unit_test(refuses_empty_entries),
        cmocka_unit_test(refuses_more_names_than_a_certificate_takes),
        cmocka_unit_test(refuses_bad_key_types),
        cmocka_unit_test(refuses_bad_switches_and_keys),
        cmocka_unit_test(settles_the_key_type_by_the_key),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
