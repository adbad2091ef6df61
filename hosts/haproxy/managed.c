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
#include "src/base/memory.h"
#include "src/base/span.h"

#define FOLDER "haproxy/adopted"
#define CRT_LIST "haproxy/crt-list"
#define RECORD_SIZE_MAX 65536
#define IDS_MAX 10000

struct ids {
    struct air_buffer text; /* each followed by a line feed */
    size_t count;
};

static struct air_managed_entry *find_entry(struct air_haproxy *haproxy, air_span id);
static bool is_wish(struct air_haproxy *haproxy, const struct air_managed_entry *entry,
    const struct air_order_request *request, bool *is_ordering);
static bool has_names(const struct air_status *status, const struct air_order_request *request);
static bool collect(void *context, air_span id);
static enum air_error adopt(struct air_haproxy *haproxy, air_span id);
static enum air_error adopt_record(struct air_haproxy *haproxy, air_span id, const json_t *object);
static void put_key_types(struct air_haproxy *haproxy, air_span id, struct air_buffer *text);
static bool find_status(struct air_haproxy *haproxy, air_span id, struct air_status *status);
static void append_line(
    struct air_haproxy *haproxy, const struct air_status *status, struct air_buffer *out);
static enum air_error try_bundle(struct air_haproxy *haproxy, const struct air_status *status);
static size_t chain_size_of(air_span bundle);
static enum air_error put_if_changed(struct air_haproxy *haproxy, air_span value);

enum air_error air_managed_check(struct air_haproxy *haproxy, air_span id,
    const struct air_order_request *request, struct air_refusal *refusal) {
    const struct air_managed_entry *entry = find_entry(haproxy, id);
    bool is_ordering = false;
    if (entry == NULL || !air_managed_has(haproxy, id)) {
        return AIR_OK;
    }
    const bool is_same = is_wish(haproxy, entry, request, &is_ordering);
    if (entry->is_configured && !is_same) {
        return air_refusal_set(refusal, AIR_ERR_EXISTS,
            "%s is in config.lua with other names, key types or must_staple: change its entry "
            "there and reload HAProxy",
            entry->id);
    }
    if (entry->is_configured && (request->account_key.size > 0 || request->domain_key.size > 0)) {
        return air_refusal_set(refusal, AIR_ERR_EXISTS,
            "%s is in config.lua, which has no keys: leave account_key and domain_key out",
            entry->id);
    }
    if (is_ordering && !is_same) {
        return air_refusal_set(refusal, AIR_ERR_EXISTS,
            "%s is being ordered with other names, key types or must_staple: ask again when that "
            "has ended (GET /acme/certificates says so)",
            entry->id);
    }
    return AIR_OK;
}

bool air_managed_is_configured(struct air_haproxy *haproxy, air_span id) {
    const struct air_managed_entry *entry = find_entry(haproxy, id);
    return entry != NULL && entry->is_configured;
}

enum air_error air_managed_note(
    struct air_haproxy *haproxy, air_span id, bool is_configured, bool must_staple) {
    /* While HAProxy loads, config.lua's are noted without a look for an older one, because they may
     * be ten thousand. */
    struct air_managed_entry *entry = is_configured ? NULL : find_entry(haproxy, id);
    if (entry == NULL) {
        entry = air_memory_new(sizeof(*entry));
        if (entry == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        (void)snprintf(entry->id, sizeof(entry->id), "%.*s", (int)id.size, (const char *)id.data);
        entry->is_configured = is_configured;
        entry->next = haproxy->managed;
        haproxy->managed = entry;
    }
    entry->must_staple = must_staple;
    return AIR_OK;
}

void air_managed_forget(struct air_haproxy *haproxy, air_span id) {
    struct air_managed_entry *entry = find_entry(haproxy, id);
    struct air_managed_entry **place = &haproxy->managed;
    while (*place != entry) {
        place = &(*place)->next;
    }
    if (entry != NULL) {
        *place = entry->next;
        air_memory_free(entry, sizeof(*entry));
    }
}

void air_managed_free(struct air_haproxy *haproxy) {
    while (haproxy->managed != NULL) {
        struct air_managed_entry *entry = haproxy->managed;
        haproxy->managed = entry->next;
        air_memory_free(entry, sizeof(*entry));
    }
}

enum air_error air_adopted_load(struct air_haproxy *haproxy) {
    struct air_storage *files = haproxy->files;
    struct ids ids = {.count = 0};
    air_buffer_init(&ids.text, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error =
        files->list(files->self, air_span_text(FOLDER), air_span_of(NULL, 0), collect, &ids);
    error = error == AIR_ERR_NO_MEMORY ? error : ids.text.error;
    air_span rest = air_buffer_span(&ids.text);
    air_span id;
    while (error != AIR_ERR_NO_MEMORY && rest.size > 0 && air_span_next(&rest, '\n', &id)) {
        if (id.size > 0) {
            error = adopt(haproxy, id);
        }
    }
    air_buffer_deinit(&ids.text);
    return error == AIR_ERR_NO_MEMORY ? error : AIR_OK;
}

enum air_error air_adopted_store(struct air_haproxy *haproxy, air_span id, bool must_staple) {
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
    air_json_begin(&text, "names", '[');
    for (size_t i = 0; i < status.names_count; i++) {
        air_json_put_text(&text, NULL, status.names[i]);
    }
    air_json_end(&text, ']');
    put_key_types(haproxy, id, &text); /* asks the engine again, and the names are gone */
    air_json_put_bool(&text, "must_staple", must_staple);
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
    if (haproxy->files == NULL || haproxy->has_left) {
        return AIR_OK;
    }
    air_buffer_init(&text, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = AIR_OK;
    for (size_t i = 0;
         error != AIR_ERR_NO_MEMORY && air_engine_status(haproxy->engine, i, &status) == AIR_OK;
         i++) {
        if (!air_haproxy_is_managed(status.certificate)) {
            continue;
        }
        if (is_load) {
            error = try_bundle(haproxy, &status);
        }
        if (is_load ? error == AIR_OK : status.generation > 0) {
            append_line(haproxy, &status, &text);
        }
    }
    if (error != AIR_ERR_NO_MEMORY) {
        error = text.error != AIR_OK ? text.error : put_if_changed(haproxy, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
    return error;
}

/* Those of all lineages, in their order. */
static void put_key_types(struct air_haproxy *haproxy, air_span id, struct air_buffer *text) {
    struct air_status status;
    air_json_begin(text, "key_types", '[');
    for (size_t i = 0; air_engine_status(haproxy->engine, i, &status) == AIR_OK; i++) {
        if (air_span_equal(status.certificate, id)) {
            air_json_put_text(text, NULL, air_span_text(air_key_type_text(status.key_type)));
        }
    }
    air_json_end(text, ']');
}

bool air_managed_has(struct air_haproxy *haproxy, air_span id) {
    struct air_status status;
    return find_status(haproxy, id, &status);
}

bool air_managed_leave(struct air_haproxy *haproxy) {
    struct air_status status;
    haproxy->has_left = true;
    for (size_t i = 0; air_engine_status(haproxy->engine, i, &status) == AIR_OK;) {
        if (!air_haproxy_is_managed(status.certificate)) {
            i++;
            continue;
        }
        char id[AIR_HAPROXY_ID_SIZE];
        (void)snprintf(id, sizeof(id), "%.*s", (int)status.certificate.size,
            (const char *)status.certificate.data);
        const enum air_error error =
            air_engine_certificate_remove(haproxy->engine, air_span_text(id));
        if (error != AIR_OK) {
            return false;
        }
    }
    return true;
}

static struct air_managed_entry *find_entry(struct air_haproxy *haproxy, air_span id) {
    struct air_managed_entry *entry = haproxy->managed;
    while (entry != NULL && !air_span_equal_text(id, entry->id)) {
        entry = entry->next;
    }
    return entry;
}

/* Whether a request asks for what is managed: the same names and key types, in whatever order. */
static bool is_wish(struct air_haproxy *haproxy, const struct air_managed_entry *entry,
    const struct air_order_request *request, bool *is_ordering) {
    struct air_status status;
    size_t lineages_count = 0;
    bool is_same = request->must_staple == entry->must_staple;
    for (size_t i = 0; air_engine_status(haproxy->engine, i, &status) == AIR_OK; i++) {
        if (!air_span_equal_text(status.certificate, entry->id)) {
            continue;
        }
        bool has_type = false;
        for (size_t k = 0; k < request->key_types_count; k++) {
            has_type = has_type || request->key_types[k] == status.key_type;
        }
        is_same = is_same && has_type && has_names(&status, request);
        *is_ordering = *is_ordering || status.state == AIR_STATE_ORDERING;
        lineages_count++;
    }
    return is_same && lineages_count == request->key_types_count;
}

/* Neither has a name twice. */
static bool has_names(const struct air_status *status, const struct air_order_request *request) {
    size_t found_count = 0;
    for (size_t i = 0; i < status->names_count; i++) {
        for (size_t k = 0; k < request->names_count; k++) {
            found_count += air_span_equal(status->names[i], request->names[k]) ? 1 : 0;
        }
    }
    return found_count == status->names_count && found_count == request->names_count;
}

static bool collect(void *context, air_span id) {
    struct ids *ids = context;
    (void)air_buffer_append_span(&ids->text, id);
    return air_buffer_append_byte(&ids->text, '\n') == AIR_OK && ++ids->count < IDS_MAX;
}

/* A record that cannot be read is passed over: the certificate is still served until the next
 * start, and its owner asks again. */
static enum air_error adopt(struct air_haproxy *haproxy, air_span id) {
    struct air_buffer text;
    struct air_status status;
    json_t *object = NULL;
    uint64_t version = 0;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    (void)snprintf(path, sizeof(path), FOLDER "/%.*s", (int)id.size, (const char *)id.data);
    air_buffer_init(&text, RECORD_SIZE_MAX);
    enum air_error error =
        haproxy->files->read(haproxy->files->self, air_span_text(path), &text, &version);
    if (error == AIR_OK) {
        error = air_json_read(air_buffer_span(&text), &object);
    }
    if (error == AIR_OK && !find_status(haproxy, id, &status)) {
        /* the configuration has the last word */
        error = adopt_record(haproxy, id, object);
    }
    json_decref(object);
    air_buffer_deinit(&text);
    return error;
}

static enum air_error adopt_record(struct air_haproxy *haproxy, air_span id, const json_t *object) {
    const json_t *names_list = json_object_get(object, "names");
    const json_t *types_list = json_object_get(object, "key_types");
    air_span names[AIR_NAMES_MAX];
    enum air_key_type key_types[AIR_KEY_TYPES_MAX];
    struct air_certificate_spec spec = air_haproxy_spec(haproxy);
    spec.id = id;
    spec.names = names;
    spec.key_types = key_types;
    spec.must_staple = json_is_true(json_object_get(object, "must_staple"));
    for (size_t i = 0; i < json_array_size(names_list) && i < AIR_NAMES_MAX; i++) {
        const json_t *name = json_array_get(names_list, i);
        names[spec.names_count++] = air_span_of(json_string_value(name), json_string_length(name));
    }
    for (size_t i = 0; i < json_array_size(types_list) && i < AIR_KEY_TYPES_MAX; i++) {
        const char *text = json_string_value(json_array_get(types_list, i));
        key_types[spec.key_types_count++] = air_key_type_parse(air_span_text(text));
    }
    const enum air_error error = air_engine_certificate_set(haproxy->engine, &spec, NULL);
    return error != AIR_OK ? error : air_managed_note(haproxy, id, false, spec.must_staple);
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

/*
 * Whether HAProxy's file is there and serves: a handshake in memory with it. Only this one file is
 * looked at, because it is replaced as a whole: the process that ran before may still be writing
 * its neighbours.
 */
static enum air_error try_bundle(struct air_haproxy *haproxy, const struct air_status *status) {
    struct air_storage *files = haproxy->files;
    struct air_buffer bundle;
    uint64_t version = 0;
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    (void)snprintf(path, sizeof(path), "live/%.*s/%s/bundle.pem", (int)status->certificate.size,
        (const char *)status->certificate.data, air_key_type_text(status->key_type));
    air_buffer_init(&bundle, AIR_STORAGE_VALUE_SIZE_MAX);
    enum air_error error = files->read(files->self, air_span_text(path), &bundle, &version);
    const size_t chain_size = chain_size_of(air_buffer_span(&bundle));
    if (error == AIR_OK) {
        error = air_tls_prove(air_span_take(air_buffer_span(&bundle), chain_size),
            air_span_skip(air_buffer_span(&bundle), chain_size), status->key_type, status->names[0],
            NULL);
    }
    air_buffer_deinit(&bundle);
    return error;
}

/* What comes before the private key, which is last. */
static size_t chain_size_of(air_span bundle) {
    static const char end[] = "-----END CERTIFICATE-----\n";
    const size_t end_size = sizeof(end) - 1;
    for (size_t size = bundle.size; size >= end_size; size--) {
        if (memcmp(bundle.data + size - end_size, end, end_size) == 0) {
            return size;
        }
    }
    return 0;
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
