/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_CORE_LUA_H
#define AIR_HAPROXY_CORE_LUA_H

/*
 * What the files of thinair_core share: functions that Lua calls, and what they need of it.
 */

#include <lua.h>

#include "hosts/haproxy/haproxy.h"

/* The engine of the handle that is the first argument. */
struct air_haproxy *air_core_of(lua_State *lua);

/* A string argument; raises when it is none. */
air_span air_core_span(lua_State *lua, int index);

/* Make the types of core_order.c known; pushes nothing. */
void air_core_open_order(lua_State *lua);

/* handle:requests(content_type, body), handle:order(requests, index), handle:ended(),
 * handle:view(id), handle:read(id, key_type): core_order.c. */
int air_core_requests(lua_State *lua);
int air_core_order(lua_State *lua);
int air_core_ended(lua_State *lua);
int air_core_view(lua_State *lua);
int air_core_read(lua_State *lua);

#endif
