/* SPDX-License-Identifier: MIT */
/*
 * Read, write, list, lock and unlock: the storage port called on the thread pool.
 *
 * What the records mean is the engine's business. Invariant: values live in buffers that are wiped
 * when the engine has taken them; they may be private keys.
 */
#include "driver/work.h"
#include "src/base/memory.h"

static void run(struct air_work *work);
static void drop(struct air_work *work);

void air_storage_work_start(struct air_work *work) {
    work->part = air_memory_new(sizeof(struct air_carried));
    work->drop = drop;
    work->run = run;
    if (work->part == NULL) {
        air_work_finish(work, AIR_ERR_NO_MEMORY);
        return;
    }
    air_work_queue(work);
}

static void run(struct air_work *work) {
    struct air_carried *carried = work->part;

    air_storage_carry_out(work->driver->config.storage, work->action, carried);
    work->result = carried->result;
    if (carried->result.explanation.size > 0) {
        air_work_explain(work, "%s", carried->explanation);
    }
}

static void drop(struct air_work *work) {
    struct air_carried *carried = work->part;

    if (carried != NULL) {
        air_carried_deinit(carried);
        air_memory_free(carried, sizeof(*carried));
    }
}
