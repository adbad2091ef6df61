/* SPDX-License-Identifier: MIT */
/*
 * Session tickets: their keys are replaced and forgotten in time (time is a parameter), and a
 * client of a front resumes with them over TLS 1.2 and 1.3 and reaches the backend of its name; a
 * validation never resumes.
 */

#include "hosts/program/front/tickets.h"

#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/allocation.h"
#include "tests/unit/program_front/world.h"

#define LIFE_S AIR_FRONT_TICKET_KEY_LIFE_S

static void keeps_a_key_for_its_life(void **state) {
    (void)state;
    struct air_front_tickets tickets;
    struct air_front_ticket_key first;
    struct air_front_ticket_key key;
    assert_true(air_front_tickets_init(&tickets, 1000));
    air_front_tickets_current(&tickets, 1000, &first);
    air_front_tickets_current(&tickets, 1000 + LIFE_S - 1, &key);
    assert_memory_equal(&key, &first, sizeof key);
    air_front_tickets_current(&tickets, 1000 + LIFE_S, &key);
    assert_memory_not_equal(key.name, first.name, sizeof key.name);
    assert_memory_not_equal(key.cipher, first.cipher, sizeof key.cipher);
    assert_memory_not_equal(key.mac, first.mac, sizeof key.mac);
    air_front_tickets_deinit(&tickets);
}

static void opens_with_the_previous_key_for_as_long_again(void **state) {
    (void)state;
    struct air_front_tickets tickets;
    struct air_front_ticket_key first;
    struct air_front_ticket_key key;
    assert_true(air_front_tickets_init(&tickets, 0));
    air_front_tickets_current(&tickets, 0, &first);
    assert_int_equal(
        air_front_tickets_find(&tickets, LIFE_S - 1, first.name, &key), AIR_FRONT_TICKET_CURRENT);
    assert_int_equal(
        air_front_tickets_find(&tickets, LIFE_S, first.name, &key), AIR_FRONT_TICKET_PREVIOUS);
    assert_memory_equal(&key, &first, sizeof key);
    assert_int_equal(
        air_front_tickets_find(&tickets, 2 * LIFE_S, first.name, &key), AIR_FRONT_TICKET_UNKNOWN);
    air_front_tickets_deinit(&tickets);
}

static void forgets_a_key_that_nobody_asked_for_in_time(void **state) {
    (void)state;
    static const uint8_t nothing[sizeof(struct air_front_ticket_key)];
    struct air_front_tickets tickets;
    struct air_front_ticket_key first;
    struct air_front_ticket_key key;
    assert_true(air_front_tickets_init(&tickets, 0));
    air_front_tickets_current(&tickets, 0, &first);
    assert_int_equal(
        air_front_tickets_find(&tickets, 2 * LIFE_S, first.name, &key), AIR_FRONT_TICKET_UNKNOWN);
    assert_memory_equal(&tickets.previous, nothing, sizeof nothing);
    air_front_tickets_deinit(&tickets);
}

static enum air_error make_context(void *context) {
    (void)context;
    SSL_CTX *made = NULL;
    enum air_error error = air_front_context_new(&made);
    SSL_CTX_free(made);
    return error;
}

static void leaves_nothing_behind_when_memory_runs_out(void **state) {
    (void)state;
    air_test_each_allocation(make_context, NULL);
}

/* A visit that ends properly; returns the session to come back with. */
static SSL_SESSION *visit(struct air_world *world, int listener, const char *name,
    SSL_SESSION *session, bool expect_resumed) {
    struct air_client client;
    air_client_init(&client, world, name);
    if (session != NULL) {
        assert_int_equal(SSL_set_session(client.ssl, session), 1);
    }
    air_client_handshake(&client);
    assert_int_equal(SSL_session_reused(client.ssl), expect_resumed);
    air_client_send(&client, "ask", 3);
    int backend = air_listener_accept(listener);
    air_socket_expect(backend, "ask", 3);
    air_socket_send(backend, "told", 4);
    air_client_expect(&client, "told", 4); /* and the tickets before it */
    SSL_SESSION *made = SSL_get1_session(client.ssl);
    SSL_shutdown(client.ssl);
    air_client_close(&client);
    close(backend);
    return made;
}

static void resumes(int version) {
    struct air_world world;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(world.client_context, version), 1);
    int listener = air_listener_new(AF_INET, &port);
    /* By name only: a resumed TLS 1.2 connection must still have one. */
    struct air_front_route route = {.name = SPAN(WORLD_NAME)};
    struct air_buffer to;
    air_buffer_init(&to, 64);
    air_buffer_append_text(&to, "127.0.0.1:");
    air_buffer_append_number(&to, port);
    route.to = air_buffer_span(&to);
    assert_ok(air_front_routes_set(world.front, &route, 1, NULL));
    SSL_SESSION *first = visit(&world, listener, WORLD_NAME, NULL, false);
    SSL_SESSION *second = visit(&world, listener, WORLD_NAME, first, true);
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
    air_buffer_deinit(&to);
    close(listener);
    air_world_deinit(&world);
}

static void resumes_over_tls_1_2(void **state) {
    (void)state;
    resumes(TLS1_2_VERSION);
}

static void resumes_over_tls_1_3(void **state) {
    (void)state;
    resumes(TLS1_3_VERSION);
}

static void resumes_no_session_of_another_context(void **state) {
    (void)state;
    struct air_world worlds[2];
    SSL_SESSION *sessions[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        uint16_t port = 0;
        air_world_init(&worlds[i], AF_INET, NULL);
        int listener = air_listener_new(AF_INET, &port);
        air_world_route(&worlds[i], port, false);
        sessions[i] = visit(&worlds[i], listener, WORLD_NAME, i == 0 ? NULL : sessions[0], false);
        close(listener);
    }
    for (int i = 0; i < 2; i++) {
        SSL_SESSION_free(sessions[i]);
        air_world_deinit(&worlds[i]);
    }
}

static void validates_in_full_whatever_the_client_offers(void **state) {
    (void)state;
    static const uint8_t acme_alpn[] = "\x0a"
                                       "acme-tls/1";
    struct air_world world;
    struct air_client client;
    uint16_t port = 0;
    air_world_init(&world, AF_INET, NULL);
    int listener = air_listener_new(AF_INET, &port);
    air_world_route(&world, port, false);
    SSL_SESSION *session = visit(&world, listener, WORLD_CHALLENGE_NAME, NULL, false);
    air_client_init(&client, &world, WORLD_CHALLENGE_NAME);
    assert_int_equal(SSL_set_session(client.ssl, session), 1);
    assert_int_equal(SSL_set_alpn_protos(client.ssl, acme_alpn, sizeof acme_alpn - 1), 0);
    air_client_handshake(&client);
    assert_int_equal(SSL_session_reused(client.ssl), 0);
    air_client_expect_close_notify(&client);
    air_client_close(&client);
    SSL_SESSION_free(session);
    close(listener);
    air_world_deinit(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_a_key_for_its_life),
        cmocka_unit_test(opens_with_the_previous_key_for_as_long_again),
        cmocka_unit_test(forgets_a_key_that_nobody_asked_for_in_time),
        cmocka_unit_test(leaves_nothing_behind_when_memory_runs_out),
        cmocka_unit_test(resumes_over_tls_1_2),
        cmocka_unit_test(resumes_over_tls_1_3),
        cmocka_unit_test(resumes_no_session_of_another_context),
        cmocka_unit_test(validates_in_full_whatever_the_client_offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
