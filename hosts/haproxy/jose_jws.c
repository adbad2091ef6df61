/* SPDX-License-Identifier: MIT */
/*
 * sign, verify and header of JWSs. The caller says which algorithms it allows and the key which one
 * is its own; the JWS has no say. What it means that a payload is signed is the caller's to know.
 *
 * Invariant: no payload is handed to Lua before its signature fits.
 */

#include "hosts/haproxy/jose_jws.h"

#include <lauxlib.h>

#include "src/base/json.h"
#include "src/base/span.h"
#include "thinair/jose.h"

static const char *check(const struct air_public_key *key, const struct air_crypto *crypto,
    air_span jws, struct air_lua_scratch *scratch);
static const char *read_header(air_span jws, struct air_lua_scratch *scratch);
static unsigned algorithm_bit(lua_State *lua, int argument);
static air_span text_at(lua_State *lua, int index);

/* sign(key, payload [, header [, form]]): the JWS. */
int air_jose_jws_sign(lua_State *lua) {
    static const char *const forms[] = {"compact", "flattened", NULL};
    const struct air_jose_key *key = air_jose_key_at(lua, 1);
    air_span payload = text_at(lua, 2);
    bool is_compact = luaL_checkoption(lua, 4, "compact", forms) == 0;
    lua_settop(lua, 4);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = air_jose_header_build(lua, 3, key, scratch);
    if (problem == NULL) {
        problem = air_jose_jws_make(key, scratch, payload, is_compact);
    }
    if (problem == NULL) {
        lua_pushlstring(lua, (const char *)scratch->out.data, scratch->out.size);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 1 : air_lua_fail(lua, problem);
}

/* verify(jws, key, algorithms): payload, header. */
int air_jose_jws_verify(lua_State *lua) {
    air_span jws = text_at(lua, 1);
    unsigned algorithms = air_jose_algorithms_at(lua, 3, 3);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = air_jose_jws_check(lua, 2, jws, algorithms, scratch);
    if (problem == NULL) {
        lua_pushlstring(lua, (const char *)scratch->payload.data, scratch->payload.size);
        air_lua_json_push(lua, scratch->header);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 2 : air_lua_fail(lua, problem);
}

/* header(jws): its protected header, of which nothing is proven. */
int air_jose_jws_header(lua_State *lua) {
    air_span jws = text_at(lua, 1);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = read_header(jws, scratch);
    if (problem == NULL) {
        air_lua_json_push(lua, scratch->header);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 1 : air_lua_fail(lua, problem);
}

const char *air_jose_header_build(
    lua_State *lua, int index, const struct air_jose_key *key, struct air_lua_scratch *scratch) {
    const char *algorithm = air_algorithm_text(air_algorithm_for_key(key->public_key.type));
    const char *problem = NULL;
    if (lua_isnoneornil(lua, index)) {
        scratch->header = json_object();
    } else {
        luaL_checktype(lua, index, LUA_TTABLE);
        problem = air_lua_json_build(lua, index, &air_jose_key_writer, &scratch->header);
    }
    if (problem != NULL) {
        return problem;
    }
    const json_t *alg = json_object_get(scratch->header, "alg");
    if (alg != NULL && !air_span_equal_text(air_json_text(scratch->header, "alg"), algorithm)) {
        return "the header's alg is not the key's";
    }
    if (json_object_get(scratch->header, "crit") != NULL ||
        json_object_get(scratch->header, "b64") != NULL) {
        return "crit and b64 are not supported in a header";
    }
    if (json_object_set_new(scratch->header, "alg", json_string(algorithm)) != 0) {
        return "out of memory";
    }
    return NULL;
}

const char *air_jose_jws_make(const struct air_jose_key *key, struct air_lua_scratch *scratch,
    air_span payload, bool is_compact) {
    const struct air_crypto *crypto = key->crypto;
    enum air_algorithm algorithm = air_algorithm_for_key(key->public_key.type);
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;
    if (key->handle == 0) {
        return "the key has no private half";
    }
    enum air_error error = air_lua_json_dump(scratch->header, &scratch->text);
    if (error == AIR_OK) {
        error = air_jws_signing_input_own(
            algorithm, air_buffer_span(&scratch->text), payload, &scratch->input);
    }
    if (error == AIR_OK) {
        error = crypto->key_sign_slow(crypto->self, key->handle, algorithm,
            air_buffer_span(&scratch->input), signature, &size);
    }
    if (error == AIR_OK) {
        air_span input = air_buffer_span(&scratch->input);
        air_span made = air_span_of(signature, size);
        error = is_compact ? air_jws_assemble_compact(input, made, &scratch->out)
                           : air_jws_assemble(input, made, &scratch->out);
    }
    if (error == AIR_ERR_MALFORMED) {
        return "the header has a value that no header may have";
    }
    return error == AIR_OK ? NULL : air_error_text(error);
}

unsigned air_jose_algorithms_at(lua_State *lua, int index, int argument) {
    unsigned allowed = 0;
    index = lua_absindex(lua, index);
    if (lua_type(lua, index) == LUA_TSTRING) {
        lua_pushvalue(lua, index);
        allowed = algorithm_bit(lua, argument);
        lua_pop(lua, 1);
        return allowed;
    }
    luaL_argcheck(lua, lua_type(lua, index) == LUA_TTABLE, argument,
        "the allowed algorithms are missing: \"ES256\", or {\"ES256\", \"RS256\"}");
    size_t count = lua_rawlen(lua, index);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(lua, index, (lua_Integer)i);
        allowed |= algorithm_bit(lua, argument);
        lua_pop(lua, 1);
    }
    luaL_argcheck(lua, allowed != 0, argument, "no algorithm is allowed");
    return allowed;
}

const char *air_jose_jws_check(
    lua_State *lua, int index, air_span jws, unsigned algorithms, struct air_lua_scratch *scratch) {
    struct air_public_key key = {0};
    const struct air_crypto *crypto = air_jose_crypto(lua);
    const char *problem = air_jose_key_read_public(lua, index, &key);
    if (problem != NULL) {
        return problem;
    }
    if ((algorithms & 1U << air_algorithm_for_key(key.type)) == 0) {
        return "the key's algorithm is not among the allowed ones";
    }
    problem = check(&key, crypto, jws, scratch);
    return problem != NULL ? problem : read_header(jws, scratch);
}

static const char *check(const struct air_public_key *key, const struct air_crypto *crypto,
    air_span jws, struct air_lua_scratch *scratch) {
    enum air_error error = air_span_starts_with(air_span_trim(jws), "{")
                               ? air_jws_verify(crypto, key, jws, &scratch->payload)
                               : air_jws_verify_compact(crypto, key, jws, &scratch->payload);
    if (error == AIR_ERR_MALFORMED) {
        return "not a JWS, or one with extensions that are not supported";
    }
    if (error == AIR_ERR_UNSUPPORTED) {
        return "the algorithm in the header is not the key's";
    }
    if (error == AIR_ERR_REFUSED) {
        return "the signature does not fit";
    }
    return error == AIR_OK ? NULL : air_error_text(error);
}

/* Into scratch->header; what is in scratch->text is lost. */
static const char *read_header(air_span jws, struct air_lua_scratch *scratch) {
    air_buffer_clear(&scratch->text);
    enum air_error error = air_jws_header_read(jws, &scratch->text);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&scratch->text), &scratch->header);
    }
    if (error == AIR_ERR_MALFORMED) {
        return "not a JWS";
    }
    return error == AIR_OK ? NULL : air_error_text(error);
}

/* The bit of the algorithm whose name is at the top of the stack. */
static unsigned algorithm_bit(lua_State *lua, int argument) {
    static const enum air_algorithm known[] = {AIR_ES256, AIR_ES384, AIR_RS256};
    luaL_argcheck(lua, lua_type(lua, -1) == LUA_TSTRING, argument, "an algorithm is a text");
    air_span name = text_at(lua, -1);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (air_span_equal_text(name, air_algorithm_text(known[i]))) {
            return 1U << known[i];
        }
    }
    lua_pushfstring(lua, "%s is not an algorithm that can be allowed: ES256, ES384 and RS256 are",
        lua_tostring(lua, -1));
    return (unsigned)luaL_argerror(lua, argument, lua_tostring(lua, -1));
}

static air_span text_at(lua_State *lua, int index) {
    size_t size = 0;
    const char *text = luaL_checklstring(lua, index, &size);
    return air_span_of(text, size);
}
