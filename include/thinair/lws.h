/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_LWS_H
#define THINAIR_LWS_H

/*
 * Certificates for libwebsockets 4.1 and later on OpenSSL: a protocol that gets, serves and renews
 * those of the vhosts that have its options. hosts/lws/README.md is its manual.
 */

#include <libwebsockets.h>

#include "thinair/thinair.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AIR_LWS_PROTOCOL_NAME "lws-acme-client"

/*
 * For a vhost's list of protocols; anywhere in it:
 *
 *     struct lws_protocols protocols[] = {{"http", ...}, AIR_LWS_PROTOCOL, {0}};
 *
 * What is wanted is said by per-vhost options for its name (struct lws_protocol_vhost_options):
 * vhosts without these are left alone. What is wrong with options is logged, with the vhost's name;
 * the vhost then serves what it has.
 */
#define AIR_LWS_PROTOCOL                                                                           \
    { AIR_LWS_PROTOCOL_NAME, air_lws_callback, 0, 0, 0, NULL, 0 }

AIR_API int air_lws_callback(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

#ifdef __cplusplus
}
#endif

#endif
