/* SPDX-License-Identifier: MIT */
/*
 * Problem documents: from the CA's JSON to a type, a remedy and a sentence. The table below is the
 * only place where error types are known by name. Invariant: whatever the body is, the operator
 * gets the CA's words, escaped and cut.
 */

#include "src/acme/problem.h"

#include "src/acme/response.h"
#include "src/acme/token.h"
#include "src/base/json.h"
#include "src/base/span.h"

/* A problem document larger than this is not parsed (hardening 3.6). */
#define PROBLEM_SIZE_MAX 16384

/* At most so many subproblems are told to the operator. */
#define SUBPROBLEMS_MAX 5

static const char prefix[] = "urn:ietf:params:acme:error:";

static const struct {
    const char *name;
    enum air_problem_type type;
    enum air_remedy remedy;
} types[] = {
    {"badNonce", AIR_PROBLEM_BAD_NONCE, AIR_REMEDY_REPEAT},
    {"rateLimited", AIR_PROBLEM_RATE_LIMITED, AIR_REMEDY_WAIT},
    {"serverInternal", AIR_PROBLEM_SERVER_INTERNAL, AIR_REMEDY_WAIT},
    {"orderNotReady", AIR_PROBLEM_ORDER_NOT_READY, AIR_REMEDY_REPAIR},
    {"accountDoesNotExist", AIR_PROBLEM_ACCOUNT_DOES_NOT_EXIST, AIR_REMEDY_REPAIR},
    {"userActionRequired", AIR_PROBLEM_USER_ACTION_REQUIRED, AIR_REMEDY_GIVE_UP},
    {"connection", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"dns", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"tls", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"caa", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"incorrectResponse", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"unauthorized", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"compound", AIR_PROBLEM_VALIDATION, AIR_REMEDY_NEW_ORDER},
    {"malformed", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"rejectedIdentifier", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"unsupportedIdentifier", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"badCSR", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"badPublicKey", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"badSignatureAlgorithm", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"invalidContact", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"unsupportedContact", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"externalAccountRequired", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
    {"invalidProfile", AIR_PROBLEM_CONFIGURATION, AIR_REMEDY_GIVE_UP},
};

static void classify(air_span type, struct air_problem *out) {
    out->type = AIR_PROBLEM_OTHER;
    out->remedy = AIR_REMEDY_NEW_ORDER;
    if (!air_span_starts_with(type, prefix)) {
        return;
    }
    const air_span name = air_span_skip(type, sizeof prefix - 1);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (air_span_equal_text(name, types[i].name)) {
            out->type = types[i].type;
            out->remedy = types[i].remedy;
        }
    }
}

/* "unauthorized: no such file (example.net: dns: NXDOMAIN)" */
static void write_sentence(const json_t *object, air_span fallback, struct air_buffer *text) {
    air_span type = air_json_text(object, "type");
    if (air_span_starts_with(type, prefix)) {
        type = air_span_skip(type, sizeof prefix - 1);
    }
    air_span detail = air_json_text(object, "detail");
    detail = detail.size > 0 ? detail : air_json_text(object, "title");
    air_text_escape(type.size > 0 ? type : fallback, 100, text);
    if (detail.size > 0) {
        air_buffer_append_text(text, ": ");
        air_text_escape(detail, AIR_PROBLEM_TEXT_SIZE_MAX / 2, text);
    }
}

static void write_subproblems(const json_t *object, struct air_buffer *text, size_t end) {
    const json_t *list = air_json_array(object, "subproblems");
    for (size_t i = 0; list != NULL && i < json_array_size(list) && i < SUBPROBLEMS_MAX; i++) {
        const json_t *sub = json_array_get(list, i);
        const air_span name = air_json_text(air_json_object(sub, "identifier"), "value");
        if (text->size + 200 > end) {
            return;
        }
        air_buffer_append_text(text, "; ");
        air_text_escape(name, 80, text);
        air_buffer_append_text(text, name.size > 0 ? ": " : "");
        air_text_escape(air_json_text(sub, "detail"), 100, text);
    }
}

enum air_error air_problem_read_object(
    const json_t *object, struct air_problem *out, struct air_buffer *text) {
    const size_t end = text->size + AIR_PROBLEM_TEXT_SIZE_MAX;
    out->retry_after_ms = -1;
    classify(air_json_text(object, "type"), out);
    write_sentence(object, air_span_text("the CA gave no reason"), text);
    write_subproblems(object, text, end);
    return text->error == AIR_ERR_LIMIT ? AIR_OK : text->error;
}

/* A refusal without a problem document: a load balancer's page, a cut body. */
static void judge_by_status(uint32_t status, struct air_problem *out) {
    if (status == 429 || status >= 500) {
        out->remedy = AIR_REMEDY_WAIT;
        out->type = status == 429 ? AIR_PROBLEM_RATE_LIMITED : AIR_PROBLEM_SERVER_INTERNAL;
    }
}

enum air_error air_problem_read(const struct air_http_result *response, air_time_ms now_wall_ms,
    struct air_problem *out, struct air_buffer *text) {
    json_t *object = NULL;
    if (response->body.size <= PROBLEM_SIZE_MAX) {
        const enum air_error error = air_json_read(response->body, &object);
        if (error == AIR_ERR_NO_MEMORY) {
            return error;
        }
    }
    struct air_buffer status;
    air_buffer_init(&status, 64);
    air_buffer_append_text(&status, "HTTP status ");
    air_buffer_append_number(&status, response->status);
    enum air_error error = status.error;
    if (error == AIR_OK && object != NULL) {
        error = air_problem_read_object(object, out, text);
        if (air_json_text(object, "type").size == 0) {
            air_buffer_append_text(text, " (");
            air_buffer_append_span(text, air_buffer_span(&status));
            air_buffer_append_text(text, ")");
        }
    } else if (error == AIR_OK) {
        classify(air_span_text(NULL), out);
        air_buffer_append_span(text, air_buffer_span(&status));
        error = air_buffer_append_text(text, " without a problem document");
    }
    if (out->type == AIR_PROBLEM_OTHER) {
        judge_by_status(response->status, out);
    }
    out->retry_after_ms = air_response_retry_after_ms(response, now_wall_ms);
    air_buffer_deinit(&status);
    json_decref(object);
    return error == AIR_ERR_LIMIT ? AIR_OK : error;
}
