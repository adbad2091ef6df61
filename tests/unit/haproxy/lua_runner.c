/* SPDX-License-Identifier: MIT */
/*
 * Runs a Lua script with one of our modules linked in, so that the sanitizers see both. The script
 * also gets a table `memory`: with it each allocation, the house's or Lua's own, can be made to
 * fail. Invariant: when the state is closed nothing of the house's is left, or the run has failed.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/base/memory.h"

/* What CMake says: the module's name as a text, and its luaopen_ function. */
int AIR_LUA_OPEN(lua_State *lua);

struct allocator {
    long long allocations_left; /* 0: from now on everything fails; below: nothing does */
};

static struct allocator lua_memory = {-1};

static void *allocate(void *context, void *old, size_t old_size, size_t size);
static int memory_fail_at(lua_State *lua);
static int memory_starve(lua_State *lua);
static int memory_live(lua_State *lua);
static int explain(lua_State *lua);

int main(int argc, char **argv) {
    static const luaL_Reg functions[] = {{"fail_at", memory_fail_at}, {"starve", memory_starve},
        {"live", memory_live}, {NULL, NULL}};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s SCRIPT\n", argv[0]);
        return 2;
    }
    lua_State *lua = lua_newstate(allocate, &lua_memory);
    if (lua == NULL) {
        return 2;
    }
    luaL_openlibs(lua);
    luaL_newlib(lua, functions);
    lua_setglobal(lua, "memory");
    luaL_getsubtable(lua, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_pushcfunction(lua, AIR_LUA_OPEN);
    lua_setfield(lua, -2, AIR_LUA_MODULE);
    lua_pop(lua, 1);

    lua_pushcfunction(lua, explain);
    int failed = luaL_loadfile(lua, argv[1]) != LUA_OK || lua_pcall(lua, 0, 0, -2) != LUA_OK;
    if (failed) {
        (void)fprintf(stderr, "%s\n", lua_tostring(lua, -1));
    }
    lua_close(lua);
    if (air_memory_live() != 0) {
        (void)fprintf(stderr, "%lld blocks are left\n", (long long)air_memory_live());
        failed = 1;
    }
    return failed;
}

/* A lua_Alloc. Giving back and shrinking never fail: Lua relies on it. */
static void *allocate(void *context, void *old, size_t old_size, size_t size) {
    struct allocator *allocator = context;
    if (size == 0) {
        free(old);
        return NULL;
    }
    if (old == NULL || size > old_size) {
        if (allocator->allocations_left == 0) {
            return NULL;
        }
        if (allocator->allocations_left > 0) {
            allocator->allocations_left--;
        }
    }
    return realloc(old, size);
}

/* memory.fail_at(n): the n-th allocation of the house's from now fails, once; 0: none. */
static int memory_fail_at(lua_State *lua) {
    air_memory_fail_at((uint64_t)luaL_checkinteger(lua, 1));
    return 0;
}

/* memory.starve(n, f): call f, and let Lua have n allocations for it and then none. Answers whether
 * that was enough, and what f returned or raised. */
static int memory_starve(lua_State *lua) {
    lua_Integer count = luaL_checkinteger(lua, 1);
    lua_settop(lua, 2);
    lua_memory.allocations_left = count;
    int status = lua_pcall(lua, 0, 1, 0);
    lua_memory.allocations_left = -1;
    lua_pushboolean(lua, status == LUA_OK);
    lua_insert(lua, 2);
    return 2;
}

static int memory_live(lua_State *lua) {
    lua_pushinteger(lua, air_memory_live());
    return 1;
}

static int explain(lua_State *lua) {
    luaL_traceback(lua, lua, lua_tostring(lua, 1), 1);
    return 1;
}
