/* SPDX-License-Identifier: MIT */
/*
 * Proves that no public header assumes our own loop: the engine inside a libwebsockets protocol.
 * lws's timers wake it, lws's client makes its request, and a vhost of the same context stands in
 * for the CA. Succeeds once the engine has stored something and asks for what stands in the
 * directory it was given; fails after a time limit.
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

#include "src/base/span.h"
#include "tests/spikes/guest.h"

#define TIME_LIMIT_S 30
#define BODY_SIZE_MAX 4096

enum outcome { RUNNING, PROVEN, FAILED };

struct program {
    struct air_guest guest;
    struct lws_context *context;
    struct lws_vhost *vhost;
    lws_sorted_usec_list_t wakeup;
    lws_sorted_usec_list_t limit;
    uint64_t request_id; /* 0: none under way */
    char body[BODY_SIZE_MAX];
    size_t body_size;
    enum outcome outcome;
};

static int serve(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);
static int fetch(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size);
static int send_answer(struct lws *wsi);
static void drive(struct program *program);
static void request(struct program *program, const struct air_action *action);
static void answer(struct program *program, uint32_t status);
static void on_wakeup(lws_sorted_usec_list_t *timer);
static void on_limit(lws_sorted_usec_list_t *timer);
static void end(struct program *program, enum outcome outcome);

static const struct lws_protocols protocols[] = {
    {"http", serve, 0, 0, 0, NULL, 0},
    {"guest", fetch, 0, BODY_SIZE_MAX, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

int main(void) {
    static struct program program;
    struct lws_context_creation_info info = {0};
    info.iface = "127.0.0.1";
    info.port = 0; /* the kernel chooses */
    info.protocols = protocols;
    info.user = &program;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    lws_set_log_level(LLL_ERR | LLL_WARN, NULL);
    program.context = lws_create_context(&info);
    program.vhost = program.context == NULL ? NULL : lws_create_vhost(program.context, &info);
    if (program.vhost == NULL || air_guest_init(&program.guest) != AIR_OK) {
        return 1;
    }
    lws_sul_schedule(
        program.context, 0, &program.limit, on_limit, (lws_usec_t)TIME_LIMIT_S * LWS_US_PER_SEC);
    lws_sul_schedule(program.context, 0, &program.wakeup, on_wakeup, 1);
    while (program.outcome == RUNNING && lws_service(program.context, 0) >= 0) {
    }
    air_guest_deinit(&program.guest);
    lws_context_destroy(program.context);
    return program.outcome == PROVEN ? 0 : 1;
}

/* What the engine wants now; then sleep until it wants more. */
static void drive(struct program *program) {
    const struct air_action *action = NULL;
    if (program->request_id != 0 || program->outcome != RUNNING) {
        return;
    }
    if (air_guest_next(&program->guest, &action) != AIR_OK) {
        end(program, FAILED);
        return;
    }
    if (action != NULL) {
        request(program, action);
        return;
    }
    lws_sul_schedule(program->context, 0, &program->wakeup, on_wakeup,
        (lws_usec_t)(air_guest_pause_ms(&program->guest) + 1) * LWS_US_PER_MS);
}

static void request(struct program *program, const struct air_action *action) {
    struct lws_client_connect_info info = {0};
    air_span path = air_guest_path(action->http.url);
    char text[256];
    snprintf(text, sizeof(text), "%.*s", (int)path.size, (const char *)path.data);
    if (strcmp(text, "/directory") != 0) {
        /* The engine read the directory: it asks for what stands in it. */
        printf("stored %u, then asked for %s\n", program->guest.storage_count, text);
        end(program, program->guest.storage_count > 0 ? PROVEN : FAILED);
        return;
    }
    info.context = program->context;
    info.vhost = program->vhost;
    info.address = "127.0.0.1";
    info.port = lws_get_vhost_listen_port(program->vhost);
    info.path = text;
    info.host = "ca.example";
    info.origin = "ca.example";
    info.method = "GET";
    info.local_protocol_name = "guest";
    program->request_id = action->id;
    program->body_size = 0;
    if (lws_client_connect_via_info(&info) == NULL && program->request_id != 0) {
        answer(program, 0);
    }
}

/* The request is over; status 0: no answer. */
static void answer(struct program *program, uint32_t status) {
    uint64_t id = program->request_id;
    program->request_id = 0;
    if (air_guest_answer(&program->guest, id, status, program->body, program->body_size) !=
        AIR_OK) {
        end(program, FAILED);
    }
    lws_sul_schedule(program->context, 0, &program->wakeup, on_wakeup, 1);
}

/* The client's side of the protocol. */
static int fetch(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    struct program *program = lws_context_user(lws_get_context(wsi));
    char buffer[LWS_PRE + BODY_SIZE_MAX];
    char *place = buffer + LWS_PRE;
    int room = BODY_SIZE_MAX;
    if (reason == LWS_CALLBACK_RECEIVE_CLIENT_HTTP) {
        return lws_http_client_read(wsi, &place, &room) < 0 ? -1 : 0;
    }
    if (reason == LWS_CALLBACK_RECEIVE_CLIENT_HTTP_READ) {
        if (size > sizeof(program->body) - program->body_size) {
            return -1;
        }
        memcpy(program->body + program->body_size, in, size);
        program->body_size += size;
        return 0;
    }
    if (reason == LWS_CALLBACK_COMPLETED_CLIENT_HTTP && program->request_id != 0) {
        answer(program, (uint32_t)lws_http_client_http_response(wsi));
        return -1;
    }
    if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR && program->request_id != 0) {
        answer(program, 0);
        return 0;
    }
    return lws_callback_http_dummy(wsi, reason, user, in, size);
}

/* The server's side: every path gives the directory. */
static int serve(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size) {
    if (reason == LWS_CALLBACK_HTTP) {
        return send_answer(wsi);
    }
    if (reason == LWS_CALLBACK_HTTP_WRITEABLE) {
        unsigned char buffer[LWS_PRE + sizeof(AIR_GUEST_ANSWER)];
        memcpy(buffer + LWS_PRE, AIR_GUEST_ANSWER, sizeof(AIR_GUEST_ANSWER));
        lws_write(wsi, buffer + LWS_PRE, sizeof(AIR_GUEST_ANSWER) - 1, LWS_WRITE_HTTP_FINAL);
        return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
    }
    return lws_callback_http_dummy(wsi, reason, user, in, size);
}

static int send_answer(struct lws *wsi) {
    unsigned char head[LWS_PRE + 1024];
    unsigned char *start = head + LWS_PRE;
    unsigned char *place = start;
    unsigned char *end = head + sizeof(head) - 1;
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "application/json",
            sizeof(AIR_GUEST_ANSWER) - 1, &place, end) != 0 ||
        lws_finalize_write_http_header(wsi, start, &place, end) != 0) {
        return -1;
    }
    lws_callback_on_writable(wsi);
    return 0;
}

static void on_wakeup(lws_sorted_usec_list_t *timer) {
    drive(lws_container_of(timer, struct program, wakeup));
}

static void on_limit(lws_sorted_usec_list_t *timer) {
    struct program *program = lws_container_of(timer, struct program, limit);
    fprintf(stderr, "nothing proven within %d s\n", TIME_LIMIT_S);
    end(program, FAILED);
}

/* Leave the loop, which otherwise sleeps until something happens. */
static void end(struct program *program, enum outcome outcome) {
    program->outcome = outcome;
    lws_cancel_service(program->context);
}
