/* SPDX-License-Identifier: MIT */
/*
 * The table from SNI name to backend: what a backend's text may be, which way a name goes, what is
 * refused and with which sentence. No connection is made; only numeric hosts and a name that
 * cannot exist are resolved.
 */

#include "hosts/program/front/routes.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

/* SPAN() for a static initializer. */
#define TEXT(literal)                                                                              \
    { (const uint8_t *)(literal), sizeof(literal) - 1 }

static void assert_refused(const struct air_front_route *routes, size_t routes_count,
    enum air_error expected, const char *sentence) {
    struct air_front_routes *made = NULL;
    struct air_buffer reason;
    air_buffer_init(&reason, 1024);
    int64_t live_before = air_memory_live();
    assert_int_equal(air_front_routes_new(routes, routes_count, &made, &reason), expected);
    assert_int_equal(air_front_routes_new(routes, routes_count, &made, NULL), expected);
    assert_null(made);
    assert_span(air_buffer_span(&reason), sentence);
    air_buffer_deinit(&reason);
    assert_int_equal(air_memory_live(), live_before);
}

static void refuses_what_is_no_backend(void **state) {
    (void)state;
    const char *texts[] = {"", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
        "127.0.0.1:65536", "127.0.0.1:80x", "127.0.0.1:-1", "::1:8080", "[::1]", "[]:80",
        "unix:", "unix:relative", "http://127.0.0.1:80/"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct air_front_route route = {.to = air_span_text(texts[i])};
        struct air_buffer sentence;
        air_buffer_init(&sentence, 1024);
        air_buffer_append_text(&sentence, "\"");
        air_buffer_append_text(&sentence, texts[i]);
        air_buffer_append_text(&sentence, "\" is not HOST:PORT, [ADDRESS]:PORT or unix:/PATH");
        air_buffer_append_byte(&sentence, 0);
        assert_refused(&route, 1, AIR_ERR_MALFORMED, (const char *)sentence.data);
        air_buffer_deinit(&sentence);
    }
}

static void refuses_texts_with_nul_or_too_long(void **state) {
    (void)state;
    uint8_t text[600];
    memset(text, 'a', sizeof text);
    memcpy(text, "unix:/", 6);
    struct air_front_target target;
    const size_t path_size_max = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    assert_int_equal(air_front_target_init(&target, air_span_of(text, 5 + path_size_max + 1), NULL),
        AIR_ERR_MALFORMED);
    assert_ok(air_front_target_init(&target, air_span_of(text, 5 + path_size_max), NULL));
    air_front_target_deinit(&target);
    memset(text, 'a', 300);
    memcpy(text + 300, ":80", 3);
    assert_int_equal(
        air_front_target_init(&target, air_span_of(text, 303), NULL), AIR_ERR_MALFORMED);
    assert_int_equal(air_front_target_init(&target, SPAN("unix:/a\0b"), NULL), AIR_ERR_MALFORMED);
    assert_int_equal(air_front_target_init(&target, SPAN("a\0b:80"), NULL), AIR_ERR_MALFORMED);
}

static void refuses_a_host_that_does_not_resolve(void **state) {
    (void)state;
    /* RFC 6761 section 6.4: never resolves */
    const struct air_front_route route = {.to = SPAN("nowhere.invalid:80")};
    assert_refused(
        &route, 1, AIR_ERR_NETWORK, "the host of \"nowhere.invalid:80\" does not resolve");
}

static void refuses_a_name_that_is_none(void **state) {
    (void)state;
    const struct air_front_route route = {.name = SPAN("a_b.example.net"), .to = SPAN("[::1]:80")};
    assert_refused(
        &route, 1, AIR_ERR_BAD_NAME, "\"a_b.example.net\": not a DNS name a certificate can carry");
}

static void refuses_two_routes_for_one_name(void **state) {
    (void)state;
    const struct air_front_route named[] = {
        {.name = SPAN("a.example.net"), .to = SPAN("127.0.0.1:80")},
        {.name = SPAN("b.example.net"), .to = SPAN("127.0.0.1:80")},
        {.name = SPAN("A.example.net."), .to = SPAN("127.0.0.1:81")}};
    assert_refused(named, 3, AIR_ERR_EXISTS, "two routes for \"a.example.net\"");
    const struct air_front_route unnamed[] = {{.to = SPAN("[::1]:1")}, {.to = SPAN("[::1]:2")}};
    assert_refused(unnamed, 2, AIR_ERR_EXISTS, "two routes for \"\"");
}

static void assert_port(
    const struct air_front_routes *routes, const char *name, uint16_t port, bool proxy_protocol) {
    const struct air_front_way *way = air_front_routes_find(routes, name);
    assert_non_null(way);
    assert_int_equal(way->target->addresses_count, 1);
    assert_int_equal(way->proxy_protocol, proxy_protocol);
    const struct sockaddr_in *to = (const void *)&way->target->addresses[0].address;
    assert_int_equal(to->sin_family, AF_INET);
    assert_int_equal(ntohs(to->sin_port), port);
}

static const struct air_front_route four_routes[] = {
    {.name = TEXT("*.example.net"), .to = TEXT("127.0.0.1:2")},
    {.name = TEXT("a.example.net"), .to = TEXT("127.0.0.1:1"), .proxy_protocol = true},
    {.to = TEXT("127.0.0.1:4")}, {.name = TEXT("example.net"), .to = TEXT("127.0.0.1:2")}};

static void prefers_exact_then_wildcard_then_default(void **state) {
    (void)state;
    struct air_front_routes *routes = NULL;
    assert_ok(air_front_routes_new(four_routes, 4, &routes, NULL));
    assert_port(routes, "a.example.net", 1, true);
    assert_port(routes, "A.EXAMPLE.net", 1, true);
    assert_port(routes, "x.example.net", 2, false);
    assert_port(routes, "example.net", 2, false);
    assert_port(routes, "x.a.example.net", 4, false);
    assert_port(routes, ".example.net", 4, false);
    assert_port(routes, "net", 4, false);
    assert_port(routes, "", 4, false);
    assert_port(routes, NULL, 4, false);
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    long_name[299] = '\0';
    assert_port(routes, long_name, 4, false);
    air_front_routes_release(routes);
}

static void finds_nothing_without_default(void **state) {
    (void)state;
    struct air_front_routes *routes = NULL;
    assert_ok(air_front_routes_new(four_routes, 2, &routes, NULL));
    assert_null(air_front_routes_find(routes, "b.example.org"));
    assert_null(air_front_routes_find(routes, NULL));
    air_front_routes_release(routes);
    assert_ok(air_front_routes_new(NULL, 0, &routes, NULL));
    assert_null(air_front_routes_find(routes, "a.example.net"));
    air_front_routes_release(routes);
    assert_null(air_front_routes_find(NULL, "a.example.net"));
}

static void lives_as_long_as_it_is_held(void **state) {
    (void)state;
    int64_t live_before = air_memory_live();
    struct air_front_routes *routes = NULL;
    assert_ok(air_front_routes_new(four_routes, 4, &routes, NULL));
    assert_ptr_equal(air_front_routes_hold(routes), routes);
    air_front_routes_release(routes);
    assert_port(routes, "a.example.net", 1, true);
    air_front_routes_release(routes);
    assert_int_equal(air_memory_live(), live_before);
}

static enum air_error make_four(void *context) {
    (void)context;
    struct air_front_routes *routes = NULL;
    enum air_error error = air_front_routes_new(four_routes, 4, &routes, NULL);
    air_front_routes_release(error == AIR_OK ? routes : NULL);
    return error;
}

static void leaves_nothing_behind_when_memory_runs_out(void **state) {
    (void)state;
    air_test_each_allocation(make_four, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_backend),
        cmocka_unit_test(refuses_texts_with_nul_or_too_long),
        cmocka_unit_test(refuses_a_host_that_does_not_resolve),
        cmocka_unit_test(refuses_a_name_that_is_none),
        cmocka_unit_test(refuses_two_routes_for_one_name),
        cmocka_unit_test(prefers_exact_then_wildcard_then_default),
        cmocka_unit_test(finds_nothing_without_default),
        cmocka_unit_test(lives_as_long_as_it_is_held),
        cmocka_unit_test(leaves_nothing_behind_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
