/* SPDX-License-Identifier: MIT */
/*
 * Proven: air_tls_prove() accepts what clients of that key type can use, for every key type, and
 * refuses each kind of wrong candidate with a sentence; the probes tell what a context or a socket
 * serves from what it should. How: certificates of the test authority, taken apart and put together
 * wrongly; a TLS server in a thread on one end of a socket pair.
 */

#include "tests/support/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "src/base/pem.h"
#include "tests/support/allocation.h"
#include "tests/unit/tls/handshake.h"
#include "thinair/tls.h"

#define REASON_SIZE_MAX 256
#define SOCKET_LIMIT_S 20

struct world {
    struct air_test_pki *pki;
    struct air_test_pki *stranger; /* another authority of the same names */
    struct air_test_pair ec;       /* a.example.net */
    struct air_test_pair rsa;      /* a.example.net */
    struct air_test_pair wild;     /* *.example.net, P-384 */
    struct air_test_pair renewed;  /* a.example.net, P-256 */
    struct air_tls *tls;
    SSL_CTX *context;
};

static int make_pairs(void **state) {
    static struct world world;
    world.pki = air_test_pki_new();
    world.stranger = air_test_pki_new();
    air_test_pair_init(&world.ec, world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    air_test_pair_init(&world.rsa, world.pki, AIR_KEY_RSA_2048, "a.example.net");
    air_test_pair_init(&world.wild, world.pki, AIR_KEY_ECDSA_P384, "*.example.net");
    air_test_pair_init(&world.renewed, world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    *state = &world;
    return 0;
}

static int free_pairs(void **state) {
    struct world *world = *state;
    air_test_pair_deinit(&world->ec);
    air_test_pair_deinit(&world->rsa);
    air_test_pair_deinit(&world->wild);
    air_test_pair_deinit(&world->renewed);
    air_test_pki_free(world->pki);
    air_test_pki_free(world->stranger);
    return air_memory_live() == 0 ? 0 : -1;
}

static void serve(
    struct world *world, enum air_key_type key_type, const struct air_test_pair *pair) {
    const air_span names[] = {SPAN("a.example.net")};
    assert_ok(air_tls_certificate_set(world->tls, SPAN("a"), key_type, names, 1,
        air_buffer_span(&pair->chain), air_buffer_span(&pair->key), NULL));
}

/* A context that serves a.example.net with both key types. */
static int setup(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_new(&world->tls));
    world->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(world->context);
    assert_ok(air_tls_attach(world->tls, world->context, SPAN("")));
    serve(world, AIR_KEY_ECDSA_P256, &world->ec);
    serve(world, AIR_KEY_RSA_2048, &world->rsa);
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    SSL_CTX_free(world->context);
    air_tls_free(world->tls);
    return 0;
}

static enum air_error prove(air_span chain, const struct air_test_pair *pair,
    enum air_key_type key_type, const char *name) {
    return air_tls_prove(chain, air_buffer_span(&pair->key), key_type, air_span_text(name), NULL);
}

/* Refused as not proven, with a sentence that has these words. */
static void assert_unproven(
    air_span chain, air_span key, enum air_key_type key_type, const char *name, const char *words) {
    struct air_buffer reason;
    air_buffer_init(&reason, REASON_SIZE_MAX);
    assert_int_equal(
        air_tls_prove(chain, key, key_type, air_span_text(name), &reason), AIR_ERR_NOT_PROVEN);
    assert_ok(air_buffer_append_byte(&reason, '\0'));
    if (strstr((const char *)reason.data, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", (const char *)reason.data, words);
    }
    air_buffer_deinit(&reason);
}

/* The n-th block of a chain. */
static air_span block_of(const struct air_test_pair *pair, size_t n) {
    air_span rest = air_buffer_span(&pair->chain);
    air_span block = SPAN("");
    air_span label;
    for (size_t i = 0; i <= n; i++) {
        assert_true(air_pem_next(&rest, &block, &label, NULL));
    }
    return block;
}

static void proves_every_key_type(void **state) {
    struct world *world = *state;
    const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_ECDSA_P384, AIR_KEY_RSA_2048,
        AIR_KEY_RSA_3072, AIR_KEY_RSA_4096};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct air_test_pair pair;
        air_test_pair_init(&pair, world->pki, types[i], "b.example.net");
        assert_ok(prove(air_buffer_span(&pair.chain), &pair, types[i], "B.example.net."));
        air_test_pair_deinit(&pair);
    }
}

static void proves_a_wildcard_by_a_host_below_it(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->wild.chain);
    assert_ok(prove(chain, &world->wild, AIR_KEY_ECDSA_P384, "*.example.net"));
    assert_ok(prove(chain, &world->wild, AIR_KEY_ECDSA_P384, "any.example.net"));
}

static void refuses_a_name_the_leaf_does_not_have(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->ec.chain);
    air_span key = air_buffer_span(&world->ec.key);
    const char words[] = "does not name the host";
    assert_unproven(chain, key, AIR_KEY_ECDSA_P256, "b.example.net", words);
    assert_unproven(chain, key, AIR_KEY_ECDSA_P256, "*.example.net", words);
    assert_unproven(chain, key, AIR_KEY_ECDSA_P256, "x.a.example.net", words);
    chain = air_buffer_span(&world->wild.chain);
    key = air_buffer_span(&world->wild.key);
    assert_unproven(chain, key, AIR_KEY_ECDSA_P384, "example.net", words);
    assert_unproven(chain, key, AIR_KEY_ECDSA_P384, "x.y.example.net", words);
}

static void refuses_anothers_key_and_another_type(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->ec.chain);
    air_span key = air_buffer_span(&world->ec.key);
    assert_unproven(chain, air_buffer_span(&world->renewed.key), AIR_KEY_ECDSA_P256,
        "a.example.net", "does not belong to the leaf");
    assert_unproven(chain, air_buffer_span(&world->rsa.key), AIR_KEY_ECDSA_P256, "a.example.net",
        "does not belong to the leaf");
    assert_unproven(chain, key, AIR_KEY_ECDSA_P384, "a.example.net", "not of type ecdsa-p384");
    assert_unproven(chain, key, AIR_KEY_RSA_2048, "a.example.net", "not of type rsa-2048");
}

static void join(struct air_buffer *out, air_span first, air_span second, air_span third) {
    air_buffer_init(out, 65536);
    assert_ok(air_buffer_append_span(out, first));
    assert_ok(air_buffer_append_span(out, second));
    assert_ok(air_buffer_append_span(out, third));
}

static void assert_chain_unproven(
    struct world *world, air_span first, air_span second, air_span third, const char *words) {
    struct air_buffer chain;
    join(&chain, first, second, third);
    assert_unproven(air_buffer_span(&chain), air_buffer_span(&world->ec.key), AIR_KEY_ECDSA_P256,
        "a.example.net", words);
    air_buffer_deinit(&chain);
}

static void refuses_a_chain_out_of_order(void **state) {
    struct world *world = *state;
    air_span leaf = block_of(&world->ec, 0);
    air_span issuer = block_of(&world->ec, 1);
    air_span root = air_test_pki_root(world->pki);
    air_span stranger = air_test_pki_intermediate(world->stranger);
    const char words[] = "not signed by the next";
    assert_chain_unproven(world, leaf, root, SPAN(""), words);     /* one is missing */
    assert_chain_unproven(world, leaf, root, issuer, words);       /* swapped */
    assert_chain_unproven(world, leaf, issuer, issuer, words);     /* twice */
    assert_chain_unproven(world, leaf, stranger, SPAN(""), words); /* the right name only */
    assert_chain_unproven(world, issuer, leaf, SPAN(""), "does not belong to the leaf");
}

static void proves_a_chain_with_its_root(void **state) {
    struct world *world = *state;
    struct air_buffer chain;
    join(&chain, air_buffer_span(&world->ec.chain), air_test_pki_root(world->pki), SPAN(""));
    assert_ok(prove(air_buffer_span(&chain), &world->ec, AIR_KEY_ECDSA_P256, "a.example.net"));
    air_buffer_deinit(&chain);
}

static void refuses_what_is_no_chain_or_key(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->ec.chain);
    air_span key = air_buffer_span(&world->ec.key);
    const enum air_key_type type = AIR_KEY_ECDSA_P256;
    assert_unproven(SPAN(""), key, type, "a.example.net", "not a sequence");
    assert_unproven(SPAN("x"), key, type, "a.example.net", "not a sequence");
    assert_unproven(key, key, type, "a.example.net", "not a sequence");
    assert_unproven(air_span_take(chain, chain.size - 40), key, type, "a.example.net", "sequence");
    assert_unproven(SPAN("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), key,
        type, "a.example.net", "cannot be read");
    assert_unproven(chain, SPAN(""), type, "a.example.net", "key cannot be read");
    assert_unproven(chain, chain, type, "a.example.net", "key cannot be read");
}

static void refuses_wrong_arguments(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->ec.chain);
    assert_int_equal(prove(chain, &world->ec, AIR_KEY_NONE, "a.example.net"), AIR_ERR_ARGUMENT);
    assert_int_equal(prove(chain, &world->ec, AIR_KEY_ECDSA_P256, "a..b"), AIR_ERR_BAD_NAME);
    assert_int_equal(prove(chain, &world->ec, AIR_KEY_ECDSA_P256, ""), AIR_ERR_BAD_NAME);
}

static enum air_error prove_once(void *context) {
    struct world *world = context;
    return prove(
        air_buffer_span(&world->wild.chain), &world->wild, AIR_KEY_ECDSA_P384, "*.example.net");
}

static void failed_allocations_leave_nothing(void **state) {
    air_test_each_allocation(prove_once, *state);
}

static enum air_error probe(struct world *world, enum air_key_type key_type,
    const struct air_test_pair *pair, const char *name) {
    return air_tls_probe_context(
        world->context, air_span_text(name), key_type, air_buffer_span(&pair->chain), NULL);
}

static void a_context_serves_each_key_type(void **state) {
    struct world *world = *state;
    assert_ok(probe(world, AIR_KEY_ECDSA_P256, &world->ec, "a.example.net"));
    assert_ok(probe(world, AIR_KEY_RSA_2048, &world->rsa, "a.example.net"));
}

static void a_context_is_seen_to_serve_another_generation(void **state) {
    struct world *world = *state;
    assert_int_equal(
        probe(world, AIR_KEY_ECDSA_P256, &world->renewed, "a.example.net"), AIR_ERR_NOT_PROVEN);
    serve(world, AIR_KEY_ECDSA_P256, &world->renewed);
    assert_ok(probe(world, AIR_KEY_ECDSA_P256, &world->renewed, "a.example.net"));
    assert_int_equal(
        probe(world, AIR_KEY_ECDSA_P256, &world->ec, "a.example.net"), AIR_ERR_NOT_PROVEN);
}

static void a_context_is_seen_to_send_another_chain(void **state) {
    struct world *world = *state;
    assert_int_equal(air_tls_probe_context(world->context, SPAN("a.example.net"),
                         AIR_KEY_ECDSA_P256, block_of(&world->ec, 0), NULL),
        AIR_ERR_NOT_PROVEN);
}

static void a_context_without_the_name_is_not_proven(void **state) {
    struct world *world = *state;
    struct air_buffer reason;
    air_buffer_init(&reason, REASON_SIZE_MAX);
    assert_int_equal(air_tls_probe_context(world->context, SPAN("b.example.net"),
                         AIR_KEY_ECDSA_P256, air_buffer_span(&world->ec.chain), &reason),
        AIR_ERR_NOT_PROVEN);
    assert_true(air_span_starts_with(air_buffer_span(&reason), "TLS 1.3: "));
    air_buffer_deinit(&reason);
}

static void a_context_may_demand_client_certificates(void **state) {
    struct world *world = *state;
    SSL_CTX_set_verify(world->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_ok(probe(world, AIR_KEY_ECDSA_P256, &world->ec, "a.example.net"));
}

static void a_context_may_allow_one_version(void **state) {
    struct world *world = *state;
    struct air_buffer reason;
    air_buffer_init(&reason, REASON_SIZE_MAX);
    assert_int_equal(SSL_CTX_set_min_proto_version(world->context, TLS1_3_VERSION), 1);
    assert_ok(air_tls_probe_context(world->context, SPAN("a.example.net"), AIR_KEY_ECDSA_P256,
        air_buffer_span(&world->ec.chain), &reason));
    assert_int_equal(reason.size, 0); /* success is silent */
    assert_int_equal(SSL_CTX_set_min_proto_version(world->context, 0), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(world->context, TLS1_2_VERSION), 1);
    assert_ok(probe(world, AIR_KEY_ECDSA_P256, &world->ec, "a.example.net"));
    assert_int_equal(
        probe(world, AIR_KEY_ECDSA_P256, &world->renewed, "a.example.net"), AIR_ERR_NOT_PROVEN);
    air_buffer_deinit(&reason);
}

/* One end of a socket pair with a server behind it, or nothing. */
struct peer {
    SSL_CTX *context; /* NULL: closes without a word */
    int socket;
    pthread_t thread;
};

static void *run_peer(void *context) {
    struct peer *peer = context;
    if (peer->context != NULL) {
        SSL *server = SSL_new(peer->context);
        SSL_set_fd(server, peer->socket);
        (void)SSL_accept(server);
        SSL_free(server);
    }
    (void)shutdown(peer->socket, SHUT_RDWR);
    return NULL;
}

static enum air_error probe_over_socket(
    SSL_CTX *context, enum air_key_type key_type, const struct air_test_pair *pair) {
    struct peer peer = {.context = context};
    struct timeval limit = {.tv_sec = SOCKET_LIMIT_S};
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(setsockopt(sockets[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    }
    peer.socket = sockets[1];
    assert_int_equal(pthread_create(&peer.thread, NULL, run_peer, &peer), 0);
    enum air_error error = air_tls_probe_socket(
        sockets[0], SPAN("a.example.net"), key_type, air_buffer_span(&pair->chain), NULL);
    assert_int_equal(pthread_join(peer.thread, NULL), 0);
    assert_int_equal(close(sockets[0]), 0); /* it was left open */
    assert_int_equal(close(sockets[1]), 0);
    return error;
}

static void a_socket_serves_each_key_type(void **state) {
    struct world *world = *state;
    assert_ok(probe_over_socket(world->context, AIR_KEY_ECDSA_P256, &world->ec));
    assert_ok(probe_over_socket(world->context, AIR_KEY_RSA_2048, &world->rsa));
    assert_int_equal(SSL_CTX_set_max_proto_version(world->context, TLS1_2_VERSION), 1);
    assert_ok(probe_over_socket(world->context, AIR_KEY_RSA_2048, &world->rsa));
}

static void a_socket_is_seen_to_serve_something_else(void **state) {
    struct world *world = *state;
    assert_int_equal(
        probe_over_socket(world->context, AIR_KEY_ECDSA_P256, &world->renewed), AIR_ERR_NOT_PROVEN);
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
    assert_int_equal(
        probe_over_socket(world->context, AIR_KEY_ECDSA_P256, &world->ec), AIR_ERR_NOT_PROVEN);
}

/* Writing to the closed socket would raise SIGPIPE. */
static void a_closed_socket_is_a_network_error(void **state) {
    struct world *world = *state;
    assert_int_equal(probe_over_socket(NULL, AIR_KEY_ECDSA_P256, &world->ec), AIR_ERR_NETWORK);
}

static void a_silent_socket_ends_with_its_time_limit(void **state) {
    struct world *world = *state;
    struct timeval limit = {.tv_usec = 1000};
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_int_equal(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(air_tls_probe_socket(sockets[0], SPAN("a.example.net"), AIR_KEY_ECDSA_P256,
                         air_buffer_span(&world->ec.chain), NULL),
        AIR_ERR_TIMEOUT);
    assert_int_equal(close(sockets[0]), 0);
    assert_int_equal(close(sockets[1]), 0);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(proves_every_key_type),
        TEST(proves_a_wildcard_by_a_host_below_it),
        TEST(refuses_a_name_the_leaf_does_not_have),
        TEST(refuses_anothers_key_and_another_type),
        TEST(refuses_a_chain_out_of_order),
        TEST(proves_a_chain_with_its_root),
        TEST(refuses_what_is_no_chain_or_key),
        TEST(refuses_wrong_arguments),
        TEST(failed_allocations_leave_nothing),
        TEST(a_context_serves_each_key_type),
        TEST(a_context_is_seen_to_serve_another_generation),
        TEST(a_context_is_seen_to_send_another_chain),
        TEST(a_context_without_the_name_is_not_proven),
        TEST(a_context_may_demand_client_certificates),
        TEST(a_context_may_allow_one_version),
        TEST(a_socket_serves_each_key_type),
        TEST(a_socket_is_seen_to_serve_something_else),
        TEST(a_closed_socket_is_a_network_error),
        TEST(a_silent_socket_ends_with_its_time_limit),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
