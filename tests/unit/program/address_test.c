/* SPDX-License-Identifier: MIT */
/*
 * Proven here: addresses are read in every spelling of the manual and refused in others, by a
 * table; what is listened on can be connected to, and a taken port is told with what to do.
 */

#include "hosts/program/address.h"

#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

static const struct {
    const char *text;
    bool may_be_any;
    const char *host;
    uint16_t port;
} addresses[] = {
    {":443", true, "", 443},
    {":0", true, "", 0},
    {"127.0.0.1:80", true, "127.0.0.1", 80},
    {"example.net:65535", false, "example.net", 65535},
    {"[::1]:8080", false, "::1", 8080},
    {"[::]:443", true, "::", 443},
};

static void reads_every_spelling_of_the_manual(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct air_address address;
        struct air_buffer text;
        air_buffer_init(&text, 512);
        assert_ok(air_address_read(
            air_span_text(addresses[i].text), addresses[i].may_be_any, &address, NULL));
        assert_string_equal(address.host, addresses[i].host);
        assert_int_equal(address.port, addresses[i].port);
        air_address_write(&address, &text);
        assert_span(air_buffer_span(&text), addresses[i].text);
        air_buffer_deinit(&text);
    }
}

static void refuses_other_spellings(void **state) {
    (void)state;
    static const char *const texts[] = {"", ":", "443", "host", "host:", ":80", "host:0",
        "host:65536", "host:-1", "host:+1", "host: 1", "host:1x", "::1:80", "[::1]", "[::1]80",
        "[::1]:", "[]:80", "[::1:80", "a:b:1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct air_address address;
        struct air_buffer reason;
        air_buffer_init(&reason, 4096);
        assert_int_equal(
            air_address_read(air_span_text(texts[i]), false, &address, &reason), AIR_ERR_MALFORMED);
        assert_true(reason.size > 0);
        air_buffer_deinit(&reason);
    }
}

static void tells_what_to_do_about_a_taken_port(void **state) {
    (void)state;
    struct air_address address = {"127.0.0.1", 0};
    struct air_buffer reason;
    int sockets[2];
    size_t count;
    air_buffer_init(&reason, 4096);
    assert_ok(air_address_listen(&address, sockets, 2, &count, &reason));
    assert_int_equal(count, 1);
    address.port = air_address_port_of(sockets[0]);
    assert_true(address.port > 0);
    assert_int_equal(air_address_listen(&address, sockets + 1, 1, &count, &reason), AIR_ERR_BUSY);
    assert_int_equal(count, 0);
    assert_true(air_span_starts_with(air_buffer_span(&reason), "cannot listen on 127.0.0.1:"));
    assert_non_null(memmem(reason.data, reason.size, "another program has the port", 28));
    close(sockets[0]);
    air_buffer_deinit(&reason);
}

static void refuses_a_host_that_does_not_exist(void **state) {
    (void)state;
    const struct air_address address = {"256.256.256.256", 1};
    int handle;
    size_t count;
    assert_int_equal(air_address_listen(&address, &handle, 1, &count, NULL), AIR_ERR_NETWORK);
    assert_int_equal(air_address_listen(&address, &handle, 0, &count, NULL), AIR_ERR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_spelling_of_the_manual),
        cmocka_unit_test(refuses_other_spellings),
        cmocka_unit_test(tells_what_to_do_about_a_taken_port),
        cmocka_unit_test(refuses_a_host_that_does_not_exist),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
