/* SPDX-License-Identifier: MIT */
/*
 * TLS over bytes that Lua carries: as a server for a CA's tls-alpn-01 validation, and as a client
 * that looks at what HAProxy itself serves. Both are objects with one method, feed(bytes), which
 * answers the bytes to send and how it stands.
 *
 * Invariant: an object's connection belongs to its userdata; an SSL_CTX it was made of is held by
 * the connection.
 */

#include "hosts/haproxy/core_tls.h"

#include <lauxlib.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>

#include "hosts/haproxy/core_lua.h"
#include "hosts/haproxy/gate.h"
#include "hosts/haproxy/lua_scratch.h"
#include "hosts/slices/slices.h"
#include "src/base/span.h"

#define TALK "thinair_core.talk"

/* No handshake of ours is longer. */
#define FED_SIZE_MAX 131072

struct talk {
    SSL *ssl;
    X509 *expected; /* what the other side must show; NULL: we are the server */
    size_t fed_size;
    struct air_gate *gate; /* the server's, which it has a place in; NULL: the client's */
    uint64_t ticket;
};

static int talk_feed(lua_State *lua);
static int talk_free(lua_State *lua);
static bool is_late(const struct talk *talk);
static struct talk *push_talk(lua_State *lua);
static SSL_CTX *client_context(enum air_key_type key_type);
static bool connect_memory(struct talk *talk);
static const char *find_fault(const struct talk *talk);

void air_core_open_tls(lua_State *lua) {
    static const luaL_Reg methods[] = {{"feed", talk_feed}, {"close", talk_free}, {NULL, NULL}};
    luaL_newmetatable(lua, TALK);
    lua_pushcfunction(lua, talk_free);
    lua_setfield(lua, -2, "__gc");
    lua_newtable(lua);
    luaL_setfuncs(lua, methods, 0);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
}

int air_core_responder(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    const air_span source = air_core_span(lua, 2);
    struct talk *talk = push_talk(lua);
    talk->gate = air_haproxy_gate(haproxy);
    talk->ticket = air_gate_enter(
        talk->gate, source, air_haproxy_validations_count(haproxy), air_slices_now().boot_ms);
    if (talk->ticket == 0) {
        return air_lua_fail(lua, "too many handshakes at once");
    }
    talk->ssl = SSL_new(air_haproxy_challenge_context(haproxy));
    if (talk->ssl == NULL || !connect_memory(talk)) {
        return air_lua_fail(lua, "no memory for a connection");
    }
    SSL_set_accept_state(talk->ssl);
    return 1;
}

int air_core_visitor(lua_State *lua) {
    const char *name = luaL_checkstring(lua, 2);
    const enum air_key_type key_type = air_key_type_parse(air_core_span(lua, 3));
    const air_span chain = air_core_span(lua, 4);
    luaL_argcheck(lua, key_type != AIR_KEY_NONE, 3, "a key type");
    struct talk *talk = push_talk(lua);
    SSL_CTX *context = client_context(key_type);
    BIO *pem = BIO_new_mem_buf(chain.data, (int)chain.size);
    talk->ssl = context != NULL ? SSL_new(context) : NULL;
    talk->expected = pem != NULL ? PEM_read_bio_X509(pem, NULL, NULL, NULL) : NULL;
    BIO_free(pem);
    SSL_CTX_free(context);
    ERR_clear_error();
    if (talk->expected == NULL) {
        return air_lua_fail(lua, "not a certificate");
    }
    if (talk->ssl == NULL || !connect_memory(talk) ||
        SSL_set_tlsext_host_name(talk->ssl, name) != 1) {
        return air_lua_fail(lua, "no memory for a connection");
    }
    SSL_set_connect_state(talk->ssl);
    return 1;
}

/*
 * talk:feed(bytes): bytes to send, which may be none, and "want" (more bytes), "done", or "failed"
 * and a sentence.
 */
static int talk_feed(lua_State *lua) {
    struct talk *talk = luaL_checkudata(lua, 1, TALK);
    luaL_argcheck(lua, talk->ssl != NULL, 1, "closed");
    const air_span bytes = air_core_span(lua, 2);
    char *data = NULL;
    if (is_late(talk)) {
        lua_pushliteral(lua, "");
        lua_pushliteral(lua, "failed");
        lua_pushliteral(lua, "it takes too long");
        return 3;
    }
    ERR_clear_error();
    talk->fed_size += bytes.size;
    bool is_taken = talk->fed_size <= FED_SIZE_MAX &&
                    (bytes.size == 0 || BIO_write(SSL_get_rbio(talk->ssl), bytes.data,
                                            (int)bytes.size) == (int)bytes.size);
    const int status = is_taken ? SSL_do_handshake(talk->ssl) : -1;
    const int cause = SSL_get_error(talk->ssl, status);
    const bool is_open = is_taken && cause == SSL_ERROR_WANT_READ;
    const char *fault = NULL;
    if (status == 1) {
        fault = find_fault(talk);
    } else if (!is_open) {
        fault = ERR_reason_error_string(ERR_peek_error());
        fault = fault != NULL ? fault : "the handshake did not end";
    }
    if (!is_open && talk->gate != NULL) {
        air_gate_leave(talk->gate, talk->ticket); /* whatever becomes of the connection */
    }
    const long size = BIO_get_mem_data(SSL_get_wbio(talk->ssl), &data);
    lua_pushlstring(lua, size > 0 ? data : "", size > 0 ? (size_t)size : 0);
    (void)BIO_reset(SSL_get_wbio(talk->ssl));
    ERR_clear_error();
    lua_pushstring(lua, fault != NULL ? "failed" : is_open ? "want" : "done");
    if (fault != NULL) {
        lua_pushstring(lua, fault);
        return 3;
    }
    return 2;
}

static int talk_free(lua_State *lua) {
    struct talk *talk = luaL_checkudata(lua, 1, TALK);
    SSL_free(talk->ssl);
    X509_free(talk->expected);
    if (talk->gate != NULL) {
        air_gate_leave(talk->gate, talk->ticket);
    }
    *talk = (struct talk){0};
    return 0;
}

static bool is_late(const struct talk *talk) {
    return talk->gate != NULL &&
           !air_gate_holds(talk->gate, talk->ticket, air_slices_now().boot_ms);
}

static struct talk *push_talk(lua_State *lua) {
    struct talk *talk = lua_newuserdata(lua, sizeof(*talk));
    *talk = (struct talk){0};
    luaL_setmetatable(lua, TALK);
    return talk;
}

/* A client that can verify this type of key only. It trusts nobody: it compares. */
static SSL_CTX *client_context(enum air_key_type key_type) {
    const bool is_ec = key_type == AIR_KEY_ECDSA_P256 || key_type == AIR_KEY_ECDSA_P384;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context != NULL &&
        (SSL_CTX_set1_sigalgs_list(context,
             is_ec ? "ECDSA+SHA256:ECDSA+SHA384" : "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256") !=
                1 ||
            SSL_CTX_set_cipher_list(context, is_ec ? "ECDHE+aECDSA" : "ECDHE+aRSA") != 1)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static bool connect_memory(struct talk *talk) {
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (in == NULL || out == NULL) {
        BIO_free(in);
        BIO_free(out);
        return false;
    }
    /* Nothing there means: wait, not: the end. */
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(talk->ssl, in, out);
    return true;
}

static const char *find_fault(const struct talk *talk) {
    if (talk->expected == NULL) {
        return NULL;
    }
    X509 *shown = SSL_get0_peer_certificate(talk->ssl);
    return shown != NULL && X509_cmp(shown, talk->expected) == 0 ? NULL
                                                                 : "another certificate is served";
}
