/* SPDX-License-Identifier: MIT */
/*
 * The smallest plugin that shows that one compiled here is loaded by lwsws: it gets a vhost's
 * options, and answers requests with the library's version.
 *
 * lwsws looks for an object named after the file: libprotocol_air_probe.so has air_probe.
 */
#include <libwebsockets.h>
#include <string.h>

#include "thinair/thinair.h"

static int probe(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);
static int answer(struct lws *wsi);

static const struct lws_protocols protocols[] = {
    {"air-probe", probe, 0, 0, 0, NULL, 0},
};

/* Version 4.3 compares what the headers of both were made from. */
AIR_API extern const lws_plugin_protocol_t air_probe;
const lws_plugin_protocol_t air_probe = {
    .hdr =
        {
            .name = "air_probe",
            ._class = "lws_protocol_plugin",
#if defined(LWS_BUILD_HASH)
            .lws_build_hash = LWS_BUILD_HASH,
#endif
            .api_magic = LWS_PLUGIN_API_MAGIC,
        },
    .protocols = protocols,
    .count_protocols = 1,
};

static int probe(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    const struct lws_protocol_vhost_options *option = in;
    const char *text = lws_get_library_version();
    unsigned char buffer[LWS_PRE + 256];
    if (reason == LWS_CALLBACK_PROTOCOL_INIT && option != NULL) {
        lwsl_err("probe: option %s is %s\n", option->name, option->value);
        return 0;
    }
    if (reason == LWS_CALLBACK_HTTP) {
        return answer(wsi);
    }
    if (reason == LWS_CALLBACK_HTTP_WRITEABLE) {
        memcpy(buffer + LWS_PRE, text, strlen(text));
        lws_write(wsi, buffer + LWS_PRE, strlen(text), LWS_WRITE_HTTP_FINAL);
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    }
    return lws_callback_http_dummy(wsi, reason, user, in, size);
}

static int answer(struct lws *wsi) {
    unsigned char head[LWS_PRE + 1024];
    unsigned char *start = head + LWS_PRE;
    unsigned char *place = start;
    unsigned char *end = head + sizeof(head) - 1;
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "text/plain",
            strlen(lws_get_library_version()), &place, end) != 0 ||
        lws_finalize_write_http_header(wsi, start, &place, end) != 0) {
        return -1;
    }
    lws_callback_on_writable(wsi);
    return 0;
}
