/* SPDX-License-Identifier: MIT */
/*
 * What is managed besides the configuration, and what HAProxy finds of all of it when it starts:
 * the records `haproxy/adopted/<id>` and `haproxy/crt-list` in the state directory.
 *
 * Invariant: the crt-list names only files that were stored whole; one that HAProxy cannot load
 * would keep it from starting.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/haproxy/inside.h"
#include "src/base/json.h"
#include "src/base/span.h"

#define FOLDER "haproxy/adopted"
#define CRT_LIST "haproxy/crt-list"
#define RECORD_SIZE_MAX 65536
#define IDS_MAX 10000

struct ids {
    struct air_buffer text; /* each followed by a line feed */
    size_t count;
};

static bool collect(void *context, air_span id);
static void adopt(struct air_haproxy *haproxy, air_span id);
static bool find_status(struct air_haproxy *haproxy, air_span id, struct air_status *status);
static void append_line(
    struct air_haproxy *haproxy, const struct air_status *status, struct air_buffer *out);
static bool can_be_loaded(struct air_haproxy *haproxy, const struct air_status *status);
static enum air_error put_if_changed(struct air_haproxy *haproxy, air_span value);

void air_adopted_load(struct air_haproxy *haproxy) {
    struct air_storage *files = haproxy->files;
    struct ids ids = {.count = 0};
    air_buffer_init(&ids.text, AIR_STORAGE_VALUE_SIZE_MAX);
    const enum air_error error =
        files->list(files->self, air_span_text(FOLDER), air_span_of(NULL, 0), collect, &ids);
    air_span rest = air_buffer_span(&ids.text);
    air_span id;
    while (error == AIR_OK && rest.size > 0 && air_span_next(&rest, '\n', &id)) {
        if (id.size > 0) {
            adopt(haproxy, id);
        }
    }
    air_buffer_deinit(&ids.text);
}

enum air_error air_adopted_store(struct air_haproxy *haproxy, air_span id) {
    struct air_status status;
    struct air_buffer text;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    if (!find_status(haproxy, id, &status)) {
        return AIR_ERR_NOT_FOUND;
    }
    (void)snprintf(path, sizeof(path), FOLDER "/%.*s", (int)id.size, (const char *)id.data);
    air_buffer_init(&text, RECORD_SIZE_MAX);
    air_json_begin(&text, NULL, '{');
    air_json_put_integer(&text, "version", 1);
    air_json_put_text(&text, "key_type", air_span_text(air_key_type_text(status.key_type)));
    air_json_begin(&text, "names", '[');
    for (size_t i = 0; i < status.names_count; i++) {
        air_json_put_text(&text, NULL, status.names[i]);
    }
    air_json_end(&text, ']');
    air_json_end(&text, '}');
    const struct air_put put = {.path = air_span_text(path), .value = air_buffer_span(&text)};
    const enum air_error error = text.error != AIR_OK
                                     ? text.error
                                     : haproxy->files->write(haproxy->files->self, NULL, &put, 1);
    air_buffer_deinit(&text);
    return error;
}

enum air_error air_crt_list_write(struct air_haproxy *haproxy, bool is_load) {
    struct air_status status;
    struct air_buffer text;
    if (haproxy->files == NULL) {
        return AIR_OK;
    }
    air_buffer_init(&text, AIR_STORAGE_VALUE_SIZE_MAX);
    for (size_t i = 0; air_engine_status(haproxy->engine, i, &status) == AIR_OK; i++) {
        const bool is_stored = is_load ? can_be_loaded(haproxy, &status) : status.generation > 0;
        if (air_haproxy_is_managed(status.certificate) && is_stored) {
            append_line(haproxy, &status, &text);
        }
    }
    const enum air_error error =
        text.error != AIR_OK ? text.error : put_if_changed(haproxy, air_buffer_span(&text));
    air_buffer_deinit(&text);
    return error;
}

static bool collect(void *context, air_span id) {
    struct ids *ids = context;
    (void)air_buffer_append_span(&ids->text, id);
    return air_buffer_append_byte(&ids->text, '\n') == AIR_OK && ++ids->count < IDS_MAX;
}

/* A record that cannot be read is passed over: the certificate is still served, and its owner asks
 * again. */
static void adopt(struct air_haproxy *haproxy, air_span id) {
    struct air_buffer text;
    json_t *object = NULL;
    uint64_t version = 0;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    air_span names[AIR_NAMES_MAX];
    size_t names_count = 0;
    (void)snprintf(path, sizeof(path), FOLDER "/%.*s", (int)id.size, (const char *)id.data);
    air_buffer_init(&text, RECORD_SIZE_MAX);
    enum air_error error =
        haproxy->files->read(haproxy->files->self, air_span_text(path), &text, &version);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&text), &object);
    }
    const json_t *list = error == AIR_OK ? json_object_get(object, "names") : NULL;
    for (size_t i = 0; i < json_array_size(list) && i < AIR_NAMES_MAX; i++) {
        const json_t *name = json_array_get(list, i);
        names[names_count++] = air_span_of(json_string_value(name), json_string_length(name));
    }
    const enum air_key_type key_type =
        error == AIR_OK ? air_key_type_parse(air_json_text(object, "key_type")) : AIR_KEY_NONE;
    if (names_count > 0 && key_type != AIR_KEY_NONE) {
        const struct air_certificate_spec spec = {.size = sizeof(spec),
            .id = id,
            .names = names,
            .names_count = names_count,
            .key_types = &key_type,
            .key_types_count = 1,
            .directory_url = haproxy->authority.directory_url,
            .challenges = haproxy->challenges,
            .challenges_count = haproxy->challenges_count};
        struct air_status status;
        if (!find_status(haproxy, id, &status)) { /* the configuration has the last word */
            error = air_engine_certificate_set(haproxy->engine, &spec, NULL);
        }
    }
    json_decref(object);
    air_buffer_deinit(&text);
}

/* The first lineage of that id. */
static bool find_status(struct air_haproxy *haproxy, air_span id, struct air_status *status) {
    for (size_t i = 0; air_engine_status(haproxy->engine, i, status) == AIR_OK; i++) {
        if (air_span_equal(status->certificate, id)) {
            return true;
        }
    }
    return false;
}

/* "<state>/live/<id>/<key-type>/bundle.pem name name" */
static void append_line(
    struct air_haproxy *haproxy, const struct air_status *status, struct air_buffer *out) {
    (void)air_buffer_append_span(out, air_buffer_span(&haproxy->state_dir));
    (void)air_buffer_append_text(out, "/live/");
    (void)air_buffer_append_span(out, status->certificate);
    (void)air_buffer_append_byte(out, '/');
    (void)air_buffer_append_text(out, air_key_type_text(status->key_type));
    (void)air_buffer_append_text(out, "/bundle.pem");
    for (size_t i = 0; i < status->names_count; i++) {
        (void)air_buffer_append_byte(out, ' ');
        (void)air_buffer_append_span(out, status->names[i]);
    }
    (void)air_buffer_append_byte(out, '\n');
}

/* Whether both files are there and serve: a handshake in memory with them. */
static bool can_be_loaded(struct air_haproxy *haproxy, const struct air_status *status) {
    static const char *const parts[] = {"fullchain.pem", "privkey.pem", "bundle.pem"};
    struct air_buffer texts[3];
    struct air_storage *files = haproxy->files;
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < 3; i++) {
        char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
        uint64_t version = 0;
        air_buffer_init(&texts[i], AIR_STORAGE_VALUE_SIZE_MAX);
        (void)snprintf(path, sizeof(path), "live/%.*s/%s/%s", (int)status->certificate.size,
            (const char *)status->certificate.data, air_key_type_text(status->key_type), parts[i]);
        if (error == AIR_OK) {
            error = files->read(files->self, air_span_text(path), &texts[i], &version);
        }
    }
    if (error == AIR_OK) {
        error = air_tls_prove(air_buffer_span(&texts[0]), air_buffer_span(&texts[1]),
            status->key_type, status->names[0], NULL);
    }
    const bool is_whole = texts[2].size == texts[0].size + texts[1].size;
    for (size_t i = 0; i < 3; i++) {
        air_buffer_deinit(&texts[i]);
    }
    return error == AIR_OK && is_whole;
}

static enum air_error put_if_changed(struct air_haproxy *haproxy, air_span value) {
    struct air_storage *files = haproxy->files;
    const struct air_put put = {.path = air_span_text(CRT_LIST), .value = value};
    struct air_buffer old;
    uint64_t version = 0;
    air_buffer_init(&old, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = files->read(files->self, put.path, &old, &version);
    if (error != AIR_OK || !air_span_equal(air_buffer_span(&old), value)) {
        error = files->write(files->self, NULL, &put, 1);
    }
    air_buffer_deinit(&old);
    return error;
}
