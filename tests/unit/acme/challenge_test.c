/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the names of challenge types are those of RFC 8555 section 8 and RFC 8737, both
 * ways, and every other text is no challenge type.
 */

#include "tests/support/test.h"
#include "thinair/action.h"

static void writes_what_it_reads(void **state) {
    (void)state;
    assert_string_equal(air_challenge_type_text(AIR_HTTP_01), "http-01");
    assert_string_equal(air_challenge_type_text(AIR_TLS_ALPN_01), "tls-alpn-01");
    assert_string_equal(air_challenge_type_text(AIR_CHALLENGE_NONE), "");
    assert_int_equal(air_challenge_type_parse(SPAN("http-01")), AIR_HTTP_01);
    assert_int_equal(air_challenge_type_parse(SPAN("tls-alpn-01")), AIR_TLS_ALPN_01);
}

static void every_other_text_is_none(void **state) {
    (void)state;
    static const char *const texts[] = {"", "dns-01", "HTTP-01", "http-01 ", "http-0", "http-011",
        "tls-sni-01", "tls-alpn-02", "dns-persist-01", "http_01"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(air_challenge_type_parse(air_span_text(texts[i])), AIR_CHALLENGE_NONE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(every_other_text_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
