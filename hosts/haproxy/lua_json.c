/* SPDX-License-Identifier: MIT */
/*
 * Tables to JSON and back.
 *
 * Invariant: a value is part of its parent, and the topmost part of the caller's slot, before Lua
 * is called again. What is built is within the limits that air_json_read() has, which also ends a
 * table that contains itself.
 */

#include "hosts/haproxy/lua_json.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "src/base/json.h"

/* Its address is the name of the arrays' metatable in the registry, this module's own. */
static const char array_name;

/* More values than a userdata is written as: a JWK has five. */
#define USERDATA_VALUES 8

static const char no_memory[] = "out of memory";
static const char mixed_keys[] = "a table has keys that are neither all texts nor 1 to n";

struct walk {
    lua_State *lua;
    const struct air_lua_json_writer *writer;
    size_t depth;
    size_t values_count;
};

static const char *fill_object(struct walk *walk, int index, json_t *object);
static const char *fill_array(struct walk *walk, int index, json_t *array);
static const char *make_value(struct walk *walk, json_t **out);
static const char *fill_value(struct walk *walk, json_t *value);
static const char *make_text(lua_State *lua, json_t **out);
static const char *make_number(lua_State *lua, json_t **out);
static const char *make_other(struct walk *walk, json_t **out);
static bool is_array(lua_State *lua, int index);
static bool has_keys(lua_State *lua, int index, size_t count);
static bool is_marked(lua_State *lua, int index);
static int append(const char *text, size_t size, void *buffer);
static void push_object(lua_State *lua, const json_t *object);
static void push_array(lua_State *lua, const json_t *array);

const char *air_lua_json_build(
    lua_State *lua, int index, const struct air_lua_json_writer *writer, json_t **slot) {
    struct walk walk = {.lua = lua, .writer = writer, .depth = 1, .values_count = 1};
    index = lua_absindex(lua, index);
    *slot = json_object();
    return *slot == NULL ? no_memory : fill_object(&walk, index, *slot);
}

enum air_error air_lua_json_dump(const json_t *json, struct air_buffer *out) {
    size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17);
    if (json_dump_callback(json, append, out, flags) != 0) {
        return out->error != AIR_OK ? out->error : AIR_ERR_NO_MEMORY;
    }
    return AIR_OK;
}

void air_lua_json_push(lua_State *lua, const json_t *json) {
    luaL_checkstack(lua, 4, "nested too deeply");
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        push_object(lua, json);
        break;
    case JSON_ARRAY:
        push_array(lua, json);
        break;
    case JSON_STRING:
        lua_pushlstring(lua, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        lua_pushinteger(lua, json_integer_value(json));
        break;
    case JSON_REAL:
        lua_pushnumber(lua, json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(lua, json_is_true(json));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(lua, NULL);
        break;
    }
}

void air_lua_json_mark_array(lua_State *lua, int index) {
    index = lua_absindex(lua, index);
    if (lua_rawgetp(lua, LUA_REGISTRYINDEX, &array_name) != LUA_TTABLE) {
        lua_pop(lua, 1);
        lua_newtable(lua);
        lua_pushvalue(lua, -1);
        lua_rawsetp(lua, LUA_REGISTRYINDEX, &array_name);
    }
    lua_setmetatable(lua, index);
}

static const char *fill_object(struct walk *walk, int index, json_t *object) {
    lua_State *lua = walk->lua;
    const char *problem = NULL;
    if (!lua_checkstack(lua, 4)) {
        return no_memory;
    }
    lua_pushnil(lua);
    while (problem == NULL && lua_next(lua, index) != 0) {
        size_t size = 0;
        /* Asking a number for its text would change the key and so the walk. */
        const char *key = lua_type(lua, -2) == LUA_TSTRING ? lua_tolstring(lua, -2, &size) : NULL;
        json_t *value = NULL;
        if (key == NULL) {
            problem = mixed_keys;
        } else if (strlen(key) != size) {
            problem = "a name has a NUL character";
        } else {
            problem = make_value(walk, &value);
        }
        if (problem == NULL && json_object_set_new(object, key, value) != 0) {
            problem = "a name is not UTF-8, or out of memory";
        }
        if (problem == NULL) {
            problem = fill_value(walk, value);
        }
        lua_pop(lua, 1);
    }
    return problem;
}

static const char *fill_array(struct walk *walk, int index, json_t *array) {
    lua_State *lua = walk->lua;
    const char *problem = NULL;
    if (!lua_checkstack(lua, 4)) {
        return no_memory;
    }
    size_t count = lua_rawlen(lua, index);
    if (!has_keys(lua, index, count)) {
        return mixed_keys;
    }
    for (size_t i = 1; problem == NULL && i <= count; i++) {
        json_t *value = NULL;
        lua_rawgeti(lua, index, (lua_Integer)i);
        problem = make_value(walk, &value);
        if (problem == NULL && json_array_append_new(array, value) != 0) {
            problem = no_memory;
        }
        if (problem == NULL) {
            problem = fill_value(walk, value);
        }
        lua_pop(lua, 1);
    }
    return problem;
}

/* Make the value at the top of the stack; what a table holds is not in it yet. */
static const char *make_value(struct walk *walk, json_t **out) {
    lua_State *lua = walk->lua;
    walk->values_count++;
    if (walk->values_count > AIR_JSON_VALUES_MAX) {
        return "more values than a document may have";
    }
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        return make_text(lua, out);
    case LUA_TNUMBER:
        return make_number(lua, out);
    case LUA_TBOOLEAN:
        *out = json_boolean(lua_toboolean(lua, -1));
        return NULL;
    case LUA_TTABLE:
        /* The reader counts brackets too. */
        walk->values_count++;
        *out = is_array(lua, lua_gettop(lua)) ? json_array() : json_object();
        return *out == NULL ? no_memory : NULL;
    default:
        return make_other(walk, out);
    }
}

/* Fill a value that is by now part of its parent from the table at the top of the stack. */
static const char *fill_value(struct walk *walk, json_t *value) {
    if (lua_type(walk->lua, -1) != LUA_TTABLE) {
        return NULL;
    }
    if (walk->depth >= AIR_JSON_DEPTH_MAX) {
        return "nested too deeply";
    }
    int index = lua_gettop(walk->lua);
    walk->depth++;
    const char *problem =
        json_is_array(value) ? fill_array(walk, index, value) : fill_object(walk, index, value);
    walk->depth--;
    return problem;
}

static const char *make_text(lua_State *lua, json_t **out) {
    size_t size = 0;
    const char *text = lua_tolstring(lua, -1, &size);
    if (strlen(text) != size) {
        return "a text has a NUL character";
    }
    *out = json_stringn(text, size);
    if (*out != NULL) {
        return NULL;
    }
    /* jansson does not say which it was. */
    json_t *unchecked = json_stringn_nocheck(text, size);
    bool is_memory = unchecked == NULL;
    json_decref(unchecked);
    return is_memory ? no_memory : "a text is not UTF-8";
}

static const char *make_number(lua_State *lua, json_t **out) {
    /* A float without a fraction is an integer too: os.time() + 0.5 * 3600. */
    int is_integer = 0;
    lua_Integer integer = lua_tointegerx(lua, -1, &is_integer);
    if (is_integer == 0 && !isfinite(lua_tonumber(lua, -1))) {
        return "a number is not finite";
    }
    *out = is_integer != 0 ? json_integer(integer) : json_real(lua_tonumber(lua, -1));
    return *out == NULL ? no_memory : NULL;
}

static const char *make_other(struct walk *walk, json_t **out) {
    lua_State *lua = walk->lua;
    if (lua_islightuserdata(lua, -1) && lua_touserdata(lua, -1) == NULL) {
        *out = json_null();
    } else if (lua_type(lua, -1) == LUA_TUSERDATA && walk->writer != NULL) {
        walk->values_count += USERDATA_VALUES;
        *out = walk->writer->write(lua, walk->writer->context);
    }
    return *out == NULL ? "a value is of a kind that JSON does not have" : NULL;
}

/* What else the table has is seen when it is filled. */
static bool is_array(lua_State *lua, int index) {
    return lua_rawlen(lua, index) > 0 || is_marked(lua, index);
}

/* Whether the table has so many keys. */
static bool has_keys(lua_State *lua, int index, size_t count) {
    size_t keys_count = 0;
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        keys_count++;
        if (keys_count > count) {
            lua_pop(lua, 1);
            return false;
        }
    }
    return keys_count == count;
}

static bool is_marked(lua_State *lua, int index) {
    if (!lua_checkstack(lua, 2) || !lua_getmetatable(lua, index)) {
        return false;
    }
    bool same = lua_rawgetp(lua, LUA_REGISTRYINDEX, &array_name) == LUA_TTABLE &&
                lua_rawequal(lua, -1, -2) != 0;
    lua_pop(lua, 2);
    return same;
}

static int append(const char *text, size_t size, void *buffer) {
    return air_buffer_append(buffer, text, size) == AIR_OK ? 0 : -1;
}

static void push_object(lua_State *lua, const json_t *object) {
    /* jansson's iterators do not take a const object, and change none. */
    json_t *source = (json_t *)(uintptr_t)object;
    lua_createtable(lua, 0, (int)json_object_size(object));
    for (void *i = json_object_iter(source); i != NULL; i = json_object_iter_next(source, i)) {
        lua_pushstring(lua, json_object_iter_key(i));
        air_lua_json_push(lua, json_object_iter_value(i));
        lua_rawset(lua, -3);
    }
}

static void push_array(lua_State *lua, const json_t *array) {
    size_t count = json_array_size(array);
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        air_lua_json_push(lua, json_array_get(array, i));
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    air_lua_json_mark_array(lua, -1);
}
