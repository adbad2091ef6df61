/* SPDX-License-Identifier: MIT */
/*
 * Proven here: only a live token of the right name is answered; only configured names are
 * redirected, always to the configured name and with nothing of the request but a harmless path
 * (R-G4, R-G5, R-G7): a table of requests. Over real sockets: whole hostile requests get an answer
 * or an end and never a crash (R-G3), and challenge answers arrive byte for byte.
 */

#include "hosts/program/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "hosts/program/address.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define TOKEN "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
#define CHALLENGE "/.well-known/acme-challenge/" TOKEN

static const air_span names[] = {
    {(const uint8_t *)"www.example.net", 15}, {(const uint8_t *)"example.net", 11}};

static struct air_plain_http *make(struct air_responder **responder, uint16_t https_port) {
    struct air_plain_http *http = NULL;
    assert_ok(air_responder_new(responder));
    assert_ok(air_responder_set(*responder, SPAN("example.net"), SPAN(TOKEN), SPAN("answer")));
    assert_ok(air_plain_http_new(*responder, https_port, &http));
    assert_ok(air_plain_http_names_set(http, names, 2));
    return http;
}

static const struct {
    const char *method;
    const char *uri;
    const char *host;
    unsigned status;
    const char *text; /* the body of 200, the location of 301 */
} requests[] = {
    {"GET", CHALLENGE, "example.net", 200, "answer"},
    {"HEAD", CHALLENGE, "example.net:80", 200, "answer"},
    {"GET", CHALLENGE, "EXAMPLE.net", 200, "answer"},
    {"POST", CHALLENGE, "example.net", 405, ""},
    {"GET", CHALLENGE, "www.example.net", 404, ""},
    {"GET", CHALLENGE, "", 404, ""},
    {"GET", CHALLENGE "?x", "example.net", 404, ""},
    {"GET", CHALLENGE "x", "example.net", 404, ""},
    {"GET", "/.well-known/acme-challenge/", "example.net", 404, ""},
    {"GET", "/.well-known/acme-challenge/../../etc", "example.net", 404, ""},
    {"GET", "http://example.net" CHALLENGE, "example.net", 404, ""},
    {"GET", "/", "example.net", 301, "https://example.net/"},
    {"GET", "/a/b?c=d&e=%2f", "www.example.net", 301, "https://www.example.net/a/b?c=d&e=%2f"},
    {"HEAD", "/x", "Example.NET.:80", 301, "https://example.net/x"},
    {"GET", "//evil.example/", "example.net", 301, "https://example.net//evil.example/"},
    {"GET", "/", "evil.example", 404, ""},
    {"GET", "/", "example.net.evil.example", 404, ""},
    {"GET", "/", "", 404, ""},
    {"GET", "/", "example.net@evil.example", 404, ""},
    {"GET", "/", "example.net\\evil.example", 404, ""},
    {"GET", "/a b", "example.net", 404, ""},
    {"GET", "/\r\nSet-Cookie: x", "example.net", 404, ""},
    {"GET", "/\"onload", "example.net", 404, ""},
    {"GET", "/<script>", "example.net", 404, ""},
    {"GET", "/\xc3\xbc", "example.net", 404, ""},
    {"GET", "*", "example.net", 404, ""},
    {"GET", "", "example.net", 404, ""},
    {"GET", "http://evil.example/", "example.net", 404, ""},
    {"POST", "/", "example.net", 405, ""},
    {"CONNECT", "example.net:443", "example.net", 405, ""},
    {"OPTIONS", "*", "example.net", 405, ""},
    {"get", "/", "example.net", 405, ""},
};

static void decides_by_the_table(void **state) {
    (void)state;
    struct air_responder *responder = NULL;
    struct air_plain_http *http = make(&responder, 443);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct air_plain_http_reply reply = {.status = 0};
        air_buffer_init(&reply.body, AIR_RESPONDER_ANSWER_SIZE_MAX);
        air_buffer_init(&reply.location, 8192);
        air_plain_http_decide(http, air_span_text(requests[i].method),
            air_span_text(requests[i].uri), air_span_text(requests[i].host), &reply);
        assert_int_equal(reply.status, requests[i].status);
        if (reply.status == 301) {
            assert_string_equal((const char *)reply.location.data, requests[i].text);
            assert_int_equal(reply.body.size, 0);
        } else {
            assert_span(air_buffer_span(&reply.body), requests[i].text);
            assert_int_equal(reply.location.size, 0);
        }
        air_buffer_deinit(&reply.body);
        air_buffer_deinit(&reply.location);
    }
    air_plain_http_stop(http);
    air_responder_free(responder);
}

static void names_a_port_that_is_not_the_usual_one(void **state) {
    (void)state;
    struct air_responder *responder = NULL;
    struct air_plain_http *http = make(&responder, 8443);
    struct air_plain_http_reply reply = {.status = 0};
    air_buffer_init(&reply.body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    air_buffer_init(&reply.location, 8192);
    air_plain_http_decide(http, SPAN("GET"), SPAN("/x"), SPAN("example.net:8080"), &reply);
    assert_int_equal(reply.status, 301);
    assert_string_equal((const char *)reply.location.data, "https://example.net:8443/x");
    air_buffer_clear(&reply.location);
    assert_ok(air_plain_http_names_set(http, NULL, 0));
    air_plain_http_decide(http, SPAN("GET"), SPAN("/x"), SPAN("example.net"), &reply);
    assert_int_equal(reply.status, 404);
    air_buffer_deinit(&reply.body);
    air_buffer_deinit(&reply.location);
    air_plain_http_stop(http);
    air_responder_free(responder);
}

/* Send a whole request, end it, and read everything that comes. */
static size_t talk(uint16_t port, air_span request, char *answer, size_t answer_size) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval limit = {20, 0};
    int handle = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t size = 0;
    ssize_t got = 1;
    assert_true(handle >= 0);
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(
        connect(handle, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    while (request.size > 0 && got > 0) {
        got = send(handle, request.data, request.size, MSG_NOSIGNAL);
        request = air_span_skip(request, got > 0 ? (size_t)got : 0);
    }
    shutdown(handle, SHUT_WR);
    while (size + 1 < answer_size &&
           (got = recv(handle, answer + size, answer_size - 1 - size, 0)) > 0) {
        size += (size_t)got;
    }
    answer[size] = '\0';
    close(handle);
    return size;
}

static struct air_plain_http *serve(struct air_responder *responder, uint16_t *port) {
    const struct air_address address = {"127.0.0.1", 0};
    struct air_plain_http_config config = {
        .size = sizeof(config), .responder = responder, .https_port = 443};
    struct air_plain_http *http = NULL;
    int listener;
    size_t count;
    assert_ok(air_address_listen(&address, &listener, 1, &count, NULL));
    *port = air_address_port_of(listener);
    config.listeners = &listener;
    config.listeners_count = 1;
    assert_ok(air_plain_http_start(&config, &http, NULL));
    assert_ok(air_plain_http_names_set(http, names, 2));
    return http;
}

static void answers_over_a_socket(void **state) {
    (void)state;
    struct air_responder *responder = NULL;
    char answer[8192];
    uint16_t port;
    assert_ok(air_responder_new(&responder));
    assert_ok(air_responder_set(responder, SPAN("example.net"), SPAN(TOKEN), SPAN("answer")));
    struct air_plain_http *http = serve(responder, &port);
    talk(port, SPAN("GET " CHALLENGE " HTTP/1.1\r\nHost: example.net\r\nConnection: close\r\n\r\n"),
        answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "Content-Type: text/plain\r\n"));
    assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\nanswer");
    talk(port, SPAN("GET /a%2fb?c HTTP/1.1\r\nHost: example.net\r\nConnection: close\r\n\r\n"),
        answer, sizeof(answer));
    assert_non_null(strstr(answer, "HTTP/1.1 301 Moved Permanently\r\n"));
    assert_non_null(strstr(answer, "Location: https://example.net/a%2fb?c\r\n"));
    air_plain_http_stop(http);
    air_responder_free(responder);
}

/* R-G3: whatever comes, the next request is answered. */
static void outlives_hostile_requests(void **state) {
    (void)state;
    static char long_path[70000];
    static const air_span hostile[] = {{NULL, 0}, {(const uint8_t *)"\0\0\0\0\r\n\r\n", 8},
        {(const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18},
        {(const uint8_t *)"GET http://example.net/ HTTP/1.1\r\nHost: x\r\n\r\n", 45},
        {(const uint8_t *)"GET /\0/x HTTP/1.1\r\nHost: example.net\r\n\r\n", 40},
        {(const uint8_t *)"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 36},
        {(const uint8_t *)"GET / HTTP/1.1\r\nHost: example.net\r\n X: folded\r\n\r\n", 49},
        {(const uint8_t *)"GET / HTTP/9.9\r\nHost: example.net\r\n\r\n", 37},
        {(const uint8_t *)"POST / HTTP/1.1\r\nHost: example.net\r\nContent-Length: 99999\r\n\r\nx",
            62},
        {(const uint8_t *)"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            60},
        {(const uint8_t *)"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n", 13},
        {(const uint8_t *)long_path, sizeof(long_path)}};
    struct air_responder *responder = NULL;
    char answer[8192];
    uint16_t port;
    memset(long_path, 'a', sizeof(long_path));
    memcpy(long_path, "GET /", 5);
    assert_ok(air_responder_new(&responder));
    struct air_plain_http *http = serve(responder, &port);
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        talk(port, hostile[i], answer, sizeof(answer));
        assert_null(strstr(answer, " 200 "));
        talk(port, SPAN("GET / HTTP/1.0\r\nHost: example.net\r\n\r\n"), answer, sizeof(answer));
        assert_non_null(strstr(answer, " 301 "));
    }
    air_plain_http_stop(http);
    air_responder_free(responder);
}

static enum air_error set_names(void *context) {
    struct air_responder *responder = context;
    struct air_plain_http *http = NULL;
    enum air_error error = air_plain_http_new(responder, 443, &http);
    if (error == AIR_OK) {
        error = air_plain_http_names_set(http, names, 2);
    }
    air_plain_http_stop(http);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    struct air_responder *responder = NULL;
    assert_ok(air_responder_new(&responder));
    air_test_each_allocation(set_names, responder);
    air_responder_free(responder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_by_the_table),
        cmocka_unit_test(names_a_port_that_is_not_the_usual_one),
        cmocka_unit_test(answers_over_a_socket),
        cmocka_unit_test(outlives_hostile_requests),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
