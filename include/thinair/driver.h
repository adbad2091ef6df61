/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_DRIVER_H
#define THINAIR_DRIVER_H

/*
 * The driver: carries out an engine's actions with libuv and libcurl.
 *
 * http goes through one curl multi handle on the loop; storage, key generation and slow signatures
 * go to libuv's thread pool; what only the host can do (publish, withdraw, prove, install, event)
 * goes to the host's `carry`. Everything happens on the thread that runs the loop.
 */

#include "thinair/engine.h"
#include "thinair/storage.h"

#ifdef __cplusplus
extern "C" {
#endif

struct air_driver;
struct uv_loop_s;

struct air_driver_config {
    size_t size;               /* sizeof(struct air_driver_config) */
    struct uv_loop_s *loop;    /* the host's */
    struct air_engine *engine; /* all four must outlive the driver */
    const struct air_crypto *crypto;
    struct air_storage *storage;
    const char *user_agent; /* put before ours, "name/version", at most 128 bytes; may be NULL;
                               copied */

    /*
     * Carry out a publish, withdraw, prove, install or event action: fill *result and return true,
     * or return false and call air_driver_complete() later, on the loop's thread. Events need no
     * result.
     */
    bool (*carry)(void *host, const struct air_action *action, struct air_result *result);
    void *host;
};

/*
 * Make a driver and begin: the engine is asked for work from the loop's next turn on.
 *
 * The trust label of an authority is the path of a PEM file with the roots to believe for that CA;
 * empty: the system's.
 *
 * out  Yours: air_driver_stop(), run the loop until its callback, then air_driver_free().
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, AIR_ERR_ARGUMENT.
 */
AIR_API AIR_MUST_CHECK enum air_error air_driver_new(
    const struct air_driver_config *config, struct air_driver **out);

/* Ask the engine again: call after any other call on it. */
AIR_API void air_driver_wake(struct air_driver *driver);

/* Complete an action that `carry` answered false to. */
AIR_API void air_driver_complete(
    struct air_driver *driver, uint64_t id, const struct air_result *result);

/*
 * Stop: running transfers end, running work on the thread pool is waited for; then stopped(host) is
 * called from the loop, with no handle of the driver left in it. Actions that the host has not yet
 * answered stay open, and their memory with them, until the engine is freed; answering them then
 * does nothing.
 */
AIR_API void air_driver_stop(struct air_driver *driver, void (*stopped)(void *host));

/* Free a stopped driver. */
AIR_API void air_driver_free(struct air_driver *driver);

/* How many requests were sent so far, for `bench` and tests. */
AIR_API uint64_t air_driver_requests_count(const struct air_driver *driver);

#ifdef __cplusplus
}
#endif

#endif
