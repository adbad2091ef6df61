/* SPDX-License-Identifier: MIT */
/*
 * Memory that a C function holds across calls of Lua. No script ever sees a scratch.
 *
 * Invariant: a scratch has its metatable before it holds anything, so there is no moment at which
 * an error raised by Lua would lose it.
 */

#include "hosts/haproxy/lua_scratch.h"

#include <string.h>

/* Its address is the name of the metatable in the registry, this module's own. */
static const char scratch_name;

static int collect(lua_State *lua);

struct air_lua_scratch *air_lua_scratch_push(lua_State *lua, size_t size_max) {
    struct air_lua_scratch *scratch = lua_newuserdata(lua, sizeof(*scratch));
    memset(scratch, 0, sizeof(*scratch));
    air_buffer_init(&scratch->payload, size_max);
    air_buffer_init(&scratch->text, size_max);
    air_buffer_init(&scratch->input, size_max);
    air_buffer_init(&scratch->out, size_max);
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &scratch_name) != LUA_TTABLE) {
        lua_pop(lua, 1);
        lua_newtable(lua);
        lua_pushcfunction(lua, collect);
        lua_setfield(lua, -2, "__gc");
        lua_pushvalue(lua, -1);
        lua_rawsetp(lua, LUA_REGISTRYINDEX, &scratch_name);
    }
    lua_setmetatable(lua, -2);
    return scratch;
}

void air_lua_scratch_release(struct air_lua_scratch *scratch) {
    air_buffer_deinit(&scratch->payload);
    air_buffer_deinit(&scratch->text);
    air_buffer_deinit(&scratch->input);
    air_buffer_deinit(&scratch->out);
    json_decref(scratch->json);
    json_decref(scratch->header);
    scratch->json = NULL;
    scratch->header = NULL;
}

int air_lua_fail(lua_State *lua, const char *sentence) {
    lua_pushnil(lua);
    lua_pushstring(lua, sentence);
    return 2;
}

static int collect(lua_State *lua) {
    air_lua_scratch_release(lua_touserdata(lua, 1));
    return 0;
}
