/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_DRIVER_SCENE_H
#define AIR_TEST_DRIVER_SCENE_H

/* A server on loopback, a client that believes its root, and the request that a test sends. */

#include <pthread.h>

#include "tests/support/test_pki.h"
#include "tests/unit/driver/harness.h"
#include "tests/unit/driver/https_server.h"

struct air_scene {
    struct air_harness harness;
    struct air_test_pki *pki;
    struct air_https_server *server;
    char trust[64];
    char url[128];
    struct air_action action;

    /* what the server does: the script of a test */
    void (*_Atomic answer)(struct air_scene *scene, struct air_test_exchange *exchange);
    pthread_mutex_t lock; /* of what follows: each connection has a thread */
    char request[2048];   /* the latest one */
    unsigned requests_count;
};

/* Make all of it: GET https://localhost:<port>/dir, at most 256 bytes, within 20 s. */
void air_scene_init(struct air_scene *scene,
    void (*answer)(struct air_scene *scene, struct air_test_exchange *exchange));
void air_scene_deinit(struct air_scene *scene);

/* Start the server, for that name. */
void air_scene_serve(struct air_scene *scene, const char *name);

/* Write scene->trust, a new file. */
void air_scene_write_trust(struct air_scene *scene, air_span pem);

/* Send the scene's action and wait for what comes of it. */
const struct air_answer *air_scene_send(struct air_scene *scene);

/* The latest request has this in it; the explanation names host and port, and has this in it. */
void air_scene_assert_sent(const struct air_scene *scene, const char *part);
void air_scene_assert_explained(
    const struct air_scene *scene, const struct air_answer *answer, const char *part);

/* A script: 200, four headers, "hello". */
void air_scene_answer_plain(struct air_scene *scene, struct air_test_exchange *exchange);

#endif
