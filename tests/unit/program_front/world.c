/* SPDX-License-Identifier: MIT */
/*
 * The surroundings of a front in tests. Certificates are made once for each world; sockets block,
 * for at most LIMIT_S; what is waited for is a count of the front's or the end of a call, never a
 * duration.
 */

#include "tests/unit/program_front/world.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/test_pki.h"

#define LIMIT_S 30
#define AWAIT_TURNS_MAX (LIMIT_S * 1000)

static void serve_certificates(struct air_world *world, struct air_test_pki *pki);
static void trust_root(struct air_world *world, air_span root);
static void limit_time(int socket);
static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *out);

void air_world_init_context(struct air_world *world) {
    memset(world, 0, sizeof *world);
    struct air_test_pki *pki = air_test_pki_new();
    assert_ok(air_tls_new(&world->tls));
    assert_ok(air_front_context_new(&world->context));
    serve_certificates(world, pki);
    trust_root(world, air_test_pki_root(pki));
    air_test_pki_free(pki);
}

void air_world_init(struct air_world *world, int family, const struct air_front_config *settings) {
    air_world_init_context(world);
    world->family = family;
    struct air_front_config config = {.threads_count = 1};
    if (settings != NULL) {
        config = *settings;
    }
    int listener = air_listener_new(family, &world->port);
    config.size = sizeof config;
    config.context = world->context;
    config.listeners = &listener;
    config.listeners_count = 1;
    assert_ok(air_front_start(&config, &world->front, NULL));
}

void air_world_deinit(struct air_world *world) {
    air_front_stop(world->front, 0);
    SSL_CTX_free(world->client_context);
    SSL_CTX_free(world->context);
    air_tls_free(world->tls);
    memset(world, 0, sizeof *world);
}

void air_world_route(struct air_world *world, uint16_t port, bool proxy_protocol) {
    struct air_buffer to;
    air_buffer_init(&to, 64);
    air_buffer_append_text(&to, "127.0.0.1:");
    air_buffer_append_number(&to, port);
    const struct air_front_route route = {
        .to = air_buffer_span(&to), .proxy_protocol = proxy_protocol};
    assert_ok(air_front_routes_set(world->front, &route, 1, NULL));
    air_buffer_deinit(&to);
}

void air_world_await(const struct air_world *world, size_t count_offset, uint64_t value) {
    uint64_t count = 0;
    for (int turn = 0; turn < AWAIT_TURNS_MAX; turn++) {
        struct air_front_counts counts;
        air_front_counts(world->front, &counts);
        memcpy(&count, (const uint8_t *)&counts + count_offset, sizeof count);
        if (count == value) {
            return;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fail_msg("the count stays at %llu", (unsigned long long)count);
}

int air_listener_new(int family, uint16_t *port) {
    struct sockaddr_storage address;
    socklen_t size = loopback(family, 0, &address);
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    limit_time(listener);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 512), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                    : ((struct sockaddr_in6 *)&address)->sin6_port);
    return listener;
}

int air_listener_accept(int listener) {
    int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    limit_time(accepted);
    return accepted;
}

int air_world_dial(const struct air_world *world) {
    struct sockaddr_storage address;
    socklen_t size = loopback(world->family, world->port, &address);
    int dialled = socket(world->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(dialled >= 0);
    limit_time(dialled);
    assert_int_equal(connect(dialled, (const struct sockaddr *)&address, size), 0);
    return dialled;
}

void air_client_init(struct air_client *client, const struct air_world *world, const char *name) {
    client->socket = air_world_dial(world);
    client->ssl = SSL_new(world->client_context);
    assert_non_null(client->ssl);
    assert_int_equal(SSL_set_fd(client->ssl, client->socket), 1);
    if (name != NULL) {
        assert_int_equal(SSL_set_tlsext_host_name(client->ssl, name), 1);
        assert_int_equal(SSL_set1_host(client->ssl, name), 1);
    }
}

void air_client_handshake(struct air_client *client) {
    if (SSL_connect(client->ssl) != 1) {
        fail_msg("no handshake: %s", ERR_error_string(ERR_peek_last_error(), NULL));
    }
}

void air_client_close(struct air_client *client) {
    SSL_free(client->ssl);
    close(client->socket);
}

void air_client_send(struct air_client *client, const void *data, size_t size) {
    size_t sent = 0;
    assert_int_equal(SSL_write_ex(client->ssl, data, size, &sent), 1);
    assert_int_equal(sent, size);
}

void air_client_expect(struct air_client *client, const void *data, size_t size) {
    uint8_t got[4096];
    assert_true(size <= sizeof got);
    for (size_t at = 0, more = 0; at < size; at += more) {
        assert_int_equal(SSL_read_ex(client->ssl, got + at, size - at, &more), 1);
    }
    assert_memory_equal(got, data, size);
}

void air_socket_send(int socket, const void *data, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(socket, (const uint8_t *)data + at, size - at, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += (size_t)sent;
    }
}

void air_socket_expect(int socket, const void *data, size_t size) {
    uint8_t got[4096];
    assert_true(size <= sizeof got);
    for (size_t at = 0; at < size;) {
        ssize_t more = recv(socket, got + at, size - at, 0);
        assert_true(more > 0);
        at += (size_t)more;
    }
    assert_memory_equal(got, data, size);
}

void air_client_expect_close_notify(struct air_client *client) {
    char byte;
    int result = SSL_read(client->ssl, &byte, 1);
    assert_int_equal(SSL_get_error(client->ssl, result), SSL_ERROR_ZERO_RETURN);
}

void air_client_expect_cut(struct air_client *client) {
    char byte;
    int result = SSL_read(client->ssl, &byte, 1);
    int error = SSL_get_error(client->ssl, result);
    assert_true(error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL);
    assert_true(errno != EAGAIN || error == SSL_ERROR_SSL); /* not our time limit */
    ERR_clear_error();
}

void air_socket_expect_end(int socket) {
    char byte;
    assert_int_equal(recv(socket, &byte, 1, 0), 0);
}

void air_socket_expect_reset(int socket) {
    char byte;
    assert_int_equal(recv(socket, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

uint8_t air_stream_byte(uint64_t n) {
    return (uint8_t)((n * 2654435761U) >> 13); /* no period that a buffer's size divides */
}

void air_stream_fill(uint8_t *data, size_t size, uint64_t from) {
    for (size_t i = 0; i < size; i++) {
        data[i] = air_stream_byte(from + i);
    }
}

void air_stream_check(const uint8_t *data, size_t size, uint64_t from) {
    for (size_t i = 0; i < size; i++) {
        if (data[i] != air_stream_byte(from + i)) {
            fail_msg("byte %llu of the stream is wrong", (unsigned long long)(from + i));
        }
    }
}

static void serve_certificates(struct air_world *world, struct air_test_pki *pki) {
    const air_span names[] = {SPAN(WORLD_NAME), SPAN(WORLD_OTHER_NAME), SPAN(WORLD_CHALLENGE_NAME)};
    const air_time_ms from_ms = INT64_C(1577836800000);  /* 2020 */
    const air_time_ms until_ms = INT64_C(4070908800000); /* 2099 */
    struct air_buffer chain;
    struct air_buffer key;
    air_buffer_init(&chain, 65536);
    air_buffer_init(&key, 65536);
    air_test_pki_issue(pki, AIR_KEY_ECDSA_P256, names, 3, from_ms, until_ms, &chain, &key);
    assert_ok(air_tls_certificate_set(world->tls, SPAN("id"), AIR_KEY_ECDSA_P256, names, 3,
        air_buffer_span(&chain), air_buffer_span(&key), NULL));
    assert_ok(air_tls_default_set(world->tls, SPAN("id")));
    assert_ok(air_tls_challenge_set(
        world->tls, SPAN(WORLD_CHALLENGE_NAME), air_buffer_span(&chain), air_buffer_span(&key)));
    assert_ok(air_tls_attach(world->tls, world->context, SPAN("\x08http/1.1")));
    air_buffer_deinit(&key);
    air_buffer_deinit(&chain);
}

static void trust_root(struct air_world *world, air_span root) {
    world->client_context = SSL_CTX_new(TLS_client_method());
    assert_non_null(world->client_context);
    BIO *text = BIO_new_mem_buf(root.data, (int)root.size);
    X509 *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    assert_non_null(certificate);
    X509_STORE *store = SSL_CTX_get_cert_store(world->client_context);
    assert_int_equal(X509_STORE_add_cert(store, certificate), 1);
    SSL_CTX_set_verify(world->client_context, SSL_VERIFY_PEER, NULL);
    X509_free(certificate);
    BIO_free(text);
}

static void limit_time(int socket) {
    const struct timeval limit = {.tv_sec = LIMIT_S};
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
}

static socklen_t loopback(int family, uint16_t port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons(port);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_port = htons(port);
    return sizeof *v4;
}
