/* SPDX-License-Identifier: MIT */
/*
 * Certificates as the user asks for them, checked and in normal form. The engine's array and queue
 * point here. Invariant: names are normal (lower-case A-labels), distinct, and at most
 * AIR_NAMES_MAX.
 */

#include "src/engine/inventory.h"

#include <string.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/span.h"
#include "src/engine/subject.h"

#define LAST_ERROR_SIZE_MAX 480
#define NAMES_TEXT_SIZE_MAX (AIR_NAMES_MAX * (AIR_NAME_SIZE_MAX + 1))

static void complain(struct air_buffer *reason, const char *text, air_span culprit) {
    if (reason != NULL) {
        air_buffer_append_text(reason, text);
        air_buffer_append_span(reason, air_span_take(culprit, AIR_NAME_SIZE_MAX));
    }
}

/* Where id and names begin: behind the last lineage. */
static const char *text_of(const struct air_certificate *certificate) {
    return (const char *)&certificate->lineages[certificate->lineages_count];
}

air_span air_certificate_id(const struct air_certificate *certificate) {
    return air_span_of(text_of(certificate), certificate->id_size);
}

air_span air_certificate_names_text(const struct air_certificate *certificate) {
    return air_span_of(text_of(certificate) + certificate->id_size, certificate->names_size);
}

/* Its four parts follow the names. */
static air_span subject_text(const struct air_certificate *certificate) {
    const air_span names = air_certificate_names_text(certificate);
    return air_span_of(names.data + names.size, certificate->subject_size);
}

size_t air_certificate_names(const struct air_certificate *certificate, air_span *names) {
    air_span rest = air_certificate_names_text(certificate);
    for (size_t i = 0; i < certificate->names_count; i++) {
        names[i] = air_span_take(rest, air_span_find(rest, 0));
        rest = air_span_skip(rest, names[i].size + 1);
    }
    return certificate->names_count;
}

void air_certificate_subject(const struct air_certificate *certificate, struct air_subject *out) {
    air_subject_read(subject_text(certificate), out);
}

air_span air_lineage_given_key(const struct air_lineage *lineage) {
    const struct air_certificate *certificate = lineage->certificate;
    const air_span subject = subject_text(certificate);
    size_t before = 0;
    for (const struct air_lineage *at = certificate->lineages; at != lineage; at++) {
        before += at->given_key_size;
    }
    return air_span_of(subject.data + subject.size + before, lineage->given_key_size);
}

static bool is_known(const struct air_buffer *names, air_span name) {
    air_span rest = air_buffer_span(names);
    while (rest.size > 0) {
        const air_span known = air_span_take(rest, air_span_find(rest, 0));
        if (air_span_equal(known, name)) {
            return true;
        }
        rest = air_span_skip(rest, known.size + 1);
    }
    return false;
}

/* Normal forms of the spec's names, each followed by a zero byte, without duplicates. */
static enum air_error collect_names(const struct air_certificate_spec *spec,
    struct air_buffer *names, uint8_t *count, struct air_buffer *reason) {
    struct air_buffer name;
    air_buffer_init(&name, AIR_NAME_SIZE_MAX);
    enum air_error error = AIR_OK;
    for (size_t i = 0; error == AIR_OK && i < spec->names_count; i++) {
        air_buffer_clear(&name);
        error = air_name_normalize(spec->names[i], &name);
        if (error == AIR_ERR_LIMIT) {
            error = AIR_ERR_BAD_NAME;
        }
        if (error == AIR_OK && air_name_is_wildcard(air_buffer_span(&name))) {
            complain(
                reason, "a wildcard needs a dns challenge, which is not offered: ", spec->names[i]);
            error = AIR_ERR_BAD_NAME;
        } else if (error == AIR_ERR_BAD_NAME) {
            complain(reason, "not a DNS name that a certificate can carry: ", spec->names[i]);
        }
        if (error == AIR_OK && !is_known(names, air_buffer_span(&name))) {
            air_buffer_append_span(names, air_buffer_span(&name));
            error = air_buffer_append_byte(names, 0);
            (*count)++;
        }
    }
    air_buffer_deinit(&name);
    return error;
}

static bool is_rsa(enum air_key_type type) {
    return type == AIR_KEY_RSA_2048 || type == AIR_KEY_RSA_3072 || type == AIR_KEY_RSA_4096;
}

static bool is_valid_id(air_span id) {
    for (size_t i = 0; i < id.size; i++) {
        const uint8_t c = id.data[i];
        const bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i > 0);
        if (!is_fine) {
            return false;
        }
    }
    return id.size > 0 && id.size <= AIR_ID_SIZE_MAX;
}

static enum air_error check(const struct air_certificate_spec *spec, struct air_buffer *reason) {
    if (spec->names_count == 0 || spec->names_count > AIR_NAMES_MAX) {
        complain(reason, "a certificate needs 1 to 100 names", air_span_text(NULL));
        return AIR_ERR_ARGUMENT;
    }
    if (spec->key_types_count > AIR_KEY_TYPES_MAX || spec->challenges_count > AIR_CHALLENGES_MAX ||
        spec->renew_before_ms < 0) {
        complain(
            reason, "too many key types or challenges, or a negative time", air_span_text(NULL));
        return AIR_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < spec->key_types_count; i++) {
        if (spec->key_types[i] < AIR_KEY_ECDSA_P256 || spec->key_types[i] > AIR_KEY_RSA_4096) {
            complain(reason, "unknown key type", air_span_text(NULL));
            return AIR_ERR_ARGUMENT;
        }
    }
    if (spec->key_types_count == 2 && is_rsa(spec->key_types[0]) == is_rsa(spec->key_types[1])) {
        complain(reason, "two key types must be one RSA and one ECDSA", air_span_text(NULL));
        return AIR_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < spec->challenges_count; i++) {
        if (spec->challenges[i] != AIR_HTTP_01 && spec->challenges[i] != AIR_TLS_ALPN_01) {
            complain(reason, "unknown challenge type", air_span_text(NULL));
            return AIR_ERR_ARGUMENT;
        }
    }
    if (spec->id.size > 0 && !is_valid_id(spec->id)) {
        complain(reason, "an id is 1 to 128 letters, digits, '.', '_' or '-': ", spec->id);
        return AIR_ERR_ARGUMENT;
    }
    return AIR_OK;
}

/* Each given key must be readable and of its type. *size: of all. */
static enum air_error check_keys(const struct air_crypto *crypto,
    const struct air_certificate_spec *spec, size_t *size, struct air_buffer *reason) {
    enum air_error error = AIR_OK;
    *size = 0;
    if (spec->keys == NULL) {
        return AIR_OK;
    }
    for (size_t i = 0; i < spec->key_types_count && error == AIR_OK; i++) {
        struct air_public_key public_key = {.type = spec->key_types[i]};
        uint64_t key = 0;
        if (spec->keys[i].size == 0) {
            continue;
        }
        *size += spec->keys[i].size;
        error = crypto->key_import(crypto->self, spec->keys[i], &key);
        if (error == AIR_OK) {
            error = crypto->key_public(crypto->self, key, &public_key);
            crypto->key_free(crypto->self, key);
        }
        if (error == AIR_OK && public_key.type != spec->key_types[i]) {
            error = AIR_ERR_BAD_KEY;
        }
        if (error != AIR_OK) {
            complain(reason, "the given key cannot be read as ",
                air_span_text(air_key_type_text(spec->key_types[i])));
        }
    }
    return error;
}

/* Behind the subject; the sizes are in the lineages. */
static void copy_keys(
    struct air_certificate *certificate, const struct air_certificate_spec *spec, uint8_t *to) {
    for (size_t i = 0; spec->keys != NULL && i < spec->key_types_count; i++) {
        const air_span key = spec->keys[i];
        certificate->lineages[i].given_key_size = (uint16_t)key.size;
        if (key.size > 0) {
            memcpy(to, key.data, key.size);
        }
        to += key.size;
    }
}

static void fill(struct air_certificate *certificate, const struct air_certificate_spec *spec) {
    static const enum air_challenge_type challenges[] = {AIR_TLS_ALPN_01, AIR_HTTP_01};
    const bool has_choice = spec->challenges_count > 0;
    certificate->challenges_count = (uint8_t)(has_choice ? spec->challenges_count : 2);
    for (size_t i = 0; i < certificate->challenges_count; i++) {
        certificate->challenges[i] = (uint8_t)(has_choice ? spec->challenges[i] : challenges[i]);
    }
    certificate->renew_before_ms = spec->renew_before_ms;
    certificate->must_staple = spec->must_staple;
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        struct air_lineage *lineage = &certificate->lineages[i];
        lineage->certificate = certificate;
        lineage->key_type =
            (uint8_t)(spec->key_types_count > 0 ? spec->key_types[i] : AIR_KEY_ECDSA_P256);
        lineage->queue_index = AIR_LINEAGE_NOT_QUEUED;
        lineage->needs_load = true;
    }
}

enum air_error air_certificate_new(const struct air_crypto *crypto,
    const struct air_certificate_spec *spec, struct air_authority *authority,
    struct air_certificate **out, struct air_buffer *reason) {
    size_t keys_size = 0;
    enum air_error error = check(spec, reason);
    if (error == AIR_OK) {
        error = check_keys(crypto, spec, &keys_size, reason);
    }
    if (error != AIR_OK) {
        return error;
    }
    struct air_buffer texts; /* names, then the subject */
    air_buffer_init(&texts, NAMES_TEXT_SIZE_MAX + AIR_SUBJECT_TEXT_SIZE_MAX);
    uint8_t count = 0;
    error = collect_names(spec, &texts, &count, reason);
    const size_t names_size = texts.size;
    if (error == AIR_OK) {
        error = air_subject_write(&spec->subject, &texts, reason);
    }
    if (error != AIR_OK) {
        goto done;
    }
    const air_span first =
        air_span_take(air_buffer_span(&texts), air_span_find(air_buffer_span(&texts), 0));
    air_span id = spec->id.size > 0 ? spec->id : first;
    if (id.size > AIR_ID_SIZE_MAX) {
        complain(reason, "the first name is too long for an id; give one: ", id);
        error = AIR_ERR_ARGUMENT;
        goto done;
    }
    const size_t lineages_count = spec->key_types_count > 0 ? spec->key_types_count : 1;
    const size_t text_at = sizeof **out + lineages_count * sizeof(struct air_lineage);
    const size_t block_size = text_at + id.size + texts.size + keys_size;
    struct air_certificate *certificate = air_memory_new(block_size);
    if (certificate == NULL) {
        error = AIR_ERR_NO_MEMORY;
        goto done;
    }
    certificate->authority = authority;
    certificate->block_size = (uint32_t)block_size;
    certificate->id_size = (uint16_t)id.size;
    certificate->names_size = (uint16_t)names_size;
    certificate->subject_size = (uint16_t)(texts.size - names_size);
    certificate->names_count = count;
    certificate->lineages_count = (uint8_t)lineages_count;
    memcpy((char *)certificate + text_at, id.data, id.size);
    memcpy((char *)certificate + text_at + id.size, texts.data, texts.size);
    fill(certificate, spec);
    copy_keys(certificate, spec, (uint8_t *)certificate + text_at + id.size + texts.size);
    *out = certificate;
done:
    air_buffer_deinit(&texts);
    return error;
}

void air_certificate_free(struct air_certificate *certificate) {
    if (certificate == NULL) {
        return;
    }
    for (size_t i = 0; i < certificate->lineages_count; i++) {
        air_lineage_set_error(&certificate->lineages[i], air_span_text(NULL));
    }
    air_memory_free(certificate, certificate->block_size);
}

bool air_certificate_is_same(const struct air_certificate *a, const struct air_certificate *b) {
    bool is_same = a->authority == b->authority && a->renew_before_ms == b->renew_before_ms &&
                   a->must_staple == b->must_staple && a->challenges_count == b->challenges_count &&
                   a->lineages_count == b->lineages_count &&
                   air_span_equal(air_certificate_id(a), air_certificate_id(b)) &&
                   air_span_equal(air_certificate_names_text(a), air_certificate_names_text(b)) &&
                   air_span_equal(subject_text(a), subject_text(b));
    for (size_t i = 0; is_same && i < a->challenges_count; i++) {
        is_same = a->challenges[i] == b->challenges[i];
    }
    for (size_t i = 0; is_same && i < a->lineages_count; i++) {
        is_same = a->lineages[i].key_type == b->lineages[i].key_type &&
                  air_span_equal(air_lineage_given_key(&a->lineages[i]),
                      air_lineage_given_key(&b->lineages[i]));
    }
    return is_same;
}

void air_lineage_set_error(struct air_lineage *lineage, air_span text) {
    air_memory_free(lineage->last_error, lineage->last_error_size);
    lineage->last_error = NULL;
    lineage->last_error_size = 0;
    text = air_span_take(text, LAST_ERROR_SIZE_MAX);
    if (text.size > 0) {
        lineage->last_error = air_memory_new(text.size);
    }
    if (lineage->last_error != NULL) {
        memcpy(lineage->last_error, text.data, text.size);
        lineage->last_error_size = (uint16_t)text.size;
    }
}

void air_lineage_inherit(struct air_lineage *lineage, struct air_lineage *old) {
    lineage->generation = old->generation;
    lineage->not_before_ms = old->not_before_ms;
    lineage->not_after_ms = old->not_after_ms;
    lineage->serial_size = old->serial_size;
    memcpy(lineage->serial, old->serial, sizeof lineage->serial);
    lineage->is_alarmed = old->is_alarmed;
    lineage->is_expired_told = old->is_expired_told;
}
