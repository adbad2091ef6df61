/* SPDX-License-Identifier: MIT */
/*
 * A libwebsockets server whose vhost gets, serves and renews its certificate from thin air. Start
 * it as root: it keeps key and certificate in a directory that only root may see, and becomes the
 * user `nobody` before it serves.
 *
 * usage: lws_server NAME PORT DIRECTORY EMAIL CA_DIRECTORY_URL [CA_FILE]
 *
 *   NAME, PORT        what clients ask for, and where; the CA looks there too: 443 for a public one
 *   DIRECTORY         of root, mode 0700, that is there
 *   CA_DIRECTORY_URL  as https://acme-staging-v02.api.letsencrypt.org/directory; by naming it here
 *                     you agree to that CA's terms of service
 *   CA_FILE           roots to believe when talking to the CA, where it is a private one
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "thinair/lws.h"

#define PATH_SIZE 512

static volatile sig_atomic_t has_to_end;

static void on_signal(int number) {
    (void)number;
    has_to_end = 1;
}

/* A page for whoever asks. */
static int serve(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    static const char page[] = "hello\n";
    unsigned char packet[LWS_PRE + 512];
    unsigned char *start = packet + LWS_PRE;
    unsigned char *place = start;
    if (reason != LWS_CALLBACK_HTTP) {
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "text/plain", sizeof(page) - 1, &place,
            packet + sizeof(packet)) != 0 ||
        lws_finalize_write_http_header(wsi, start, &place, packet + sizeof(packet)) != 0) {
        return 1;
    }
    memcpy(start, page, sizeof(page) - 1);
    if (lws_write(wsi, start, sizeof(page) - 1, LWS_WRITE_HTTP_FINAL) < 0) {
        return 1;
    }
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

int main(int count, char **words) {
    static const struct lws_protocols protocols[] = {
        {"http", serve, 0, 0, 0, NULL, 0}, AIR_LWS_PROTOCOL, {NULL, NULL, 0, 0, 0, NULL, 0}};
    char auth[PATH_SIZE], chain[PATH_SIZE], key[PATH_SIZE];
    if (count < 6) {
        fprintf(stderr, "usage: lws_server NAME PORT DIRECTORY EMAIL CA_DIRECTORY_URL [CA_FILE]\n");
        return 2;
    }
    snprintf(auth, sizeof(auth), "%s/auth.jwk", words[3]);
    snprintf(chain, sizeof(chain), "%s/chain.pem", words[3]);
    snprintf(key, sizeof(key), "%s/key.pem", words[3]);
    const struct lws_protocol_vhost_options options[] = {
        {&options[1], NULL, "common-name", words[1]}, {&options[2], NULL, "email", words[4]},
        {&options[3], NULL, "directory-url", words[5]}, {&options[4], NULL, "auth-path", auth},
        {&options[5], NULL, "cert-path", chain}, {&options[6], NULL, "key-path", key},
        {&options[7], NULL, "agree-terms", "1"},
        {NULL, NULL, "ca-file", count > 6 ? words[6] : ""}};
    const struct lws_protocol_vhost_options head = {NULL, &options[0], AIR_LWS_PROTOCOL_NAME, ""};
    struct lws_context_creation_info info = {0};
    info.username = "nobody";
    info.groupname = "nogroup";
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    struct lws_context *context = lws_create_context(&info);
    info.port = (int)strtol(words[2], NULL, 10);
    info.vhost_name = words[1];
    info.protocols = protocols;
    info.pvo = &head;
    info.ssl_cert_filepath = chain;
    info.ssl_private_key_filepath = key;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_IGNORE_MISSING_CERT;
    /* Protocols are initialized as root; then libwebsockets gives it up. */
    const bool is_ready = context != NULL && lws_create_vhost(context, &info) != NULL &&
                          lws_protocol_init(context) == 0;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    while (is_ready && !has_to_end && lws_service(context, 0) >= 0) {
    }
    lws_context_destroy(context);
    return is_ready ? 0 : 1;
}
