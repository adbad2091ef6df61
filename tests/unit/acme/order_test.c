/* SPDX-License-Identifier: MIT */
/*
 * Proven here: orders are written as RFC 8555 section 7.4 has them, and reading one is a total
 * function: every combination of status with missing, null, wrong-typed and foreign members gives
 * an order or a named refusal (R-A11), no URL leaves the directory's host (R-A3), and 100 names of
 * 253 octets fit while 101 authorizations do not (R-A7). How: documents, and a generated cross
 * product of them.
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/order.h"
#include "src/base/json.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define DIRECTORY SPAN("https://ca.test/dir")

static void writes_identifiers(void **state) {
    (void)state;
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net")};
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    assert_ok(air_order_write(names, 2, &payload));
    assert_span(air_buffer_span(&payload),
        "{\"identifiers\":[{\"type\":\"dns\",\"value\":\"example.net\"},"
        "{\"type\":\"dns\",\"value\":\"www.example.net\"}]}");
    air_buffer_deinit(&payload);
}

static void writes_the_request_of_finalize(void **state) {
    (void)state;
    struct air_buffer payload;
    air_buffer_init(&payload, 100);
    assert_ok(air_order_write_finalize(SPAN("\x30\x00\xff"), &payload));
    assert_span(air_buffer_span(&payload), "{\"csr\":\"MAD_\"}");
    air_buffer_deinit(&payload);
    air_buffer_init(&payload, 12);
    assert_int_equal(air_order_write_finalize(SPAN("\x30\x00\xff"), &payload), AIR_ERR_LIMIT);
    air_buffer_deinit(&payload);
}

static void a_hundred_longest_names_fit_into_a_request(void **state) {
    (void)state;
    static char text[253];
    air_span names[100];
    struct air_buffer payload;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < 100; i++) {
        names[i] = air_span_of(text, sizeof text);
    }
    air_buffer_init(&payload, 131072);
    assert_ok(air_order_write(names, 100, &payload));
    assert_true(payload.size > 100 * 253);
    air_buffer_deinit(&payload);
}

static void reads_a_whole_order(void **state) {
    (void)state;
    struct air_order order = {0};
    assert_ok(air_order_read(
        SPAN("{\"status\":\"valid\",\"expires\":\"2026-11-23T15:04:05.5Z\",\"identifiers\":[],"
             "\"authorizations\":[\"https://ca.test/authz/1\",\"https://ca.test/authz/2\"],"
             "\"finalize\":\"https://ca.test/order/1/finalize\",\"replaces\":\"x\",\"profile\":7,"
             "\"certificate\":\"https://ca.test/cert/1\",\"error\":null}"),
        DIRECTORY, &order));
    assert_int_equal(order.status, AIR_ORDER_VALID);
    assert_int_equal(order.expires_ms, INT64_C(1795446245500));
    assert_int_equal(order.authorizations_count, 2);
    assert_span(order.authorizations[0], "https://ca.test/authz/1");
    assert_span(order.authorizations[1], "https://ca.test/authz/2");
    assert_span(order.finalize, "https://ca.test/order/1/finalize");
    assert_span(order.certificate, "https://ca.test/cert/1");
    assert_int_equal(order.problem_text.size, 0);
    air_order_deinit(&order);
}

static void knows_every_status(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum air_order_status status;
    } rows[] = {
        {"pending", AIR_ORDER_PENDING},
        {"ready", AIR_ORDER_READY},
        {"processing", AIR_ORDER_PROCESSING},
        {"valid", AIR_ORDER_VALID},
        {"invalid", AIR_ORDER_INVALID},
        {"paused", AIR_ORDER_UNKNOWN},
        {"VALID", AIR_ORDER_UNKNOWN},
        {"valid ", AIR_ORDER_UNKNOWN},
        {"deactivated", AIR_ORDER_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[100];
        struct air_order order = {0};
        (void)snprintf(body, sizeof body, "{\"status\":\"%s\"}", rows[i].text);
        assert_ok(air_order_read(air_span_text(body), DIRECTORY, &order));
        assert_int_equal(order.status, rows[i].status);
        assert_int_equal(order.authorizations_count, 0);
        assert_int_equal(order.finalize.size, 0);
        assert_int_equal(order.certificate.size, 0);
        assert_int_equal(order.expires_ms, 0);
        air_order_deinit(&order);
    }
}

static void tells_why_an_order_is_invalid(void **state) {
    (void)state;
    struct air_order order = {0};
    assert_ok(air_order_read(
        SPAN("{\"error\":{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
             "\"detail\":\"no\\nway\"},\"status\":\"invalid\"}"),
        DIRECTORY, &order));
    assert_int_equal(order.problem.remedy, AIR_REMEDY_GIVE_UP);
    assert_span(air_buffer_span(&order.problem_text), "rejectedIdentifier: no\\x0away");
    assert_ok(air_order_read(SPAN("{\"status\":\"invalid\"}"), DIRECTORY, &order));
    assert_int_equal(order.problem.remedy, AIR_REMEDY_NEW_ORDER);
    assert_int_equal(order.problem_text.size, 0);
    air_order_deinit(&order);
}

static void refuses_what_has_no_status(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "{}", "[]", "null", "<html>", "{\"status\":null}",
        "{\"status\":5}", "{\"status\":\"\"}", "{\"status\":[\"valid\"]}", "{\"Status\":\"valid\"}",
        "{\"status\":\"valid\"", "{\"status\":\"valid\"}x",
        "{\"status\":\"valid\",\"status\":\"ready\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct air_order order = {0};
        assert_int_equal(
            air_order_read(air_span_text(bodies[i]), DIRECTORY, &order), AIR_ERR_MALFORMED);
        assert_null(order.text.data);
    }
}

static void refuses_urls_that_lead_elsewhere(void **state) {
    (void)state;
    static const char *const urls[] = {"https://evil.test/x", "http://ca.test/x", "/x", "x",
        "https://ca.test:81/x", "https://u@ca.test/x", "https://ca.test/x#", "https://ca.test/ x",
        "file:///x"};
    static const char *const befores[] = {"\"finalize\":\"", "\"certificate\":\"",
        "\"authorizations\":[\"", "\"authorizations\":[\"https://ca.test/1\",\""};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        for (size_t form = 0; form < sizeof befores / sizeof befores[0]; form++) {
            char body[200];
            struct air_order order = {0};
            (void)snprintf(body, sizeof body, "{\"status\":\"pending\",%s%s\"%s}", befores[form],
                urls[i], form >= 2 ? "]" : "");
            assert_int_equal(
                air_order_read(air_span_text(body), DIRECTORY, &order), AIR_ERR_MALFORMED);
        }
    }
}

static void refuses_authorizations_that_are_no_urls(void **state) {
    (void)state;
    static const char *const items[] = {
        "null", "7", "\"\"", "{}", "[]", "true", "{\"url\":\"https://ca.test/1\"}"};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        char body[200];
        struct air_order order = {0};
        (void)snprintf(
            body, sizeof body, "{\"status\":\"pending\",\"authorizations\":[%s]}", items[i]);
        assert_int_equal(air_order_read(air_span_text(body), DIRECTORY, &order), AIR_ERR_MALFORMED);
    }
}

static enum air_error read_with_authorizations(size_t count, struct air_order *order) {
    struct air_buffer body;
    air_buffer_init(&body, AIR_ORDER_SIZE_MAX);
    air_json_begin(&body, NULL, '{');
    air_json_put_text(&body, "status", air_span_text("pending"));
    air_json_begin(&body, "authorizations", '[');
    for (size_t i = 0; i < count; i++) {
        char url[300];
        (void)snprintf(url, sizeof url, "https://ca.test/authz/%0240zu", i);
        air_json_put_text(&body, NULL, air_span_text(url));
    }
    air_json_end(&body, ']');
    air_json_end(&body, '}');
    const enum air_error error = air_order_read(air_buffer_span(&body), DIRECTORY, order);
    air_buffer_deinit(&body);
    return error;
}

static void takes_100_authorizations_and_refuses_101(void **state) {
    (void)state;
    struct air_order order = {0};
    assert_ok(read_with_authorizations(100, &order));
    assert_int_equal(order.authorizations_count, 100);
    assert_int_equal(order.authorizations[99].data[order.authorizations[99].size - 1], '9');
    assert_int_equal(read_with_authorizations(101, &order), AIR_ERR_LIMIT);
    assert_int_equal(order.authorizations_count, 100);
    air_order_deinit(&order);
}

static void refuses_a_body_over_its_limit(void **state) {
    (void)state;
    static uint8_t body[AIR_ORDER_SIZE_MAX + 1];
    struct air_order order = {0};
    memset(body, ' ', sizeof body);
    memcpy(body, "{\"status\":\"ready\"}", 18);
    assert_int_equal(
        air_order_read(air_span_of(body, sizeof body), DIRECTORY, &order), AIR_ERR_LIMIT);
    assert_ok(air_order_read(air_span_of(body, sizeof body - 1), DIRECTORY, &order));
    air_order_deinit(&order);
}

static void an_absurd_expiry_is_no_expiry(void **state) {
    (void)state;
    static const char *const values[] = {"null", "0", "\"\"", "\"never\"", "1795446245", "[]",
        "\"2026-02-30T00:00:00Z\"", "\"2026-11-23\"", "\"+12026-11-23T15:04:05Z\"",
        "\"Mon, 23 Nov 2026 15:04:05 GMT\"", "\"2026-11-23T15:04:05\""};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char body[200];
        struct air_order order = {0};
        (void)snprintf(body, sizeof body, "{\"status\":\"ready\",\"expires\":%s}", values[i]);
        assert_ok(air_order_read(air_span_text(body), DIRECTORY, &order));
        assert_int_equal(order.expires_ms, 0);
        air_order_deinit(&order);
    }
}

static void reads_the_ends_of_the_calendar(void **state) {
    (void)state;
    struct air_order order = {0};
    assert_ok(air_order_read(
        SPAN("{\"status\":\"ready\",\"expires\":\"9999-12-31T23:59:59Z\"}"), DIRECTORY, &order));
    assert_int_equal(order.expires_ms, INT64_C(253402300799000));
    assert_ok(air_order_read(
        SPAN("{\"status\":\"ready\",\"expires\":\"0001-01-01T00:00:00Z\"}"), DIRECTORY, &order));
    assert_true(order.expires_ms <= 0);
    air_order_deinit(&order);
}

static void a_refused_order_leaves_the_known_one(void **state) {
    (void)state;
    struct air_order order = {0};
    assert_ok(air_order_read(
        SPAN("{\"status\":\"ready\",\"finalize\":\"https://ca.test/f\"}"), DIRECTORY, &order));
    assert_int_equal(air_order_read(SPAN("{\"status\":\"valid\",\"finalize\":\"https://e.test\"}"),
                         DIRECTORY, &order),
        AIR_ERR_MALFORMED);
    assert_int_equal(order.status, AIR_ORDER_READY);
    assert_span(order.finalize, "https://ca.test/f");
    air_order_deinit(&order);
}

/* Values that a member may have, and whether a whole order may have them. */
struct form {
    const char *value; /* NULL: the member is missing */
    bool is_fine;
};

static const struct form statuses[] = {{"\"pending\"", true}, {"\"ready\"", true},
    {"\"processing\"", true}, {"\"valid\"", true}, {"\"invalid\"", true}, {"\"later\"", true},
    {NULL, false}, {"null", false}, {"1", false}, {"\"\"", false}};
static const struct form urls[] = {{"\"https://ca.test/x\"", true}, {NULL, true}, {"null", true},
    {"1", true}, {"{}", true}, {"\"\"", true}, {"\"https://evil.test/\"", false},
    {"\"http://ca.test/\"", false}};
static const struct form lists[] = {{"[\"https://ca.test/1\"]", true}, {"[]", true}, {NULL, true},
    {"null", true}, {"{}", true}, {"\"https://ca.test/1\"", true}, {"[null]", false},
    {"[[]]", false}, {"[\"https://evil.test/1\"]", false}};
static const struct form errors[] = {{NULL, true}, {"null", true}, {"{}", true}, {"[]", true},
    {"\"text\"", true}, {"{\"type\":7,\"detail\":{},\"subproblems\":[7,null,{}]}", true}};

static size_t put(char *body, size_t room, size_t size, const char *key, const struct form *form) {
    if (form->value != NULL) {
        size += (size_t)snprintf(body + size, room - size, ",\"%s\":%s", key, form->value);
    }
    return size;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void every_combination_has_a_defined_result(void **state) {
    (void)state;
    const size_t total = COUNT(statuses) * COUNT(urls) * COUNT(urls) * COUNT(lists) * COUNT(errors);
    for (size_t number = 0; number < total; number++) {
        size_t rest = number;
        const struct form *status = &statuses[rest % COUNT(statuses)];
        rest /= COUNT(statuses);
        const struct form *finalize = &urls[rest % COUNT(urls)];
        rest /= COUNT(urls);
        const struct form *certificate = &urls[rest % COUNT(urls)];
        rest /= COUNT(urls);
        const struct form *list = &lists[rest % COUNT(lists)];
        const struct form *problem = &errors[rest / COUNT(lists)];
        char body[400];
        size_t size = (size_t)snprintf(body, sizeof body, "{\"extra\":{\"a\":[1,null]}");
        size = put(body, sizeof body, size, "certificate", certificate);
        size = put(body, sizeof body, size, "status", status);
        size = put(body, sizeof body, size, "error", problem);
        size = put(body, sizeof body, size, "authorizations", list);
        size = put(body, sizeof body, size, "finalize", finalize);
        (void)snprintf(body + size, sizeof body - size, "}");
        struct air_order order = {0};
        const enum air_error error = air_order_read(air_span_text(body), DIRECTORY, &order);
        const bool is_fine =
            status->is_fine && finalize->is_fine && certificate->is_fine && list->is_fine;
        if (error != (is_fine ? AIR_OK : AIR_ERR_MALFORMED)) {
            fail_msg("%s: %s", air_error_name(error), body);
        }
        air_order_deinit(&order);
    }
}

static enum air_error read_once(void *context) {
    (void)context;
    struct air_order order = {0};
    const enum air_error error = air_order_read(
        SPAN(
            "{\"status\":\"invalid\",\"authorizations\":[\"https://ca.test/1\"],"
            "\"finalize\":\"https://ca.test/f\",\"expires\":\"2026-11-23T15:04:05Z\","
            "\"error\":{\"detail\":\"a detail that is long enough to let the buffer grow once\"}}"),
        DIRECTORY, &order);
    air_order_deinit(&order);
    return error;
}

static enum air_error write_once(void *context) {
    (void)context;
    const air_span names[] = {SPAN("a.rather.long.name.example.net")};
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    enum air_error error = air_order_write(names, 1, &payload);
    if (error == AIR_OK) {
        error =
            air_order_write_finalize(SPAN("a request, which is of course much longer"), &payload);
    }
    air_buffer_deinit(&payload);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_once, NULL);
    air_test_each_allocation(write_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_identifiers),
        cmocka_unit_test(writes_the_request_of_finalize),
        cmocka_unit_test(a_hundred_longest_names_fit_into_a_request),
        cmocka_unit_test(reads_a_whole_order),
        cmocka_unit_test(knows_every_status),
        cmocka_unit_test(tells_why_an_order_is_invalid),
        cmocka_unit_test(refuses_what_has_no_status),
        cmocka_unit_test(refuses_urls_that_lead_elsewhere),
        cmocka_unit_test(refuses_authorizations_that_are_no_urls),
        cmocka_unit_test(takes_100_authorizations_and_refuses_101),
        cmocka_unit_test(refuses_a_body_over_its_limit),
        cmocka_unit_test(an_absurd_expiry_is_no_expiry),
        cmocka_unit_test(reads_the_ends_of_the_calendar),
        cmocka_unit_test(a_refused_order_leaves_the_known_one),
        cmocka_unit_test(every_combination_has_a_defined_result),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
