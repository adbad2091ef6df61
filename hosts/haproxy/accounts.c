/* SPDX-License-Identifier: MIT */
/*
 * Accounts that clients bring with their orders: an authority of the engine's each, kept for their
 * next order. Which are kept, and what memory holds of them, is bounded here: the one that was used
 * longest ago goes first.
 *
 * Invariant: an account that a certificate of the engine's refers to stays.
 */

#include <stdio.h>
#include <string.h>

#include "hosts/haproxy/inside.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* Accounts that are kept although nobody orders with them now. */
#define IDLE_MAX 64

struct search {
    const char *label;
    char folder[AIR_STORAGE_SEGMENT_SIZE_MAX + 1];
};

static void limit(struct air_haproxy *haproxy);
static void forget_records(struct air_haproxy *haproxy, const char *label);
static bool is_ours(void *context, air_span segment);

enum air_error air_accounts_use(struct air_haproxy *haproxy, const char *label, air_span key) {
    struct air_authority_spec authority = haproxy->authority;
    struct air_account_entry **place = &haproxy->accounts;
    while (*place != NULL && strcmp((*place)->label, label) != 0) {
        place = &(*place)->next;
    }
    struct air_account_entry *entry = *place;
    if (entry == NULL) {
        entry = air_memory_new(sizeof(*entry));
        if (entry == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        (void)snprintf(entry->label, sizeof(entry->label), "%s", label);
    } else {
        *place = entry->next;
    }
    entry->next = haproxy->accounts;
    haproxy->accounts = entry;
    authority.account = air_span_text(entry->label);
    authority.account_key = key;
    const enum air_error error = air_engine_authority_set(haproxy->engine, &authority);
    limit(haproxy);
    return error;
}

void air_accounts_free(struct air_haproxy *haproxy) {
    while (haproxy->accounts != NULL) {
        struct air_account_entry *entry = haproxy->accounts;
        haproxy->accounts = entry->next;
        air_memory_free(entry, sizeof(*entry));
    }
}

static void limit(struct air_haproxy *haproxy) {
    size_t count = 0;
    for (struct air_account_entry **place = &haproxy->accounts; *place != NULL;) {
        struct air_account_entry *entry = *place;
        if (++count <= IDLE_MAX ||
            air_engine_authority_remove(haproxy->engine, haproxy->authority.directory_url,
                air_span_text(entry->label)) == AIR_ERR_BUSY) {
            place = &entry->next;
            continue;
        }
        forget_records(haproxy, entry->label);
        *place = entry->next;
        air_memory_free(entry, sizeof(*entry));
    }
}

/* The account's folder ends with its label. */
static void forget_records(struct air_haproxy *haproxy, const char *label) {
    struct air_storage *memory = haproxy->memory;
    struct search search = {.label = label};
    char path[AIR_STORAGE_PATH_SIZE_MAX + 1];
    const enum air_error error = memory->list(
        memory->self, air_span_text("accounts"), air_span_of(NULL, 0), is_ours, &search);
    if (error == AIR_OK && search.folder[0] != '\0') {
        (void)snprintf(path, sizeof(path), "accounts/%s", search.folder);
        air_storage_memory_forget(memory, air_span_text(path));
    }
}

static bool is_ours(void *context, air_span segment) {
    struct search *search = context;
    const size_t size = strlen(search->label);
    if (segment.size < size || segment.size >= sizeof(search->folder) ||
        !air_span_equal_text(air_span_skip(segment, segment.size - size), search->label)) {
        return true;
    }
    (void)snprintf(search->folder, sizeof(search->folder), "%.*s", (int)segment.size,
        (const char *)segment.data);
    return false;
}
