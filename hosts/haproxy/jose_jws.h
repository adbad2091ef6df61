/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_JOSE_JWS_H
#define AIR_HAPROXY_JOSE_JWS_H

/*
 * JWSs for Lua, and what JWTs need of them.
 */

#include <lua.h>

#include "hosts/haproxy/jose_key.h"
#include "hosts/haproxy/lua_scratch.h"

/* jose.sign, jose.verify, jose.header. */
int air_jose_jws_sign(lua_State *lua);
int air_jose_jws_verify(lua_State *lua);
int air_jose_jws_header(lua_State *lua);

/*
 * Turn a header's table at index (or none) into scratch->header, and say in it how the key signs.
 * Returns NULL or what is wrong.
 */
const char *air_jose_header_build(
    lua_State *lua, int index, const struct air_jose_key *key, struct air_lua_scratch *scratch);

/* Sign a payload under scratch->header; the JWS goes into scratch->out. Returns NULL or what went
 * wrong. Calls nothing of Lua's. */
const char *air_jose_jws_make(const struct air_jose_key *key, struct air_lua_scratch *scratch,
    air_span payload, bool is_compact);

/* The algorithms that the value at index allows, a text or an array of texts, as bits 1 << enum
 * air_algorithm. Raises when it allows none, or one that is none of ours: "none", say. */
unsigned air_jose_algorithms_at(lua_State *lua, int index, int argument);

/*
 * Check a JWS with the key that the argument at index means: the payload goes into
 * scratch->payload, the header into scratch->header. Returns NULL or why it is not accepted.
 */
const char *air_jose_jws_check(
    lua_State *lua, int index, air_span jws, unsigned algorithms, struct air_lua_scratch *scratch);

#endif
