/* SPDX-License-Identifier: MIT */
/*
 * Proven: an HTTP action goes out as it says over verified TLS, its answer comes back byte for
 * byte within its caps (R-A8), redirects are followed only where they may be, and connections and
 * TLS sessions are used again. How: a real server on loopback that answers what each test wants.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/driver/scene.h"

static void gets_and_hands_back_what_came(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    answer = air_scene_send(&scene);
    assert_ok(answer->error);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "hello");
    assert_string_equal(
        answer->headers, "Content-Length=5|Replay-Nonce=abc|link=<a>;rel=\"b\"|Empty=|");
    air_scene_assert_sent(&scene, "GET /dir HTTP/1.1\r\n");
    air_scene_assert_sent(&scene, "User-Agent: host/1.2 thinair/" AIR_VERSION_TEXT " libcurl/");
    air_scene_assert_sent(&scene, "Accept-Language: en\r\n");
    assert_null(strstr(scene.request, "Accept-Encoding"));
    assert_null(strstr(scene.request, "Content-Type"));
    assert_int_equal(air_driver_requests_count(scene.harness.driver), 1);
    air_scene_deinit(&scene);
}

static void posts_exactly_the_body(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    scene.action.http.method = SPAN("POST");
    scene.action.http.body = SPAN("{\"payload\":\"\"}");
    assert_ok(air_scene_send(&scene)->error);
    air_scene_assert_sent(&scene, "POST /dir HTTP/1.1\r\n");
    air_scene_assert_sent(&scene, "Content-Type: application/jose+json\r\n");
    air_scene_assert_sent(&scene, "Content-Length: 14\r\n");
    air_scene_assert_sent(&scene, "\r\n\r\n{\"payload\":\"\"}");
    assert_null(strstr(scene.request, "Expect"));
    scene.action.http.body = SPAN("");
    assert_ok(air_scene_send(&scene)->error);
    air_scene_assert_sent(&scene, "Content-Length: 0\r\n");
    air_scene_deinit(&scene);
}

static void answer_head(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(
        exchange, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nreplay-nonce: n\r\n\r\n");
}

static void changes_method_on_one_handle(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_head);
    scene.action.http.method = SPAN("HEAD");
    assert_string_equal(air_scene_send(&scene)->headers, "Content-Length=5|replay-nonce=n|");
    air_scene_assert_sent(&scene, "HEAD /dir HTTP/1.1\r\n");
    scene.answer = air_scene_answer_plain;
    scene.action.http.method = SPAN("POST");
    scene.action.http.body = SPAN("b");
    assert_string_equal(air_scene_send(&scene)->body, "hello");
    scene.action.http.method = SPAN("GET");
    assert_string_equal(air_scene_send(&scene)->body, "hello");
    air_scene_assert_sent(&scene, "GET /dir HTTP/1.1\r\n");
    assert_null(strstr(scene.request, "Content-"));
    scene.answer = answer_head;
    scene.action.http.method = SPAN("HEAD");
    assert_string_equal(air_scene_send(&scene)->body, "");
    assert_int_equal(air_https_server_counts(scene.server)->connections, 1);
    air_scene_deinit(&scene);
}

static void sends_the_url_as_it_is(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    snprintf(scene.url, sizeof(scene.url), "https://localhost:%u/a/../b/%%2e/./C?x=%%41&y#f",
        air_https_server_port(scene.server));
    scene.action.http.url = air_span_text(scene.url);
    assert_ok(air_scene_send(&scene)->error);
    air_scene_assert_sent(&scene, "GET /a/../b/%2e/./C?x=%41&y HTTP/1.1\r\n");
    air_scene_deinit(&scene);
}

static void answer_problem(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(
        exchange, "HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 2\r\n\r\n{}");
}

static void takes_any_status_as_an_answer(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_problem);
    answer = air_scene_send(&scene);
    assert_ok(answer->error);
    assert_int_equal(answer->status, 503);
    assert_string_equal(answer->body, "{}");
    air_scene_deinit(&scene);
}

static void answer_chunked(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange,
        "HTTP/1.1 103 Early Hints\r\nEarly: 1\r\n\r\n"
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n");
}

static void reads_chunks_and_leaves_content_encoding_alone(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_chunked);
    answer = air_scene_send(&scene);
    assert_ok(answer->error);
    assert_string_equal(answer->body, "abcde");
    assert_string_equal(answer->headers, "Transfer-Encoding=chunked|Content-Encoding=gzip|");
    air_scene_deinit(&scene);
}

static void answer_exactly_full(struct air_scene *scene, struct air_test_exchange *exchange) {
    size_t size = scene->requests_count == 1 ? 256 : 257;

    air_test_exchange_say(exchange, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (size_t i = 0; i < size; i++) {
        air_test_exchange_say(exchange, "x");
    }
    exchange->is_last = true;
}

static void refuses_a_body_one_byte_too_long(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_exactly_full);
    assert_int_equal(air_scene_send(&scene)->body_size, 256);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_LIMIT);
    air_scene_assert_explained(&scene, answer, "longer than this request allows");
    air_scene_deinit(&scene);
}

static void answer_headers(struct air_scene *scene, struct air_test_exchange *exchange) {
    air_test_exchange_say(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (unsigned i = 0; i < (scene->requests_count == 1 ? 63 : 64); i++) {
        air_test_exchange_say(exchange, "a: b\r\n");
    }
    air_test_exchange_say(exchange, "\r\n");
}

static void refuses_one_header_too_many(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_headers);
    assert_int_equal(air_scene_send(&scene)->headers_count, 64);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_LIMIT);
    air_scene_assert_explained(&scene, answer, "too many headers");
    air_scene_deinit(&scene);
}

static void answer_long_head(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned j = 0; j < 1000; j++) {
            air_test_exchange_say(exchange, "a");
        }
        air_test_exchange_say(exchange, ": b\r\n");
    }
    air_test_exchange_say(exchange, "\r\n");
}

static void answer_endless_hints(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    for (unsigned i = 0; i < 2000; i++) {
        air_test_exchange_say(exchange, "HTTP/1.1 103 Early Hints\r\n\r\n");
    }
    exchange->is_hung = true;
}

static void refuses_a_head_that_is_too_long(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_long_head);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_LIMIT);
    air_scene_assert_explained(&scene, answer, "the head of its answer");
    scene.answer = answer_endless_hints;
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_LIMIT);
    air_scene_deinit(&scene);
}

static void answer_redirect(struct air_scene *scene, struct air_test_exchange *exchange) {
    if (air_span_starts_with(exchange->head, "GET /end")) {
        air_scene_answer_plain(scene, exchange);
        return;
    }
    air_test_exchange_say(exchange, "HTTP/1.1 302 Found\r\nContent-Length: 3\r\nLocation: ");
    air_test_exchange_say(
        exchange, air_span_starts_with(exchange->head, "GET /dir") ? "/middle" : "/end");
    air_test_exchange_say(exchange, "\r\n\r\nold");
}

static void follows_redirects_of_a_get_on_its_host(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_redirect);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->body, "hello");
    assert_int_equal(scene.requests_count, 3);
    assert_int_equal(air_driver_requests_count(scene.harness.driver), 3);
    air_scene_deinit(&scene);
}

static void never_redirects_a_signed_request(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_redirect);
    scene.action.http.method = SPAN("POST");
    scene.action.http.body = SPAN("b");
    answer = air_scene_send(&scene);
    assert_ok(answer->error);
    assert_int_equal(answer->status, 302);
    assert_string_equal(answer->body, "old");
    assert_int_equal(scene.requests_count, 1);
    air_scene_deinit(&scene);
}

static void answer_redirect_loop(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(
        exchange, "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\nLocation: /dir\r\n\r\n");
}

static void gives_up_a_loop_of_redirects(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_redirect_loop);
    assert_int_equal(air_scene_send(&scene)->status, 301);
    assert_int_equal(scene.requests_count, 4);
    air_scene_deinit(&scene);
}

static void answer_redirect_away(struct air_scene *scene, struct air_test_exchange *exchange) {
    static const char *const targets[] = {"https://127.0.0.1:1/dir", "http://localhost:1/dir",
        "file:///etc/passwd", "https://localhost/dir", "https://user@localhost:1/dir", "//other/"};

    air_test_exchange_say(exchange, "HTTP/1.1 307 Moved\r\nContent-Length: 0\r\nLocation: ");
    air_test_exchange_say(exchange, targets[scene->requests_count - 1]);
    air_test_exchange_say(exchange, "\r\n\r\n");
}

static void never_redirects_to_another_host_or_scheme(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_redirect_away);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(air_scene_send(&scene)->status, 307);
        assert_int_equal(scene.requests_count, i + 1);
    }
    air_scene_deinit(&scene);
}

static void answer_cookie(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(
        exchange, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n");
}

static void keeps_connections_but_no_cookies(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_cookie);
    for (unsigned i = 0; i < 20; i++) {
        assert_ok(air_scene_send(&scene)->error);
    }
    assert_null(strstr(scene.request, "Cookie"));
    assert_int_equal(air_https_server_counts(scene.server)->connections, 1);
    air_scene_deinit(&scene);
}

static void answer_and_close(struct air_scene *scene, struct air_test_exchange *exchange) {
    air_scene_answer_plain(scene, exchange);
    exchange->is_last = true;
}

static void resumes_tls_sessions(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_and_close);
    for (unsigned i = 0; i < 5; i++) {
        assert_ok(air_scene_send(&scene)->error);
    }
    assert_int_equal(air_https_server_counts(scene.server)->connections, 5);
    assert_int_equal(air_https_server_counts(scene.server)->resumed, 4);
    air_scene_deinit(&scene);
}

static void sends_many_at_once_over_few_connections(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    for (unsigned i = 0; i < 60; i++) {
        air_fake_engine_push(scene.harness.engine, &scene.action);
    }
    assert_ok(air_harness_begin(&scene.harness, NULL));
    air_harness_run(&scene.harness, 60);
    for (uint64_t id = 1; id <= 60; id++) {
        assert_string_equal(air_harness_answer(&scene.harness, id)->body, "hello");
    }
    assert_true(air_https_server_counts(scene.server)->connections <= 16);
    air_scene_deinit(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_and_hands_back_what_came),
        cmocka_unit_test(posts_exactly_the_body),
        cmocka_unit_test(changes_method_on_one_handle),
        cmocka_unit_test(sends_the_url_as_it_is),
        cmocka_unit_test(takes_any_status_as_an_answer),
        cmocka_unit_test(reads_chunks_and_leaves_content_encoding_alone),
        cmocka_unit_test(refuses_a_body_one_byte_too_long),
        cmocka_unit_test(refuses_one_header_too_many),
        cmocka_unit_test(refuses_a_head_that_is_too_long),
        cmocka_unit_test(follows_redirects_of_a_get_on_its_host),
        cmocka_unit_test(never_redirects_a_signed_request),
        cmocka_unit_test(gives_up_a_loop_of_redirects),
        cmocka_unit_test(never_redirects_to_another_host_or_scheme),
        cmocka_unit_test(keeps_connections_but_no_cookies),
        cmocka_unit_test(resumes_tls_sessions),
        cmocka_unit_test(sends_many_at_once_over_few_connections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
