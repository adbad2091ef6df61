/* SPDX-License-Identifier: MIT */
/*
 * A plain OpenSSL server whose certificate comes from thinair: three calls in main(), the rest is
 * what any such server has. It says "hello" to every client, one after the other.
 *
 *     openssl_server NAME PORT STATE_DIRECTORY DIRECTORY_URL [ROOTS]
 *
 * The CA must reach PORT as port 443 of NAME: it validates on the same port (tls-alpn-01). ROOTS is
 * a PEM file to believe when talking to the CA; without it the system's. End it with Ctrl-C.
 */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "thinair/server.h"

/* Nobody keeps the others waiting for longer. */
#define CLIENT_TIMEOUT_S 5

static air_span text(const char *from) {
    return (air_span){(const uint8_t *)from, strlen(from)};
}

static void on_event(void *context, const struct air_event_action *event) {
    (void)context;
    fprintf(stderr, "%s: %.*s\n", air_event_text(event->event), (int)event->text.size,
        (const char *)event->text.data);
}

/* Ask for one certificate. */
static struct air_server *start(char **arguments) {
    const enum air_challenge_type challenge = AIR_TLS_ALPN_01;
    const air_span name = text(arguments[1]);
    const struct air_authority_spec authority = {
        .size = sizeof(authority),
        .directory_url = text(arguments[4]),
        .trust = text(arguments[5] != NULL ? arguments[5] : ""),
        .terms_agreed = true,
    };
    const struct air_certificate_spec certificate = {
        .size = sizeof(certificate),
        .names = &name,
        .names_count = 1,
        .directory_url = authority.directory_url,
        .challenges = &challenge,
        .challenges_count = 1,
    };
    const struct air_server_config config = {
        .size = sizeof(config),
        .state_dir = arguments[3],
        .authorities = &authority,
        .authorities_count = 1,
        .certificates = &certificate,
        .certificates_count = 1,
        .on_event = on_event,
    };
    struct air_server *server = NULL;
    struct air_buffer reason;

    air_buffer_init(&reason, 1024);
    if (air_server_start(&config, &server, &reason) != AIR_OK) {
        fprintf(stderr, "%.*s\n", (int)reason.size, (const char *)reason.data);
    }
    air_buffer_deinit(&reason);
    return server;
}

static int listen_on(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 64) != 0) {
        perror("listen");
        exit(1);
    }
    return listener;
}

static void say_hello(SSL_CTX *context, int client) {
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    SSL *ssl = SSL_new(context);
    char request[4096];

    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (ssl != NULL && SSL_set_fd(ssl, client) == 1 && SSL_accept(ssl) == 1 &&
        !air_tls_is_challenge(ssl) && SSL_read(ssl, request, sizeof(request)) > 0) {
        SSL_write(ssl, answer, sizeof(answer) - 1);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(client);
}

int main(int count, char **arguments) {
    struct air_server *server;
    SSL_CTX *context;
    int listener;

    if (count != 5 && count != 6) {
        fprintf(stderr, "usage: %s NAME PORT STATE_DIRECTORY DIRECTORY_URL [ROOTS]\n", *arguments);
        return 2;
    }
    context = SSL_CTX_new(TLS_server_method());
    server = start(arguments);
    if (context == NULL || server == NULL ||
        air_server_attach(server, context, text("\x08http/1.1")) != AIR_OK ||
        air_server_wait_loaded(server, 10000) != AIR_OK) {
        return 1;
    }
    listener = listen_on((uint16_t)strtoul(arguments[2], NULL, 10));
    for (;;) {
        int client = accept(listener, NULL, NULL);

        if (client >= 0) {
            say_hello(context, client);
        }
    }
}
