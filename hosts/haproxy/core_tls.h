/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_CORE_TLS_H
#define AIR_HAPROXY_CORE_TLS_H

/*
 * TLS in memory: one side is ours, the other is at the end of a connection that Lua has.
 */

#include <lua.h>

/* Make the type of these objects known; pushes nothing. */
void air_core_open_tls(lua_State *lua);

/* handle:responder(source): our side of a tls-alpn-01 validation (RFC 8737). */
int air_core_responder(lua_State *lua);

/* handle:visitor(name, key_type, chain): a client that looks whether this chain is served. */
int air_core_visitor(lua_State *lua);

#endif
