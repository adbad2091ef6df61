/* SPDX-License-Identifier: MIT */
/*
 * Keys and signatures that are not quick (RSA, tokens): the crypto port's slow methods called on
 * the thread pool.
 *
 * Invariant: a new key belongs to the engine once it has taken the result; before that it is ours,
 * and freed when nobody wants it any more.
 */
#include "driver/work.h"
#include "src/base/memory.h"
#include "src/base/span.h"

struct key_part {
    uint64_t key;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
};

static void run_generate(struct air_work *work);
static void run_sign(struct air_work *work);
static void drop(struct air_work *work);

void air_key_work_start(struct air_work *work) {
    work->part = air_memory_new(sizeof(struct key_part));
    work->drop = drop;
    work->run = work->action->kind == AIR_ACTION_SIGN ? run_sign : run_generate;
    if (work->part == NULL) {
        air_work_finish(work, AIR_ERR_NO_MEMORY);
        return;
    }
    air_work_queue(work);
}

static void run_generate(struct air_work *work) {
    const struct air_crypto *crypto = work->driver->config.crypto;
    struct key_part *part = work->part;

    work->result.error =
        crypto->key_generate_slow(crypto->self, work->action->generate_key.type, &part->key);
    work->result.generate_key.key = part->key;
}

static void run_sign(struct air_work *work) {
    const struct air_crypto *crypto = work->driver->config.crypto;
    const struct air_sign_action *sign = &work->action->sign;
    struct key_part *part = work->part;
    size_t size = 0;

    work->result.error = crypto->key_sign_slow(
        crypto->self, sign->key, sign->algorithm, sign->data, part->signature, &size);
    work->result.sign.signature = air_span_of(part->signature, size);
}

static void drop(struct air_work *work) {
    const struct air_crypto *crypto = work->driver->config.crypto;
    struct key_part *part = work->part;

    if (part == NULL) {
        return;
    }
    if (!work->is_delivered || work->result.error != AIR_OK) {
        crypto->key_free(crypto->self, part->key); /* 0 is ignored */
    }
    air_memory_free(part, sizeof(*part));
}
