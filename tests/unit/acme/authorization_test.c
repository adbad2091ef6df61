/* SPDX-License-Identifier: MIT */
/*
 * Proven here: reading an authorization is a total function (R-A11): every combination of status
 * with missing, null, wrong-typed and hostile members gives an authorization or a named refusal,
 * and a challenge is chosen only with a token that may stand in a path (R-A2) and a URL on the
 * directory's host (R-A3), in the order that is wanted, whatever the CA's order (RFC 8555 section
 * 7.1.4). How: documents, and a generated cross product of them.
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/authorization.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define DIRECTORY SPAN("https://ca.test/dir")
#define IDENTIFIER "\"identifier\":{\"type\":\"dns\",\"value\":\"example.net\"}"
#define HTTP "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"tok-h\"}"
#define ALPN "{\"type\":\"tls-alpn-01\",\"url\":\"https://ca.test/a\",\"token\":\"tok-a\"}"
#define DNS "{\"type\":\"dns-01\",\"url\":\"https://ca.test/d\",\"token\":\"tok-d\"}"
#define PERSIST "{\"type\":\"dns-persist-01\",\"url\":\"https://ca.test/p\",\"issuer\":[\"ca\"]}"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const enum air_challenge_type both[] = {AIR_TLS_ALPN_01, AIR_HTTP_01};

static enum air_error read(air_span body, struct air_authorization *out) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    const enum air_error error = air_authorization_read(body, DIRECTORY, both, 2, out, &text);
    air_buffer_deinit(&text);
    return error;
}

static struct air_authorization read_text(const char *body) {
    struct air_authorization authorization;
    assert_ok(read(air_span_text(body), &authorization));
    return authorization;
}

static void reads_name_and_status(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum air_authorization_status status;
    } rows[] = {
        {"pending", AIR_AUTHORIZATION_PENDING},
        {"processing", AIR_AUTHORIZATION_PENDING},
        {"valid", AIR_AUTHORIZATION_VALID},
        {"invalid", AIR_AUTHORIZATION_LOST},
        {"deactivated", AIR_AUTHORIZATION_LOST},
        {"expired", AIR_AUTHORIZATION_LOST},
        {"revoked", AIR_AUTHORIZATION_LOST},
        {"paused", AIR_AUTHORIZATION_UNKNOWN},
        {"VALID", AIR_AUTHORIZATION_UNKNOWN},
        {" valid", AIR_AUTHORIZATION_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[200];
        (void)snprintf(body, sizeof body, "{\"status\":\"%s\"," IDENTIFIER "}", rows[i].text);
        const struct air_authorization authorization = read_text(body);
        assert_int_equal(authorization.status, rows[i].status);
        assert_span(air_span_of(authorization.name, authorization.name_size), "example.net");
        assert_int_equal(authorization.challenge, AIR_CHALLENGE_NONE);
    }
}

static void chooses_by_our_order_not_the_ca_s(void **state) {
    (void)state;
    static const char *const lists[] = {"[" HTTP "," ALPN "," DNS "]",
        "[" ALPN "," DNS "," HTTP "]", "[" PERSIST "," DNS "," HTTP "," ALPN "]"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        char body[700];
        (void)snprintf(body, sizeof body,
            "{\"challenges\":%s,\"status\":\"pending\"," IDENTIFIER "}", lists[i]);
        const struct air_authorization authorization = read_text(body);
        assert_int_equal(authorization.challenge, AIR_TLS_ALPN_01);
        assert_span(air_span_of(authorization.token, authorization.token_size), "tok-a");
        assert_span(air_span_of(authorization.url, authorization.url_size), "https://ca.test/a");
        assert_false(authorization.is_answered);
    }
}

static void falls_back_to_what_is_offered(void **state) {
    (void)state;
    const struct air_authorization authorization = read_text(
        "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[" DNS "," PERSIST "," HTTP "]}");
    assert_int_equal(authorization.challenge, AIR_HTTP_01);
    assert_span(air_span_of(authorization.token, authorization.token_size), "tok-h");
}

static void answers_only_what_is_wanted(void **state) {
    (void)state;
    static const enum air_challenge_type wanted[] = {AIR_HTTP_01};
    struct air_authorization authorization;
    struct air_buffer text;
    air_buffer_init(&text, 1000);
    const air_span body =
        SPAN("{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[" ALPN "," DNS "]}");
    assert_ok(air_authorization_read(body, DIRECTORY, wanted, 1, &authorization, &text));
    assert_int_equal(authorization.challenge, AIR_CHALLENGE_NONE);
    assert_ok(air_authorization_read(body, DIRECTORY, NULL, 0, &authorization, &text));
    assert_int_equal(authorization.challenge, AIR_CHALLENGE_NONE);
    air_buffer_deinit(&text);
}

static void passes_over_challenges_that_cannot_be_answered(void **state) {
    (void)state;
    static const char *const challenges[] = {
        DNS,
        PERSIST,
        "null",
        "7",
        "[]",
        "{}",
        "\"http-01\"",
        "{\"type\":\"http-01\"}",
        "{\"type\":\"http-01\",\"token\":\"tok\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":null}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":7}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"../../etc/passwd\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"a/b\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"a b\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"YQ==\"}",
        "{\"type\":\"http-01\",\"url\":\"https://ca.test/h\",\"token\":\"a\\n\"}",
        "{\"type\":\"http-01\",\"url\":\"https://evil.test/h\",\"token\":\"tok\"}",
        "{\"type\":\"http-01\",\"url\":\"http://ca.test/h\",\"token\":\"tok\"}",
        "{\"type\":\"http-01\",\"url\":\"/h\",\"token\":\"tok\"}",
        "{\"type\":\"http-01\",\"url\":[],\"token\":\"tok\"}",
        "{\"type\":\"HTTP-01\",\"url\":\"https://ca.test/h\",\"token\":\"tok\"}",
        "{\"type\":\"http-02\",\"url\":\"https://ca.test/h\",\"token\":\"tok\"}",
        "{\"type\":null,\"url\":\"https://ca.test/h\",\"token\":\"tok\"}",
        "{\"type\":\"\",\"url\":\"https://ca.test/h\",\"token\":\"tok\"}",
    };
    for (size_t i = 0; i < COUNT(challenges); i++) {
        char body[700];
        (void)snprintf(body, sizeof body,
            "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[%s]}", challenges[i]);
        if (read_text(body).challenge != AIR_CHALLENGE_NONE) {
            fail_msg("chosen: %s", challenges[i]);
        }
        (void)snprintf(body, sizeof body,
            "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[%s," HTTP "]}", challenges[i]);
        if (read_text(body).token_size != 5) {
            fail_msg("hid the good one: %s", challenges[i]);
        }
    }
}

static void a_token_has_256_bytes_at_most(void **state) {
    (void)state;
    for (int size = 255; size < 259; size++) {
        char body[700];
        (void)snprintf(body, sizeof body,
            "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[{\"type\":\"http-01\","
            "\"url\":\"https://ca.test/h\",\"token\":\"%0*d\"}]}",
            size, 0);
        const struct air_authorization authorization = read_text(body);
        assert_int_equal(authorization.token_size, size <= 256 ? size : 0);
    }
}

static void sees_that_the_ca_is_at_it(void **state) {
    (void)state;
    static const struct {
        const char *status;
        bool is_answered;
    } rows[] = {{"\"pending\"", false}, {"\"processing\"", true}, {"\"valid\"", true},
        {"\"invalid\"", true}, {"\"later\"", true}, {"null", false}, {"7", false}, {"\"\"", false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[700];
        (void)snprintf(body, sizeof body,
            "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[{\"type\":\"http-01\","
            "\"url\":\"https://ca.test/h\",\"token\":\"tok\",\"status\":%s}]}",
            rows[i].status);
        assert_int_equal(read_text(body).is_answered, rows[i].is_answered);
    }
}

static void brings_the_name_into_its_normal_form(void **state) {
    (void)state;
    const struct air_authorization authorization =
        read_text("{\"status\":\"valid\",\"wildcard\":true,"
                  "\"identifier\":{\"value\":\"EXAMPLE.Net.\",\"type\":\"dns\",\"a\":1}}");
    assert_span(air_span_of(authorization.name, authorization.name_size), "example.net");
}

static void refuses_names_that_are_none(void **state) {
    (void)state;
    static const char *const identifiers[] = {"null", "[]", "\"example.net\"", "{}",
        "{\"type\":\"dns\"}", "{\"value\":\"example.net\"}",
        "{\"type\":\"ip\",\"value\":\"192.0.2.1\"}", "{\"type\":\"dns\",\"value\":\"192.0.2.1\"}",
        "{\"type\":\"dns\",\"value\":\"\"}", "{\"type\":\"dns\",\"value\":null}",
        "{\"type\":\"dns\",\"value\":7}", "{\"type\":\"dns\",\"value\":\"a..b\"}",
        "{\"type\":\"dns\",\"value\":\"../../etc\"}", "{\"type\":\"dns\",\"value\":\"a b.net\"}",
        "{\"type\":\"dns\",\"value\":\"-a.net\"}", "{\"type\":\"dns\",\"value\":\"a\\n.net\"}",
        "{\"type\":\"DNS\",\"value\":\"example.net\"}", "{\"type\":7,\"value\":\"example.net\"}"};
    for (size_t i = 0; i < COUNT(identifiers); i++) {
        char body[200];
        struct air_authorization authorization;
        (void)snprintf(
            body, sizeof body, "{\"status\":\"valid\",\"identifier\":%s}", identifiers[i]);
        if (read(air_span_text(body), &authorization) != AIR_ERR_MALFORMED) {
            fail_msg("read: %s", identifiers[i]);
        }
    }
}

static void refuses_what_has_no_status(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "{}", "[]", "null", "<html>", "{" IDENTIFIER "}",
        "{\"status\":null," IDENTIFIER "}", "{\"status\":7," IDENTIFIER "}",
        "{\"status\":\"\"," IDENTIFIER "}", "{\"status\":\"valid\"," IDENTIFIER,
        "{\"status\":\"valid\",\"status\":\"valid\"," IDENTIFIER "}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct air_authorization authorization;
        assert_int_equal(read(air_span_text(bodies[i]), &authorization), AIR_ERR_MALFORMED);
    }
}

static void refuses_too_many_challenges_and_too_many_bytes(void **state) {
    (void)state;
    static uint8_t body[AIR_AUTHORIZATION_SIZE_MAX + 1];
    struct air_authorization authorization;
    for (size_t count = 15; count < 19; count++) {
        memset(body, ' ', sizeof body);
        size_t size = (size_t)snprintf(
            (char *)body, sizeof body, "{\"status\":\"valid\"," IDENTIFIER ",\"challenges\":[{}");
        for (size_t i = 1; i < count; i++) {
            memcpy(body + size, ",{}", 3);
            size += 3;
        }
        memcpy(body + size, "] }", 3);
        assert_int_equal(read(air_span_of(body, sizeof body - 1), &authorization),
            count <= AIR_AUTHORIZATION_CHALLENGES_MAX ? AIR_OK : AIR_ERR_LIMIT);
        assert_int_equal(read(air_span_of(body, sizeof body), &authorization), AIR_ERR_LIMIT);
    }
}

static void tells_why_a_challenge_failed(void **state) {
    (void)state;
    struct air_authorization authorization;
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    assert_ok(air_authorization_read(
        SPAN("{\"status\":\"invalid\"," IDENTIFIER ",\"challenges\":[" DNS
             ",7,{\"type\":\"http-01\","
             "\"error\":{\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"Timeout\"}"
             "}]}"),
        DIRECTORY, both, 2, &authorization, &text));
    assert_int_equal(authorization.status, AIR_AUTHORIZATION_LOST);
    assert_int_equal(authorization.problem.type, AIR_PROBLEM_VALIDATION);
    assert_span(air_buffer_span(&text), "connection: Timeout");
    air_buffer_clear(&text);
    assert_ok(air_authorization_read(SPAN("{\"status\":\"expired\"," IDENTIFIER "}"), DIRECTORY,
        both, 2, &authorization, &text));
    assert_int_equal(authorization.problem.remedy, AIR_REMEDY_NEW_ORDER);
    assert_int_equal(text.size, 0);
    air_buffer_deinit(&text);
}

static void writes_the_key_authorization(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, AIR_KEY_AUTHORIZATION_SIZE_MAX);
    assert_ok(air_key_authorization_write(SPAN("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"),
        "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", &out));
    assert_span(air_buffer_span(&out), "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
                                       "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    air_buffer_deinit(&out);
    air_buffer_init(&out, 40);
    assert_int_equal(air_key_authorization_write(
                         SPAN("token"), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U", &out),
        AIR_ERR_LIMIT);
    air_buffer_deinit(&out);
}

/* Values that a member may have, and whether an authorization may have them. */
struct form {
    const char *value; /* NULL: the member is missing */
    bool is_fine;
};

static const struct form statuses[] = {{"\"pending\"", true}, {"\"valid\"", true},
    {"\"invalid\"", true}, {"\"deactivated\"", true}, {"\"expired\"", true}, {"\"revoked\"", true},
    {"\"later\"", true}, {NULL, false}, {"null", false}, {"[]", false}};
static const struct form identifiers[] = {{"{\"type\":\"dns\",\"value\":\"example.net\"}", true},
    {"{\"type\":\"dns\",\"value\":\"*.example.net\"}", true}, {NULL, false}, {"null", false},
    {"{\"type\":\"dns\"}", false}};
static const struct form lists[] = {{"[" HTTP "]", true}, {"[" PERSIST "," ALPN "]", true},
    {"[]", true}, {NULL, true}, {"null", true}, {"{}", true}, {"\"http-01\"", true},
    {"[null,7,{\"error\":null},{\"error\":7}]", true},
    {"[{\"type\":\"http-01\",\"error\":{}}]", true},
    {"[{\"error\":{\"type\":[],\"detail\":{},\"subproblems\":[[]]}}]", true}};
static const struct form expiries[] = {{"\"2026-11-23T15:04:05Z\"", true},
    {"\"9999-12-31T23:59:59Z\"", true}, {"\"never\"", true}, {"-1", true}, {NULL, true}};

static void every_combination_has_a_defined_result(void **state) {
    (void)state;
    const size_t total = COUNT(statuses) * COUNT(identifiers) * COUNT(lists) * COUNT(expiries);
    for (size_t number = 0; number < total; number++) {
        const struct form *forms[] = {&statuses[number % COUNT(statuses)],
            &identifiers[number / COUNT(statuses) % COUNT(identifiers)],
            &lists[number / COUNT(statuses) / COUNT(identifiers) % COUNT(lists)],
            &expiries[number / COUNT(statuses) / COUNT(identifiers) / COUNT(lists)]};
        static const char *const keys[] = {"status", "identifier", "challenges", "expires"};
        char body[700];
        size_t size = (size_t)snprintf(body, sizeof body, "{\"wildcard\":null");
        bool is_fine = true;
        for (size_t i = 4; i-- > 0;) {
            is_fine = is_fine && forms[i]->is_fine;
            if (forms[i]->value != NULL) {
                size += (size_t)snprintf(
                    body + size, sizeof body - size, ",\"%s\":%s", keys[i], forms[i]->value);
            }
        }
        (void)snprintf(body + size, sizeof body - size, "}");
        struct air_authorization authorization;
        const enum air_error error = read(air_span_text(body), &authorization);
        if (error != (is_fine ? AIR_OK : AIR_ERR_MALFORMED)) {
            fail_msg("%s: %s", air_error_name(error), body);
        }
    }
}

static enum air_error read_once(void *context) {
    (void)context;
    struct air_authorization authorization;
    return read(SPAN("{\"status\":\"invalid\"," IDENTIFIER ",\"challenges\":[{\"error\":"
                     "{\"detail\":\"a detail that is long enough to let the buffer grow\"}}]}"),
        &authorization);
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_name_and_status),
        cmocka_unit_test(chooses_by_our_order_not_the_ca_s),
        cmocka_unit_test(falls_back_to_what_is_offered),
        cmocka_unit_test(answers_only_what_is_wanted),
        cmocka_unit_test(passes_over_challenges_that_cannot_be_answered),
        cmocka_unit_test(a_token_has_256_bytes_at_most),
        cmocka_unit_test(sees_that_the_ca_is_at_it),
        cmocka_unit_test(brings_the_name_into_its_normal_form),
        cmocka_unit_test(refuses_names_that_are_none),
        cmocka_unit_test(refuses_what_has_no_status),
        cmocka_unit_test(refuses_too_many_challenges_and_too_many_bytes),
        cmocka_unit_test(tells_why_a_challenge_failed),
        cmocka_unit_test(writes_the_key_authorization),
        cmocka_unit_test(every_combination_has_a_defined_result),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
