/* SPDX-License-Identifier: MIT */
/*
 * The small records: paths, the pointer, the history. Orders and manifests are in journal_order.c.
 * Invariant: paths are made of the certificate's id, the key type's name and numbers, never of text
 * from the network.
 */

#include "src/engine/journal.h"

#include <string.h>

#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

#define RECORD_VERSION 1

static void append_lineage(const struct air_lineage *lineage, struct air_buffer *out) {
    air_buffer_append_span(out, air_certificate_id(lineage->certificate));
    air_buffer_append_byte(out, '/');
    air_buffer_append_text(out, air_key_type_text((enum air_key_type)lineage->key_type));
}

enum air_error air_path_lineage(
    const struct air_lineage *lineage, const char *rest, struct air_buffer *out) {
    air_buffer_append_text(out, "certificates/");
    append_lineage(lineage, out);
    if (rest != NULL) {
        air_buffer_append_byte(out, '/');
        air_buffer_append_text(out, rest);
    }
    return out->error;
}

enum air_error air_path_generation(const struct air_lineage *lineage, uint32_t generation,
    const char *rest, struct air_buffer *out) {
    air_path_lineage(lineage, "generations/", out);
    for (uint32_t step = 100000; step > 1 && generation < step; step /= 10) {
        air_buffer_append_byte(out, '0'); /* six digits, so that names sort */
    }
    air_buffer_append_number(out, generation);
    air_buffer_append_byte(out, '/');
    return air_buffer_append_text(out, rest);
}

enum air_error air_path_live(
    const struct air_lineage *lineage, const char *rest, struct air_buffer *out) {
    air_buffer_append_text(out, "live/");
    append_lineage(lineage, out);
    air_buffer_append_byte(out, '/');
    return air_buffer_append_text(out, rest);
}

uint32_t air_generation_parse(air_span segment) {
    int64_t number = 0;
    if (segment.size < 6 || segment.size > 9 || !air_span_number(segment, &number)) {
        return 0;
    }
    return (uint32_t)number;
}

enum air_error air_current_write(
    uint32_t generation, const uint8_t chain_sha256[AIR_SHA256_SIZE], struct air_buffer *out) {
    air_buffer_append_number(out, generation);
    air_buffer_append_text(out, " sha256:");
    air_hex_encode(air_span_of(chain_sha256, AIR_SHA256_SIZE), out);
    return air_buffer_append_byte(out, '\n');
}

static enum air_error read_digest(air_span hex, uint8_t out[AIR_SHA256_SIZE]) {
    struct air_buffer digest;
    air_buffer_init(&digest, AIR_SHA256_SIZE);
    enum air_error error = air_hex_decode(hex, &digest);
    if (error == AIR_OK && digest.size == AIR_SHA256_SIZE) {
        memcpy(out, digest.data, AIR_SHA256_SIZE);
    } else if (error != AIR_ERR_NO_MEMORY) {
        error = AIR_ERR_MALFORMED;
    }
    air_buffer_deinit(&digest);
    return error;
}

enum air_error air_current_read(
    air_span text, uint32_t *generation, uint8_t chain_sha256[AIR_SHA256_SIZE]) {
    int64_t number = 0;
    text = air_span_trim(text);
    const size_t space = air_span_find(text, ' ');
    const air_span digest = air_span_skip(text, space + 1);
    if (!air_span_number(air_span_take(text, space), &number) || number < 1 ||
        number > AIR_GENERATION_MAX || !air_span_starts_with(digest, "sha256:")) {
        return AIR_ERR_MALFORMED;
    }
    *generation = (uint32_t)number;
    return read_digest(air_span_skip(digest, 7), chain_sha256);
}

void air_record_put_time(struct air_buffer *out, const char *key, air_time_ms wall_ms) {
    struct air_buffer text;
    air_buffer_init(&text, 40);
    if (air_time_write_rfc3339(wall_ms, &text) == AIR_OK) {
        air_json_put_text(out, key, air_buffer_span(&text));
    } else if (out->error == AIR_OK) {
        out->error = text.error;
    }
    air_buffer_deinit(&text);
}

static void put_wish(struct air_buffer *out, uint64_t wish) {
    uint8_t bytes[8];
    struct air_buffer text;
    air_buffer_init(&text, 16);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(wish >> (56 - 8 * i));
    }
    if (air_hex_encode(air_span_of(bytes, sizeof bytes), &text) == AIR_OK) {
        air_json_put_text(out, "wish", air_buffer_span(&text));
    } else if (out->error == AIR_OK) {
        out->error = text.error;
    }
    air_buffer_deinit(&text);
}

/* 0 when it cannot be read: it then fits no wish. */
static enum air_error read_wish(air_span hex, uint64_t *out) {
    struct air_buffer bytes;
    *out = 0;
    air_buffer_init(&bytes, 8);
    const enum air_error error = air_hex_decode(hex, &bytes);
    for (size_t i = 0; error == AIR_OK && i < bytes.size; i++) {
        *out = *out << 8 | bytes.data[i];
    }
    air_buffer_deinit(&bytes);
    return error == AIR_ERR_NO_MEMORY ? error : AIR_OK;
}

enum air_error air_history_write(const struct air_history *history, struct air_buffer *out) {
    air_json_begin(out, NULL, '{');
    air_json_put_integer(out, "version", RECORD_VERSION);
    air_json_put_integer(out, "attempts", history->attempts_count);
    air_json_put_integer(out, "failures", history->failures_count);
    if (history->next_ms > 0) {
        air_record_put_time(out, "next", history->next_ms);
    }
    if (history->last_error_size > 0) {
        air_json_put_text(
            out, "last_error", air_span_of(history->last_error, history->last_error_size));
    }
    put_wish(out, history->wish);
    air_json_begin(out, "generations", '[');
    for (size_t i = 0; i < history->generations_count; i++) {
        air_json_begin(out, NULL, '{');
        air_json_put_integer(out, "generation", history->generations[i].number);
        air_record_put_time(out, "sealed", history->generations[i].sealed_ms);
        air_json_end(out, '}');
    }
    air_json_end(out, ']');
    air_json_end(out, '}');
    return air_buffer_append_byte(out, '\n');
}

static uint32_t small_integer(const json_t *object, const char *key) {
    const int64_t number = air_json_integer(object, key, 0);
    return number < 0 ? 0 : number > INT32_MAX ? INT32_MAX : (uint32_t)number;
}

static void read_generations(const json_t *list, struct air_history *out) {
    for (size_t i = 0; i < json_array_size(list) && i < AIR_GENERATIONS_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        const uint32_t number = small_integer(item, "generation");
        air_time_ms sealed_ms = 0;
        if (number <= AIR_GENERATION_MAX &&
            air_time_read_rfc3339(air_json_text(item, "sealed"), &sealed_ms) == AIR_OK) {
            air_history_seal(out, number, sealed_ms);
        }
    }
}

enum air_error air_history_read(air_span text, struct air_history *out) {
    json_t *object = NULL;
    enum air_error error = air_json_read(text, &object);
    if (error != AIR_OK) {
        return error;
    }
    *out = (struct air_history){0};
    out->attempts_count = small_integer(object, "attempts");
    out->failures_count = small_integer(object, "failures");
    if (air_time_read_rfc3339(air_json_text(object, "next"), &out->next_ms) != AIR_OK) {
        out->next_ms = 0;
    }
    error = read_wish(air_json_text(object, "wish"), &out->wish);
    const air_span last_error =
        air_span_take(air_json_text(object, "last_error"), sizeof out->last_error);
    out->last_error_size = last_error.size;
    if (last_error.size > 0) {
        memcpy(out->last_error, last_error.data, last_error.size);
    }
    read_generations(air_json_array(object, "generations"), out);
    json_decref(object);
    return error;
}

static void drop_oldest(struct air_history *history) {
    history->generations_count--;
    memmove(history->generations, history->generations + 1,
        history->generations_count * sizeof history->generations[0]);
}

void air_history_seal(struct air_history *history, uint32_t generation, air_time_ms now_wall_ms) {
    if (generation == 0) {
        return;
    }
    if (history->generations_count == AIR_GENERATIONS_MAX) {
        drop_oldest(history);
    }
    history->generations[history->generations_count].number = generation;
    history->generations[history->generations_count].sealed_ms = now_wall_ms;
    history->generations_count++;
}

uint32_t air_history_expire(struct air_history *history, air_time_ms now_wall_ms) {
    if (history->generations_count < 3) {
        return 0;
    }
    const bool is_old = now_wall_ms - history->generations[0].sealed_ms > AIR_GENERATION_AGE_MAX_MS;
    if (!is_old && history->generations_count < AIR_GENERATIONS_MAX) {
        return 0;
    }
    const uint32_t number = history->generations[0].number;
    drop_oldest(history);
    return number;
}
