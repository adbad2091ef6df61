/* SPDX-License-Identifier: MIT */
/*
 * require "thinair_jose": the table of functions. The module keeps one crypto port per Lua state.
 *
 * Lua raises errors by long jumps, so nothing is owned by a frame that calls it: what must be given
 * back belongs to a userdata, which Lua collects.
 */

#include <lauxlib.h>
#include <lua.h>

#include "thinair/jose.h"
#include "thinair/openssl.h"

__attribute__((visibility("default"))) int luaopen_thinair_jose(lua_State *lua);

int luaopen_thinair_jose(lua_State *lua) {
    lua_newtable(lua);
    lua_pushliteral(lua, AIR_VERSION_TEXT);
    lua_setfield(lua, -2, "_VERSION");
    return 1;
}
