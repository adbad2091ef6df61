/* SPDX-License-Identifier: MIT */
/*
 * The server's side of a keeper in a test: one action at a time, and its result copied.
 *
 * Invariant: nothing waits longer than WAIT_MS.
 */
#include "tests/unit/keeper/keeper_scene.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "thinair/openssl.h"

#define WAIT_MS 30000

void air_keeper_scene_init(struct air_keeper_scene *scene) {
    *scene = (struct air_keeper_scene){0};
    air_test_folder_make(scene->folder);
    air_test_path(scene->state_dir, scene->folder, "state");
    air_test_path(scene->chain_path, scene->folder, "cert.pem");
    air_test_path(scene->key_path, scene->folder, "key.pem");
    air_test_path(scene->account_path, scene->folder, "account.jwk");
    air_buffer_init(&scene->text, AIR_STORAGE_VALUE_SIZE_MAX);
    air_buffer_init(&scene->explanation, 512);
    assert_ok(air_crypto_openssl_new(&scene->local));
}

void air_keeper_scene_start(struct air_keeper_scene *scene) {
    const struct air_keeper_config config = {.size = sizeof(config), .state_dir = scene->state_dir};

    assert_ok(air_keeper_start(&config, &scene->keeper, NULL));
    assert_ok(air_keeper_crypto(scene->keeper, scene->local, &scene->crypto));
}

void air_keeper_scene_stop(struct air_keeper_scene *scene) {
    air_keeper_stop(scene->keeper);
    scene->keeper = NULL;
}

void air_keeper_scene_deinit(struct air_keeper_scene *scene) {
    air_keeper_scene_stop(scene);
    air_crypto_openssl_free(scene->local);
    air_buffer_deinit(&scene->text);
    air_buffer_deinit(&scene->explanation);
    air_test_folder_remove(scene->folder);
}

pid_t air_keeper_scene_process(void) {
    char path[64];
    long process = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &process), 1);
    assert_int_equal(fclose(file), 0);
    return (pid_t)process;
}

static void done(void *context, uint64_t id, const struct air_result *result) {
    struct air_keeper_scene *scene = context;

    scene->results_count++;
    scene->id = id;
    scene->error = result->error;
    air_buffer_clear(&scene->text);
    air_buffer_clear(&scene->explanation);
    air_buffer_append_span(&scene->explanation, result->explanation);
    scene->key = result->error == AIR_OK ? result->generate_key.key : 0;
}

/* For actions whose result is a record or a signature. */
static void done_record(void *context, uint64_t id, const struct air_result *result) {
    struct air_keeper_scene *scene = context;

    done(context, id, result);
    scene->key = 0;
    if (result->error == AIR_OK) {
        scene->error = result->read.records[0].error;
        air_buffer_append_span(&scene->text, result->read.records[0].value);
    }
}

static void done_signature(void *context, uint64_t id, const struct air_result *result) {
    struct air_keeper_scene *scene = context;

    done(context, id, result);
    scene->key = 0;
    if (result->error == AIR_OK) {
        air_buffer_append_span(&scene->text, result->sign.signature);
    }
}

static enum air_error wait_with(struct air_keeper_scene *scene,
    void (*told)(void *context, uint64_t id, const struct air_result *result)) {
    const size_t before = scene->results_count;
    enum air_error error = AIR_OK;

    while (error == AIR_OK && scene->results_count == before) {
        struct pollfd wait = {.fd = air_keeper_socket(scene->keeper), .events = POLLIN};

        if (air_keeper_wants_write(scene->keeper)) {
            wait.events |= POLLOUT;
        }
        assert_true(poll(&wait, 1, WAIT_MS) > 0);
        do {
            error = air_keeper_service(scene->keeper, told, scene);
        } while (error == AIR_ERR_NO_MEMORY);
    }
    return error;
}

enum air_error air_keeper_scene_wait(struct air_keeper_scene *scene) {
    return wait_with(scene, done);
}

enum air_error air_keeper_scene_run(
    struct air_keeper_scene *scene, const struct air_action *action) {
    const enum air_error error = air_keeper_submit(scene->keeper, action);

    if (error != AIR_OK) {
        return error;
    }
    if (action->kind == AIR_ACTION_READ) {
        (void)wait_with(scene, done_record);
    } else {
        (void)wait_with(scene, action->kind == AIR_ACTION_SIGN ? done_signature : done);
    }
    assert_int_equal(scene->id, action->id);
    return scene->error;
}

enum air_error air_keeper_scene_read(struct air_keeper_scene *scene, const char *path) {
    const air_span span = air_span_text(path);
    struct air_action action = {.id = 11, .kind = AIR_ACTION_READ};

    action.read = (struct air_read_action){.paths = &span, .paths_count = 1};
    return air_keeper_scene_run(scene, &action);
}

enum air_error air_keeper_scene_put(
    struct air_keeper_scene *scene, const char *path, air_span value) {
    const struct air_put put = {.path = air_span_text(path), .value = value};
    struct air_action action = {.id = 12, .kind = AIR_ACTION_WRITE};

    action.write = (struct air_write_action){.puts = &put, .puts_count = 1};
    return air_keeper_scene_run(scene, &action);
}

enum air_error air_keeper_scene_generate(
    struct air_keeper_scene *scene, enum air_key_type type, bool is_account) {
    struct air_action action = {.id = 13, .kind = AIR_ACTION_GENERATE_KEY};

    action.generate_key = (struct air_generate_key_action){.type = type, .is_account = is_account};
    return air_keeper_scene_run(scene, &action);
}
