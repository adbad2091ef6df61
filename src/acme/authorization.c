/* SPDX-License-Identifier: MIT */
/*
 * Authorizations: which name, and which of its challenges we answer. Challenge types we do not
 * know, and entries without a token (dns-persist-01), are passed over. Invariant: a chosen
 * challenge has a token that may stand in a path (R-A2) and a URL on the directory's host (R-A3).
 */

#include "src/acme/authorization.h"

#include <string.h>

#include "src/acme/url.h"
#include "src/base/json.h"
#include "src/base/span.h"

static enum air_authorization_status read_status(air_span text) {
    static const struct {
        const char *text;
        enum air_authorization_status status;
    } statuses[] = {
        {"pending", AIR_AUTHORIZATION_PENDING},
        {"processing", AIR_AUTHORIZATION_PENDING},
        {"valid", AIR_AUTHORIZATION_VALID},
        {"invalid", AIR_AUTHORIZATION_LOST},
        {"deactivated", AIR_AUTHORIZATION_LOST},
        {"expired", AIR_AUTHORIZATION_LOST},
        {"revoked", AIR_AUTHORIZATION_LOST},
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (air_span_equal_text(text, statuses[i].text)) {
            return statuses[i].status;
        }
    }
    return AIR_AUTHORIZATION_UNKNOWN;
}

static enum air_error read_name(const json_t *object, struct air_authorization *out) {
    const json_t *identifier = air_json_object(object, "identifier");
    struct air_buffer name;
    air_buffer_init(&name, AIR_NAME_SIZE_MAX);
    enum air_error error = AIR_ERR_MALFORMED;
    if (air_span_equal_text(air_json_text(identifier, "type"), "dns")) {
        error = air_name_normalize(air_json_text(identifier, "value"), &name);
    }
    if (error == AIR_OK) {
        memcpy(out->name, name.data, name.size);
        out->name_size = name.size;
    } else if (error != AIR_ERR_NO_MEMORY) {
        error = AIR_ERR_MALFORMED;
    }
    air_buffer_deinit(&name);
    return error;
}

/* Take this challenge if it is of the wanted type and fit to be answered. */
static bool take_challenge(const json_t *challenge, enum air_challenge_type wanted,
    air_span directory_url, struct air_authorization *out) {
    const air_span url = air_json_text(challenge, "url");
    const air_span token = air_json_text(challenge, "token");
    if (air_challenge_type_parse(air_json_text(challenge, "type")) != wanted ||
        !air_token_is_valid(token) || !air_url_is_within(url, directory_url) ||
        url.size > sizeof out->url) {
        return false;
    }
    out->challenge = wanted;
    memcpy(out->url, url.data, url.size);
    out->url_size = url.size;
    memcpy(out->token, token.data, token.size);
    out->token_size = token.size;
    const air_span status = air_json_text(challenge, "status");
    out->is_answered = status.size > 0 && !air_span_equal_text(status, "pending");
    return true;
}

static enum air_error read_failure(
    const json_t *challenges, struct air_authorization *out, struct air_buffer *text) {
    out->problem = (struct air_problem){.remedy = AIR_REMEDY_NEW_ORDER, .retry_after_ms = -1};
    for (size_t i = 0; i < json_array_size(challenges); i++) {
        const json_t *failure = air_json_object(json_array_get(challenges, i), "error");
        if (failure != NULL) {
            return air_problem_read_object(failure, &out->problem, text);
        }
    }
    return AIR_OK;
}

enum air_error air_authorization_read(air_span body, air_span directory_url,
    const enum air_challenge_type *wanted, size_t wanted_count, struct air_authorization *out,
    struct air_buffer *text) {
    json_t *object = NULL;
    if (body.size > AIR_AUTHORIZATION_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    enum air_error error = air_json_read(body, &object);
    if (error != AIR_OK) {
        return error;
    }
    *out = (struct air_authorization){0};
    const json_t *challenges = air_json_array(object, "challenges");
    const air_span status = air_json_text(object, "status");
    const size_t count = json_array_size(challenges);
    if (status.size == 0) {
        error = AIR_ERR_MALFORMED;
    } else if (count > AIR_AUTHORIZATION_CHALLENGES_MAX) {
        error = AIR_ERR_LIMIT;
    } else {
        out->status = read_status(status);
        error = read_name(object, out);
    }
    for (size_t w = 0; error == AIR_OK && w < wanted_count; w++) {
        for (size_t i = 0; i < count && out->challenge == AIR_CHALLENGE_NONE; i++) {
            take_challenge(json_array_get(challenges, i), wanted[w], directory_url, out);
        }
    }
    if (error == AIR_OK && out->status == AIR_AUTHORIZATION_LOST) {
        error = read_failure(challenges, out, text);
    }
    json_decref(object);
    return error;
}

enum air_error air_key_authorization_write(
    air_span token, const char thumbprint[AIR_THUMBPRINT_SIZE], struct air_buffer *out) {
    air_buffer_append_span(out, token);
    air_buffer_append_byte(out, '.');
    return air_buffer_append(out, thumbprint, AIR_THUMBPRINT_SIZE);
}
