/* SPDX-License-Identifier: MIT */
/*
 * Proven here: core_tls.c, TLS over bytes that Lua carries. OpenSSL is the other side, over memory:
 * a CA that validates (R-G6: a live name, and acme-tls/1 alone, or an alert), and a server that
 * shows the right chain, another or none. Bytes that are no TLS, or end early, end in a sentence.
 * Each allocation of Lua's fails in turn; the sanitizers see what is left.
 */

#include <lauxlib.h>
#include <lualib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/haproxy/core_lua.h"
#include "hosts/haproxy/core_tls.h"
#include "hosts/haproxy/gate.h"
#include "src/base/memory.h"
#include "tests/support/test.h"
#include "tests/unit/haproxy_host/host_support.h"

#define WALL_MS INT64_C(1795446000000)
#define DAY_MS (24 * 60 * 60 * INT64_C(1000))
#define ACME                                                                                       \
    "\x0a"                                                                                         \
    "acme-tls/1"
#define FLIGHTS_MAX 20

struct world {
    struct air_test_world host;
    lua_State *lua;
    long long allocations_left; /* of Lua's; 0: from now on all fail; below: none does */
};

/* What a talk answered. */
struct said {
    const char *state; /* "want", "done", "failed", or NULL: it raised */
    char fault[256];
};

static struct air_haproxy *haproxy;

/* In core_module.c the handle is Lua's; here it is one for all. */
struct air_haproxy *air_core_of(lua_State *lua) {
    (void)lua;
    return haproxy;
}

air_span air_core_span(lua_State *lua, int index) {
    size_t size = 0;
    const char *text = luaL_checklstring(lua, index, &size);
    return air_span_of(text, size);
}

static void *allocate(void *context, void *old, size_t old_size, size_t size) {
    struct world *world = context;
    if (size == 0) {
        free(old);
        return NULL;
    }
    if (old == NULL || size > old_size) {
        if (world->allocations_left == 0) {
            return NULL;
        }
        world->allocations_left -= world->allocations_left > 0 ? 1 : 0;
    }
    return realloc(old, size);
}

static int set_up(void **state) {
    static const uint8_t digest[AIR_SHA256_SIZE] = {1, 2, 3};
    static struct world world;
    world = (struct world){.allocations_left = -1};
    air_test_world_init(&world.host);
    assert_ok(air_test_world_start(&world.host));
    haproxy = world.host.haproxy;
    assert_ok(air_tls_challenge_publish(
        haproxy->tls, haproxy->crypto, air_span_text("a.test"), digest, WALL_MS));
    world.lua = lua_newstate(allocate, &world);
    assert_non_null(world.lua);
    luaL_openlibs(world.lua);
    air_core_open_tls(world.lua);
    *state = &world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    lua_close(world->lua);
    air_test_world_stop(&world->host);
    air_test_world_deinit(&world->host);
    return 0;
}

/* Call what is on the stack; the answers are left there. False: it raised. */
static bool call(struct world *world, int arguments_count) {
    return lua_pcall(world->lua, arguments_count, LUA_MULTRET, 0) == LUA_OK;
}

/* A responder for somebody at that address, on top of Lua's stack. */
static bool push_responder(struct world *world, const char *source) {
    lua_pushcfunction(world->lua, air_core_responder);
    lua_pushnil(world->lua);
    lua_pushstring(world->lua, source);
    return call(world, 2);
}

/* The only one, on top of Lua's empty stack. */
static bool open_responder(struct world *world) {
    lua_settop(world->lua, 0);
    (void)lua_gc(world->lua, LUA_GCCOLLECT, 0);
    return push_responder(world, "192.0.2.1");
}

static bool open_visitor(
    struct world *world, const char *name, const char *key_type, air_span chain) {
    lua_settop(world->lua, 0);
    lua_pushcfunction(world->lua, air_core_visitor);
    lua_pushnil(world->lua);
    lua_pushstring(world->lua, name);
    lua_pushstring(world->lua, key_type);
    lua_pushlstring(world->lua, chain.size > 0 ? (const char *)chain.data : "", chain.size);
    return call(world, 4);
}

/* Feed the talk on the stack; what it wants to send goes to out, which may be NULL. */
static struct said feed(struct world *world, air_span bytes, BIO *out) {
    static const char *const states[] = {"want", "done", "failed"};
    lua_State *lua = world->lua;
    struct said said = {.state = NULL};
    lua_settop(lua, 1);
    if (luaL_getmetafield(lua, 1, "__index") == LUA_TNIL) {
        return said;
    }
    lua_getfield(lua, -1, "feed");
    lua_replace(lua, 2);
    lua_pushvalue(lua, 1);
    lua_pushlstring(lua, bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
    if (!call(world, 2)) {
        return said;
    }
    const char *state = lua_tostring(lua, 3);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        said.state = strcmp(states[i], state) == 0 ? states[i] : said.state;
    }
    assert_non_null(said.state);
    assert_int_equal(lua_gettop(lua), strcmp(said.state, "failed") == 0 ? 4 : 3);
    if (lua_gettop(lua) == 4) {
        assert_true(strlen(lua_tostring(lua, 4)) < sizeof(said.fault));
        memcpy(said.fault, lua_tostring(lua, 4), strlen(lua_tostring(lua, 4)) + 1);
    }
    size_t size = 0;
    const char *sent = lua_tolstring(lua, 2, &size);
    if (out != NULL && size > 0) {
        assert_int_equal(BIO_write(out, sent, (int)size), (int)size);
    }
    return said;
}

static struct said feed_text(struct world *world, const char *text) {
    return feed(world, air_span_text(text), NULL);
}

static SSL *over_memory(SSL_CTX *context) {
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    assert_true(ssl != NULL && in != NULL && out != NULL);
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    return ssl;
}

/* A CA that validates: name NULL: without one; alpn in wire form, or NULL: without. */
static SSL *new_validator(const char *name, const char *alpn) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    SSL *ssl = over_memory(context);
    SSL_CTX_free(context);
    assert_true(name == NULL || SSL_set_tlsext_host_name(ssl, name) == 1);
    assert_true(alpn == NULL ||
                SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)) == 0);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* Whatever waits in the other side's output. */
static air_span take_output(SSL *ssl) {
    char *data = NULL;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl), &data);
    return air_span_of(data, size > 0 ? (size_t)size : 0);
}

/* Flights to and fro, in pieces of that size, until the talk has ended, or nobody sends more. */
static struct said converse(struct world *world, SSL *peer, size_t piece_size) {
    struct said said = feed_text(world, "");
    size_t turn = 0;
    do {
        if (said.state != NULL) {
            BIO *in = SSL_get_rbio(peer);
            size_t size = 0;
            const char *sent = lua_tolstring(world->lua, 2, &size);
            assert_true(size == 0 || BIO_write(in, sent, (int)size) == (int)size);
        }
        (void)SSL_do_handshake(peer);
        air_span flight = take_output(peer);
        if (flight.size == 0) {
            break;
        }
        while (flight.size > 0 && said.state != NULL && strcmp(said.state, "want") == 0) {
            said = feed(world, air_span_take(flight, piece_size), SSL_get_rbio(peer));
            flight = air_span_skip(flight, piece_size);
            lua_pushliteral(world->lua, ""); /* it was sent */
            lua_replace(world->lua, 2);
        }
        (void)BIO_reset(SSL_get_wbio(peer));
        assert_true(++turn < FLIGHTS_MAX);
    } while (said.state != NULL && strcmp(said.state, "want") == 0);
    (void)SSL_do_handshake(peer);
    return said;
}

static void answers_a_validation_in_any_pieces(void **state) {
    struct world *world = *state;
    static const size_t sizes[] = {65536, 5, 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        SSL *validator = new_validator("a.test", ACME);
        const unsigned char *alpn = NULL;
        unsigned alpn_size = 0;
        assert_true(open_responder(world));
        assert_string_equal(converse(world, validator, sizes[i]).state, "done");
        assert_true(SSL_is_init_finished(validator));
        SSL_get0_alpn_selected(validator, &alpn, &alpn_size);
        assert_int_equal(alpn_size, strlen(ACME) - 1);
        assert_memory_equal(alpn, &ACME[1], alpn_size);
        const X509 *shown = SSL_get0_peer_certificate(validator);
        ASN1_OBJECT *identifier = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
        assert_true(X509_get_ext_by_OBJ(shown, identifier, -1) >= 0);
        ASN1_OBJECT_free(identifier);
        SSL_free(validator);
    }
}

/* The validator gets an alert, and no certificate. */
static void assert_refused(struct world *world, const char *name, const char *alpn) {
    SSL *validator = new_validator(name, alpn);
    assert_true(open_responder(world));
    const struct said said = converse(world, validator, 65536);
    assert_string_equal(said.state, "failed");
    assert_true(strlen(said.fault) > 0);
    assert_false(SSL_is_init_finished(validator));
    assert_null(SSL_get0_peer_certificate(validator));
    assert_int_equal(SSL_get_error(validator, SSL_do_handshake(validator)), SSL_ERROR_SSL);
    /* it stays so */
    assert_string_equal(feed_text(world, "").state, "failed");
    assert_string_equal(feed_text(world, "more").state, "failed");
    SSL_free(validator);
    ERR_clear_error();
}

/* R-G6 */
static void refuses_any_other_list_of_protocols(void **state) {
    static const char *const lists[] = {NULL, "\x02h2", "\x08http/1.1", ACME "\x02h2",
        "\x02h2" ACME, ACME ACME,
        "\x0a"
        "acme-tls/2",
        "\x0a"
        "ACME-TLS/1",
        "\x09"
        "acme-tls/"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_refused(*state, "a.test", lists[i]);
    }
}

static void refuses_names_that_nobody_validates(void **state) {
    static const char *const names[] = {NULL, "b.test", "www.a.test", "test", "a.test.b", "*.test"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_refused(*state, names[i], ACME);
    }
    air_tls_challenge_remove(haproxy->tls, air_span_text("a.test"));
    assert_refused(*state, "a.test", ACME);
}

static void refuses_what_is_no_tls(void **state) {
    static const char *const garbage[] = {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "\x16\x03\x01\xff\xff and so on", "\x17\x03\x03\x01\x01 before any handshake",
        "\x15\x03\x01\x01\x01 no alert", "\xff\xff\xff\xff\xff\xff",
        "\x16\x03\x01\x01\x04\x02\x01\x01\x01\x01 a ServerHello"};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        assert_true(open_responder(world));
        struct said said = feed_text(world, garbage[i]);
        for (size_t k = 0; k < 600 && strcmp(said.state, "want") == 0; k++) {
            said = feed_text(world, garbage[i]); /* until the record it says it is, is there */
        }
        assert_string_equal(said.state, "failed");
        assert_string_equal(feed_text(world, garbage[i]).state, "failed");
    }
}

static void waits_for_the_rest_of_a_handshake(void **state) {
    struct world *world = *state;
    SSL *validator = new_validator("a.test", ACME);
    (void)SSL_do_handshake(validator);
    const air_span hello = take_output(validator);
    for (size_t size = 0; size < hello.size; size += 7) {
        assert_true(open_responder(world));
        assert_string_equal(feed(world, air_span_take(hello, size), NULL).state, "want");
        assert_string_equal(feed_text(world, "").state, "want");
    }
    SSL_free(validator);
}

/* Of one network, while a challenge for one name is live. */
#define NEIGHBOURS_MAX (2 * AIR_GATE_NEIGHBOURS_MAX)

/* R-G1; what is collected or closed gives its place back. */
static void refuses_too_many_at_once(void **state) {
    struct world *world = *state;
    lua_State *lua = world->lua;
    for (int i = 1; i <= NEIGHBOURS_MAX; i++) {
        assert_true(push_responder(world, "192.0.2.1"));
        assert_true(lua_isuserdata(lua, i));
    }
    assert_true(push_responder(world, "192.0.2.99"));
    assert_true(lua_isnil(lua, -2));
    assert_string_equal(lua_tostring(lua, -1), "too many handshakes at once");
    lua_settop(lua, NEIGHBOURS_MAX);
    assert_true(luaL_getmetafield(lua, 1, "__index") != LUA_TNIL);
    for (int i = 0; i < 2; i++) { /* twice does no harm */
        lua_getfield(lua, -1, "close");
        lua_pushvalue(lua, 1);
        assert_true(call(world, 1));
    }
    assert_null(feed_text(world, "").state);
    assert_true(push_responder(world, "192.0.2.1"));
    assert_true(lua_isuserdata(lua, -1));
    assert_true(open_responder(world));
    assert_true(lua_isuserdata(lua, -1));
}

static void bounds_what_it_is_fed(void **state) {
    struct world *world = *state;
    static uint8_t many[131073];
    assert_true(open_responder(world));
    struct said said = feed(world, air_span_of(many, sizeof(many)), NULL);
    assert_string_equal(said.state, "failed");
    assert_string_equal(said.fault, "the handshake did not end");
    assert_string_equal(feed_text(world, "").state, "failed");
}

static void refuses_to_feed_what_is_closed(void **state) {
    struct world *world = *state;
    assert_true(open_responder(world));
    for (int i = 0; i < 2; i++) {
        lua_settop(world->lua, 1);
        luaL_getmetafield(world->lua, 1, "__index");
        lua_getfield(world->lua, 2, "close");
        lua_pushvalue(world->lua, 1);
        assert_true(call(world, 1));
    }
    assert_null(feed_text(world, "").state);
}

static void refuses_arguments_of_another_kind(void **state) {
    struct world *world = *state;
    assert_true(open_responder(world));
    luaL_getmetafield(world->lua, 1, "__index");
    lua_getfield(world->lua, -1, "feed");
    lua_pushvalue(world->lua, 1);
    assert_false(call(world, 1)); /* no bytes */
    lua_getfield(world->lua, 2, "feed");
    lua_newtable(world->lua);
    lua_pushliteral(world->lua, "x");
    assert_false(call(world, 2)); /* no talk */
    assert_false(open_visitor(world, "a.test", "ed25519", air_span_text("")));
    assert_false(open_visitor(world, "a.test", "", air_span_text("")));
    assert_false(open_visitor(world, NULL, "ecdsa-p256", air_span_text("")));
}

static void refuses_to_look_for_what_is_no_certificate(void **state) {
    static const char *const chains[] = {"", "hello", "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
        assert_true(open_visitor(world, "a.test", "ecdsa-p256", air_span_text(chains[i])));
        assert_true(lua_isnil(world->lua, 1));
        assert_string_equal(lua_tostring(world->lua, 2), "not a certificate");
    }
}

struct pair {
    struct air_buffer chain;
    struct air_buffer key;
};

static void issue(const struct world *world, enum air_key_type key_type, struct pair *pair) {
    const air_span name = air_span_text("a.test");
    air_buffer_init(&pair->chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&pair->key, AIR_KEY_PEM_SIZE_MAX);
    air_test_pki_issue(world->host.pki, key_type, &name, 1, WALL_MS, WALL_MS + 90 * DAY_MS,
        &pair->chain, &pair->key);
}

static void drop(struct pair *pair) {
    air_buffer_deinit(&pair->chain);
    air_buffer_deinit(&pair->key);
}

/* A server that shows this leaf. version 0: any. */
static SSL *new_server(const struct pair *pair, int version) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    BIO *chain = BIO_new_mem_buf(pair->chain.data, (int)pair->chain.size);
    BIO *key = BIO_new_mem_buf(pair->key.data, (int)pair->key.size);
    X509 *leaf = PEM_read_bio_X509(chain, NULL, NULL, NULL);
    EVP_PKEY *private_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    assert_int_equal(SSL_CTX_use_certificate(context, leaf), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, private_key), 1);
    SSL *ssl = over_memory(context);
    SSL_set_accept_state(ssl);
    SSL_CTX_free(context);
    X509_free(leaf);
    EVP_PKEY_free(private_key);
    BIO_free(chain);
    BIO_free(key);
    return ssl;
}

/* What a visitor says that looks for one leaf where another is served. */
static struct said visit(struct world *world, const struct pair *wanted, const char *key_type,
    const struct pair *served, int version) {
    SSL *server = new_server(served, version);
    assert_true(open_visitor(world, "a.test", key_type, air_buffer_span(&wanted->chain)));
    const struct said said = converse(world, server, 7);
    if (strcmp(said.state, "done") == 0) {
        assert_string_equal(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), "a.test");
    }
    SSL_free(server);
    ERR_clear_error();
    return said;
}

static void finds_the_chain_that_is_served(void **state) {
    static const struct {
        enum air_key_type type;
        const char *text;
    } types[] = {{AIR_KEY_ECDSA_P256, "ecdsa-p256"}, {AIR_KEY_ECDSA_P384, "ecdsa-p384"},
        {AIR_KEY_RSA_2048, "rsa-2048"}};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct pair pair;
        issue(world, types[i].type, &pair);
        assert_string_equal(visit(world, &pair, types[i].text, &pair, 0).state, "done");
        assert_string_equal(
            visit(world, &pair, types[i].text, &pair, TLS1_2_VERSION).state, "done");
        drop(&pair);
    }
}

static void refuses_another_leaf_of_the_same_name(void **state) {
    struct world *world = *state;
    struct pair wanted;
    struct pair served;
    issue(world, AIR_KEY_ECDSA_P256, &wanted);
    issue(world, AIR_KEY_ECDSA_P256, &served);
    struct said said = visit(world, &wanted, "ecdsa-p256", &served, 0);
    assert_string_equal(said.state, "failed");
    assert_string_equal(said.fault, "another certificate is served");
    assert_string_equal(
        visit(world, &wanted, "ecdsa-p256", &served, TLS1_2_VERSION).state, "failed");
    drop(&wanted);
    drop(&served);
}

static void refuses_a_server_without_that_type_of_key(void **state) {
    struct world *world = *state;
    struct pair ecdsa;
    struct pair rsa;
    issue(world, AIR_KEY_ECDSA_P256, &ecdsa);
    issue(world, AIR_KEY_RSA_2048, &rsa);
    static const int versions[] = {0, TLS1_2_VERSION};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        assert_string_not_equal(
            visit(world, &ecdsa, "ecdsa-p256", &rsa, versions[i]).state, "done");
        assert_string_not_equal(visit(world, &rsa, "rsa-2048", &ecdsa, versions[i]).state, "done");
    }
    drop(&ecdsa);
    drop(&rsa);
}

static void refuses_a_server_that_speaks_no_tls(void **state) {
    struct world *world = *state;
    struct pair pair;
    issue(world, AIR_KEY_ECDSA_P256, &pair);
    assert_true(open_visitor(world, "a.test", "ecdsa-p256", air_buffer_span(&pair.chain)));
    assert_string_equal(feed_text(world, "").state, "want");
    assert_string_equal(feed_text(world, "HTTP/1.1 400 Bad Request\r\n\r\n").state, "failed");
    drop(&pair);
}

/* A visitor's life, inside of Lua: name, key type and chain are on the stack; gives its state. */
static int live(lua_State *lua) {
    lua_pushcfunction(lua, air_core_visitor);
    lua_pushnil(lua);
    for (int i = 1; i <= 3; i++) {
        lua_pushvalue(lua, i);
    }
    lua_call(lua, 4, 1);
    luaL_getmetafield(lua, 4, "__index");
    lua_getfield(lua, -1, "feed");
    lua_pushvalue(lua, 4);
    lua_pushliteral(lua, "");
    lua_call(lua, 2, 2);
    return 1;
}

static void survives_every_failed_allocation(void **state) {
    struct world *world = *state;
    lua_State *lua = world->lua;
    int status = LUA_ERRMEM;
    long long count = 0;
    struct pair pair;
    issue(world, AIR_KEY_ECDSA_P256, &pair);
    for (; status != LUA_OK; count++) {
        assert_true(count < 1000);
        lua_settop(lua, 0);
        (void)lua_gc(lua, LUA_GCCOLLECT, 0);
        lua_pushcfunction(lua, live);
        lua_pushliteral(lua, "a.test");
        lua_pushliteral(lua, "ecdsa-p256");
        lua_pushlstring(lua, (const char *)pair.chain.data, pair.chain.size);
        world->allocations_left = count;
        status = lua_pcall(lua, 3, 1, 0);
        world->allocations_left = -1;
        assert_true(status == LUA_OK || status == LUA_ERRMEM);
    }
    assert_true(count > 1);
    assert_string_equal(lua_tostring(lua, 1), "want");
    drop(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_a_validation_in_any_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_any_other_list_of_protocols, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_names_that_nobody_validates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_for_the_rest_of_a_handshake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_too_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_what_it_is_fed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_to_feed_what_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_arguments_of_another_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_to_look_for_what_is_no_certificate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(finds_the_chain_that_is_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_another_leaf_of_the_same_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            refuses_a_server_without_that_type_of_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_server_that_speaks_no_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(survives_every_failed_allocation, set_up, tear_down),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() != 0 ? 1 : failed;
}
