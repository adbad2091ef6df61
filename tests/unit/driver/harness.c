/* SPDX-License-Identifier: MIT */
/*
 * The driver between a scripted engine and ports in memory.
 *
 * What is asserted is the tests' business, but two things hold for every run: it ends within its
 * time, and nothing of the driver's is left on the loop.
 */
#include "tests/unit/driver/harness.h"

#include <stdio.h>
#include <string.h>

/* A test that takes longer hangs. */
#define GUARD_MS 30000

static void on_complete(
    void *context, const struct air_action *action, const struct air_result *result);
static void keep_http(struct air_answer *answer, const struct air_http_result *http);
static void keep_records(struct air_answer *answer, const struct air_read_result *read);
static void keep_segments(struct air_answer *answer, const struct air_list_result *list);
static void copy(char *out, size_t out_size, air_span text);
static bool on_carry(void *host, const struct air_action *action, struct air_result *result);
static void on_stopped(void *host);
static void on_guard(uv_timer_t *timer);
static void pass_gate(struct air_harness *harness);

static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version);
static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count);
static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context);
static enum air_error storage_lock(void *self, air_span path, uint64_t *fence);
static enum air_error storage_unlock(void *self, air_span path);
static void storage_explain(void *self, char *out, size_t size);
static enum air_error key_generate_slow(void *self, enum air_key_type type, uint64_t *out);
static enum air_error key_sign_slow(void *self, uint64_t key, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size);
static void key_free(void *self, uint64_t key);

void air_harness_init(struct air_harness *harness) {
    memset(harness, 0, sizeof(*harness));
    assert_int_equal(uv_loop_init(&harness->loop), 0);
    assert_int_equal(uv_timer_init(&harness->loop, &harness->guard), 0);
    assert_int_equal(uv_timer_start(&harness->guard, on_guard, GUARD_MS, 0), 0);
    uv_unref((uv_handle_t *)&harness->guard);
    harness->engine = air_fake_engine_new();
    harness->script = air_fake_engine_of(harness->engine);
    harness->script->on_complete = on_complete;
    harness->script->context = harness;
    pthread_mutex_init(&harness->lock, NULL);
    pthread_cond_init(&harness->turned, NULL);
    harness->storage = (struct air_storage){
        .size = sizeof(harness->storage),
        .self = harness,
        .read = storage_read,
        .write = storage_write,
        .list = storage_list,
        .lock = storage_lock,
        .unlock = storage_unlock,
        .explain = storage_explain,
    };
    harness->crypto = (struct air_crypto){
        .size = sizeof(harness->crypto),
        .self = harness,
        .key_generate_slow = key_generate_slow,
        .key_sign_slow = key_sign_slow,
        .key_free = key_free,
    };
}

enum air_error air_harness_begin(struct air_harness *harness, const char *user_agent) {
    struct air_driver_config config = {
        .size = sizeof(config),
        .loop = &harness->loop,
        .engine = harness->engine,
        .crypto = &harness->crypto,
        .storage = &harness->storage,
        .user_agent = user_agent,
        .carry = on_carry,
        .host = harness,
    };

    return air_driver_new(&config, &harness->driver);
}

void air_harness_stop(struct air_harness *harness) {
    if (harness->driver == NULL) {
        return;
    }
    air_driver_stop(harness->driver, on_stopped);
    while (!harness->is_stopped) {
        uv_run(&harness->loop, UV_RUN_ONCE);
    }
    air_driver_free(harness->driver);
    harness->driver = NULL;
}

void air_harness_deinit(struct air_harness *harness) {
    air_harness_stop(harness);
    uv_close((uv_handle_t *)&harness->guard, NULL);
    uv_run(&harness->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&harness->loop), 0); /* not UV_EBUSY: no handle is left */
    assert_int_equal(harness->keys_made, harness->keys_freed);
    air_engine_free(harness->engine);
    pthread_mutex_destroy(&harness->lock);
    pthread_cond_destroy(&harness->turned);
}

void air_harness_run(struct air_harness *harness, size_t completed_count) {
    while (harness->script->completed_count < completed_count) {
        uv_run(&harness->loop, UV_RUN_ONCE);
    }
}

void air_harness_run_until(struct air_harness *harness, const unsigned *count, unsigned wanted) {
    while (*count < wanted) {
        uv_run(&harness->loop, UV_RUN_ONCE);
    }
}

const struct air_answer *air_harness_answer(struct air_harness *harness, uint64_t id) {
    assert_int_equal(harness->answers[id].id, id);
    return &harness->answers[id];
}

void air_harness_gate_shut(struct air_harness *harness) {
    pthread_mutex_lock(&harness->lock);
    harness->is_gate_shut = true;
    pthread_mutex_unlock(&harness->lock);
}

void air_harness_gate_wait(struct air_harness *harness, unsigned running) {
    bool is_there = false;

    while (!is_there) {
        uv_run(&harness->loop, UV_RUN_NOWAIT);
        pthread_mutex_lock(&harness->lock);
        is_there = harness->running >= running;
        pthread_mutex_unlock(&harness->lock);
    }
}

void air_harness_gate_open(struct air_harness *harness) {
    pthread_mutex_lock(&harness->lock);
    harness->is_gate_shut = false;
    pthread_cond_broadcast(&harness->turned);
    pthread_mutex_unlock(&harness->lock);
}

static void on_complete(
    void *context, const struct air_action *action, const struct air_result *result) {
    struct air_harness *harness = context;
    struct air_answer *answer = &harness->answers[action->id];

    answer->id = action->id;
    answer->error = result->error;
    copy(answer->explanation, sizeof(answer->explanation), result->explanation);
    if (result->error != AIR_OK) {
        return;
    }
    if (action->kind == AIR_ACTION_HTTP) {
        keep_http(answer, &result->http);
    } else if (action->kind == AIR_ACTION_READ) {
        keep_records(answer, &result->read);
    } else if (action->kind == AIR_ACTION_LIST) {
        keep_segments(answer, &result->list);
    } else if (action->kind == AIR_ACTION_LOCK) {
        answer->fence = result->lock.fence;
    } else if (action->kind == AIR_ACTION_GENERATE_KEY) {
        answer->key = result->generate_key.key;
        harness->keys_freed++; /* the engine would free it one day */
    } else if (action->kind == AIR_ACTION_SIGN) {
        copy(answer->signature, sizeof(answer->signature), result->sign.signature);
    }
}

static void keep_http(struct air_answer *answer, const struct air_http_result *http) {
    size_t size = 0;

    answer->status = http->status;
    answer->headers_count = http->headers_count;
    answer->body_size = http->body.size;
    copy(answer->body, sizeof(answer->body), http->body);
    for (size_t i = 0; i < http->headers_count && size < sizeof(answer->headers); i++) {
        const struct air_http_header *header = &http->headers[i];

        size += (size_t)snprintf(answer->headers + size, sizeof(answer->headers) - size,
            "%.*s=%.*s|", (int)header->name.size, (const char *)header->name.data,
            (int)header->value.size, (const char *)header->value.data);
    }
}

static void keep_records(struct air_answer *answer, const struct air_read_result *read) {
    answer->records_count = read->records_count;
    for (size_t i = 0; i < read->records_count && i < 4; i++) {
        answer->record_errors[i] = read->records[i].error;
        answer->record_versions[i] = read->records[i].version;
        copy(answer->records[i], sizeof(answer->records[i]), read->records[i].value);
    }
}

static void keep_segments(struct air_answer *answer, const struct air_list_result *list) {
    size_t size = 0;

    answer->has_more = list->has_more;
    for (size_t i = 0; i < list->segments_count; i++) {
        size += (size_t)snprintf(answer->segments + size, sizeof(answer->segments) - size, "%.*s|",
            (int)list->segments[i].size, (const char *)list->segments[i].data);
    }
}

static void copy(char *out, size_t out_size, air_span text) {
    snprintf(out, out_size, "%.*s", (int)text.size, (const char *)text.data);
}

static bool on_carry(void *host, const struct air_action *action, struct air_result *result) {
    struct air_harness *harness = host;

    if (action->kind == AIR_ACTION_EVENT) {
        harness->events_count++;
        return true;
    }
    harness->carried_count++;
    return harness->carry != NULL ? harness->carry(harness, action, result) : true;
}

static void on_stopped(void *host) {
    struct air_harness *harness = host;

    harness->is_stopped = true;
}

static void on_guard(uv_timer_t *timer) {
    (void)timer;
    fail_msg("nothing more happened for %d ms", GUARD_MS);
}

/* Every method of the ports begins here, on a thread of the pool. */
static void pass_gate(struct air_harness *harness) {
    pthread_mutex_lock(&harness->lock);
    harness->running++;
    while (harness->is_gate_shut) {
        pthread_cond_wait(&harness->turned, &harness->lock);
    }
    harness->running--;
    pthread_mutex_unlock(&harness->lock);
}

/* "a" holds "value of a" in version 7; nothing else is there. */
static enum air_error storage_read(
    void *self, air_span path, struct air_buffer *out, uint64_t *version) {
    struct air_harness *harness = self;

    pass_gate(harness);
    if (harness->storage_error != AIR_OK) {
        return harness->storage_error;
    }
    if (!air_span_equal_text(path, "a")) {
        return AIR_ERR_NOT_FOUND;
    }
    *version = 7;
    return air_buffer_append_text(out, "value of a");
}

static enum air_error storage_write(
    void *self, const struct air_guard *guard, const struct air_put *puts, size_t puts_count) {
    struct air_harness *harness = self;

    (void)puts;
    pass_gate(harness);
    if (guard->version != puts_count) {
        return AIR_ERR_CONFLICT;
    }
    pthread_mutex_lock(&harness->lock);
    harness->writes_count++;
    pthread_mutex_unlock(&harness->lock);
    return harness->storage_error;
}

/* Below "p" are b, c and d. */
static enum air_error storage_list(void *self, air_span prefix, air_span after,
    bool (*visit)(void *context, air_span segment), void *context) {
    struct air_harness *harness = self;
    static const char names[] = "bcd";

    pass_gate(harness);
    for (size_t i = 0; i < 3; i++) {
        air_span name = air_span_of(&names[i], 1);

        if (air_span_equal_text(prefix, "p") && air_span_compare(name, after) > 0 &&
            !visit(context, name)) {
            break;
        }
    }
    return harness->storage_error;
}

static enum air_error storage_lock(void *self, air_span path, uint64_t *fence) {
    struct air_harness *harness = self;

    (void)path;
    pass_gate(harness);
    *fence = 5;
    return harness->storage_error;
}

static enum air_error storage_unlock(void *self, air_span path) {
    struct air_harness *harness = self;

    (void)path;
    pass_gate(harness);
    return harness->storage_error;
}

static void storage_explain(void *self, char *out, size_t size) {
    (void)self;
    snprintf(out, size, "/state/a:\nout of order");
}

static enum air_error key_generate_slow(void *self, enum air_key_type type, uint64_t *out) {
    struct air_harness *harness = self;

    (void)type;
    pass_gate(harness);
    if (harness->crypto_error != AIR_OK) {
        return harness->crypto_error;
    }
    pthread_mutex_lock(&harness->lock);
    *out = ++harness->keys_made;
    pthread_mutex_unlock(&harness->lock);
    return AIR_OK;
}

static enum air_error key_sign_slow(void *self, uint64_t key, enum air_algorithm algorithm,
    air_span data, uint8_t *out, size_t *out_size) {
    struct air_harness *harness = self;

    (void)algorithm;
    pass_gate(harness);
    *out_size = (size_t)snprintf((char *)out, AIR_SIGNATURE_SIZE_MAX, "%llu signed %.*s",
        (unsigned long long)key, (int)data.size, (const char *)data.data);
    return harness->crypto_error;
}

static void key_free(void *self, uint64_t key) {
    struct air_harness *harness = self;

    if (key != 0) {
        harness->keys_freed++;
    }
}
