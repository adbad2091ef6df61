/* SPDX-License-Identifier: MIT */
/*
 * Proven: which certificate a client gets, by its name, by the signatures it can verify and by its
 * version, whole chain included; which alert it gets when there is none; ALPN; sessions. How: real
 * handshakes in memory against one attached SSL_CTX. A private key that were not the certificate's
 * would fail every one of them.
 */

#include "tests/support/test.h"

#include <openssl/pem.h>

#include "src/base/memory.h"
#include "tests/unit/tls/handshake.h"
#include "thinair/tls.h"

#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_INTERNAL_ERROR 80 /* what OpenSSL makes of a certificate callback's 0 */
#define ALERT_UNRECOGNIZED_NAME 112
#define ALERT_NO_APPLICATION_PROTOCOL 120

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct world {
    struct air_test_pki *pki;
    struct air_test_pair ec;   /* a.example.net */
    struct air_test_pair rsa;  /* a.example.net */
    struct air_test_pair wild; /* *.example.net, P-384 */
    struct air_test_pair other;
    struct air_tls *tls;
    SSL_CTX *context;
};

static int make_pairs(void **state) {
    static struct world world;
    world.pki = air_test_pki_new();
    air_test_pair_init(&world.ec, world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    air_test_pair_init(&world.rsa, world.pki, AIR_KEY_RSA_2048, "a.example.net");
    air_test_pair_init(&world.wild, world.pki, AIR_KEY_ECDSA_P384, "*.example.net");
    air_test_pair_init(&world.other, world.pki, AIR_KEY_ECDSA_P256, "other.example.org");
    *state = &world;
    return 0;
}

static int free_pairs(void **state) {
    struct world *world = *state;
    air_test_pair_deinit(&world->ec);
    air_test_pair_deinit(&world->rsa);
    air_test_pair_deinit(&world->wild);
    air_test_pair_deinit(&world->other);
    air_test_pki_free(world->pki);
    return air_memory_live() == 0 ? 0 : -1;
}

static int setup(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_new(&world->tls));
    world->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(world->context);
    assert_ok(air_tls_attach(world->tls, world->context, SPAN("")));
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    SSL_CTX_free(world->context);
    air_tls_free(world->tls);
    return 0;
}

static void serve(struct world *world, const char *id, enum air_key_type key_type, const char *name,
    const struct air_test_pair *pair) {
    air_span names[] = {air_span_text(name)};
    assert_ok(air_tls_certificate_set(world->tls, air_span_text(id), key_type, names, 1,
        air_buffer_span(&pair->chain), air_buffer_span(&pair->key), NULL));
}

static void serve_both(struct world *world) {
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->ec);
    serve(world, "a", AIR_KEY_RSA_2048, "a.example.net", &world->rsa);
}

static void assert_served(
    struct world *world, const struct air_test_hello *hello, const struct air_test_pair *pair) {
    struct air_test_seen seen;
    air_test_handshake(world->context, hello, air_tls_is_challenge, &seen);
    assert_true(seen.is_done);
    assert_true(seen.is_served);
    assert_true(air_test_has_leaf(&seen, pair));
    assert_int_equal(seen.chain_count, 2);
    assert_false(seen.is_challenge);
    air_test_seen_deinit(&seen);
}

static void assert_alert(struct world *world, const struct air_test_hello *hello, int alert) {
    struct air_test_seen seen;
    air_test_handshake(world->context, hello, air_tls_is_challenge, &seen);
    assert_false(seen.is_done);
    assert_int_equal(seen.alert, alert);
    assert_null(seen.leaf);
    air_test_seen_deinit(&seen);
}

static void clients_get_the_key_type_they_can_verify(void **state) {
    struct world *world = *state;
    struct air_test_hello hello = {.name = "a.example.net"};
    serve_both(world);
    for (size_t i = 0; i < 2; i++) {
        hello.version = versions[i];
        hello.signatures = "ECDSA+SHA256";
        assert_served(world, &hello, &world->ec);
        hello.signatures = "RSA-PSS+SHA256:RSA+SHA256";
        assert_served(world, &hello, &world->rsa);
    }
    hello = (struct air_test_hello){
        .name = "a.example.net", .version = TLS1_2_VERSION, .ciphers = "ECDHE+aRSA"};
    assert_served(world, &hello, &world->rsa);
}

static void clients_that_verify_both_get_what_they_prefer(void **state) {
    struct world *world = *state;
    struct air_test_hello hello = {.name = "a.example.net", .version = TLS1_3_VERSION};
    serve_both(world);
    hello.signatures = "ECDSA+SHA256:RSA-PSS+SHA256";
    assert_served(world, &hello, &world->ec);
    hello.signatures = "RSA-PSS+SHA256:ECDSA+SHA256";
    assert_served(world, &hello, &world->rsa);
}

static void refuses_clients_that_can_verify_neither(void **state) {
    struct world *world = *state;
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->ec);
    for (size_t i = 0; i < 2; i++) {
        assert_alert(world,
            &(struct air_test_hello){.name = "a.example.net",
                .version = versions[i],
                .signatures = "RSA-PSS+SHA256:RSA+SHA256"},
            ALERT_HANDSHAKE_FAILURE);
    }
}

static void prefers_an_exact_name_to_a_wildcard(void **state) {
    struct world *world = *state;
    serve(world, "wild", AIR_KEY_ECDSA_P384, "*.example.net", &world->wild);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->wild);
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->ec);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->ec);
    assert_served(world, &(struct air_test_hello){.name = "b.example.net"}, &world->wild);
}

static void a_wildcard_stands_for_one_label(void **state) {
    struct world *world = *state;
    serve(world, "wild", AIR_KEY_ECDSA_P384, "*.example.net", &world->wild);
    const char *const others[] = {"example.net", "a.b.example.net", ".example.net", "*.example.net",
        "example.net.example.org"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_alert(world, &(struct air_test_hello){.name = others[i]}, ALERT_UNRECOGNIZED_NAME);
    }
}

static void names_match_in_any_case_and_with_a_trailing_dot(void **state) {
    struct world *world = *state;
    serve(world, "a", AIR_KEY_ECDSA_P256, "A.Example.Net.", &world->ec);
    assert_served(world, &(struct air_test_hello){.name = "a.EXAMPLE.net"}, &world->ec);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net."}, &world->ec);
}

static void refuses_unknown_and_missing_names(void **state) {
    struct world *world = *state;
    serve_both(world);
    for (size_t i = 0; i < 2; i++) {
        assert_alert(world,
            &(struct air_test_hello){.name = "b.example.net", .version = versions[i]},
            ALERT_UNRECOGNIZED_NAME);
        assert_alert(
            world, &(struct air_test_hello){.version = versions[i]}, ALERT_UNRECOGNIZED_NAME);
    }
}

static void refuses_everything_while_the_table_is_empty(void **state) {
    struct world *world = *state;
    assert_alert(world, &(struct air_test_hello){.name = "a.example.net"}, ALERT_UNRECOGNIZED_NAME);
    assert_ok(air_tls_default_set(world->tls, SPAN("a")));
    assert_alert(world, &(struct air_test_hello){.name = "a.example.net"}, ALERT_UNRECOGNIZED_NAME);
}

static void the_default_is_for_unknown_and_missing_names(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_default_set(world->tls, SPAN("a"))); /* before there is one */
    serve_both(world);
    for (size_t i = 0; i < 2; i++) {
        assert_served(world,
            &(struct air_test_hello){.name = "unknown.example.org",
                .version = versions[i],
                .signatures = "ECDSA+SHA256"},
            &world->ec);
        assert_served(world,
            &(struct air_test_hello){
                .version = versions[i], .signatures = "RSA-PSS+SHA256:RSA+SHA256"},
            &world->rsa);
    }
    assert_ok(air_tls_default_set(world->tls, SPAN("")));
    assert_alert(world, &(struct air_test_hello){.name = NULL}, ALERT_UNRECOGNIZED_NAME);
}

static void replacing_shows_in_the_next_handshake(void **state) {
    struct world *world = *state;
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->ec);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->ec);
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->other);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->other);
}

static void removing_one_key_type_leaves_the_other(void **state) {
    struct world *world = *state;
    serve_both(world);
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_ECDSA_P256));
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->rsa);
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
    assert_alert(world, &(struct air_test_hello){.name = "a.example.net"}, ALERT_UNRECOGNIZED_NAME);
}

static void serves_no_certificate_of_the_context_itself(void **state) {
    struct world *world = *state;
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BIO *chain = BIO_new_mem_buf(world->other.chain.data, (int)world->other.chain.size);
    BIO *key = BIO_new_mem_buf(world->other.key.data, (int)world->other.key.size);
    X509 *leaf = PEM_read_bio_X509(chain, NULL, NULL, NULL);
    EVP_PKEY *leaf_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_cert_and_key(context, leaf, leaf_key, NULL, 1), 1);
    assert_ok(air_tls_attach(world->tls, context, SPAN("")));
    SSL_CTX_free(world->context);
    world->context = context;
    serve(world, "a", AIR_KEY_RSA_2048, "a.example.net", &world->rsa);
    assert_served(world, &(struct air_test_hello){.name = "a.example.net"}, &world->rsa);
    X509_free(leaf);
    EVP_PKEY_free(leaf_key);
    BIO_free(chain);
    BIO_free(key);
}

static void assert_protocol(struct world *world, air_span offered, const char *selected) {
    for (size_t i = 0; i < 2; i++) {
        struct air_test_seen seen;
        air_test_handshake(world->context,
            &(struct air_test_hello){
                .name = "a.example.net", .version = versions[i], .alpn = offered},
            air_tls_is_challenge, &seen);
        assert_true(seen.is_done);
        assert_string_equal(seen.alpn, selected);
        assert_false(seen.is_challenge);
        air_test_seen_deinit(&seen);
    }
}

static void the_hosts_order_of_protocols_decides(void **state) {
    struct world *world = *state;
    serve_both(world);
    assert_ok(air_tls_attach(world->tls, world->context, SPAN("\x02h2\x08http/1.1")));
    assert_protocol(world, SPAN("\x08http/1.1\x02h2"), "h2");
    assert_protocol(world, SPAN("\x08http/1.1"), "http/1.1");
    assert_protocol(world,
        SPAN("\x0a"
             "acme-tls/1\x08http/1.1"),
        "http/1.1");
    assert_protocol(world, SPAN(""), "");
    for (size_t i = 0; i < 2; i++) {
        assert_alert(world,
            &(struct air_test_hello){
                .name = "a.example.net", .version = versions[i], .alpn = SPAN("\x03xyz")},
            ALERT_NO_APPLICATION_PROTOCOL);
    }
}

static void attach_refuses_lists_that_are_none(void **state) {
    struct world *world = *state;
    const air_span wrong[] = {SPAN("h2"), SPAN("\x02h2\x00"), SPAN("\x03h2"), SPAN("\x00"),
        SPAN("\x02h2\x0a"
             "acme-tls/1")};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(air_tls_attach(world->tls, world->context, wrong[i]), AIR_ERR_ARGUMENT);
    }
}

static void demand_client_certificates(SSL_CTX *context) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
}

static void assert_resumes(
    struct world *world, int version, const char *first, const char *second, bool is_resumed) {
    struct air_test_seen made;
    struct air_test_seen seen;
    struct air_test_hello hello = {.name = first, .version = version};
    air_test_handshake(world->context, &hello, NULL, &made);
    assert_true(made.has_ticket);
    hello.name = second;
    hello.session = made.session;
    air_test_handshake(world->context, &hello, NULL, &seen);
    assert_true(seen.is_done);
    assert_true(seen.is_served);
    assert_int_equal(seen.is_resumed, is_resumed);
    air_test_seen_deinit(&made);
    air_test_seen_deinit(&seen);
}

/* With client verification on, OpenSSL fails a resumption without a session id context. */
static void sessions_resume_under_their_own_name_only(void **state) {
    struct world *world = *state;
    serve_both(world);
    serve(world, "wild", AIR_KEY_ECDSA_P384, "*.example.net", &world->wild);
    assert_ok(air_tls_default_set(world->tls, SPAN("a")));
    demand_client_certificates(world->context);
    for (size_t i = 0; i < 2; i++) {
        assert_resumes(world, versions[i], "a.example.net", "A.example.net", true);
        assert_resumes(world, versions[i], "a.example.net", "b.example.net", false);
        assert_resumes(world, versions[i], "b.example.net", "c.example.net", false);
        assert_resumes(world, versions[i], NULL, NULL, true);
    }
}

/* For hosts that own the callbacks: an unknown name is the host's to serve. */
static int go_on_for_unknown_names(SSL *ssl, int *alert, void *context) {
    int result = air_tls_client_hello(context, ssl, alert);
    return result == SSL_CLIENT_HELLO_ERROR && *alert == SSL_AD_UNRECOGNIZED_NAME
               ? SSL_CLIENT_HELLO_SUCCESS
               : result;
}

static int keep_own_certificate(SSL *ssl, void *context) {
    return air_tls_certificate(context, ssl) == 1 || SSL_get_certificate(ssl) != NULL ? 1 : 0;
}

/* For hosts that know whose certificate a client without a known name gets. */
struct guide {
    struct air_tls *tls;
    air_span name;
};

static int serve_as_guided(SSL *ssl, void *context) {
    const struct guide *guide = context;
    int is_chosen = air_tls_certificate_for(guide->tls, ssl, guide->name);
    return is_chosen == 1 || SSL_get_certificate(ssl) != NULL ? 1 : 0;
}

static void install_guide(struct world *world, struct guide *guide) {
    guide->tls = world->tls;
    SSL_CTX_set_client_hello_cb(world->context, go_on_for_unknown_names, world->tls);
    SSL_CTX_set_cert_cb(world->context, serve_as_guided, guide);
}

static void a_host_names_the_certificate_itself(void **state) {
    struct world *world = *state;
    struct guide guide = {0};
    const char *const sent[] = {NULL, "unknown.example.org", "b.example.net"};
    install_guide(world, &guide);
    serve_both(world);
    serve(world, "wild", AIR_KEY_ECDSA_P384, "*.example.net", &world->wild);
    for (size_t i = 0; i < 6; i++) {
        struct air_test_hello hello = {.name = sent[i % 3], .version = versions[i / 3]};
        guide.name = SPAN("A.Example.Net.");
        hello.signatures = "ECDSA+SHA256";
        assert_served(world, &hello, &world->ec);
        hello.signatures = "RSA-PSS+SHA256:RSA+SHA256";
        assert_served(world, &hello, &world->rsa);
        guide.name = SPAN("c.example.net");
        hello.signatures = NULL;
        assert_served(world, &hello, &world->wild);
    }
}

static void a_name_that_is_none_asks_for_the_default(void **state) {
    struct world *world = *state;
    struct guide guide = {0};
    const air_span none[] = {
        SPAN(""), SPAN("*.example.net"), SPAN("nobody.example.org"), SPAN(".")};
    install_guide(world, &guide);
    serve(world, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->ec);
    serve(world, "wild", AIR_KEY_ECDSA_P384, "*.example.net", &world->wild);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        guide.name = none[i];
        assert_ok(air_tls_default_set(world->tls, SPAN("")));
        assert_alert(
            world, &(struct air_test_hello){.name = "a.example.net"}, ALERT_INTERNAL_ERROR);
        assert_ok(air_tls_default_set(world->tls, SPAN("a")));
        assert_served(world, &(struct air_test_hello){.name = "b.example.net"}, &world->ec);
    }
}

static void a_host_serves_its_own_names_beside_the_table(void **state) {
    struct world *world = *state;
    BIO *chain = BIO_new_mem_buf(world->other.chain.data, (int)world->other.chain.size);
    BIO *key = BIO_new_mem_buf(world->other.key.data, (int)world->other.key.size);
    X509 *leaf = PEM_read_bio_X509(chain, NULL, NULL, NULL);
    EVP_PKEY *leaf_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    STACK_OF(X509) *rest = sk_X509_new_null();
    sk_X509_push(rest, PEM_read_bio_X509(chain, NULL, NULL, NULL));
    assert_int_equal(SSL_CTX_use_cert_and_key(world->context, leaf, leaf_key, rest, 1), 1);
    SSL_CTX_set_client_hello_cb(world->context, go_on_for_unknown_names, world->tls);
    SSL_CTX_set_cert_cb(world->context, keep_own_certificate, world->tls);
    serve_both(world);
    for (size_t i = 0; i < 2; i++) {
        assert_served(world,
            &(struct air_test_hello){.name = "other.example.org", .version = versions[i]},
            &world->other);
        assert_served(world,
            &(struct air_test_hello){
                .name = "a.example.net", .version = versions[i], .signatures = "ECDSA+SHA256"},
            &world->ec);
    }
    sk_X509_pop_free(rest, X509_free);
    X509_free(leaf);
    EVP_PKEY_free(leaf_key);
    BIO_free(chain);
    BIO_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(clients_get_the_key_type_they_can_verify, setup, teardown),
        cmocka_unit_test_setup_teardown(
            clients_that_verify_both_get_what_they_prefer, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_clients_that_can_verify_neither, setup, teardown),
        cmocka_unit_test_setup_teardown(prefers_an_exact_name_to_a_wildcard, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wildcard_stands_for_one_label, setup, teardown),
        cmocka_unit_test_setup_teardown(
            names_match_in_any_case_and_with_a_trailing_dot, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_unknown_and_missing_names, setup, teardown),
        cmocka_unit_test_setup_teardown(
            refuses_everything_while_the_table_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(
            the_default_is_for_unknown_and_missing_names, setup, teardown),
        cmocka_unit_test_setup_teardown(replacing_shows_in_the_next_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_one_key_type_leaves_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(
            serves_no_certificate_of_the_context_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hosts_order_of_protocols_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(attach_refuses_lists_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_resume_under_their_own_name_only, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_host_serves_its_own_names_beside_the_table, setup, teardown),
        cmocka_unit_test_setup_teardown(a_host_names_the_certificate_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_that_is_none_asks_for_the_default, setup, teardown),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
