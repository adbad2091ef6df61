/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_JOSE_KEY_H
#define AIR_HAPROXY_JOSE_KEY_H

/*
 * Keys as Lua sees them: a userdata over a handle of the module's crypto port.
 */

#include <lua.h>

#include "hosts/haproxy/lua_json.h"
#include "thinair/crypto.h"

struct air_jose_key {
    const struct air_crypto *crypto;
    uint64_t handle;                  /* 0: there is no private half */
    struct air_public_key public_key; /* AIR_KEY_NONE: closed */
};

/* Make the Lua state's crypto port and the metatable of keys, once. Raises a sentence. */
void air_jose_open(lua_State *lua);

/* The crypto port of this Lua state. Raises after lua_close() has begun. */
const struct air_crypto *air_jose_crypto(lua_State *lua);

/* The key at index; raises when it is none or is closed. */
struct air_jose_key *air_jose_key_at(lua_State *lua, int index);

/*
 * The public key that the argument at index means: a key, or a JWK or PEM text, or a JWK as a
 * table. Raises when it is of another type. Returns NULL, or why there is none.
 */
const char *air_jose_key_read_public(lua_State *lua, int index, struct air_public_key *out);

/* For air_lua_json_build(): a key stands for its public JWK. */
extern const struct air_lua_json_writer air_jose_key_writer;

/* jose.import and jose.generate. */
int air_jose_key_import(lua_State *lua);
int air_jose_key_generate(lua_State *lua);

#endif
