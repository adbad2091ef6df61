/* SPDX-License-Identifier: MIT */
/*
 * Carrying out actions for a test. Results point into buffers of this file's stack or the CA, and
 * are completed before these go. Invariant: one action at a time, in the order they are handed out,
 * so that a run is its own replay.
 */

#include "tests/support/fake_host.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/span.h"
#include "tests/support/memory_storage.h"

/* A run that needs more actions than this goes in a circle. */
#define ACTIONS_MAX 200000

void air_fake_host_init(
    struct air_fake_host *host, const struct air_crypto *crypto, struct air_storage *storage) {
    *host = (struct air_fake_host){.crypto = crypto, .storage = storage};
    host->now.wall_ms = AIR_FAKE_HOST_EPOCH_MS;
    host->now.boot_ms = 1000;
    host->told_boot_ms = 1000;
    air_buffer_init(&host->transcript, 64u << 20);
    air_buffer_init(&host->served_chain, 1u << 20);
}

void air_fake_host_deinit(struct air_fake_host *host) {
    air_engine_free(host->engine);
    air_buffer_deinit(&host->transcript);
    air_buffer_deinit(&host->served_chain);
}

/* From here on allocations are the engine's, until disarm() gets what this returns. */
static uint64_t arm(const struct air_fake_host *host) {
    const uint64_t done = host->allocations_count;
    uint64_t next = host->fail_at > done ? host->fail_at - done : 0;
    if (host->fail_each > 0) {
        next = host->fail_each - done % host->fail_each;
    }
    air_memory_fail_at(next);
    return air_memory_count();
}

static void disarm(struct air_fake_host *host, uint64_t count_before) {
    air_memory_fail_at(0);
    host->allocations_count += air_memory_count() - count_before;
}

static enum air_error next(struct air_fake_host *host, const struct air_action **out) {
    const uint64_t count_before = arm(host);
    const enum air_error error = air_engine_next(host->engine, host->now, out);
    disarm(host, count_before);
    return error;
}

/* Again until there is memory for it. */
static void complete(struct air_fake_host *host, uint64_t id, const struct air_result *result) {
    enum air_error error = AIR_ERR_NO_MEMORY;
    while (error == AIR_ERR_NO_MEMORY) {
        const uint64_t count_before = arm(host);
        error = air_engine_complete(host->engine, id, result, host->now);
        disarm(host, count_before);
    }
}

enum air_error air_fake_host_start(struct air_fake_host *host) {
    const struct air_engine_config config = {.size = sizeof config, .crypto = host->crypto};
    host->is_dead = false;
    host->die_at = 0;
    host->dies_after_puts = 0;
    const uint64_t count_before = arm(host);
    enum air_error error = air_engine_new(&config, &host->engine);
    disarm(host, count_before);
    if (error == AIR_OK) {
        error = air_engine_target_add(host->engine, air_span_text("front"));
    }
    return error;
}

enum air_error air_fake_host_add(struct air_fake_host *host, const char *name,
    const enum air_key_type *key_types, size_t key_types_count) {
    char url[100];
    (void)snprintf(url, sizeof url, "https://%s/dir", air_fake_ca_settings(host->cas[0])->host);
    const struct air_authority_spec authority = {
        .size = sizeof authority, .directory_url = air_span_text(url), .terms_agreed = true};
    const uint64_t count_before = arm(host);
    enum air_error error = air_engine_authority_set(host->engine, &authority);
    const air_span names[] = {air_span_text(name)};
    const struct air_certificate_spec spec = {.size = sizeof spec,
        .names = names,
        .names_count = 1,
        .key_types = key_types,
        .key_types_count = key_types_count,
        .directory_url = air_span_text(url)};
    if (error == AIR_OK) {
        error = air_engine_certificate_set(host->engine, &spec, NULL);
    }
    disarm(host, count_before);
    return error;
}

static void note(struct air_fake_host *host, const char *text, air_span detail) {
    air_buffer_append_text(&host->transcript, text);
    air_buffer_append_span(&host->transcript, detail);
    air_buffer_append_text(&host->transcript, "\n");
}

static void carry_http(
    struct air_fake_host *host, const struct air_action *action, struct air_result *result) {
    for (size_t i = 0; i < AIR_FAKE_HOST_CAS_MAX && host->cas[i] != NULL; i++) {
        air_fake_ca_request(host->cas[i], &action->http, host->now, result);
        if (result->error == AIR_OK ||
            !air_span_equal_text(result->explanation, "there is no such host")) {
            return;
        }
    }
}

struct segments {
    struct air_buffer text;
    air_span list[64];
    size_t count;
};

static bool add_segment(void *context, air_span segment) {
    struct segments *segments = context;
    const size_t begin = segments->text.size;
    (void)air_buffer_append_span(&segments->text, segment);
    segments->list[segments->count++] = air_span_of(segments->text.data + begin, segment.size);
    return segments->count < 64;
}

static void publish(
    struct air_fake_host *host, const struct air_publish_action *publish, bool is_withdrawn) {
    char text[600];
    (void)snprintf(text, sizeof text, "%s %.*s %.*s", air_challenge_type_text(publish->type),
        (int)publish->name.size, (const char *)publish->name.data, (int)publish->token.size,
        (const char *)publish->token.data);
    for (size_t i = 0; i < host->published_count; i++) {
        if (strcmp(host->published[i].text, text) == 0) {
            host->published[i] = host->published[--host->published_count];
        }
    }
    if (!is_withdrawn && host->published_count < AIR_FAKE_HOST_PUBLISHED_MAX) {
        (void)snprintf(host->published[host->published_count].text, sizeof text, "%s", text);
        (void)snprintf(host->published[host->published_count].answer, 400, "%.*s",
            (int)publish->key_authorization.size, (const char *)publish->key_authorization.data);
        host->published_count++;
    }
}

bool air_fake_host_validate(
    void *context, const char *type, air_span name, air_span token, air_span key_authorization) {
    const struct air_fake_host *host = context;
    char text[600];
    (void)snprintf(text, sizeof text, "%s %.*s %.*s", type, (int)name.size, (const char *)name.data,
        (int)token.size, (const char *)token.data);
    for (size_t i = 0; i < host->published_count; i++) {
        if (strcmp(host->published[i].text, text) == 0) {
            return air_span_equal_text(key_authorization, host->published[i].answer);
        }
    }
    return false;
}

static void install(
    struct air_fake_host *host, const struct air_action *action, struct air_result *result) {
    result->error = host->install_error;
    if (result->error == AIR_OK) {
        host->served_generation = action->install.generation;
        host->installs_count++;
        air_buffer_clear(&host->served_chain);
        (void)air_buffer_append_span(&host->served_chain, action->install.chain);
    } else {
        result->explanation = air_span_text("the front gave another certificate");
    }
}

/* How long the host slept, when something happens after it. */
static void tell_time(struct air_fake_host *host) {
    if (host->now.boot_ms != host->told_boot_ms) {
        char text[40];
        (void)snprintf(
            text, sizeof text, "... %lld ms", (long long)(host->now.boot_ms - host->told_boot_ms));
        host->told_boot_ms = host->now.boot_ms;
        note(host, text, air_span_text(NULL));
    }
}

static void hear(struct air_fake_host *host, const struct air_event_action *event) {
    tell_time(host);
    host->events_count[event->event]++;
    note(host, "  event ", air_span_text(air_event_text(event->event)));
    if (event->text.size > 0) {
        note(host, "    ", event->text);
    }
}

/* What belongs to a result until it is completed. */
struct holding {
    struct air_buffer values[AIR_STORAGE_PUTS_MAX];
    struct air_record records[AIR_STORAGE_PUTS_MAX];
    struct segments segments;
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
};

static void carry_read(struct air_fake_host *host, const struct air_action *action,
    struct holding *holding, struct air_result *result) {
    for (size_t i = 0; i < action->read.paths_count; i++) {
        air_buffer_init(&holding->values[i], AIR_STORAGE_VALUE_SIZE_MAX);
        holding->records[i].error = host->storage->read(host->storage->self, action->read.paths[i],
            &holding->values[i], &holding->records[i].version);
        holding->records[i].value = air_buffer_span(&holding->values[i]);
    }
    result->read.records = holding->records;
    result->read.records_count = action->read.paths_count;
}

static void carry_key(struct air_fake_host *host, const struct air_action *action,
    struct holding *holding, struct air_result *result) {
    const struct air_crypto *crypto = host->crypto;
    if (action->kind == AIR_ACTION_GENERATE_KEY) {
        result->error = crypto->key_generate_slow(
            crypto->self, action->generate_key.type, &result->generate_key.key);
        return;
    }
    size_t size = 0;
    result->error = crypto->key_sign_slow(crypto->self, action->sign.key, action->sign.algorithm,
        action->sign.data, holding->signature, &size);
    result->sign.signature = air_span_of(holding->signature, size);
}

static void carry_storage(struct air_fake_host *host, const struct air_action *action,
    struct holding *holding, struct air_result *result) {
    struct air_storage *storage = host->storage;
    if (action->kind == AIR_ACTION_READ) {
        carry_read(host, action, holding, result);
    } else if (action->kind == AIR_ACTION_WRITE) {
        result->error = storage->write(
            storage->self, &action->write.guard, action->write.puts, action->write.puts_count);
    } else if (action->kind == AIR_ACTION_LIST) {
        air_buffer_init(&holding->segments.text, 4096);
        (void)air_buffer_extend(&holding->segments.text, 4096);
        air_buffer_truncate(&holding->segments.text, 0);
        result->error = storage->list(storage->self, action->list.prefix, action->list.after,
            add_segment, &holding->segments);
        result->list.segments = holding->segments.list;
        result->list.segments_count = holding->segments.count;
    } else if (action->kind == AIR_ACTION_LOCK) {
        result->error = storage->lock(storage->self, action->lock.path, &result->lock.fence);
    } else {
        result->error = storage->unlock(storage->self, action->lock.path);
    }
}

static void carry(struct air_fake_host *host, const struct air_action *action,
    struct holding *holding, struct air_result *result) {
    switch (action->kind) {
    case AIR_ACTION_HTTP:
        carry_http(host, action, result);
        return;
    case AIR_ACTION_READ:
    case AIR_ACTION_WRITE:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        carry_storage(host, action, holding, result);
        return;
    case AIR_ACTION_GENERATE_KEY:
    case AIR_ACTION_SIGN:
        carry_key(host, action, holding, result);
        return;
    case AIR_ACTION_PUBLISH:
        publish(host, &action->publish, false);
        return;
    case AIR_ACTION_WITHDRAW:
        publish(host, &action->publish, true);
        return;
    case AIR_ACTION_PROVE:
        result->error = host->prove_error;
        return;
    case AIR_ACTION_INSTALL:
        install(host, action, result);
        return;
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        return;
    }
}

static void describe(struct air_fake_host *host, const struct air_action *action) {
    tell_time(host);
    air_span detail = air_span_text(NULL);
    if (action->kind == AIR_ACTION_HTTP) {
        detail = action->http.url;
    } else if (action->kind == AIR_ACTION_WRITE) {
        for (size_t i = 0; i < action->write.puts_count; i++) {
            note(host, action->write.puts[i].is_delete ? "  delete " : "  put ",
                action->write.puts[i].path);
        }
    } else if (action->kind == AIR_ACTION_READ) {
        detail = action->read.paths[0];
    } else if (action->kind == AIR_ACTION_LIST) {
        detail = action->list.prefix;
    } else if (action->kind == AIR_ACTION_LOCK || action->kind == AIR_ACTION_UNLOCK) {
        detail = action->lock.path;
    } else if (action->kind == AIR_ACTION_PUBLISH || action->kind == AIR_ACTION_WITHDRAW) {
        detail = action->publish.name;
    } else if (action->kind == AIR_ACTION_GENERATE_KEY && action->generate_key.is_account) {
        detail = air_span_text("account");
    }
    air_buffer_append_text(&host->transcript, air_action_text(action->kind));
    note(host, detail.size > 0 ? " " : "", detail);
}

/* The last action: before it, in the middle of it, or after it but unheard of. True: it is still to
 * be carried out. */
static bool die(struct air_fake_host *host, const struct air_action *action) {
    host->is_dead = true;
    host->was_in_the_middle = host->dies_after_puts > 0 && action->kind == AIR_ACTION_WRITE &&
                              action->write.puts_count > host->dies_after_puts;
    if (host->was_in_the_middle) {
        air_memory_storage_stop_at_put(host->storage, host->dies_after_puts + 1, AIR_ERR_STORAGE);
    }
    return host->dies_after || host->was_in_the_middle;
}

static void perform(struct air_fake_host *host, const struct air_action *action) {
    struct holding holding = {0};
    struct air_result result = {0};
    const uint64_t id = action->id;
    host->actions_count++;
    const bool is_last = host->die_at == host->actions_count;
    if (is_last && !die(host, action)) {
        return;
    }
    carry(host, action, &holding, &result);
    if (is_last) {
        if (action->kind == AIR_ACTION_GENERATE_KEY) { /* keys die with their process */
            host->crypto->key_free(host->crypto->self, result.generate_key.key);
        }
    } else if (host->held_kind == (int)action->kind) {
        host->held_kind = 0;
        host->held_id = id;
        host->held_result = result;
    } else {
        complete(host, id, &result);
    }
    for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
        air_buffer_deinit(&holding.values[i]);
    }
    air_buffer_deinit(&holding.segments.text);
}

void air_fake_host_run(struct air_fake_host *host) {
    const uint64_t end = host->actions_count + ACTIONS_MAX;
    while (!host->is_dead && host->actions_count < end) {
        const struct air_action *action = NULL;
        const enum air_error error = next(host, &action);
        if (error == AIR_ERR_NO_MEMORY) {
            continue;
        }
        if (action == NULL && air_engine_wakeup(host->engine) > host->now.boot_ms) {
            return;
        }
        if (action == NULL) {
            continue;
        }
        if (action->kind == AIR_ACTION_EVENT) {
            hear(host, &action->event);
        } else if (action->kind != AIR_ACTION_CANCEL) {
            describe(host, action);
            perform(host, action);
        }
    }
}

void air_fake_host_pass(struct air_fake_host *host, air_time_ms span_ms) {
    const air_time_ms end_ms = host->now.boot_ms + span_ms;
    air_fake_host_run(host);
    while (!host->is_dead && host->now.boot_ms < end_ms) {
        air_time_ms next_ms = air_engine_wakeup(host->engine);
        next_ms = next_ms < end_ms ? next_ms : end_ms;
        if (next_ms > host->now.boot_ms) {
            host->now.wall_ms += next_ms - host->now.boot_ms;
            host->now.boot_ms = next_ms;
        }
        air_fake_host_run(host);
    }
}

void air_fake_host_release(struct air_fake_host *host) {
    complete(host, host->held_id, &host->held_result);
}

void air_fake_host_kill(struct air_fake_host *host) {
    air_engine_free(host->engine);
    host->engine = NULL;
    host->published_count = 0;
}
