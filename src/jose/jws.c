/* SPDX-License-Identifier: MIT */
/*
 * JSON Web Signatures in the flattened serialization (RFC 7515 section 7.2.2), the only one ACME
 * knows (RFC 8555 section 6.2), and what every serialization is checked by; compact.c has the other
 * one. What the members mean to a CA is the ACME room's.
 *
 * Invariant: the message never chooses how it is checked: the key decides the algorithm, and every
 * extension that would change the meaning of the bytes (crit, b64) is refused. On failure the
 * caller's buffer holds what it held.
 */

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/jose/jws_input.h"

static enum air_error write_header(
    const char *algorithm, const struct air_jws_header *header, struct air_buffer *out);
static enum air_error read_parts(const json_t *jws, struct air_jws_parts *out);
static enum air_error decode_header(air_span jws, struct air_buffer *header);
static enum air_error check_encoded_header(air_span encoded, const char *algorithm);
static enum air_error check_signature(const struct air_crypto *crypto,
    const struct air_public_key *key, const struct air_jws_parts *parts);

enum air_error air_jws_signing_input(
    const struct air_jws_header *header, air_span payload, struct air_buffer *out) {
    if (header->algorithm == AIR_ALGORITHM_NONE || (header->kid.size > 0 && header->jwk != NULL)) {
        return AIR_ERR_ARGUMENT;
    }
    return air_jws_write_input(air_algorithm_text(header->algorithm), header, payload, out);
}

enum air_error air_jws_assemble(
    air_span signing_input, air_span signature, struct air_buffer *out) {
    size_t dot = air_span_find(signing_input, '.');
    if (dot == signing_input.size) {
        return AIR_ERR_MALFORMED;
    }
    size_t size_before = out->size;
    air_buffer_append_text(out, "{\"protected\":\"");
    air_buffer_append_span(out, air_span_take(signing_input, dot));
    air_buffer_append_text(out, "\",\"payload\":\"");
    air_buffer_append_span(out, air_span_skip(signing_input, dot + 1));
    air_buffer_append_text(out, "\",\"signature\":\"");
    air_base64url_encode(signature, out);
    enum air_error error = air_buffer_append_text(out, "\"}");
    if (error == AIR_OK && out->size - size_before > AIR_JWS_SIZE_MAX) {
        error = AIR_ERR_LIMIT;
    }
    if (error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    return error;
}

enum air_error air_jws_sign(const struct air_crypto *crypto, uint64_t key,
    const struct air_jws_header *header, air_span payload, struct air_buffer *out) {
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t signature_size = 0;
    struct air_buffer input;
    air_buffer_init(&input, AIR_JWS_SIZE_MAX);
    enum air_error error = air_jws_signing_input(header, payload, &input);
    if (error == AIR_OK) {
        error = crypto->key_sign(crypto->self, key, header->algorithm, air_buffer_span(&input),
            signature, &signature_size);
    }
    if (error == AIR_OK) {
        error =
            air_jws_assemble(air_buffer_span(&input), air_span_of(signature, signature_size), out);
    }
    air_buffer_deinit(&input);
    return error;
}

enum air_error air_jws_verify(const struct air_crypto *crypto, const struct air_public_key *key,
    air_span jws, struct air_buffer *payload) {
    if (jws.size > AIR_JWS_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    json_t *json = NULL;
    enum air_error error = air_json_read(jws, &json);
    if (error != AIR_OK) {
        return error;
    }
    struct air_jws_parts parts = {0};
    error = read_parts(json, &parts);
    if (error == AIR_OK) {
        error = air_jws_check_parts(crypto, key, &parts, payload);
    }
    json_decref(json);
    return error;
}

enum air_error air_jws_header_read(air_span jws, struct air_buffer *out) {
    if (jws.size > AIR_JWS_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    json_t *json = NULL;
    struct air_buffer header;
    air_buffer_init(&header, AIR_JWS_SIZE_MAX);
    enum air_error error = decode_header(jws, &header);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&header), &json);
    }
    if (error == AIR_OK) {
        error = air_buffer_append_span(out, air_buffer_span(&header));
    }
    json_decref(json);
    air_buffer_deinit(&header);
    return error;
}

enum air_error air_jws_check_parts(const struct air_crypto *crypto,
    const struct air_public_key *key, const struct air_jws_parts *parts,
    struct air_buffer *payload) {
    enum air_error error =
        check_encoded_header(parts->header, air_algorithm_text(air_algorithm_for_key(key->type)));
    if (error == AIR_OK) {
        error = check_signature(crypto, key, parts);
    }
    if (error == AIR_OK) {
        error = air_base64url_decode(parts->payload, payload);
    }
    return error;
}

/* RFC 7515 section 4.1.11, RFC 7797 section 6: we know no extension, and b64 is one. */
enum air_error air_jws_check_header(air_span header, const char *algorithm) {
    json_t *json = NULL;
    enum air_error error = air_json_read(header, &json);
    if (error == AIR_OK) {
        air_span alg = air_json_text(json, "alg");
        if (alg.data == NULL || json_object_get(json, "crit") != NULL ||
            json_object_get(json, "b64") != NULL) {
            error = AIR_ERR_MALFORMED;
        } else if (alg.size == 0 || !air_span_equal_text(alg, algorithm)) {
            error = AIR_ERR_UNSUPPORTED;
        }
    }
    json_decref(json);
    return error;
}

enum air_error air_jws_write_input(const char *algorithm, const struct air_jws_header *header,
    air_span payload, struct air_buffer *out) {
    size_t size_before = out->size;
    struct air_buffer json;
    air_buffer_init(&json, AIR_JWS_SIZE_MAX);
    enum air_error error = write_header(algorithm, header, &json);
    if (error == AIR_OK) {
        air_base64url_encode(air_buffer_span(&json), out);
        air_buffer_append_byte(out, '.');
        error = air_base64url_encode(payload, out);
    }
    if (error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    air_buffer_deinit(&json);
    return error;
}

static enum air_error write_header(
    const char *algorithm, const struct air_jws_header *header, struct air_buffer *out) {
    struct air_buffer jwk;
    air_buffer_init(&jwk, AIR_JWS_SIZE_MAX);
    air_json_begin(out, NULL, '{');
    air_json_put_text(out, "alg", air_span_text(algorithm));
    enum air_error error = AIR_OK;
    if (header->jwk != NULL) {
        error = air_jwk_write(header->jwk, &jwk);
        air_json_put_raw(out, "jwk", air_buffer_span(&jwk));
    }
    if (header->kid.size > 0) {
        air_json_put_text(out, "kid", header->kid);
    }
    if (header->nonce.size > 0) {
        air_json_put_text(out, "nonce", header->nonce);
    }
    if (header->url.size > 0) {
        air_json_put_text(out, "url", header->url);
    }
    air_json_end(out, '}');
    air_buffer_deinit(&jwk);
    return error != AIR_OK ? error : out->error;
}

/* Members other than these are ignored (RFC 7515 section 7.2.2), but nothing unprotected may take
 * part (RFC 8555 section 6.2). */
static enum air_error read_parts(const json_t *jws, struct air_jws_parts *out) {
    if (json_object_get(jws, "header") != NULL || json_object_get(jws, "signatures") != NULL) {
        return AIR_ERR_MALFORMED;
    }
    out->header = air_json_text(jws, "protected");
    out->payload = air_json_text(jws, "payload");
    out->signature = air_json_text(jws, "signature");
    bool is_whole = out->header.size > 0 && out->payload.data != NULL && out->signature.size > 0;
    return is_whole ? AIR_OK : AIR_ERR_MALFORMED;
}

/* Tell a JWS's serialization by its first character, and decode its protected header. */
static enum air_error decode_header(air_span jws, struct air_buffer *header) {
    struct air_jws_parts parts = {0};
    json_t *json = NULL;
    enum air_error error = AIR_OK;
    if (air_span_starts_with(air_span_trim(jws), "{")) {
        error = air_json_read(jws, &json);
        if (error == AIR_OK) {
            error = read_parts(json, &parts);
        }
    } else {
        error = air_jws_split(jws, &parts);
    }
    if (error == AIR_OK) {
        error = air_base64url_decode(parts.header, header);
    }
    json_decref(json);
    return error;
}

static enum air_error check_encoded_header(air_span encoded, const char *algorithm) {
    struct air_buffer text;
    air_buffer_init(&text, AIR_JWS_SIZE_MAX);
    enum air_error error = air_base64url_decode(encoded, &text);
    if (error == AIR_OK) {
        error = air_jws_check_header(air_buffer_span(&text), algorithm);
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error check_signature(const struct air_crypto *crypto,
    const struct air_public_key *key, const struct air_jws_parts *parts) {
    struct air_buffer input;
    struct air_buffer signature;
    air_buffer_init(&input, AIR_JWS_SIZE_MAX);
    air_buffer_init(&signature, AIR_JWS_SIZE_MAX);
    air_buffer_append_span(&input, parts->header);
    air_buffer_append_byte(&input, '.');
    enum air_error error = air_buffer_append_span(&input, parts->payload);
    if (error == AIR_OK) {
        error = air_base64url_decode(parts->signature, &signature);
    }
    if (error == AIR_OK) {
        error = crypto->verify(crypto->self, key, air_algorithm_for_key(key->type),
            air_buffer_span(&input), air_buffer_span(&signature));
    }
    air_buffer_deinit(&signature);
    air_buffer_deinit(&input);
    return error;
}
