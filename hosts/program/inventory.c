/* SPDX-License-Identifier: MIT */
/*
 * Reading the state directory for people. It goes through the storage port, so it sees what the
 * engine would see, refuses what the engine would refuse, and changes nothing.
 *
 * Invariant: one broken record costs its own line, never the report.
 */
#include "hosts/program/inventory.h"

#include <jansson.h>

#include "hosts/program/pool.h"
#include "hosts/program/report.h"
#include "hosts/program/text.h"
#include "src/base/base64url.h"
#include "src/base/json.h"
#include "src/base/span.h"
#include "src/base/time_text.h"
#include "thinair/files.h"

/* Segments read at once: enough for every key type of a certificate. */
#define PAGE_COUNT 64
#define SHORT_LIFE_MS (10 * (air_time_ms)86400000)

struct page {
    struct air_pool pool;
    air_span segments[PAGE_COUNT];
    size_t count;
    bool has_failed;
};

static enum air_error report_certificate(
    struct air_storage *storage, air_span id, struct air_buffer *out);
static enum air_error report_lineage(
    struct air_storage *storage, air_span id, air_span key_type, struct air_buffer *out);
static enum air_error read_page(
    struct air_storage *storage, air_span prefix, air_span after, struct page *page);
static enum air_error read_record(
    struct air_storage *storage, const char *path, struct air_buffer *out);

enum air_error air_inventory_report(
    const char *state_dir, struct air_buffer *out, struct air_buffer *reason) {
    struct air_storage *storage = NULL;
    struct page page = {.count = PAGE_COUNT};
    air_span after = {NULL, 0};
    enum air_error error = air_storage_files_new(state_dir, AIR_FILES_READ_ONLY, &storage, reason);

    if (error != AIR_OK) {
        return error;
    }
    air_report_begin(out, false);
    while (error == AIR_OK && page.count == PAGE_COUNT) {
        struct page next = {.count = 0};

        error = read_page(storage, air_span_text("certificates"), after, &next);
        air_pool_deinit(&page.pool);
        page = next;
        for (size_t i = 0; i < page.count && error == AIR_OK; i++) {
            error = report_certificate(storage, page.segments[i], out);
        }
        after = page.count > 0 ? page.segments[page.count - 1] : after;
    }
    air_report_end(out);
    air_pool_deinit(&page.pool);
    air_storage_files_free(storage);
    return error == AIR_OK ? out->error : error;
}

static bool add_segment(void *context, air_span segment) {
    struct page *page = context;
    char *copy = air_pool_text(&page->pool, segment);

    if (copy == NULL) {
        page->has_failed = true;
        return false;
    }
    page->segments[page->count] = air_span_of(copy, segment.size);
    page->count += 1;
    return page->count < PAGE_COUNT;
}

static enum air_error read_page(
    struct air_storage *storage, air_span prefix, air_span after, struct page *page) {
    enum air_error error = storage->list(storage->self, prefix, after, add_segment, page);

    return page->has_failed ? AIR_ERR_NO_MEMORY : error;
}

static enum air_error report_certificate(
    struct air_storage *storage, air_span id, struct air_buffer *out) {
    struct page page = {.count = 0};
    struct air_buffer prefix;
    enum air_error error;

    air_buffer_init(&prefix, AIR_STORAGE_PATH_SIZE_MAX);
    air_text_format(&prefix, "certificates/%.*s", (int)id.size, (const char *)id.data);
    error = prefix.error;
    if (error == AIR_OK) {
        error = read_page(storage, air_buffer_span(&prefix), (air_span){NULL, 0}, &page);
    }
    for (size_t i = 0; i < page.count && error == AIR_OK; i++) {
        error = report_lineage(storage, id, page.segments[i], out);
    }
    air_pool_deinit(&page.pool);
    air_buffer_deinit(&prefix);
    return error;
}

/* "<number> sha256:<hex>": the number, or 0. */
static uint32_t current_of(air_span text) {
    int64_t number;

    if (!air_span_number(air_span_take(text, air_span_find(text, ' ')), &number) || number < 1 ||
        number > UINT32_MAX) {
        return 0;
    }
    return (uint32_t)number;
}

static void fill_names(const json_t *manifest, struct air_pool *pool, struct air_status *status) {
    const json_t *names = json_object_get(manifest, "names");
    size_t count = json_array_size(names);
    air_span *spans = count == 0 ? NULL : air_pool_take(pool, count * sizeof(*spans));

    for (size_t i = 0; spans != NULL && i < count; i++) {
        spans[i] = air_span_text(json_string_value(json_array_get(names, i)));
    }
    status->names = spans;
    status->names_count = spans == NULL ? 0 : count;
}

static void fill_from_manifest(
    const json_t *manifest, struct air_pool *pool, struct air_status *status) {
    struct air_buffer serial;

    fill_names(manifest, pool, status);
    status->directory_url = air_json_text(manifest, "directory");
    (void)air_time_read_rfc3339(air_json_text(manifest, "not_before"), &status->not_before_ms);
    (void)air_time_read_rfc3339(air_json_text(manifest, "not_after"), &status->not_after_ms);
    air_buffer_init(&serial, AIR_SERIAL_SIZE_MAX);
    if (air_hex_decode(air_json_text(manifest, "serial"), &serial) == AIR_OK) {
        for (size_t i = 0; i < serial.size; i++) {
            status->serial[i] = serial.data[i];
        }
        status->serial_size = serial.size;
    }
    air_buffer_deinit(&serial);
}

/* Where no try is put off, the rule of the engine's schedule without the share by which it spreads
 * renewals: two thirds of the life, half of it under ten days. */
static void fill_next(struct air_status *status) {
    const air_time_ms life_ms = status->not_after_ms - status->not_before_ms;

    if (status->next_ms == 0 && status->not_after_ms > 0) {
        status->next_ms =
            status->not_before_ms + (life_ms < SHORT_LIFE_MS ? life_ms / 2 : life_ms / 3 * 2);
    }
}

static void fill_from_history(const json_t *history, struct air_status *status) {
    int64_t failures = air_json_integer(history, "failures", 0);

    status->failures_count = failures > 0 && failures <= UINT32_MAX ? (uint32_t)failures : 0;
    (void)air_time_read_rfc3339(air_json_text(history, "next"), &status->next_ms);
    status->last_error = air_json_text(history, "last_error");
}

static enum air_error read_json(struct air_storage *storage, const char *path, json_t **out) {
    struct air_buffer text;
    enum air_error error;

    air_buffer_init(&text, AIR_STORAGE_VALUE_SIZE_MAX);
    error = read_record(storage, path, &text);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&text), out);
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error report_lineage(
    struct air_storage *storage, air_span id, air_span key_type, struct air_buffer *out) {
    struct air_status status = {.certificate = id, .step = ""};
    struct air_pool pool = {NULL};
    struct air_buffer path;
    struct air_buffer current;
    json_t *manifest = NULL;
    json_t *history = NULL;
    enum air_error error;
    size_t folder_size;

    status.key_type = air_key_type_parse(key_type);
    if (status.key_type == AIR_KEY_NONE) {
        return AIR_OK; /* nothing of ours */
    }
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    air_buffer_init(&current, 256);
    air_text_format(&path, "certificates/%.*s/%s/", (int)id.size, (const char *)id.data,
        air_key_type_text(status.key_type));
    folder_size = path.size;
    air_buffer_append(&path, "current", sizeof("current"));
    error =
        path.error == AIR_OK ? read_record(storage, (const char *)path.data, &current) : path.error;
    if (error == AIR_OK) {
        status.generation = current_of(air_buffer_span(&current));
        air_buffer_truncate(&path, folder_size);
        air_text_format(&path, "generations/%06u/manifest.json", (unsigned)status.generation);
        air_buffer_append_byte(&path, 0);
        error = path.error == AIR_OK ? read_json(storage, (const char *)path.data, &manifest)
                                     : path.error;
    }
    if (manifest != NULL) {
        fill_from_manifest(manifest, &pool, &status);
    } else if (error != AIR_ERR_NOT_FOUND) {
        status.last_error = air_span_text(air_error_text(error));
    }
    air_buffer_truncate(&path, folder_size);
    air_buffer_append(&path, "history.json", sizeof("history.json"));
    if (path.error == AIR_OK && read_json(storage, (const char *)path.data, &history) == AIR_OK) {
        fill_from_history(history, &status);
    }
    fill_next(&status);
    status.is_current = manifest != NULL;
    air_report_put(out, &status, manifest != NULL ? "stored" : "missing");
    json_decref(manifest);
    json_decref(history);
    air_pool_deinit(&pool);
    air_buffer_deinit(&path);
    air_buffer_deinit(&current);
    return out->error;
}

static enum air_error read_record(
    struct air_storage *storage, const char *path, struct air_buffer *out) {
    uint64_t version;

    return storage->read(storage->self, air_span_text(path), out, &version);
}
