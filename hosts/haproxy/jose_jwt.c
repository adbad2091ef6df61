/* SPDX-License-Identifier: MIT */
/*
 * Tokens: a compact JWS over claims. The registered claims are judged here (RFC 7519 section 4.1),
 * the others are the caller's.
 *
 * Invariant: claims reach Lua only after signature, times, issuer and audience were judged. An
 * option that is misspelt is an error: a check that was wished for is never left out silently.
 */

#include "hosts/haproxy/jose_jwt.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "hosts/haproxy/jose_jws.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "thinair/jose.h"

/* The third argument of jwt_verify: where in the stack each option is. */
enum {
    ALGORITHMS = 4,
    ISSUER,
    AUDIENCE,
    NOW,
    LEEWAY,
    ALLOW_NO_EXP,
    OPTIONS_END,
};

/* What clocks may differ by, unless the caller says otherwise. */
#define LEEWAY_S 60

struct rules {
    unsigned algorithms;
    double now_s;
    double leeway_s;
    bool allows_no_exp;
};

static void take_options(lua_State *lua, struct rules *rules);
static void check_names(lua_State *lua);
static double seconds_at(lua_State *lua, int index, const char *name, double fallback);
static void check_texts(lua_State *lua, int index, const char *name);
static const char *judge(lua_State *lua, const json_t *claims, const struct rules *rules);
static const char *judge_times(const json_t *claims, const struct rules *rules);
static const char *judge_forms(const json_t *claims);
static const char *judge_issuer(lua_State *lua, const json_t *claims);
static const char *judge_audience(lua_State *lua, const json_t *claims);
static bool is_wished(lua_State *lua, int index, const json_t *value);
static bool is_text(lua_State *lua, int index, const json_t *value);

static const char *const option_names[] = {
    "algorithms", "issuer", "audience", "now", "leeway", "allow_no_exp"};

/* jwt_sign(key, claims [, header]): the token. */
int air_jose_jwt_sign(lua_State *lua) {
    const struct air_jose_key *key = air_jose_key_at(lua, 1);
    luaL_checktype(lua, 2, LUA_TTABLE);
    lua_settop(lua, 3);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = air_jose_header_build(lua, 3, key, scratch);
    if (problem == NULL && json_object_get(scratch->header, "typ") == NULL &&
        json_object_set_new(scratch->header, "typ", json_string("JWT")) != 0) {
        problem = "out of memory";
    }
    if (problem == NULL) {
        problem = air_lua_json_build(lua, 2, &air_jose_key_writer, &scratch->json);
    }
    if (problem == NULL) {
        problem = judge_forms(scratch->json);
    }
    if (problem == NULL) {
        enum air_error error = air_lua_json_dump(scratch->json, &scratch->payload);
        problem = error == AIR_OK
                      ? air_jose_jws_make(key, scratch, air_buffer_span(&scratch->payload), true)
                      : air_error_text(error);
    }
    if (problem == NULL) {
        lua_pushlstring(lua, (const char *)scratch->out.data, scratch->out.size);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 1 : air_lua_fail(lua, problem);
}

/* jwt_verify(token, key, options): claims, header. */
int air_jose_jwt_verify(lua_State *lua) {
    struct rules rules;
    size_t size = 0;
    const char *token = luaL_checklstring(lua, 1, &size);
    lua_settop(lua, 3);
    take_options(lua, &rules);
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, AIR_JWS_SIZE_MAX);
    const char *problem = NULL;
    /* RFC 7519 section 3: a JWT is compact, always. */
    if (memchr(token, '{', size) != NULL) {
        problem = "not a JWT: it is not compact";
    } else {
        problem = air_jose_jws_check(lua, 2, air_span_of(token, size), rules.algorithms, scratch);
    }
    if (problem == NULL) {
        enum air_error error =
            air_json_read_reals(air_buffer_span(&scratch->payload), &scratch->json);
        problem = error == AIR_ERR_MALFORMED ? "the claims are not a JSON object that is taken"
                  : error != AIR_OK          ? air_error_text(error)
                                             : judge(lua, scratch->json, &rules);
    }
    if (problem == NULL) {
        air_lua_json_push(lua, scratch->json);
        air_lua_json_push(lua, scratch->header);
    }
    air_lua_scratch_release(scratch);
    return problem == NULL ? 2 : air_lua_fail(lua, problem);
}

/* Push the options in the order of their enum, and judge their types. */
static void take_options(lua_State *lua, struct rules *rules) {
    luaL_checktype(lua, 3, LUA_TTABLE);
    check_names(lua);
    for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
        lua_pushstring(lua, option_names[i]);
        lua_rawget(lua, 3);
    }
    rules->algorithms = air_jose_algorithms_at(lua, ALGORITHMS, 3);
    check_texts(lua, ISSUER, "issuer");
    check_texts(lua, AUDIENCE, "audience");
    rules->now_s = seconds_at(lua, NOW, "now", (double)time(NULL));
    rules->leeway_s = seconds_at(lua, LEEWAY, "leeway", LEEWAY_S);
    luaL_argcheck(lua, rules->leeway_s >= 0, 3, "leeway is negative");
    rules->allows_no_exp = lua_toboolean(lua, ALLOW_NO_EXP) != 0;
}

static void check_names(lua_State *lua) {
    lua_pushnil(lua);
    while (lua_next(lua, 3) != 0) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
            is_known = is_known || (lua_type(lua, -2) == LUA_TSTRING &&
                                       strcmp(lua_tostring(lua, -2), option_names[i]) == 0);
        }
        luaL_argcheck(lua, is_known, 3,
            "an option is none of algorithms, issuer, audience, now, leeway, allow_no_exp");
        lua_pop(lua, 1);
    }
}

static double seconds_at(lua_State *lua, int index, const char *name, double fallback) {
    if (lua_isnil(lua, index)) {
        return fallback;
    }
    if (lua_type(lua, index) != LUA_TNUMBER || !isfinite(lua_tonumber(lua, index))) {
        luaL_error(lua, "bad argument #3 (%s is not a number of seconds)", name);
    }
    return (double)lua_tonumber(lua, index);
}

/* Nothing, a text, or an array of at least one text. */
static void check_texts(lua_State *lua, int index, const char *name) {
    bool is_good = lua_isnil(lua, index) || lua_type(lua, index) == LUA_TSTRING;
    if (lua_type(lua, index) == LUA_TTABLE) {
        size_t count = lua_rawlen(lua, index);
        is_good = count > 0;
        for (size_t i = 1; i <= count; i++) {
            is_good = is_good && lua_rawgeti(lua, index, (lua_Integer)i) == LUA_TSTRING;
            lua_settop(lua, OPTIONS_END - 1);
        }
    }
    if (!is_good) {
        luaL_error(lua, "bad argument #3 (%s is neither a text nor an array of texts)", name);
    }
}

static const char *judge(lua_State *lua, const json_t *claims, const struct rules *rules) {
    const char *problem = judge_forms(claims);
    if (problem == NULL) {
        problem = judge_times(claims, rules);
    }
    if (problem == NULL) {
        problem = judge_issuer(lua, claims);
    }
    return problem != NULL ? problem : judge_audience(lua, claims);
}

/* The registered claims that are there are of the kind that RFC 7519 section 4.1 says. */
static const char *judge_forms(const json_t *claims) {
    static const char *const times[] = {"exp", "nbf", "iat"};
    static const char *const texts[] = {"iss", "sub", "jti"};
    for (size_t i = 0; i < 3; i++) {
        const json_t *time = json_object_get(claims, times[i]);
        const json_t *text = json_object_get(claims, texts[i]);
        if (time != NULL && !json_is_number(time)) {
            return "exp, nbf or iat is not a number";
        }
        if (text != NULL && !json_is_string(text)) {
            return "iss, sub or jti is not a text";
        }
    }
    const json_t *audience = json_object_get(claims, "aud");
    bool is_good = audience == NULL || json_is_string(audience) || json_is_array(audience);
    for (size_t i = 0; i < json_array_size(audience); i++) {
        is_good = is_good && json_is_string(json_array_get(audience, i));
    }
    return is_good ? NULL : "aud is neither a text nor an array of texts";
}

static const char *judge_times(const json_t *claims, const struct rules *rules) {
    const json_t *expires = json_object_get(claims, "exp");
    const json_t *not_before = json_object_get(claims, "nbf");
    const json_t *issued = json_object_get(claims, "iat");
    double latest_s = rules->now_s + rules->leeway_s;
    if (expires == NULL && !rules->allows_no_exp) {
        return "the token has no exp";
    }
    if (expires != NULL && rules->now_s - rules->leeway_s >= json_number_value(expires)) {
        return "the token has expired";
    }
    if (not_before != NULL && json_number_value(not_before) > latest_s) {
        return "the token is not valid yet";
    }
    if (issued != NULL && json_number_value(issued) > latest_s) {
        return "the token was issued in the future";
    }
    return NULL;
}

static const char *judge_issuer(lua_State *lua, const json_t *claims) {
    if (lua_isnil(lua, ISSUER)) {
        return NULL;
    }
    const json_t *issuer = json_object_get(claims, "iss");
    if (issuer == NULL) {
        return "the token names no issuer";
    }
    return is_wished(lua, ISSUER, issuer) ? NULL : "the token is from another issuer";
}

/* RFC 7519 section 4.1.3: a token for somebody is refused by whoever is not that. */
static const char *judge_audience(lua_State *lua, const json_t *claims) {
    const json_t *audience = json_object_get(claims, "aud");
    if (lua_isnil(lua, AUDIENCE)) {
        return audience == NULL ? NULL : "the token names an audience, the caller none";
    }
    if (audience == NULL) {
        return "the token names no audience";
    }
    bool is_ours = is_wished(lua, AUDIENCE, audience);
    for (size_t i = 0; i < json_array_size(audience); i++) {
        is_ours = is_ours || is_wished(lua, AUDIENCE, json_array_get(audience, i));
    }
    return is_ours ? NULL : "the token is for another audience";
}

/* Whether a text is the option at index, or one of its texts. */
static bool is_wished(lua_State *lua, int index, const json_t *value) {
    if (lua_type(lua, index) == LUA_TSTRING) {
        return is_text(lua, index, value);
    }
    bool found = false;
    size_t count = lua_rawlen(lua, index);
    for (size_t i = 1; !found && i <= count; i++) {
        lua_rawgeti(lua, index, (lua_Integer)i);
        found = is_text(lua, -1, value);
        lua_pop(lua, 1);
    }
    return found;
}

static bool is_text(lua_State *lua, int index, const json_t *value) {
    size_t size = 0;
    const char *text = lua_tolstring(lua, index, &size);
    return json_is_string(value) && json_string_length(value) == size &&
           memcmp(json_string_value(value), text, size) == 0;
}
