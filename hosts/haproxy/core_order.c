/* SPDX-License-Identifier: MIT */
/*
 * Orders as Lua sees them: a request becomes a list of orders, which are asked about until they
 * have ended.
 */

#include <lauxlib.h>

#include "hosts/haproxy/core_lua.h"
#include "hosts/haproxy/lua_scratch.h"
#include "src/base/memory.h"
#include "src/base/span.h"

#define REQUESTS "thinair_core.requests"

/* The longest answer: a chain and a key. */
#define READ_SIZE_MAX (AIR_CHAIN_SIZE_MAX + AIR_KEY_PEM_SIZE_MAX)

static int count_requests(lua_State *lua);
static int forget_requests(lua_State *lua);

void air_core_open_order(lua_State *lua) {
    static const luaL_Reg methods[] = {{"__len", count_requests}, {"__gc", forget_requests},
        {"forget", forget_requests}, {NULL, NULL}};
    luaL_newmetatable(lua, REQUESTS);
    luaL_setfuncs(lua, methods, 0);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
}

/*
 * handle:requests(content_type, body): what is ordered, a userdata with the methods below, and
 * whether it is a batch; or nil, an HTTP status and a sentence.
 */
int air_core_requests(lua_State *lua) {
    const air_span type = air_core_span(lua, 2);
    const air_span body = air_core_span(lua, 3);
    struct air_refusal refusal = {.status = 0};
    luaL_checkstack(lua, 8, "requests");
    struct air_order_requests *requests = lua_newuserdata(lua, sizeof(*requests));
    *requests = (struct air_order_requests){0};
    luaL_setmetatable(lua, REQUESTS);
    lua_pushvalue(lua, 3); /* the body, which keys may be borrowed from */
    lua_setuservalue(lua, -2);
    if (air_order_requests_read(type, body, requests, &refusal) != AIR_OK) {
        lua_pushnil(lua);
        lua_pushinteger(lua, refusal.status);
        lua_pushstring(lua, refusal.sentence);
        return 3;
    }
    lua_pushboolean(lua, requests->is_batch);
    return 2;
}

/* #requests: how many orders there are; none once they are forgotten. */
static int count_requests(lua_State *lua) {
    const struct air_order_requests *requests = luaL_checkudata(lua, 1, REQUESTS);
    lua_pushinteger(lua, (lua_Integer)requests->orders_count);
    return 1;
}

/* requests:forget(): keys are wiped now, not when Lua collects. */
static int forget_requests(lua_State *lua) {
    air_order_requests_deinit(luaL_checkudata(lua, 1, REQUESTS));
    return 0;
}

/*
 * handle:order(requests, index): start one of the orders; index from 1. A table with domain and id,
 * or domain, status and text. One at a time, because checking a key takes milliseconds.
 */
int air_core_order(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    const struct air_order_requests *requests = luaL_checkudata(lua, 2, REQUESTS);
    const lua_Integer index = luaL_checkinteger(lua, 3);
    char id[AIR_HAPROXY_ID_SIZE] = "";
    luaL_argcheck(
        lua, index >= 1 && (size_t)index <= requests->orders_count, 3, "there is no such order");
    struct air_order_request *request = &requests->orders[index - 1];
    struct air_refusal refusal = request->refusal;
    luaL_checkstack(lua, 8, "order");
    const bool is_refused =
        refusal.status != 0 || air_haproxy_order(haproxy, request, id, &refusal) != AIR_OK;
    lua_createtable(lua, 0, 4);
    if (request->names_count > 0) {
        lua_pushlstring(lua, (const char *)request->names[0].data, request->names[0].size);
        lua_setfield(lua, -2, "domain");
    }
    if (is_refused) {
        lua_pushinteger(lua, refusal.status);
        lua_setfield(lua, -2, "status");
        lua_pushstring(lua, refusal.sentence);
        lua_setfield(lua, -2, "text");
        return 1;
    }
    lua_pushstring(lua, id);
    lua_setfield(lua, -2, "id");
    return 1;
}

/* handle:ended(): how many orders have ended so far. */
int air_core_ended(lua_State *lua) {
    lua_pushinteger(lua, (lua_Integer)air_haproxy_orders_ended(air_core_of(lua)));
    return 1;
}

/* handle:view(id): "running"; "done", key types; "failed", a sentence; nil when there is none. */
int air_core_view(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    struct air_order_view view;
    air_haproxy_order_view(haproxy, air_core_span(lua, 2), &view);
    luaL_checkstack(lua, 8, "view");
    switch (view.state) {
    case AIR_ORDER_UNHEARD:
        lua_pushnil(lua);
        return 1;
    case AIR_ORDER_RUNNING:
        lua_pushliteral(lua, "running");
        return 1;
    case AIR_ORDER_FAILED:
        lua_pushliteral(lua, "failed");
        lua_pushstring(lua, view.failure);
        return 2;
    case AIR_ORDER_DONE:
        break;
    }
    lua_pushliteral(lua, "done");
    lua_createtable(lua, (int)view.key_types_count, 0);
    for (size_t i = 0; i < view.key_types_count; i++) {
        lua_pushstring(lua, air_key_type_text(view.key_types[i]));
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    return 2;
}

/* handle:read(id, key_type): the chain, then the key; nil and a sentence. */
int air_core_read(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    const air_span id = air_core_span(lua, 2);
    const enum air_key_type type = air_key_type_parse(air_core_span(lua, 3));
    struct air_lua_scratch *scratch = air_lua_scratch_push(lua, READ_SIZE_MAX);
    const enum air_error error = air_haproxy_order_read(haproxy, id, type, &scratch->out);
    if (error != AIR_OK) {
        return air_lua_fail(lua, air_error_text(error));
    }
    lua_pushlstring(lua, (const char *)scratch->out.data, scratch->out.size);
    air_lua_scratch_release(scratch);
    return 1;
}
