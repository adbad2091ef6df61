/* SPDX-License-Identifier: MIT */
/*
 * require "thinair_jose": the table of functions. JOSE.md is the manual.
 *
 * Lua raises errors by long jumps, so nothing is owned by a frame that calls it: what must be given
 * back belongs to a userdata, which Lua collects.
 */

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>

#include "hosts/haproxy/jose_jws.h"
#include "hosts/haproxy/jose_jwt.h"
#include "hosts/haproxy/jose_key.h"
#include "hosts/haproxy/lua_json.h"

static int mark_array(lua_State *lua);

__attribute__((visibility("default"))) int luaopen_thinair_jose(lua_State *lua);

int luaopen_thinair_jose(lua_State *lua) {
    static const luaL_Reg functions[] = {{"import", air_jose_key_import},
        {"generate", air_jose_key_generate}, {"sign", air_jose_jws_sign},
        {"verify", air_jose_jws_verify}, {"header", air_jose_jws_header},
        {"jwt_sign", air_jose_jwt_sign}, {"jwt_verify", air_jose_jwt_verify}, {"array", mark_array},
        {NULL, NULL}};
    /* jansson's hash seed comes from /dev/urandom, which a chroot to come may not have. */
    json_object_seed(0);
    air_jose_open(lua);
    luaL_newlib(lua, functions);
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, -2, "null");
    lua_pushliteral(lua, AIR_VERSION_TEXT);
    lua_setfield(lua, -2, "_VERSION");
    return 1;
}

/* array([table]): the table, to be written as a JSON array also when it is empty. */
static int mark_array(lua_State *lua) {
    if (lua_isnoneornil(lua, 1)) {
        lua_settop(lua, 0);
        lua_newtable(lua);
    }
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    air_lua_json_mark_array(lua, 1);
    return 1;
}
