/* SPDX-License-Identifier: MIT */
/*
 * A server on loopback and a driver that believes its root: what the tests of HTTP start from.
 *
 * What the server answers is each test's script. Invariant: the server's threads write the scene
 * one at a time, and only while the client waits for its answer.
 */
#include "tests/unit/driver/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Certificates are valid until 2100. */
#define FAR_MS INT64_C(4102444800000)

static void on_request(void *context, struct air_test_exchange *exchange) {
    struct air_scene *scene = context;
    void (*answer)(struct air_scene * scene, struct air_test_exchange * exchange) = scene->answer;

    pthread_mutex_lock(&scene->lock);
    snprintf(scene->request, sizeof(scene->request), "%.*s%.*s", (int)exchange->head.size,
        (const char *)exchange->head.data, (int)exchange->body.size,
        (const char *)exchange->body.data);
    scene->requests_count++;
    pthread_mutex_unlock(&scene->lock);
    answer(scene, exchange);
}

void air_scene_write_trust(struct air_scene *scene, air_span pem) {
    int fd;

    snprintf(scene->trust, sizeof(scene->trust), "/tmp/thinair-http-test.XXXXXX");
    fd = mkstemp(scene->trust);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem.data, pem.size), (ssize_t)pem.size);
    close(fd);
}

void air_scene_serve(struct air_scene *scene, const char *name) {
    struct air_buffer chain, key;
    air_span names[] = {air_span_text(name)};

    air_buffer_init(&chain, 65536);
    air_buffer_init(&key, 65536);
    air_test_pki_issue(scene->pki, AIR_KEY_ECDSA_P256, names, 1, 0, FAR_MS, &chain, &key);
    scene->server =
        air_https_server_new(air_buffer_span(&chain), air_buffer_span(&key), on_request, scene);
    air_buffer_deinit(&chain);
    air_buffer_deinit(&key);
}

void air_scene_init(struct air_scene *scene,
    void (*answer)(struct air_scene *scene, struct air_test_exchange *exchange)) {
    memset(scene, 0, sizeof(*scene));
    pthread_mutex_init(&scene->lock, NULL);
    scene->answer = answer;
    scene->pki = air_test_pki_new();
    air_scene_write_trust(scene, air_test_pki_root(scene->pki));
    air_scene_serve(scene, "localhost");
    snprintf(scene->url, sizeof(scene->url), "https://localhost:%u/dir",
        air_https_server_port(scene->server));
    scene->action = (struct air_action){
        .kind = AIR_ACTION_HTTP,
        .http = {.method = SPAN("GET"),
            .url = air_span_text(scene->url),
            .trust = air_span_text(scene->trust),
            .body_max = 256,
            .deadline_ms = 20000},
    };
    air_harness_init(&scene->harness);
}

void air_scene_deinit(struct air_scene *scene) {
    air_harness_deinit(&scene->harness);
    air_https_server_free(scene->server);
    air_test_pki_free(scene->pki);
    unlink(scene->trust);
}

/* Send the scene's action and wait for what comes of it. */
const struct air_answer *air_scene_send(struct air_scene *scene) {
    size_t completed_count = scene->harness.script->completed_count;
    uint64_t id = air_fake_engine_push(scene->harness.engine, &scene->action);

    if (scene->harness.driver == NULL) {
        assert_ok(air_harness_begin(&scene->harness, "host/1.2"));
    }
    air_driver_wake(scene->harness.driver);
    air_harness_run(&scene->harness, completed_count + 1);
    return air_harness_answer(&scene->harness, id);
}

/* The explanation names the host with its port, and has this in it. */
void air_scene_assert_explained(
    const struct air_scene *scene, const struct air_answer *answer, const char *part) {
    char host[64];

    snprintf(host, sizeof(host), "localhost:%u: ", air_https_server_port(scene->server));
    if (strncmp(answer->explanation, host, strlen(host)) != 0 ||
        strstr(answer->explanation, part) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", answer->explanation, part);
    }
}

void air_scene_assert_sent(const struct air_scene *scene, const char *part) {
    if (strstr(scene->request, part) == NULL) {
        fail_msg("no \"%s\" in: %s", part, scene->request);
    }
}

void air_scene_answer_plain(struct air_scene *scene, struct air_test_exchange *exchange) {
    (void)scene;
    air_test_exchange_say(exchange,
        "HTTP/1.1 200 OK\r\n"
        "Content-Length: 5\r\nReplay-Nonce:  abc \r\nlink: <a>;rel=\"b\"\r\nEmpty:\r\n"
        "\r\nhello");
}
