/* SPDX-License-Identifier: MIT */
/*
 * Which backend a connection gets and what it is told: by SNI name, by the routes in force, with
 * the PROXY protocol header byte for byte; and that acme-tls/1 connections get none (R-G1).
 */

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/program_front/world.h"

#define AWAIT(world, count, value)                                                                 \
    air_world_await((world), offsetof(struct air_front_counts, count), (value))

#define SOON_MS 50

static const uint8_t acme_alpn[] = "\x0a"
                                   "acme-tls/1";

/* A client that is connected through the front to this listener, or the test fails. */
static void reaches(const struct air_world *world, const char *name, int listener) {
    struct air_client client;
    air_client_init(&client, world, name);
    air_client_handshake(&client);
    air_client_send(&client, name, strlen(name));
    int backend = air_listener_accept(listener);
    air_socket_expect(backend, name, strlen(name));
    air_client_close(&client);
    close(backend);
}

static void chooses_the_backend_by_name(void **state) {
    (void)state;
    struct air_world world;
    uint16_t ports[2];
    char to[2][32];
    air_world_init(&world, AF_INET, NULL);
    int listeners[2];
    struct air_front_route routes[2];
    for (int i = 0; i < 2; i++) {
        listeners[i] = air_listener_new(AF_INET, &ports[i]);
        snprintf(to[i], sizeof to[i], "127.0.0.1:%u", ports[i]);
        routes[i] = (struct air_front_route){.to = air_span_text(to[i])};
    }
    routes[0].name = SPAN("A.Example.NET");
    routes[1].name = SPAN("*.example.net");
    assert_ok(air_front_routes_set(world.front, routes, 2, NULL));
    reaches(&world, WORLD_NAME, listeners[0]);
    reaches(&world, WORLD_OTHER_NAME, listeners[1]);
    close(listeners[0]);
    close(listeners[1]);
    air_world_deinit(&world);
}

static void closes_a_name_without_route(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    air_world_init(&world, AF_INET, NULL);
    const struct air_front_route route = {.name = SPAN(WORLD_NAME), .to = SPAN("127.0.0.1:1")};
    const char *names[] = {WORLD_OTHER_NAME, NULL, WORLD_NAME};
    for (size_t i = 0; i < 3; i++) {
        /* The last: no route at all, as when only certificates are issued. */
        assert_ok(air_front_routes_set(world.front, &route, i < 2 ? 1 : 0, NULL));
        air_client_init(&client, &world, names[i]);
        air_client_handshake(&client);
        air_client_expect_close_notify(&client);
        air_client_close(&client);
        AWAIT(&world, unrouted_count, i + 1);
    }
    air_world_deinit(&world);
}

static void keeps_connections_when_routes_change(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    uint16_t old_port = 0;
    uint16_t new_port = 0;
    air_world_init(&world, AF_INET, NULL);
    int old_listener = air_listener_new(AF_INET, &old_port);
    int new_listener = air_listener_new(AF_INET, &new_port);
    air_world_route(&world, old_port, false);
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    int backend = air_listener_accept(old_listener);
    air_world_route(&world, new_port, false);
    air_client_send(&client, "still you", 9);
    air_socket_expect(backend, "still you", 9);
    reaches(&world, WORLD_NAME, new_listener);
    const struct air_front_route bad = {.to = SPAN("nonsense")};
    assert_int_equal(air_front_routes_set(world.front, &bad, 1, NULL), AIR_ERR_MALFORMED);
    reaches(&world, WORLD_NAME, new_listener);
    air_socket_send(backend, "yes", 3);
    air_client_expect(&client, "yes", 3);
    air_client_close(&client);
    close(backend);
    close(new_listener);
    close(old_listener);
    air_world_deinit(&world);
}

/* Replaces the routes over and over until it is told to stop. */
struct changer {
    pthread_t thread;
    struct air_front *front;
    struct air_front_route routes[2];
    atomic_bool is_over;
    atomic_uint changes_count;
};

static void *change_routes(void *context) {
    struct changer *changer = context;
    for (size_t i = 0; !atomic_load(&changer->is_over); i++) {
        if (air_front_routes_set(changer->front, &changer->routes[i % 2], 1, NULL) == AIR_OK) {
            atomic_fetch_add(&changer->changes_count, 1);
        }
    }
    return NULL;
}

static void serves_while_routes_keep_changing(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 2};
    struct air_world world;
    uint16_t port = 0;
    char to[32];
    air_world_init(&world, AF_INET, &settings);
    int listener = air_listener_new(AF_INET, &port);
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    struct changer changer = {.front = world.front,
        .routes = {
            {.to = air_span_text(to)}, {.name = SPAN("*.example.net"), .to = air_span_text(to)}}};
    air_world_route(&world, port, false);
    assert_int_equal(pthread_create(&changer.thread, NULL, change_routes, &changer), 0);
    for (int i = 0; i < 50; i++) {
        reaches(&world, WORLD_NAME, listener);
    }
    atomic_store(&changer.is_over, true);
    assert_int_equal(pthread_join(changer.thread, NULL), 0);
    assert_true(atomic_load(&changer.changes_count) > 0);
    AWAIT(&world, unrouted_count, 0);
    AWAIT(&world, backend_failures_count, 0);
    close(listener);
    air_world_deinit(&world);
}

static uint16_t local_port(int socket, bool of_peer) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    assert_int_equal(of_peer ? getpeername(socket, (struct sockaddr *)&address, &size)
                             : getsockname(socket, (struct sockaddr *)&address, &size),
        0);
    return address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                        : ((struct sockaddr_in6 *)&address)->sin6_port;
}

/* What the backend reads first, for a client that agreed on HTTP/1.1. */
static void writes_proxy_header(int family, const char *fixed, size_t fixed_size) {
    static const uint8_t alpn[] = "\x08http/1.1";
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, family, NULL);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, true);
    air_client_init(&client, &world, WORLD_NAME);
    assert_int_equal(SSL_set_alpn_protos(client.ssl, alpn, sizeof alpn - 1), 0);
    air_client_handshake(&client);
    air_client_send(&client, "GET /", 5);
    int backend = air_listener_accept(listener);
    air_socket_expect(backend, fixed, fixed_size);
    const uint16_t ports[2] = {local_port(client.socket, false), local_port(client.socket, true)};
    air_socket_expect(backend, ports, sizeof ports);
    air_socket_expect(backend, "\x01\x00\x08http/1.1", 11);
    air_socket_expect(backend, "\x02\x00\x0d" WORLD_NAME, 16);
    air_socket_expect(backend, "GET /", 5);
    air_client_close(&client);
    close(backend);
    close(listener);
    air_world_deinit(&world);
}

static void writes_the_proxy_header_for_ipv4(void **state) {
    (void)state;
    static const char fixed[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x27\x7f\0\0\1\x7f\0\0\1";
    writes_proxy_header(AF_INET, fixed, sizeof fixed - 1);
}

static void writes_the_proxy_header_for_ipv6(void **state) {
    (void)state;
    static const char fixed[] = "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x3f"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1";
    writes_proxy_header(AF_INET6, fixed, sizeof fixed - 1);
}

static void challenge_init(struct air_client *client, const struct air_world *world) {
    air_client_init(client, world, WORLD_CHALLENGE_NAME);
    assert_int_equal(SSL_set_alpn_protos(client->ssl, acme_alpn, sizeof acme_alpn - 1), 0);
}

static void closes_a_validation_after_its_handshake(int version) {
    struct air_world world;
    struct air_client client;
    air_world_init(&world, AF_INET, NULL);
    air_world_route(&world, 1, false); /* the default route is not for them */
    challenge_init(&client, &world);
    assert_int_equal(SSL_set_max_proto_version(client.ssl, version), 1);
    air_client_handshake(&client);
    const unsigned char *selected = NULL;
    unsigned selected_size = 0;
    SSL_get0_alpn_selected(client.ssl, &selected, &selected_size);
    assert_span(air_span_of(selected, selected_size), "acme-tls/1");
    air_client_expect_close_notify(&client);
    air_client_close(&client);
    AWAIT(&world, challenges_count, 1);
    AWAIT(&world, handshakes_done_count, 0);
    AWAIT(&world, backend_failures_count, 0);
    AWAIT(&world, active_count, 0);
    air_world_deinit(&world);
}

static void closes_a_validation_over_tls_1_2(void **state) {
    (void)state;
    closes_a_validation_after_its_handshake(TLS1_2_VERSION);
}

static void closes_a_validation_over_tls_1_3(void **state) {
    (void)state;
    closes_a_validation_after_its_handshake(TLS1_3_VERSION);
}

/* Send a ClientHello and read no answer: it is made in memory, where none can come. */
static void challenge_stall(struct air_client *client, const struct air_world *world) {
    challenge_init(client, world);
    BIO *nothing = BIO_new(BIO_s_mem());
    BIO *hello = BIO_new(BIO_s_mem());
    assert_non_null(nothing);
    assert_non_null(hello);
    BIO_set_mem_eof_return(nothing, -1);
    SSL_set_bio(client->ssl, nothing, hello);
    assert_int_equal(SSL_get_error(client->ssl, SSL_connect(client->ssl)), SSL_ERROR_WANT_READ);
    char *bytes = NULL;
    long size = BIO_get_mem_data(hello, &bytes);
    air_socket_send(client->socket, bytes, (size_t)size);
}

static void gives_a_validation_less_time(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 1, .challenge_timeout_ms = SOON_MS};
    struct air_world world;
    struct air_client client;
    air_world_init(&world, AF_INET, &settings);
    challenge_stall(&client, &world);
    AWAIT(&world, handshakes_failed_count, 1);
    AWAIT(&world, active_count, 0);
    air_client_close(&client);
    air_world_deinit(&world);
}

static void lets_the_oldest_of_too_many_validations_go(void **state) {
    (void)state;
    static struct air_client stalled[AIR_FRONT_CHALLENGES_MAX];
    struct air_world world;
    struct air_client client;
    air_world_init(&world, AF_INET, NULL);
    for (size_t i = 0; i < AIR_FRONT_CHALLENGES_MAX; i++) {
        challenge_stall(&stalled[i], &world);
        AWAIT(&world, active_count, i + 1);
        char first_of_answer;
        assert_int_equal(recv(stalled[i].socket, &first_of_answer, 1, MSG_PEEK), 1);
    }
    AWAIT(&world, handshakes_failed_count, 0);
    challenge_init(&client, &world);
    air_client_handshake(&client);
    air_client_expect_close_notify(&client);
    AWAIT(&world, challenges_count, 1);
    AWAIT(&world, handshakes_failed_count, 1);
    uint8_t answer[8192];
    ssize_t size = 1;
    while (size > 0) {
        size = recv(stalled[0].socket, answer, sizeof answer, 0);
    }
    assert_int_equal(size, 0); /* it was the first */
    for (size_t i = 0; i < AIR_FRONT_CHALLENGES_MAX; i++) {
        air_client_close(&stalled[i]);
    }
    air_client_close(&client);
    AWAIT(&world, active_count, 0);
    air_world_deinit(&world);
}

static void refuses_a_validation_nobody_asked_for(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    air_world_init(&world, AF_INET, NULL);
    air_client_init(&client, &world, WORLD_NAME);
    assert_int_equal(SSL_set_alpn_protos(client.ssl, acme_alpn, sizeof acme_alpn - 1), 0);
    assert_int_equal(SSL_connect(client.ssl), -1);
    assert_int_equal(
        ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    ERR_clear_error();
    AWAIT(&world, handshakes_failed_count, 1);
    air_client_close(&client);
    air_world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_the_backend_by_name),
        cmocka_unit_test(closes_a_name_without_route),
        cmocka_unit_test(keeps_connections_when_routes_change),
        cmocka_unit_test(serves_while_routes_keep_changing),
        cmocka_unit_test(writes_the_proxy_header_for_ipv4),
        cmocka_unit_test(writes_the_proxy_header_for_ipv6),
        cmocka_unit_test(closes_a_validation_over_tls_1_2),
        cmocka_unit_test(closes_a_validation_over_tls_1_3),
        cmocka_unit_test(gives_a_validation_less_time),
        cmocka_unit_test(lets_the_oldest_of_too_many_validations_go),
        cmocka_unit_test(refuses_a_validation_nobody_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
