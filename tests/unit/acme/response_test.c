/* SPDX-License-Identifier: MIT */
/*
 * Proven here: what every answer of a CA carries is read as its RFC has it, and what does not match
 * its grammar counts as missing: Location (R-A3), Retry-After (R-A9), Replay-Nonce (RFC 8555
 * section 6.5.1) and Link (RFC 8288). How: tables of header values.
 */

#include <string.h>

#include "src/acme/response.h"
#include "tests/support/test.h"

#define DIRECTORY SPAN("https://ca.test/dir")
#define NOW_MS INT64_C(1795446245000) /* Mon, 23 Nov 2026 15:04:05 GMT */
#define SECOND ((air_time_ms)1000)

static struct air_http_result with(
    struct air_http_header *header, const char *name, air_span value) {
    *header = (struct air_http_header){air_span_text(name), value};
    return (struct air_http_result){.status = 200, .headers = header, .headers_count = 1};
}

static void finds_headers_in_any_case(void **state) {
    (void)state;
    static const char *const names[] = {"location", "Location", "LOCATION", "lOcAtIoN"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response = with(&header, names[i], SPAN(" \ta b\r\n"));
        assert_span(air_response_header(&response, "location"), "a b");
        assert_span(air_response_header(&response, "LOCATION"), "a b");
        assert_span(air_response_header(&response, "locatio"), "");
        assert_span(air_response_header(&response, "location2"), "");
    }
}

static void takes_the_first_of_two_headers(void **state) {
    (void)state;
    const struct air_http_header headers[] = {
        {SPAN("replay-nonce"), SPAN("first")}, {SPAN("Replay-Nonce"), SPAN("second")}};
    const struct air_http_result response = {.headers = headers, .headers_count = 2};
    assert_span(air_response_nonce(&response), "first");
}

static void finds_nothing_where_there_are_no_headers(void **state) {
    (void)state;
    const struct air_http_result response = {.status = 200};
    assert_span(air_response_header(&response, "location"), "");
    assert_span(air_response_location(&response, DIRECTORY), "");
    assert_span(air_response_nonce(&response), "");
    assert_span(air_response_link(&response, "next"), "");
    assert_int_equal(air_response_retry_after_ms(&response, NOW_MS), -1);
}

static void takes_a_location_on_the_directory_s_host_only(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool is_taken;
    } cases[] = {
        {"https://ca.test/order/1", true},
        {"https://CA.test/order/1", true},
        {"http://ca.test/order/1", false},
        {"https://evil.test/order/1", false},
        {"https://ca.test:8443/order/1", false},
        {"https://u@ca.test/order/1", false},
        {"https://ca.test/order/1#", false},
        {"/order/1", false},
        {"file:///etc/passwd", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Location", air_span_text(cases[i].value));
        assert_span(
            air_response_location(&response, DIRECTORY), cases[i].is_taken ? cases[i].value : "");
    }
}

static void reads_retry_after_as_seconds_or_date(void **state) {
    (void)state;
    static const struct {
        const char *value;
        air_time_ms expected_ms;
    } cases[] = {
        {"0", 0},
        {"1", 1 * SECOND},
        {"3", 3 * SECOND},
        {"  60 ", 60 * SECOND},
        {"007", 7 * SECOND},
        {"86400", AIR_RETRY_AFTER_MS_MAX},
        {"Mon, 23 Nov 2026 15:04:05 GMT", 0},
        {"Mon, 23 Nov 2026 15:04:06 GMT", 1 * SECOND},
        {"Mon, 23 Nov 2026 15:05:05 GMT", 60 * SECOND},
        {"Tue, 24 Nov 2026 15:04:05 GMT", AIR_RETRY_AFTER_MS_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Retry-After", air_span_text(cases[i].value));
        assert_int_equal(air_response_retry_after_ms(&response, NOW_MS), cases[i].expected_ms);
    }
}

static void clamps_what_is_huge_or_past(void **state) {
    (void)state;
    static const struct {
        const char *value;
        air_time_ms expected_ms;
    } cases[] = {
        {"86401", AIR_RETRY_AFTER_MS_MAX},
        {"4294967296", AIR_RETRY_AFTER_MS_MAX},
        {"9223372036854775", AIR_RETRY_AFTER_MS_MAX},
        {"9223372036854775807", AIR_RETRY_AFTER_MS_MAX},
        {"Fri, 31 Dec 9999 23:59:59 GMT", AIR_RETRY_AFTER_MS_MAX},
        {"Mon, 23 Nov 2026 15:04:04 GMT", 0},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Mon, 01 Jan 0001 00:00:00 GMT", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Retry-After", air_span_text(cases[i].value));
        assert_int_equal(air_response_retry_after_ms(&response, NOW_MS), cases[i].expected_ms);
    }
}

static void ignores_a_retry_after_that_is_neither(void **state) {
    (void)state;
    static const char *const values[] = {"", " ", "-1", "+1", "1.5", "1e3", "0x10", "10s", "soon",
        "1 2", "9223372036854775808", "99999999999999999999999999", "2026-11-23T15:04:05Z",
        "Tue, 23 Nov 2026 15:04:05 GMT", "Mon, 23 Nov 2026 15:04:05",
        "Mon, 23 Nov 2026 15:04:05 CET", "Monday, 23-Nov-26 15:04:05 GMT",
        "Mon Nov 23 15:04:05 2026", "Mon, 31 Nov 2026 15:04:05 GMT",
        "Mon, 23 Nov 2026 25:04:05 GMT", "120, 130", "\xef\xbc\x91"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Retry-After", air_span_text(values[i]));
        if (air_response_retry_after_ms(&response, NOW_MS) != -1) {
            fail_msg("read: %s", values[i]);
        }
    }
}

static void takes_nonces_of_the_alphabet_only(void **state) {
    (void)state;
    static const struct {
        const char *value;
        bool is_taken;
    } cases[] = {
        {"oFvnlFP1wIhRlYS2jTaXbA", true},
        {"a-_Z9", true},
        {"", false},
        {"a b", false},
        {"a+b", false},
        {"a/b", false},
        {"YQ==", false},
        {"a,b", false},
        {"\"a\"", false},
        {"a\x01", false},
        {"a\xc3\xa4", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Replay-Nonce", air_span_text(cases[i].value));
        assert_span(air_response_nonce(&response), cases[i].is_taken ? cases[i].value : "");
    }
    char nonce[257];
    memset(nonce, 'n', sizeof nonce);
    struct air_http_header header;
    struct air_http_result response = with(&header, "replay-nonce", air_span_of(nonce, 256));
    assert_int_equal(air_response_nonce(&response).size, 256);
    response = with(&header, "replay-nonce", air_span_of(nonce, 257));
    assert_int_equal(air_response_nonce(&response).size, 0);
}

static void finds_a_link_in_one_header(void **state) {
    (void)state;
    static const struct {
        const char *value;
        const char *expected; /* of "alternate" */
    } cases[] = {
        {"<https://ca.test/c/1>;rel=\"alternate\"", "https://ca.test/c/1"},
        {"<https://ca.test/c/1>;rel=alternate", "https://ca.test/c/1"},
        {"<https://ca.test/c/1>; REL=\"Alternate\"", "https://ca.test/c/1"},
        {" <https://ca.test/c/1> ; title=\"x\" ; rel = \"alternate\" ; a=b ",
            "https://ca.test/c/1"},
        {"<https://ca.test/dir>;rel=\"index\", <https://ca.test/c/1>;rel=\"alternate\"",
            "https://ca.test/c/1"},
        {"<https://ca.test/dir>;rel=index,<https://ca.test/c/1>;rel=alternate",
            "https://ca.test/c/1"},
        {"<https://ca.test/a,b;c>;rel=\"alternate\"", "https://ca.test/a,b;c"},
        {"<https://ca.test/dir>;title=\"a,b\";rel=\"index\",<https://ca.test/c/"
         "2>;rel=\"alternate\"",
            "https://ca.test/c/2"},
        {"<https://ca.test/c/1>;rel=\"up alternate\"", "https://ca.test/c/1"},
        {"<https://ca.test/c/1>;rel=\"alternate\",<https://ca.test/c/2>;rel=\"alternate\"",
            "https://ca.test/c/1"},
        {"</c/1>;rel=\"alternate\"", "/c/1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response =
            with(&header, "Link", air_span_text(cases[i].value));
        assert_span(air_response_link(&response, "alternate"), cases[i].expected);
    }
}

static void finds_a_link_among_several_headers(void **state) {
    (void)state;
    const struct air_http_header headers[] = {
        {SPAN("Link"), SPAN("<https://ca.test/dir>;rel=\"index\"")},
        {SPAN("content-type"), SPAN("<https://ca.test/x>;rel=\"alternate\"")},
        {SPAN("link"), SPAN("<https://ca.test/authz/1>;rel=\"up\"")},
        {SPAN("LINK"), SPAN("<https://ca.test/c/1>;rel=\"alternate\"")},
    };
    const struct air_http_result response = {.headers = headers, .headers_count = 4};
    assert_span(air_response_link(&response, "index"), "https://ca.test/dir");
    assert_span(air_response_link(&response, "up"), "https://ca.test/authz/1");
    assert_span(air_response_link(&response, "alternate"), "https://ca.test/c/1");
    assert_span(air_response_link(&response, "terms-of-service"), "");
}

static void finds_no_link_in_what_is_none(void **state) {
    (void)state;
    static const char *const values[] = {"", "alternate", "https://ca.test/;rel=alternate",
        "<https://ca.test/", "<", ">", "<>", "<https://ca.test/>", "<https://ca.test/>;rel",
        "<https://ca.test/>;rel=", "<https://ca.test/>;rel=\"\"", "<https://ca.test/>;rel=\"",
        "<https://ca.test/>;rel=\"alternate", "<https://ca.test/>;rel=alternates",
        "<https://ca.test/>;rel=\"not-alternate\"", "<https://ca.test/>;rev=alternate",
        "<https://ca.test/>;title=\"rel=alternate\"",
        "<https://ca.test/>;title=\"; rel=alternate ;\"",
        "<https://ca.test/>;title=\"a\\\"; rel=alternate ;\"",
        "<https://ca.test/>;rel=index;rel=alternate", ",,,;;;", "<a>;;;,<b>;,,"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct air_http_header header;
        const struct air_http_result response = with(&header, "Link", air_span_text(values[i]));
        if (air_response_link(&response, "alternate").size != 0) {
            fail_msg("found in: %s", values[i]);
        }
    }
}

static void a_quoted_text_hides_nothing_behind_it(void **state) {
    (void)state;
    struct air_http_header header;
    const struct air_http_result response = with(&header, "Link",
        SPAN("<a>;title=\"\\\",<b>;rel=x\";rel=index,<c>;title=\"<d>;rel=up\";rel=alternate"));
    assert_span(air_response_link(&response, "index"), "a");
    assert_span(air_response_link(&response, "alternate"), "c");
    assert_span(air_response_link(&response, "x"), "");
    assert_span(air_response_link(&response, "up"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_headers_in_any_case),
        cmocka_unit_test(takes_the_first_of_two_headers),
        cmocka_unit_test(finds_nothing_where_there_are_no_headers),
        cmocka_unit_test(takes_a_location_on_the_directory_s_host_only),
        cmocka_unit_test(reads_retry_after_as_seconds_or_date),
        cmocka_unit_test(clamps_what_is_huge_or_past),
        cmocka_unit_test(ignores_a_retry_after_that_is_neither),
        cmocka_unit_test(takes_nonces_of_the_alphabet_only),
        cmocka_unit_test(finds_a_link_in_one_header),
        cmocka_unit_test(finds_a_link_among_several_headers),
        cmocka_unit_test(finds_no_link_in_what_is_none),
        cmocka_unit_test(a_quoted_text_hides_nothing_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
