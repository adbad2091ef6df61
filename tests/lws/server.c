/* SPDX-License-Identifier: MIT */
/*
 * A libwebsockets server as tests want it: TLS vhosts with the protocol's options, a page over
 * HTTP/1 and HTTP/2, and a websocket that echoes. It tells at its end how long, in CPU time, the
 * loop was held at most by everything that ran in one of its turns.
 *
 * usage: server [-u UID] [-0] (-v NAME PORT CERT KEY [-o NAME VALUE]...)...
 *
 *   -u  become that user, and its group, once the vhosts are there
 *   -0  our protocol is protocols[0] of every vhost; else the last one
 *
 * Ends with SIGTERM, with its parent, or after ten minutes.
 */
#include <grp.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "thinair/lws.h"

#define LIFE_S 600
#define VHOSTS_MAX 8
#define OPTIONS_MAX 128
#define ECHO_SIZE_MAX 1024

struct echo {
    unsigned char bytes[LWS_PRE + ECHO_SIZE_MAX];
    size_t size;
};

static struct lws_protocol_vhost_options options[OPTIONS_MAX];
static struct lws_protocol_vhost_options heads[VHOSTS_MAX];
static struct lws_context *context;
static volatile sig_atomic_t has_to_end;

static int serve(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);
static int echo(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);

static const struct lws_protocols last[] = {
    {"http", serve, 0, 0, 0, NULL, 0},
    {"echo", echo, sizeof(struct echo), ECHO_SIZE_MAX, 0, NULL, 0},
    AIR_LWS_PROTOCOL,
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
static const struct lws_protocols first[] = {
    AIR_LWS_PROTOCOL,
    {"http", serve, 0, 0, 0, NULL, 0},
    {"echo", echo, sizeof(struct echo), ECHO_SIZE_MAX, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void on_signal(int number) {
    (void)number;
    has_to_end = 1;
    lws_cancel_service(context);
}

/* CPU time of this thread, in microseconds: what others do on the machine does not count. */
static long cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

/* "NAME says hello" for every path. */
static int serve(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    unsigned char packet[LWS_PRE + 1024];
    unsigned char *start = packet + LWS_PRE;
    unsigned char *place = start;
    unsigned char *limit = packet + sizeof(packet) - 1;
    char page[256] = "";
    if (reason != LWS_CALLBACK_HTTP && reason != LWS_CALLBACK_HTTP_WRITEABLE) {
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
    const int page_size =
        snprintf(page, sizeof(page), "%s says hello", lws_get_vhost_name(lws_get_vhost(wsi)));
    if (reason == LWS_CALLBACK_HTTP) {
        if (lws_add_http_common_headers(
                wsi, HTTP_STATUS_OK, "text/plain", (lws_filepos_t)page_size, &place, limit) != 0 ||
            lws_finalize_write_http_header(wsi, start, &place, limit) != 0) {
            return 1;
        }
        lws_callback_on_writable(wsi);
        return 0;
    }
    memcpy(start, page, (size_t)page_size);
    if (lws_write(wsi, start, (size_t)page_size, LWS_WRITE_HTTP_FINAL) != page_size) {
        return 1;
    }
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

static int echo(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    struct echo *said = user;
    if (reason == LWS_CALLBACK_RECEIVE && size <= ECHO_SIZE_MAX) {
        memcpy(said->bytes + LWS_PRE, in, size);
        said->size = size;
        lws_callback_on_writable(wsi);
    }
    if (reason == LWS_CALLBACK_SERVER_WRITEABLE && said->size > 0) {
        const size_t said_size = said->size;
        said->size = 0;
        return lws_write(wsi, said->bytes + LWS_PRE, said_size, LWS_WRITE_TEXT) < 0 ? -1 : 0;
    }
    return 0;
}

/* Pages are not protocols[0]'s where that is ours. */
static const struct lws_http_mount everything = {
    .mountpoint = "/", .mountpoint_len = 1, .origin = "http", .origin_protocol = LWSMPRO_CALLBACK};

static struct lws_vhost *make_vhost(char **words, size_t index, bool is_first) {
    struct lws_context_creation_info info = {0};
    info.vhost_name = words[0];
    info.iface = "127.0.0.1";
    info.port = (int)strtol(words[1], NULL, 10);
    info.ssl_cert_filepath = words[2];
    info.ssl_private_key_filepath = words[3];
    info.protocols = is_first ? first : last;
    info.mounts = is_first ? &everything : NULL;
    info.alpn = "h2,http/1.1";
    info.pvo = heads[index].options != NULL ? &heads[index] : NULL;
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_IGNORE_MISSING_CERT;
    return lws_create_vhost(context, &info);
}

static bool become(int id) {
    const gid_t group = (gid_t)id;
    return setgroups(1, &group) == 0 && setgid(group) == 0 && setuid((uid_t)id) == 0 &&
           prctl(PR_SET_PDEATHSIG, SIGTERM) == 0;
}

int main(int count, char **words) {
    struct lws_context_creation_info info = {0};
    char **vhosts[VHOSTS_MAX];
    size_t vhosts_count = 0;
    size_t options_count = 0;
    bool is_first = false;
    int user = 0;
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "-u") == 0) {
            user = (int)strtol(words[++i], NULL, 10);
        } else if (strcmp(words[i], "-0") == 0) {
            is_first = true;
        } else if (strcmp(words[i], "-v") == 0 && i + 4 < count && vhosts_count < VHOSTS_MAX) {
            heads[vhosts_count].name = AIR_LWS_PROTOCOL_NAME;
            vhosts[vhosts_count++] = &words[i + 1];
            i += 4;
        } else if (strcmp(words[i], "-o") == 0 && i + 2 < count && vhosts_count > 0 &&
                   options_count < OPTIONS_MAX) {
            struct lws_protocol_vhost_options *option = &options[options_count++];
            option->name = words[i + 1];
            option->value = words[i + 2];
            option->next = heads[vhosts_count - 1].options;
            heads[vhosts_count - 1].options = option;
            i += 2;
        } else {
            fprintf(stderr, "server: %s?\n", words[i]);
            return 2;
        }
    }
    lws_set_log_level(LLL_ERR | LLL_WARN | LLL_NOTICE | LLL_USER, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.port = CONTEXT_PORT_NO_LISTEN;
    context = lws_create_context(&info);
    for (size_t i = 0; i < vhosts_count; i++) {
        if (context == NULL || make_vhost(vhosts[i], i, is_first) == NULL) {
            return 1;
        }
    }
    signal(SIGTERM, on_signal);
    if (lws_protocol_init(context) != 0 || (user != 0 && !become(user))) {
        return 1;
    }
    lwsl_user("listening\n");
    const time_t end = time(NULL) + LIFE_S;
    long longest_us = 0;
    for (int result = 0; !has_to_end && time(NULL) < end && result >= 0;) {
        const long begun_us = cpu_us();
        result = lws_service(context, 0);
        const long took_us = cpu_us() - begun_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
    }
    lwsl_user("longest turn %ld us\n", longest_us);
    lws_context_destroy(context);
    return 0;
}
