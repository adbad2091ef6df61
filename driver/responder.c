/* SPDX-License-Identifier: MIT */
/*
 * The answers to http-01, by token, in a hash table behind one lock.
 *
 * It decides which requests are a CA's; reading them from a connection and writing the answer is
 * the host's work. The lock is held only while memory is compared and copied, so that no request
 * waits for another (R-G2). What is answered comes from the table alone, never from the request
 * (R-G5).
 */
#include "thinair/responder.h"

#include <pthread.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"

/* Where answers are looked for (RFC 8555 section 8.3). */
#define PATH_PREFIX "/.well-known/acme-challenge/"

#define TOKEN_SIZE_MAX 256
#define BUCKETS_COUNT 1024

/* Longest port in a Host header, in digits. */
#define PORT_SIZE_MAX 5

struct answer {
    struct answer *next;
    air_span name;
    air_span token;
    air_span body;
    size_t block_size; /* of this struct and the bytes that follow it */
};

struct air_responder {
    pthread_mutex_t lock;
    struct answer *buckets[BUCKETS_COUNT];
    size_t answers_count;
};

static bool is_token(air_span text);
static bool is_host_of(air_span host, air_span name);
static struct answer **find(struct air_responder *responder, air_span name, air_span token);
static struct answer **bucket_of(struct air_responder *responder, air_span token);
static struct answer *answer_new(air_span name, air_span token, air_span body);
static void answer_free(struct answer *answer);

enum air_error air_responder_new(struct air_responder **out) {
    struct air_responder *responder = air_memory_new(sizeof(*responder));

    if (responder == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (pthread_mutex_init(&responder->lock, NULL) != 0) {
        air_memory_free(responder, sizeof(*responder));
        return AIR_ERR_NO_MEMORY;
    }
    *out = responder;
    return AIR_OK;
}

void air_responder_free(struct air_responder *responder) {
    if (responder == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS_COUNT; i++) {
        while (responder->buckets[i] != NULL) {
            struct answer *answer = responder->buckets[i];

            responder->buckets[i] = answer->next;
            answer_free(answer);
        }
    }
    pthread_mutex_destroy(&responder->lock);
    air_memory_free(responder, sizeof(*responder));
}

enum air_error air_responder_set(
    struct air_responder *responder, air_span name, air_span token, air_span body) {
    enum air_error error = AIR_OK;
    struct answer *answer, *old = NULL;
    struct answer **place;

    if (name.size > AIR_NAME_SIZE_MAX || token.size > TOKEN_SIZE_MAX ||
        body.size > AIR_RESPONDER_ANSWER_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (name.size == 0 || body.size == 0 || !is_token(token)) {
        return AIR_ERR_ARGUMENT;
    }
    answer = answer_new(name, token, body);
    if (answer == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&responder->lock);
    place = find(responder, name, token);
    if (*place != NULL) {
        old = *place;
        answer->next = old->next;
        *place = answer;
    } else if (responder->answers_count < AIR_RESPONDER_ANSWERS_MAX) {
        responder->answers_count++;
        *place = answer;
    } else {
        old = answer;
        error = AIR_ERR_LIMIT;
    }
    pthread_mutex_unlock(&responder->lock);
    answer_free(old);
    return error;
}

void air_responder_remove(struct air_responder *responder, air_span name, air_span token) {
    struct answer **place;
    struct answer *old;

    pthread_mutex_lock(&responder->lock);
    place = find(responder, name, token);
    old = *place;
    if (old != NULL) {
        *place = old->next;
        responder->answers_count--;
    }
    pthread_mutex_unlock(&responder->lock);
    answer_free(old);
}

enum air_error air_responder_answer(struct air_responder *responder, air_span method, air_span path,
    air_span host, struct air_buffer *body) {
    uint8_t copy[AIR_RESPONDER_ANSWER_SIZE_MAX];
    size_t copy_size = 0;
    air_span token;

    if (!air_span_equal_text(method, "GET") && !air_span_equal_text(method, "HEAD")) {
        return AIR_ERR_NOT_FOUND;
    }
    if (!air_span_starts_with(path, PATH_PREFIX)) {
        return AIR_ERR_NOT_FOUND;
    }
    token = air_span_skip(path, sizeof(PATH_PREFIX) - 1);
    if (token.size > TOKEN_SIZE_MAX || !is_token(token)) {
        return AIR_ERR_NOT_FOUND;
    }
    pthread_mutex_lock(&responder->lock);
    for (struct answer *at = *bucket_of(responder, token); at != NULL; at = at->next) {
        if (air_span_equal(at->token, token) && is_host_of(host, at->name)) {
            memcpy(copy, at->body.data, at->body.size);
            copy_size = at->body.size;
            break;
        }
    }
    pthread_mutex_unlock(&responder->lock);
    return copy_size > 0 ? air_buffer_append(body, copy, copy_size) : AIR_ERR_NOT_FOUND;
}

/* RFC 8555 section 8.3: base64url without padding. */
static bool is_token(air_span text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return text.size > 0;
}

/* Whether a Host header is that name, with or without a port (RFC 9110 section 7.2). */
static bool is_host_of(air_span host, air_span name) {
    air_span port = air_span_skip(host, name.size);

    if (!air_span_equal_nocase(air_span_take(host, name.size), name)) {
        return false;
    }
    if (port.size == 0) {
        return true;
    }
    if (port.data[0] != ':' || port.size > 1 + PORT_SIZE_MAX) {
        return false;
    }
    for (size_t i = 1; i < port.size; i++) {
        if (port.data[i] < '0' || port.data[i] > '9') {
            return false;
        }
    }
    return true;
}

/* Where the answer hangs, or where it would: the place holds NULL then. */
static struct answer **find(struct air_responder *responder, air_span name, air_span token) {
    struct answer **place = bucket_of(responder, token);

    while (*place != NULL && !(air_span_equal((*place)->token, token) &&
                                 air_span_equal_nocase((*place)->name, name))) {
        place = &(*place)->next;
    }
    return place;
}

/* FNV-1a. A CA that chooses colliding tokens gains a walk over what it was given itself. */
static struct answer **bucket_of(struct air_responder *responder, air_span token) {
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < token.size; i++) {
        hash = (hash ^ token.data[i]) * 16777619u;
    }
    return &responder->buckets[hash % BUCKETS_COUNT];
}

static struct answer *answer_new(air_span name, air_span token, air_span body) {
    size_t size = sizeof(struct answer) + name.size + token.size + body.size;
    struct answer *answer = air_memory_new(size);
    uint8_t *bytes = (uint8_t *)(answer + 1);

    if (answer == NULL) {
        return NULL;
    }
    memcpy(bytes, name.data, name.size);
    memcpy(bytes + name.size, token.data, token.size);
    memcpy(bytes + name.size + token.size, body.data, body.size);
    answer->name = air_span_of(bytes, name.size);
    answer->token = air_span_of(bytes + name.size, token.size);
    answer->body = air_span_of(bytes + name.size + token.size, body.size);
    answer->block_size = size;
    return answer;
}

static void answer_free(struct answer *answer) {
    if (answer != NULL) {
        air_memory_free(answer, answer->block_size);
    }
}
