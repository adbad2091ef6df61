/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_HOST_SUPPORT_H
#define AIR_TEST_HOST_SUPPORT_H

/*
 * A world for the engine as it lives in HAProxy: the fake CA, whose signatures and certificates are
 * real here, and a clock that moves when nobody has anything to do.
 */

#include "hosts/haproxy/inside.h"
#include "tests/support/fake_ca.h"
#include "tests/support/test_pki.h"

struct air_test_world {
    struct air_haproxy *haproxy;
    struct air_fake_ca *ca;
    struct air_test_pki *pki;
    struct air_crypto *crypto; /* the CA's */
    const char *state_dir;     /* of the host to be made; NULL: none */
    const char *ca_host;       /* "ca.test" */
    uint64_t fail_at;          /* the allocation of the host's that fails; 0: none */
    uint64_t allocations_count;
    void (*watch)(struct air_test_world *world); /* called after each turn, or NULL */
    unsigned watched_count;                      /* the watcher's */
    size_t installs_count;
    size_t rests_count;
    size_t work_count;     /* turns since the last rest, or since nothing was to be done, */
    size_t work_count_max; /* at most */
};

/* Make one; the CA's names end with ".test" or whatever: it believes everything. */
void air_test_world_init(struct air_test_world *world);

/* The CA is gone, another one is at that host. */
void air_test_world_move(struct air_test_world *world, const char *ca_host);

/* Make the host; it may fail when an allocation is to. */
enum air_error air_test_world_start(struct air_test_world *world);
void air_test_world_stop(struct air_test_world *world);
void air_test_world_deinit(struct air_test_world *world);

/* Put in an order for names, parted by spaces. key_type AIR_KEY_NONE: not said. */
enum air_error air_test_world_order(struct air_test_world *world, const char *names,
    enum air_key_type key_type, air_span account_key, char id[AIR_HAPROXY_ID_SIZE],
    struct air_refusal *refusal);

/* One turn, and what it asks for. False: nothing is to be done. */
bool air_test_world_turn(struct air_test_world *world);

/* Turns until no order is running. */
void air_test_world_run(struct air_test_world *world);

/* Let time pass. */
void air_test_world_tick(air_time_ms span_ms);

/* Let time pass, and take the turns it brings. */
void air_test_world_pass(struct air_test_world *world, air_time_ms span_ms);

enum air_order_state air_test_world_state(struct air_test_world *world, const char *id);

/* How many folders there are below one, in what is kept in memory. */
size_t air_test_world_kept(struct air_test_world *world, const char *folder);

#endif
