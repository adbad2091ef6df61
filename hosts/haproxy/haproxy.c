/* SPDX-License-Identifier: MIT */
/*
 * The life of the engine in HAProxy: what it is made of, and what is asked of it besides orders and
 * turns.
 *
 * Invariant: nothing here takes longer than memory and one look at a file; nothing calls back.
 */

#include "hosts/haproxy/haproxy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts/haproxy/inside.h"
#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/files.h"
#include "thinair/memory_storage.h"

#define CONTACTS_SIZE_MAX 4096

static const air_span target = {(const uint8_t *)"haproxy", 7};

static bool enter(const struct air_haproxy *haproxy);
static bool leave(const struct air_haproxy *haproxy);
static enum air_error open_files(
    struct air_haproxy *haproxy, const char *path, struct air_buffer *reason);
static enum air_error take_config(
    struct air_haproxy *haproxy, const struct air_haproxy_config *config);
static enum air_error make_parts(struct air_haproxy *haproxy);
static enum air_error install_nowhere(void *host, const struct air_install_action *install);

enum air_error air_haproxy_new(
    const struct air_haproxy_config *config, struct air_haproxy **out, struct air_buffer *reason) {
    struct air_haproxy *haproxy = air_memory_new(sizeof(*haproxy));
    if (haproxy == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    (void)pthread_mutex_init(&haproxy->mutex, NULL);
    air_gate_init(&haproxy->gate);
    enum air_error error = take_config(haproxy, config);
    if (error == AIR_OK) {
        error = make_parts(haproxy);
    }
    if (error == AIR_OK && config->state_dir != NULL) {
        error = open_files(haproxy, config->state_dir, reason);
    }
    if (error == AIR_OK) {
        air_route_init(&haproxy->route, haproxy->files, haproxy->memory);
        error = air_engine_authority_set(haproxy->engine, &haproxy->authority);
        if (error == AIR_ERR_ARGUMENT) {
            (void)air_buffer_append_text(reason, "the CA's directory must be an https URL, a "
                                                 "contact begin with mailto:");
        }
    }
    if (error == AIR_OK && config->has_target) {
        error = air_engine_target_add(haproxy->engine, target);
    }
    if (error != AIR_OK) {
        air_haproxy_free(haproxy);
        return error;
    }
    *out = haproxy;
    return AIR_OK;
}

void air_haproxy_free(struct air_haproxy *haproxy) {
    if (haproxy == NULL) {
        return;
    }
    air_slices_free(haproxy->slices);
    air_orders_free(haproxy);
    air_accounts_free(haproxy);
    air_managed_free(haproxy);
    air_engine_free(haproxy->engine);
    SSL_CTX_free(haproxy->challenge_context);
    air_tls_free(haproxy->tls);
    air_responder_free(haproxy->responder);
    air_storage_files_free(haproxy->files);
    air_storage_memory_free(haproxy->memory);
    air_crypto_openssl_free(haproxy->crypto);
    air_buffer_deinit(&haproxy->state_dir);
    air_buffer_deinit(&haproxy->directory_url);
    air_buffer_deinit(&haproxy->contacts_text);
    air_gate_deinit(&haproxy->gate);
    (void)pthread_mutex_destroy(&haproxy->mutex);
    air_memory_free(haproxy, sizeof(*haproxy));
}

enum air_error air_haproxy_manage(struct air_haproxy *haproxy, const air_span *names,
    size_t names_count, const enum air_key_type *key_types, size_t key_types_count,
    bool must_staple, struct air_buffer *reason) {
    struct air_certificate_spec spec = air_haproxy_spec(haproxy);
    spec.names = names;
    spec.names_count = names_count;
    spec.key_types = key_types;
    spec.key_types_count = key_types_count;
    spec.must_staple = must_staple;
    struct air_buffer id;
    air_buffer_init(&id, AIR_HAPROXY_ID_SIZE - 1);
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = air_engine_certificate_set(haproxy->engine, &spec, reason);
    if (error == AIR_OK) { /* without wildcards, the id is the first name's normal form */
        error = air_name_normalize(names[0], &id);
    }
    if (error == AIR_OK) {
        error = air_managed_note(haproxy, air_buffer_span(&id), true, must_staple);
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
    air_buffer_deinit(&id);
    return error;
}

enum air_error air_haproxy_ready(struct air_haproxy *haproxy, struct air_buffer *reason) {
    if (haproxy->files == NULL) {
        return AIR_OK;
    }
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = enter(haproxy) ? AIR_OK : AIR_ERR_PERMISSION;
    if (error == AIR_OK) {
        error = air_adopted_load(haproxy);
    }
    if (error == AIR_OK) {
        error = air_crt_list_write(haproxy, true);
    }
    if (error != AIR_OK) {
        char sentence[512] = "";
        haproxy->files->explain(haproxy->files->self, sentence, sizeof(sentence));
        (void)air_buffer_append_text(reason, sentence);
    }
    error = leave(haproxy) ? error : AIR_ERR_PERMISSION;
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

bool air_haproxy_may_work(struct air_haproxy *haproxy, struct air_buffer *reason) {
    char sentence[160] = "";
    if (haproxy->files == NULL || geteuid() == 0 || geteuid() == haproxy->owner_uid) {
        return true;
    }
    (void)snprintf(sentence, sizeof(sentence),
        ": belongs to user %lu, but HAProxy runs as user %lu: change its owner (chown -R)",
        (unsigned long)haproxy->owner_uid, (unsigned long)geteuid());
    (void)air_buffer_append_span(reason, air_buffer_span(&haproxy->state_dir));
    (void)air_buffer_append_text(reason, sentence);
    return false;
}

bool air_haproxy_leave(struct air_haproxy *haproxy) {
    (void)pthread_mutex_lock(&haproxy->mutex);
    const bool has_none = air_orders_leave(haproxy);
    const bool has_left = air_managed_leave(haproxy);
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return has_none && has_left;
}

enum air_error air_haproxy_answer(struct air_haproxy *haproxy, air_span method, air_span path,
    air_span host, struct air_buffer *body) {
    /* The table has a lock of its own. */
    return air_responder_answer(haproxy->responder, method, path, host, body);
}

SSL_CTX *air_haproxy_challenge_context(struct air_haproxy *haproxy) {
    return haproxy->challenge_context;
}

struct air_gate *air_haproxy_gate(struct air_haproxy *haproxy) {
    return &haproxy->gate;
}

size_t air_haproxy_validations_count(struct air_haproxy *haproxy) {
    return air_tls_challenges_count(haproxy->tls); /* the table has a lock of its own */
}

enum air_error air_haproxy_renew(struct air_haproxy *haproxy, air_span id) {
    if (!air_haproxy_is_managed(id)) {
        return AIR_ERR_NOT_FOUND;
    }
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = air_engine_certificate_renew(haproxy->engine, id);
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

/* What was appended since then; the buffer was given room before, so that it stays. */
static air_span kept_since(const struct air_buffer *text, size_t begin) {
    return air_span_of(text->data != NULL ? text->data + begin : NULL, text->size - begin);
}

static air_span keep(struct air_buffer *text, air_span from) {
    const size_t begin = text->size;
    (void)air_buffer_append_span(text, from);
    return kept_since(text, begin);
}

enum air_error air_haproxy_status(struct air_haproxy *haproxy, size_t index,
    struct air_haproxy_lineage *lineage, struct air_buffer *text) {
    struct air_status status;
    air_buffer_clear(text);
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = air_engine_status(haproxy->engine, index, &status);
    if (error == AIR_OK) {
        if (air_buffer_extend(text, AIR_HAPROXY_LINEAGE_SIZE_MAX) != NULL) {
            air_buffer_truncate(text, 0); /* room first: spans must not move */
        }
        *lineage =
            (struct air_haproxy_lineage){.is_private = !air_haproxy_is_managed(status.certificate),
                .id = keep(text, status.certificate),
                .failure = keep(text, status.last_error),
                .key_type = status.key_type,
                .state = status.state,
                .generation = status.generation,
                .not_before_ms = status.not_before_ms,
                .not_after_ms = status.not_after_ms,
                .next_ms = status.next_ms};
        size_t begin = text->size;
        for (size_t i = 0; i < status.names_count; i++) {
            (void)air_buffer_append_span(text, status.names[i]);
            (void)air_buffer_append_byte(text, '\n');
        }
        lineage->names = kept_since(text, begin);
        begin = text->size;
        (void)air_hex_encode_serial(air_span_of(status.serial, status.serial_size), text);
        lineage->serial = kept_since(text, begin);
        error = text->error;
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

bool air_haproxy_is_managed(air_span id) {
    return !air_span_starts_with(id, AIR_ROUTE_ORDER_PREFIX);
}

struct air_certificate_spec air_haproxy_spec(const struct air_haproxy *haproxy) {
    return (struct air_certificate_spec){.size = sizeof(struct air_certificate_spec),
        .directory_url = haproxy->authority.directory_url,
        .challenges = haproxy->challenges,
        .challenges_count = haproxy->challenges_count};
}

/*
 * HAProxy loads its configuration as root and becomes its user later; what root makes in the state
 * directory would be root's for ever. So it is entered as its owner.
 */
static bool enter(const struct air_haproxy *haproxy) {
    return !haproxy->has_owner ||
           (setegid(haproxy->owner_gid) == 0 && seteuid(haproxy->owner_uid) == 0);
}

static bool leave(const struct air_haproxy *haproxy) {
    return !haproxy->has_owner || (seteuid(0) == 0 && setegid(getgid()) == 0);
}

static enum air_error open_files(
    struct air_haproxy *haproxy, const char *path, struct air_buffer *reason) {
    struct stat status = {0};
    const bool is_root = geteuid() == 0;
    if (stat(path, &status) != 0 && is_root) {
        (void)air_buffer_append_text(reason, path);
        (void)air_buffer_append_text(reason, ": there is no such directory: make it, mode 0700, as "
                                             "HAProxy's own user (install -d -m 0700 -o USER)");
        return AIR_ERR_NOT_FOUND;
    }
    haproxy->has_owner = is_root && status.st_uid != 0;
    haproxy->owner_uid = status.st_uid;
    haproxy->owner_gid = status.st_gid;
    if (!enter(haproxy)) {
        (void)leave(haproxy);
        (void)air_buffer_append_text(reason, "the state directory's owner cannot be taken on");
        return AIR_ERR_PERMISSION;
    }
    enum air_error error = air_storage_files_new(path, AIR_FILES_CREATE, &haproxy->files, reason);
    if (!leave(haproxy)) {
        (void)air_buffer_append_text(reason, "root's rights could not be taken back");
        return AIR_ERR_PERMISSION;
    }
    return error;
}

static enum air_error take_config(
    struct air_haproxy *haproxy, const struct air_haproxy_config *config) {
    air_buffer_init(&haproxy->directory_url, AIR_URL_SIZE_MAX);
    air_buffer_init(&haproxy->contacts_text, CONTACTS_SIZE_MAX);
    air_buffer_init(&haproxy->state_dir, AIR_STORAGE_PATH_SIZE_MAX);
    if (config->challenges_count > AIR_CHALLENGES_MAX ||
        config->authority.contacts_count > AIR_CONTACTS_MAX) {
        return AIR_ERR_ARGUMENT;
    }
    haproxy->clock = config->clock != NULL ? config->clock : air_slices_now;
    haproxy->authority = config->authority;
    haproxy->authority.contacts = haproxy->contacts;
    haproxy->challenges_count = config->challenges_count;
    for (size_t i = 0; i < config->challenges_count; i++) {
        haproxy->challenges[i] = config->challenges[i];
    }
    enum air_error error =
        air_buffer_append_span(&haproxy->directory_url, config->authority.directory_url);
    haproxy->authority.directory_url = air_buffer_span(&haproxy->directory_url);
    if (air_buffer_extend(&haproxy->contacts_text, CONTACTS_SIZE_MAX) != NULL) {
        air_buffer_truncate(&haproxy->contacts_text, 0);
    }
    for (size_t i = 0; i < config->authority.contacts_count; i++) {
        haproxy->contacts[i] = keep(&haproxy->contacts_text, config->authority.contacts[i]);
    }
    if (config->state_dir != NULL) {
        (void)air_buffer_append_text(&haproxy->state_dir, config->state_dir);
    }
    error = error != AIR_OK ? error : haproxy->state_dir.error;
    return error != AIR_OK ? error : haproxy->contacts_text.error;
}

static enum air_error make_parts(struct air_haproxy *haproxy) {
    enum air_error error = air_crypto_openssl_new(&haproxy->crypto);
    const struct air_engine_config config = {.size = sizeof(config), .crypto = haproxy->crypto};
    if (error == AIR_OK) {
        error = air_engine_new(&config, &haproxy->engine);
    }
    if (error == AIR_OK) {
        error = air_storage_memory_new(&haproxy->memory);
    }
    if (error == AIR_OK) {
        error = air_responder_new(&haproxy->responder);
    }
    if (error == AIR_OK) {
        error = air_tls_new(&haproxy->tls);
    }
    if (error == AIR_OK) {
        haproxy->challenge_context = SSL_CTX_new(TLS_server_method());
        error =
            haproxy->challenge_context == NULL
                ? AIR_ERR_NO_MEMORY
                : air_tls_attach(haproxy->tls, haproxy->challenge_context, air_span_of(NULL, 0));
    }
    const struct air_slices_config slices = {.engine = haproxy->engine,
        .crypto = haproxy->crypto,
        .storage = &haproxy->route.port,
        .tls = haproxy->tls,
        .responder = haproxy->responder,
        .clock = haproxy->clock,
        .install = install_nowhere};
    return error == AIR_OK ? air_slices_new(&slices, &haproxy->slices) : error;
}

/* A client's order: nobody serves it. What is managed is HAProxy's to install. */
static enum air_error install_nowhere(void *host, const struct air_install_action *install) {
    (void)host;
    (void)install;
    return AIR_OK;
}
