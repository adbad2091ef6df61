/* SPDX-License-Identifier: MIT */
/*
 * The text forms of the fake port's requests and certificates. Reading is strict enough that a test
 * which cuts or bends one sees a refusal.
 *
 * Invariant: what is written reads back to the same values.
 */

#include "tests/support/fake_certificate.h"

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/pem.h"
#include "src/base/span.h"

#define CSR_TITLE "fake csr 1"
#define CERTIFICATE_TITLE "fake certificate 1"

/* The issuer of every certificate that air_fake_certificate_issue() makes. */
static const uint8_t issuer_id[AIR_FAKE_ID_SIZE] = "fake intermediate 1";
static const uint8_t root_id[AIR_FAKE_ID_SIZE] = "fake root 1";

static const char *const subject_words[] = {"country", "state", "locality", "organization"};

static void put_line(struct air_buffer *out, const char *word, air_span value);
static void put_hex(struct air_buffer *out, const char *word, const uint8_t *data, size_t size);
static void put_number(struct air_buffer *out, const char *word, int64_t number);
static bool next_line(air_span *rest, air_span *word, air_span *value);
static bool get_hex(air_span text, uint8_t *out, size_t room, size_t *out_size);
static bool get_hex_exactly(air_span text, uint8_t *out, size_t size);
static bool take_csr_line(air_span word, air_span value, struct air_fake_csr *out);
static air_span *subject_part(struct air_subject *subject, size_t index);
static bool take_certificate_line(air_span word, air_span value, struct air_fake_certificate *out);
static bool take_id_line(air_span word, air_span value, struct air_fake_certificate *out);
static bool take_name(air_span name, air_span *names, size_t *names_count);

enum air_error air_fake_csr_write(const struct air_fake_csr *csr, struct air_buffer *out) {
    air_buffer_append_text(out, CSR_TITLE "\n");
    put_line(out, "key-type", air_span_text(air_key_type_text(csr->key_type)));
    put_hex(out, "key", csr->spki_sha256, AIR_SHA256_SIZE);
    for (size_t i = 0; i < csr->names_count; i++) {
        put_line(out, "name", csr->names[i]);
    }
    if (csr->must_staple) {
        air_buffer_append_text(out, "must-staple\n");
    }
    struct air_subject subject = csr->subject;
    for (size_t i = 0; i < sizeof(subject_words) / sizeof(subject_words[0]); i++) {
        const air_span part = *subject_part(&subject, i);
        if (part.size > 0) {
            put_line(out, subject_words[i], part);
        }
    }
    return out->error;
}

enum air_error air_fake_csr_read(air_span text, struct air_fake_csr *out) {
    air_span word;
    air_span value;
    *out = (struct air_fake_csr){0};
    if (!air_span_starts_with(text, CSR_TITLE "\n")) {
        return AIR_ERR_MALFORMED;
    }
    air_span rest = air_span_skip(text, sizeof(CSR_TITLE));
    while (next_line(&rest, &word, &value)) {
        if (!take_csr_line(word, value, out)) {
            return AIR_ERR_MALFORMED;
        }
    }
    return out->key_type != AIR_KEY_NONE && out->names_count > 0 ? AIR_OK : AIR_ERR_MALFORMED;
}

enum air_error air_fake_certificate_write(
    const struct air_fake_certificate *certificate, struct air_buffer *out) {
    struct air_buffer text;
    air_buffer_init(&text, AIR_CSR_SIZE_MAX);
    air_buffer_append_text(&text, CERTIFICATE_TITLE "\n");
    put_number(&text, "not-before", certificate->not_before_ms);
    put_number(&text, "not-after", certificate->not_after_ms);
    put_hex(&text, "serial", certificate->serial, certificate->serial_size);
    put_line(&text, "key-type", air_span_text(air_key_type_text(certificate->key_type)));
    put_hex(&text, "key", certificate->spki_sha256, AIR_SHA256_SIZE);
    put_hex(&text, "subject", certificate->subject, AIR_FAKE_ID_SIZE);
    put_hex(&text, "issuer", certificate->issuer, AIR_FAKE_ID_SIZE);
    if (certificate->is_server_auth) {
        air_buffer_append_text(&text, "server-auth\n");
    }
    for (size_t i = 0; i < certificate->names_count; i++) {
        put_line(&text, "name", certificate->names[i]);
    }
    if (certificate->has_challenge) {
        put_hex(&text, "challenge", certificate->challenge, AIR_SHA256_SIZE);
    }
    enum air_error error = text.error;
    if (error == AIR_OK) {
        error = air_fake_pem_write("CERTIFICATE", air_buffer_span(&text), out);
    }
    air_buffer_deinit(&text);
    return error;
}

enum air_error air_fake_certificate_read(air_span chain, struct air_fake_certificate *out) {
    air_span block;
    air_span label;
    air_span word;
    air_span value;
    if (!air_pem_next(&chain, &block, &label, NULL) || !air_span_equal_text(label, "CERTIFICATE")) {
        return AIR_ERR_MALFORMED;
    }
    *out = (struct air_fake_certificate){0};
    air_buffer_init(&out->text, AIR_CSR_SIZE_MAX);
    enum air_error error = air_fake_pem_read(block, &out->text);
    air_span rest = air_buffer_span(&out->text);
    if (error == AIR_OK && !air_span_starts_with(rest, CERTIFICATE_TITLE "\n")) {
        error = AIR_ERR_MALFORMED;
    }
    rest = air_span_skip(rest, sizeof(CERTIFICATE_TITLE));
    while (error == AIR_OK && next_line(&rest, &word, &value)) {
        if (!take_certificate_line(word, value, out)) {
            error = AIR_ERR_MALFORMED;
        }
    }
    if (error == AIR_OK && out->key_type == AIR_KEY_NONE) {
        error = AIR_ERR_MALFORMED;
    }
    if (error != AIR_OK) {
        air_fake_certificate_deinit(out);
    }
    return error;
}

void air_fake_certificate_deinit(struct air_fake_certificate *certificate) {
    air_buffer_deinit(&certificate->text);
}

enum air_error air_fake_certificate_issue(air_span csr, air_time_ms not_before_ms,
    air_time_ms not_after_ms, uint64_t serial, struct air_buffer *chain) {
    struct air_fake_csr request;
    enum air_error error = air_fake_csr_read(csr, &request);
    if (error != AIR_OK) {
        return error;
    }
    struct air_fake_certificate leaf = {.not_before_ms = not_before_ms,
        .not_after_ms = not_after_ms,
        .serial_size = 8,
        .key_type = request.key_type,
        .is_server_auth = true,
        .names_count = request.names_count};
    for (size_t i = 0; i < 8; i++) {
        leaf.serial[i] = (uint8_t)(serial >> (56 - 8 * i));
    }
    memcpy(leaf.spki_sha256, request.spki_sha256, sizeof(leaf.spki_sha256));
    memcpy(leaf.subject, request.spki_sha256, sizeof(leaf.subject));
    memcpy(leaf.issuer, issuer_id, sizeof(leaf.issuer));
    memcpy(leaf.names, request.names, sizeof(leaf.names));
    struct air_fake_certificate issuer = {.not_before_ms = 0,
        .not_after_ms = INT64_C(4102444800000),
        .serial = {1},
        .serial_size = 1,
        .key_type = AIR_KEY_ECDSA_P256};
    memcpy(issuer.subject, issuer_id, sizeof(issuer.subject));
    memcpy(issuer.issuer, root_id, sizeof(issuer.issuer));
    error = air_fake_certificate_write(&leaf, chain);
    return error == AIR_OK ? air_fake_certificate_write(&issuer, chain) : error;
}

enum air_error air_fake_pem_write(const char *label, air_span body, struct air_buffer *out) {
    air_buffer_append_text(out, "-----BEGIN ");
    air_buffer_append_text(out, label);
    air_buffer_append_text(out, "-----\n");
    air_base64url_encode(body, out);
    air_buffer_append_text(out, "\n-----END ");
    air_buffer_append_text(out, label);
    return air_buffer_append_text(out, "-----\n");
}

enum air_error air_fake_pem_read(air_span block, struct air_buffer *body) {
    air_span text = air_span_skip(block, air_span_find(block, '\n') + 1);
    /* base64url has '-' too, so the END line is found by the line break before it. */
    size_t end = air_span_find(text, '\n');
    return air_base64url_decode(air_span_trim(air_span_take(text, end)), body);
}

static void put_line(struct air_buffer *out, const char *word, air_span value) {
    air_buffer_append_text(out, word);
    air_buffer_append_byte(out, ' ');
    air_buffer_append_span(out, value);
    air_buffer_append_byte(out, '\n');
}

static void put_hex(struct air_buffer *out, const char *word, const uint8_t *data, size_t size) {
    air_buffer_append_text(out, word);
    air_buffer_append_byte(out, ' ');
    air_hex_encode(air_span_of(data, size), out);
    air_buffer_append_byte(out, '\n');
}

static void put_number(struct air_buffer *out, const char *word, int64_t number) {
    air_buffer_append_text(out, word);
    air_buffer_append_byte(out, ' ');
    air_buffer_append_number(out, number);
    air_buffer_append_byte(out, '\n');
}

static bool next_line(air_span *rest, air_span *word, air_span *value) {
    air_span line;
    if (rest->size == 0 || !air_span_next(rest, '\n', &line)) {
        return false;
    }
    size_t space = air_span_find(line, ' ');
    *word = air_span_take(line, space);
    *value = air_span_skip(line, space + 1);
    return true;
}

/* By hand, so that a failing allocation is never taken for a malformed text. */
static bool get_hex(air_span text, uint8_t *out, size_t room, size_t *out_size) {
    static const char digits[] = "0123456789abcdef";
    if (text.size % 2 != 0 || text.size / 2 > room) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        size_t digit = air_span_find(air_span_text(digits), text.data[i]);
        if (digit == sizeof(digits) - 1) {
            return false;
        }
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    *out_size = text.size / 2;
    return true;
}

static bool get_hex_exactly(air_span text, uint8_t *out, size_t size) {
    size_t out_size = 0;
    return get_hex(text, out, size, &out_size) && out_size == size;
}

static bool take_csr_line(air_span word, air_span value, struct air_fake_csr *out) {
    if (air_span_equal_text(word, "key-type")) {
        out->key_type = air_key_type_parse(value);
        return out->key_type != AIR_KEY_NONE;
    }
    if (air_span_equal_text(word, "key")) {
        return get_hex_exactly(value, out->spki_sha256, sizeof(out->spki_sha256));
    }
    if (air_span_equal_text(word, "name")) {
        return take_name(value, out->names, &out->names_count);
    }
    for (size_t i = 0; i < sizeof(subject_words) / sizeof(subject_words[0]); i++) {
        if (air_span_equal_text(word, subject_words[i])) {
            *subject_part(&out->subject, i) = value;
            return value.size > 0;
        }
    }
    out->must_staple = air_span_equal_text(word, "must-staple");
    return out->must_staple;
}

static air_span *subject_part(struct air_subject *subject, size_t index) {
    air_span *const parts[] = {
        &subject->country, &subject->state, &subject->locality, &subject->organization};
    return parts[index];
}

static bool take_certificate_line(air_span word, air_span value, struct air_fake_certificate *out) {
    if (air_span_equal_text(word, "not-before")) {
        return air_span_number(value, &out->not_before_ms);
    }
    if (air_span_equal_text(word, "not-after")) {
        return air_span_number(value, &out->not_after_ms);
    }
    if (air_span_equal_text(word, "key-type")) {
        out->key_type = air_key_type_parse(value);
        return out->key_type != AIR_KEY_NONE;
    }
    if (air_span_equal_text(word, "name")) {
        return take_name(value, out->names, &out->names_count);
    }
    if (air_span_equal_text(word, "server-auth")) {
        out->is_server_auth = true;
        return true;
    }
    return take_id_line(word, value, out);
}

static bool take_id_line(air_span word, air_span value, struct air_fake_certificate *out) {
    if (air_span_equal_text(word, "serial")) {
        return get_hex(value, out->serial, sizeof(out->serial), &out->serial_size);
    }
    if (air_span_equal_text(word, "key")) {
        return get_hex_exactly(value, out->spki_sha256, sizeof(out->spki_sha256));
    }
    if (air_span_equal_text(word, "subject")) {
        return get_hex_exactly(value, out->subject, sizeof(out->subject));
    }
    if (air_span_equal_text(word, "issuer")) {
        return get_hex_exactly(value, out->issuer, sizeof(out->issuer));
    }
    out->has_challenge = air_span_equal_text(word, "challenge");
    return out->has_challenge && get_hex_exactly(value, out->challenge, sizeof(out->challenge));
}

static bool take_name(air_span name, air_span *names, size_t *names_count) {
    if (*names_count == AIR_FAKE_NAMES_MAX || name.size == 0) {
        return false;
    }
    names[(*names_count)++] = name;
    return true;
}
