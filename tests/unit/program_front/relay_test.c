/* SPDX-License-Identifier: MIT */
/*
 * What passes through a front: every byte, in order, both ways, also when a side is slow, and the
 * end of each direction as it was meant. Proven with a real client and a backend played by the
 * test, over loopback; that a slow side holds the other is seen in the front's counts.
 */

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/program_front/world.h"

/* More than the kernel's socket buffers take on the way, so that a slow reader is felt. */
#define STREAM_SIZE ((size_t)48 << 20)
#define PIECE_SIZE 65536
#define CLIENTS_COUNT 200

/* A world with a backend behind it and one connection through it. */
struct line {
    struct air_world world;
    int listener;
    struct air_client client;
    int backend;
};

static void open_line(struct line *line) {
    uint16_t port = 0;
    air_world_init(&line->world, AF_INET, NULL);
    line->listener = air_listener_new(AF_INET, &port);
    air_world_route(&line->world, port, false);
    air_client_init(&line->client, &line->world, WORLD_NAME);
    air_client_handshake(&line->client);
    line->backend = air_listener_accept(line->listener);
}

static void close_line(struct line *line) {
    air_client_close(&line->client);
    if (line->backend >= 0) {
        close(line->backend);
    }
    close(line->listener);
    air_world_await(&line->world, offsetof(struct air_front_counts, active_count), 0);
    air_world_await(&line->world, offsetof(struct air_front_counts, held_count), 0);
    air_world_await(&line->world, offsetof(struct air_front_counts, queued_size), 0);
    air_world_deinit(&line->world);
}

static void forwards_both_ways(int version) {
    struct line line;
    uint16_t port = 0;
    air_world_init(&line.world, AF_INET, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(line.world.client_context, version), 1);
    line.listener = air_listener_new(AF_INET, &port);
    air_world_route(&line.world, port, false);
    air_client_init(&line.client, &line.world, WORLD_NAME);
    air_client_handshake(&line.client);
    assert_int_equal(SSL_version(line.client.ssl), version);
    line.backend = air_listener_accept(line.listener);
    air_client_send(&line.client, "question", 8);
    air_socket_expect(line.backend, "question", 8);
    air_socket_send(line.backend, "answer", 6);
    air_client_expect(&line.client, "answer", 6);
    air_world_await(&line.world, offsetof(struct air_front_counts, received_size), 8);
    air_world_await(&line.world, offsetof(struct air_front_counts, sent_size), 6);
    close_line(&line);
}

static void forwards_both_ways_over_tls_1_2(void **state) {
    (void)state;
    forwards_both_ways(TLS1_2_VERSION);
}

static void forwards_both_ways_over_tls_1_3(void **state) {
    (void)state;
    forwards_both_ways(TLS1_3_VERSION);
}

static void carries_a_mebibyte_both_ways_in_odd_pieces(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    uint8_t sent[3001];
    uint8_t got[3001];
    for (uint64_t at = 0; at < (1 << 20); at += sizeof sent) {
        air_stream_fill(sent, sizeof sent, at);
        air_client_send(&line.client, sent, sizeof sent);
        air_socket_expect(line.backend, sent, sizeof sent);
        air_socket_send(line.backend, sent, sizeof sent);
        for (size_t have = 0, more = 0; have < sizeof got; have += more) {
            assert_int_equal(SSL_read_ex(line.client.ssl, got + have, sizeof got - have, &more), 1);
        }
        air_stream_check(got, sizeof got, at);
    }
    close_line(&line);
}

/* Little room in the kernel, so that a slow reader is felt soon; but a few of its segments, or it
 * falls back to probing a closed window. */
static void narrow(const struct line *line) {
    const int size = 1 << 18;
    const int ends[] = {line->client.socket, line->backend};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
        assert_int_equal(setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    }
}

/* Whether a sender that was just told to wait waits for the front. */
static bool is_held(const struct line *line) {
    struct air_front_counts counts;
    air_front_counts(line->world.front, &counts);
    assert_true(counts.queued_size <= 2 * AIR_FRONT_PIPE_SIZE);
    return counts.held_count == 1;
}

/* Send until the front reads no more; returns how much went out. */
static size_t send_until_held(const struct line *line, uint8_t *piece) {
    size_t sent = 0;
    bool has_stopped = false;
    while (!has_stopped && sent < STREAM_SIZE) {
        air_stream_fill(piece, PIECE_SIZE, sent);
        ssize_t more = send(line->backend, piece, PIECE_SIZE, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(more > 0 || errno == EAGAIN);
        sent += more > 0 ? (size_t)more : 0;
        has_stopped = more < 0 && is_held(line);
    }
    return sent;
}

/* The same for the client. */
static size_t write_until_held(const struct line *line, uint8_t *piece) {
    SSL *ssl = line->client.ssl;
    size_t sent = 0;
    bool has_stopped = false;
    BIO_socket_nbio(line->client.socket, 1);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    while (!has_stopped && sent < STREAM_SIZE) {
        size_t more = 0;
        air_stream_fill(piece, PIECE_SIZE, sent);
        if (SSL_write_ex(ssl, piece, PIECE_SIZE, &more) == 1) {
            sent += more;
        } else {
            assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_WANT_WRITE);
            has_stopped = is_held(line);
        }
    }
    return sent;
}

static void holds_the_backend_of_a_slow_client(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    narrow(&line);
    uint8_t *piece = malloc(PIECE_SIZE);
    assert_non_null(piece);
    size_t sent = send_until_held(&line, piece);
    assert_true(sent < STREAM_SIZE);
    shutdown(line.backend, SHUT_WR);
    size_t got = 0;
    size_t more = 0;
    for (; SSL_read_ex(line.client.ssl, piece, PIECE_SIZE, &more) == 1; got += more) {
        air_stream_check(piece, more, got);
    }
    assert_int_equal(got, sent);
    assert_int_equal(SSL_get_error(line.client.ssl, 0), SSL_ERROR_ZERO_RETURN);
    free(piece);
    close_line(&line);
}

static void holds_the_client_of_a_slow_backend(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    narrow(&line);
    uint8_t *piece = malloc(PIECE_SIZE);
    assert_non_null(piece);
    size_t sent = write_until_held(&line, piece);
    assert_true(sent < STREAM_SIZE);
    free(piece);
    uint8_t got[4096];
    size_t total = 0;
    while (total < sent) {
        ssize_t more = recv(line.backend, got, sizeof got, 0);
        assert_true(more > 0);
        air_stream_check(got, (size_t)more, total);
        total += (size_t)more;
    }
    close_line(&line);
}

static void passes_on_the_end_of_the_client(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    air_client_send(&line.client, "all I have", 10);
    assert_int_equal(SSL_shutdown(line.client.ssl), 0);
    air_socket_expect(line.backend, "all I have", 10);
    air_socket_expect_end(line.backend);
    air_socket_send(line.backend, "thank you", 9);
    air_client_expect(&line.client, "thank you", 9);
    close(line.backend);
    line.backend = -1;
    air_client_expect_close_notify(&line.client);
    air_world_await(&line.world, offsetof(struct air_front_counts, active_count), 0);
    close_line(&line);
}

static void passes_on_the_end_of_the_backend(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    air_socket_send(line.backend, "all I have", 10);
    shutdown(line.backend, SHUT_WR);
    air_client_expect(&line.client, "all I have", 10);
    air_client_expect_close_notify(&line.client);
    air_client_send(&line.client, "thank you", 9);
    air_socket_expect(line.backend, "thank you", 9);
    assert_int_equal(SSL_shutdown(line.client.ssl), 1);
    air_socket_expect_end(line.backend);
    air_world_await(&line.world, offsetof(struct air_front_counts, active_count), 0);
    close_line(&line);
}

static void resets_the_backend_of_a_client_that_was_cut_off(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    air_client_send(&line.client, "half a", 6);
    air_socket_expect(line.backend, "half a", 6);
    shutdown(line.client.socket, SHUT_WR); /* FIN, no close_notify */
    air_socket_expect_reset(line.backend);
    close_line(&line);
}

static void resets_the_backend_of_a_client_that_was_reset(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(line.client.socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(line.client.socket);
    line.client.socket = -1;
    air_socket_expect_reset(line.backend);
    close_line(&line);
}

/* The answer of a server that hangs up early (413, say) still arrives; its end is not dressed up
 * as a proper one. */
static void delivers_what_a_resetting_backend_said(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    air_client_send(&line.client, "unread", 6);
    char byte;
    assert_int_equal(recv(line.backend, &byte, 1, MSG_PEEK), 1);
    air_socket_send(line.backend, "too much", 8);
    close(line.backend); /* with unread bytes: a reset */
    line.backend = -1;
    air_client_expect(&line.client, "too much", 8);
    air_client_expect_cut(&line.client);
    close_line(&line);
}

static void ends_a_client_that_talks_on_to_a_closed_backend(void **state) {
    (void)state;
    struct line line;
    open_line(&line);
    close(line.backend);
    line.backend = -1;
    air_client_expect_close_notify(&line.client);
    for (int i = 0; i < 2; i++) {
        air_client_send(&line.client, "is anybody there", 16);
    }
    shutdown(line.client.socket, SHUT_WR);
    air_world_await(&line.world, offsetof(struct air_front_counts, active_count), 0);
    close_line(&line);
}

static void reaches_a_backend_on_a_unix_socket(void **state) {
    (void)state;
    char folder[] = "/tmp/front_XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/to", folder);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);

    struct air_world world;
    air_world_init(&world, AF_INET, NULL);
    struct air_buffer to;
    air_buffer_init(&to, 256);
    air_buffer_append_text(&to, "unix:");
    air_buffer_append_text(&to, address.sun_path);
    const struct air_front_route route = {.to = air_buffer_span(&to)};
    assert_ok(air_front_routes_set(world.front, &route, 1, NULL));
    struct air_client client;
    air_client_init(&client, &world, WORLD_NAME);
    air_client_handshake(&client);
    int backend = air_listener_accept(listener);
    air_client_send(&client, "hello", 5);
    air_socket_expect(backend, "hello", 5);
    air_client_close(&client);
    close(backend);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
    air_buffer_deinit(&to);
    air_world_deinit(&world);
}

static void carries_many_clients_at_once(void **state) {
    (void)state;
    /* The last handshake begins when all others are done. */
    const struct air_front_config settings = {.threads_count = 3, .handshake_timeout_ms = 60000};
    static struct air_client clients[CLIENTS_COUNT];
    static int backends[CLIENTS_COUNT];
    struct air_world world;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, &settings);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    for (int i = 0; i < CLIENTS_COUNT; i++) {
        air_client_init(&clients[i], &world, i % 2 == 0 ? WORLD_NAME : WORLD_OTHER_NAME);
    }
    air_world_await(&world, offsetof(struct air_front_counts, active_count), CLIENTS_COUNT);
    for (int i = 0; i < CLIENTS_COUNT; i++) {
        air_client_handshake(&clients[i]);
        air_client_send(&clients[i], &i, sizeof i);
        backends[i] = air_listener_accept(listener);
    }
    for (int i = 0; i < CLIENTS_COUNT; i++) {
        int number = -1;
        assert_int_equal(recv(backends[i], &number, sizeof number, MSG_WAITALL), sizeof number);
        number += 1000;
        air_socket_send(backends[i], &number, sizeof number);
        close(backends[i]);
    }
    for (int i = 0; i < CLIENTS_COUNT; i++) {
        int number = i + 1000;
        air_client_expect(&clients[i], &number, sizeof number);
        air_client_expect_close_notify(&clients[i]);
        air_client_close(&clients[i]);
    }
    air_world_await(&world, offsetof(struct air_front_counts, active_count), 0);
    air_world_await(
        &world, offsetof(struct air_front_counts, handshakes_done_count), CLIENTS_COUNT);
    close(listener);
    air_world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forwards_both_ways_over_tls_1_2),
        cmocka_unit_test(forwards_both_ways_over_tls_1_3),
        cmocka_unit_test(carries_a_mebibyte_both_ways_in_odd_pieces),
        cmocka_unit_test(holds_the_backend_of_a_slow_client),
        cmocka_unit_test(holds_the_client_of_a_slow_backend),
        cmocka_unit_test(passes_on_the_end_of_the_client),
        cmocka_unit_test(passes_on_the_end_of_the_backend),
        cmocka_unit_test(resets_the_backend_of_a_client_that_was_cut_off),
        cmocka_unit_test(resets_the_backend_of_a_client_that_was_reset),
        cmocka_unit_test(delivers_what_a_resetting_backend_said),
        cmocka_unit_test(ends_a_client_that_talks_on_to_a_closed_backend),
        cmocka_unit_test(reaches_a_backend_on_a_unix_socket),
        cmocka_unit_test(carries_many_clients_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
