/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_KEEPER_SCENE_H
#define AIR_TEST_KEEPER_SCENE_H

/* A keeper on a folder of its own, and a server's side that waits for each result. */

#include <sys/types.h>

#include "tests/support/folder.h"
#include "tests/support/test.h"
#include "thinair/keeper.h"

struct air_keeper_scene {
    char folder[AIR_TEST_PATH_SIZE];
    char state_dir[AIR_TEST_PATH_SIZE];
    char chain_path[AIR_TEST_PATH_SIZE];
    char key_path[AIR_TEST_PATH_SIZE];
    char account_path[AIR_TEST_PATH_SIZE];
    struct air_crypto *local;
    struct air_keeper *keeper; /* NULL: not started */
    struct air_crypto *crypto;

    /* the latest result */
    size_t results_count;
    uint64_t id;
    enum air_error error;
    uint64_t key;
    struct air_buffer text; /* the first record, or the signature */
    struct air_buffer explanation;
};

void air_keeper_scene_init(struct air_keeper_scene *scene);
void air_keeper_scene_start(struct air_keeper_scene *scene);
void air_keeper_scene_stop(struct air_keeper_scene *scene);
void air_keeper_scene_deinit(struct air_keeper_scene *scene);

/* The keeper's process: this program's only child. */
pid_t air_keeper_scene_process(void);

/* Serve what is there, and wait for the next result at most 30 s; what service answers. */
enum air_error air_keeper_scene_wait(struct air_keeper_scene *scene);

/* Submit, and wait for the result: its error. */
enum air_error air_keeper_scene_run(
    struct air_keeper_scene *scene, const struct air_action *action);

/* Read and write one record; the value read is in scene->text. */
enum air_error air_keeper_scene_read(struct air_keeper_scene *scene, const char *path);
enum air_error air_keeper_scene_put(
    struct air_keeper_scene *scene, const char *path, air_span value);

/* Have a key made: scene->key. */
enum air_error air_keeper_scene_generate(
    struct air_keeper_scene *scene, enum air_key_type type, bool is_account);

#endif
