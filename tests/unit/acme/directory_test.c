/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a directory is taken when it has what issuance needs on its own host (RFC 8555
 * section 7.1.1, R-A3), however much or little stands beside it; everything else is refused with a
 * sentence that names the member, and leaves what was known before untouched. How: documents,
 * among them a generated cross product of missing, null and wrong-typed members (R-A11).
 */

#include <stdio.h>
#include <string.h>

#include "src/acme/directory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define DIRECTORY SPAN("https://ca.test/dir")
#define THREE                                                                                      \
    "\"newNonce\":\"https://ca.test/n\",\"newAccount\":\"https://ca.test/a\","                     \
    "\"newOrder\":\"https://ca.test/o\""

static enum air_error read(const char *body, struct air_directory *out, struct air_buffer *reason) {
    const struct air_http_result response = {.status = 200, .body = air_span_text(body)};
    air_buffer_init(reason, 256);
    return air_directory_read(&response, DIRECTORY, out, reason);
}

static void takes(const char *body, const char *terms, bool needs_external_account) {
    struct air_directory directory = {0};
    struct air_buffer reason;
    assert_ok(read(body, &directory, &reason));
    assert_span(directory.new_nonce, "https://ca.test/n");
    assert_span(directory.new_account, "https://ca.test/a");
    assert_span(directory.new_order, "https://ca.test/o");
    assert_span(directory.terms_of_service, terms);
    assert_int_equal(directory.needs_external_account, needs_external_account);
    assert_int_equal(reason.size, 0);
    air_directory_deinit(&directory);
    air_buffer_deinit(&reason);
}

static void refuses(const char *body, const char *sentence) {
    struct air_directory directory = {0};
    struct air_buffer reason;
    assert_int_equal(read(body, &directory, &reason), AIR_ERR_MALFORMED);
    assert_span(air_buffer_span(&reason), sentence);
    assert_int_equal(directory.new_order.size, 0);
    assert_null(directory.text.data);
    air_buffer_deinit(&reason);
}

static void takes_a_directory_with_and_without_meta(void **state) {
    (void)state;
    takes("{" THREE "}", "", false);
    takes("{" THREE ",\"meta\":{}}", "", false);
    takes("{" THREE ",\"meta\":null}", "", false);
    takes("{\"meta\":{\"termsOfService\":\"https://elsewhere.test/tos.pdf\","
          "\"externalAccountRequired\":true,\"website\":\"https://ca.test\"}," THREE "}",
        "https://elsewhere.test/tos.pdf", true);
}

static void terms_may_be_a_data_url(void **state) {
    (void)state;
    takes("{" THREE ",\"meta\":{\"termsOfService\":\"data:text/plain,Do%20what%20thou%20wilt\"}}",
        "data:text/plain,Do%20what%20thou%20wilt", false);
}

static void terms_too_long_to_show_are_left_out(void **state) {
    (void)state;
    static char body[8192];
    char terms[2050];
    memset(terms, 't', sizeof terms - 1);
    terms[2049] = '\0';
    (void)snprintf(body, sizeof body, "{" THREE ",\"meta\":{\"termsOfService\":\"%s\"}}", terms);
    takes(body, "", false);
    terms[2048] = '\0';
    (void)snprintf(body, sizeof body, "{" THREE ",\"meta\":{\"termsOfService\":\"%s\"}}", terms);
    takes(body, terms, false);
}

static void ignores_members_it_does_not_know(void **state) {
    (void)state;
    takes("{\"Tz5kXv9qPlE\":\"https://community.ca.test/t/adding-random-entries\"," THREE
          ",\"renewalInfo\":\"https://elsewhere.test/\",\"newAuthz\":17,\"keyChange\":null,"
          "\"meta\":{\"profiles\":{\"classic\":\"x\"},\"caaIdentities\":[1,2],\"a\":{\"b\":[{}]},"
          "\"auto-renewal\":{},\"subdomainAuthAllowed\":true}}",
        "", false);
}

static void members_of_meta_of_a_wrong_kind_count_as_missing(void **state) {
    (void)state;
    static const char *const metas[] = {"[]", "\"text\"", "7", "true",
        "{\"termsOfService\":7,\"externalAccountRequired\":\"true\"}",
        "{\"termsOfService\":null,\"externalAccountRequired\":1}",
        "{\"termsOfService\":{},\"externalAccountRequired\":{}}",
        "{\"termsOfService\":\"\",\"externalAccountRequired\":false}"};
    for (size_t i = 0; i < sizeof metas / sizeof metas[0]; i++) {
        char body[400];
        (void)snprintf(body, sizeof body, "{" THREE ",\"meta\":%s}", metas[i]);
        takes(body, "", false);
    }
}

static void refuses_what_is_no_object(void **state) {
    (void)state;
    static const char *const bodies[] = {"", "[]", "null", "\"https://ca.test/n\"", "{", "{}}",
        "<html></html>", "{\"a\":1,\"a\":2}", "\xff", "{\"newNonce\":1e400}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        refuses(bodies[i], "the directory is not a JSON object");
    }
}

static void refuses_every_broken_form_of_a_url_it_needs(void **state) {
    (void)state;
    static const char *const members[] = {"newNonce", "newAccount", "newOrder"};
    static const struct {
        const char *value;
        bool is_missing;
    } forms[] = {
        {NULL, true},
        {"null", true},
        {"7", true},
        {"true", true},
        {"[\"https://ca.test/x\"]", true},
        {"{\"url\":\"https://ca.test/x\"}", true},
        {"\"\"", true},
        {"\"http://ca.test/x\"", false},
        {"\"https://evil.test/x\"", false},
        {"\"https://ca.test:444/x\"", false},
        {"\"https://ca.test@evil.test/x\"", false},
        {"\"https://ca.test/x#y\"", false},
        {"\"https://ca.test/\\nx\"", false},
        {"\"file:///etc/passwd\"", false},
        {"\"/x\"", false},
    };
    for (size_t member = 0; member < 3; member++) {
        for (size_t form = 0; form < sizeof forms / sizeof forms[0]; form++) {
            char body[600];
            char sentence[200];
            size_t size = (size_t)snprintf(body, sizeof body, "{\"a\":1");
            for (size_t i = 0; i < 3; i++) {
                const char *value = i != member ? "\"https://ca.test/x\"" : forms[form].value;
                if (value != NULL) {
                    size += (size_t)snprintf(
                        body + size, sizeof body - size, ",\"%s\":%s", members[i], value);
                }
            }
            (void)snprintf(body + size, sizeof body - size, "}");
            (void)snprintf(sentence, sizeof sentence,
                forms[form].is_missing
                    ? "the directory has no %s"
                    : "the directory's %s is not an https URL on the directory's host",
                members[member]);
            refuses(body, sentence);
        }
    }
}

static void a_refused_directory_leaves_the_known_one(void **state) {
    (void)state;
    struct air_directory directory = {0};
    struct air_buffer reason;
    assert_ok(read("{" THREE "}", &directory, &reason));
    air_buffer_deinit(&reason);
    assert_int_equal(
        read("{\"newNonce\":\"https://ca.test/other\"}", &directory, &reason), AIR_ERR_MALFORMED);
    air_buffer_deinit(&reason);
    assert_span(directory.new_nonce, "https://ca.test/n");
    assert_ok(read("{" THREE ",\"meta\":{\"termsOfService\":\"t\"}}", &directory, &reason));
    assert_span(directory.terms_of_service, "t");
    air_buffer_deinit(&reason);
    air_directory_deinit(&directory);
    assert_int_equal(directory.new_nonce.size, 0);
}

static void works_without_a_reason(void **state) {
    (void)state;
    struct air_directory directory = {0};
    const struct air_http_result response = {.status = 200, .body = SPAN("{}")};
    assert_int_equal(air_directory_read(&response, DIRECTORY, &directory, NULL), AIR_ERR_MALFORMED);
}

static enum air_error read_once(void *context) {
    (void)context;
    struct air_directory directory = {0};
    struct air_buffer reason;
    const enum air_error error = read(
        "{" THREE ",\"meta\":{\"termsOfService\":\"https://ca.test/a/rather/long/address/of/the/"
        "terms/of/service/so/that/the/buffer/has/to/grow/at/least/once/more\"}}",
        &directory, &reason);
    air_directory_deinit(&directory);
    air_buffer_deinit(&reason);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_directory_with_and_without_meta),
        cmocka_unit_test(terms_may_be_a_data_url),
        cmocka_unit_test(terms_too_long_to_show_are_left_out),
        cmocka_unit_test(ignores_members_it_does_not_know),
        cmocka_unit_test(members_of_meta_of_a_wrong_kind_count_as_missing),
        cmocka_unit_test(refuses_what_is_no_object),
        cmocka_unit_test(refuses_every_broken_form_of_a_url_it_needs),
        cmocka_unit_test(a_refused_directory_leaves_the_known_one),
        cmocka_unit_test(works_without_a_reason),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
