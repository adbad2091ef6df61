/* SPDX-License-Identifier: MIT */
/*
 * Proven here: over a real socket each verb reaches the daemon and brings its answer back; what is
 * no verb, has a body, or could come from a browser is refused without reaching it; another user is
 * refused by what the kernel says of him (R-J2); a left-over socket is replaced, a living one and
 * other files are not. The other user's request is made by a child that becomes nobody (root only).
 */

#include "hosts/program/admin.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hosts/program/client.h"
#include "src/base/memory.h"
#include "tests/support/test.h"

static char folder[] = "/tmp/air-admin-XXXXXX";
static char path[64];
static const struct air_log silent = {AIR_LOG_PHASES, -1, AIR_ALARM};

/* What reached the daemon. */
struct calls {
    unsigned status_count;
    unsigned reload_count;
    unsigned renew_count;
    char id[64];
    enum air_error error;
};

static void on_status(void *context, struct air_buffer *out) {
    ((struct calls *)context)->status_count++;
    air_buffer_append_text(out, "{\"certificates\":[]}");
}

static enum air_error on_renew(void *context, air_span id, struct air_buffer *reason) {
    struct calls *calls = context;
    calls->renew_count++;
    snprintf(calls->id, sizeof(calls->id), "%.*s", (int)id.size, (const char *)id.data);
    air_buffer_append_text(reason, calls->error == AIR_OK ? "" : "no \"such\" thing");
    return calls->error;
}

static enum air_error on_reload(void *context, struct air_buffer *reason) {
    struct calls *calls = context;
    calls->reload_count++;
    air_buffer_append_text(reason, calls->error == AIR_OK ? "" : "t.yaml:3: bad");
    return calls->error;
}

static enum air_error start(struct calls *calls, struct air_admin **admin, struct air_buffer *why) {
    const struct air_admin_config config = {.size = sizeof(config),
        .path = path,
        .log = &silent,
        .context = calls,
        .status = on_status,
        .renew = on_renew,
        .reload = on_reload};
    return air_admin_start(&config, admin, why);
}

static void ask(const char *method, const char *verb, unsigned status, const char *body) {
    struct air_buffer out;
    unsigned got = 0;
    air_buffer_init(&out, 65536);
    assert_ok(air_client_call(path, method, verb, 20000, &got, &out, NULL));
    assert_int_equal(got, status);
    assert_span(air_buffer_span(&out), body);
    air_buffer_deinit(&out);
}

static void brings_verbs_to_the_daemon(void **state) {
    (void)state;
    struct calls calls = {.error = AIR_OK};
    struct air_admin *admin = NULL;
    assert_ok(start(&calls, &admin, NULL));
    ask("GET", "/status", 200, "{\"certificates\":[]}\n");
    ask("POST", "/renew/example.net", 200, "{\"done\":true}\n");
    assert_string_equal(calls.id, "example.net");
    ask("POST", "/renew", 200, "{\"done\":true}\n");
    assert_string_equal(calls.id, "");
    ask("POST", "/reload", 200, "{\"done\":true}\n");
    calls.error = AIR_ERR_MALFORMED;
    ask("POST", "/renew/x", 404, "{\"error\":\"no \\\"such\\\" thing\"}\n");
    ask("POST", "/reload", 409, "{\"error\":\"t.yaml:3: bad\"}\n");
    assert_int_equal(calls.status_count, 1);
    assert_int_equal(calls.renew_count, 3);
    assert_int_equal(calls.reload_count, 2);
    air_admin_stop(admin);
    assert_int_equal(access(path, F_OK), -1);
}

static void makes_a_socket_closed_to_others(void **state) {
    (void)state;
    struct calls calls = {.error = AIR_OK};
    struct air_admin *admin = NULL;
    struct stat found;
    assert_ok(start(&calls, &admin, NULL));
    assert_int_equal(lstat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    air_admin_stop(admin);
}

static void refuses_what_is_no_verb(void **state) {
    (void)state;
    static const char *const requests[][2] = {{"GET", "/"}, {"POST", "/status"}, {"GET", "/renew"},
        {"GET", "/reload"}, {"POST", "/renewal"}, {"POST", "/renew/"}, {"POST", "/reload/x"},
        {"GET", "/status/../reload"}, {"DELETE", "/status"}, {"PUT", "/reload"}};
    struct calls calls = {.error = AIR_OK};
    struct air_admin *admin = NULL;
    assert_ok(start(&calls, &admin, NULL));
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        ask(requests[i][0], requests[i][1], 404,
            "{\"error\":\"there are GET /status, POST /renew, POST /renew/<id> and POST "
            "/reload\"}\n");
    }
    assert_int_equal(calls.status_count + calls.renew_count + calls.reload_count, 0);
    air_admin_stop(admin);
}

/* The status line's number of the answer to a raw request; 0 without one. */
static int raw(const char *request) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[4096] = "";
    int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path));
    if (connect(handle, (const struct sockaddr *)(const void *)&address, sizeof(address)) != 0 ||
        send(handle, request, strlen(request), MSG_NOSIGNAL) < 0 ||
        recv(handle, answer, sizeof(answer) - 1, 0) < 12) {
        close(handle);
        return 0;
    }
    close(handle);
    return (int)strtol(answer + 9, NULL, 10);
}

static void refuses_bodies_and_browsers(void **state) {
    (void)state;
    struct calls calls = {.error = AIR_OK};
    struct air_admin *admin = NULL;
    assert_ok(start(&calls, &admin, NULL));
    assert_int_equal(raw("POST /reload HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    assert_int_equal(
        raw("POST /reload HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n"), 403);
    assert_int_equal(
        raw("POST /reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"), 413);
    assert_int_equal(raw("POST /reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                         "chunked\r\n\r\n0\r\n\r\n"),
        413);
    assert_int_equal(calls.reload_count, 0);
    assert_int_equal(raw("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200);
    air_admin_stop(admin);
}

static void refuses_another_user(void **state) {
    (void)state;
    struct calls calls = {.error = AIR_OK};
    struct air_admin *admin = NULL;
    int status = -1;
    if (geteuid() != 0) {
        skip();
    }
    assert_ok(start(&calls, &admin, NULL));
    /* Even where the socket itself lets everybody in. */
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        _exit(setuid(65534) == 0 && raw("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n") == 403
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(calls.status_count, 0);
    assert_int_equal(chmod(folder, 0700), 0);
    air_admin_stop(admin);
}

static void replaces_only_what_a_dead_daemon_left(void **state) {
    (void)state;
    struct calls calls = {.error = AIR_OK};
    struct air_admin *first = NULL;
    struct air_admin *second = NULL;
    struct air_buffer why;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int handle = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    air_buffer_init(&why, 4096);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(
        bind(handle, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    close(handle);
    assert_ok(start(&calls, &first, &why));
    assert_int_equal(start(&calls, &second, &why), AIR_ERR_BUSY);
    assert_true(why.size > 0);
    ask("GET", "/status", 200, "{\"certificates\":[]}\n");
    air_admin_stop(first);
    handle = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(handle);
    assert_int_equal(start(&calls, &second, &why), AIR_ERR_EXISTS);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    air_buffer_deinit(&why);
}

static void tells_that_no_daemon_is_there(void **state) {
    (void)state;
    struct air_buffer out;
    struct air_buffer why;
    unsigned status;
    air_buffer_init(&out, 4096);
    air_buffer_init(&why, 4096);
    assert_int_equal(
        air_client_call(path, "GET", "/status", 1000, &status, &out, &why), AIR_ERR_NOT_FOUND);
    assert_true(air_span_starts_with(air_buffer_span(&why), "no daemon answers at "));
    air_buffer_deinit(&out);
    air_buffer_deinit(&why);
}

static int enter_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/admin.sock", folder);
    return 0;
}

static int leave_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_verbs_to_the_daemon),
        cmocka_unit_test(makes_a_socket_closed_to_others),
        cmocka_unit_test(refuses_what_is_no_verb),
        cmocka_unit_test(refuses_bodies_and_browsers),
        cmocka_unit_test(refuses_another_user),
        cmocka_unit_test(replaces_only_what_a_dead_daemon_left),
        cmocka_unit_test(tells_that_no_daemon_is_there),
    };
    int failed = cmocka_run_group_tests(tests, enter_folder, leave_folder);
    return air_memory_live() == 0 ? failed : 1;
}
