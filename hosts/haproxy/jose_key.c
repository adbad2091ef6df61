/* SPDX-License-Identifier: MIT */
/*
 * The userdata that Lua holds for a key: made, asked, closed, collected. What is written about keys
 * elsewhere is PEM's and JWK's business; here they only come in and go out.
 *
 * Invariant: a handle belongs to a userdata that has its metatable, or to nobody. The port is the
 * first thing with a finalizer that this module makes, so Lua finalizes it after every key.
 */

#include "hosts/haproxy/jose_key.h"

#include <lauxlib.h>
#include <string.h>

#include "hosts/haproxy/jose_pem.h"
#include "hosts/haproxy/lua_scratch.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "thinair/jose.h"
#include "thinair/openssl.h"

#define KEY "thinair_jose.key"
#define PUBLIC_PEM "-----BEGIN PUBLIC KEY-----"

struct port {
    struct air_crypto *crypto;
};

/* Its address is the port's name in the registry. */
static const char port_name;

static int collect_port(lua_State *lua);
static struct air_jose_key *push_key(lua_State *lua);
static const char *text_at(
    lua_State *lua, int index, struct air_lua_scratch *scratch, air_span *out);
static const char *import(struct air_jose_key *key, air_span text);
static const char *import_pem(struct air_jose_key *key, air_span pem);
static const char *read_public(
    const struct air_crypto *crypto, air_span text, struct air_public_key *out);
static const char *explain(enum air_error error);
static int key_type(lua_State *lua);
static int key_algorithm(lua_State *lua);
static int key_is_private(lua_State *lua);
static int key_jwk(lua_State *lua);
static int key_pem(lua_State *lua);
static int key_thumbprint(lua_State *lua);
static int key_close(lua_State *lua);
static int key_text(lua_State *lua);
static json_t *write_key(lua_State *lua, void *context);
static int push_text(lua_State *lua, struct air_lua_scratch *scratch, enum air_error error);

const struct air_lua_json_writer air_jose_key_writer = {write_key, NULL};

void air_jose_open(lua_State *lua) {
    static const luaL_Reg methods[] = {{"type", key_type}, {"algorithm", key_algorithm},
        {"is_private", key_is_private}, {"jwk", key_jwk}, {"pem", key_pem},
        {"thumbprint", key_thumbprint}, {"close", key_close}, {NULL, NULL}};
    static const luaL_Reg events[] = {
        {"__gc", key_close}, {"__close", key_close}, {"__tostring", key_text}, {NULL, NULL}};
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &port_name) == LUA_TNIL) {
        struct port *port = lua_newuserdata(lua, sizeof(*port));
        port->crypto = NULL;
        lua_newtable(lua);
        lua_pushcfunction(lua, collect_port);
        lua_setfield(lua, -2, "__gc");
        lua_setmetatable(lua, -2);
        lua_rawsetp(lua, LUA_REGISTRYINDEX, &port_name);
        enum air_error error = air_crypto_openssl_new(&port->crypto);
        if (error != AIR_OK) {
            /* The next require tries again. */
            lua_pushnil(lua);
            lua_rawsetp(lua, LUA_REGISTRYINDEX, &port_name);
            luaL_error(lua, "%s", air_error_text(error));
        }
    }
    lua_pop(lua, 1);
    if (luaL_newmetatable(lua, KEY) != 0) {
        luaL_setfuncs(lua, events, 0);
        luaL_newlib(lua, methods);
        lua_setfield(lua, -2, "__index");
        lua_pushboolean(lua, 0);
        lua_setfield(lua, -2, "__metatable");
    }
    lua_pop(lua, 1);
}

const struct air_crypto *air_jose_crypto(lua_State *lua) {
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &port_name);
    const struct port *port = lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    if (port == NULL || port->crypto == NULL) {
        luaL_error(lua, "this Lua state is being closed");
        return NULL;
    }
    return port->crypto;
}

struct air_jose_key *air_jose_key_at(lua_State *lua, int index) {
    struct air_jose_key *key = luaL_checkudata(lua, index, KEY);
    luaL_argcheck(lua, key->public_key.type != AIR_KEY_NONE, index, "the key is closed");
    return key;
}

const char *air_jose_key_read_public(lua_State *lua, int index, struct air_public_key *out) {
    const struct air_crypto *crypto = air_jose_crypto(lua);
    if (lua_type(lua, index) == LUA_TUSERDATA) {
        *out = air_jose_key_at(lua, index)->public_key;
        return NULL;
    }
    air_span text;
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = text_at(lua, index, scratch, &text);
    if (problem == NULL) {
        problem = read_public(crypto, text, out);
    }
    air_lua_scratch_release(scratch);
    lua_pop(lua, 1);
    return problem;
}

/* import(text): a key, private or public, from PEM or from a JWK; a JWK may be a table. */
int air_jose_key_import(lua_State *lua) {
    air_span text;
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    struct air_jose_key *key = push_key(lua);
    const char *problem = text_at(lua, 1, scratch, &text);
    if (problem == NULL) {
        problem = import(key, text);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 1 : air_lua_fail(lua, problem);
}

/* generate([type]): a new key, "ecdsa-p256" when nothing else is said. */
int air_jose_key_generate(lua_State *lua) {
    size_t size = 0;
    const char *text = luaL_optlstring(lua, 1, "ecdsa-p256", &size);
    enum air_key_type type = air_key_type_parse(air_span_of(text, size));
    if (type == AIR_KEY_NONE) {
        return air_lua_fail(lua, "no such type of key: ecdsa-p256 and ecdsa-p384 can be made");
    }
    struct air_jose_key *key = push_key(lua);
    enum air_error error = key->crypto->key_generate(key->crypto->self, type, &key->handle);
    if (error == AIR_OK) {
        error = key->crypto->key_public(key->crypto->self, key->handle, &key->public_key);
    }
    if (error == AIR_ERR_LATER) {
        return air_lua_fail(lua, "making an RSA key takes up to seconds, in which the proxy would "
                                 "stand still: make it elsewhere and import it");
    }
    return error == AIR_OK ? 1 : air_lua_fail(lua, air_error_text(error));
}

static int collect_port(lua_State *lua) {
    struct port *port = lua_touserdata(lua, 1);
    air_crypto_openssl_free(port->crypto);
    port->crypto = NULL;
    return 0;
}

/* Push a key that is closed. */
static struct air_jose_key *push_key(lua_State *lua) {
    const struct air_crypto *crypto = air_jose_crypto(lua);
    struct air_jose_key *key = lua_newuserdata(lua, sizeof(*key));
    memset(key, 0, sizeof(*key));
    key->crypto = crypto;
    luaL_setmetatable(lua, KEY);
    return key;
}

/* The text at index, or the JSON of the table at index, which the scratch then owns. */
static const char *text_at(
    lua_State *lua, int index, struct air_lua_scratch *scratch, air_span *out) {
    if (lua_type(lua, index) != LUA_TTABLE) {
        size_t size = 0;
        luaL_checktype(lua, index, LUA_TSTRING);
        const char *text = lua_tolstring(lua, index, &size);
        *out = air_span_trim(air_span_of(text, size));
        return NULL;
    }
    const char *problem = air_lua_json_build(lua, index, NULL, &scratch->json);
    if (problem == NULL) {
        enum air_error error = air_lua_json_dump(scratch->json, &scratch->text);
        problem = error == AIR_OK ? NULL : air_error_text(error);
    }
    *out = air_buffer_span(&scratch->text);
    return problem;
}

/* Fill a key that was pushed. Calls nothing of Lua's. */
static const char *import(struct air_jose_key *key, air_span text) {
    struct air_buffer pem;
    if (air_span_starts_with(text, PUBLIC_PEM)) {
        return read_public(key->crypto, text, &key->public_key);
    }
    if (!air_span_starts_with(text, "{")) {
        return import_pem(key, text);
    }
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error = air_jwk_private_read(text, &pem);
    const char *problem = NULL;
    if (error == AIR_OK) {
        problem = import_pem(key, air_buffer_span(&pem));
    } else if (error == AIR_ERR_NOT_FOUND) {
        problem = read_public(key->crypto, text, &key->public_key);
    } else {
        problem = explain(error);
    }
    air_buffer_deinit(&pem);
    return problem;
}

static const char *import_pem(struct air_jose_key *key, air_span pem) {
    const struct air_crypto *crypto = key->crypto;
    enum air_error error = crypto->key_import(crypto->self, pem, &key->handle);
    if (error == AIR_OK) {
        error = crypto->key_public(crypto->self, key->handle, &key->public_key);
    }
    return error == AIR_OK ? NULL : explain(error);
}

static const char *read_public(
    const struct air_crypto *crypto, air_span text, struct air_public_key *out) {
    struct air_public_key key = {0};
    enum air_error error =
        air_span_starts_with(text, "{") ? air_jwk_read(text, &key) : air_jose_pem_read(text, &key);
    if (error == AIR_OK) {
        /* No signature is this short: what the port refuses otherwise is the key itself. */
        enum air_algorithm algorithm = air_algorithm_for_key(key.type);
        error = crypto->verify(crypto->self, &key, algorithm, air_span_text(""), air_span_text(""));
        error = error == AIR_ERR_REFUSED ? AIR_OK : error;
    }
    if (error == AIR_OK) {
        *out = key;
    }
    return error == AIR_OK ? NULL : explain(error);
}

static const char *explain(enum air_error error) {
    if (error == AIR_ERR_MALFORMED) {
        return "not a key: neither PEM with exactly one, nor a JWK";
    }
    if (error == AIR_ERR_UNSUPPORTED) {
        return "not a kind of key that is supported: EC on P-256 and P-384, RSA of 2048, 3072 and "
               "4096 bits";
    }
    if (error == AIR_ERR_BAD_KEY) {
        return "not a usable key: encrypted, damaged, or of a kind that is not supported";
    }
    return air_error_text(error);
}

static int key_type(lua_State *lua) {
    lua_pushstring(lua, air_key_type_text(air_jose_key_at(lua, 1)->public_key.type));
    return 1;
}

static int key_algorithm(lua_State *lua) {
    enum air_key_type type = air_jose_key_at(lua, 1)->public_key.type;
    lua_pushstring(lua, air_algorithm_text(air_algorithm_for_key(type)));
    return 1;
}

static int key_is_private(lua_State *lua) {
    lua_pushboolean(lua, air_jose_key_at(lua, 1)->handle != 0);
    return 1;
}

static int key_jwk(lua_State *lua) {
    const struct air_jose_key *key = air_jose_key_at(lua, 1);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    return push_text(lua, scratch, air_jwk_write(&key->public_key, &scratch->out));
}

static int key_pem(lua_State *lua) {
    const struct air_jose_key *key = air_jose_key_at(lua, 1);
    if (key->handle == 0) {
        return air_lua_fail(lua, "the key has no private half");
    }
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_KEY_PEM_SIZE_MAX);
    return push_text(
        lua, scratch, key->crypto->key_export(key->crypto->self, key->handle, &scratch->out));
}

static int key_thumbprint(lua_State *lua) {
    const struct air_jose_key *key = air_jose_key_at(lua, 1);
    char thumbprint[AIR_THUMBPRINT_SIZE];
    enum air_error error = air_jwk_thumbprint(key->crypto, &key->public_key, thumbprint);
    if (error != AIR_OK) {
        return air_lua_fail(lua, air_error_text(error));
    }
    lua_pushlstring(lua, thumbprint, sizeof(thumbprint));
    return 1;
}

/* Also what Lua calls when it collects the key. The public half is no secret, but it goes too. */
static int key_close(lua_State *lua) {
    struct air_jose_key *key = luaL_checkudata(lua, 1, KEY);
    uint64_t handle = key->handle;
    key->handle = 0;
    memset(&key->public_key, 0, sizeof(key->public_key));
    if (handle != 0) {
        key->crypto->key_free(key->crypto->self, handle);
    }
    return 0;
}

static int key_text(lua_State *lua) {
    const struct air_jose_key *key = luaL_checkudata(lua, 1, KEY);
    if (key->public_key.type == AIR_KEY_NONE) {
        lua_pushliteral(lua, "key (closed)");
    } else {
        lua_pushfstring(lua, "key (%s, %s)", air_key_type_text(key->public_key.type),
            key->handle != 0 ? "private" : "public");
    }
    return 1;
}

static json_t *write_key(lua_State *lua, void *context) {
    (void)context;
    const struct air_jose_key *key = luaL_testudata(lua, -1, KEY);
    struct air_buffer text;
    json_t *json = NULL;
    air_buffer_init(&text, AIR_JWS_SIZE_MAX);
    if (key != NULL && air_jwk_write(&key->public_key, &text) == AIR_OK &&
        air_json_read(air_buffer_span(&text), &json) != AIR_OK) {
        json = NULL;
    }
    air_buffer_deinit(&text);
    return json;
}

/* The results of a function that wrote into the scratch's out. */
static int push_text(lua_State *lua, struct air_lua_scratch *scratch, enum air_error error) {
    if (error != AIR_OK) {
        air_lua_scratch_release(scratch);
        return air_lua_fail(lua, air_error_text(error));
    }
    lua_pushlstring(lua, (const char *)scratch->out.data, scratch->out.size);
    air_lua_scratch_release(scratch);
    return 1;
}
