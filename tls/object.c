/* SPDX-License-Identifier: MIT */
/*
 * The object and its table's public functions: arguments are checked and parsed here, outside the
 * lock that changes take; table.c does the rest.
 * Invariant: OpenSSL's error queue is left as it was found.
 */

#include "tls/object.h"

#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/crypto.h"
#include "tls/challenge.h"

/* A CA's limit is 100; memory for a caller's mistake is bounded. */
#define NAMES_COUNT_MAX 1024

struct names {
    struct air_buffer text;
    air_span *spans;
    size_t count;
};

static enum air_error names_init(struct names *names, const air_span *raw, size_t count);
static void names_deinit(struct names *names);
static enum air_error normalize_host(air_span name, struct air_buffer *out);

enum air_error air_tls_new(struct air_tls **out) {
    struct air_tls *tls = air_memory_new(sizeof(*tls));
    if (tls == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = air_table_init(&tls->table);
    if (error != AIR_OK) {
        air_memory_free(tls, sizeof(*tls));
        return error;
    }
    tls->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    error = air_challenge_context_new(&tls->challenge_context);
    if (error != AIR_OK || tls->sha256 == NULL) {
        air_tls_free(tls);
        return AIR_ERR_CRYPTO;
    }
    *out = tls;
    return AIR_OK;
}

void air_tls_free(struct air_tls *tls) {
    if (tls == NULL) {
        return;
    }
    while (tls->attachments != NULL) {
        struct air_attachment *next = tls->attachments->next;
        air_memory_free(tls->attachments, sizeof(*tls->attachments) + tls->attachments->alpn_size);
        tls->attachments = next;
    }
    SSL_CTX_free(tls->challenge_context);
    EVP_MD_free(tls->sha256);
    air_table_deinit(&tls->table);
    air_memory_free(tls, sizeof(*tls));
}

enum air_error air_tls_certificate_set(struct air_tls *tls, air_span id, enum air_key_type key_type,
    const air_span *names, size_t names_count, air_span chain, air_span key,
    struct air_buffer *reason) {
    struct names normal = {0};
    struct air_bundle *bundle = NULL;
    if (id.size == 0 || key_type == AIR_KEY_NONE) {
        return AIR_ERR_ARGUMENT;
    }
    enum air_error error = names_init(&normal, names, names_count);
    if (error != AIR_OK) {
        air_reason_add(reason, "a name cannot be served: ");
        air_reason_add(reason, air_error_text(error));
        goto done;
    }
    error = air_bundle_new(chain, key, key_type, reason, &bundle);
    if (error != AIR_OK) {
        goto done;
    }
    error = air_table_set(&tls->table, id, normal.spans, normal.count, bundle);
    if (error == AIR_ERR_EXISTS) {
        air_reason_add(reason, "a name is served for another certificate");
    }
    if (error != AIR_OK) {
        air_bundle_release(bundle);
    }
done:
    names_deinit(&normal);
    return error;
}

enum air_error air_tls_certificate_remove(
    struct air_tls *tls, air_span id, enum air_key_type key_type) {
    return air_table_remove(&tls->table, id, key_type);
}

enum air_error air_tls_default_set(struct air_tls *tls, air_span id) {
    return air_table_default_set(&tls->table, id);
}

enum air_error air_tls_challenge_set(
    struct air_tls *tls, air_span name, air_span certificate, air_span key) {
    struct air_bundle *bundle = NULL;
    struct air_buffer host;
    air_buffer_init(&host, AIR_NAME_SIZE_MAX);
    enum air_error error = normalize_host(name, &host);
    if (error == AIR_OK) {
        error = air_bundle_new(certificate, key, AIR_KEY_NONE, NULL, &bundle);
    }
    if (error == AIR_OK) {
        error = air_table_challenge_set(&tls->table, air_buffer_span(&host), bundle);
        if (error != AIR_OK) {
            air_bundle_release(bundle);
        }
    }
    air_buffer_deinit(&host);
    return error;
}

enum air_error air_tls_challenge_publish(struct air_tls *tls, const struct air_crypto *crypto,
    air_span name, const uint8_t *digest, air_time_ms now_wall_ms) {
    struct air_buffer certificate;
    struct air_buffer key;
    air_buffer_init(&certificate, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&key, AIR_KEY_PEM_SIZE_MAX);
    enum air_error error =
        crypto->challenge_certificate(crypto->self, name, digest, now_wall_ms, &certificate, &key);
    if (error == AIR_OK) {
        error =
            air_tls_challenge_set(tls, name, air_buffer_span(&certificate), air_buffer_span(&key));
    }
    air_buffer_deinit(&certificate);
    air_buffer_deinit(&key);
    return error;
}

void air_tls_challenge_remove(struct air_tls *tls, air_span name) {
    struct air_hello_name host; /* not an air_buffer: this call cannot fail */
    air_hello_name_set(name, &host);
    if (host.size > 0) {
        air_table_challenge_remove(&tls->table, air_span_of(host.bytes, host.size));
    }
}

size_t air_tls_challenges_count(struct air_tls *tls) {
    return air_table_challenges_count(&tls->table);
}

/* Spans point into the text only when it has stopped growing. */
static enum air_error names_init(struct names *names, const air_span *raw, size_t count) {
    air_buffer_init(&names->text, NAMES_COUNT_MAX * AIR_NAME_SIZE_MAX);
    if (count > NAMES_COUNT_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (count == 0) {
        return AIR_OK;
    }
    names->spans = air_memory_new(count * sizeof(*names->spans));
    if (names->spans == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    names->count = count;
    for (size_t i = 0; i < count; i++) {
        size_t before = names->text.size;
        enum air_error error = air_name_normalize(raw[i], &names->text);
        if (error != AIR_OK) {
            return error;
        }
        names->spans[i].size = names->text.size - before;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        names->spans[i].data = names->text.data + at;
        at += names->spans[i].size;
    }
    return AIR_OK;
}

static void names_deinit(struct names *names) {
    air_buffer_deinit(&names->text);
    air_memory_free(names->spans, names->count * sizeof(*names->spans));
}

/* A validation's name is one host's: never a wildcard. */
static enum air_error normalize_host(air_span name, struct air_buffer *out) {
    return air_name_is_wildcard(name) ? AIR_ERR_BAD_NAME : air_name_normalize(name, out);
}
