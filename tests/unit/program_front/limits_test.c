/* SPDX-License-Identifier: MIT */
/*
 * What a front does not put up with, and how it goes: handshakes that stall, connections that
 * idle, more clients than it may have, a process without descriptors or memory, a stop. Timeouts
 * are made short by configuration; what is asserted is that they end something, never when.
 */

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/unit/program_front/world.h"

#define AWAIT(world, count, value)                                                                 \
    air_world_await((world), offsetof(struct air_front_counts, count), (value))

#define SOON_MS 50
#define FILLERS_MAX 4096

static void closes_a_client_that_says_nothing(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 1, .handshake_timeout_ms = SOON_MS};
    struct air_world world;
    air_world_init(&world, AF_INET, &settings);
    int silent = air_world_dial(&world);
    air_socket_expect_end(silent);
    AWAIT(&world, handshakes_failed_count, 1);
    AWAIT(&world, active_count, 0);
    close(silent);
    air_world_deinit(&world);
}

static void closes_a_client_that_trickles_its_handshake(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 1, .handshake_timeout_ms = SOON_MS};
    static const uint8_t hello_begins[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01};
    struct air_world world;
    air_world_init(&world, AF_INET, &settings);
    int slow = air_world_dial(&world);
    air_socket_send(slow, hello_begins, sizeof hello_begins);
    AWAIT(&world, handshakes_failed_count, 1);
    AWAIT(&world, active_count, 0);
    close(slow);
    air_world_deinit(&world);
}

static void answers_rubbish_with_an_alert_and_goes_on(void **state) {
    (void)state;
    struct air_world world;
    air_world_init(&world, AF_INET, NULL);
    int wrong = air_world_dial(&world);
    air_socket_send(wrong, "\x16\x03\x01\x00\x04\xff\x00\x00\x00", 9); /* no ClientHello */
    air_socket_expect(wrong, "\x15\x03\x03\x00\x02\x02\x0a", 7);       /* unexpected_message */
    air_socket_expect_end(wrong);
    close(wrong);
    int plain = air_world_dial(&world);
    air_socket_send(plain, "GET / HTTP/1.0\r\n\r\n", 18);
    air_socket_expect_end(plain);
    close(plain);
    AWAIT(&world, handshakes_failed_count, 2);
    struct air_client client;
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    air_client_close(&client);
    air_world_deinit(&world);
}

static void counts_no_failure_for_a_port_check(void **state) {
    (void)state;
    struct air_world world;
    air_world_init(&world, AF_INET, NULL);
    close(air_world_dial(&world));
    AWAIT(&world, accepted_count, 1);
    AWAIT(&world, active_count, 0);
    AWAIT(&world, handshakes_failed_count, 0);
    air_world_deinit(&world);
}

static void closes_an_idle_connection(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 1, .idle_timeout_ms = SOON_MS};
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, &settings);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    int backend = air_listener_accept(listener);
    air_client_expect_close_notify(&client);
    air_socket_expect_reset(backend);
    AWAIT(&world, idle_closed_count, 1);
    air_client_close(&client);
    close(backend);
    close(listener);
    AWAIT(&world, active_count, 0);
    air_world_deinit(&world);
}

static void closes_cleanly_when_the_backend_is_dead(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, NULL);
    close(air_listener_new(AF_INET, &port)); /* nobody listens there now */
    air_world_route(&world, port, false);
    for (uint64_t i = 1; i <= 3; i++) {
        air_client_init(&client, &world, WORLD_NAME);
        air_client_handshake(&client);
        air_client_send(&client, "unheard", 7);
        air_client_expect_close_notify(&client);
        air_client_close(&client);
        AWAIT(&world, backend_failures_count, i);
    }
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    close(air_listener_accept(listener));
    air_client_expect_close_notify(&client);
    air_client_close(&client);
    close(listener);
    air_world_deinit(&world);
}

/* A front that has room for two, by its configuration or otherwise. */
static void leaves_the_third_in_the_backlog(const struct air_front_config *settings) {
    struct air_world world;
    struct air_client clients[3];
    uint16_t port = 0;
    air_world_init(&world, AF_INET, settings);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    for (int i = 0; i < 2; i++) {
        air_client_init(&clients[i], &world, WORLD_NAME);
        air_client_handshake(&clients[i]);
    }
    AWAIT(&world, accept_pauses_count, 2); /* both workers */
    air_client_init(&clients[2], &world, WORLD_NAME);
    AWAIT(&world, accepted_count, 2);
    AWAIT(&world, active_count, 2);
    air_client_close(&clients[0]);
    air_client_handshake(&clients[2]); /* its turn has come */
    air_client_close(&clients[1]);
    air_client_close(&clients[2]);
    close(listener);
    AWAIT(&world, active_count, 0);
    air_world_deinit(&world);
}

static void leaves_clients_beyond_the_limit_in_the_backlog(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 2, .connections_max = 2};
    leaves_the_third_in_the_backlog(&settings);
}

static void accepts_no_client_it_has_no_descriptors_for(void **state) {
    (void)state;
    const struct air_front_config settings = {.threads_count = 2};
    const rlim_t reserved_and_two_pairs = 128 + 4;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    const struct rlimit low = {.rlim_cur = reserved_and_two_pairs, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    leaves_the_third_in_the_backlog(&settings);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* Use up every descriptor the process may have; returns how many. */
static size_t fill_descriptors(int *fillers) {
    size_t count = 0;
    while (count < FILLERS_MAX && (fillers[count] = dup(STDERR_FILENO)) >= 0) {
        count++;
    }
    assert_int_equal(errno, EMFILE);
    return count;
}

static void survives_without_descriptors(void **state) {
    (void)state;
    static int fillers[FILLERS_MAX];
    struct rlimit before;
    struct air_world world;
    air_world_init(&world, AF_INET, NULL);
    int socket_only = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(world.port)};
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit low = {.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    size_t fillers_count = fill_descriptors(fillers);
    int result = connect(socket_only, (const struct sockaddr *)&to, sizeof to);
    AWAIT(&world, accept_pauses_count, 1);
    while (fillers_count > 0) {
        close(fillers[--fillers_count]);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result, 0);
    AWAIT(&world, accepted_count, 1);
    close(socket_only);
    air_world_deinit(&world);
}

/* A stop in a thread of its own, since it waits. */
struct stop {
    pthread_t thread;
    struct air_front *front;
    uint32_t grace_ms;
};

static void *stop_front(void *context) {
    struct stop *stop = context;
    air_front_stop(stop->front, stop->grace_ms);
    return NULL;
}

static bool is_refused(const struct air_world *world) {
    int dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(world->port)};
    int result = connect(dialled, (const struct sockaddr *)&to, sizeof to);
    bool refused = result != 0 && errno == ECONNREFUSED;
    close(dialled);
    return refused;
}

static void lets_connections_finish_when_stopping(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, NULL);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    int backend = air_listener_accept(listener);
    struct stop stop = {.front = world.front, .grace_ms = UINT32_MAX};
    assert_int_equal(pthread_create(&stop.thread, NULL, stop_front, &stop), 0);
    while (!is_refused(&world)) {
    }
    air_client_send(&client, "still here", 10);
    air_socket_expect(backend, "still here", 10);
    air_socket_send(backend, "me too", 6);
    close(backend);
    air_client_expect(&client, "me too", 6);
    air_client_expect_close_notify(&client);
    assert_int_equal(SSL_shutdown(client.ssl), 1);
    assert_int_equal(pthread_join(stop.thread, NULL), 0); /* the last one has finished */
    world.front = NULL;
    air_client_close(&client);
    close(listener);
    air_world_deinit(&world);
}

static void closes_what_is_left_after_the_grace(void **state) {
    (void)state;
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, NULL);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    int backend = air_listener_accept(listener);
    int silent = air_world_dial(&world);
    AWAIT(&world, active_count, 2);
    air_front_stop(world.front, SOON_MS);
    world.front = NULL;
    air_client_expect_close_notify(&client);
    air_socket_expect_reset(backend);
    air_socket_expect_end(silent);
    air_client_close(&client);
    close(silent);
    close(backend);
    close(listener);
    air_world_deinit(&world);
}

static void refuses_a_wrong_configuration(void **state) {
    (void)state;
    struct air_world world;
    air_world_init_context(&world);
    uint16_t port = 0;
    int listener = air_listener_new(AF_INET, &port);
    const struct air_front_config right = {.size = sizeof right,
        .context = world.context,
        .listeners = &listener,
        .listeners_count = 1};
    struct air_front_config wrong[6];
    for (size_t i = 0; i < 6; i++) {
        wrong[i] = right;
    }
    wrong[0].size = sizeof right - 1;
    wrong[1].context = NULL;
    wrong[2].listeners = NULL;
    wrong[3].listeners_count = 0;
    wrong[4].listeners_count = AIR_FRONT_LISTENERS_MAX + 1;
    wrong[5].threads_count = AIR_FRONT_THREADS_MAX + 1;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(air_front_start(&wrong[i], &world.front, NULL), AIR_ERR_ARGUMENT);
        assert_null(world.front);
    }
    assert_int_not_equal(fcntl(listener, F_GETFD), -1); /* still ours */
    close(listener);
    air_world_deinit(&world);
}

/* The backend's end of a connection, or -1 when the front has given it up. */
static int await_backend(const struct air_world *world, int listener) {
    struct air_front_counts counts = {.active_count = 1};
    int backend = -1;
    while (backend < 0 && counts.active_count > 0) {
        air_front_counts(world->front, &counts);
        backend = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    return backend;
}

/* A client whom the missing memory may meet: served or closed. */
static void try_client(const struct air_world *world, int listener) {
    struct air_client client;
    air_client_init(&client, world, WORLD_NAME);
    if (SSL_connect(client.ssl) == 1 && SSL_write(client.ssl, "?", 1) == 1) {
        int backend = await_backend(world, listener);
        if (backend >= 0) {
            close(backend);
        }
    }
    ERR_clear_error();
    air_client_close(&client);
}

static void serve_client(const struct air_world *world, int listener) {
    struct air_client client;
    air_client_init(&client, world, WORLD_NAME);
    air_client_handshake(&client);
    air_client_send(&client, "?", 1);
    int backend = air_listener_accept(listener);
    air_socket_expect(backend, "?", 1);
    air_client_close(&client);
    close(backend);
}

static enum air_error serve_clients(struct air_world *world) {
    uint16_t port = 0;
    int listener = air_listener_new(AF_INET, &port);
    struct air_buffer to;
    air_buffer_init(&to, 64);
    air_buffer_append_text(&to, "127.0.0.1:");
    air_buffer_append_number(&to, port);
    const struct air_front_route route = {.name = SPAN(WORLD_NAME), .to = air_buffer_span(&to)};
    enum air_error error = to.error;
    if (error == AIR_OK) {
        error = air_front_routes_set(world->front, &route, 1, NULL);
    }
    if (error == AIR_OK) {
        BIO_socket_nbio(listener, 1);
        try_client(world, listener);
        AWAIT(world, active_count, 0);
        air_memory_fail_at(0);
        BIO_socket_nbio(listener, 0);
        serve_client(world, listener);
    }
    air_buffer_deinit(&to);
    close(listener);
    return error;
}

static enum air_error run_front(void *context) {
    struct air_world *world = context;
    int listener = air_listener_new(AF_INET, &world->port);
    const struct air_front_config config = {.size = sizeof config,
        .context = world->context,
        .listeners = &listener,
        .listeners_count = 1,
        .threads_count = 1};
    enum air_error error = air_front_start(&config, &world->front, NULL);
    if (error != AIR_OK) {
        close(listener);
        return error;
    }
    error = serve_clients(world);
    air_front_stop(world->front, 0);
    world->front = NULL;
    return error;
}

static void serves_on_after_each_missing_allocation(void **state) {
    (void)state;
    struct air_world world;
    air_world_init_context(&world);
    world.family = AF_INET;
    /* For the test's own client; elsewhere a signal from the front would end the test. */
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    air_test_each_allocation(run_front, &world);
    signal(SIGPIPE, before);
    air_world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closes_a_client_that_says_nothing),
        cmocka_unit_test(closes_a_client_that_trickles_its_handshake),
        cmocka_unit_test(answers_rubbish_with_an_alert_and_goes_on),
        cmocka_unit_test(counts_no_failure_for_a_port_check),
        cmocka_unit_test(closes_an_idle_connection),
        cmocka_unit_test(closes_cleanly_when_the_backend_is_dead),
        cmocka_unit_test(leaves_clients_beyond_the_limit_in_the_backlog),
        cmocka_unit_test(accepts_no_client_it_has_no_descriptors_for),
        cmocka_unit_test(survives_without_descriptors),
        cmocka_unit_test(lets_connections_finish_when_stopping),
        cmocka_unit_test(closes_what_is_left_after_the_grace),
        cmocka_unit_test(refuses_a_wrong_configuration),
        cmocka_unit_test(serves_on_after_each_missing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
