/* SPDX-License-Identifier: MIT */
/*
 * An authority's settings, and what is learned of it. Its name in storage is the CA's host and the
 * beginning of the directory URL's SHA-256, so that two directories of one host are two accounts.
 * Invariant: all spans point into `texts`, which is replaced as a whole.
 */

#include <string.h>

#include "src/acme/url.h"
#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/engine/authority.h"

extern const struct air_job_type air_authority_job;

#define TEXTS_SIZE_MAX 32768
#define TRUST_SIZE_MAX 1024
#define EAB_SIZE_MAX 1024

/* What a CA that we know nothing about takes to validate, and one on this machine. */
#define LATENCY_UNKNOWN_MS 1000
#define LATENCY_LOOPBACK_MS 20
#define LATENCY_MIN_MS 250
#define LATENCY_MIN_LOOPBACK_MS 5
#define LATENCY_MAX_MS 15000

static bool is_account_name(air_span name) {
    for (size_t i = 0; i < name.size; i++) {
        const uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return name.size <= AIR_ACCOUNT_SIZE_MAX;
}

/* Whether it is a key that can be used, so that nobody waits for an order to learn it. */
static enum air_error check_key(const struct air_crypto *crypto, air_span pem) {
    uint64_t key = 0;
    if (pem.size == 0) {
        return AIR_OK;
    }
    const enum air_error error = crypto->key_import(crypto->self, pem, &key);
    if (error == AIR_OK) {
        crypto->key_free(crypto->self, key);
    }
    return error;
}

static bool is_acceptable(const struct air_authority_spec *spec) {
    if (!air_url_is_acceptable(spec->directory_url) || spec->trust.size > TRUST_SIZE_MAX ||
        spec->contacts_count > AIR_CONTACTS_MAX || spec->eab_kid.size > EAB_SIZE_MAX ||
        spec->eab_mac_key.size > EAB_SIZE_MAX || !is_account_name(spec->account) ||
        (spec->eab_kid.size > 0) != (spec->eab_mac_key.size > 0)) {
        return false;
    }
    for (size_t i = 0; i < spec->contacts_count; i++) {
        if (!air_span_starts_with(spec->contacts[i], "mailto:") || spec->contacts[i].size > 512) {
            return false;
        }
    }
    return spec->account_key_type <= AIR_KEY_RSA_4096;
}

/* Append a text and return where it will lie once the buffer stops growing. */
static air_span add(struct air_buffer *texts, air_span text) {
    const size_t begin = texts->size;
    air_buffer_append_span(texts, text);
    return air_span_of(texts->data + begin, texts->error == AIR_OK ? text.size : 0);
}

static air_span add_folder(
    struct air_authority *authority, air_span directory_url, air_span account) {
    const struct air_crypto *crypto = authority->session.crypto;
    const air_span host = air_url_host(directory_url);
    struct air_buffer *texts = &authority->texts;
    const size_t begin = texts->size;
    uint8_t digest[AIR_SHA256_SIZE];
    const enum air_error error = crypto->sha256(crypto->self, directory_url, digest);
    if (error != AIR_OK && texts->error == AIR_OK) {
        texts->error = error;
    }
    air_buffer_append_text(texts, "accounts/");
    for (size_t i = 0; i < host.size && i < 64; i++) {
        const uint8_t c = host.data[i];
        const bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '.' && i > 0);
        air_buffer_append_byte(texts, is_plain ? c : '-');
    }
    air_buffer_append_byte(texts, '-');
    air_hex_encode(air_span_of(digest, 8), texts);
    if (account.size > 0) {
        air_buffer_append_byte(texts, '-');
        air_buffer_append_span(texts, account);
    }
    return air_span_of(texts->data + begin, texts->size - begin);
}

enum air_error air_authority_change(
    struct air_authority *authority, const struct air_authority_spec *spec) {
    if (!is_acceptable(spec)) {
        return AIR_ERR_ARGUMENT;
    }
    enum air_error error = check_key(authority->session.crypto, spec->account_key);
    if (error != AIR_OK) {
        return error;
    }
    struct air_authority fresh = {.session = {.crypto = authority->session.crypto}};
    air_buffer_init(&fresh.texts, TEXTS_SIZE_MAX);
    air_buffer_init(&fresh.given_key, AIR_KEY_PEM_SIZE_MAX);
    error = air_buffer_append_span(&fresh.given_key, spec->account_key);
    if (air_buffer_extend(&fresh.texts, TEXTS_SIZE_MAX / 2) != NULL) {
        air_buffer_truncate(&fresh.texts, 0); /* room first: spans must not move */
    }
    const air_span url = add(&fresh.texts, spec->directory_url);
    const air_span trust = add(&fresh.texts, spec->trust);
    for (size_t i = 0; i < spec->contacts_count; i++) {
        fresh.contacts[i] = add(&fresh.texts, spec->contacts[i]);
    }
    fresh.eab_kid = add(&fresh.texts, spec->eab_kid);
    fresh.eab_mac_key = add(&fresh.texts, spec->eab_mac_key);
    fresh.account = add(&fresh.texts, spec->account);
    fresh.folder = add_folder(&fresh, spec->directory_url, spec->account);
    error = error == AIR_OK ? fresh.texts.error : error;
    if (error != AIR_OK) {
        air_buffer_deinit(&fresh.texts);
        air_buffer_deinit(&fresh.given_key);
        return error;
    }
    air_buffer_deinit(&authority->texts);
    air_buffer_deinit(&authority->given_key);
    authority->texts = fresh.texts;
    authority->given_key = fresh.given_key;
    authority->account = fresh.account;
    authority->session.directory_url = url;
    authority->session.trust = trust;
    memcpy(authority->contacts, fresh.contacts, sizeof fresh.contacts);
    authority->contacts_count = spec->contacts_count;
    authority->eab_kid = fresh.eab_kid;
    authority->eab_mac_key = fresh.eab_mac_key;
    authority->folder = fresh.folder;
    authority->terms_agreed = spec->terms_agreed;
    authority->account_key_type =
        spec->account_key_type != AIR_KEY_NONE ? spec->account_key_type : AIR_KEY_ECDSA_P256;
    return AIR_OK;
}

enum air_error air_authority_new(
    struct air_engine *engine, const struct air_authority_spec *spec, struct air_authority **out) {
    struct air_authority *authority = air_memory_new(sizeof *authority);
    if (authority == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    authority->job.type = &air_authority_job;
    authority->job.engine = engine;
    authority->job.is_over = true;
    authority->session.crypto = engine->crypto;
    air_buffer_init(&authority->account_url, AIR_URL_SIZE_MAX);
    air_buffer_init(&authority->new_key, AIR_KEY_PEM_SIZE_MAX);
    air_buffer_init(&authority->failure_text, 1024);
    const enum air_error error = air_authority_change(authority, spec);
    if (error != AIR_OK) {
        air_authority_free(authority);
        return error;
    }
    authority->latency_ms =
        air_url_is_loopback(spec->directory_url) ? LATENCY_LOOPBACK_MS : LATENCY_UNKNOWN_MS;
    *out = authority;
    return AIR_OK;
}

void air_authority_free(struct air_authority *authority) {
    if (authority == NULL) {
        return;
    }
    const struct air_crypto *crypto = authority->session.crypto;
    air_job_deinit(&authority->job);
    crypto->key_free(crypto->self, authority->session.account_key);
    air_directory_deinit(&authority->directory);
    air_buffer_deinit(&authority->texts);
    air_buffer_deinit(&authority->given_key);
    air_buffer_deinit(&authority->account_url);
    air_buffer_deinit(&authority->new_key);
    air_buffer_deinit(&authority->failure_text);
    air_memory_free(authority, sizeof *authority);
}

air_span air_authority_directory_url(const struct air_authority *authority) {
    return authority->session.directory_url;
}

void air_authority_forget_account(struct air_authority *authority) {
    const air_time_ms again_ms = authority->registered_again_ms;
    const air_time_ms since_ms = authority->job.engine->now.wall_ms - again_ms;
    const bool is_rare = again_ms == 0 || since_ms > AIR_DAY_MS || since_ms < 0;
    if (authority->state == AIR_AUTHORITY_READY && is_rare) {
        authority->is_account_lost = true;
        authority->session.account_url = air_span_text(NULL);
        authority->state = AIR_AUTHORITY_IDLE;
    }
}

void air_authority_forget_directory(struct air_authority *authority) {
    if (authority->state == AIR_AUTHORITY_READY) {
        authority->state = AIR_AUTHORITY_IDLE;
    }
}

void air_authority_learn(struct air_authority *authority, air_time_ms took_ms, bool is_first) {
    air_time_ms latency_ms = authority->latency_ms;
    latency_ms = is_first ? latency_ms * 3 / 4 : (latency_ms + took_ms) / 2;
    const air_time_ms min_ms = air_url_is_loopback(authority->session.directory_url)
                                   ? LATENCY_MIN_LOOPBACK_MS
                                   : LATENCY_MIN_MS;
    latency_ms = latency_ms < min_ms ? min_ms : latency_ms;
    authority->latency_ms = latency_ms > LATENCY_MAX_MS ? LATENCY_MAX_MS : latency_ms;
}
