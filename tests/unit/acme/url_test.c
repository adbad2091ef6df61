/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a URL that a CA names is taken only when it is https, names a host, and that host
 * and port are the directory's (R-A3); everything that could make a second reader see another host
 * is refused. How: tables of URLs, each judged alone and against a directory.
 */

#include <string.h>

#include "src/acme/url.h"
#include "tests/support/test.h"

#define DIRECTORY SPAN("https://ca.test/dir")

static void takes_urls_of_cas(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://ca.test/dir",
        "https://ca.test",
        "https://ca.test/",
        "https://ca.test?query",
        "https://ca.test:14000/dir",
        "https://127.0.0.1:14000/dir",
        "https://[::1]:14000/dir",
        "https://[2001:db8::1]/dir",
        "https://CA.Test/Dir",
        "https://ca.test/a%20b?c=d&e=/f",
        "https://ca.test/~!$&'()*+,;=:@-._",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (!air_url_is_acceptable(air_span_text(urls[i]))) {
            fail_msg("refused: %s", urls[i]);
        }
    }
}

static void refuses_what_is_not_https(void **state) {
    (void)state;
    static const char *const urls[] = {
        "",
        "http://ca.test/dir",
        "file:///etc/passwd",
        "ftp://ca.test/",
        "https:/ca.test/",
        "https:ca.test",
        "https//ca.test/",
        "//ca.test/dir",
        "/dir",
        "dir",
        "ca.test/dir",
        " https://ca.test/",
        "https ://ca.test/",
        "HTTPS://ca.test/",
        "httpss://ca.test/",
        "data:text/plain,https://ca.test/",
        "javascript:https://ca.test/",
        "gopher://ca.test/",
        "unix:/run/ca.sock",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (air_url_is_acceptable(air_span_text(urls[i]))) {
            fail_msg("taken: %s", urls[i]);
        }
        assert_false(air_url_is_within(air_span_text(urls[i]), DIRECTORY));
    }
}

static void refuses_an_empty_host(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://",
        "https:///dir",
        "https://?a",
        "https://:443/",
        "https://:/",
        "https://[]/",
        "https://[]:443/",
        "https://[::1/",
        "https://[/",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (air_url_is_acceptable(air_span_text(urls[i]))) {
            fail_msg("taken: %s", urls[i]);
        }
    }
}

static void refuses_a_port_that_is_none(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://ca.test:/",
        "https://ca.test:https/",
        "https://ca.test:0x50/",
        "https://ca.test:443:444/",
        "https://ca.test:-1/",
        "https://ca.test:+1/",
        "https://ca.test:65536/",
        "https://ca.test:99999999999999999999/",
        "https://ca.test:0/",
        "https://[::1]x/",
        "https://[::1]443/",
        "https://[::1]:/",
        "https://::1/",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (air_url_is_acceptable(air_span_text(urls[i]))) {
            fail_msg("taken: %s", urls[i]);
        }
    }
}

static void refuses_user_names_fragments_and_backslashes(void **state) {
    (void)state;
    static const char *const urls[] = {
        "https://user@ca.test/",
        "https://user:word@ca.test/",
        "https://ca.test@evil.test/",
        "https://ca.test:443@evil.test/",
        "https://@ca.test/",
        "https://ca.test/dir#part",
        "https://ca.test#",
        "https://evil.test#@ca.test/",
        "https://ca.test\\@evil.test/",
        "https://evil.test\\.ca.test/",
        "https://ca.test/\\..\\",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (air_url_is_acceptable(air_span_text(urls[i]))) {
            fail_msg("taken: %s", urls[i]);
        }
    }
}

static void refuses_every_byte_that_is_not_visible_ascii(void **state) {
    (void)state;
    char url[] = "https://ca.test/a_b";
    const size_t place = sizeof url - 3;
    for (unsigned byte = 0; byte < 256; byte++) {
        const bool is_visible = byte > 0x20 && byte < 0x7f && byte != '#' && byte != '\\';
        url[place] = (char)byte;
        assert_int_equal(air_url_is_acceptable(air_span_of(url, sizeof url - 1)), is_visible);
    }
}

static void refuses_such_bytes_in_the_host_too(void **state) {
    (void)state;
    char url[] = "https://ca.te_st/dir";
    const size_t place = sizeof "https://ca.te" - 1;
    for (unsigned byte = 0; byte < 256; byte++) {
        url[place] = (char)byte;
        if (air_url_is_within(air_span_of(url, sizeof url - 1), SPAN("https://ca.te_st/dir"))) {
            assert_int_equal(byte, '_');
        }
    }
}

static void refuses_more_than_2048_bytes(void **state) {
    (void)state;
    static char url[AIR_ACME_URL_SIZE_MAX + 1];
    memset(url, 'a', sizeof url);
    memcpy(url, "https://ca.test/", sizeof "https://ca.test/" - 1);
    assert_true(air_url_is_acceptable(air_span_of(url, AIR_ACME_URL_SIZE_MAX)));
    assert_false(air_url_is_acceptable(air_span_of(url, AIR_ACME_URL_SIZE_MAX + 1)));
    assert_false(air_url_is_within(air_span_of(url, AIR_ACME_URL_SIZE_MAX + 1), DIRECTORY));
}

static void keeps_to_the_directory_s_host_and_port(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool is_within;
    } cases[] = {
        {"https://ca.test/order/1", true},
        {"https://CA.TEST/order/1", true},
        {"https://ca.test?order=1", true},
        {"https://ca.test", true},
        {"https://ca.test:443/order/1", false},
        {"https://ca.test:444/order/1", false},
        {"https://ca.test./order/1", false},
        {"https://ca.test.evil.test/", false},
        {"https://evil.test/ca.test/", false},
        {"https://evil.test?ca.test/", false},
        {"https://xca.test/", false},
        {"https://a.ca.test/", false},
        {"https://test/", false},
        {"https://192.0.2.1/", false},
        {"https://[2001:db8::1]/", false},
        {"https://localhost/", false},
        {"https://169.254.169.254/latest/meta-data", false},
        {"http://ca.test/order/1", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (air_url_is_within(air_span_text(cases[i].url), DIRECTORY) != cases[i].is_within) {
            fail_msg("judged wrongly: %s", cases[i].url);
        }
    }
    assert_true(air_url_is_within(SPAN("https://[::1]:14000/o"), SPAN("https://[::1]:14000/dir")));
    assert_false(air_url_is_within(SPAN("https://[::1]:14001/o"), SPAN("https://[::1]:14000/d")));
    assert_false(air_url_is_within(SPAN("https://[::2]:14000/o"), SPAN("https://[::1]:14000/d")));
}

static void no_url_is_within_a_directory_that_is_none(void **state) {
    (void)state;
    assert_false(air_url_is_within(SPAN(""), SPAN("")));
    assert_false(air_url_is_within(SPAN("https://ca.test/"), SPAN("")));
    assert_false(air_url_is_within(SPAN("https://ca.test/"), SPAN("http://ca.test/")));
    assert_false(air_url_is_within(SPAN("https://ca.test/"), SPAN("https://u@ca.test/")));
}

static void finds_authority_and_host(void **state) {
    (void)state;
    assert_span(air_url_authority(SPAN("https://ca.test:14000/dir")), "ca.test:14000");
    assert_span(air_url_host(SPAN("https://ca.test:14000/dir")), "ca.test");
    assert_span(air_url_authority(SPAN("https://[::1]:14000/dir")), "[::1]:14000");
    assert_span(air_url_host(SPAN("https://[::1]:14000/dir")), "::1");
    assert_span(air_url_host(SPAN("https://[2001:db8::1]/dir")), "2001:db8::1");
    assert_span(air_url_host(SPAN("https://ca.test?a/b")), "ca.test");
    assert_span(air_url_authority(SPAN("http://ca.test/")), "");
    assert_span(air_url_authority(SPAN("https://u@ca.test/")), "");
    assert_span(air_url_host(SPAN("https://u@ca.test/")), "");
    assert_span(air_url_host(SPAN("")), "");
}

static void knows_this_machine(void **state) {
    (void)state;
    assert_true(air_url_is_loopback(SPAN("https://localhost/")));
    assert_true(air_url_is_loopback(SPAN("https://localhost:14000/dir")));
    assert_true(air_url_is_loopback(SPAN("https://127.0.0.1/")));
    assert_true(air_url_is_loopback(SPAN("https://127.255.0.9:1/")));
    assert_true(air_url_is_loopback(SPAN("https://[::1]:14000/")));
}

static void takes_no_other_host_for_this_machine(void **state) {
    (void)state;
    assert_false(air_url_is_loopback(SPAN("https://127.example.net/")));
    assert_false(air_url_is_loopback(SPAN("https://127.0.0.1.example.net/")));
    assert_false(air_url_is_loopback(SPAN("https://localhost.example.net/")));
    assert_false(air_url_is_loopback(SPAN("https://128.0.0.1/")));
    assert_false(air_url_is_loopback(SPAN("https://[::2]/")));
    assert_false(air_url_is_loopback(SPAN("https://ca.test/127.0.0.1")));
    assert_false(air_url_is_loopback(SPAN("http://localhost/")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_urls_of_cas),
        cmocka_unit_test(refuses_what_is_not_https),
        cmocka_unit_test(refuses_an_empty_host),
        cmocka_unit_test(refuses_a_port_that_is_none),
        cmocka_unit_test(refuses_user_names_fragments_and_backslashes),
        cmocka_unit_test(refuses_every_byte_that_is_not_visible_ascii),
        cmocka_unit_test(refuses_such_bytes_in_the_host_too),
        cmocka_unit_test(refuses_more_than_2048_bytes),
        cmocka_unit_test(keeps_to_the_directory_s_host_and_port),
        cmocka_unit_test(no_url_is_within_a_directory_that_is_none),
        cmocka_unit_test(finds_authority_and_host),
        cmocka_unit_test(knows_this_machine),
        cmocka_unit_test(takes_no_other_host_for_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
