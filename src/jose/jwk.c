/* SPDX-License-Identifier: MIT */
/*
 * Public keys as JSON Web Keys (RFC 7517, RFC 7518 section 6) and their thumbprints (RFC 7638).
 * Private members are neither read nor written.
 *
 * Invariant: EC coordinates have their curve's full width, leading zeros kept; RSA integers have no
 * leading zero octet. Only such keys are written, and one key is written in one way.
 */

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "thinair/jose.h"

/* An RSA 4096 key takes about 730 bytes. */
#define JWK_SIZE_MAX 2048

struct curve {
    const char *crv;
    enum air_key_type type;
    size_t width;
};

/* RFC 7518 section 6.2.1.1. */
static const struct curve curves[] = {
    {"P-256", AIR_KEY_ECDSA_P256, 32},
    {"P-384", AIR_KEY_ECDSA_P384, 48},
};

static const struct {
    enum air_key_type type;
    size_t modulus_size;
} rsa_sizes[] = {
    {AIR_KEY_RSA_2048, 256},
    {AIR_KEY_RSA_3072, 384},
    {AIR_KEY_RSA_4096, 512},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct curve *find_curve(enum air_key_type type);
static bool is_whole_ec(const struct air_public_key *key, const struct curve *curve);
static bool is_whole_rsa(const struct air_public_key *key);
static enum air_key_type rsa_type(air_span modulus);
static enum air_error write_key(const struct air_public_key *key, struct air_buffer *out);
static enum air_error read_ec(const json_t *jwk, struct air_public_key *out);
static enum air_error read_rsa(const json_t *jwk, struct air_public_key *out);
static enum air_error take_bytes(
    const json_t *jwk, const char *key, uint8_t *out, size_t room, size_t *out_size);

enum air_error air_jwk_write(const struct air_public_key *key, struct air_buffer *out) {
    /* Apart, because the writer would set a comma behind what the caller has in `out`. */
    struct air_buffer json;
    air_buffer_init(&json, JWK_SIZE_MAX);
    enum air_error error = write_key(key, &json);
    if (error == AIR_OK) {
        error = air_buffer_append_span(out, air_buffer_span(&json));
    }
    air_buffer_deinit(&json);
    return error;
}

enum air_error air_jwk_read(air_span json, struct air_public_key *out) {
    if (json.size > AIR_JWS_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    json_t *jwk = NULL;
    enum air_error error = air_json_read(json, &jwk);
    if (error != AIR_OK) {
        return error;
    }
    struct air_public_key key = {0};
    air_span kty = air_json_text(jwk, "kty");
    if (air_span_equal_text(kty, "EC")) {
        error = read_ec(jwk, &key);
    } else if (air_span_equal_text(kty, "RSA")) {
        error = read_rsa(jwk, &key);
    } else {
        error = kty.data == NULL ? AIR_ERR_MALFORMED : AIR_ERR_UNSUPPORTED;
    }
    json_decref(jwk);
    if (error == AIR_OK) {
        *out = key;
    }
    return error;
}

enum air_error air_jwk_thumbprint(const struct air_crypto *crypto, const struct air_public_key *key,
    char out[AIR_THUMBPRINT_SIZE]) {
    uint8_t digest[AIR_SHA256_SIZE];
    struct air_buffer text;
    air_buffer_init(&text, JWK_SIZE_MAX);
    enum air_error error = air_jwk_write(key, &text);
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_buffer_span(&text), digest);
    }
    if (error == AIR_OK) {
        air_buffer_clear(&text);
        error = air_base64url_encode(air_span_of(digest, sizeof(digest)), &text);
    }
    if (error == AIR_OK) {
        memcpy(out, text.data, AIR_THUMBPRINT_SIZE);
    }
    air_buffer_deinit(&text);
    return error;
}

static const struct curve *find_curve(enum air_key_type type) {
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (curves[i].type == type) {
            return &curves[i];
        }
    }
    return NULL;
}

static enum air_error write_key(const struct air_public_key *key, struct air_buffer *out) {
    const struct curve *curve = find_curve(key->type);
    if (curve != NULL ? !is_whole_ec(key, curve) : !is_whole_rsa(key)) {
        return AIR_ERR_BAD_KEY;
    }
    air_span x_or_n = air_span_of(key->x_or_n, key->x_or_n_size);
    air_span y_or_e = air_span_of(key->y_or_e, key->y_or_e_size);
    air_json_begin(out, NULL, '{');
    if (curve != NULL) {
        air_json_put_text(out, "crv", air_span_text(curve->crv));
        air_json_put_text(out, "kty", air_span_text("EC"));
        air_json_put_base64url(out, "x", x_or_n);
        air_json_put_base64url(out, "y", y_or_e);
    } else {
        air_json_put_base64url(out, "e", y_or_e);
        air_json_put_text(out, "kty", air_span_text("RSA"));
        air_json_put_base64url(out, "n", x_or_n);
    }
    air_json_end(out, '}');
    return out->error;
}

static bool is_whole_ec(const struct air_public_key *key, const struct curve *curve) {
    return key->x_or_n_size == curve->width && key->y_or_e_size == curve->width;
}

static bool is_whole_rsa(const struct air_public_key *key) {
    return key->type != AIR_KEY_NONE &&
           rsa_type(air_span_of(key->x_or_n, key->x_or_n_size)) == key->type &&
           key->y_or_e_size > 0 && key->y_or_e_size <= sizeof(key->y_or_e) && key->y_or_e[0] != 0;
}

/* The key type of a modulus without leading zero octets, or AIR_KEY_NONE. */
static enum air_key_type rsa_type(air_span modulus) {
    for (size_t i = 0; i < COUNT_OF(rsa_sizes); i++) {
        /* The top bit makes it exactly so many bits. */
        if (modulus.size == rsa_sizes[i].modulus_size && modulus.data[0] >= 0x80) {
            return rsa_sizes[i].type;
        }
    }
    return AIR_KEY_NONE;
}

/* RFC 7518 section 6.2.1: coordinates are as long as the curve's field. */
static enum air_error read_ec(const json_t *jwk, struct air_public_key *out) {
    air_span crv = air_json_text(jwk, "crv");
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        if (!air_span_equal_text(crv, curves[i].crv)) {
            continue;
        }
        size_t width = curves[i].width;
        enum air_error error = take_bytes(jwk, "x", out->x_or_n, width, &out->x_or_n_size);
        if (error == AIR_OK) {
            error = take_bytes(jwk, "y", out->y_or_e, width, &out->y_or_e_size);
        }
        if (error == AIR_ERR_LIMIT || (error == AIR_OK && !is_whole_ec(out, &curves[i]))) {
            error = AIR_ERR_MALFORMED;
        }
        out->type = curves[i].type;
        return error;
    }
    return crv.data == NULL ? AIR_ERR_MALFORMED : AIR_ERR_UNSUPPORTED;
}

/* RFC 7518 section 6.3.1: integers have the fewest octets that hold them. */
static enum air_error read_rsa(const json_t *jwk, struct air_public_key *out) {
    enum air_error error =
        take_bytes(jwk, "n", out->x_or_n, sizeof(out->x_or_n), &out->x_or_n_size);
    if (error == AIR_OK) {
        error = take_bytes(jwk, "e", out->y_or_e, sizeof(out->y_or_e), &out->y_or_e_size);
    }
    if (error == AIR_ERR_LIMIT) {
        return AIR_ERR_UNSUPPORTED;
    }
    if (error != AIR_OK) {
        return error;
    }
    if (out->x_or_n[0] == 0 || out->y_or_e[0] == 0) {
        return AIR_ERR_MALFORMED;
    }
    out->type = rsa_type(air_span_of(out->x_or_n, out->x_or_n_size));
    return out->type == AIR_KEY_NONE ? AIR_ERR_UNSUPPORTED : AIR_OK;
}

/* Decode a member that is not empty. AIR_ERR_LIMIT: it needs more than its room. */
static enum air_error take_bytes(
    const json_t *jwk, const char *key, uint8_t *out, size_t room, size_t *out_size) {
    air_span text = air_json_text(jwk, key);
    if (text.size == 0) {
        return AIR_ERR_MALFORMED;
    }
    struct air_buffer bytes;
    air_buffer_init(&bytes, room);
    enum air_error error = air_base64url_decode(text, &bytes);
    if (error == AIR_OK) {
        memcpy(out, bytes.data, bytes.size);
        *out_size = bytes.size;
    }
    air_buffer_deinit(&bytes);
    return error;
}
