/* SPDX-License-Identifier: MIT */
/*
 * Private JSON Web Keys (RFC 7518 sections 6.2.2 and 6.3.2) as PEM, which is what a crypto port
 * takes: SEC 1 for EC (RFC 5915), PKCS#1 for RSA (RFC 8017). Only the form is judged here; that the
 * members belong together is the port's to find out.
 *
 * Invariant: private numbers are only in buffers, which are wiped. What jansson read of them is
 * jansson's to free.
 */

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "thinair/jose.h"

/* The DER of an RSA 4096 key takes about 2,350 bytes, and a text of it four thirds. */
#define DER_SIZE_MAX 4096
#define TEXT_SIZE_MAX 8192
#define NUMBER_SIZE_MAX 512
#define LINE_SIZE 64

/* DER tags. */
enum { INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, SEQUENCE = 0x30 };
enum { CONTEXT_0 = 0xA0, CONTEXT_1 = 0xA1 };

/* RFC 8017 appendix A.1.2, in its order. */
static const char *const rsa_members[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};

static enum air_error write_rsa(const json_t *jwk, struct air_buffer *der);
static enum air_error write_ec(
    const json_t *jwk, const struct air_public_key *key, struct air_buffer *der);
static enum air_error take_number(const json_t *jwk, const char *member, struct air_buffer *out);
static void put_head(struct air_buffer *out, uint8_t tag, size_t size);
static void put_value(struct air_buffer *out, uint8_t tag, air_span value);
static void put_integer(struct air_buffer *out, air_span number);
static void put_curve(struct air_buffer *out, enum air_key_type type);
static void put_point(struct air_buffer *out, const struct air_public_key *key);
static enum air_error write_pem(const char *label, air_span der, struct air_buffer *out);

enum air_error air_jwk_private_read(air_span json, struct air_buffer *pem) {
    struct air_public_key key;
    enum air_error error = air_jwk_read(json, &key);
    if (error != AIR_OK) {
        return error;
    }
    json_t *jwk = NULL;
    struct air_buffer der;
    air_buffer_init(&der, DER_SIZE_MAX);
    bool is_rsa = air_algorithm_for_key(key.type) == AIR_RS256;
    error = air_json_read(json, &jwk);
    if (error == AIR_OK && json_object_get(jwk, "d") == NULL) {
        error = AIR_ERR_NOT_FOUND;
    }
    if (error == AIR_OK) {
        error = is_rsa ? write_rsa(jwk, &der) : write_ec(jwk, &key, &der);
    }
    if (error == AIR_OK) {
        error =
            write_pem(is_rsa ? "RSA PRIVATE KEY" : "EC PRIVATE KEY", air_buffer_span(&der), pem);
    }
    air_buffer_deinit(&der);
    json_decref(jwk);
    return error;
}

static enum air_error write_rsa(const json_t *jwk, struct air_buffer *der) {
    static const uint8_t two_primes[] = {0};
    struct air_buffer numbers;
    struct air_buffer number;
    /* RFC 7518 section 6.3.2.7: more than two primes. */
    if (json_object_get(jwk, "oth") != NULL) {
        return AIR_ERR_UNSUPPORTED;
    }
    air_buffer_init(&numbers, DER_SIZE_MAX);
    air_buffer_init(&number, NUMBER_SIZE_MAX);
    put_integer(&numbers, air_span_of(two_primes, 1));
    enum air_error error = AIR_OK;
    for (size_t i = 0; error == AIR_OK && i < sizeof(rsa_members) / sizeof(rsa_members[0]); i++) {
        air_buffer_clear(&number);
        error = take_number(jwk, rsa_members[i], &number);
        if (error == AIR_OK) {
            put_integer(&numbers, air_buffer_span(&number));
        }
    }
    if (error == AIR_OK) {
        error = numbers.error;
    }
    if (error == AIR_OK) {
        put_value(der, SEQUENCE, air_buffer_span(&numbers));
        error = der->error;
    }
    air_buffer_deinit(&number);
    air_buffer_deinit(&numbers);
    return error;
}

static enum air_error write_ec(
    const json_t *jwk, const struct air_public_key *key, struct air_buffer *der) {
    static const uint8_t version[] = {1};
    struct air_buffer parts;
    struct air_buffer number;
    air_buffer_init(&parts, DER_SIZE_MAX);
    air_buffer_init(&number, NUMBER_SIZE_MAX);
    enum air_error error = take_number(jwk, "d", &number);
    /* RFC 7518 section 6.2.2.1: as wide as the curve's order, which is as wide as a coordinate. */
    if (error == AIR_OK && number.size != key->x_or_n_size) {
        error = AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK) {
        put_integer(&parts, air_span_of(version, 1));
        put_value(&parts, OCTET_STRING, air_buffer_span(&number));
        put_curve(&parts, key->type);
        put_point(&parts, key);
        error = parts.error;
    }
    if (error == AIR_OK) {
        put_value(der, SEQUENCE, air_buffer_span(&parts));
        error = der->error;
    }
    air_buffer_deinit(&number);
    air_buffer_deinit(&parts);
    return error;
}

static enum air_error take_number(const json_t *jwk, const char *member, struct air_buffer *out) {
    air_span text = air_json_text(jwk, member);
    if (text.size == 0) {
        return AIR_ERR_MALFORMED;
    }
    enum air_error error = air_base64url_decode(text, out);
    return error == AIR_ERR_LIMIT ? AIR_ERR_MALFORMED : error;
}

/* Tag and length (X.690 section 8.1) of a value of fewer than 65,536 bytes. */
static void put_head(struct air_buffer *out, uint8_t tag, size_t size) {
    air_buffer_append_byte(out, tag);
    if (size >= 0x100) {
        air_buffer_append_byte(out, 0x82);
        air_buffer_append_byte(out, (uint8_t)(size >> 8));
    } else if (size >= 0x80) {
        air_buffer_append_byte(out, 0x81);
    }
    air_buffer_append_byte(out, (uint8_t)size);
}

static void put_value(struct air_buffer *out, uint8_t tag, air_span value) {
    put_head(out, tag, value.size);
    air_buffer_append_span(out, value);
}

/* A number that is not negative: a zero octet goes before a top bit, and no other leads. */
static void put_integer(struct air_buffer *out, air_span number) {
    while (number.size > 1 && number.data[0] == 0) {
        number = air_span_skip(number, 1);
    }
    bool has_top_bit = number.data[0] >= 0x80;
    put_head(out, INTEGER, number.size + has_top_bit);
    if (has_top_bit) {
        air_buffer_append_byte(out, 0);
    }
    air_buffer_append_span(out, number);
}

/* RFC 5480 section 2.1.1.1: secp256r1 and secp384r1. */
static void put_curve(struct air_buffer *out, enum air_key_type type) {
    static const uint8_t p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22};
    put_value(out, CONTEXT_0,
        type == AIR_KEY_ECDSA_P256 ? air_span_of(p256, sizeof(p256))
                                   : air_span_of(p384, sizeof(p384)));
}

/* The public half, so that the port can tell that it is not this key's. Its sizes are small. */
static void put_point(struct air_buffer *out, const struct air_public_key *key) {
    uint8_t width = (uint8_t)key->x_or_n_size;
    uint8_t bits_size = (uint8_t)(2 + 2 * width);
    const uint8_t head[] = {CONTEXT_1, (uint8_t)(bits_size + 2), BIT_STRING, bits_size, 0, 4};
    air_buffer_append(out, head, sizeof(head));
    air_buffer_append(out, key->x_or_n, width);
    air_buffer_append(out, key->y_or_e, width);
}

/* RFC 7468 section 3. */
static enum air_error write_pem(const char *label, air_span der, struct air_buffer *out) {
    size_t size_before = out->size;
    struct air_buffer text;
    air_buffer_init(&text, TEXT_SIZE_MAX);
    air_base64url_encode(der, &text);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] = text.data[i] == '-' ? '+' : text.data[i] == '_' ? '/' : text.data[i];
    }
    while (text.error == AIR_OK && text.size % 4 != 0) {
        air_buffer_append_byte(&text, '=');
    }
    air_buffer_append_text(out, "-----BEGIN ");
    air_buffer_append_text(out, label);
    air_buffer_append_text(out, "-----\n");
    for (air_span rest = air_buffer_span(&text); rest.size > 0;
         rest = air_span_skip(rest, LINE_SIZE)) {
        air_buffer_append_span(out, air_span_take(rest, LINE_SIZE));
        air_buffer_append_byte(out, '\n');
    }
    air_buffer_append_text(out, "-----END ");
    air_buffer_append_text(out, label);
    air_buffer_append_text(out, "-----\n");
    enum air_error error = text.error != AIR_OK ? text.error : out->error;
    if (error != AIR_OK) {
        air_buffer_truncate(out, size_before);
    }
    air_buffer_deinit(&text);
    return error;
}
