/* SPDX-License-Identifier: MIT */
/*
 * The PROXY protocol v2 header, byte for byte against proxy-protocol.txt section 2.2: both
 * families, mapped and mixed addresses, unknown ends, texts that are left out.
 */

#include "hosts/program/front/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/support/test.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct sockaddr_in v4(const char *address, uint16_t port) {
    struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, address, &made.sin_addr), 1);
    return made;
}

static struct sockaddr_in6 v6(const char *address, uint16_t port) {
    struct sockaddr_in6 made = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET6, address, &made.sin6_addr), 1);
    return made;
}

static void assert_header(const struct air_proxy_header *header, const char *bytes, size_t size) {
    uint8_t out[AIR_PROXY_HEADER_SIZE_MAX];
    assert_int_equal(air_proxy_header_write(header, out), size);
    assert_memory_equal(out, bytes, size);
}

#define ASSERT_HEADER(header, literal) assert_header((header), (literal), sizeof(literal) - 1)

static void writes_ipv4(void **state) {
    (void)state;
    struct sockaddr_in client = v4("192.0.2.1", 0x1234);
    struct sockaddr_in local = v4("198.51.100.2", 443);
    const struct air_proxy_header header = {
        .client = (const struct sockaddr *)&client, .local = (const struct sockaddr *)&local};
    ASSERT_HEADER(&header, SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\x01\xbb");
}

static void writes_ipv6_with_texts(void **state) {
    (void)state;
    struct sockaddr_in6 client = v6("2001:db8::1", 1);
    struct sockaddr_in6 local = v6("2001:db8::2", 443);
    const struct air_proxy_header header = {.client = (const struct sockaddr *)&client,
        .local = (const struct sockaddr *)&local,
        .alpn = SPAN("h2"),
        .authority = SPAN("a.b")};
    ASSERT_HEADER(&header, SIGNATURE
        "\x21\x21\0\x2f\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0"
        "\0\0\0\2\0\1\x01\xbb\1\0\2h2\2\0\3a.b");
}

static void writes_mapped_addresses_as_ipv4(void **state) {
    (void)state;
    struct sockaddr_in6 client = v6("::ffff:192.0.2.1", 0x1234);
    struct sockaddr_in6 local = v6("::ffff:198.51.100.2", 443);
    const struct air_proxy_header header = {
        .client = (const struct sockaddr *)&client, .local = (const struct sockaddr *)&local};
    ASSERT_HEADER(&header, SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\x01\xbb");
}

static void widens_when_the_families_differ(void **state) {
    (void)state;
    struct sockaddr_in client = v4("192.0.2.1", 1);
    struct sockaddr_in6 local = v6("2001:db8::2", 443);
    const struct air_proxy_header header = {
        .client = (const struct sockaddr *)&client, .local = (const struct sockaddr *)&local};
    ASSERT_HEADER(&header, SIGNATURE
        "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0"
        "\0\0\2\0\1\x01\xbb");
}

static void says_unknown_for_other_families(void **state) {
    (void)state;
    struct sockaddr_in client = v4("192.0.2.1", 1);
    const struct sockaddr local = {.sa_family = AF_UNIX};
    const struct air_proxy_header header = {
        .client = (const struct sockaddr *)&client, .local = &local, .alpn = SPAN("h2")};
    ASSERT_HEADER(&header, SIGNATURE "\x21\0\0\5\1\0\2h2");
}

static void leaves_out_a_text_that_is_too_long(void **state) {
    (void)state;
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    uint8_t text[256];
    memset(text, 'a', sizeof text);
    struct air_proxy_header header = {
        .client = &none, .local = &none, .authority = air_span_of(text, sizeof text)};
    ASSERT_HEADER(&header, SIGNATURE "\x21\0\0\0");
    uint8_t out[AIR_PROXY_HEADER_SIZE_MAX];
    header.authority.size = 255;
    assert_int_equal(air_proxy_header_write(&header, out), 16 + 3 + 255);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_ipv4),
        cmocka_unit_test(writes_ipv6_with_texts),
        cmocka_unit_test(writes_mapped_addresses_as_ipv4),
        cmocka_unit_test(widens_when_the_families_differ),
        cmocka_unit_test(says_unknown_for_other_families),
        cmocka_unit_test(leaves_out_a_text_that_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
