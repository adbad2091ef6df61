/* SPDX-License-Identifier: MIT */
/*
 * Proven: a CA's tls-alpn-01 validation (RFC 8737 section 3) is answered for a live challenge,
 * whatever the host's SSL_CTX demands, refused with alert 120 for anything else, and never opens a
 * way into the host. How: handshakes in memory against contexts set up as hosts do, with challenge
 * certificates of the crypto port.
 */

#include "tests/support/test.h"

#include <openssl/x509v3.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/unit/tls/handshake.h"
#include "thinair/openssl.h"
#include "thinair/tls.h"

#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_NO_APPLICATION_PROTOCOL 120
#define NOW_MS INT64_C(1800000000000)
#define PEM_SIZE_MAX 65536

static const char name[] = "a.example.net";
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct world {
    struct air_crypto *crypto;
    struct air_test_pki *pki;
    struct air_test_pair served;    /* a.example.net */
    struct air_test_pair challenge; /* a.example.net */
    struct air_tls *tls;
    SSL_CTX *context;
};

static void make_challenge(struct world *world, struct air_test_pair *pair, const char *host) {
    const uint8_t digest[AIR_SHA256_SIZE] = {1, 2, 3};
    air_buffer_init(&pair->chain, PEM_SIZE_MAX);
    air_buffer_init(&pair->key, PEM_SIZE_MAX);
    assert_ok(world->crypto->challenge_certificate(
        world->crypto->self, air_span_text(host), digest, NOW_MS, &pair->chain, &pair->key));
}

static int make_pairs(void **state) {
    static struct world world;
    assert_ok(air_crypto_openssl_new(&world.crypto));
    world.pki = air_test_pki_new();
    air_test_pair_init(&world.served, world.pki, AIR_KEY_RSA_2048, name);
    make_challenge(&world, &world.challenge, name);
    *state = &world;
    return 0;
}

static int free_pairs(void **state) {
    struct world *world = *state;
    air_test_pair_deinit(&world->served);
    air_test_pair_deinit(&world->challenge);
    air_test_pki_free(world->pki);
    air_crypto_openssl_free(world->crypto);
    return air_memory_live() == 0 ? 0 : -1;
}

/* A host with h2, one served certificate, and a live challenge for the same name. */
static int setup(void **state) {
    struct world *world = *state;
    const air_span names[] = {air_span_text(name)};
    assert_ok(air_tls_new(&world->tls));
    world->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(world->context);
    assert_ok(air_tls_attach(world->tls, world->context, SPAN("\x02h2")));
    assert_ok(air_tls_certificate_set(world->tls, SPAN("a"), AIR_KEY_RSA_2048, names, 1,
        air_buffer_span(&world->served.chain), air_buffer_span(&world->served.key), NULL));
    assert_ok(air_tls_challenge_set(world->tls, air_span_text(name),
        air_buffer_span(&world->challenge.chain), air_buffer_span(&world->challenge.key)));
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    SSL_CTX_free(world->context);
    air_tls_free(world->tls);
    return 0;
}

static struct air_test_hello validation(const char *host, int version) {
    return (struct air_test_hello){.name = host,
        .version = version,
        .alpn = SPAN("\x0a"
                     "acme-tls/1")};
}

static void assert_validated(struct world *world, const struct air_test_hello *hello) {
    struct air_test_seen seen;
    air_test_handshake(world->context, hello, air_tls_is_challenge, &seen);
    assert_true(seen.is_done);
    assert_true(seen.is_challenge);
    assert_string_equal(seen.alpn, "acme-tls/1");
    assert_true(air_test_has_leaf(&seen, &world->challenge));
    assert_int_equal(seen.chain_count, 1);
    assert_false(seen.is_served);
    assert_true(seen.is_closed);
    assert_false(seen.has_ticket);
    air_test_seen_deinit(&seen);
}

static void assert_validated_in_both_versions(struct world *world) {
    for (size_t i = 0; i < 2; i++) {
        struct air_test_hello hello = validation(name, versions[i]);
        assert_validated(world, &hello);
    }
}

static void assert_refused(struct world *world, const char *host) {
    for (size_t i = 0; i < 2; i++) {
        struct air_test_hello hello = validation(host, versions[i]);
        struct air_test_seen seen;
        air_test_handshake(world->context, &hello, air_tls_is_challenge, &seen);
        assert_false(seen.is_done);
        assert_int_equal(seen.alert, ALERT_NO_APPLICATION_PROTOCOL);
        assert_null(seen.leaf);
        assert_false(seen.is_challenge);
        air_test_seen_deinit(&seen);
    }
}

static void assert_served_normally(struct world *world, air_span alpn, const char *selected) {
    for (size_t i = 0; i < 2; i++) {
        struct air_test_hello hello = {.name = name, .version = versions[i], .alpn = alpn};
        struct air_test_seen seen;
        air_test_handshake(world->context, &hello, air_tls_is_challenge, &seen);
        assert_true(seen.is_done);
        assert_true(seen.is_served);
        assert_false(seen.is_challenge);
        assert_string_equal(seen.alpn, selected);
        assert_true(air_test_has_leaf(&seen, &world->served));
        air_test_seen_deinit(&seen);
    }
}

static void answers_a_validation(void **state) {
    assert_validated_in_both_versions(*state);
}

static void answers_in_any_case_and_again(void **state) {
    struct air_test_hello hello = validation("A.EXAMPLE.net", 0);
    assert_validated(*state, &hello);
    assert_validated(*state, &hello);
}

static void answers_without_a_served_certificate(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
    assert_validated_in_both_versions(world);
}

static int name_another(SSL *ssl, void *context) {
    return air_tls_certificate_for(context, ssl, air_span_text(name));
}

static void answers_though_the_host_names_another_certificate(void **state) {
    struct world *world = *state;
    SSL_CTX_set_cert_cb(world->context, name_another, world->tls);
    assert_validated_in_both_versions(world);
}

static void refuses_names_without_a_challenge(void **state) {
    assert_refused(*state, "b.example.net");
    assert_refused(*state, "x.a.example.net");
    assert_refused(*state, "example.net");
    assert_refused(*state, NULL);
}

static void refuses_other_names_though_there_is_a_default(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_default_set(world->tls, SPAN("a")));
    assert_refused(world, "b.example.net");
    assert_refused(world, NULL);
}

static void refuses_after_removal(void **state) {
    struct world *world = *state;
    assert_int_equal(air_tls_challenges_count(world->tls), 1);
    air_tls_challenge_remove(world->tls, SPAN("A.example.net."));
    assert_int_equal(air_tls_challenges_count(world->tls), 0);
    assert_refused(world, name);
    assert_served_normally(world, SPAN("\x02h2"), "h2");
    air_tls_challenge_remove(world->tls, SPAN("a.example.net")); /* again: nothing happens */
    air_tls_challenge_remove(world->tls, SPAN(""));
}

static void clients_of_the_host_are_served_beside_it(void **state) {
    assert_served_normally(*state, SPAN("\x02h2"), "h2");
    assert_served_normally(*state, SPAN(""), "");
    assert_served_normally(*state,
        SPAN("\x0a"
             "acme-tls/1\x02h2"),
        "h2");
}

static void answers_the_latest_challenge(void **state) {
    struct world *world = *state;
    struct air_test_pair later;
    struct air_test_seen seen;
    struct air_test_hello hello = validation(name, 0);
    make_challenge(world, &later, name);
    assert_ok(air_tls_challenge_set(world->tls, air_span_text(name), air_buffer_span(&later.chain),
        air_buffer_span(&later.key)));
    air_test_handshake(world->context, &hello, air_tls_is_challenge, &seen);
    assert_true(air_test_has_leaf(&seen, &later));
    air_test_seen_deinit(&seen);
    air_test_pair_deinit(&later);
}

/* mod_md fails this in TLS 1.2. */
static void answers_though_the_host_demands_client_certificates(void **state) {
    struct world *world = *state;
    struct air_test_seen seen;
    SSL_CTX_set_verify(world->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_validated_in_both_versions(world);
    air_test_handshake(world->context,
        &(struct air_test_hello){.name = name, .version = TLS1_2_VERSION}, NULL, &seen);
    assert_false(seen.is_done);
    assert_int_equal(seen.alert, ALERT_HANDSHAKE_FAILURE);
    air_test_seen_deinit(&seen);
}

static void answers_though_the_host_limits_versions(void **state) {
    struct world *world = *state;
    assert_int_equal(SSL_CTX_set_min_proto_version(world->context, TLS1_3_VERSION), 1);
    assert_validated_in_both_versions(world);
    assert_int_equal(SSL_CTX_set_min_proto_version(world->context, 0), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(world->context, TLS1_2_VERSION), 1);
    assert_validated_in_both_versions(world);
    assert_int_equal(SSL_CTX_set_max_proto_version(world->context, 0), 1);
    SSL_CTX_set_options(world->context, SSL_OP_NO_TLSv1_2);
    assert_validated_in_both_versions(world);
}

static void answers_though_the_host_limits_algorithms(void **state) {
    struct world *world = *state;
    assert_int_equal(SSL_CTX_set_cipher_list(world->context, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
    assert_int_equal(SSL_CTX_set1_sigalgs_list(world->context, "RSA-PSS+SHA256:RSA+SHA256"), 1);
    assert_int_equal(SSL_CTX_set1_groups_list(world->context, "P-521"), 1);
    assert_validated_in_both_versions(world);
}

static int die_for_any_name(SSL *ssl, int *alert, void *context) {
    (void)ssl;
    (void)alert;
    (void)context;
    fail_msg("the host's server name callback ran on a validation");
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* libwebsockets' callback asserts that it knows the name. */
static void the_hosts_name_callback_does_not_run(void **state) {
    struct world *world = *state;
    SSL_CTX_set_tlsext_servername_callback(world->context, die_for_any_name);
    assert_validated_in_both_versions(world);
}

static void prefer_p521(SSL_CTX *client) {
    assert_int_equal(SSL_CTX_set1_groups_list(client, "P-521:P-384"), 1);
}

/* A hello that needs a HelloRetryRequest comes twice. */
static void answers_after_a_hello_retry_request(void **state) {
    struct air_test_hello hello = validation(name, TLS1_3_VERSION);
    hello.client = prefer_p521;
    assert_validated(*state, &hello);
}

/* A session of the host's must not carry over: it would skip the challenge certificate. */
static void resumes_no_session_of_the_host(void **state) {
    struct world *world = *state;
    for (size_t i = 0; i < 2; i++) {
        struct air_test_seen made;
        air_test_handshake(world->context,
            &(struct air_test_hello){.name = name, .version = versions[i]}, NULL, &made);
        assert_true(made.has_ticket);
        struct air_test_hello hello = validation(name, versions[i]);
        hello.session = made.session;
        assert_validated(world, &hello);
        air_test_seen_deinit(&made);
    }
}

static void refuses_what_is_no_challenge(void **state) {
    struct world *world = *state;
    air_span certificate = air_buffer_span(&world->challenge.chain);
    air_span key = air_buffer_span(&world->challenge.key);
    air_span other_key = air_buffer_span(&world->served.key);
    struct air_tls *tls = world->tls;
    assert_int_equal(air_tls_challenge_set(tls, SPAN("b.example.net"), certificate, other_key),
        AIR_ERR_BAD_CERTIFICATE);
    assert_int_equal(
        air_tls_challenge_set(tls, SPAN("*.example.net"), certificate, key), AIR_ERR_BAD_NAME);
    assert_int_equal(
        air_tls_challenge_set(tls, SPAN("192.0.2.1"), certificate, key), AIR_ERR_BAD_NAME);
    assert_int_equal(
        air_tls_challenge_set(tls, SPAN("b.example.net"), SPAN("x"), key), AIR_ERR_MALFORMED);
    assert_int_equal(air_tls_challenge_set(tls, SPAN("b.example.net"), certificate, SPAN("")),
        AIR_ERR_MALFORMED);
    assert_refused(world, "b.example.net");
}

static void answers_for_an_address_by_its_reverse_name(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_challenge_set(world->tls, SPAN("1.2.0.192.in-addr.arpa"),
        air_buffer_span(&world->challenge.chain), air_buffer_span(&world->challenge.key)));
    struct air_test_hello hello = validation("1.2.0.192.in-addr.arpa", 0);
    assert_validated(world, &hello);
}

static enum air_error set_twice(void *context) {
    struct world *world = context;
    struct air_tls *tls = NULL;
    enum air_error error = air_tls_new(&tls);
    const char *const hosts[] = {name, "b.example.net", name};
    for (size_t i = 0; i < 3 && error == AIR_OK; i++) {
        error = air_tls_challenge_set(tls, air_span_text(hosts[i]),
            air_buffer_span(&world->challenge.chain), air_buffer_span(&world->challenge.key));
    }
    air_tls_free(tls);
    return error;
}

static void failed_allocations_leave_nothing(void **state) {
    air_test_each_allocation(set_twice, *state);
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(answers_a_validation),
        TEST(answers_in_any_case_and_again),
        TEST(answers_without_a_served_certificate),
        TEST(answers_though_the_host_names_another_certificate),
        TEST(refuses_names_without_a_challenge),
        TEST(refuses_other_names_though_there_is_a_default),
        TEST(refuses_after_removal),
        TEST(clients_of_the_host_are_served_beside_it),
        TEST(answers_the_latest_challenge),
        TEST(answers_though_the_host_demands_client_certificates),
        TEST(answers_though_the_host_limits_versions),
        TEST(answers_though_the_host_limits_algorithms),
        TEST(the_hosts_name_callback_does_not_run),
        TEST(answers_after_a_hello_retry_request),
        TEST(resumes_no_session_of_the_host),
        TEST(refuses_what_is_no_challenge),
        TEST(answers_for_an_address_by_its_reverse_name),
        TEST(failed_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
