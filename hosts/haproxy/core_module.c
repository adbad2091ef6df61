/* SPDX-License-Identifier: MIT */
/*
 * require "thinair_core": what acme.lua is written with. Every function is short; what takes longer
 * is parted into turns by hosts/haproxy/turn.c.
 *
 * Lua raises errors by long jumps, so nothing is owned by a frame that calls it: what must be given
 * back belongs to a userdata, which Lua collects. The engine itself is one for the whole process,
 * whatever the number of Lua states (lua-load-per-thread), and lives until it ends.
 */

#include <lauxlib.h>
#include <lua.h>
#include <pthread.h>

#include "hosts/haproxy/core_lua.h"
#include "hosts/haproxy/core_tls.h"
#include "hosts/haproxy/lua_scratch.h"
#include "src/base/span.h"
#include "thinair/responder.h"

#define HANDLE "thinair_core.handle"
#define CERTIFICATES_MAX 10000
#define REASON_SIZE_MAX 4096

static int start(lua_State *lua);
static int handle_manage(lua_State *lua);
static int handle_ready(lua_State *lua);
static int handle_check(lua_State *lua);
static int handle_leave(lua_State *lua);
static int handle_turn(lua_State *lua);
static int handle_taken(lua_State *lua);
static int handle_http(lua_State *lua);
static int handle_done(lua_State *lua);
static int handle_failed(lua_State *lua);
static int handle_challenge(lua_State *lua);
static int handle_renew(lua_State *lua);
static int handle_status(lua_State *lua);
static void read_authority(lua_State *lua, struct air_authority_spec *spec, air_span *contacts);

/* The process's one engine. */
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct air_haproxy *shared;

__attribute__((visibility("default"))) int luaopen_thinair_core(lua_State *lua);

int luaopen_thinair_core(lua_State *lua) {
    static const luaL_Reg functions[] = {{"start", start}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"manage", handle_manage}, {"ready", handle_ready},
        {"check", handle_check}, {"leave", handle_leave}, {"turn", handle_turn},
        {"taken", handle_taken}, {"http", handle_http}, {"done", handle_done},
        {"failed", handle_failed}, {"challenge", handle_challenge}, {"requests", air_core_requests},
        {"order", air_core_order}, {"ended", air_core_ended}, {"view", air_core_view},
        {"read", air_core_read}, {"renew", handle_renew}, {"status", handle_status},
        {"responder", air_core_responder}, {"visitor", air_core_visitor}, {NULL, NULL}};
    /* jansson's hash seed comes from /dev/urandom, which a chroot to come may not have. */
    json_object_seed(0);
    luaL_newmetatable(lua, HANDLE);
    lua_newtable(lua);
    luaL_setfuncs(lua, methods, 0);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 1);
    air_core_open_order(lua);
    air_core_open_tls(lua);
    luaL_newlib(lua, functions);
    lua_pushliteral(lua, AIR_VERSION_TEXT);
    lua_setfield(lua, -2, "_VERSION");
    return 1;
}

struct air_haproxy *air_core_of(lua_State *lua) {
    struct air_haproxy **handle = luaL_checkudata(lua, 1, HANDLE);
    return *handle;
}

air_span air_core_span(lua_State *lua, int index) {
    size_t size = 0;
    const char *text = luaL_checklstring(lua, index, &size);
    return air_span_of(text, size);
}

/* nil and the reason, or the error's own text; gives 2. */
static int fail(lua_State *lua, enum air_error error, const struct air_buffer *reason) {
    if (reason == NULL || reason->size == 0) {
        return air_lua_fail(lua, air_error_text(error));
    }
    lua_pushnil(lua);
    lua_pushlstring(lua, (const char *)reason->data, reason->size);
    return 2;
}

/* true, or what fail() gives. */
static int succeed(lua_State *lua, enum air_error error, const struct air_buffer *reason) {
    if (error != AIR_OK) {
        return fail(lua, error, reason);
    }
    lua_pushboolean(lua, 1);
    return 1;
}

/* A text that stays on Lua's stack, so that the span is good until the function returns. */
static air_span field(lua_State *lua, int table, const char *name) {
    size_t size = 0;
    lua_getfield(lua, table, name);
    const char *text = lua_tolstring(lua, -1, &size);
    return air_span_of(text, size);
}

static bool flag(lua_State *lua, int table, const char *name) {
    lua_getfield(lua, table, name);
    bool is_set = lua_toboolean(lua, -1) != 0;
    lua_pop(lua, 1);
    return is_set;
}

/*
 * start{directory=, contacts=, agreed=, state=, challenges=, target=}: a handle, and whether it is
 * the first; nil and a sentence.
 */
static int start(lua_State *lua) {
    struct air_haproxy_config config = {.authority = {.size = sizeof(config.authority)}};
    enum air_challenge_type challenges[AIR_CHALLENGES_MAX];
    air_span contacts[AIR_CONTACTS_MAX];
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    luaL_checkstack(lua, AIR_CONTACTS_MAX + 16, "contacts");
    read_authority(lua, &config.authority, contacts);
    config.authority.contacts = contacts;
    config.state_dir = (const char *)field(lua, 1, "state").data;
    config.has_target = flag(lua, 1, "target");
    config.challenges = challenges;
    lua_getfield(lua, 1, "challenges");
    for (int i = 1; lua_istable(lua, -1) && i <= (int)lua_rawlen(lua, -1); i++) {
        lua_rawgeti(lua, -1, i);
        const enum air_challenge_type type =
            air_challenge_type_parse(air_span_text(luaL_optstring(lua, -1, "")));
        lua_pop(lua, 1);
        if (type == AIR_CHALLENGE_NONE || i > AIR_CHALLENGES_MAX) {
            return luaL_error(lua, "challenges: http-01, tls-alpn-01, or both");
        }
        challenges[config.challenges_count++] = type;
    }
    struct air_haproxy **handle = lua_newuserdata(lua, sizeof(*handle));
    luaL_setmetatable(lua, HANDLE);

    struct air_buffer *reason = &air_lua_scratch_push(lua, REASON_SIZE_MAX)->text;
    enum air_error error = AIR_OK;
    (void)pthread_mutex_lock(&shared_mutex);
    const bool is_first = shared == NULL;
    if (is_first) {
        error = air_haproxy_new(&config, &shared, reason);
    }
    *handle = shared;
    (void)pthread_mutex_unlock(&shared_mutex);
    if (error != AIR_OK) {
        return fail(lua, error, reason);
    }
    lua_pop(lua, 1); /* the reason */
    lua_pushboolean(lua, is_first);
    return 2;
}

static void read_authority(lua_State *lua, struct air_authority_spec *spec, air_span *contacts) {
    spec->directory_url = field(lua, 1, "directory");
    spec->terms_agreed = flag(lua, 1, "agreed");
    lua_getfield(lua, 1, "contacts");
    const int list = lua_gettop(lua);
    const size_t count = lua_istable(lua, list) ? lua_rawlen(lua, list) : 0;
    if (count > AIR_CONTACTS_MAX) {
        luaL_error(lua, "there may be at most %d contacts", AIR_CONTACTS_MAX);
    }
    for (int i = 1; i <= (int)count; i++) {
        size_t size = 0;
        lua_rawgeti(lua, list, i);
        const char *text = lua_tolstring(lua, -1, &size);
        if (text == NULL) {
            luaL_error(lua, "a contact must be a text, as mailto:hostmaster@example.net");
        }
        contacts[spec->contacts_count++] = air_span_of(text, size);
    }
}

/* handle:manage(names, key_types, must_staple): true; nil and a sentence. */
static int handle_manage(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    enum air_key_type key_types[AIR_KEY_TYPES_MAX];
    air_span names[AIR_NAMES_MAX];
    size_t names_count = 0;
    size_t key_types_count = 0;
    const bool must_staple = lua_toboolean(lua, 4) != 0;
    luaL_checktype(lua, 2, LUA_TTABLE);
    luaL_checktype(lua, 3, LUA_TTABLE);
    luaL_checkstack(lua, AIR_NAMES_MAX + 16, "names");
    if (lua_rawlen(lua, 2) > AIR_NAMES_MAX) {
        return luaL_error(lua, "a certificate has at most %d names", AIR_NAMES_MAX);
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, 2); i++) {
        lua_rawgeti(lua, 2, i);
        names[names_count++] = air_core_span(lua, -1);
    }
    for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(lua, 3); i++) {
        lua_rawgeti(lua, 3, i);
        const enum air_key_type type = air_key_type_parse(air_core_span(lua, -1));
        if (type == AIR_KEY_NONE || key_types_count == AIR_KEY_TYPES_MAX) {
            return luaL_error(lua, "keys: one of ecdsa-p256, ecdsa-p384 and one of rsa-2048, "
                                   "rsa-3072, rsa-4096");
        }
        key_types[key_types_count++] = type;
    }
    struct air_buffer *reason = &air_lua_scratch_push(lua, REASON_SIZE_MAX)->text;
    const enum air_error error = air_haproxy_manage(
        haproxy, names, names_count, key_types, key_types_count, must_staple, reason);
    return succeed(lua, error, reason);
}

/* handle:ready(): true, once all certificates of the configuration are managed; nil and a sentence.
 */
static int handle_ready(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    struct air_buffer *reason = &air_lua_scratch_push(lua, REASON_SIZE_MAX)->text;
    const enum air_error error = air_haproxy_ready(haproxy, reason);
    return succeed(lua, error, reason);
}

/* handle:check(): true, or nil and a sentence: may this process work in the state directory? */
static int handle_check(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    struct air_buffer *reason = &air_lua_scratch_push(lua, REASON_SIZE_MAX)->text;
    const bool may_work = air_haproxy_may_work(haproxy, reason);
    return succeed(lua, may_work ? AIR_OK : AIR_ERR_PERMISSION, reason);
}

/* handle:leave(): let the next process manage; true when nothing is left but to take turns until
 * one is idle. */
static int handle_leave(lua_State *lua) {
    lua_pushboolean(lua, air_haproxy_leave(air_core_of(lua)));
    return 1;
}

static void set_span(lua_State *lua, const char *name, air_span value) {
    lua_pushlstring(lua, value.size > 0 ? (const char *)value.data : "", value.size);
    lua_setfield(lua, -2, name);
}

static void set_integer(lua_State *lua, const char *name, int64_t value) {
    lua_pushinteger(lua, (lua_Integer)value);
    lua_setfield(lua, -2, name);
}

static int push_http(lua_State *lua, const struct air_action *action) {
    lua_pushliteral(lua, "http");
    lua_createtable(lua, 0, 6);
    set_integer(lua, "id", (int64_t)action->id);
    set_span(lua, "method", action->http.method);
    set_span(lua, "url", action->http.url);
    set_span(lua, "body", action->http.body);
    set_integer(lua, "body_max", action->http.body_max);
    set_integer(lua, "deadline_ms", action->http.deadline_ms);
    return 2;
}

static int push_install(lua_State *lua, const struct air_action *action) {
    const struct air_install_action *install = &action->install;
    lua_pushliteral(lua, "install");
    lua_createtable(lua, 0, 6);
    set_integer(lua, "id", (int64_t)action->id);
    set_span(lua, "certificate", install->certificate);
    set_span(lua, "key_type", air_span_text(air_key_type_text(install->key_type)));
    set_span(lua, "chain", install->chain);
    set_span(lua, "key", install->key);
    lua_createtable(lua, (int)install->names_count, 0);
    for (size_t i = 0; i < install->names_count; i++) {
        lua_pushlstring(lua, (const char *)install->names[i].data, install->names[i].size);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
    lua_setfield(lua, -2, "names");
    return 2;
}

static int push_event(
    lua_State *lua, struct air_haproxy *haproxy, const struct air_action *action) {
    static const char *const levels[] = {"debug", "info", "warning", "alarm"};
    const struct air_event_action *event = &action->event;
    struct air_order_view view;
    air_haproxy_order_view(haproxy, event->certificate, &view);
    lua_pushliteral(lua, "event");
    lua_createtable(lua, 0, 6);
    set_span(lua, "event", air_span_text(air_event_text(event->event)));
    set_span(lua, "level", air_span_text(levels[air_event_level(event->event)]));
    /* A client's order has a digest for its id: people know it by its first name. */
    set_span(lua, "certificate",
        view.state == AIR_ORDER_UNHEARD ? event->certificate : air_span_text(view.domain));
    set_span(lua, "key_type", air_span_text(air_key_type_text(event->key_type)));
    set_span(lua, "text", event->text);
    lua_pushboolean(lua, event->certificate.size > 0 && air_haproxy_is_managed(event->certificate));
    lua_setfield(lua, -2, "is_managed");
    return 2;
}

/* handle:turn(): "again"; "idle", ms; "rest", ms; "http", request; "install", certificate; "event",
 * event. */
static int handle_turn(lua_State *lua) {
    struct air_turn turn;
    struct air_haproxy *haproxy = air_core_of(lua);
    luaL_checkstack(lua, 8, "turn");
    air_haproxy_turn(haproxy, &turn);
    switch (turn.kind) {
    case AIR_TURN_HTTP:
        return push_http(lua, turn.action);
    case AIR_TURN_INSTALL:
        return push_install(lua, turn.action);
    case AIR_TURN_EVENT:
        return push_event(lua, haproxy, turn.action);
    case AIR_TURN_IDLE:
        lua_pushliteral(lua, "idle");
        lua_pushinteger(lua, turn.pause_ms);
        return 2;
    case AIR_TURN_REST:
        lua_pushliteral(lua, "rest");
        lua_pushinteger(lua, turn.pause_ms);
        return 2;
    case AIR_TURN_AGAIN:
        break;
    }
    lua_pushliteral(lua, "again");
    return 1;
}

/* handle:taken(): what the latest turn asked for will be completed. */
static int handle_taken(lua_State *lua) {
    air_haproxy_taken(air_core_of(lua));
    return 0;
}

/* false: there was no memory, tell it again later. */
static int complete(lua_State *lua, struct air_haproxy *haproxy, const struct air_result *result) {
    const uint64_t id = (uint64_t)luaL_checkinteger(lua, 2);
    lua_pushboolean(lua, air_haproxy_complete(haproxy, id, result) == AIR_OK);
    return 1;
}

/* handle:http(id, status, headers, body): headers are name, value, name, value... */
static int handle_http(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    struct air_http_header headers[64];
    struct air_result result = {.error = AIR_OK};
    luaL_checktype(lua, 4, LUA_TTABLE);
    luaL_checkstack(lua, 2 * 64 + 8, "headers");
    result.http.status = (uint32_t)luaL_checkinteger(lua, 3);
    result.http.body = air_core_span(lua, 5);
    const size_t count = lua_rawlen(lua, 4) / 2;
    for (size_t i = 0; i < count && i < sizeof(headers) / sizeof(headers[0]); i++) {
        lua_rawgeti(lua, 4, (lua_Integer)(2 * i) + 1);
        headers[i].name = air_core_span(lua, -1);
        lua_rawgeti(lua, 4, (lua_Integer)(2 * i) + 2);
        headers[i].value = air_core_span(lua, -1);
        result.http.headers_count = i + 1;
    }
    result.http.headers = headers;
    return complete(lua, haproxy, &result);
}

/* handle:done(id) */
static int handle_done(lua_State *lua) {
    return complete(lua, air_core_of(lua), &(struct air_result){.error = AIR_OK});
}

/* handle:failed(id, kind, sentence): kind is "network", "limit", "refused". */
static int handle_failed(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    const air_span kind = air_core_span(lua, 3);
    struct air_result result = {.error = AIR_ERR_REFUSED};
    if (air_span_equal_text(kind, "network")) {
        result.error = AIR_ERR_NETWORK;
    } else if (air_span_equal_text(kind, "limit")) {
        result.error = AIR_ERR_LIMIT;
    }
    result.explanation = air_span_take(air_core_span(lua, 4), 512);
    return complete(lua, haproxy, &result);
}

/* handle:challenge(method, path, host): what to answer, or nil. */
static int handle_challenge(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    const air_span method = air_core_span(lua, 2);
    const air_span path = air_core_span(lua, 3);
    const air_span host = air_core_span(lua, 4);
    struct air_buffer *body = &air_lua_scratch_push(lua, AIR_RESPONDER_ANSWER_SIZE_MAX)->out;
    if (air_haproxy_answer(haproxy, method, path, host, body) != AIR_OK) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushlstring(lua, (const char *)body->data, body->size);
    return 1;
}

/* handle:renew(id): true, or nil and a sentence. */
static int handle_renew(lua_State *lua) {
    const enum air_error error = air_haproxy_renew(air_core_of(lua), air_core_span(lua, 2));
    return succeed(lua, error, NULL);
}

/* handle:status(): a list of all lineages that are managed. Times are in seconds. */
static int handle_status(lua_State *lua) {
    struct air_haproxy *haproxy = air_core_of(lua);
    struct air_buffer *text = &air_lua_scratch_push(lua, AIR_HAPROXY_LINEAGE_SIZE_MAX)->text;
    struct air_haproxy_lineage lineage;
    lua_Integer count = 0;
    lua_newtable(lua);
    for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
        if (air_haproxy_status(haproxy, i, &lineage, text) != AIR_OK) {
            break;
        }
        if (lineage.is_private) {
            continue;
        }
        lua_createtable(lua, 0, 10);
        set_span(lua, "id", lineage.id);
        set_span(lua, "names", lineage.names);
        set_span(lua, "key_type", air_span_text(air_key_type_text(lineage.key_type)));
        set_span(lua, "state", air_span_text(air_state_text(lineage.state)));
        set_span(lua, "last_error", lineage.failure);
        set_integer(lua, "generation", lineage.generation);
        set_integer(lua, "not_before", lineage.not_before_ms / 1000);
        set_integer(lua, "not_after", lineage.not_after_ms / 1000);
        set_integer(lua, "next", lineage.next_ms / 1000);
        set_span(lua, "serial", lineage.serial);
        lua_rawseti(lua, -2, ++count);
    }
    return 1;
}
