/* SPDX-License-Identifier: MIT */
/*
 * Proven: every way in which an action, a CA or the network can misbehave ends in the right error,
 * with a sentence that names the host, and without a request to the wrong place (R-A3). How: a
 * real server on loopback that breaks as each test wants, and each allocation failing in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/unit/driver/scene.h"

static void refuses_other_schemes_and_odd_urls(void **state) {
    struct air_scene scene;
    static const struct {
        const char *url;
        enum air_error error;
    } cases[] = {
        {"http://localhost/dir", AIR_ERR_UNSUPPORTED},
        {"file:///etc/passwd", AIR_ERR_UNSUPPORTED},
        {"ftp://localhost/", AIR_ERR_UNSUPPORTED},
        {"https://user:pass@localhost/dir", AIR_ERR_MALFORMED},
        {"https://localhost/a b", AIR_ERR_MALFORMED},
        {"https://localhost/a\r\nHost: x", AIR_ERR_MALFORMED},
        {"https://", AIR_ERR_MALFORMED},
        {"https://localhost:99999/", AIR_ERR_MALFORMED},
    };

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct air_answer *answer;

        scene.action.http.url = air_span_text(cases[i].url);
        answer = air_scene_send(&scene);
        assert_int_equal(answer->error, cases[i].error);
        assert_string_not_equal(answer->explanation, "");
    }
    assert_int_equal(scene.requests_count, 0);
    air_scene_deinit(&scene);
}

static void refuses_what_passes_its_limits(void **state) {
    struct air_scene scene;
    char longer[AIR_URL_SIZE_MAX + 2];

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "https://", 8);
    scene.action.http.url = air_span_of(longer, AIR_URL_SIZE_MAX + 1);
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_LIMIT);
    scene.action.http.url = SPAN("https://localhost/\0x");
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_MALFORMED);
    scene.action.http.url = air_span_text(scene.url);
    scene.action.http.trust = air_span_of(longer, 1025);
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_LIMIT);
    scene.action.http.trust = SPAN("");
    scene.action.http.method = SPAN("PUT");
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_UNSUPPORTED);
    assert_int_equal(scene.requests_count, 0);
    air_scene_deinit(&scene);
}

static void refuses_a_certificate_of_an_unknown_root(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    scene.action.http.trust = SPAN(""); /* the system's roots do not know the test's */
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_TLS);
    air_scene_assert_explained(&scene, answer, "certificate");
    scene.action.http.trust = air_span_text(scene.trust);
    assert_ok(air_scene_send(&scene)->error); /* a change of roots takes hold */
    scene.action.http.trust = SPAN("");
    scene.action.http.url = air_span_text(scene.url);
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_TLS);
    assert_int_equal(scene.requests_count, 1);
    air_scene_deinit(&scene);
}

static void refuses_a_certificate_for_another_name(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    air_https_server_free(scene.server);
    air_scene_serve(&scene, "other.example.net");
    snprintf(scene.url, sizeof(scene.url), "https://localhost:%u/dir",
        air_https_server_port(scene.server));
    scene.action.http.url = air_span_text(scene.url);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_TLS);
    air_scene_assert_explained(&scene, answer, "localhost");
    assert_int_equal(scene.requests_count, 0);
    air_scene_deinit(&scene);
}

static void names_a_trust_file_that_cannot_be_used(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;
    char good[64];

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    scene.action.http.trust = SPAN("/nowhere/roots.pem");
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_TLS);
    air_scene_assert_explained(&scene, answer, "/nowhere/roots.pem");
    snprintf(good, sizeof(good), "%s", scene.trust);
    air_scene_write_trust(&scene, SPAN("not a certificate"));
    scene.action.http.trust = air_span_text(scene.trust);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_TLS);
    air_scene_assert_explained(&scene, answer, scene.trust);
    unlink(good);
    air_scene_deinit(&scene);
}

static void answer_nothing(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    exchange->is_hung = true;
}

static void answer_half(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
    exchange->is_hung = true;
}

static void ends_at_the_deadline(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_nothing);
    scene.action.http.deadline_ms = 50;
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_TIMEOUT);
    air_scene_assert_explained(&scene, answer, "timed out");
    scene.answer = answer_half;
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_TIMEOUT);
    air_scene_deinit(&scene);
}

static void answer_cut(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
    exchange->is_cut = true;
}

static void answer_garbage(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange, "SSH-2.0-OpenSSH_9.2\r\n");
    exchange->is_last = true;
}

static void answer_close(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    exchange->is_cut = true;
}

static void tells_of_connections_that_break(void **state) {
    struct air_scene scene;
    const struct air_answer *answer;

    (void)state;
    air_scene_init(&scene, answer_cut);
    answer = air_scene_send(&scene);
    assert_int_equal(answer->error, AIR_ERR_NETWORK);
    air_scene_assert_explained(&scene, answer, "");
    scene.answer = answer_close;
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_NETWORK);
    scene.answer = answer_garbage;
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_NETWORK);
    air_scene_deinit(&scene);
}

static void tells_of_hosts_that_are_not_there(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    scene.action.http.url = SPAN("https://127.0.0.1:1/dir");
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_NETWORK);
    scene.action.http.url = SPAN("https://does-not-exist.invalid/dir");
    assert_int_equal(air_scene_send(&scene)->error, AIR_ERR_NETWORK);
    air_scene_deinit(&scene);
}

/* Neither a proxy nor a file of credentials of the environment is obeyed. */
static void pays_no_heed_to_the_environment(void **state) {
    struct air_scene scene;

    (void)state;
    setenv("https_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    air_scene_init(&scene, air_scene_answer_plain);
    assert_ok(air_scene_send(&scene)->error);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    air_scene_deinit(&scene);
}

static void stops_a_cancelled_request(void **state) {
    struct air_scene scene;
    struct air_action cancel = {.kind = AIR_ACTION_CANCEL};
    uint64_t id;

    (void)state;
    air_scene_init(&scene, answer_nothing);
    id = air_fake_engine_push(scene.harness.engine, &scene.action);
    assert_ok(air_harness_begin(&scene.harness, NULL));
    while (air_https_server_counts(scene.server)->requests == 0) {
        uv_run(&scene.harness.loop, UV_RUN_NOWAIT);
    }
    cancel.cancel.cancelled_id = id;
    air_fake_engine_push(scene.harness.engine, &cancel);
    air_driver_wake(scene.harness.driver);
    air_harness_run(&scene.harness, 1);
    assert_int_equal(air_harness_answer(&scene.harness, id)->error, AIR_ERR_CANCELLED);
    scene.answer = air_scene_answer_plain;
    assert_ok(air_scene_send(&scene)->error);
    air_scene_deinit(&scene);
}

static void ends_requests_when_stopped(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, answer_nothing);
    air_fake_engine_push(scene.harness.engine, &scene.action);
    air_fake_engine_push(scene.harness.engine, &scene.action);
    assert_ok(air_harness_begin(&scene.harness, NULL));
    while (air_https_server_counts(scene.server)->requests == 0) {
        uv_run(&scene.harness.loop, UV_RUN_NOWAIT);
    }
    air_harness_stop(&scene.harness);
    assert_int_equal(scene.harness.script->completed_count, 2);
    assert_int_equal(air_harness_answer(&scene.harness, 1)->error, AIR_ERR_CANCELLED);
    air_scene_deinit(&scene);
}

static void keeps_an_answer_until_the_engine_has_memory(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    scene.harness.script->complete_failures = 2;
    assert_string_equal(air_scene_send(&scene)->body, "hello");
    assert_int_equal(scene.requests_count, 1);
    air_scene_deinit(&scene);
}

static enum air_error one_request(void *context) {
    struct air_scene *scene = context;
    enum air_error error;

    air_harness_init(&scene->harness);
    air_fake_engine_push(scene->harness.engine, &scene->action);
    error = air_harness_begin(&scene->harness, NULL);
    if (error == AIR_OK) {
        air_harness_run(&scene->harness, 1);
        error = air_harness_answer(&scene->harness, 1)->error;
    }
    air_harness_deinit(&scene->harness);
    return error;
}

static void survives_each_failing_allocation(void **state) {
    struct air_scene scene;

    (void)state;
    air_scene_init(&scene, air_scene_answer_plain);
    air_harness_deinit(&scene.harness); /* each run has its own */
    air_test_each_allocation(one_request, &scene);
    air_harness_init(&scene.harness);
    air_scene_deinit(&scene);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_other_schemes_and_odd_urls),
        cmocka_unit_test(refuses_what_passes_its_limits),
        cmocka_unit_test(refuses_a_certificate_of_an_unknown_root),
        cmocka_unit_test(refuses_a_certificate_for_another_name),
        cmocka_unit_test(names_a_trust_file_that_cannot_be_used),
        cmocka_unit_test(ends_at_the_deadline),
        cmocka_unit_test(tells_of_connections_that_break),
        cmocka_unit_test(tells_of_hosts_that_are_not_there),
        cmocka_unit_test(pays_no_heed_to_the_environment),
        cmocka_unit_test(stops_a_cancelled_request),
        cmocka_unit_test(ends_requests_when_stopped),
        cmocka_unit_test(keeps_an_answer_until_the_engine_has_memory),
        cmocka_unit_test(survives_each_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
