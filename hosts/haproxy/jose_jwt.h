/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_JOSE_JWT_H
#define AIR_HAPROXY_JOSE_JWT_H

/*
 * JSON Web Tokens for Lua: RFC 7519, with RFC 8725's advice as the default.
 */

#include <lua.h>

/* jose.jwt_sign and jose.jwt_verify. */
int air_jose_jwt_sign(lua_State *lua);
int air_jose_jwt_verify(lua_State *lua);

#endif
