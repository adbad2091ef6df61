/* SPDX-License-Identifier: MIT */
/*
 * The protocol's callbacks: what each vhost asks for goes to a resident while the process is still
 * root; from the first turn of the loop on, timers and the keeper's socket make the residents turn.
 *
 * Invariant: nothing that is wrong with one vhost's options keeps it, or another, from being served
 * as libwebsockets would serve it without us.
 */

#include "thinair/lws.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "hosts/lws/contexts.h"
#include "hosts/lws/exchange.h"
#include "hosts/lws/log.h"
#include "hosts/lws/resident.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/responder.h"

#define CHALLENGES "/.well-known/acme-challenge"
#define PATH_SIZE 512
#define REASON_SIZE_MAX 4096

/* How long turns go on before the loop gets its own, and how long that lasts at least. */
#define WORK_US (4 * LWS_US_PER_MS)
#define REST_US 1000

/* Contexts that libwebsockets made anew are found after that at the latest. */
#define LOOK_MS 1000

/* A resident, with what libwebsockets does for it. */
struct home {
    struct home *next;
    struct lws_context *context;
    struct air_resident *resident;
    struct air_exchanges *exchanges;
    lws_sorted_usec_list_t tick;
    struct lws_vhost *vhost; /* the first */
    struct lws *keeper;      /* its socket, polled; or NULL */
    size_t vhosts_count;
    int http_port; /* to be opened; 0: none */
    char state_dir[AIR_LWS_PATH_SIZE];
};

/* A vhost's own memory of ours. */
struct lodging {
    struct home *home;
};

static struct home *homes; /* one for each context and state directory */

static int begin(struct lws *wsi, const struct lws_protocol_vhost_options *list);
static void end(struct lws *wsi);
static enum air_error settle(struct lws *wsi, const struct air_lws_options *options,
    struct home **out, struct air_buffer *reason);
static enum air_error open_home(
    struct lws *wsi, const struct air_lws_options *options, struct air_buffer *reason);
static void open_plain_vhost(struct home *home);
static void close_home(struct home *home);
static void on_tick(lws_sorted_usec_list_t *timer);
static void watch_keeper(struct home *home);
static bool turn(struct home *home, uint32_t *pause_ms);
static void on_answered(void *host, uint64_t id, const struct air_result *result);
static int answer(struct lws *wsi);

int air_lws_callback(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    struct home *home = NULL;
    switch ((int)reason) {
    case LWS_CALLBACK_PROTOCOL_INIT:
        return begin(wsi, in);
    case LWS_CALLBACK_PROTOCOL_DESTROY:
        end(wsi);
        return 0;
    case LWS_CALLBACK_HTTP:
        return answer(wsi);
    case LWS_CALLBACK_RAW_RX_FILE:
    case LWS_CALLBACK_RAW_WRITEABLE_FILE:
        home = lws_get_opaque_user_data(wsi);
        if (home == NULL) {
            return -1;
        }
        on_tick(&home->tick);
        return air_resident_socket(home->resident) < 0 ? -1 : 0; /* it has ended: look no more */
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        home = lws_get_opaque_user_data(wsi);
        if (home != NULL) {
            home->keeper = NULL;
        }
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, size);
    }
}

/* 0 whatever happens: the vhost is to be there. */
static int begin(struct lws *wsi, const struct lws_protocol_vhost_options *list) {
    struct lws_vhost *vhost = lws_get_vhost(wsi);
    struct lodging *lodging = NULL;
    struct air_lws_options options;
    struct air_buffer reason;
    struct home *home = NULL;
    if (list == NULL) {
        return 0;
    }
    air_buffer_init(&reason, REASON_SIZE_MAX);
    enum air_error error = air_lws_options_read(list, &options, &reason);
    if (error == AIR_OK) {
        lodging = lws_protocol_vh_priv_zalloc(vhost, lws_get_protocol(wsi), sizeof(*lodging));
        error = lodging == NULL ? AIR_ERR_NO_MEMORY : settle(wsi, &options, &home, &reason);
    }
    if (error == AIR_OK) {
        lodging->home = home;
        home->vhosts_count++;
        air_log_pair(vhost, &options, &reason);
    } else {
        air_log_refusal(vhost, error, &reason);
    }
    air_lws_options_deinit(&options);
    air_buffer_deinit(&reason);
    return 0;
}

static void end(struct lws *wsi) {
    struct lodging *lodging = lws_protocol_vh_priv_get(lws_get_vhost(wsi), lws_get_protocol(wsi));
    struct home *home = lodging != NULL ? lodging->home : NULL;
    if (home != NULL && --home->vhosts_count == 0) {
        close_home(home);
    }
}

static enum air_error settle(struct lws *wsi, const struct air_lws_options *options,
    struct home **out, struct air_buffer *reason) {
    struct lws_context *context = lws_get_context(wsi);
    struct home *home = homes;
    while (home != NULL &&
           (home->context != context || strcmp(home->state_dir, options->state_dir) != 0)) {
        home = home->next;
    }
    if (home == NULL) {
        const enum air_error error = open_home(wsi, options, reason);
        if (error != AIR_OK) {
            return error;
        }
        home = homes;
    }
    enum air_error error = air_exchanges_trust(
        home->exchanges, options->ca_file != NULL ? options->ca_file : "", reason);
    if (error == AIR_OK) {
        error = air_resident_add(home->resident, options, reason);
    }
    if (error == AIR_OK && options->http_port != 0) {
        home->http_port = options->http_port;
    }
    if (error == AIR_OK) {
        error = air_contexts_fall_back(
            home->resident, lws_get_vhost_port(lws_get_vhost(wsi)), options->names[0]);
    }
    if (error != AIR_OK && home->vhosts_count == 0) {
        close_home(home);
    }
    *out = home;
    return error;
}

/* The new one is the first of the list. */
static enum air_error open_home(
    struct lws *wsi, const struct air_lws_options *options, struct air_buffer *reason) {
    struct home *home = air_memory_new(sizeof(*home));
    if (home == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    *home =
        (struct home){.next = homes, .context = lws_get_context(wsi), .vhost = lws_get_vhost(wsi)};
    homes = home;
    (void)snprintf(home->state_dir, sizeof(home->state_dir), "%s", options->state_dir);
    enum air_error error = air_exchanges_new(home->context, on_answered, home, &home->exchanges);
    if (error == AIR_OK) {
        error = air_resident_new(options->state_dir, options->has_keeper, &home->resident, reason);
    }
    if (error == AIR_OK) {
        error = air_contexts_serve(home->context, home->resident);
    }
    if (error != AIR_OK) {
        close_home(home);
        return error;
    }
    lws_sul_schedule(home->context, 0, &home->tick, on_tick, 1);
    return AIR_OK;
}

static void close_home(struct home *home) {
    struct home **place = &homes;
    while (*place != home) {
        place = &(*place)->next;
    }
    *place = home->next;
    lws_sul_cancel(&home->tick);
    if (home->keeper != NULL) {
        lws_set_opaque_user_data(home->keeper, NULL);
    }
    air_contexts_leave(home->resident);
    air_exchanges_free(home->exchanges);
    air_resident_free(home->resident);
    air_memory_free(home, sizeof(*home));
}

/* Where a CA looks for http-01, when no vhost of the host's listens there. Not before the loop
 * runs: a vhost that is made while protocols are initialized makes libwebsockets 4.1 begin with
 * that anew. */
static void open_plain_vhost(struct home *home) {
    static const struct lws_protocols protocols[] = {AIR_LWS_PROTOCOL, {0}};
    static const struct lws_http_mount mount = {.mountpoint = CHALLENGES,
        .mountpoint_len = sizeof(CHALLENGES) - 1,
        .origin = AIR_LWS_PROTOCOL_NAME,
        .origin_protocol = LWSMPRO_CALLBACK};
    struct lws_context_creation_info info = {0};
    info.port = home->http_port;
    info.vhost_name = "thinair-http-01";
    info.protocols = protocols;
    info.mounts = &mount;
    if (home->http_port != 0 && lws_create_vhost(home->context, &info) == NULL) {
        lwsl_err(
            "%s: the option \"http-port\": cannot listen on port %d: another vhost does, or this "
            "user may not; give a plain vhost of yours the mount instead\n",
            AIR_LWS_PROTOCOL_NAME, home->http_port);
    }
    home->http_port = 0;
}

/* Turns for some milliseconds, then the loop's own, until there is something to do again. */
static void on_tick(lws_sorted_usec_list_t *timer) {
    struct home *home = lws_container_of(timer, struct home, tick);
    const lws_usec_t until_us = lws_now_usecs() + WORK_US;
    uint32_t pause_ms = 0;
    air_resident_seal(home->resident);
    watch_keeper(home);
    open_plain_vhost(home);
    while (turn(home, &pause_ms) && lws_now_usecs() < until_us) {
    }
    if (home->keeper != NULL && air_resident_wants_write(home->resident)) {
        lws_callback_on_writable(home->keeper);
    }
    air_contexts_look(home->context);
    if (pause_ms > LOOK_MS) {
        pause_ms = LOOK_MS;
    }
    lws_sul_schedule(home->context, 0, &home->tick, on_tick,
        pause_ms == 0 ? REST_US : (lws_usec_t)pause_ms * LWS_US_PER_MS);
}

/* Have the loop look at the keeper's socket; a copy, because the loop closes what it looks at. */
static void watch_keeper(struct home *home) {
    const int socket = air_resident_socket(home->resident);
    lws_sock_file_fd_type file = {.filefd = -1};
    if (home->keeper != NULL || socket < 0) {
        return;
    }
    file.filefd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (file.filefd < 0) {
        return; /* looked at in every turn nevertheless */
    }
    home->keeper = lws_adopt_descriptor_vhost(
        home->vhost, LWS_ADOPT_RAW_FILE_DESC, file, AIR_LWS_PROTOCOL_NAME, NULL);
    if (home->keeper != NULL) {
        lws_set_opaque_user_data(home->keeper, home);
    }
}

/* False: nothing is to be done for pause_ms. */
static bool turn(struct home *home, uint32_t *pause_ms) {
    struct air_resident_turn turn;
    air_resident_turn(home->resident, &turn);
    *pause_ms = 0;
    switch (turn.kind) {
    case AIR_RESIDENT_IDLE:
        *pause_ms = turn.pause_ms;
        return false;
    case AIR_RESIDENT_HTTP:
        air_exchanges_begin(home->exchanges, turn.action);
        return true;
    case AIR_RESIDENT_CANCEL:
        air_exchanges_cancel(home->exchanges, turn.action->cancel.cancelled_id);
        return true;
    case AIR_RESIDENT_EVENT:
        air_log_event(&turn.action->event);
        return true;
    case AIR_RESIDENT_AGAIN:
        return true;
    }
    return false;
}

/* Without memory the engine's own time limit ends the action. */
static void on_answered(void *host, uint64_t id, const struct air_result *result) {
    struct home *home = host;
    const enum air_error error = air_resident_complete(home->resident, id, result);
    (void)error;
    lws_sul_schedule(home->context, 0, &home->tick, on_tick, 1);
}

/* A CA's look at a challenge (http-01), or anybody else's. */
static int answer(struct lws *wsi) {
    char path[PATH_SIZE] = "";
    char host[PATH_SIZE] = "";
    unsigned char packet[LWS_PRE + AIR_RESPONDER_ANSWER_SIZE_MAX + 512];
    unsigned char *start = packet + LWS_PRE;
    unsigned char *place = start;
    unsigned char *limit = packet + sizeof(packet);
    struct air_buffer body;
    enum air_error error = AIR_ERR_NOT_FOUND;
    air_buffer_init(&body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    if (lws_hdr_copy(wsi, path, sizeof(path), WSI_TOKEN_GET_URI) > 0 &&
        lws_hdr_copy(wsi, host, sizeof(host), WSI_TOKEN_HOST) > 0) {
        for (struct home *home = homes; home != NULL && error != AIR_OK; home = home->next) {
            error = air_resident_answer(home->resident, air_span_text("GET"), air_span_text(path),
                air_span_text(host), &body);
        }
    }
    if (error != AIR_OK) {
        air_buffer_deinit(&body);
        return lws_return_http_status(wsi, HTTP_STATUS_NOT_FOUND, NULL) != 0 ||
                       lws_http_transaction_completed(wsi) != 0
                   ? -1
                   : 0;
    }
    const int size = (int)body.size;
    int sent = -1;
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "text/plain", body.size, &place, limit) ==
            0 &&
        lws_add_http_header_by_name(wsi, (const unsigned char *)"x-content-type-options:",
            (const unsigned char *)"nosniff", 7, &place, limit) == 0 &&
        lws_finalize_write_http_header(wsi, start, &place, limit) == 0) {
        memcpy(start, body.data, body.size);
        sent = lws_write(wsi, start, body.size, LWS_WRITE_HTTP_FINAL);
    }
    air_buffer_deinit(&body);
    return sent != size || lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}
