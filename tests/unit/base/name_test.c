/* SPDX-License-Identifier: MIT */
/*
 * Proven here: names that mean the same get the same normal form (R-B8: case, trailing dot), which
 * is its own normal form; what no certificate of a public CA can carry is refused, addresses among
 * it (R-B9); a wildcard covers exactly one label. Every byte is tried in every place of a label.
 */

#include "src/base/name.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

/* 63 bytes, the longest label. */
#define LABEL_63 "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxy"
/* 61 bytes; with three long labels and their dots this makes 253. */
#define LABEL_61 "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvw"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61

static void check_normal(const char *name, const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 1000);
    air_buffer_append_text(&out, "before ");
    assert_ok(air_name_normalize(air_span_text(name), &out));
    assert_span(air_span_skip(air_buffer_span(&out), 7), expected);
    air_buffer_clear(&out);
    assert_ok(air_name_normalize(air_span_text(expected), &out));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
}

static void check_refused(air_span name) {
    struct air_buffer out;
    air_buffer_init(&out, 1000);
    if (air_name_normalize(name, &out) != AIR_ERR_BAD_NAME || out.size != 0 ||
        out.error != AIR_OK) {
        fail_msg("%.*s was accepted", (int)name.size, (const char *)name.data);
    }
    air_buffer_deinit(&out);
}

/* R-B8. */
static void gives_equal_names_one_form(void **state) {
    (void)state;
    check_normal("example.net", "example.net");
    check_normal("EXAMPLE.Net", "example.net");
    check_normal("example.net.", "example.net");
    check_normal("*.Example.net.", "*.example.net");
    check_normal("XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example");
    check_normal("a.b", "a.b");
    check_normal("1.2.3.4a", "1.2.3.4a");
    check_normal("4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa");
    check_normal("a--b.0xg", "a--b.0xg");
}

static void accepts_names_up_to_their_longest(void **state) {
    (void)state;
    assert_int_equal(strlen(NAME_253), AIR_NAME_SIZE_MAX);
    check_normal(NAME_253, NAME_253);
    check_normal(NAME_253 ".", NAME_253);
    check_refused(SPAN("a" NAME_253));
    check_refused(SPAN("a." NAME_253));
    check_refused(SPAN("*." NAME_253));
    check_normal("*." LABEL_63 "." LABEL_63 "." LABEL_63 ".net",
        "*." LABEL_63 "." LABEL_63 "." LABEL_63 ".net");
    check_refused(SPAN("a" LABEL_63 ".net"));
    check_refused(SPAN("net." LABEL_63 "a"));
}

static void refuses_empty_and_single_labels(void **state) {
    (void)state;
    static const char *const names[] = {"", ".", "..", "net", "net.", "localhost", "*.net",
        "*.net.", "*", "*.", "*..", ".net", ".example.net", "example..net", "example.net..",
        "..example.net"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_refused(air_span_text(names[i]));
    }
    check_refused(air_span_of(NULL, 0));
}

static void refuses_wildcards_anywhere_but_in_front(void **state) {
    (void)state;
    static const char *const names[] = {"*.*.example.net", "a.*.example.net", "example.*",
        "*example.net", "a*.example.net", "*a.example.net", "**.example.net", "*..example.net",
        "example.net.*", "*.*"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_refused(air_span_text(names[i]));
    }
}

/* R-B9. */
static void refuses_addresses(void **state) {
    (void)state;
    static const char *const names[] = {"192.0.2.1", "192.0.2.1.", "1.2", "0x7f.0x1", "127.0x1",
        "10.0.0.0X0a", "*.0.2.1", "2001:db8::1", "[2001:db8::1]", "::", "fe80::1%eth0", "a.0x"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_refused(air_span_text(names[i]));
    }
}

static void refuses_urls_ports_and_other_writing(void **state) {
    (void)state;
    static const char *const names[] = {"https://example.net", "example.net/", "example.net:443",
        "user@example.net", " example.net", "example.net ", "example.net\n", "exam ple.net",
        "example,net", "_dmarc.example.net", "m\xC3\xBCnchen.example", "example\xE3\x80\x82net"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        check_refused(air_span_text(names[i]));
    }
    check_refused(SPAN("example.net\0"));
    check_refused(SPAN("exam\0ple.net"));
}

/* First, middle, last byte of a label, and the same in the last label. */
static void accepts_only_letters_digits_and_inner_hyphens(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 64);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        bool is_alnum = is_letter || (byte >= '0' && byte <= '9');
        for (size_t place = 0; place < 7; place++) {
            uint8_t name[] = "abc.def";
            name[place] = (uint8_t)byte;
            air_buffer_clear(&out);
            bool is_accepted = air_name_normalize(air_span_of(name, 7), &out) == AIR_OK;
            bool is_inner = place == 1 || place == 5;
            bool is_inner_dot = byte == '.' && is_inner;
            bool is_expected = place == 3 ? byte == '.' : is_alnum || (byte == '-' && is_inner);
            /* "abc.de." is "abc.de", and "a.c.def" has three labels. */
            is_expected = is_expected || is_inner_dot || (byte == '.' && place == 6);
            assert_int_equal(is_accepted, is_expected);
        }
    }
    air_buffer_deinit(&out);
}

static void tells_wildcards_and_their_base(void **state) {
    (void)state;
    assert_true(air_name_is_wildcard(SPAN("*.example.net")));
    assert_false(air_name_is_wildcard(SPAN("example.net")));
    assert_false(air_name_is_wildcard(SPAN("*")));
    assert_false(air_name_is_wildcard(air_span_of(NULL, 0)));
    assert_span(air_name_base(SPAN("*.example.net")), "example.net");
    assert_span(air_name_base(SPAN("example.net")), "example.net");
}

static void covers_the_same_name_and_one_label(void **state) {
    (void)state;
    assert_true(air_name_covers(SPAN("example.net"), SPAN("example.net")));
    assert_true(air_name_covers(SPAN("*.example.net"), SPAN("a.example.net")));
    assert_true(air_name_covers(SPAN("*.example.net"), SPAN("*.example.net")));
}

/* RFC 6125 section 6.4.3. */
static void covers_nothing_else(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"*.example.net", "example.net"},
        {"*.example.net", "a.b.example.net"}, {"*.example.net", ".example.net"},
        {"*.example.net", "aexample.net"}, {"example.net", "a.example.net"},
        {"a.example.net", "example.net"}, {"example.net", "*.example.net"},
        {"*.example.net", "a.example.com"}, {"*.example.net", "a.example.net.org"},
        {"*.example.net", "net"}, {"*.example.net", ""}, {"", "example.net"},
        {"*.net", "example.net.org"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        bool is_covered = air_name_covers(air_span_text(pairs[i][0]), air_span_text(pairs[i][1]));
        if (is_covered) {
            fail_msg("%s covers %s", pairs[i][0], pairs[i][1]);
        }
    }
}

static void reports_the_buffers_limit(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 10);
    assert_int_equal(air_name_normalize(SPAN("example.net"), &out), AIR_ERR_LIMIT);
    assert_int_equal(out.error, AIR_ERR_LIMIT);
    air_buffer_deinit(&out);
}

static enum air_error normalize_once(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 100);
    enum air_error error = air_name_normalize(SPAN("Example.NET"), &out);
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(normalize_once, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_equal_names_one_form),
        cmocka_unit_test(accepts_names_up_to_their_longest),
        cmocka_unit_test(refuses_empty_and_single_labels),
        cmocka_unit_test(refuses_wildcards_anywhere_but_in_front),
        cmocka_unit_test(refuses_addresses),
        cmocka_unit_test(refuses_urls_ports_and_other_writing),
        cmocka_unit_test(accepts_only_letters_digits_and_inner_hyphens),
        cmocka_unit_test(tells_wildcards_and_their_base),
        cmocka_unit_test(covers_the_same_name_and_one_label),
        cmocka_unit_test(covers_nothing_else),
        cmocka_unit_test(reports_the_buffers_limit),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
