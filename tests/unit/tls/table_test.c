/* SPDX-License-Identifier: MIT */
/*
 * Proven: what air_tls_certificate_set() and its siblings accept, refuse and leave behind: a
 * refused or failed change changes nothing, names follow the latest call, names have one owner,
 * common issuers are held once. How: the public functions, and look-ups as the callbacks make them;
 * handshakes are in select_test.c.
 */

#include "tests/support/test.h"

#include <stdio.h>

#include <openssl/pem.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/unit/tls/handshake.h"
#include "tls/object.h"

struct world {
    struct air_test_pki *pki;
    struct air_test_pair first;  /* P-256 */
    struct air_test_pair second; /* P-256 */
    struct air_test_pair p384;
    struct air_test_pair rsa;
    struct air_tls *tls;
};

static int make_pairs(void **state) {
    static struct world world;
    world.pki = air_test_pki_new();
    air_test_pair_init(&world.first, world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    air_test_pair_init(&world.second, world.pki, AIR_KEY_ECDSA_P256, "a.example.net");
    air_test_pair_init(&world.p384, world.pki, AIR_KEY_ECDSA_P384, "a.example.net");
    air_test_pair_init(&world.rsa, world.pki, AIR_KEY_RSA_2048, "a.example.net");
    *state = &world;
    return 0;
}

static int free_pairs(void **state) {
    struct world *world = *state;
    air_test_pair_deinit(&world->first);
    air_test_pair_deinit(&world->second);
    air_test_pair_deinit(&world->p384);
    air_test_pair_deinit(&world->rsa);
    air_test_pki_free(world->pki);
    return air_memory_live() == 0 ? 0 : -1;
}

static int setup(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_new(&world->tls));
    return 0;
}

static int teardown(void **state) {
    struct world *world = *state;
    air_tls_free(world->tls);
    return 0;
}

/* Names are separated by spaces. */
static enum air_error set(struct air_tls *tls, const char *id, enum air_key_type key_type,
    const char *names, const struct air_test_pair *pair) {
    air_span spans[8];
    size_t count = 0;
    air_span rest = air_span_text(names);
    while (rest.size > 0 && air_span_next(&rest, ' ', &spans[count])) {
        count++;
    }
    return air_tls_certificate_set(tls, air_span_text(id), key_type, spans, count,
        air_buffer_span(&pair->chain), air_buffer_span(&pair->key), NULL);
}

/* The key types a name gets, as "ecdsa-p256 rsa-2048"; "" for none. */
static void assert_found(struct world *world, const char *name, const char *key_types) {
    struct air_hello_name host;
    struct air_choice choice = {0};
    char found[64] = "";
    air_hello_name_set(air_span_text(name), &host);
    bool is_found = air_table_choose(&world->tls->table, world, &host, &choice);
    assert_int_equal(is_found, air_table_knows(&world->tls->table, world, &host));
    int size = 0;
    for (size_t i = 0; i < AIR_FAMILIES_COUNT; i++) {
        if (choice.bundles[i] != NULL) {
            size += snprintf(found + size, sizeof(found) - (size_t)size, "%s%s",
                size > 0 ? " " : "", air_key_type_text(choice.bundles[i]->key_type));
        }
    }
    if (is_found) {
        air_choice_release(&choice);
    }
    assert_string_equal(found, key_types);
}

static void an_id_has_one_certificate_of_each_family(void **state) {
    struct world *world = *state;
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    assert_found(world, "a.example.net", "ecdsa-p256");
    assert_ok(set(world->tls, "a", AIR_KEY_RSA_2048, "a.example.net", &world->rsa));
    assert_found(world, "a.example.net", "ecdsa-p256 rsa-2048");
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P384, "a.example.net", &world->p384));
    assert_found(world, "a.example.net", "ecdsa-p384 rsa-2048");
}

static void names_are_those_of_the_latest_call(void **state) {
    struct world *world = *state;
    assert_ok(
        set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net b.example.net", &world->first));
    assert_ok(set(world->tls, "a", AIR_KEY_RSA_2048, "b.example.net c.example.net B.example.net",
        &world->rsa));
    assert_found(world, "a.example.net", "");
    assert_found(world, "b.example.net", "ecdsa-p256 rsa-2048");
    assert_found(world, "c.example.net", "ecdsa-p256 rsa-2048");
    assert_ok(set(world->tls, "other", AIR_KEY_ECDSA_P256, "a.example.net", &world->second));
    assert_found(world, "a.example.net", "ecdsa-p256");
}

static void an_id_without_names_is_for_the_default(void **state) {
    struct world *world = *state;
    assert_ok(air_tls_default_set(world->tls, SPAN("a")));
    assert_found(world, "a.example.net", "");
    assert_ok(set(world->tls, "a", AIR_KEY_RSA_2048, "", &world->rsa));
    assert_found(world, "a.example.net", "rsa-2048");
    assert_found(world, "", "rsa-2048");
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_RSA_2048));
    assert_found(world, "", "");
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "", &world->first)); /* it comes back */
    assert_found(world, "", "ecdsa-p256");
}

static void a_name_belongs_to_one_id(void **state) {
    struct world *world = *state;
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    assert_int_equal(
        set(world->tls, "b", AIR_KEY_RSA_2048, "b.example.net A.example.net", &world->rsa),
        AIR_ERR_EXISTS);
    assert_found(world, "a.example.net", "ecdsa-p256");
    assert_found(world, "b.example.net", "");
    assert_int_equal(
        air_tls_certificate_remove(world->tls, SPAN("b"), AIR_KEY_NONE), AIR_ERR_NOT_FOUND);
    assert_ok(set(world->tls, "c", AIR_KEY_RSA_2048, "c.example.net", &world->rsa));
    assert_int_equal(
        set(world->tls, "c", AIR_KEY_RSA_2048, "d.example.net a.example.net", &world->rsa),
        AIR_ERR_EXISTS);
    assert_found(world, "c.example.net", "rsa-2048"); /* it kept its old names */
    assert_found(world, "d.example.net", "");
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
    assert_ok(set(world->tls, "b", AIR_KEY_RSA_2048, "a.example.net", &world->rsa));
    assert_found(world, "a.example.net", "rsa-2048");
}

static void removes_only_what_is_there(void **state) {
    struct world *world = *state;
    struct air_tls *tls = world->tls;
    assert_int_equal(air_tls_certificate_remove(tls, SPAN("a"), AIR_KEY_NONE), AIR_ERR_NOT_FOUND);
    assert_int_equal(air_tls_certificate_remove(tls, SPAN(""), AIR_KEY_NONE), AIR_ERR_NOT_FOUND);
    assert_ok(set(tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    assert_int_equal(
        air_tls_certificate_remove(tls, SPAN("a"), AIR_KEY_RSA_2048), AIR_ERR_NOT_FOUND);
    assert_int_equal(
        air_tls_certificate_remove(tls, SPAN("a"), AIR_KEY_ECDSA_P384), AIR_ERR_NOT_FOUND);
    assert_found(world, "a.example.net", "ecdsa-p256");
    assert_ok(set(tls, "a", AIR_KEY_RSA_2048, "a.example.net", &world->rsa));
    assert_ok(air_tls_certificate_remove(tls, SPAN("a"), AIR_KEY_ECDSA_P256));
    assert_found(world, "a.example.net", "rsa-2048");
    assert_ok(air_tls_certificate_remove(tls, SPAN("a"), AIR_KEY_RSA_2048));
    assert_found(world, "a.example.net", "");
}

static void assert_refused(struct world *world, enum air_key_type key_type, const char *name,
    air_span chain, air_span key, enum air_error expected) {
    const air_span names[] = {air_span_text(name)};
    struct air_buffer reason;
    air_buffer_init(&reason, 256);
    assert_int_equal(
        air_tls_certificate_set(world->tls, SPAN("a"), key_type, names, 1, chain, key, &reason),
        expected);
    assert_true(reason.size > 0);
    air_buffer_deinit(&reason);
    assert_found(world, "a.example.net", "ecdsa-p256");
    assert_found(world, "b.example.net", "");
}

static void a_refused_certificate_leaves_the_table_as_it_was(void **state) {
    struct world *world = *state;
    air_span chain = air_buffer_span(&world->second.chain);
    air_span key = air_buffer_span(&world->second.key);
    air_span other_key = air_buffer_span(&world->first.key);
    const enum air_key_type p256 = AIR_KEY_ECDSA_P256;
    assert_ok(set(world->tls, "a", p256, "a.example.net", &world->first));
    assert_refused(world, p256, "b.example.net", chain, other_key, AIR_ERR_BAD_CERTIFICATE);
    assert_refused(world, AIR_KEY_ECDSA_P384, "b.example.net", chain, key, AIR_ERR_BAD_CERTIFICATE);
    assert_refused(world, AIR_KEY_RSA_2048, "b.example.net", chain, key, AIR_ERR_BAD_CERTIFICATE);
    assert_refused(world, p256, "b.example.net", SPAN(""), key, AIR_ERR_MALFORMED);
    assert_refused(world, p256, "b.example.net", key, key, AIR_ERR_MALFORMED);
    assert_refused(world, p256, "b.example.net", chain, SPAN(""), AIR_ERR_MALFORMED);
    assert_refused(world, p256, "b.example.net", chain, chain, AIR_ERR_MALFORMED);
    assert_refused(world, p256, "b..example.net", chain, key, AIR_ERR_BAD_NAME);
    assert_refused(world, p256, "", chain, key, AIR_ERR_BAD_NAME);
    assert_refused(world, p256, "b.*.example.net", chain, key, AIR_ERR_BAD_NAME);
}

static void refuses_what_passes_a_limit(void **state) {
    struct world *world = *state;
    static uint8_t large[200000];
    static air_span names[2000];
    air_span chain = air_buffer_span(&world->first.chain);
    air_span key = air_buffer_span(&world->first.key);
    struct air_buffer many;
    for (size_t i = 0; i < 2000; i++) {
        names[i] = SPAN("a.example.net");
    }
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->second));
    assert_refused(world, AIR_KEY_ECDSA_P256, "b.example.net", air_span_of(large, sizeof(large)),
        key, AIR_ERR_LIMIT);
    assert_refused(world, AIR_KEY_ECDSA_P256, "b.example.net", chain,
        air_span_of(large, sizeof(large)), AIR_ERR_LIMIT);
    assert_int_equal(air_tls_certificate_set(
                         world->tls, SPAN("a"), AIR_KEY_ECDSA_P256, names, 2000, chain, key, NULL),
        AIR_ERR_LIMIT);
    air_buffer_init(&many, 100000);
    for (size_t i = 0; i < 5; i++) {
        assert_ok(air_buffer_append_span(&many, chain)); /* ten certificates */
    }
    assert_refused(
        world, AIR_KEY_ECDSA_P256, "b.example.net", air_buffer_span(&many), key, AIR_ERR_LIMIT);
    air_buffer_deinit(&many);
}

/* The pair's key in another form of PEM; a password makes it encrypted. */
static void rewrite_key(
    const struct air_test_pair *pair, const char *password, struct air_buffer *out) {
    BIO *source = BIO_new_mem_buf(pair->key.data, (int)pair->key.size);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
    BIO *target = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (password != NULL) {
        assert_int_equal(PEM_write_bio_PKCS8PrivateKey(target, key, EVP_aes_128_cbc(), password,
                             (int)air_span_text(password).size, NULL, NULL),
            1);
    } else {
        assert_int_equal(
            PEM_write_bio_PrivateKey_traditional(target, key, NULL, NULL, 0, NULL, NULL), 1);
    }
    long size = BIO_get_mem_data(target, &data);
    air_buffer_init(out, 16384);
    assert_ok(air_buffer_append(out, data, (size_t)size));
    BIO_free(target);
    BIO_free(source);
    EVP_PKEY_free(key);
}

static void takes_keys_in_the_older_forms(void **state) {
    struct world *world = *state;
    const struct air_test_pair *const pairs[] = {&world->first, &world->rsa};
    const enum air_key_type types[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    for (size_t i = 0; i < 2; i++) {
        struct air_buffer key;
        rewrite_key(pairs[i], NULL, &key); /* SEC 1, PKCS#1 */
        assert_ok(air_tls_certificate_set(world->tls, SPAN("a"), types[i], NULL, 0,
            air_buffer_span(&pairs[i]->chain), air_buffer_span(&key), NULL));
        air_buffer_deinit(&key);
    }
}

/* Left to itself OpenSSL would ask the terminal, and the host would hang. */
static void refuses_an_encrypted_key_without_asking(void **state) {
    struct world *world = *state;
    struct air_buffer key;
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    rewrite_key(&world->second, "secret", &key);
    assert_refused(world, AIR_KEY_ECDSA_P256, "b.example.net",
        air_buffer_span(&world->second.chain), air_buffer_span(&key), AIR_ERR_MALFORMED);
    air_buffer_deinit(&key);
}

static void refuses_wrong_arguments(void **state) {
    struct world *world = *state;
    assert_int_equal(
        set(world->tls, "", AIR_KEY_ECDSA_P256, "a.example.net", &world->first), AIR_ERR_ARGUMENT);
    assert_int_equal(
        set(world->tls, "a", AIR_KEY_NONE, "a.example.net", &world->first), AIR_ERR_ARGUMENT);
    assert_found(world, "a.example.net", "");
}

static void bundles_share_their_issuers(void **state) {
    struct world *world = *state;
    struct air_choice first = {0};
    struct air_choice second = {0};
    struct air_hello_name name;
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    assert_ok(set(world->tls, "b", AIR_KEY_ECDSA_P256, "b.example.net", &world->second));
    air_hello_name_set(SPAN("a.example.net"), &name);
    assert_true(air_table_choose(&world->tls->table, world, &name, &first));
    air_hello_name_set(SPAN("b.example.net"), &name);
    assert_true(air_table_choose(&world->tls->table, world, &name, &second));
    assert_ptr_equal(sk_X509_value(first.bundles[AIR_FAMILY_EC]->chain, 0),
        sk_X509_value(second.bundles[AIR_FAMILY_EC]->chain, 0));
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("a"), AIR_KEY_NONE));
    assert_ok(air_tls_certificate_remove(world->tls, SPAN("b"), AIR_KEY_NONE));
    assert_null(world->tls->table.issuers.at[0].certificate);
    /* A choice outlives what it was chosen from. */
    assert_int_equal(sk_X509_num(first.bundles[AIR_FAMILY_EC]->chain), 1);
    air_choice_release(&first);
    air_choice_release(&second);
}

/* Chains beyond the places for issuers keep copies of their own. */
static void more_issuers_than_places_are_served_all_the_same(void **state) {
    struct world *world = *state;
    char id[16];
    char name[32];
    for (int i = 0; i < AIR_ISSUERS_COUNT_MAX + 2; i++) {
        struct air_test_pki *pki = air_test_pki_new();
        struct air_test_pair pair;
        (void)snprintf(name, sizeof(name), "n%d.example.net", i);
        air_test_pair_init(&pair, pki, AIR_KEY_ECDSA_P256, name);
        assert_ok(set(world->tls, name, AIR_KEY_ECDSA_P256, name, &pair));
        air_test_pair_deinit(&pair);
        air_test_pki_free(pki);
    }
    for (int i = 0; i < AIR_ISSUERS_COUNT_MAX + 2; i += 2) {
        (void)snprintf(id, sizeof(id), "n%d.example.net", i);
        assert_ok(air_tls_certificate_remove(world->tls, air_span_text(id), AIR_KEY_NONE));
    }
    assert_found(world, "n1.example.net", "ecdsa-p256");
    assert_found(world, "n65.example.net", "ecdsa-p256");
    assert_found(world, "n64.example.net", "");
}

static enum air_error fill(void *context) {
    struct world *world = context;
    struct air_tls *tls = NULL;
    char id[16];
    char names[64];
    enum air_error error = air_tls_new(&tls);
    for (int i = 0; i < 12 && error == AIR_OK; i++) {
        (void)snprintf(id, sizeof(id), "%d", i % 10);
        (void)snprintf(names, sizeof(names), "a%d.example.net b%d.example.net", i, i % 10);
        error =
            set(tls, id, AIR_KEY_ECDSA_P256, names, i % 2 == 0 ? &world->first : &world->second);
        if (error == AIR_OK) {
            error = air_tls_default_set(tls, air_span_text(id));
        }
    }
    air_tls_free(tls);
    return error;
}

static void failed_allocations_leave_nothing(void **state) {
    air_test_each_allocation(fill, *state);
}

/* A change that fails half-way, at each of its allocations, shows none of its parts. */
static void a_failed_change_shows_nothing(void **state) {
    struct world *world = *state;
    assert_ok(set(world->tls, "a", AIR_KEY_ECDSA_P256, "a.example.net", &world->first));
    for (uint64_t n = 1;; n++) {
        air_memory_fail_at(n);
        enum air_error error = set(world->tls, "a", AIR_KEY_RSA_2048,
            "b.example.net c.example.net d.example.net", &world->rsa);
        air_memory_fail_at(0);
        if (error == AIR_OK) {
            assert_true(n > 3);
            break;
        }
        assert_int_equal(error, AIR_ERR_NO_MEMORY);
        assert_found(world, "a.example.net", "ecdsa-p256");
        assert_found(world, "b.example.net", "");
    }
    assert_found(world, "b.example.net", "ecdsa-p256 rsa-2048");
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_id_has_one_certificate_of_each_family),
        TEST(names_are_those_of_the_latest_call),
        TEST(an_id_without_names_is_for_the_default),
        TEST(a_name_belongs_to_one_id),
        TEST(removes_only_what_is_there),
        TEST(a_refused_certificate_leaves_the_table_as_it_was),
        TEST(refuses_what_passes_a_limit),
        TEST(takes_keys_in_the_older_forms),
        TEST(refuses_an_encrypted_key_without_asking),
        TEST(refuses_wrong_arguments),
        TEST(bundles_share_their_issuers),
        TEST(more_issuers_than_places_are_served_all_the_same),
        TEST(failed_allocations_leave_nothing),
        TEST(a_failed_change_shows_nothing),
    };
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
