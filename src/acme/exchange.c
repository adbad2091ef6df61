/* SPDX-License-Identifier: MIT */
/*
 * The exchange: the one place where requests are signed and nonces are spent. Retrying for other
 * reasons than badNonce is its user's business. Invariant: a nonce is consumed when the request
 * that carries it is handed out, and a retry after badNonce uses the nonce that came with the
 * rejection (RFC 8555 section 6.5).
 */

#include "src/acme/exchange.h"

#include "src/acme/response.h"
#include "src/acme/url.h"
#include "src/base/span.h"

/* A signed request holds a CSR for a hundred names at most. */
#define PAYLOAD_SIZE_MAX 131072

void air_exchange_deinit(struct air_exchange *exchange) {
    air_buffer_deinit(&exchange->url);
    air_buffer_deinit(&exchange->payload);
    air_buffer_deinit(&exchange->input);
    air_buffer_deinit(&exchange->body);
    *exchange = (struct air_exchange){0};
}

enum air_error air_exchange_begin(struct air_exchange *exchange, enum air_exchange_kind kind,
    air_span url, air_span payload, uint32_t body_max) {
    air_exchange_deinit(exchange);
    air_buffer_init(&exchange->url, AIR_ACME_URL_SIZE_MAX);
    air_buffer_init(&exchange->payload, PAYLOAD_SIZE_MAX);
    air_buffer_init(&exchange->input, AIR_JWS_SIZE_MAX);
    air_buffer_init(&exchange->body, AIR_JWS_SIZE_MAX);
    air_buffer_append_span(&exchange->url, url);
    air_buffer_append_span(&exchange->payload, payload);
    const enum air_error error =
        exchange->url.error != AIR_OK ? exchange->url.error : exchange->payload.error;
    if (error != AIR_OK) {
        air_exchange_deinit(exchange);
        return error;
    }
    exchange->kind = kind;
    exchange->body_max = body_max;
    exchange->phase = kind == AIR_EXCHANGE_GET ? AIR_EXCHANGE_SEND : AIR_EXCHANGE_NONCE;
    return AIR_OK;
}

static void write_request(const struct air_exchange *exchange, const struct air_session *session,
    const char *method, air_span url, struct air_action *out) {
    *out = (struct air_action){.kind = AIR_ACTION_HTTP};
    out->http.method = air_span_text(method);
    out->http.url = url;
    out->http.trust = session->trust;
    out->http.body_max = exchange->body_max;
    out->http.deadline_ms = AIR_REQUEST_DEADLINE_MS;
}

static enum air_error write_input(
    struct air_exchange *exchange, const struct air_session *session) {
    const struct air_jws_header header = {
        .algorithm = air_algorithm_for_key(session->account_public.type),
        .nonce = air_span_of(exchange->nonce.text, exchange->nonce.size),
        .url = air_buffer_span(&exchange->url),
        .kid = exchange->kind == AIR_EXCHANGE_KID ? session->account_url : air_span_text(NULL),
        .jwk = exchange->kind == AIR_EXCHANGE_JWK ? &session->account_public : NULL,
    };
    air_buffer_clear(&exchange->input);
    return air_jws_signing_input(&header, air_buffer_span(&exchange->payload), &exchange->input);
}

static enum air_error write_body(struct air_exchange *exchange, air_span signature) {
    air_buffer_clear(&exchange->body);
    return air_jws_assemble(air_buffer_span(&exchange->input), signature, &exchange->body);
}

/* Sign at once if the port can, else hand the signature out as an action. */
static enum air_error sign(
    struct air_exchange *exchange, const struct air_session *session, struct air_action *out) {
    enum air_error error = write_input(exchange, session);
    if (error != AIR_OK) {
        return error;
    }
    const struct air_crypto *crypto = session->crypto;
    const enum air_algorithm algorithm = air_algorithm_for_key(session->account_public.type);
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    error = crypto->key_sign(crypto->self, session->account_key, algorithm,
        air_buffer_span(&exchange->input), signature, &signature_size);
    if (error == AIR_ERR_LATER) {
        *out = (struct air_action){.kind = AIR_ACTION_SIGN};
        out->sign.key = session->account_key;
        out->sign.algorithm = algorithm;
        out->sign.data = air_buffer_span(&exchange->input);
        return AIR_OK;
    }
    if (error == AIR_OK) {
        error = write_body(exchange, air_span_of(signature, signature_size));
    }
    if (error == AIR_OK) {
        exchange->phase = AIR_EXCHANGE_SEND;
    }
    return error;
}

enum air_error air_exchange_next(struct air_exchange *exchange, struct air_session *session,
    air_time_ms boot_ms, struct air_action *out) {
    if (exchange->phase == AIR_EXCHANGE_NONCE) {
        if (exchange->nonce.size == 0 &&
            !air_session_take_nonce(session, boot_ms, &exchange->nonce)) {
            write_request(exchange, session, "HEAD", session->new_nonce_url, out);
            return AIR_OK;
        }
        exchange->phase = AIR_EXCHANGE_SIGN;
    }
    if (exchange->phase == AIR_EXCHANGE_SIGN) {
        const enum air_error error = sign(exchange, session, out);
        if (error != AIR_OK || exchange->phase == AIR_EXCHANGE_SIGN) {
            return error;
        }
    }
    if (exchange->phase != AIR_EXCHANGE_SEND) {
        return AIR_ERR_STATE;
    }
    const bool is_get = exchange->kind == AIR_EXCHANGE_GET;
    write_request(exchange, session, is_get ? "GET" : "POST", air_buffer_span(&exchange->url), out);
    out->http.body = air_buffer_span(&exchange->body);
    exchange->was_sent = true;
    return AIR_OK;
}

/* The answer to HEAD newNonce. */
static enum air_error accept_nonce(struct air_exchange *exchange,
    const struct air_http_result *response, struct air_buffer *reason) {
    const air_span nonce = air_response_nonce(response);
    if (response->status / 100 != 2 || nonce.size == 0) {
        air_buffer_append_text(reason, "the CA's newNonce gave no nonce: HTTP status ");
        air_buffer_append_number(reason, response->status);
        return response->status == 429 || response->status >= 500 ? AIR_ERR_NETWORK
                                                                  : AIR_ERR_REFUSED;
    }
    for (size_t i = 0; i < nonce.size; i++) {
        exchange->nonce.text[i] = nonce.data[i];
    }
    exchange->nonce.size = nonce.size;
    exchange->phase = AIR_EXCHANGE_SIGN;
    return AIR_OK;
}

/* Whether the answer is badNonce and worth another signature; the new nonce is then in hand. */
static enum air_error check_bad_nonce(struct air_exchange *exchange,
    const struct air_http_result *response, air_time_ms now_wall_ms, bool *is_again) {
    *is_again = false;
    if (response->status != 400 || exchange->kind == AIR_EXCHANGE_GET ||
        exchange->bad_nonces >= AIR_BAD_NONCES_MAX) {
        return AIR_OK;
    }
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    struct air_problem problem = {0};
    const enum air_error error = air_problem_read(response, now_wall_ms, &problem, &text);
    air_buffer_deinit(&text);
    if (error != AIR_OK || problem.type != AIR_PROBLEM_BAD_NONCE) {
        return error;
    }
    const air_span nonce = air_response_nonce(response);
    for (size_t i = 0; i < nonce.size; i++) {
        exchange->nonce.text[i] = nonce.data[i];
    }
    exchange->nonce.size = nonce.size;
    exchange->bad_nonces++;
    exchange->phase = AIR_EXCHANGE_NONCE;
    exchange->was_sent = false;
    *is_again = true;
    return AIR_OK;
}

static enum air_error accept_answer(struct air_exchange *exchange, struct air_session *session,
    const struct air_http_result *response, struct air_time now, bool *is_done) {
    bool is_again = false;
    const enum air_error error = check_bad_nonce(exchange, response, now.wall_ms, &is_again);
    if (error != AIR_OK || is_again) {
        return error;
    }
    if (exchange->kind != AIR_EXCHANGE_GET) {
        air_session_keep_nonce(session, air_response_nonce(response), now.boot_ms);
    }
    exchange->phase = AIR_EXCHANGE_DONE;
    *is_done = true;
    return AIR_OK;
}

enum air_error air_exchange_accept(struct air_exchange *exchange, struct air_session *session,
    const struct air_result *result, struct air_time now, bool *is_done,
    struct air_buffer *reason) {
    *is_done = false;
    if (result->error != AIR_OK) {
        air_buffer_append_span(reason, result->explanation.size > 0
                                           ? result->explanation
                                           : air_span_text(air_error_text(result->error)));
        return result->error;
    }
    enum air_error error = AIR_ERR_STATE;
    if (exchange->phase == AIR_EXCHANGE_NONCE) {
        error = accept_nonce(exchange, &result->http, reason);
    } else if (exchange->phase == AIR_EXCHANGE_SIGN) {
        error = write_body(exchange, result->sign.signature);
        if (error == AIR_OK) {
            exchange->phase = AIR_EXCHANGE_SEND;
        }
    } else if (exchange->phase == AIR_EXCHANGE_SEND) {
        error = accept_answer(exchange, session, &result->http, now, is_done);
        if (error == AIR_OK) {
            exchange->nonce.size = *is_done ? 0 : exchange->nonce.size;
        }
    }
    return error;
}
