/* SPDX-License-Identifier: MIT */
/*
 * The compact serialization (RFC 7515 section 7.1), which JWTs have, and signing inputs with a
 * protected header of the caller's own.
 *
 * Invariant: as in jws.c: a header that would not be accepted is not signed either, and on failure
 * the caller's buffer holds what it held.
 */

#include "src/base/base64url.h"
#include "src/base/span.h"
#include "src/jose/jws_input.h"

enum air_error air_jws_signing_input_own(
    enum air_algorithm algorithm, air_span header, air_span payload, struct air_buffer *out) {
    if (algorithm == AIR_ALGORITHM_NONE) {
        return AIR_ERR_ARGUMENT;
    }
    if (header.size > AIR_JWS_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    enum air_error error = air_jws_check_header(header, air_algorithm_text(algorithm));
    if (error != AIR_OK) {
        return error;
    }
    size_t size_before = out->size;
    air_base64url_encode(header, out);
    air_buffer_append_byte(out, '.');
    error = air_base64url_encode(payload, out);
    if (error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    return error;
}

enum air_error air_jws_assemble_compact(
    air_span signing_input, air_span signature, struct air_buffer *out) {
    if (air_span_find(signing_input, '.') == signing_input.size) {
        return AIR_ERR_MALFORMED;
    }
    size_t size_before = out->size;
    air_buffer_append_span(out, signing_input);
    air_buffer_append_byte(out, '.');
    enum air_error error = air_base64url_encode(signature, out);
    if (error == AIR_OK && out->size - size_before > AIR_JWS_SIZE_MAX) {
        error = AIR_ERR_LIMIT;
    }
    if (error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    return error;
}

enum air_error air_jws_verify_compact(const struct air_crypto *crypto,
    const struct air_public_key *key, air_span jws, struct air_buffer *payload) {
    struct air_jws_parts parts = {0};
    if (jws.size > AIR_JWS_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    enum air_error error = air_jws_split(jws, &parts);
    return error != AIR_OK ? error : air_jws_check_parts(crypto, key, &parts, payload);
}

enum air_error air_jws_split(air_span jws, struct air_jws_parts *out) {
    size_t first = air_span_find(jws, '.');
    air_span rest = air_span_skip(jws, first + 1);
    size_t second = air_span_find(rest, '.');
    if (first == jws.size || second == rest.size) {
        return AIR_ERR_MALFORMED;
    }
    out->header = air_span_take(jws, first);
    out->payload = air_span_take(rest, second);
    out->signature = air_span_skip(rest, second + 1);
    bool is_whole = out->header.size > 0 && out->signature.size > 0 &&
                    air_span_find(out->signature, '.') == out->signature.size;
    return is_whole ? AIR_OK : AIR_ERR_MALFORMED;
}
