/* SPDX-License-Identifier: MIT */
/*
 * The driver's turns: ask the engine for work, hand each action to whoever carries it out, sleep
 * until the engine wants to be asked again.
 *
 * How actions are carried out is in the other files. Invariant: the engine is called from the
 * loop's thread only, never from within a call of the host's, and no turn is forgotten: whatever
 * happens arms the wakeup timer.
 */
#include <stdio.h>
#include <string.h>

#include "driver/clock.h"
#include "driver/work.h"
#include "src/base/memory.h"

/* Ask again after that when the engine, or we, had no memory. */
#define RETRY_MS 100

/* libuv runs a timer of 0 ms that a timer starts before it looks at any socket. */
#define SOON_MS 1

/* Longest user agent of a host's. */
#define USER_AGENT_SIZE_MAX 128

/* Actions in one turn of the loop: what else is on it gets its turn too. */
#define ACTIONS_PER_TURN_MAX 256

static void turn(uv_timer_t *timer);
static bool ask(struct air_driver *driver);
static void sleep_until_wakeup(struct air_driver *driver);
static void dispatch(struct air_driver *driver, const struct air_action *action);
static void carry(struct air_driver *driver, const struct air_action *action);
static void cancel(struct air_driver *driver, uint64_t id);
static void end_works(struct air_driver *driver);
static void advance_stop(struct air_driver *driver);
static void wakeup_closed(uv_handle_t *handle);

enum air_error air_driver_new(const struct air_driver_config *config, struct air_driver **out) {
    const char *user_agent = config->user_agent != NULL ? config->user_agent : "";
    struct air_driver *driver;
    enum air_error error;

    if (config->size != sizeof(*config) || config->loop == NULL || config->engine == NULL ||
        config->crypto == NULL || config->storage == NULL || config->carry == NULL ||
        strlen(user_agent) > USER_AGENT_SIZE_MAX) {
        return AIR_ERR_ARGUMENT;
    }
    driver = air_memory_new(sizeof(*driver));
    if (driver == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    driver->config = *config;
    snprintf(driver->user_agent, sizeof(driver->user_agent), "%s%sthinair/%s libcurl/%s",
        user_agent, user_agent[0] != '\0' ? " " : "", AIR_VERSION_TEXT,
        curl_version_info(CURLVERSION_NOW)->version);
    error = air_transfers_init(driver);
    if (error != AIR_OK) {
        air_transfers_deinit(driver);
        air_memory_free(driver, sizeof(*driver));
        return error;
    }
    (void)uv_timer_init(config->loop, &driver->wakeup); /* cannot fail */
    driver->wakeup.data = driver;
    air_driver_handle_opened(driver);
    air_driver_wake(driver);
    *out = driver;
    return AIR_OK;
}

void air_driver_free(struct air_driver *driver) {
    if (driver == NULL) {
        return;
    }
    air_memory_free(driver->spare, sizeof(*driver->spare));
    while (driver->works != NULL) { /* carried by the host, never answered */
        air_work_free(driver->works);
    }
    air_memory_free(driver, sizeof(*driver));
}

void air_driver_wake(struct air_driver *driver) {
    air_driver_arm(driver, 0);
}

void air_driver_arm(struct air_driver *driver, uint64_t delay_ms) {
    uv_handle_t *handle = (uv_handle_t *)&driver->wakeup;

    if (driver->is_stopping || (driver->is_asking && delay_ms == 0)) {
        return;
    }
    if (!uv_is_active(handle) || uv_timer_get_due_in(&driver->wakeup) > delay_ms) {
        (void)uv_timer_start(&driver->wakeup, turn, delay_ms, 0);
    }
}

void air_driver_complete(struct air_driver *driver, uint64_t id, const struct air_result *result) {
    struct air_work *work = air_work_find(driver, id);

    if (work == NULL || !work->is_carried || work->is_done || driver->is_closed) {
        return;
    }
    air_work_explain(
        work, "%.*s", (int)result->explanation.size, (const char *)result->explanation.data);
    air_work_finish(work, result->error);
}

uint64_t air_driver_requests_count(const struct air_driver *driver) {
    return atomic_load_explicit(&driver->requests_count, memory_order_relaxed);
}

void air_driver_stop(struct air_driver *driver, void (*stopped)(void *host)) {
    driver->stopped = stopped;
    driver->is_stopping = true;
    end_works(driver);
    advance_stop(driver);
}

void air_driver_handle_opened(struct air_driver *driver) {
    driver->handles_count++;
}

void air_driver_handle_closed(struct air_driver *driver) {
    driver->handles_count--;
    if (driver->handles_count == 0) {
        driver->stopped(driver->config.host); /* the host may free the driver there */
    }
}

void air_driver_work_ended(struct air_driver *driver) {
    if (driver->is_stopping) {
        advance_stop(driver);
    } else {
        air_driver_wake(driver);
    }
}

static void turn(uv_timer_t *timer) {
    struct air_driver *driver = timer->data;

    air_work_retry(driver);
    air_transfers_sweep(driver);
    if (ask(driver)) {
        sleep_until_wakeup(driver);
    }
}

/* Take actions until nothing is due: true. Else the next turn is armed already. */
static bool ask(struct air_driver *driver) {
    for (size_t i = 0; i < ACTIONS_PER_TURN_MAX; i++) {
        const struct air_action *action = NULL;
        enum air_error error = air_work_reserve(driver);

        if (error == AIR_OK) {
            error = air_engine_next(driver->config.engine, air_clock_now(), &action);
        }
        if (error != AIR_OK) {
            air_driver_arm(driver, RETRY_MS);
            return false;
        }
        if (action == NULL) {
            return true;
        }
        driver->is_asking = true; /* what wakes us meanwhile is seen by the next round */
        dispatch(driver, action);
        driver->is_asking = false;
        if (driver->is_stopping) {
            return false;
        }
    }
    air_driver_arm(driver, SOON_MS);
    return false;
}

static void sleep_until_wakeup(struct air_driver *driver) {
    air_time_ms at_ms = air_engine_wakeup(driver->config.engine);
    air_time_ms now_ms = air_clock_boot_ms();

    if (at_ms == INT64_MAX) {
        return;
    }
    uv_update_time(driver->config.loop);
    air_driver_arm(driver, at_ms > now_ms ? (uint64_t)(at_ms - now_ms) : SOON_MS);
}

static void dispatch(struct air_driver *driver, const struct air_action *action) {
    struct air_result unused = {0};

    switch (action->kind) {
    case AIR_ACTION_HTTP:
        air_transfer_start(air_work_begin(driver, action));
        break;
    case AIR_ACTION_READ:
    case AIR_ACTION_WRITE:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        air_storage_work_start(air_work_begin(driver, action));
        break;
    case AIR_ACTION_GENERATE_KEY:
    case AIR_ACTION_SIGN:
        air_key_work_start(air_work_begin(driver, action));
        break;
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
        carry(driver, action);
        break;
    case AIR_ACTION_EVENT:
        (void)driver->config.carry(driver->config.host, action, &unused);
        break;
    case AIR_ACTION_CANCEL:
        cancel(driver, action->cancel.cancelled_id);
        break;
    }
}

static void carry(struct air_driver *driver, const struct air_action *action) {
    struct air_work *work = air_work_begin(driver, action);
    struct air_result result = {0};

    work->is_carried = true;
    if (driver->config.carry(driver->config.host, action, &result)) {
        air_driver_complete(driver, action->id, &result);
    }
}

/* What the host carries out, or a thread has begun, is completed when it ends. */
static void cancel(struct air_driver *driver, uint64_t id) {
    struct air_work *work = air_work_find(driver, id);

    if (work == NULL) {
        return;
    }
    work->is_cancelled = true;
    if (work->action->kind == AIR_ACTION_HTTP && !work->is_done) {
        air_transfer_stop(work, AIR_ERR_CANCELLED);
    } else if (work->run != NULL && !work->is_done) {
        (void)uv_cancel((uv_req_t *)&work->request);
    }
}

/* End what can be ended at once. */
static void end_works(struct air_driver *driver) {
    struct air_work *work = driver->works;

    while (work != NULL) {
        struct air_work *next = work->next;

        if (work->is_done) {
            air_work_finish(work, work->result.error);
        } else if (!work->is_carried) {
            cancel(driver, work->action->id);
        }
        work = next;
    }
}

/* Close everything once no work but the host's is left. */
static void advance_stop(struct air_driver *driver) {
    if (driver->is_closed) {
        return;
    }
    for (const struct air_work *work = driver->works; work != NULL; work = work->next) {
        if (!work->is_carried) {
            return;
        }
    }
    driver->is_closed = true;
    air_transfers_deinit(driver);
    air_sockets_close(driver);
    uv_close((uv_handle_t *)&driver->wakeup, wakeup_closed);
}

static void wakeup_closed(uv_handle_t *handle) {
    air_driver_handle_closed(handle->data);
}
