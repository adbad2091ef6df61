/* SPDX-License-Identifier: MIT */
/*
 * The engine as a Lua module, for HAProxy to load: three functions and no loop. Requests over HTTP
 * are made by Lua, with what HAProxy has. Lua raises errors by long jumps, so nothing is owned by a
 * frame that calls it; the guest belongs to the module's userdata, which Lua collects.
 */
#include <lauxlib.h>
#include <lua.h>

#include "tests/spikes/guest.h"

#define GUEST "thinair.guest"

static int guest_new(lua_State *lua);
static int guest_free(lua_State *lua);
static int guest_next(lua_State *lua);
static int guest_answer(lua_State *lua);
static struct air_guest *guest_of(lua_State *lua);

__attribute__((visibility("default"))) int luaopen_air_spike(lua_State *lua);

int luaopen_air_spike(lua_State *lua) {
    static const luaL_Reg methods[] = {
        {"next", guest_next}, {"answer", guest_answer}, {"__gc", guest_free}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", guest_new}, {NULL, NULL}};
    luaL_newmetatable(lua, GUEST);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -2, "__index");
    luaL_setfuncs(lua, methods, 0);
    luaL_newlib(lua, functions);
    return 1;
}

/* new(): a guest. */
static int guest_new(lua_State *lua) {
    struct air_guest *guest = lua_newuserdata(lua, sizeof(*guest));
    enum air_error error = air_guest_init(guest);
    if (error != AIR_OK) {
        return luaL_error(lua, "%s", air_error_text(error));
    }
    luaL_setmetatable(lua, GUEST);
    return 1;
}

static int guest_free(lua_State *lua) {
    air_guest_deinit(guest_of(lua));
    return 0;
}

/* guest:next(): id, method, path, storage actions so far; or nil and the pause in ms. */
static int guest_next(lua_State *lua) {
    struct air_guest *guest = guest_of(lua);
    const struct air_action *action = NULL;
    enum air_error error = air_guest_next(guest, &action);
    if (error != AIR_OK) {
        return luaL_error(lua, "%s", air_error_text(error));
    }
    if (action == NULL) {
        lua_pushnil(lua);
        lua_pushinteger(lua, air_guest_pause_ms(guest));
        return 2;
    }
    air_span path = air_guest_path(action->http.url);
    lua_pushinteger(lua, (lua_Integer)action->id);
    lua_pushlstring(lua, (const char *)action->http.method.data, action->http.method.size);
    lua_pushlstring(lua, (const char *)path.data, path.size);
    lua_pushinteger(lua, guest->storage_count);
    return 4;
}

/* guest:answer(id, status, body) */
static int guest_answer(lua_State *lua) {
    size_t size;
    struct air_guest *guest = guest_of(lua);
    lua_Integer id = luaL_checkinteger(lua, 2);
    lua_Integer status = luaL_checkinteger(lua, 3);
    const char *body = luaL_optlstring(lua, 4, "", &size);
    enum air_error error = air_guest_answer(guest, (uint64_t)id, (uint32_t)status, body, size);
    return error == AIR_OK ? 0 : luaL_error(lua, "%s", air_error_text(error));
}

static struct air_guest *guest_of(lua_State *lua) {
    return luaL_checkudata(lua, 1, GUEST);
}
