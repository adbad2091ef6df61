/* SPDX-License-Identifier: MIT */
/*
 * The life of a work: from an action handed out to a result that the engine took.
 *
 * How an action is carried out is in transfer.c, storage_work.c and key_work.c. Invariant: every
 * action that was handed out has exactly one work until the engine took its result, and its memory
 * is used only so long.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "driver/clock.h"
#include "driver/work.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* When to try again what failed for lack of memory. */
#define RETRY_MS 100

static void run(uv_work_t *request);
static void after(uv_work_t *request, int status);

enum air_error air_work_reserve(struct air_driver *driver) {
    if (driver->spare == NULL) {
        driver->spare = air_memory_new(sizeof(*driver->spare));
    }
    return driver->spare != NULL ? AIR_OK : AIR_ERR_NO_MEMORY;
}

struct air_work *air_work_begin(struct air_driver *driver, const struct air_action *action) {
    struct air_work *work = driver->spare;

    driver->spare = NULL;
    work->driver = driver;
    work->action = action;
    work->next = driver->works;
    if (work->next != NULL) {
        work->next->previous = work;
    }
    driver->works = work;
    return work;
}

struct air_work *air_work_find(const struct air_driver *driver, uint64_t id) {
    for (struct air_work *work = driver->works; work != NULL; work = work->next) {
        if (work->action->id == id) {
            return work;
        }
    }
    return NULL;
}

void air_work_explain(struct air_work *work, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(work->explanation, sizeof(work->explanation), format, arguments);
    va_end(arguments);
    for (char *c = work->explanation; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

void air_work_finish(struct air_work *work, enum air_error error) {
    struct air_driver *driver = work->driver;

    work->result.error = work->is_cancelled ? AIR_ERR_CANCELLED : error;
    work->result.explanation = air_span_text(work->explanation);
    error = air_engine_complete(
        driver->config.engine, work->action->id, &work->result, air_clock_now());
    if (error == AIR_ERR_NO_MEMORY && !driver->is_stopping) {
        work->is_done = true;
        air_driver_arm(driver, RETRY_MS);
        return;
    }
    work->is_delivered = error == AIR_OK;
    air_work_free(work);
    air_driver_work_ended(driver);
}

void air_work_retry(struct air_driver *driver) {
    struct air_work *work = driver->works;

    while (work != NULL) {
        struct air_work *next = work->next;

        if (work->is_done) {
            work->is_done = false;
            air_work_finish(work, work->result.error);
        }
        work = next;
    }
}

void air_work_queue(struct air_work *work) {
    work->request.data = work;
    /* Fails only without a function to run. */
    (void)uv_queue_work(work->driver->config.loop, &work->request, run, after);
}

void air_work_free(struct air_work *work) {
    struct air_work **link = work->previous != NULL ? &work->previous->next : &work->driver->works;

    *link = work->next;
    if (work->next != NULL) {
        work->next->previous = work->previous;
    }
    if (work->drop != NULL) {
        work->drop(work);
    }
    air_memory_free(work, sizeof(*work));
}

static void run(uv_work_t *request) {
    struct air_work *work = request->data;

    work->run(work);
}

static void after(uv_work_t *request, int status) {
    struct air_work *work = request->data;

    air_work_finish(work, status == 0 ? work->result.error : AIR_ERR_CANCELLED);
}
