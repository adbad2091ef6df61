/* SPDX-License-Identifier: MIT */
/*
 * Proven here: every error type of RFC 8555 section 6.7 has the remedy that facts of the field ask
 * for, an unknown one has a harmless remedy, and whatever a CA or the load balancer before it
 * sends, the operator gets one sentence without control bytes and within its limit. How: the table
 * of types, and bodies that are no problem documents.
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/problem.h"
#include "src/base/json.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define NOW_MS INT64_C(1795446245000)
#define URN "urn:ietf:params:acme:error:"

static struct air_problem read(uint32_t status, const char *body, struct air_buffer *text) {
    const struct air_http_result response = {.status = status, .body = air_span_text(body)};
    struct air_problem problem = {0};
    air_buffer_init(text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    assert_ok(air_problem_read(&response, NOW_MS, &problem, text));
    return problem;
}

static void check(uint32_t status, const char *body, enum air_problem_type type,
    enum air_remedy remedy, const char *sentence) {
    struct air_buffer text;
    const struct air_problem problem = read(status, body, &text);
    assert_int_equal(problem.type, type);
    assert_int_equal(problem.remedy, remedy);
    assert_int_equal(problem.retry_after_ms, -1);
    assert_span(air_buffer_span(&text), sentence);
    air_buffer_deinit(&text);
}

static void knows_every_type_of_the_rfc(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum air_problem_type type;
        enum air_remedy remedy;
    } rows[] = {
        {"accountDoesNotExist", AIR_PROBLEM_ACCOUNT_DOES_NOT_EXIST, AIR_REMEDY_REPAIR},
        {"badCSR", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"badNonce", AIR_PROBLEM_BAD_NONCE, AIR_REMEDY_REPEAT},
        {"badPublicKey", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"badSignatureAlgorithm", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"caa", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"compound", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"connection", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"dns", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"externalAccountRequired", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"incorrectResponse", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"invalidContact", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"invalidProfile", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"malformed", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"orderNotReady", AIR_PROBLEM_ORDER_NOT_READY, AIR_REMEDY_REPAIR},
        {"rateLimited", AIR_PROBLEM_RATE_LIMITED, AIR_REMEDY_WAIT},
        {"rejectedIdentifier", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"serverInternal", AIR_PROBLEM_SERVER_INTERNAL, AIR_REMEDY_WAIT},
        {"tls", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"unauthorized", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
        {"unsupportedContact", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"unsupportedIdentifier", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
        {"userActionRequired", AIR_PROBLEM_USER_ACTION_REQUIRED, AIR_REMEDY_GIVE_UP},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[200];
        char sentence[200];
        (void)snprintf(
            body, sizeof body, "{\"type\":\"" URN "%s\",\"detail\":\"why\"}", rows[i].name);
        (void)snprintf(sentence, sizeof sentence, "%s: why", rows[i].name);
        check(400, body, rows[i].type, rows[i].remedy, sentence);
    }
}

static void an_unknown_type_costs_one_order(void **state) {
    (void)state;
    check(403, "{\"type\":\"" URN "onTuesdays\",\"detail\":\"no\"}", AIR_PROBLEM_OTHER,
        AIR_REMEDY_NEW_ORDER, "onTuesdays: no");
    check(403, "{\"type\":\"urn:other:badNonce\",\"detail\":\"no\"}", AIR_PROBLEM_OTHER,
        AIR_REMEDY_NEW_ORDER, "urn:other:badNonce: no");
    check(403, "{\"type\":\"badNonce\"}", AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER, "badNonce");
    check(
        403, "{\"type\":\"" URN "BADNONCE\"}", AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER, "BADNONCE");
    check(403, "{\"type\":\"about:blank\",\"title\":\"Forbidden\"}", AIR_PROBLEM_OTHER,
        AIR_REMEDY_NEW_ORDER, "about:blank: Forbidden");
    check(403, "{\"type\":\"" URN "\",\"detail\":\"no\"}", AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER,
        "the CA gave no reason: no");
}

static void members_of_a_wrong_kind_count_as_missing(void **state) {
    (void)state;
    static const char *const bodies[] = {"{}", "{\"type\":null}", "{\"type\":5,\"detail\":[]}",
        "{\"type\":{\"a\":1},\"subproblems\":\"x\"}", "{\"subproblems\":{}}",
        "{\"subproblems\":null,\"title\":7}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        check(400, bodies[i], AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER,
            "the CA gave no reason (HTTP status 400)");
    }
}

static void an_answer_without_a_document_is_judged_by_its_status(void **state) {
    (void)state;
    static const char *const bodies[] = {"",
        "<html><head><title>502 Bad Gateway</title></head></html>", "[]", "null", "\"text\"", "{",
        "{\"type\":\"a\",\"type\":\"b\"}", "\xff\xfe", "{\"a\":1.5}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        check(502, bodies[i], AIR_PROBLEM_SERVER_INTERNAL, AIR_REMEDY_WAIT,
            "HTTP status 502 without a problem document");
        check(503, bodies[i], AIR_PROBLEM_SERVER_INTERNAL, AIR_REMEDY_WAIT,
            "HTTP status 503 without a problem document");
        check(429, bodies[i], AIR_PROBLEM_RATE_LIMITED, AIR_REMEDY_WAIT,
            "HTTP status 429 without a problem document");
        check(404, bodies[i], AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER,
            "HTTP status 404 without a problem document");
        check(0, bodies[i], AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER,
            "HTTP status 0 without a problem document");
    }
}

static void a_document_of_an_unknown_type_is_judged_by_its_status_too(void **state) {
    (void)state;
    check(500, "{\"detail\":\"oops\"}", AIR_PROBLEM_SERVER_INTERNAL, AIR_REMEDY_WAIT,
        "the CA gave no reason: oops (HTTP status 500)");
    check(429, "{\"type\":\"about:blank\",\"detail\":\"slow\"}", AIR_PROBLEM_RATE_LIMITED,
        AIR_REMEDY_WAIT, "about:blank: slow");
    check(500, "{\"type\":\"" URN "malformed\"}", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP,
        "malformed");
}

static void tells_what_each_subproblem_says(void **state) {
    (void)state;
    check(403,
        "{\"type\":\"" URN "compound\",\"detail\":\"errors\",\"subproblems\":["
        "{\"type\":\"" URN "caa\",\"detail\":\"forbidden\",\"identifier\":{\"type\":\"dns\","
        "\"value\":\"a.example\"}},{\"detail\":\"also\"},7,null,{}]}",
        AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER,
        "compound: errors; a.example: forbidden; also; ; ; ");
}

static void paused_identifiers_wait_and_tell_where_to_go(void **state) {
    (void)state;
    struct air_buffer text;
    const struct air_problem problem = read(429,
        "{\"type\":\"" URN "rateLimited\",\"status\":429,\"detail\":\"Your account is temporarily "
        "prevented from requesting certificates for example.net and possibly others. Please visit: "
        "https://portal.ca.test/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.e30.c2ln\"}",
        &text);
    assert_int_equal(problem.remedy, AIR_REMEDY_WAIT);
    assert_int_equal(problem.type, AIR_PROBLEM_RATE_LIMITED);
    assert_int_equal(problem.retry_after_ms, -1);
    assert_true(text.size > 26);
    assert_span(
        air_span_skip(air_buffer_span(&text), text.size - 26), "eyJhbGciOiJIUzI1NiJ9.e30.c2ln" + 3);
    air_buffer_deinit(&text);
}

static void reads_retry_after_of_the_response(void **state) {
    (void)state;
    const struct air_http_header header = {SPAN("retry-after"), SPAN("120")};
    const struct air_http_result response = {.status = 503,
        .headers = &header,
        .headers_count = 1,
        .body = SPAN("{\"type\":\"" URN "serverInternal\"}")};
    struct air_problem problem = {0};
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    assert_ok(air_problem_read(&response, NOW_MS, &problem, &text));
    assert_int_equal(problem.retry_after_ms, 120000);
    air_buffer_deinit(&text);
}

static void control_bytes_never_reach_the_operator(void **state) {
    (void)state;
    struct air_buffer text;
    (void)read(400,
        "{\"type\":\"a\\u001b[2J\\r\\n\",\"detail\":\"b\\u0007\\u009b\\u202e\",\"subproblems\":["
        "{\"detail\":\"c\\n\",\"identifier\":{\"value\":\"\\u0008d\"}}]}",
        &text);
    assert_true(text.size > 0);
    for (size_t i = 0; i < text.size; i++) {
        assert_in_range(text.data[i], 0x20, 0x7e);
    }
    air_buffer_deinit(&text);
}

/* A document with a type, a detail and subproblems of so many characters each. */
static void write_long(struct air_buffer *body, size_t size, size_t subproblems_count) {
    struct air_buffer words;
    air_buffer_init(&words, 100000);
    for (size_t i = 0; i < size; i++) {
        air_buffer_append_byte(&words, '\n');
    }
    air_json_begin(body, NULL, '{');
    air_json_put_text(body, "detail", air_buffer_span(&words));
    air_json_begin(body, "subproblems", '[');
    for (size_t i = 0; i < subproblems_count; i++) {
        air_json_begin(body, NULL, '{');
        air_json_begin(body, "identifier", '{');
        air_json_put_text(body, "value", air_buffer_span(&words));
        air_json_end(body, '}');
        air_json_put_text(body, "detail", air_buffer_span(&words));
        air_json_end(body, '}');
    }
    air_json_end(body, ']');
    air_json_put_text(body, "type", air_buffer_span(&words));
    air_json_end(body, '}');
    air_buffer_deinit(&words);
}

static void the_sentence_keeps_its_limit(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 20, 100, 500};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t count = 0; count < 8; count++) {
            struct air_buffer body;
            struct air_buffer text;
            air_buffer_init(&body, 100000);
            write_long(&body, sizes[i], count);
            assert_ok(air_buffer_append_byte(&body, 0));
            (void)read(400, (const char *)body.data, &text);
            assert_in_range(text.size, 1, AIR_PROBLEM_TEXT_SIZE_MAX);
            air_buffer_deinit(&text);
            air_buffer_deinit(&body);
        }
    }
}

static void a_document_over_its_size_is_not_parsed(void **state) {
    (void)state;
    static char body[20000];
    memset(body, ' ', sizeof body - 1);
    static const char document[] = "{\"type\":\"" URN "badNonce\"}";
    memcpy(body, document, sizeof document - 1);
    check(400, body, AIR_PROBLEM_OTHER, AIR_REMEDY_NEW_ORDER,
        "HTTP status 400 without a problem document");
    body[16384] = '\0';
    check(400, body, AIR_PROBLEM_BAD_NONCE, AIR_REMEDY_REPEAT, "badNonce");
}

static void a_full_buffer_cuts_the_sentence_only(void **state) {
    (void)state;
    const struct air_http_result response = {
        .status = 400, .body = SPAN("{\"type\":\"" URN "badCSR\",\"detail\":\"a long detail\"}")};
    for (size_t size_max = 0; size_max < 40; size_max++) {
        struct air_problem problem = {0};
        struct air_buffer text;
        air_buffer_init(&text, size_max);
        assert_ok(air_problem_read(&response, NOW_MS, &problem, &text));
        assert_int_equal(problem.type, AIR_PROBLEM_CONFIGURATION);
        air_buffer_deinit(&text);
    }
}

static void reads_a_problem_inside_another_object(void **state) {
    (void)state;
    json_t *object = NULL;
    struct air_problem problem = {0};
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    assert_ok(air_json_read(SPAN("{\"type\":\"" URN "dns\",\"detail\":\"NXDOMAIN\"}"), &object));
    assert_ok(air_problem_read_object(object, &problem, &text));
    assert_int_equal(problem.type, AIR_PROBLEM_VALIDATION);
    assert_int_equal(problem.retry_after_ms, -1);
    assert_span(air_buffer_span(&text), "dns: NXDOMAIN");
    json_decref(object);
    air_buffer_clear(&text);
    assert_ok(air_problem_read_object(NULL, &problem, &text));
    assert_int_equal(problem.type, AIR_PROBLEM_OTHER);
    assert_int_equal(problem.remedy, AIR_REMEDY_NEW_ORDER);
    assert_span(air_buffer_span(&text), "the CA gave no reason");
    air_buffer_deinit(&text);
}

static enum air_error read_once(void *context) {
    const struct air_http_result response = {.status = 400, .body = air_span_text(context)};
    struct air_problem problem = {0};
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    const enum air_error error = air_problem_read(&response, NOW_MS, &problem, &text);
    air_buffer_deinit(&text);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    static char document[] =
        "{\"type\":\"" URN "caa\",\"detail\":\"a detail that needs some room\","
        "\"subproblems\":[{\"detail\":\"forbidden by CAA records above it\"}]}";
    static char page[] = "<html>";
    static char nameless[] = "{\"detail\":\"a detail without a type that needs some more room\"}";
    air_test_each_allocation(read_once, document);
    air_test_each_allocation(read_once, page);
    air_test_each_allocation(read_once, nameless);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_type_of_the_rfc),
        cmocka_unit_test(an_unknown_type_costs_one_order),
        cmocka_unit_test(members_of_a_wrong_kind_count_as_missing),
        cmocka_unit_test(an_answer_without_a_document_is_judged_by_its_status),
        cmocka_unit_test(a_document_of_an_unknown_type_is_judged_by_its_status_too),
        cmocka_unit_test(tells_what_each_subproblem_says),
        cmocka_unit_test(paused_identifiers_wait_and_tell_where_to_go),
        cmocka_unit_test(reads_retry_after_of_the_response),
        cmocka_unit_test(control_bytes_never_reach_the_operator),
        cmocka_unit_test(the_sentence_keeps_its_limit),
        cmocka_unit_test(a_document_over_its_size_is_not_parsed),
        cmocka_unit_test(a_full_buffer_cuts_the_sentence_only),
        cmocka_unit_test(reads_a_problem_inside_another_object),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
