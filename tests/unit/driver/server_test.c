/* SPDX-License-Identifier: MIT */
/*
 * Proven: a server's thread carries out publish, withdraw, prove and install as their header says;
 * a pair that a real handshake refuses is replaced by the one before it; starting refuses what
 * cannot work, stopping leaves nothing. How: a scripted engine in the real server, with the real
 * TLS table, crypto port and file storage, and real handshakes in memory.
 */
#include "thinair/server.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "tests/support/test_pki.h"
#include "tests/unit/driver/fake_engine.h"

#define FAR_MS INT64_C(4102444800000) /* 2100 */
#define NAME "www.example.net"
#define PATH "/.well-known/acme-challenge/token"

/* A server with a scripted engine, and two pairs for one name. */
struct scene {
    char folder[AIR_TEST_PATH_SIZE];
    char state_dir[AIR_TEST_PATH_SIZE];
    struct air_test_pki *pki;
    struct air_buffer chains[2];
    struct air_buffer keys[2];
    struct air_server_config config;
    struct air_server *server;
    SSL_CTX *context;

    /* of the latest completed action */
    enum air_error error;
    char explanation[600];

    /* the host's handshake */
    _Atomic unsigned installed_count;
    uint32_t refused_generation;
    pthread_mutex_t gate; /* held: on_installed waits */
};

/* What a test wants done on the server's thread. */
struct order {
    struct scene *scene;
    const struct air_action *action;
    size_t loaded_count;
    size_t completed_count;
};

static void on_complete(
    void *context, const struct air_action *action, const struct air_result *result) {
    struct scene *scene = context;

    (void)action;
    scene->error = result->error;
    snprintf(scene->explanation, sizeof(scene->explanation), "%.*s", (int)result->explanation.size,
        (const char *)result->explanation.data);
}

static enum air_error on_installed(
    void *context, const struct air_install_action *install, struct air_buffer *reason) {
    struct scene *scene = context;

    scene->installed_count++;
    pthread_mutex_lock(&scene->gate);
    pthread_mutex_unlock(&scene->gate);
    if (install->generation == scene->refused_generation) {
        air_buffer_append_text(reason, "the port shows another one");
        return AIR_ERR_NOT_PROVEN;
    }
    return AIR_OK;
}

/* Everything but the server. */
static void set_up(struct scene *scene) {
    air_span names[] = {SPAN(NAME)};

    memset(scene, 0, sizeof(*scene));
    air_test_folder_make(scene->folder);
    air_test_path(scene->state_dir, scene->folder, "state");
    scene->pki = air_test_pki_new();
    for (size_t i = 0; i < 2; i++) {
        air_buffer_init(&scene->chains[i], 65536);
        air_buffer_init(&scene->keys[i], 65536);
        air_test_pki_issue(scene->pki, AIR_KEY_ECDSA_P256, names, 1, 0, FAR_MS, &scene->chains[i],
            &scene->keys[i]);
    }
    pthread_mutex_init(&scene->gate, NULL);
    scene->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(scene->context);
    scene->config = (struct air_server_config){
        .size = sizeof(scene->config), .state_dir = scene->state_dir, .context = scene};
}

static void listen_to(void *context, struct air_engine *engine) {
    struct air_fake_engine *script = air_fake_engine_of(engine);

    script->on_complete = on_complete;
    script->context = context;
}

/* Start it and attach the context. */
static void start(struct scene *scene) {
    assert_ok(air_server_start(&scene->config, &scene->server, NULL));
    assert_ok(air_server_wait_loaded(scene->server, 10000));
    assert_ok(air_server_attach(scene->server, scene->context, SPAN("\x08http/1.1")));
    air_server_call(scene->server, listen_to, scene);
}

static void tear_down(struct scene *scene) {
    air_server_stop(scene->server);
    SSL_CTX_free(scene->context);
    for (size_t i = 0; i < 2; i++) {
        air_buffer_deinit(&scene->chains[i]);
        air_buffer_deinit(&scene->keys[i]);
    }
    air_test_pki_free(scene->pki);
    pthread_mutex_destroy(&scene->gate);
    air_test_folder_remove(scene->folder);
}

static void push(void *context, struct air_engine *engine) {
    const struct order *order = context;

    air_fake_engine_push(engine, order->action);
}

static void count_completed(void *context, struct air_engine *engine) {
    struct order *order = context;

    order->completed_count = air_fake_engine_of(engine)->completed_count;
}

static size_t completed_count(struct scene *scene) {
    struct order order = {.scene = scene};

    air_server_call(scene->server, count_completed, &order);
    return order.completed_count;
}

/* Hand an action out; do so and wait until it is completed. */
static void begin(struct scene *scene, const struct air_action *action) {
    struct order order = {.scene = scene, .action = action};

    air_server_call(scene->server, push, &order);
}

static void wait_completed(struct scene *scene, size_t count) {
    while (completed_count(scene) < count) {
        sched_yield();
    }
}

static enum air_error carry_out(struct scene *scene, const struct air_action *action) {
    size_t count = completed_count(scene);

    begin(scene, action);
    wait_completed(scene, count + 1);
    return scene->error;
}

/* The action that installs one of the scene's pairs, as generation 1 or 2. */
static struct air_action install_of(const struct scene *scene, size_t index) {
    static const air_span names[] = {{(const uint8_t *)NAME, sizeof(NAME) - 1}};

    return (struct air_action){
        .kind = AIR_ACTION_INSTALL,
        .install = {.target = SPAN("tls"),
            .certificate = SPAN("www"),
            .key_type = AIR_KEY_ECDSA_P256,
            .generation = (uint32_t)index + 1,
            .names = names,
            .names_count = 1,
            .chain = air_buffer_span(&scene->chains[index]),
            .key = air_buffer_span(&scene->keys[index])},
    };
}

static bool is_served(const struct scene *scene, size_t index) {
    return air_tls_probe_context(scene->context, SPAN(NAME), AIR_KEY_ECDSA_P256,
               air_buffer_span(&scene->chains[index]), NULL) == AIR_OK;
}

static enum air_error ask_responder(struct scene *scene) {
    struct air_buffer body;
    enum air_error error;

    air_buffer_init(&body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    error = air_responder_answer(
        air_server_responder(scene->server), SPAN("GET"), SPAN(PATH), SPAN(NAME), &body);
    air_buffer_deinit(&body);
    return error;
}

static void answers_http_01_while_it_is_published(void **state) {
    struct scene scene;
    struct air_action action = {.kind = AIR_ACTION_PUBLISH,
        .publish = {.type = AIR_HTTP_01,
            .name = SPAN(NAME),
            .token = SPAN("token"),
            .key_authorization = SPAN("token.thumb")}};

    (void)state;
    set_up(&scene);
    start(&scene);
    assert_ok(carry_out(&scene, &action));
    assert_ok(ask_responder(&scene));
    action.kind = AIR_ACTION_WITHDRAW;
    assert_ok(carry_out(&scene, &action));
    assert_int_equal(ask_responder(&scene), AIR_ERR_NOT_FOUND);
    assert_ok(carry_out(&scene, &action)); /* again: no error */
    tear_down(&scene);
}

static void publishes_tls_alpn_01_and_refuses_other_types(void **state) {
    struct scene scene;
    struct air_action action = {
        .kind = AIR_ACTION_PUBLISH, .publish = {.type = AIR_TLS_ALPN_01, .name = SPAN(NAME)}};

    (void)state;
    set_up(&scene);
    start(&scene);
    assert_ok(carry_out(&scene, &action));
    action.kind = AIR_ACTION_WITHDRAW;
    assert_ok(carry_out(&scene, &action));
    action.kind = AIR_ACTION_PUBLISH;
    action.publish.type = AIR_CHALLENGE_NONE;
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_UNSUPPORTED);
    tear_down(&scene);
}

static void proves_a_candidate_for_every_name(void **state) {
    struct scene scene;
    air_span names[] = {SPAN(NAME), SPAN("other.example.net")};
    struct air_action action = {.kind = AIR_ACTION_PROVE};

    (void)state;
    set_up(&scene);
    start(&scene);
    action.prove = (struct air_prove_action){.key_type = AIR_KEY_ECDSA_P256,
        .names = names,
        .names_count = 1,
        .chain = air_buffer_span(&scene.chains[0]),
        .key = air_buffer_span(&scene.keys[0])};
    assert_ok(carry_out(&scene, &action));
    action.prove.names_count = 2;
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_NOT_PROVEN);
    assert_string_not_equal(scene.explanation, "");
    action.prove.names_count = 1;
    action.prove.key = air_buffer_span(&scene.keys[1]);
    assert_int_not_equal(carry_out(&scene, &action), AIR_OK);
    tear_down(&scene);
}

static void serves_what_is_installed(void **state) {
    struct scene scene;
    struct air_action action;

    (void)state;
    set_up(&scene);
    start(&scene);
    assert_false(is_served(&scene, 0));
    action = install_of(&scene, 0);
    assert_ok(carry_out(&scene, &action));
    assert_true(is_served(&scene, 0));
    action = install_of(&scene, 1);
    assert_ok(carry_out(&scene, &action));
    assert_true(is_served(&scene, 1));
    tear_down(&scene);
}

static void serves_the_old_one_again_when_the_new_one_is_refused(void **state) {
    struct scene scene;
    struct air_action action;

    (void)state;
    set_up(&scene);
    scene.config.on_installed = on_installed;
    scene.refused_generation = 2;
    start(&scene);
    action = install_of(&scene, 0);
    assert_ok(carry_out(&scene, &action));
    action = install_of(&scene, 1);
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_NOT_PROVEN);
    assert_string_equal(scene.explanation, "the port shows another one");
    assert_true(is_served(&scene, 0));
    scene.refused_generation = 0;
    assert_ok(carry_out(&scene, &action));
    assert_true(is_served(&scene, 1));
    assert_int_equal(scene.installed_count, 3);
    tear_down(&scene);
}

static void serves_nothing_when_the_first_one_is_refused(void **state) {
    struct scene scene;
    struct air_action action;

    (void)state;
    set_up(&scene);
    scene.config.on_installed = on_installed;
    scene.refused_generation = 1;
    start(&scene);
    action = install_of(&scene, 0);
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_NOT_PROVEN);
    assert_false(is_served(&scene, 0));
    tear_down(&scene);
}

static void keeps_the_old_one_when_the_new_one_is_no_pair(void **state) {
    struct scene scene;
    struct air_action action;

    (void)state;
    set_up(&scene);
    start(&scene);
    action = install_of(&scene, 0);
    assert_ok(carry_out(&scene, &action));
    action = install_of(&scene, 1);
    action.install.key = air_buffer_span(&scene.keys[0]);
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_BAD_CERTIFICATE);
    assert_string_not_equal(scene.explanation, "");
    action.install.key = SPAN("no key");
    assert_int_equal(carry_out(&scene, &action), AIR_ERR_MALFORMED);
    action.install.key = air_buffer_span(&scene.keys[1]);
    action.install.certificate = SPAN("another id of the same name");
    assert_int_not_equal(carry_out(&scene, &action), AIR_OK);
    assert_true(is_served(&scene, 0));
    tear_down(&scene);
}

static void refuses_a_second_one_while_the_first_is_being_proven(void **state) {
    struct scene scene;
    struct air_action first, second;

    (void)state;
    set_up(&scene);
    scene.config.on_installed = on_installed;
    start(&scene);
    pthread_mutex_lock(&scene.gate);
    first = install_of(&scene, 0);
    begin(&scene, &first);
    while (scene.installed_count == 0) {
        sched_yield();
    }
    second = install_of(&scene, 1);
    assert_int_equal(carry_out(&scene, &second), AIR_ERR_BUSY);
    pthread_mutex_unlock(&scene.gate);
    wait_completed(&scene, 2);
    assert_ok(scene.error);
    assert_true(is_served(&scene, 0));
    tear_down(&scene);
}

static void stops_while_a_pair_is_being_proven(void **state) {
    struct scene scene;
    struct air_action action;

    (void)state;
    set_up(&scene);
    scene.config.on_installed = on_installed;
    start(&scene);
    pthread_mutex_lock(&scene.gate);
    action = install_of(&scene, 0);
    begin(&scene, &action);
    while (scene.installed_count == 0) {
        sched_yield();
    }
    pthread_mutex_unlock(&scene.gate);
    tear_down(&scene);
}

static void tell_loaded(void *context, struct air_engine *engine) {
    const struct order *order = context;

    air_fake_engine_of(engine)->loaded_count = order->loaded_count;
}

static void knows_when_everything_is_loaded(void **state) {
    struct scene scene;
    struct air_certificate_spec certificates[2] = {{.size = sizeof(certificates[0])}};
    struct order order = {.loaded_count = 1};
    struct air_action action;

    (void)state;
    set_up(&scene);
    scene.config.on_installed = on_installed;
    scene.config.certificates = certificates;
    scene.config.certificates_count = 2;
    assert_ok(air_server_start(&scene.config, &scene.server, NULL));
    assert_ok(air_server_attach(scene.server, scene.context, SPAN("")));
    air_server_call(scene.server, listen_to, &scene);
    assert_int_equal(air_server_wait_loaded(scene.server, 5), AIR_ERR_TIMEOUT);
    action = install_of(&scene, 0);
    assert_ok(carry_out(&scene, &action));
    assert_int_equal(scene.installed_count, 0); /* stored, and nobody listens yet: not proven */
    air_server_call(scene.server, tell_loaded, &order);
    assert_int_equal(air_server_wait_loaded(scene.server, 5), AIR_ERR_TIMEOUT);
    order.loaded_count = 2;
    air_server_call(scene.server, tell_loaded, &order);
    assert_ok(air_server_wait_loaded(scene.server, 10000));
    assert_true(is_served(&scene, 0));
    tear_down(&scene);
}

static void refuses_to_start_with_what_cannot_work(void **state) {
    struct scene scene;
    struct air_authority_spec authority = {
        .size = sizeof(authority), .directory_url = SPAN("http://ca.example/dir")};
    struct air_server *server = NULL;
    struct air_buffer reason;

    (void)state;
    set_up(&scene);
    air_buffer_init(&reason, 1024);
    scene.config.authorities = &authority;
    scene.config.authorities_count = 1;
    assert_int_equal(air_server_start(&scene.config, &server, &reason), AIR_ERR_ARGUMENT);
    assert_non_null(memmem(reason.data, reason.size, "http://ca.example/dir", 21));
    assert_int_equal(air_server_start(&scene.config, &server, NULL), AIR_ERR_ARGUMENT);
    scene.config.authorities_count = 0;
    scene.config.size = 1;
    assert_int_equal(air_server_start(&scene.config, &server, &reason), AIR_ERR_ARGUMENT);
    scene.config.size = sizeof(scene.config);
    assert_int_equal(chmod(scene.state_dir, 0755), 0);
    air_buffer_clear(&reason);
    assert_int_equal(air_server_start(&scene.config, &server, &reason), AIR_ERR_PERMISSION);
    assert_non_null(memmem(reason.data, reason.size, scene.state_dir, strlen(scene.state_dir)));
    air_buffer_deinit(&reason);
    air_server_stop(NULL);
    tear_down(&scene);
}

static void count_targets(void *context, struct air_engine *engine) {
    *(size_t *)context = air_fake_engine_of(engine)->targets_count;
}

static void has_no_target_when_it_only_stores(void **state) {
    struct scene scene;
    size_t targets_count = 7;

    (void)state;
    set_up(&scene);
    scene.config.store_only = true;
    start(&scene);
    air_server_call(scene.server, count_targets, &targets_count);
    assert_int_equal(targets_count, 0);
    assert_int_equal(air_server_requests_count(scene.server), 0);
    air_server_stop(scene.server);
    scene.config.store_only = false;
    start(&scene);
    air_server_call(scene.server, count_targets, &targets_count);
    assert_int_equal(targets_count, 1);
    tear_down(&scene);
}

static void count_event(void *context, const struct air_event_action *event) {
    struct scene *scene = context;

    assert_int_equal(event->event, AIR_EVENT_ISSUED);
    scene->installed_count++;
}

static void tells_events(void **state) {
    struct scene scene;
    struct air_action action = {.kind = AIR_ACTION_EVENT, .event = {.event = AIR_EVENT_ISSUED}};

    (void)state;
    set_up(&scene);
    scene.config.on_event = count_event;
    start(&scene);
    begin(&scene, &action);
    while (scene.installed_count == 0) {
        sched_yield();
    }
    tear_down(&scene);
}

/* The server's thread has every signal blocked that can be; the caller's mask is as it was. */
static void leaves_signals_to_the_host(void **state) {
    struct scene scene;
    sigset_t before, after;
    char line[256];
    FILE *status;
    unsigned blocked_count = 0;

    (void)state;
    set_up(&scene);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    start(&scene);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    status = popen("cat /proc/$PPID/task/*/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        unsigned long long blocked = 0;

        if (sscanf(line, "SigBlk: %llx", &blocked) == 1 && (blocked & (1u << (SIGTERM - 1))) &&
            (blocked & (1u << (SIGPIPE - 1))) && (blocked & (1u << (SIGCHLD - 1)))) {
            blocked_count++;
        }
    }
    pclose(status);
    assert_true(blocked_count >= 1);
    tear_down(&scene);
}

static enum air_error start_and_stop(void *context) {
    struct scene *scene = context;
    struct air_server *server = NULL;
    enum air_error error = air_server_start(&scene->config, &server, NULL);

    if (error == AIR_OK) {
        error = air_server_wait_loaded(server, 10000);
        air_server_stop(server);
    }
    return error;
}

static void survives_each_failing_allocation(void **state) {
    struct scene scene;

    (void)state;
    set_up(&scene);
    air_test_each_allocation(start_and_stop, &scene);
    tear_down(&scene);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_http_01_while_it_is_published),
        cmocka_unit_test(publishes_tls_alpn_01_and_refuses_other_types),
        cmocka_unit_test(proves_a_candidate_for_every_name),
        cmocka_unit_test(serves_what_is_installed),
        cmocka_unit_test(serves_the_old_one_again_when_the_new_one_is_refused),
        cmocka_unit_test(serves_nothing_when_the_first_one_is_refused),
        cmocka_unit_test(keeps_the_old_one_when_the_new_one_is_no_pair),
        cmocka_unit_test(refuses_a_second_one_while_the_first_is_being_proven),
        cmocka_unit_test(stops_while_a_pair_is_being_proven),
        cmocka_unit_test(knows_when_everything_is_loaded),
        cmocka_unit_test(refuses_to_start_with_what_cannot_work),
        cmocka_unit_test(has_no_target_when_it_only_stores),
        cmocka_unit_test(tells_events),
        cmocka_unit_test(leaves_signals_to_the_host),
        cmocka_unit_test(survives_each_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
