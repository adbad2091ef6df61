/* SPDX-License-Identifier: MIT */
/*
 * The admin socket with libmicrohttpd: who may ask, which verb is meant, and the audit line of each
 * verb that changes something. What the verbs do is the daemon's business.
 *
 * Invariant: no verb runs before the kernel has said who asks (SO_PEERCRED) and the answer was root
 * or the user we run as; a request that a browser could be tricked into sending (Origin, or another
 * Host) is refused.
 */
#include "hosts/program/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hosts/program/client.h"
#include "hosts/program/report.h"
#include "hosts/program/text.h"
#include "src/base/json.h"
#include "src/base/memory.h"
#include "src/base/span.h"

struct air_admin {
    struct air_admin_config config;
    struct MHD_Daemon *daemon;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* What a verb answered. */
struct reply {
    unsigned status;
    struct air_buffer body;
};

struct verb {
    const char *method;
    const char *path;
    bool takes_id; /* "/<id>" may follow */
    bool is_audited;
    void (*serve)(struct air_admin *admin, air_span id, struct reply *reply);
};

static void serve_status(struct air_admin *admin, air_span id, struct reply *reply);
static void serve_renew(struct air_admin *admin, air_span id, struct reply *reply);
static void serve_reload(struct air_admin *admin, air_span id, struct reply *reply);

static const struct verb verbs[] = {
    {"GET", "/status", false, false, serve_status},
    {"POST", "/renew", true, true, serve_renew},
    {"POST", "/reload", false, true, serve_reload},
};
#define VERBS_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static enum air_error make_socket(const char *path, int *out, struct air_buffer *reason);
static enum air_error clear_path(const char *path, struct air_buffer *reason);
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request);
static bool is_allowed(struct MHD_Connection *connection, uid_t *uid);
static void refuse(struct reply *reply, unsigned status, const char *sentence);

enum air_error air_admin_start(
    const struct air_admin_config *config, struct air_admin **out, struct air_buffer *reason) {
    struct air_admin *admin = NULL;
    int listener = -1;
    enum air_error error = make_socket(config->path, &listener, reason);

    if (error != AIR_OK) {
        return error;
    }
    admin = air_memory_new(sizeof(*admin));
    if (admin == NULL) {
        close(listener);
        unlink(config->path);
        return AIR_ERR_NO_MEMORY;
    }
    admin->config = *config;
    memcpy(admin->path, config->path, strlen(config->path));
    admin->config.path = admin->path;
    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, admin,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)AIR_ADMIN_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)AIR_ADMIN_REQUEST_SIZE_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)AIR_ADMIN_IDLE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (admin->daemon == NULL) {
        air_text_format(reason, "the admin server on %s could not be started", config->path);
        close(listener);
        unlink(config->path);
        air_memory_free(admin, sizeof(*admin));
        return AIR_ERR_NETWORK;
    }
    *out = admin;
    return AIR_OK;
}

void air_admin_stop(struct air_admin *admin) {
    if (admin == NULL) {
        return;
    }
    MHD_stop_daemon(admin->daemon);
    unlink(admin->path);
    air_memory_free(admin, sizeof(*admin));
}

static enum air_error make_socket(const char *path, int *out, struct air_buffer *reason) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t old_mask;
    bool is_bound;
    int handle;
    enum air_error error;

    if (strlen(path) >= sizeof(address.sun_path)) {
        air_text_format(reason, "the admin socket's path %s is too long", path);
        return AIR_ERR_LIMIT;
    }
    memcpy(address.sun_path, path, strlen(path));
    error = clear_path(path, reason);
    if (error != AIR_OK) {
        return error;
    }
    handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    old_mask = umask(S_IRWXG | S_IRWXO);
    is_bound = handle >= 0 &&
               bind(handle, (const struct sockaddr *)(const void *)&address, sizeof(address)) == 0;
    (void)umask(old_mask);
    if (!is_bound || listen(handle, AIR_ADMIN_CONNECTIONS_MAX) != 0) {
        air_text_format(reason,
            "the admin socket %s cannot be made: %s; choose another with --admin", path,
            strerror(errno));
        error = errno == EACCES || errno == EPERM ? AIR_ERR_PERMISSION : AIR_ERR_NETWORK;
        if (handle >= 0) {
            close(handle);
        }
        return error;
    }
    *out = handle;
    return AIR_OK;
}

static enum air_error clear_path(const char *path, struct air_buffer *reason) {
    struct air_buffer answer;
    struct stat found;
    unsigned status;
    enum air_error error;

    if (lstat(path, &found) != 0) {
        return AIR_OK;
    }
    if (!S_ISSOCK(found.st_mode)) {
        air_text_format(
            reason, "%s exists and is no socket; choose another path with --admin", path);
        return AIR_ERR_EXISTS;
    }
    air_buffer_init(&answer, AIR_REPORT_SIZE_MAX);
    error = air_client_call(path, "GET", "/status", 2000, &status, &answer, NULL);
    air_buffer_deinit(&answer);
    if (error != AIR_ERR_NOT_FOUND) {
        air_text_format(reason,
            "another thinair answers at %s; stop it first, or give this one "
            "another state directory",
            path);
        return AIR_ERR_BUSY;
    }
    if (unlink(path) != 0) {
        air_text_format(reason, "the old socket %s cannot be removed: %s", path, strerror(errno));
        return AIR_ERR_PERMISSION;
    }
    return AIR_OK;
}

static const struct verb *find_verb(air_span method, air_span path, air_span *id) {
    for (size_t i = 0; i < VERBS_COUNT; i++) {
        air_span rest = air_span_skip(path, strlen(verbs[i].path));

        *id = (air_span){NULL, 0};
        if (!air_span_equal_text(method, verbs[i].method) ||
            !air_span_starts_with(path, verbs[i].path)) {
            continue;
        }
        if (rest.size == 0) {
            return &verbs[i];
        }
        if (verbs[i].takes_id && rest.size > 1 && rest.data[0] == '/') {
            *id = air_span_skip(rest, 1);
            return &verbs[i];
        }
    }
    return NULL;
}

static bool is_from_browser(struct MHD_Connection *connection) {
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");

    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Origin") != NULL ||
           (host != NULL && strcmp(host, "localhost") != 0);
}

static bool has_body(struct MHD_Connection *connection) {
    const char *size = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

    return (size != NULL && strcmp(size, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
}

static void serve(struct air_admin *admin, struct MHD_Connection *connection, const char *method,
    const char *url, struct reply *reply) {
    const struct verb *verb;
    air_span id;
    uid_t uid = 0;

    if (!is_allowed(connection, &uid)) {
        air_log_line(admin->config.log, AIR_WARNING, "admin: user %lu refused: %s %s",
            (unsigned long)uid, method, url);
        refuse(reply, MHD_HTTP_FORBIDDEN, "only root and the daemon's own user may ask");
        return;
    }
    if (is_from_browser(connection)) {
        refuse(reply, MHD_HTTP_FORBIDDEN, "the Host is localhost here, and there is no Origin");
        return;
    }
    if (has_body(connection)) {
        refuse(reply, MHD_HTTP_CONTENT_TOO_LARGE, "no request has a body here");
        return;
    }
    verb = find_verb(air_span_text(method), air_span_text(url), &id);
    if (verb == NULL) {
        refuse(reply, MHD_HTTP_NOT_FOUND,
            "there are GET /status, POST /renew, POST /renew/<id> and POST /reload");
        return;
    }
    reply->status = MHD_HTTP_OK;
    verb->serve(admin, id, reply);
    if (verb->is_audited) {
        air_log_line(admin->config.log, AIR_INFO, "admin: user %lu: %s %s: %u", (unsigned long)uid,
            method, url, reply->status);
    }
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request) {
    struct reply reply = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR};
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    (void)version;
    (void)upload;
    (void)request;
    *upload_size = 0;
    air_buffer_init(&reply.body, AIR_REPORT_SIZE_MAX);
    serve(context, connection, method, url, &reply);
    air_buffer_append_byte(&reply.body, '\n');
    if (reply.body.error == AIR_OK) {
        response = MHD_create_response_from_buffer(
            reply.body.size, reply.body.data, MHD_RESPMEM_MUST_COPY);
        if (response != NULL) {
            MHD_add_response_header(response, "Content-Type", "application/json");
            MHD_add_response_header(response, "Connection", "close");
            result = MHD_queue_response(connection, reply.status, response);
            MHD_destroy_response(response);
        }
    }
    air_buffer_deinit(&reply.body);
    return result;
}

static bool is_allowed(struct MHD_Connection *connection, uid_t *uid) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return false;
    }
    *uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid();
}

static void refuse(struct reply *reply, unsigned status, const char *sentence) {
    reply->status = status;
    air_buffer_clear(&reply->body);
    air_json_begin(&reply->body, NULL, '{');
    air_json_put_text(&reply->body, "error", air_span_text(sentence));
    air_json_end(&reply->body, '}');
}

/* The answer of a verb that did something or says why not. */
static void conclude(struct reply *reply, enum air_error error, const struct air_buffer *reason,
    unsigned status_on_error) {
    if (error == AIR_OK) {
        air_json_begin(&reply->body, NULL, '{');
        air_json_put_bool(&reply->body, "done", true);
        air_json_end(&reply->body, '}');
        return;
    }
    reply->status = status_on_error;
    air_json_begin(&reply->body, NULL, '{');
    air_json_put_text(&reply->body, "error",
        reason->size > 0 ? air_buffer_span(reason) : air_span_text(air_error_text(error)));
    air_json_end(&reply->body, '}');
}

static void serve_status(struct air_admin *admin, air_span id, struct reply *reply) {
    (void)id;
    admin->config.status(admin->config.context, &reply->body);
}

static void serve_renew(struct air_admin *admin, air_span id, struct reply *reply) {
    struct air_buffer reason;

    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    conclude(reply, admin->config.renew(admin->config.context, id, &reason), &reason,
        MHD_HTTP_NOT_FOUND);
    air_buffer_deinit(&reason);
}

static void serve_reload(struct air_admin *admin, air_span id, struct reply *reply) {
    struct air_buffer reason;

    (void)id;
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    conclude(
        reply, admin->config.reload(admin->config.context, &reason), &reason, MHD_HTTP_CONFLICT);
    air_buffer_deinit(&reason);
}
