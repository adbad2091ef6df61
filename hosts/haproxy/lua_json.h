/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_LUA_JSON_H
#define AIR_HAPROXY_LUA_JSON_H

/*
 * Lua values as JSON and JSON as Lua values.
 *
 * A table with string keys is an object, one with the keys 1 to n an array; an empty table is an
 * object unless air_lua_json_mark_array() has marked it. Arrays that come from JSON are marked. A
 * null is the light userdata NULL. Metamethods are not called: nothing of the caller's code runs.
 */

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>

#include "thinair/buffer.h"

/* Writes what only the caller knows, a userdata at the top of the stack: a new reference, or NULL
 * when it knows none such or has no memory. Must not raise. */
struct air_lua_json_writer {
    json_t *(*write)(lua_State *lua, void *context);
    void *context;
};

/*
 * Turn the table at index into a JSON object.
 *
 * slot     Where the object grows: owned by a scratch, because Lua may raise meanwhile.
 * writer   For userdata; NULL: there is none.
 *
 * Returns NULL, or a static sentence that says what cannot be JSON. Limits as air_json_read().
 */
const char *air_lua_json_build(
    lua_State *lua, int index, const struct air_lua_json_writer *writer, json_t **slot);

/* Append the text of an object: compact, members sorted. */
AIR_MUST_CHECK enum air_error air_lua_json_dump(const json_t *json, struct air_buffer *out);

/* Push a value whose JSON a scratch owns. Raises when Lua has no memory. */
void air_lua_json_push(lua_State *lua, const json_t *json);

/* Mark the table at index as an array. */
void air_lua_json_mark_array(lua_State *lua, int index);

#endif
