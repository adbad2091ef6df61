/* SPDX-License-Identifier: MIT */
/*
 * What happens while the process is still root: the keeper or the snapshot is opened, accounts and
 * files are made known, and the engine is told what is wanted.
 *
 * Invariant: nothing is added after the seal; two vhosts that name one certificate want the same.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/lws/resident_parts.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/account_file.h"
#include "thinair/jose.h"
#include "thinair/pair_files.h"
#include "thinair/snapshot_storage.h"

#define SENTENCE_SIZE (AIR_LWS_PATH_SIZE + 256)
#define WISH_SIZE_MAX 65536
#define LABEL_DIGITS 16

struct air_resident_wish {
    struct air_resident_wish *next;
    char id[AIR_ID_SIZE_MAX + 1];
    char cert_path[AIR_LWS_PATH_SIZE];
    uint8_t digest[AIR_SHA256_SIZE]; /* of all that is asked for */
};

static enum air_error digest_of(struct air_resident *resident,
    const struct air_lws_options *options, uint8_t digest[AIR_SHA256_SIZE]);
static enum air_error check_wish(struct air_resident *resident,
    const struct air_lws_options *options, const uint8_t *digest, bool *is_known,
    struct air_buffer *reason);
static enum air_error add_account(struct air_resident *resident,
    const struct air_lws_options *options, char *label, size_t size, struct air_buffer *reason);
static enum air_error read_account(struct air_resident *resident, const char *path,
    struct air_buffer *key, struct air_buffer *reason);
static enum air_error label_of(
    struct air_resident *resident, air_span key, char *label, size_t size);
static enum air_error add_pairs(struct air_resident *resident,
    const struct air_lws_options *options, struct air_buffer *reason);
static enum air_error put_pair(
    struct air_resident *resident, const struct air_keeper_pair *pair, struct air_buffer *reason);
static enum air_error add_certificate(struct air_resident *resident,
    const struct air_lws_options *options, const char *label, struct air_buffer *reason);

enum air_error air_resident_open(
    struct air_resident *resident, const char *state_dir, bool is_kept, struct air_buffer *reason) {
    struct air_crypto *crypto = NULL;
    if (!is_kept) {
        return air_storage_snapshot_new(state_dir, &resident->snapshot, reason);
    }
    const struct air_keeper_config config = {.size = sizeof(config), .state_dir = state_dir};
    enum air_error error = air_keeper_start(&config, &resident->keeper, reason);
    if (error == AIR_OK) {
        error = air_keeper_crypto(resident->keeper, resident->local_crypto, &crypto);
    }
    if (error == AIR_OK) {
        resident->crypto = crypto;
    }
    return error;
}

void air_resident_close(struct air_resident *resident) {
    air_keeper_stop(resident->keeper);
    air_storage_snapshot_free(resident->snapshot);
    while (resident->wishes != NULL) {
        struct air_resident_wish *wish = resident->wishes;
        resident->wishes = wish->next;
        air_memory_free(wish, sizeof(*wish));
    }
}

void air_resident_seal(struct air_resident *resident) {
    if (resident->keeper != NULL && !resident->is_sealed) {
        air_keeper_seal(resident->keeper);
    }
    resident->is_sealed = true;
}

enum air_error air_resident_add(struct air_resident *resident,
    const struct air_lws_options *options, struct air_buffer *reason) {
    char label[AIR_ACCOUNT_SIZE_MAX + 1] = "";
    uint8_t digest[AIR_SHA256_SIZE];
    bool is_known = false;
    if (resident->is_sealed) {
        (void)air_buffer_append_text(
            reason, "this vhost was made after the server gave up root: make it before");
        return AIR_ERR_STATE;
    }
    enum air_error error = digest_of(resident, options, digest);
    if (error == AIR_OK) {
        error = check_wish(resident, options, digest, &is_known, reason);
    }
    if (error != AIR_OK || is_known) {
        return error;
    }
    struct air_resident_wish *wish = air_memory_new(sizeof(*wish));
    if (wish == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    (void)snprintf(wish->id, sizeof(wish->id), "%.*s", (int)options->names[0].size,
        (const char *)options->names[0].data);
    (void)snprintf(wish->cert_path, sizeof(wish->cert_path), "%s", options->cert_path);
    memcpy(wish->digest, digest, sizeof(digest));
    error = add_account(resident, options, label, sizeof(label), reason);
    if (error == AIR_OK) {
        error = add_pairs(resident, options, reason);
    }
    if (error == AIR_OK) {
        error = add_certificate(resident, options, label, reason);
    }
    if (error != AIR_OK) {
        air_memory_free(wish, sizeof(*wish));
        return error;
    }
    wish->next = resident->wishes;
    resident->wishes = wish;
    return AIR_OK;
}

static enum air_error digest_of(struct air_resident *resident,
    const struct air_lws_options *options, uint8_t digest[AIR_SHA256_SIZE]) {
    const struct air_crypto *crypto = resident->local_crypto;
    const air_span parts[] = {air_span_text(options->auth_path), air_span_text(options->cert_path),
        air_span_text(options->key_path), air_span_text(options->directory_url),
        air_span_text(options->contact), air_span_text(options->ca_file ? options->ca_file : ""),
        air_span_text(air_challenge_type_text(options->challenge)), options->subject.country,
        options->subject.state, options->subject.locality, options->subject.organization};
    struct air_buffer text;
    air_buffer_init(&text, WISH_SIZE_MAX);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)air_buffer_append_span(&text, parts[i]);
        (void)air_buffer_append_byte(&text, '\n');
    }
    for (size_t i = 0; i < options->names_count; i++) {
        (void)air_buffer_append_span(&text, options->names[i]);
        (void)air_buffer_append_byte(&text, '\n');
    }
    for (size_t i = 0; i < options->key_types_count; i++) {
        (void)air_buffer_append_text(&text, air_key_type_text(options->key_types[i]));
    }
    enum air_error error = text.error;
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_buffer_span(&text), digest);
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error check_wish(struct air_resident *resident,
    const struct air_lws_options *options, const uint8_t *digest, bool *is_known,
    struct air_buffer *reason) {
    for (const struct air_resident_wish *wish = resident->wishes; wish != NULL; wish = wish->next) {
        const bool is_same_id = air_span_equal_text(options->names[0], wish->id);
        if (!is_same_id && strcmp(options->cert_path, wish->cert_path) != 0) {
            continue;
        }
        if (memcmp(digest, wish->digest, sizeof(wish->digest)) == 0) {
            *is_known = true;
            return AIR_OK;
        }
        char sentence[SENTENCE_SIZE];
        (void)snprintf(sentence, sizeof(sentence),
            "another vhost has %s \"%s\" with other options: give both vhosts the same ones, or "
            "this one a certificate of its own",
            is_same_id ? "common-name" : "cert-path", is_same_id ? wish->id : wish->cert_path);
        (void)air_buffer_append_text(reason, sentence);
        return AIR_ERR_EXISTS;
    }
    return AIR_OK;
}

/* The key itself, where there is no keeper that has it. */
static enum air_error read_account(struct air_resident *resident, const char *path,
    struct air_buffer *key, struct air_buffer *reason) {
    struct air_crypto *crypto = resident->local_crypto;
    uint64_t handle = 0;
    enum air_error error = air_account_file_load(path, crypto, &handle, reason);
    if (error == AIR_OK) {
        error = crypto->key_export(crypto->self, handle, key);
        crypto->key_free(crypto->self, handle);
    }
    return error;
}

/* The account is named after its key, so that another key in the file is another account. */
static enum air_error add_account(struct air_resident *resident,
    const struct air_lws_options *options, char *label, size_t size, struct air_buffer *reason) {
    const air_span contact = air_span_text(options->contact);
    struct air_authority_spec authority = {.size = sizeof(authority),
        .directory_url = air_span_text(options->directory_url),
        .terms_agreed = options->has_agreed,
        .contacts = &contact,
        .contacts_count = 1};
    struct air_buffer key;
    air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
    authority.trust = air_span_text(options->ca_file != NULL ? options->ca_file : "");
    enum air_error error =
        resident->keeper != NULL
            ? air_keeper_account_add(resident->keeper, options->auth_path, &key, reason)
            : read_account(resident, options->auth_path, &key, reason);
    if (error == AIR_OK) {
        error = label_of(resident, air_buffer_span(&key), label, size);
    }
    if (error == AIR_OK) {
        authority.account = air_span_text(label);
        authority.account_key = air_buffer_span(&key);
        error = air_engine_authority_set(resident->engine, &authority);
    }
    air_buffer_deinit(&key);
    return error;
}

static enum air_error label_of(
    struct air_resident *resident, air_span key, char *label, size_t size) {
    const struct air_crypto *crypto = resident->crypto;
    struct air_public_key public;
    char thumbprint[AIR_THUMBPRINT_SIZE];
    uint8_t digest[AIR_SHA256_SIZE] = {0};
    uint64_t handle = 0;
    enum air_error error = crypto->key_import(crypto->self, key, &handle);
    if (error == AIR_OK) {
        error = crypto->key_public(crypto->self, handle, &public);
        crypto->key_free(crypto->self, handle);
    }
    if (error == AIR_OK) {
        error = air_jwk_thumbprint(crypto, &public, thumbprint);
    }
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_span_of(thumbprint, sizeof(thumbprint)), digest);
    }
    for (size_t i = 0; i < LABEL_DIGITS / 2; i++) {
        (void)snprintf(label + 2 * i, size - 2 * i, "%02x", digest[i]);
    }
    return error;
}

static enum air_error add_pairs(struct air_resident *resident,
    const struct air_lws_options *options, struct air_buffer *reason) {
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < options->key_types_count && error == AIR_OK; i++) {
        char chain_path[AIR_LWS_PATH_SIZE];
        char key_path[AIR_LWS_PATH_SIZE];
        const struct air_keeper_pair pair = {.certificate = options->names[0],
            .key_type = options->key_types[i],
            .chain_path = chain_path,
            .key_path = key_path};
        air_lws_options_pair(options, i, chain_path, key_path);
        error = resident->keeper != NULL ? air_keeper_pair_add(resident->keeper, &pair, reason)
                                         : put_pair(resident, &pair, reason);
    }
    return error;
}

/* What an earlier process stored, into the files that libwebsockets reads at its next start. */
static enum air_error put_pair(
    struct air_resident *resident, const struct air_keeper_pair *pair, struct air_buffer *reason) {
    static const char *const parts[] = {"fullchain.pem", "privkey.pem"};
    struct air_storage *storage = resident->snapshot;
    struct air_buffer values[2];
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < 2; i++) {
        char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
        uint64_t version = 0;
        air_buffer_init(&values[i], AIR_STORAGE_VALUE_SIZE_MAX);
        (void)snprintf(path, sizeof(path), "live/%.*s/%s/%s", (int)pair->certificate.size,
            (const char *)pair->certificate.data, air_key_type_text(pair->key_type), parts[i]);
        if (error == AIR_OK) {
            error = storage->read(storage->self, air_span_text(path), &values[i], &version);
        }
    }
    struct air_pair_files *files = NULL;
    const bool has_pair = error == AIR_OK;
    error = air_pair_files_open(pair->chain_path, pair->key_path, 0, &files, reason);
    if (error == AIR_OK && has_pair) {
        error = air_pair_files_put(
            files, air_buffer_span(&values[0]), air_buffer_span(&values[1]), reason);
    }
    air_pair_files_close(files);
    air_buffer_deinit(&values[0]);
    air_buffer_deinit(&values[1]);
    return error;
}

static enum air_error add_certificate(struct air_resident *resident,
    const struct air_lws_options *options, const char *label, struct air_buffer *reason) {
    const struct air_certificate_spec spec = {.size = sizeof(spec),
        .id = options->names[0],
        .names = options->names,
        .names_count = options->names_count,
        .key_types = options->key_types,
        .key_types_count = options->key_types_count,
        .directory_url = air_span_text(options->directory_url),
        .account = air_span_text(label),
        .challenges = &options->challenge,
        .challenges_count = 1,
        .renew_before_ms = options->renew_before_ms,
        .subject = options->subject};
    return air_engine_certificate_set(resident->engine, &spec, reason);
}
