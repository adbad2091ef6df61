/* SPDX-License-Identifier: MIT */
/*
 * The records of an order and of a generation. Both say which names and which CA they were made
 * for, so that a changed wish is seen without further memory. Invariant: what write wrote, read
 * reads.
 */

#include <string.h>

#include "src/acme/url.h"
#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"
#include "src/engine/authority.h"
#include "src/engine/journal.h"

#define RECORD_VERSION 1

static void put_wish(const struct air_lineage *lineage, struct air_buffer *out) {
    air_span names[AIR_NAMES_MAX];
    const size_t count = air_certificate_names(lineage->certificate, names);
    air_json_begin(out, "names", '[');
    for (size_t i = 0; i < count; i++) {
        air_json_put_text(out, NULL, names[i]);
    }
    air_json_end(out, ']');
    air_json_put_text(
        out, "key_type", air_span_text(air_key_type_text((enum air_key_type)lineage->key_type)));
    air_json_put_text(
        out, "directory", air_authority_directory_url(lineage->certificate->authority));
    if (lineage->certificate->must_staple) {
        air_json_put_bool(out, "must_staple", true);
    }
}

/* Whether a record was made for what is asked for now: the same set of names, the same CA. */
static bool is_wish(const struct air_lineage *lineage, const json_t *object) {
    air_span names[AIR_NAMES_MAX];
    const size_t count = air_certificate_names(lineage->certificate, names);
    const json_t *list = air_json_array(object, "names");
    const air_span directory = air_authority_directory_url(lineage->certificate->authority);
    if (json_array_size(list) != count ||
        !air_span_equal(air_json_text(object, "directory"), directory) ||
        air_json_true(object, "must_staple") != lineage->certificate->must_staple) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        bool is_known = false;
        for (size_t k = 0; json_is_string(item) && k < count; k++) {
            is_known = is_known || air_span_equal(names[k], air_span_of(json_string_value(item),
                                                                json_string_length(item)));
        }
        if (!is_known) {
            return false;
        }
    }
    return true;
}

uint64_t air_journal_wish(const struct air_lineage *lineage) {
    const struct air_certificate *certificate = lineage->certificate;
    const air_span names = air_certificate_names_text(certificate);
    const uint64_t of_names =
        air_schedule_spread(names, certificate->must_staple ? AIR_KEY_RSA_2048 : AIR_KEY_NONE);
    return of_names ^
           air_schedule_spread(air_authority_directory_url(certificate->authority), AIR_KEY_NONE);
}

static const char *const step_texts[] = {"none", "creating", "placed"};

enum air_error air_order_record_write(const struct air_lineage *lineage,
    const struct air_order_record *record, struct air_buffer *out) {
    air_json_begin(out, NULL, '{');
    air_json_put_integer(out, "version", RECORD_VERSION);
    air_json_put_text(out, "step", air_span_text(step_texts[record->step]));
    air_json_put_integer(out, "generation", record->generation);
    put_wish(lineage, out);
    if (record->url.size > 0) {
        air_json_put_text(out, "url", air_buffer_span(&record->url));
    }
    air_json_put_base64url(out, "csr", air_buffer_span(&record->csr));
    air_json_end(out, '}');
    return air_buffer_append_byte(out, '\n');
}

static enum air_order_step parse_step(air_span text) {
    for (size_t i = 0; i < sizeof step_texts / sizeof step_texts[0]; i++) {
        if (air_span_equal_text(text, step_texts[i])) {
            return (enum air_order_step)i;
        }
    }
    return AIR_ORDER_STEP_NONE;
}

/* A record that contradicts itself is no record. */
static bool is_consistent(
    const struct air_order_record *record, const struct air_lineage *lineage) {
    const bool needs_url = record->step == AIR_ORDER_STEP_PLACED;
    return record->step != AIR_ORDER_STEP_NONE && record->generation > 0 &&
           needs_url == (record->url.size > 0) && record->csr.size > 0 &&
           (!needs_url || !record->is_ours ||
               air_url_is_within(air_buffer_span(&record->url),
                   air_authority_directory_url(lineage->certificate->authority)));
}

enum air_error air_order_record_read(
    const struct air_lineage *lineage, air_span text, struct air_order_record *out) {
    json_t *object = NULL;
    enum air_error error = air_json_read(text, &object);
    if (error != AIR_OK) {
        return error;
    }
    struct air_order_record record = {0};
    air_buffer_init(&record.url, AIR_URL_SIZE_MAX);
    air_buffer_init(&record.csr, AIR_CSR_SIZE_MAX);
    const int64_t generation = air_json_integer(object, "generation", 0);
    record.generation =
        generation > 0 && generation <= AIR_GENERATION_MAX ? (uint32_t)generation : 0;
    record.step = parse_step(air_json_text(object, "step"));
    record.is_ours = is_wish(lineage, object);
    air_buffer_append_span(&record.url, air_json_text(object, "url"));
    error = air_base64url_decode(air_json_text(object, "csr"), &record.csr);
    error = record.url.error != AIR_OK ? record.url.error : error;
    if (error == AIR_ERR_LIMIT || (error == AIR_OK && !is_consistent(&record, lineage))) {
        error = AIR_ERR_MALFORMED;
    }
    json_decref(object);
    if (error != AIR_OK) {
        air_order_record_deinit(&record);
        return error;
    }
    air_order_record_deinit(out);
    *out = record;
    return AIR_OK;
}

void air_order_record_deinit(struct air_order_record *record) {
    air_buffer_deinit(&record->url);
    air_buffer_deinit(&record->csr);
    *record = (struct air_order_record){0};
}

static void put_hex(struct air_buffer *out, const char *key, air_span data) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_SHA256_SIZE + 2 * AIR_SERIAL_SIZE_MAX);
    if (air_hex_encode(data, &text) == AIR_OK) {
        air_json_put_text(out, key, air_buffer_span(&text));
    } else if (out->error == AIR_OK) {
        out->error = text.error;
    }
    air_buffer_deinit(&text);
}

enum air_error air_manifest_write(const struct air_lineage *lineage,
    const struct air_manifest *manifest, air_span order_url, struct air_buffer *out) {
    const struct air_certificate_info *info = &manifest->info;
    air_json_begin(out, NULL, '{');
    air_json_put_integer(out, "version", RECORD_VERSION);
    air_json_put_integer(out, "generation", manifest->generation);
    put_wish(lineage, out);
    put_hex(out, "serial", air_span_of(info->serial, info->serial_size));
    air_record_put_time(out, "not_before", info->not_before_ms);
    air_record_put_time(out, "not_after", info->not_after_ms);
    put_hex(out, "fullchain_sha256", air_span_of(manifest->chain_sha256, AIR_SHA256_SIZE));
    air_json_put_text(out, "order", order_url);
    air_json_end(out, '}');
    return air_buffer_append_byte(out, '\n');
}

enum air_error air_manifest_read(
    const struct air_lineage *lineage, air_span text, struct air_manifest *out) {
    json_t *object = NULL;
    enum air_error error = air_json_read(text, &object);
    if (error != AIR_OK) {
        return error;
    }
    out->is_wish = is_wish(lineage, object);
    json_decref(object);
    return AIR_OK;
}
