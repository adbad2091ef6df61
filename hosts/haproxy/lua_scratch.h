/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_LUA_SCRATCH_H
#define AIR_HAPROXY_LUA_SCRATCH_H

/*
 * What a C function called by Lua owns while it calls Lua, which may raise by a long jump.
 *
 * A scratch is a userdata on the function's stack: however the function is left, Lua collects it,
 * and what it holds is wiped and given back then, or at air_lua_scratch_release().
 */

#include <jansson.h>
#include <lua.h>

#include "thinair/buffer.h"

struct air_lua_scratch {
    struct air_buffer payload;
    struct air_buffer text;
    struct air_buffer input;
    struct air_buffer out;
    json_t *json;
    json_t *header;
};

/* Push an empty scratch; each of its buffers holds at most size_max bytes. Raises when Lua has no
 * memory. */
struct air_lua_scratch *air_lua_scratch_push(lua_State *lua, size_t size_max);

/* Give back what it holds, now rather than when it is collected. */
void air_lua_scratch_release(struct air_lua_scratch *scratch);

/* The convention for failures: push nil and a sentence, give 2, the number of results. */
int air_lua_fail(lua_State *lua, const char *sentence);

#endif
