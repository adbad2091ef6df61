/* SPDX-License-Identifier: MIT */
/*
 * The engine with everything but a network, for programs whose loop is not ours. The storage knows
 * no record and takes every write: what a start in an empty directory looks like. Whether requests
 * are made at once, later or never is the host's business. Invariant: nothing here blocks.
 */
#include "tests/spikes/guest.h"

#include <string.h>
#include <time.h>

#include "src/base/span.h"
#include "thinair/openssl.h"

#define PAUSE_MAX_MS 60000

static enum air_error wish(struct air_engine *engine);
static enum air_error carry_out(struct air_guest *guest, const struct air_action *action);
static void read_nothing(
    const struct air_read_action *read, struct air_record *records, struct air_result *result);
static struct air_time now(void);

enum air_error air_guest_init(struct air_guest *guest) {
    struct air_engine_config config = {.size = sizeof(config)};
    memset(guest, 0, sizeof(*guest));
    enum air_error error = air_crypto_openssl_new(&guest->crypto);
    if (error == AIR_OK) {
        config.crypto = guest->crypto;
        error = air_engine_new(&config, &guest->engine);
    }
    if (error == AIR_OK) {
        error = wish(guest->engine);
    }
    if (error != AIR_OK) {
        air_guest_deinit(guest);
    }
    return error;
}

void air_guest_deinit(struct air_guest *guest) {
    air_engine_free(guest->engine);
    air_crypto_openssl_free(guest->crypto);
    memset(guest, 0, sizeof(*guest));
}

enum air_error air_guest_next(struct air_guest *guest, const struct air_action **out) {
    enum air_error error;
    do {
        error = air_engine_next(guest->engine, now(), out);
        if (error != AIR_OK || *out == NULL || (*out)->kind == AIR_ACTION_HTTP) {
            return error;
        }
        error = carry_out(guest, *out);
    } while (error == AIR_OK);
    return error;
}

air_span air_guest_path(air_span url) {
    const size_t scheme_size = strlen("https://");
    air_span rest = air_span_skip(url, scheme_size);
    return air_span_skip(rest, air_span_find(rest, '/'));
}

enum air_error air_guest_answer(
    struct air_guest *guest, uint64_t id, uint32_t status, const void *body, size_t body_size) {
    const struct air_http_header type = {
        air_span_text("content-type"), air_span_text("application/json")};
    struct air_result result = {0};
    if (status == 0) {
        result.error = AIR_ERR_NETWORK;
    } else {
        result.http.status = status;
        result.http.headers = &type;
        result.http.headers_count = 1;
        result.http.body = air_span_of(body, body_size);
    }
    return air_engine_complete(guest->engine, id, &result, now());
}

uint32_t air_guest_pause_ms(const struct air_guest *guest) {
    air_time_ms pause_ms = air_engine_wakeup(guest->engine) - now().boot_ms;
    if (pause_ms < 0) {
        return 0;
    }
    return pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : (uint32_t)pause_ms;
}

static enum air_error wish(struct air_engine *engine) {
    const air_span name = air_span_text("guest.example");
    const struct air_authority_spec authority = {
        .size = sizeof(authority),
        .directory_url = air_span_text(AIR_GUEST_DIRECTORY),
        .terms_agreed = true,
    };
    const struct air_certificate_spec certificate = {
        .size = sizeof(certificate),
        .names = &name,
        .names_count = 1,
        .directory_url = air_span_text(AIR_GUEST_DIRECTORY),
    };
    enum air_error error = air_engine_authority_set(engine, &authority);
    return error == AIR_OK ? air_engine_certificate_set(engine, &certificate, NULL) : error;
}

static enum air_error carry_out(struct air_guest *guest, const struct air_action *action) {
    struct air_record records[AIR_STORAGE_PUTS_MAX] = {0};
    struct air_result result = {0};
    switch (action->kind) {
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        return AIR_OK; /* complete as they are handed out */
    case AIR_ACTION_READ:
        read_nothing(&action->read, records, &result);
        guest->storage_count++;
        break;
    case AIR_ACTION_LOCK:
        result.lock.fence = 1;
        guest->storage_count++;
        break;
    case AIR_ACTION_WRITE:
    case AIR_ACTION_LIST:
    case AIR_ACTION_UNLOCK:
        guest->storage_count++;
        break;
    case AIR_ACTION_HTTP:
    case AIR_ACTION_GENERATE_KEY:
    case AIR_ACTION_SIGN:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
        result.error = AIR_ERR_UNSUPPORTED; /* this guest goes no further than the directory */
        break;
    }
    return air_engine_complete(guest->engine, action->id, &result, now());
}

static void read_nothing(
    const struct air_read_action *read, struct air_record *records, struct air_result *result) {
    for (size_t i = 0; i < read->paths_count; i++) {
        records[i].error = AIR_ERR_NOT_FOUND;
    }
    result->read.records = records;
    result->read.records_count = read->paths_count;
}

static struct air_time now(void) {
    struct timespec wall;
    struct timespec boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (struct air_time){
        .wall_ms = wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
        .boot_ms = boot.tv_sec * 1000 + boot.tv_nsec / 1000000,
    };
}
