/* SPDX-License-Identifier: MIT */
/*
 * The fake CA. Every answer is built anew in `body`, `headers` and `text`; a request that breaks a
 * rule of RFC 8555 gets the problem that a real CA gives. Invariant: a nonce is good once; an order
 * is finalized at most once.
 */

#include "tests/support/fake_ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"
#include "tests/support/fake_certificate.h"
#include "tests/support/fake_jws.h"
#include "thinair/jose.h"

#define ACCOUNTS_MAX 128
#define NONCES_MAX 4096
#define NAMES_MAX 100
#define ORDER_LIFE_MS ((air_time_ms)24 * 3600 * 1000)

enum status { PENDING, READY, PROCESSING, VALID, INVALID, DEACTIVATED };

static const char *const status_texts[] = {
    "pending", "ready", "processing", "valid", "invalid", "deactivated"};

struct authorization {
    char name[256];
    char token[64];
    enum status status;
    enum status verdict; /* of an answered challenge */
    bool is_answered;
    char type[20];
};

struct order {
    enum status status;
    struct authorization *authorizations;
    size_t authorizations_count;
    unsigned looks; /* since the last change */
    air_time_ms expires_ms;
    struct air_buffer chain;
};

struct air_fake_ca {
    struct air_fake_ca_config config;
    const struct air_crypto *crypto;
    uint64_t state;
    struct order orders[AIR_FAKE_ORDERS_MAX];
    size_t orders_count;
    size_t finalized_count;
    size_t deactivated_count;
    size_t requests_count;
    uint64_t nonces[NONCES_MAX]; /* given and not used */
    size_t nonces_count;
    struct air_public_key accounts[ACCOUNTS_MAX];
    size_t accounts_count;
    char valid_names[NAMES_MAX][256];
    size_t valid_names_count;
    struct air_fake_answer script[AIR_FAKE_SCRIPT_MAX];
    size_t script_count;
    struct air_buffer log;
    /* the answer in the making */
    uint32_t status;
    struct air_http_header headers[8];
    size_t headers_count;
    char text[8][300];
    struct air_buffer body;
};

static struct order *order_at(struct air_fake_ca *ca, unsigned number) {
    return number >= 1 && number <= ca->orders_count ? &ca->orders[number - 1] : NULL;
}

static uint64_t dice(struct air_fake_ca *ca) {
    ca->state ^= ca->state << 13, ca->state ^= ca->state >> 7; /* xorshift64 */
    return ca->state ^= ca->state << 17;
}

struct air_fake_ca *air_fake_ca_new(
    const struct air_crypto *crypto, const struct air_fake_ca_config *config) {
    struct air_fake_ca *ca = calloc(1, sizeof *ca);
    ca->crypto = crypto, ca->config = *config;
    ca->state = config->seed * 2654435761u + 88172645463325252u;
    air_buffer_init(&ca->log, 64u << 20);
    air_buffer_init(&ca->body, 1u << 20);
    return ca;
}

void air_fake_ca_free(struct air_fake_ca *ca) {
    for (size_t i = 0; ca != NULL && i < ca->orders_count; i++) {
        free(ca->orders[i].authorizations);
        air_buffer_deinit(&ca->orders[i].chain);
    }
    if (ca != NULL) {
        air_buffer_deinit(&ca->log);
        air_buffer_deinit(&ca->body);
    }
    free(ca);
}

struct air_fake_ca_config *air_fake_ca_settings(struct air_fake_ca *ca) {
    return &ca->config;
}

void air_fake_ca_answer(struct air_fake_ca *ca, const struct air_fake_answer *answer) {
    if (ca->script_count < AIR_FAKE_SCRIPT_MAX) {
        ca->script[ca->script_count++] = *answer;
    }
}

struct air_fake_ca_counts air_fake_ca_counts(const struct air_fake_ca *ca) {
    return (struct air_fake_ca_counts){.requests = ca->requests_count,
        .orders = ca->orders_count,
        .finalized = ca->finalized_count,
        .accounts = ca->accounts_count,
        .deactivated = ca->deactivated_count,
        .log = air_buffer_span(&ca->log)};
}

static void add_header(struct air_fake_ca *ca, const char *name, const char *value) {
    char *text = ca->text[ca->headers_count];
    (void)snprintf(text, sizeof ca->text[0], "%s", value);
    ca->headers[ca->headers_count].name = air_span_text(name);
    ca->headers[ca->headers_count].value = air_span_text(text);
    ca->headers_count++;
}

static void give_nonce(struct air_fake_ca *ca) {
    char text[32];
    const uint64_t nonce = dice(ca);
    if (ca->nonces_count == NONCES_MAX) {
        memmove(ca->nonces, ca->nonces + 1, (NONCES_MAX - 1) * sizeof ca->nonces[0]);
        ca->nonces_count--;
    }
    ca->nonces[ca->nonces_count++] = nonce;
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)nonce);
    add_header(ca, "replay-nonce", text);
}

static bool use_nonce(struct air_fake_ca *ca, air_span text) {
    char room[32] = {0};
    if (text.size != 16) {
        return false;
    }
    memcpy(room, text.data, 16);
    const uint64_t nonce = strtoull(room, NULL, 16);
    for (size_t i = 0; i < ca->nonces_count; i++) {
        if (ca->nonces[i] == nonce) {
            ca->nonces[i] = ca->nonces[--ca->nonces_count];
            return dice(ca) % 100 >= ca->config.nonce_reject_percent;
        }
    }
    return false;
}

static void refuse(struct air_fake_ca *ca, uint32_t status, const char *type, const char *detail) {
    ca->status = status;
    air_buffer_clear(&ca->body);
    air_json_begin(&ca->body, NULL, '{');
    char urn[100];
    (void)snprintf(urn, sizeof urn, "urn:ietf:params:acme:error:%s", type);
    air_json_put_text(&ca->body, "type", air_span_text(urn));
    air_json_put_text(&ca->body, "detail", air_span_text(detail));
    air_json_end(&ca->body, '}');
}

static void put_url(struct air_fake_ca *ca, const char *key, const char *path) {
    char url[300];
    (void)snprintf(url, sizeof url, "https://%s%s", ca->config.host, path);
    air_json_put_text(&ca->body, key, air_span_text(url));
}

static void location(struct air_fake_ca *ca, const char *path) {
    char url[300];
    (void)snprintf(url, sizeof url, "https://%s%s", ca->config.host, path);
    add_header(ca, "location", url);
}

static void directory(struct air_fake_ca *ca) {
    air_json_begin(&ca->body, NULL, '{');
    put_url(ca, "newNonce", "/nonce");
    put_url(ca, "newAccount", "/account");
    put_url(ca, "newOrder", "/new-order");
    put_url(ca, "8Xf7BvE2qWk", "/a-member-that-means-nothing");
    air_json_begin(&ca->body, "meta", '{');
    if (ca->config.has_terms) {
        put_url(ca, "termsOfService", "/terms");
    }
    air_json_end(&ca->body, '}');
    air_json_end(&ca->body, '}');
}

static bool is_reused(struct air_fake_ca *ca, const char *name) {
    for (size_t i = 0; i < ca->valid_names_count; i++) {
        if (strcmp(ca->valid_names[i], name) == 0) {
            return dice(ca) % 100 < ca->config.authorization_reuse_percent;
        }
    }
    return false;
}

static void update_order(struct air_fake_ca *ca, struct order *order) {
    bool is_all_valid = true;
    for (size_t i = 0; i < order->authorizations_count; i++) {
        const enum status status = order->authorizations[i].status;
        is_all_valid = is_all_valid && status == VALID;
        if (order->status == PENDING && (status == INVALID || status == DEACTIVATED)) {
            order->status = INVALID;
        }
    }
    if (order->status == PENDING && (is_all_valid || ca->config.is_ready_at_once)) {
        order->status = READY;
        order->looks = 0;
    }
}

static void show_order(struct air_fake_ca *ca, unsigned number) {
    const struct order *order = order_at(ca, number);
    char path[100];
    air_json_begin(&ca->body, NULL, '{');
    air_json_put_text(&ca->body, "status", air_span_text(status_texts[order->status]));
    struct air_buffer expires;
    air_buffer_init(&expires, 40);
    (void)air_time_write_rfc3339(order->expires_ms, &expires);
    air_json_put_text(&ca->body, "expires", air_buffer_span(&expires));
    air_buffer_deinit(&expires);
    (void)snprintf(path, sizeof path, "/order/%u/finalize", number);
    put_url(ca, "finalize", path);
    air_json_begin(&ca->body, "authorizations", '[');
    for (size_t i = 0; i < order->authorizations_count; i++) {
        (void)snprintf(path, sizeof path, "/authz/%u/%zu", number, i);
        put_url(ca, NULL, path);
    }
    air_json_end(&ca->body, ']');
    if (order->status == VALID) {
        (void)snprintf(path, sizeof path, "/cert/%u", number);
        put_url(ca, "certificate", path);
    }
    air_json_end(&ca->body, '}');
    if (ca->config.retry_after != NULL &&
        (order->status == PENDING || order->status == PROCESSING)) {
        add_header(ca, "retry-after", ca->config.retry_after);
    }
}

static void new_order(struct air_fake_ca *ca, const json_t *payload, struct air_time now) {
    const json_t *list = air_json_array(payload, "identifiers");
    const size_t count = json_array_size(list);
    char path[100];
    if (count == 0 || count > NAMES_MAX || ca->orders_count == AIR_FAKE_ORDERS_MAX) {
        refuse(ca, 400, "malformed", "no identifiers");
        return;
    }
    struct order *order = &ca->orders[ca->orders_count++];
    order->authorizations = calloc(count, sizeof *order->authorizations);
    order->authorizations_count = count;
    order->expires_ms = now.wall_ms + ORDER_LIFE_MS;
    air_buffer_init(&order->chain, 1u << 20);
    for (size_t i = 0; i < count; i++) {
        struct authorization *authorization = &order->authorizations[i];
        const air_span name = air_json_text(json_array_get(list, i), "value");
        memcpy(authorization->name, name.data, name.size < 255 ? name.size : 255);
        (void)snprintf(authorization->token, sizeof authorization->token, "token-%zu-%zu_%llx",
            ca->orders_count, i, (unsigned long long)dice(ca));
        authorization->status = is_reused(ca, authorization->name) ? VALID : PENDING;
    }
    update_order(ca, order);
    (void)snprintf(path, sizeof path, "/order/%zu", ca->orders_count);
    location(ca, path);
    show_order(ca, (unsigned)ca->orders_count);
    ca->status = 201;
}

/* The verdict on an answered challenge: reached at once, told when the order is looked at. */
static enum status judge(
    const struct air_fake_ca *ca, const struct authorization *authorization, air_span thumbprint) {
    char answer[400];
    (void)snprintf(answer, sizeof answer, "%s.%.*s", authorization->token, (int)thumbprint.size,
        (const char *)thumbprint.data);
    const bool is_valid = ca->config.validate == NULL ||
                          ca->config.validate(ca->config.context, authorization->type,
                              air_span_text(authorization->name),
                              air_span_text(authorization->token), air_span_text(answer));
    return is_valid ? VALID : INVALID;
}

static void tell_verdicts(struct air_fake_ca *ca, struct order *order) {
    for (size_t i = 0; i < order->authorizations_count; i++) {
        struct authorization *authorization = &order->authorizations[i];
        if (authorization->status != PENDING || !authorization->is_answered) {
            continue;
        }
        authorization->status = authorization->verdict;
        if (authorization->status == VALID && ca->valid_names_count < NAMES_MAX) {
            (void)snprintf(
                ca->valid_names[ca->valid_names_count++], 256, "%s", authorization->name);
        }
    }
    update_order(ca, order);
}

/* Looking at an order is what moves it on. */
static void look(struct air_fake_ca *ca, struct order *order) {
    const unsigned looks = order->looks++;
    if (order->status == PENDING && looks >= ca->config.validation_polls) {
        tell_verdicts(ca, order);
    } else if (order->status == PROCESSING && looks >= ca->config.processing_polls) {
        order->status = VALID;
    }
}

static void show_authorization(struct air_fake_ca *ca, unsigned number, size_t index) {
    static const char *const types[] = {"dns-01", "http-01", "tls-alpn-01", "dns-persist-01"};
    const struct authorization *authorization = &order_at(ca, number)->authorizations[index];
    char path[100];
    air_json_begin(&ca->body, NULL, '{');
    air_json_put_text(&ca->body, "status", air_span_text(status_texts[authorization->status]));
    air_json_begin(&ca->body, "identifier", '{');
    air_json_put_text(&ca->body, "type", air_span_text("dns"));
    air_json_put_text(&ca->body, "value", air_span_text(authorization->name));
    air_json_end(&ca->body, '}');
    air_json_begin(&ca->body, "challenges", '[');
    for (size_t i = 0; i < 4; i++) {
        const bool is_it = strcmp(types[i], authorization->type) == 0;
        air_json_begin(&ca->body, NULL, '{');
        air_json_put_text(&ca->body, "type", air_span_text(types[i]));
        (void)snprintf(path, sizeof path, "/chall/%u/%zu/%s", number, index, types[i]);
        put_url(ca, "url", path);
        if (i < 3) {
            air_json_put_text(&ca->body, "token", air_span_text(authorization->token));
        }
        air_json_put_text(&ca->body, "status",
            air_span_text(is_it && authorization->status == INVALID ? "invalid"
                          : is_it && authorization->is_answered     ? "processing"
                                                                    : "pending"));
        if (is_it && authorization->status == INVALID) {
            air_json_put_raw(&ca->body, "error",
                air_span_text("{\"type\":\"urn:ietf:params:acme:error:unauthorized\","
                              "\"detail\":\"the answer is not there\"}"));
        }
        air_json_end(&ca->body, '}');
    }
    air_json_end(&ca->body, ']');
    air_json_end(&ca->body, '}');
}

static void authorization(
    struct air_fake_ca *ca, unsigned number, unsigned index, const json_t *payload) {
    struct order *order = order_at(ca, number);
    if (order == NULL || index >= order->authorizations_count) {
        refuse(ca, 404, "malformed", "no such authorization");
        return;
    }
    if (air_span_equal_text(air_json_text(payload, "status"), "deactivated")) {
        order->authorizations[index].status = DEACTIVATED;
        ca->deactivated_count++;
        update_order(ca, order);
    }
    show_authorization(ca, number, index);
}

static void challenge(struct air_fake_ca *ca, unsigned number, unsigned index, const char *type,
    air_span thumbprint) {
    struct order *order = order_at(ca, number);
    if (order == NULL || index >= order->authorizations_count) {
        refuse(ca, 404, "malformed", "no such challenge");
        return;
    }
    struct authorization *authorization = &order->authorizations[index];
    if (authorization->is_answered || authorization->status != PENDING) {
        refuse(ca, 400, "malformed", "this challenge was answered before");
        return;
    }
    authorization->is_answered = true;
    (void)snprintf(authorization->type, sizeof authorization->type, "%s", type);
    authorization->verdict = judge(ca, authorization, thumbprint);
    air_json_begin(&ca->body, NULL, '{');
    air_json_put_text(&ca->body, "status", air_span_text("processing"));
    air_json_end(&ca->body, '}');
}

static enum air_error certify(
    struct air_fake_ca *ca, air_span csr, air_time_ms now_ms, struct air_buffer *chain) {
    const air_time_ms end_ms = now_ms + ca->config.lifetime_ms;
    if (ca->config.certify != NULL) {
        return ca->config.certify(ca->config.context, csr, now_ms, end_ms, chain)
                   ? AIR_OK
                   : AIR_ERR_MALFORMED;
    }
    return air_fake_certificate_issue(
        csr, now_ms, end_ms, ca->config.seed << 32 | ca->finalized_count, chain);
}

static void finalize(
    struct air_fake_ca *ca, unsigned number, const json_t *payload, struct air_time now) {
    struct order *order = order_at(ca, number);
    if (order == NULL) {
        refuse(ca, 404, "malformed", "no such order");
        return;
    }
    if (order->status != READY) {
        refuse(ca, 403, "orderNotReady", "the order is not ready");
        return;
    }
    struct air_buffer csr;
    air_buffer_init(&csr, 1u << 20);
    if (air_base64url_decode(air_json_text(payload, "csr"), &csr) != AIR_OK ||
        certify(ca, air_buffer_span(&csr), now.wall_ms, &order->chain) != AIR_OK) {
        refuse(ca, 400, "badCSR", "the request cannot be read");
    } else {
        ca->finalized_count++;
        order->status = PROCESSING;
        order->looks = 0;
        show_order(ca, number);
    }
    air_buffer_deinit(&csr);
}

static void account(
    struct air_fake_ca *ca, const struct air_public_key *key, const json_t *payload) {
    char path[40];
    size_t index = 0;
    while (index < ca->accounts_count && memcmp(&ca->accounts[index], key, sizeof *key) != 0) {
        index++;
    }
    if (index == ca->accounts_count && ca->config.has_terms &&
        !air_json_true(payload, "termsOfServiceAgreed")) {
        refuse(ca, 403, "userActionRequired", "agree to the terms first");
        return;
    }
    if (index == ca->accounts_count) {
        ca->accounts[ca->accounts_count++] = *key;
        ca->status = 201;
    }
    (void)snprintf(path, sizeof path, "/account/%zu", index + 1);
    location(ca, path);
    air_buffer_append_text(&ca->body, "{\"status\":\"valid\"}");
}

/* Carry out a request whose signature and nonce are good. */
static void serve(struct air_fake_ca *ca, const char *path, const struct air_public_key *key,
    const json_t *payload, struct air_time now) {
    unsigned number = 0, index = 0;
    char type[20] = "";
    char thumbprint[AIR_THUMBPRINT_SIZE];
    if (air_jwk_thumbprint(ca->crypto, key, thumbprint) != AIR_OK) {
        refuse(ca, 400, "badPublicKey", "no thumbprint");
    } else if (strcmp(path, "/account") == 0) {
        account(ca, key, payload);
    } else if (strcmp(path, "/new-order") == 0) {
        new_order(ca, payload, now);
    } else if (sscanf(path, "/order/%u/%10s", &number, type) == 2) {
        finalize(ca, number, payload, now);
    } else if (sscanf(path, "/order/%u", &number) == 1 && order_at(ca, number) != NULL) {
        look(ca, order_at(ca, number));
        show_order(ca, number);
    } else if (sscanf(path, "/authz/%u/%u", &number, &index) == 2) {
        authorization(ca, number, index, payload);
    } else if (sscanf(path, "/chall/%u/%u/%19s", &number, &index, type) == 3) {
        challenge(ca, number, index, type, air_span_of(thumbprint, sizeof thumbprint));
    } else if (sscanf(path, "/cert/%u", &number) == 1 && order_at(ca, number) != NULL) {
        air_buffer_append_span(&ca->body, air_buffer_span(&order_at(ca, number)->chain));
    } else {
        refuse(ca, 404, "malformed", "no such resource");
    }
}

/* The public key that must have signed: of the account that kid names, or in the header itself. */
static bool find_key(struct air_fake_ca *ca, const json_t *header, struct air_public_key *out) {
    const json_t *jwk = air_json_object(header, "jwk");
    const air_span kid = air_json_text(header, "kid");
    if (jwk != NULL) {
        char *text = json_dumps(jwk, JSON_COMPACT);
        const enum air_error error = air_jwk_read(air_span_text(text), out);
        free(text);
        return error == AIR_OK && kid.size == 0;
    }
    const size_t number = air_fake_jws_account(kid);
    if (number < 1 || number > ca->accounts_count) {
        return false;
    }
    *out = ca->accounts[number - 1];
    return true;
}

static void post(struct air_fake_ca *ca, const struct air_http_action *request, const char *path,
    struct air_time now) {
    struct air_public_key key;
    struct air_buffer payload;
    json_t *object = NULL;
    air_buffer_init(&payload, 1u << 20);
    json_t *header = air_fake_jws_header(request->body);
    give_nonce(ca);
    if (header == NULL || !air_span_equal(air_json_text(header, "url"), request->url)) {
        refuse(ca, 400, "malformed", "the url in the header is not the request's");
    } else if (!use_nonce(ca, air_json_text(header, "nonce"))) {
        refuse(ca, 400, "badNonce", "unknown nonce");
    } else if (!find_key(ca, header, &key)) {
        refuse(ca, 400, "accountDoesNotExist", "unknown account");
    } else if (air_jws_verify(ca->crypto, &key, request->body, &payload) != AIR_OK) {
        refuse(ca, 400, "malformed", "the signature does not fit");
    } else {
        (void)air_json_read(air_buffer_span(&payload), &object);
        serve(ca, path, &key, object, now);
    }
    json_decref(object);
    json_decref(header);
    air_buffer_deinit(&payload);
}

/* The scripted answer for this path, if its turn has come. */
static bool take_answer(struct air_fake_ca *ca, const char *path, struct air_fake_answer *out) {
    size_t i = 0;
    while (i < ca->script_count &&
           strncmp(path, ca->script[i].path, strlen(ca->script[i].path)) != 0) {
        i++;
    }
    if (i == ca->script_count || ca->script[i].skip-- > 0) {
        return false;
    }
    *out = ca->script[i];
    ca->script_count--;
    memmove(&ca->script[i], &ca->script[i + 1], (ca->script_count - i) * sizeof ca->script[0]);
    return true;
}

static void log_request(struct air_fake_ca *ca, air_span method, const char *path) {
    ca->requests_count++;
    air_buffer_append_span(&ca->log, method);
    char line[340];
    (void)snprintf(line, sizeof line, " %s %u\n", path, ca->status);
    air_buffer_append_text(&ca->log, line);
}

static void answer_truly(struct air_fake_ca *ca, const struct air_http_action *request,
    const char *path, struct air_time now) {
    ca->status = 200;
    ca->headers_count = 0;
    air_buffer_clear(&ca->body);
    if (strcmp(path, "/dir") == 0) {
        directory(ca);
    } else if (strcmp(path, "/nonce") == 0) {
        give_nonce(ca);
    } else if (air_span_equal_text(request->method, "POST")) {
        post(ca, request, path, now);
    } else {
        refuse(ca, 405, "malformed", "POST only");
    }
}

static void answer_as_told(struct air_fake_ca *ca, const struct air_fake_answer *answer) {
    ca->status = answer->status;
    ca->headers_count = 0;
    air_buffer_clear(&ca->body);
    air_buffer_append_text(&ca->body, answer->body != NULL ? answer->body : "");
    give_nonce(ca);
    if (answer->header_name != NULL) {
        add_header(ca, answer->header_name, answer->header_value);
    }
}

void air_fake_ca_request(struct air_fake_ca *ca, const struct air_http_action *request,
    struct air_time now, struct air_result *result) {
    char path[300] = "";
    char prefix[100];
    const int begin = snprintf(prefix, sizeof prefix, "https://%s", ca->config.host);
    *result = (struct air_result){0};
    if (!air_span_starts_with(request->url, prefix)) {
        result->error = AIR_ERR_NETWORK;
        result->explanation = air_span_text("there is no such host");
        return;
    }
    const air_span rest =
        air_span_take(air_span_skip(request->url, (size_t)begin), sizeof path - 1);
    memcpy(path, rest.data, rest.size);
    struct air_fake_answer answer;
    const bool is_told = take_answer(ca, path, &answer);
    if (!is_told || answer.is_after) {
        answer_truly(ca, request, path, now);
    }
    if (is_told && answer.error != AIR_OK) {
        result->error = answer.error;
        ca->status = 0;
    } else if (is_told) {
        answer_as_told(ca, &answer);
    }
    log_request(ca, request->method, path);
    result->http.status = ca->status;
    result->http.headers = ca->headers;
    result->http.headers_count = ca->headers_count;
    result->http.body = air_buffer_span(&ca->body);
}
