/* SPDX-License-Identifier: MIT */
/*
 * Orders of clients. Each is a certificate of the engine's for as long as it takes; its id is made
 * of everything that was asked for, so that the same request finds the same order. When it has
 * ended, the engine forgets it (nobody asked for renewals), and what was kept of it in memory is
 * dropped after a while.
 *
 * Invariant: an entry that is running is a certificate of the engine's; one that has ended is none,
 * unless it is managed from now on, or was before.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/haproxy/inside.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "thinair/jose.h"

/* Orders at once; ended ones that are remembered, and for how long. More than ENDED_MAX are kept
 * only until who asked for them has had time to hear. */
#define RUNNING_MAX 1000
#define ENDED_MAX 64
#define FRESH_MS (60 * 60 * INT64_C(1000))
#define UNREAD_MS (60 * INT64_C(1000))
#define READ_MS (5 * INT64_C(1000))
#define EXPIRE_EACH_MS 100

/* An order that runs for longer is looked at, lest the event that ends it was lost for want of
 * memory. */
#define AUDIT_MS (10 * INT64_C(1000))

#define DIGEST_TEXT_SIZE_MAX 65536

#define RELOADED "this HAProxy process is ending after a reload: ask again"

/* What is known of a request's keys. */
struct keys {
    air_span domain;
    air_span account;
    char account_label[AIR_ACCOUNT_SIZE_MAX + 1];
    uint8_t wish[AIR_SHA256_SIZE]; /* of everything that was asked for */
};

static enum air_error check_keys(struct air_haproxy *haproxy, struct air_order_request *request,
    struct keys *keys, struct air_refusal *refusal);
static enum air_error read_key(struct air_haproxy *haproxy, const char *field, air_span pem,
    struct air_public_key *out, struct air_refusal *refusal);
static void name_by_digest(char *out, size_t size, const char *prefix, const uint8_t *digest);
static enum air_error digest_wish(
    struct air_haproxy *haproxy, const struct air_order_request *request, struct keys *keys);
static enum air_error make_id(const struct air_order_request *request, const struct keys *keys,
    char id[AIR_HAPROXY_ID_SIZE], struct air_refusal *refusal);
static enum air_error join(
    struct air_order_entry *known, const struct keys *keys, struct air_refusal *refusal);
static enum air_error start(struct air_haproxy *haproxy, const struct air_order_request *request,
    const struct keys *keys, const char *id, struct air_refusal *refusal);
static void end_lineage(
    struct air_haproxy *haproxy, struct air_order_entry *entry, enum air_key_type key_type);
static void audit(struct air_haproxy *haproxy, air_time_ms boot_ms);
static struct air_order_entry **find(struct air_haproxy *haproxy, air_span id);
static void drop(struct air_haproxy *haproxy, struct air_order_entry **place);
static void forget_records(struct air_haproxy *haproxy, air_span id);
static void fail(struct air_haproxy *haproxy, struct air_order_entry *entry, air_span text);
static void end(struct air_haproxy *haproxy, struct air_order_entry *entry,
    enum air_order_state state, air_span text);

enum air_error air_haproxy_order(struct air_haproxy *haproxy, struct air_order_request *request,
    char id[AIR_HAPROXY_ID_SIZE], struct air_refusal *refusal) {
    struct keys keys = {.domain = request->domain_key, .account = request->account_key};
    (void)pthread_mutex_lock(&haproxy->mutex);
    enum air_error error = check_keys(haproxy, request, &keys, refusal);
    if (error == AIR_OK && request->key_types_count == 0) {
        request->key_types[0] = AIR_KEY_ECDSA_P256;
        request->key_types_count = 1;
    }
    if (error == AIR_OK) {
        error = digest_wish(haproxy, request, &keys);
    }
    if (error == AIR_OK) {
        error = make_id(request, &keys, id, refusal);
    }
    if (error == AIR_OK && request->managed) {
        error = air_managed_check(haproxy, air_span_text(id), request, refusal);
    }
    if (error == AIR_OK) {
        struct air_order_entry *entry = *find(haproxy, air_span_text(id));
        const bool is_there =
            entry != NULL && (entry->view.state == AIR_ORDER_RUNNING ||
                                 (entry->view.state == AIR_ORDER_DONE && !entry->is_managed));
        error =
            is_there ? join(entry, &keys, refusal) : start(haproxy, request, &keys, id, refusal);
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
    if (error != AIR_OK && refusal->status == 0) {
        (void)air_refusal_set(refusal, error, "%s", air_error_text(error));
    }
    return error;
}

uint64_t air_haproxy_orders_ended(struct air_haproxy *haproxy) {
    return atomic_load(&haproxy->orders_ended);
}

void air_haproxy_order_view(struct air_haproxy *haproxy, air_span id, struct air_order_view *view) {
    *view = (struct air_order_view){.state = AIR_ORDER_UNHEARD};
    (void)pthread_mutex_lock(&haproxy->mutex);
    struct air_order_entry *entry = *find(haproxy, id);
    if (entry != NULL) {
        *view = entry->view;
        entry->reads_count += entry->view.state == AIR_ORDER_FAILED ? AIR_KEY_TYPES_MAX : 0;
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
}

enum air_error air_haproxy_order_read(
    struct air_haproxy *haproxy, air_span id, enum air_key_type key_type, struct air_buffer *out) {
    static const char *const parts[] = {"fullchain.pem", "privkey.pem"};
    struct air_storage *storage = &haproxy->route.port;
    enum air_error error = AIR_OK;
    (void)pthread_mutex_lock(&haproxy->mutex);
    struct air_order_entry *entry = *find(haproxy, id);
    if (entry != NULL) {
        entry->reads_count++;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && error == AIR_OK; i++) {
        char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
        uint64_t version = 0;
        (void)snprintf(path, sizeof(path), "live/%.*s/%s/%s", (int)id.size, (const char *)id.data,
            air_key_type_text(key_type), parts[i]);
        error = storage->read(storage->self, air_span_text(path), out, &version);
    }
    (void)pthread_mutex_unlock(&haproxy->mutex);
    return error;
}

void air_orders_hear(struct air_haproxy *haproxy, const struct air_event_action *event) {
    struct air_order_entry *entry = *find(haproxy, event->certificate);
    if (entry == NULL || entry->view.state != AIR_ORDER_RUNNING) {
        return;
    }
    if (event->event == AIR_EVENT_ATTEMPT_FAILED) {
        fail(haproxy, entry, event->text);
        return;
    }
    if (event->event != AIR_EVENT_INSTALLED && event->event != AIR_EVENT_VALID) {
        return;
    }
    end_lineage(haproxy, entry, event->key_type);
}

void air_orders_expire(struct air_haproxy *haproxy, air_time_ms boot_ms) {
    size_t ended_count = 0;
    if (boot_ms - haproxy->expired_boot_ms < EXPIRE_EACH_MS) {
        return;
    }
    haproxy->expired_boot_ms = boot_ms;
    audit(haproxy, boot_ms);
    for (struct air_order_entry **place = &haproxy->orders; *place != NULL;) {
        const struct air_order_entry *entry = *place;
        const air_time_ms age_ms = boot_ms - entry->ended_boot_ms;
        const bool has_ended = entry->view.state != AIR_ORDER_RUNNING;
        const bool is_read = entry->reads_count >= entry->view.key_types_count;
        ended_count += has_ended ? 1 : 0;
        if (has_ended && (age_ms > FRESH_MS || (ended_count > ENDED_MAX &&
                                                   age_ms > (is_read ? READ_MS : UNREAD_MS)))) {
            drop(haproxy, place);
        } else {
            place = &(*place)->next;
        }
    }
}

bool air_orders_leave(struct air_haproxy *haproxy) {
    struct air_order_entry *next = NULL;
    for (struct air_order_entry *entry = haproxy->orders; entry != NULL; entry = next) {
        next = entry->next; /* one that ends goes to the front */
        if (entry->is_managed && entry->view.state == AIR_ORDER_RUNNING) {
            end(haproxy, entry, AIR_ORDER_FAILED, air_span_text(RELOADED));
        }
    }
    return haproxy->orders_running == 0;
}

void air_orders_free(struct air_haproxy *haproxy) {
    while (haproxy->orders != NULL) {
        struct air_order_entry *entry = haproxy->orders;
        haproxy->orders = entry->next;
        air_memory_free(entry, sizeof(*entry));
    }
}

static enum air_error check_keys(struct air_haproxy *haproxy, struct air_order_request *request,
    struct keys *keys, struct air_refusal *refusal) {
    struct air_public_key domain = {.type = AIR_KEY_NONE};
    struct air_public_key account = {.type = AIR_KEY_NONE};
    if (keys->domain.size > 0) {
        enum air_error error = read_key(haproxy, "domain_key", keys->domain, &domain, refusal);
        if (error == AIR_OK) {
            error = air_order_request_settle(request, domain.type, refusal);
        }
        if (error != AIR_OK) {
            return error;
        }
    }
    if (keys->account.size == 0) {
        return AIR_OK;
    }
    const struct air_crypto *crypto = haproxy->crypto;
    char thumbprint[AIR_THUMBPRINT_SIZE];
    uint8_t digest[AIR_SHA256_SIZE] = {0};
    enum air_error error = read_key(haproxy, "account_key", keys->account, &account, refusal);
    if (error != AIR_OK) {
        return error;
    }
    if (account.type == domain.type && account.x_or_n_size == domain.x_or_n_size &&
        memcmp(account.x_or_n, domain.x_or_n, account.x_or_n_size) == 0) {
        return air_refusal_set(refusal, AIR_ERR_BAD_KEY,
            "domain_key is the account's key: a CA refuses that (RFC 8555 section 11.1)");
    }
    error = air_jwk_thumbprint(crypto, &account, thumbprint);
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_span_of(thumbprint, sizeof(thumbprint)), digest);
    }
    name_by_digest(
        keys->account_label, sizeof(keys->account_label), AIR_ROUTE_CLIENT_PREFIX, digest);
    return error;
}

static enum air_error read_key(struct air_haproxy *haproxy, const char *field, air_span pem,
    struct air_public_key *out, struct air_refusal *refusal) {
    const struct air_crypto *crypto = haproxy->crypto;
    uint64_t key = 0;
    enum air_error error = crypto->key_import(crypto->self, pem, &key);
    if (error == AIR_OK) {
        error = crypto->key_public(crypto->self, key, out);
        crypto->key_free(crypto->self, key);
    }
    if (error != AIR_OK) {
        return air_refusal_set(refusal, error == AIR_ERR_NO_MEMORY ? error : AIR_ERR_BAD_KEY,
            "%s: not an unencrypted private key of a supported type (ECDSA P-256 or P-384, RSA of "
            "2048, 3072 or 4096 bits)",
            field);
    }
    return AIR_OK;
}

/* The prefix and AIR_ROUTE_LABEL_DIGITS digits; out has room for more. */
static void name_by_digest(char *out, size_t size, const char *prefix, const uint8_t *digest) {
    int end = snprintf(out, size, "%s", prefix);
    for (size_t i = 0; i < AIR_ROUTE_LABEL_DIGITS / 2; i++) {
        end += snprintf(out + end, size - (size_t)end, "%02x", digest[i]);
    }
}

static enum air_error digest_wish(
    struct air_haproxy *haproxy, const struct air_order_request *request, struct keys *keys) {
    const struct air_crypto *crypto = haproxy->crypto;
    struct air_buffer text;
    air_buffer_init(&text, DIGEST_TEXT_SIZE_MAX);
    for (size_t i = 0; i < request->names_count; i++) {
        (void)air_buffer_append_span(&text, request->names[i]);
        (void)air_buffer_append_byte(&text, '\n');
    }
    for (size_t i = 0; i < request->key_types_count; i++) {
        (void)air_buffer_append_text(&text, air_key_type_text(request->key_types[i]));
        (void)air_buffer_append_byte(&text, '\n');
    }
    (void)air_buffer_append_text(&text, request->must_staple ? "staple\n" : "\n");
    (void)air_buffer_append_text(&text, keys->account_label);
    (void)air_buffer_append_byte(&text, '\n');
    enum air_error error = air_buffer_append_span(&text, keys->domain);
    if (error == AIR_OK) {
        error = crypto->sha256(crypto->self, air_buffer_span(&text), keys->wish);
    }
    air_buffer_deinit(&text);
    return error;
}

/* Managed: the first name. Else made of the wish. */
static enum air_error make_id(const struct air_order_request *request, const struct keys *keys,
    char id[AIR_HAPROXY_ID_SIZE], struct air_refusal *refusal) {
    if (request->managed) {
        const air_span name = request->names[0];
        (void)snprintf(id, AIR_HAPROXY_ID_SIZE, "%.*s", (int)name.size, (const char *)name.data);
        return name.size < AIR_HAPROXY_ID_SIZE
                   ? AIR_OK
                   : air_refusal_set(refusal, AIR_ERR_BAD_NAME,
                         "managed: the domain may have at most %d bytes", AIR_ID_SIZE_MAX);
    }
    name_by_digest(id, AIR_HAPROXY_ID_SIZE, AIR_ROUTE_ORDER_PREFIX, keys->wish);
    return AIR_OK;
}

/* One that is managed is known by its name alone: the rest may differ. */
static enum air_error join(
    struct air_order_entry *known, const struct keys *keys, struct air_refusal *refusal) {
    if (memcmp(known->wish, keys->wish, sizeof(keys->wish)) == 0) {
        known->reads_count = 0; /* one more wants to hear */
        return AIR_OK;
    }
    return air_refusal_set(refusal, AIR_ERR_EXISTS,
        "another order for %s is under way: ask again when it has ended", known->id);
}

/* Ask the engine for it. */
static enum air_error ask(struct air_haproxy *haproxy, const struct air_order_request *request,
    const struct keys *keys, const char *id, struct air_buffer *reason) {
    const air_span domain_keys[AIR_KEY_TYPES_MAX] = {keys->domain};
    struct air_certificate_spec spec = air_haproxy_spec(haproxy);
    enum air_error error = AIR_OK;
    spec.id = air_span_text(id);
    spec.names = request->names;
    spec.names_count = request->names_count;
    spec.key_types = request->key_types;
    spec.key_types_count = request->key_types_count;
    spec.keys = keys->domain.size > 0 ? domain_keys : NULL;
    spec.account = air_span_text(keys->account_label);
    spec.must_staple = request->must_staple;
    if (keys->account.size > 0) {
        error = air_accounts_use(haproxy, keys->account_label, keys->account);
    }
    if (error == AIR_OK && request->managed) {
        error = air_managed_note(haproxy, spec.id, false, request->must_staple);
    }
    if (error == AIR_OK && !air_managed_is_configured(haproxy, spec.id)) {
        error = air_engine_certificate_set(haproxy->engine, &spec, reason);
    }
    if (error == AIR_OK) {
        /* Whoever asks wants it now, whatever an earlier failure says. */
        error = air_engine_certificate_retry(haproxy->engine, spec.id);
    }
    return error;
}

static enum air_error start(struct air_haproxy *haproxy, const struct air_order_request *request,
    const struct keys *keys, const char *id, struct air_refusal *refusal) {
    struct air_buffer reason;
    struct air_order_entry **old = find(haproxy, air_span_text(id));
    if (haproxy->orders_running == RUNNING_MAX || haproxy->has_left) {
        (void)air_refusal_set(refusal, AIR_ERR_BUSY,
            haproxy->has_left ? RELOADED : "too many orders are under way: try again");
        return AIR_ERR_LIMIT;
    }
    struct air_order_entry *entry = air_memory_new(sizeof(*entry));
    if (entry == NULL) {
        return air_refusal_set(refusal, AIR_ERR_NO_MEMORY, "no memory for the order");
    }
    entry->was_managed = request->managed && air_managed_has(haproxy, air_span_text(id));
    air_buffer_init(&reason, 512);
    enum air_error error = ask(haproxy, request, keys, id, &reason);
    if (error != AIR_OK) {
        if (reason.size > 0) {
            (void)air_refusal_set(refusal, error == AIR_ERR_ARGUMENT ? AIR_ERR_BAD_NAME : error,
                "%.*s", (int)reason.size, (const char *)reason.data);
        }
        if (!entry->was_managed) {
            air_managed_forget(haproxy, air_span_text(id));
        }
        air_memory_free(entry, sizeof(*entry));
        air_buffer_deinit(&reason);
        return error;
    }
    air_buffer_deinit(&reason);
    if (*old != NULL) { /* its records stay: they may be what is asked for */
        struct air_order_entry *ended = *old;
        *old = ended->next;
        air_memory_free(ended, sizeof(*ended));
    }
    (void)snprintf(entry->id, sizeof(entry->id), "%s", id);
    (void)snprintf(entry->view.domain, sizeof(entry->view.domain), "%.*s",
        (int)request->names[0].size, (const char *)request->names[0].data);
    entry->view.state = AIR_ORDER_RUNNING;
    entry->view.key_types_count = request->key_types_count;
    memcpy(entry->view.key_types, request->key_types, sizeof(entry->view.key_types));
    memcpy(entry->wish, keys->wish, sizeof(entry->wish));
    entry->is_managed = request->managed;
    entry->must_staple = request->must_staple;
    entry->begun_boot_ms = haproxy->clock().boot_ms;
    entry->next = haproxy->orders;
    haproxy->orders = entry;
    haproxy->orders_running++;
    return AIR_OK;
}

/* One key type's certificate is there. */
static void end_lineage(
    struct air_haproxy *haproxy, struct air_order_entry *entry, enum air_key_type key_type) {
    bool is_done = true;
    for (size_t i = 0; i < entry->view.key_types_count; i++) {
        entry->has_ended[i] = entry->has_ended[i] || entry->view.key_types[i] == key_type;
        is_done = is_done && entry->has_ended[i];
    }
    if (is_done) {
        end(haproxy, entry, AIR_ORDER_DONE, air_span_of(NULL, 0));
    }
}

/* Look at one lineage, the next one each time. */
static void audit(struct air_haproxy *haproxy, air_time_ms boot_ms) {
    struct air_status status;
    if (air_engine_status(haproxy->engine, haproxy->audit_next, &status) != AIR_OK) {
        haproxy->audit_next = 0;
        return;
    }
    haproxy->audit_next++;
    struct air_order_entry *entry = *find(haproxy, status.certificate);
    if (entry == NULL || entry->view.state != AIR_ORDER_RUNNING ||
        boot_ms - entry->begun_boot_ms < AUDIT_MS) {
        return;
    }
    if (status.state == AIR_STATE_RETRYING) {
        fail(haproxy, entry, status.last_error);
    } else if (status.state == AIR_STATE_WAITING && status.generation > 0 && status.is_current) {
        end_lineage(haproxy, entry, status.key_type);
    }
}

/* After a reload, the CA's questions reach the new process, which does not know what this one was
 * to answer: whatever the CA says, it is worth another try. */
static void fail(struct air_haproxy *haproxy, struct air_order_entry *entry, air_span text) {
    char sentence[AIR_HAPROXY_FAILURE_SIZE];
    if (haproxy->has_left) {
        (void)snprintf(sentence, sizeof(sentence), RELOADED " (%.*s)", (int)text.size,
            text.size > 0 ? (const char *)text.data : "");
        text = air_span_text(sentence);
    }
    end(haproxy, entry, AIR_ORDER_FAILED, text);
}

static struct air_order_entry **find(struct air_haproxy *haproxy, air_span id) {
    struct air_order_entry **place = &haproxy->orders;
    while (*place != NULL && !air_span_equal_text(id, (*place)->id)) {
        place = &(*place)->next;
    }
    return place;
}

static void end(struct air_haproxy *haproxy, struct air_order_entry *entry,
    enum air_order_state state, air_span text) {
    const air_span id = air_span_text(entry->id);
    struct air_order_entry **place = find(haproxy, id);
    *place = entry->next;
    entry->next = haproxy->orders;
    haproxy->orders = entry;
    entry->view.state = state;
    entry->ended_boot_ms = haproxy->clock().boot_ms;
    haproxy->orders_running--;
    atomic_fetch_add(&haproxy->orders_ended, 1);
    (void)snprintf(entry->view.failure, sizeof(entry->view.failure), "%.*s", (int)text.size,
        text.size > 0 ? (const char *)text.data : "");
    if (entry->is_managed && state == AIR_ORDER_DONE) {
        /* The engine keeps it, and renews it. */
        if (haproxy->files != NULL &&
            air_adopted_store(haproxy, id, entry->must_staple) != AIR_OK) {
            (void)snprintf(entry->view.failure, sizeof(entry->view.failure),
                "it is there, but not remembered for the next start");
        }
        return;
    }
    if (entry->was_managed) {
        return; /* it is tried again as all that is managed */
    }
    air_managed_forget(haproxy, id);
    if (air_engine_certificate_remove(haproxy->engine, id) == AIR_OK && state == AIR_ORDER_FAILED) {
        forget_records(haproxy, id);
    }
}

static void drop(struct air_haproxy *haproxy, struct air_order_entry **place) {
    struct air_order_entry *entry = *place;
    forget_records(haproxy, air_span_text(entry->id));
    *place = entry->next;
    air_memory_free(entry, sizeof(*entry));
}

/* Only what is in memory: what is managed stays. */
static void forget_records(struct air_haproxy *haproxy, air_span id) {
    static const char *const tops[] = {"certificates/", "live/"};
    for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]) && !air_haproxy_is_managed(id); i++) {
        char folder[AIR_HAPROXY_ID_SIZE + 16];
        (void)snprintf(
            folder, sizeof(folder), "%s%.*s", tops[i], (int)id.size, (const char *)id.data);
        air_storage_memory_forget(haproxy->memory, air_span_text(folder));
    }
}
