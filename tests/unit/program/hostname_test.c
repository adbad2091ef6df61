/* SPDX-License-Identifier: MIT */
/*
 * Proven here: names in Unicode, in upper case and with a trailing dot get the form that
 * certificates carry (RFC 5891); what no certificate can carry is refused, each with a sentence,
 * and leaves nothing in the buffer.
 */

#include "hosts/program/hostname.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void gives_the_form_of_certificates(void **state) {
    (void)state;
    static const char *const names[][2] = {{"example.net", "example.net"},
        {"WWW.Example.NET.", "www.example.net"}, {"bücher.example", "xn--bcher-kva.example"},
        {"BÜCHER.example", "xn--bcher-kva.example"}, {"straße.example", "xn--strae-oqa.example"},
        {"例え.テスト", "xn--r8jz45g.xn--zckzah"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct air_buffer out;
        air_buffer_init(&out, 512);
        assert_ok(air_hostname_read(air_span_text(names[i][0]), &out, NULL));
        assert_span(air_buffer_span(&out), names[i][1]);
        air_buffer_deinit(&out);
    }
}

static void refuses_what_no_certificate_can_carry(void **state) {
    (void)state;
    static const char *const names[] = {"", ".", "..", "localhost", "a..example", "-a.example",
        "a-.example", "a_b.example", "a b.example", "a,b.example", "*.example.net", "*",
        "a.*.example", "192.0.2.1", "2001:db8::1", "[::1]", "a.example:443", "https://a.example",
        "a.example/x", "xn--\xff.example", "\xff\xfe.example", "a\nb.example",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
        "xn--a-ecp.ru\xe2\x80\xae.example"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct air_buffer out;
        struct air_buffer reason;
        air_buffer_init(&out, 512);
        air_buffer_init(&reason, 4096);
        assert_int_equal(
            air_hostname_read(air_span_text(names[i]), &out, &reason), AIR_ERR_BAD_NAME);
        assert_int_equal(out.size, 0);
        assert_true(reason.size > 0);
        assert_null(memchr(reason.data, '\n', reason.size));
        air_buffer_deinit(&out);
        air_buffer_deinit(&reason);
    }
}

static enum air_error read_one(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 512);
    enum air_error error = air_hostname_read(SPAN("bücher.example"), &out, NULL);
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_form_of_certificates),
        cmocka_unit_test(refuses_what_no_certificate_can_carry),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
