/* SPDX-License-Identifier: MIT */
/*
 * The protocol as a plugin for lwsws. libwebsockets looks for a symbol named as the file is,
 * without "libprotocol_" and ".so": the file must be libprotocol_lws_acme_client.so.
 */

#include "thinair/lws.h"

static const struct lws_protocols protocols[] = {AIR_LWS_PROTOCOL};

AIR_API extern const lws_plugin_protocol_t lws_acme_client;

const lws_plugin_protocol_t lws_acme_client = {
    .hdr =
        {
            .name = "acme client",
            ._class = "lws_protocol_plugin",
#if defined(LWS_BUILD_HASH)
            .lws_build_hash = LWS_BUILD_HASH,
#endif
            .api_magic = LWS_PLUGIN_API_MAGIC,
        },
    .protocols = protocols,
    .count_protocols = LWS_ARRAY_SIZE(protocols),
};
