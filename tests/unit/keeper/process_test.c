/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the keeper ends with the server, however that ends, and by no signal that is meant
 * for the server; the server goes on without the keeper, and is told; what is no request, and a
 * lack of memory on either side, ends cleanly. How: real processes, stopped and killed.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/unit/keeper/keeper_scene.h"

static struct air_keeper_scene scene;
static int64_t live_before;

static int begin(void **state) {
    (void)state;
    live_before = air_memory_live();
    air_keeper_scene_init(&scene);
    air_keeper_scene_start(&scene);
    return 0;
}

static int end(void **state) {
    (void)state;
    air_keeper_scene_deinit(&scene);
    return air_memory_live() == live_before ? 0 : -1;
}

static bool contains(air_span span, const char *text) {
    return memmem(span.data, span.size, text, strlen(text)) != NULL;
}

static void a_killed_keeper_is_told_once_and_the_server_goes_on(void **state) {
    (void)state;
    const air_span path = SPAN("a");
    struct air_action action = {.id = 1, .kind = AIR_ACTION_READ};

    action.read = (struct air_read_action){.paths = &path, .paths_count = 1};
    assert_int_equal(kill(air_keeper_scene_process(), SIGSTOP), 0);
    for (action.id = 1; action.id <= 3; action.id++) {
        assert_ok(air_keeper_submit(scene.keeper, &action));
    }
    assert_int_equal(kill(air_keeper_scene_process(), SIGKILL), 0);
    assert_int_equal(air_keeper_scene_wait(&scene), AIR_ERR_STATE);
    assert_int_equal(scene.results_count, 3);
    assert_int_equal(scene.error, AIR_ERR_STORAGE);
    assert_true(contains(air_buffer_span(&scene.explanation), "keeper process has ended"));
    assert_int_equal(air_keeper_submit(scene.keeper, &action), AIR_ERR_STATE);
    assert_ok(air_keeper_service(scene.keeper, NULL, NULL));
    assert_false(air_keeper_wants_write(scene.keeper));
}

static void more_than_it_can_take_is_refused_and_comes_through_later(void **state) {
    (void)state;
    static uint8_t value[200000];
    const struct air_put put = {.path = SPAN("a/b"), .value = air_span_of(value, sizeof(value))};
    struct air_action action = {.id = 12, .kind = AIR_ACTION_WRITE};
    enum air_error error = AIR_OK;
    size_t count = 0;

    action.write = (struct air_write_action){.puts = &put, .puts_count = 1};
    assert_int_equal(kill(air_keeper_scene_process(), SIGSTOP), 0);
    while (error == AIR_OK && count < 200) {
        error = air_keeper_submit(scene.keeper, &action);
        count += error == AIR_OK ? 1 : 0;
    }
    assert_int_equal(error, AIR_ERR_LIMIT);
    assert_true(air_keeper_wants_write(scene.keeper));
    assert_int_equal(kill(air_keeper_scene_process(), SIGCONT), 0);
    while (scene.results_count < count) {
        assert_ok(air_keeper_scene_wait(&scene));
        assert_ok(scene.error);
    }
    assert_ok(air_keeper_scene_read(&scene, "a/b"));
}

/* A server in a process of its own, which starts a keeper, calls then(keeper), and stays until it
 * is killed. */
static pid_t start_server(void (*then)(struct air_keeper *keeper)) {
    int ends[2];
    char byte = 0;
    pid_t server;

    assert_int_equal(pipe(ends), 0);
    server = fork();
    if (server == 0) {
        struct air_keeper_config config = {.size = sizeof(config), .state_dir = scene.state_dir};
        struct air_keeper *keeper = NULL;

        byte = air_keeper_start(&config, &keeper, NULL) == AIR_OK ? 'k' : 'f';
        if (byte == 'k' && then != NULL) {
            then(keeper);
        }
        (void)!write(ends[1], &byte, 1);
        (void)pause();
        _exit(1);
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'k');
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
    return server;
}

/* Its first child. */
static pid_t child_of(pid_t server) {
    char path[64];
    long child = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server, (int)server);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &child), 1);
    assert_int_equal(fclose(file), 0);
    return (pid_t)child;
}

/* Kill the server; wait until its keeper, whose parent that was, is gone. */
static void kill_server(pid_t server) {
    const pid_t keeper = child_of(server);
    char path[64];
    char name = '\0';

    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)keeper);
    for (int i = 0; i < 3000 && name != 'Z'; i++) {
        FILE *file = fopen(path, "r");

        if (file == NULL) {
            return;
        }
        if (fscanf(file, "%*d (%*[^)]) %c", &name) != 1) {
            name = 'Z'; /* it went while we looked */
        }
        assert_int_equal(fclose(file), 0);
        (void)usleep(10000);
    }
    assert_int_equal(name, 'Z'); /* dead, and nobody has asked for its status */
}

static void a_killed_server_ends_its_keeper_and_signals_do_not(void **state) {
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    const pid_t server = start_server(NULL);

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(kill(child_of(server), signals[i]), 0);
    }
    assert_int_equal(kill(child_of(server), 0), 0);
    kill_server(server);
}

#define PUTS_COUNT 10
static uint8_t large[200000];

static void forget(void *context, uint64_t id, const struct air_result *result) {
    (void)context;
    (void)id;
    (void)result;
}

static void write_much(struct air_keeper *keeper) {
    static char paths[PUTS_COUNT][8];
    struct air_put puts[PUTS_COUNT];
    struct air_action action = {.id = 1, .kind = AIR_ACTION_WRITE};

    for (int i = 0; i < PUTS_COUNT; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "a/%d", i);
        puts[i] = (struct air_put){
            .path = air_span_text(paths[i]), .value = air_span_of(large, sizeof(large))};
    }
    action.write = (struct air_write_action){.puts = puts, .puts_count = PUTS_COUNT};
    if (air_keeper_submit(keeper, &action) != AIR_OK) {
        _exit(1);
    }
    while (air_keeper_wants_write(keeper)) {
        struct pollfd wait = {.fd = air_keeper_socket(keeper), .events = POLLOUT};

        if (poll(&wait, 1, 30000) < 0 || air_keeper_service(keeper, forget, NULL) != AIR_OK) {
            _exit(1);
        }
    }
}

static void a_server_killed_in_the_middle_of_a_write_leaves_whole_records(void **state) {
    (void)state;
    bool is_missing = false;

    air_keeper_scene_stop(&scene);
    kill_server(start_server(write_much));
    air_keeper_scene_start(&scene);
    for (int i = 0; i < PUTS_COUNT; i++) {
        char path[8];
        enum air_error error;

        (void)snprintf(path, sizeof(path), "a/%d", i);
        error = air_keeper_scene_read(&scene, path);
        assert_true(error == AIR_ERR_NOT_FOUND || (error == AIR_OK && !is_missing));
        assert_true(error != AIR_OK || scene.text.size == sizeof(large));
        is_missing = error != AIR_OK;
    }
}

static void ended_by(const void *frame, size_t size) {
    air_keeper_scene_start(&scene);
    assert_int_equal(
        send(air_keeper_socket(scene.keeper), frame, size, MSG_NOSIGNAL), (ssize_t)size);
    assert_int_equal(air_keeper_scene_wait(&scene), AIR_ERR_STATE);
    air_keeper_scene_stop(&scene);
}

static void bytes_that_are_no_request_end_the_keeper(void **state) {
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t empty[] = {0, 0, 0, 0};
    static const uint8_t unknown[] = {0, 0, 0, 1, 9};
    static const uint8_t cut[] = {0, 0, 0, 4, 1, 1, 2, 0};
    static const uint8_t no_path[] = {0, 0, 0, 5, 2, 0, 0, 0, 9};
    static const uint8_t zero_path[] = {0, 0, 0, 7, 2, 0, 0, 0, 2, '/', 0};
    struct air_action action = {.id = 5, .kind = AIR_ACTION_HTTP};
    struct air_buffer wire;

    air_keeper_scene_stop(&scene);
    ended_by(huge, sizeof(huge));
    ended_by(empty, sizeof(empty));
    ended_by(unknown, sizeof(unknown));
    ended_by(cut, sizeof(cut));
    ended_by(no_path, sizeof(no_path));
    ended_by(zero_path, sizeof(zero_path));
    air_buffer_init(&wire, 1024);
    assert_ok(air_buffer_append(&wire, "\0\0\0\0\1", 5));
    assert_ok(air_action_encode(&action, &wire)); /* of a kind that is not a keeper's */
    wire.data[3] = (uint8_t)(wire.size - 4);
    ended_by(wire.data, wire.size);
    air_buffer_deinit(&wire);
}

/* The fork takes the plan along: it is the keeper's n-th allocation that fails too. */
static enum air_error start_with_account(uint64_t n) {
    const struct air_keeper_config config = {.size = sizeof(config), .state_dir = scene.state_dir};
    struct air_buffer reference;
    enum air_error error;

    air_buffer_init(&reference, AIR_KEY_PEM_SIZE_MAX);
    air_memory_fail_at(n);
    error = air_keeper_start(&config, &scene.keeper, NULL);
    if (error == AIR_OK) {
        error = air_keeper_crypto(scene.keeper, scene.local, &scene.crypto);
    }
    if (error == AIR_OK) {
        error = air_keeper_account_add(scene.keeper, scene.account_path, &reference, NULL);
    }
    air_memory_fail_at(0);
    air_keeper_scene_stop(&scene);
    air_buffer_deinit(&reference);
    return error;
}

static void a_start_with_each_allocation_failing_ends_clean(void **state) {
    (void)state;
    enum air_error error = AIR_ERR_NO_MEMORY;
    int64_t live;

    air_keeper_scene_stop(&scene);
    live = air_memory_live();
    for (uint64_t n = 1; error != AIR_OK; n++) {
        assert_true(n < 1000);
        error = start_with_account(n);
        assert_int_equal(air_memory_live(), live);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_killed_keeper_is_told_once_and_the_server_goes_on),
        TEST(more_than_it_can_take_is_refused_and_comes_through_later),
        TEST(a_killed_server_ends_its_keeper_and_signals_do_not),
        TEST(a_server_killed_in_the_middle_of_a_write_leaves_whole_records),
        TEST(bytes_that_are_no_request_end_the_keeper),
        TEST(a_start_with_each_allocation_failing_ends_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
