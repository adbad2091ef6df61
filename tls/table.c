/* SPDX-License-Identifier: MIT */
/*
 * The certificates by name. A look-up is a read section (readers.h) with at most two probes and two
 * reference counts: no lock, no allocation, no I/O, whatever a change is doing.
 *
 * A change prepares all that can fail, then publishes by single stores: a bundle by one pointer in
 * its entry, a name by one slot. What it took out is freed after air_readers_wait(); a bundle lives
 * on while a handshake holds a reference. Swapping a certificate touches one entry.
 *
 * Invariant: an entry in the table has at least one bundle, and only names that lead to it.
 */

#include "tls/table.h"

#include <string.h>

#include <openssl/rand.h>

#include "src/base/memory.h"
#include "src/base/span.h"

struct name {
    struct air_index_node node; /* key: text */
    struct air_entry *entry;
    struct name *next;      /* of the same entry; for changes only */
    uint64_t change_number; /* the last change that asked for it; for changes only */
    uint8_t text[];
};

/* What is served for one id. */
struct air_entry {
    struct air_index_node node; /* key: id */
    _Atomic(struct air_bundle *) bundles[AIR_FAMILIES_COUNT];
    struct name *names; /* for changes only */
    uint8_t id[];
};

struct challenge {
    struct air_index_node node; /* key: name */
    _Atomic(struct air_bundle *) bundle;
    uint8_t name[];
};

/* All that a call of air_table_set() needs, before anything is published. */
struct plan {
    struct air_entry *entry;
    bool is_new;
    struct name *fresh; /* names that are not in the table yet */
    size_t fresh_count;
};

static struct air_entry *find_entry(
    const struct air_table *table, const struct air_hello_name *name);
static struct air_entry *find_wildcard(
    const struct air_table *table, const struct air_hello_name *name);
static enum air_error plan_make(struct air_table *table, air_span id, const air_span *names,
    size_t names_count, struct plan *plan);
static enum air_error plan_name(struct air_table *table, struct plan *plan, air_span text);
static void plan_discard(struct plan *plan);
static void plan_publish(struct air_table *table, struct plan *plan, struct air_bundle *bundle);
static struct name *take_stale_names(struct air_table *table, struct air_entry *entry);
static void drop_entry(struct air_table *table, struct air_entry *entry);
static void drop_bundle(struct air_table *table, struct air_bundle *bundle);
static struct air_entry *entry_new(air_span id);
static void entry_free(struct air_entry *entry);
static void names_free(struct name *names);
static void free_entry_node(struct air_index_node *node, void *context);
static void free_challenge_node(struct air_index_node *node, void *context);

enum air_error air_table_init(struct air_table *table) {
    memset(table, 0, sizeof(*table));
    if (RAND_bytes(table->seed, sizeof(table->seed)) != 1) {
        return AIR_ERR_CRYPTO;
    }
    if (pthread_mutex_init(&table->change, NULL) != 0) {
        return AIR_ERR_NO_MEMORY;
    }
    air_index_init(&table->names, &table->readers, table->seed);
    air_index_init(&table->challenges, &table->readers, table->seed);
    air_index_init(&table->ids, &table->readers, table->seed);
    return AIR_OK;
}

void air_table_deinit(struct air_table *table) {
    air_index_each(&table->ids, free_entry_node, table);
    air_index_each(&table->challenges, free_challenge_node, table);
    air_index_deinit(&table->ids);
    air_index_deinit(&table->names);
    air_index_deinit(&table->challenges);
    air_memory_free(table->default_id, table->default_id_size);
    (void)pthread_mutex_destroy(&table->change);
}

bool air_table_choose(struct air_table *table, const void *spread,
    const struct air_hello_name *name, struct air_choice *out) {
    bool is_found = false;
    struct air_reader reader = air_readers_enter(&table->readers, spread);
    struct air_entry *entry = find_entry(table, name);
    for (size_t i = 0; i < AIR_FAMILIES_COUNT; i++) {
        out->bundles[i] = entry == NULL ? NULL : atomic_load(&entry->bundles[i]);
        air_bundle_retain(out->bundles[i]);
        is_found = is_found || out->bundles[i] != NULL;
    }
    air_readers_leave(reader);
    return is_found;
}

void air_choice_release(struct air_choice *choice) {
    for (size_t i = 0; i < AIR_FAMILIES_COUNT; i++) {
        air_bundle_release(choice->bundles[i]);
    }
}

bool air_table_knows(
    struct air_table *table, const void *spread, const struct air_hello_name *name) {
    struct air_reader reader = air_readers_enter(&table->readers, spread);
    bool is_found = find_entry(table, name) != NULL;
    air_readers_leave(reader);
    return is_found;
}

struct air_bundle *air_table_challenge(
    struct air_table *table, const void *spread, const struct air_hello_name *name) {
    struct air_bundle *bundle = NULL;
    if (name->size == 0) {
        return NULL;
    }
    struct air_reader reader = air_readers_enter(&table->readers, spread);
    struct air_index_node *node =
        air_index_find(&table->challenges, air_span_of(name->bytes, name->size));
    if (node != NULL) {
        bundle = atomic_load(&((struct challenge *)node)->bundle);
        air_bundle_retain(bundle);
    }
    air_readers_leave(reader);
    return bundle;
}

enum air_error air_table_set(struct air_table *table, air_span id, const air_span *names,
    size_t names_count, struct air_bundle *bundle) {
    struct plan plan = {0};
    pthread_mutex_lock(&table->change);
    enum air_error error = plan_make(table, id, names, names_count, &plan);
    if (error == AIR_OK) {
        plan_publish(table, &plan, bundle);
    } else {
        plan_discard(&plan);
    }
    pthread_mutex_unlock(&table->change);
    return error;
}

enum air_error air_table_remove(struct air_table *table, air_span id, enum air_key_type key_type) {
    enum air_error error = AIR_OK;
    enum air_family family = AIR_FAMILY_EC;
    pthread_mutex_lock(&table->change);
    struct air_entry *entry = (struct air_entry *)air_index_find(&table->ids, id);
    struct air_bundle *bundle = NULL;
    struct air_bundle *other = NULL;
    if (entry != NULL && air_family_of(key_type, &family)) {
        bundle = atomic_load(&entry->bundles[family]);
        other = atomic_load(&entry->bundles[AIR_FAMILIES_COUNT - 1 - family]);
    }
    if (entry == NULL ||
        (key_type != AIR_KEY_NONE && (bundle == NULL || bundle->key_type != key_type))) {
        error = AIR_ERR_NOT_FOUND;
    } else if (other != NULL) {
        atomic_store(&entry->bundles[family], NULL);
        air_readers_wait(&table->readers);
        drop_bundle(table, bundle);
    } else {
        drop_entry(table, entry);
    }
    pthread_mutex_unlock(&table->change);
    return error;
}

enum air_error air_table_default_set(struct air_table *table, air_span id) {
    uint8_t *copy = air_memory_new(id.size);
    if (copy == NULL && id.size > 0) {
        return AIR_ERR_NO_MEMORY;
    }
    pthread_mutex_lock(&table->change);
    struct air_entry *entry = NULL;
    if (id.size > 0) {
        memcpy(copy, id.data, id.size);
        entry = (struct air_entry *)air_index_find(&table->ids, id);
    }
    atomic_store(&table->default_entry, entry);
    air_memory_free(table->default_id, table->default_id_size);
    table->default_id = copy;
    table->default_id_size = id.size;
    pthread_mutex_unlock(&table->change);
    return AIR_OK;
}

enum air_error air_table_challenge_set(
    struct air_table *table, air_span name, struct air_bundle *bundle) {
    enum air_error error = AIR_OK;
    struct challenge *fresh = NULL;
    pthread_mutex_lock(&table->change);
    struct challenge *challenge = (struct challenge *)air_index_find(&table->challenges, name);
    if (challenge != NULL) {
        struct air_bundle *old = atomic_exchange(&challenge->bundle, bundle);
        air_readers_wait(&table->readers);
        air_bundle_release(old);
        goto done;
    }
    error = air_index_reserve(&table->challenges, 1);
    if (error != AIR_OK) {
        goto done;
    }
    fresh = air_memory_new(sizeof(*fresh) + name.size);
    if (fresh == NULL) {
        error = AIR_ERR_NO_MEMORY;
        goto done;
    }
    memcpy(fresh->name, name.data, name.size);
    atomic_init(&fresh->bundle, bundle);
    air_index_insert(&table->challenges, &fresh->node, air_span_of(fresh->name, name.size));
done:
    pthread_mutex_unlock(&table->change);
    return error;
}

void air_table_challenge_remove(struct air_table *table, air_span name) {
    pthread_mutex_lock(&table->change);
    struct air_index_node *node = air_index_find(&table->challenges, name);
    if (node != NULL) {
        air_index_remove(&table->challenges, node);
        air_readers_wait(&table->readers);
        free_challenge_node(node, table);
    }
    pthread_mutex_unlock(&table->change);
}

size_t air_table_challenges_count(struct air_table *table) {
    pthread_mutex_lock(&table->change);
    const size_t count = table->challenges.live_count;
    pthread_mutex_unlock(&table->change);
    return count;
}

static struct air_entry *find_entry(
    const struct air_table *table, const struct air_hello_name *name) {
    struct air_entry *entry = NULL;
    if (name->size > 0) {
        struct air_index_node *node =
            air_index_find(&table->names, air_span_of(name->bytes, name->size));
        entry = node != NULL ? ((struct name *)node)->entry : find_wildcard(table, name);
    }
    return entry != NULL ? entry : atomic_load(&table->default_entry);
}

/* "*" stands for the whole first label and nothing more (RFC 6125 section 6.4.3). */
static struct air_entry *find_wildcard(
    const struct air_table *table, const struct air_hello_name *name) {
    uint8_t wildcard[AIR_NAME_SIZE_MAX];
    size_t label_size = air_span_find(air_span_of(name->bytes, name->size), '.');
    if (label_size == 0 || label_size == name->size) {
        return NULL;
    }
    wildcard[0] = '*';
    memcpy(wildcard + 1, name->bytes + label_size, name->size - label_size);
    struct air_index_node *node =
        air_index_find(&table->names, air_span_of(wildcard, 1 + name->size - label_size));
    return node != NULL ? ((struct name *)node)->entry : NULL;
}

static enum air_error plan_make(struct air_table *table, air_span id, const air_span *names,
    size_t names_count, struct plan *plan) {
    table->change_number++;
    plan->entry = (struct air_entry *)air_index_find(&table->ids, id);
    if (plan->entry == NULL) {
        plan->is_new = true;
        plan->entry = entry_new(id);
    }
    if (plan->entry == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < names_count; i++) {
        enum air_error error = plan_name(table, plan, names[i]);
        if (error != AIR_OK) {
            return error;
        }
    }
    if (plan->is_new) {
        enum air_error error = air_index_reserve(&table->ids, 1);
        if (error != AIR_OK) {
            return error;
        }
    }
    return air_index_reserve(&table->names, plan->fresh_count);
}

static enum air_error plan_name(struct air_table *table, struct plan *plan, air_span text) {
    struct name *name = (struct name *)air_index_find(&table->names, text);
    if (name != NULL) {
        name->change_number = table->change_number;
        return name->entry == plan->entry ? AIR_OK : AIR_ERR_EXISTS;
    }
    for (name = plan->fresh; name != NULL; name = name->next) {
        if (air_span_equal(name->node.key, text)) {
            return AIR_OK;
        }
    }
    name = air_memory_new(sizeof(*name) + text.size);
    if (name == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    memcpy(name->text, text.data, text.size);
    name->node.key = air_span_of(name->text, text.size);
    name->entry = plan->entry;
    name->change_number = table->change_number;
    name->next = plan->fresh;
    plan->fresh = name;
    plan->fresh_count++;
    return AIR_OK;
}

static void plan_discard(struct plan *plan) {
    names_free(plan->fresh);
    if (plan->is_new) {
        entry_free(plan->entry);
    }
}

/* Cannot fail. An entry is complete before the first name leads to it. */
static void plan_publish(struct air_table *table, struct plan *plan, struct air_bundle *bundle) {
    struct air_entry *entry = plan->entry;
    enum air_family family = AIR_FAMILY_EC;
    (void)air_family_of(bundle->key_type, &family);
    air_issuers_share(&table->issuers, bundle);
    struct air_bundle *old = atomic_exchange(&entry->bundles[family], bundle);
    if (plan->is_new) {
        air_index_insert(&table->ids, &entry->node, entry->node.key);
    }
    for (struct name *name = plan->fresh; name != NULL; name = plan->fresh) {
        plan->fresh = name->next;
        name->next = entry->names;
        entry->names = name;
        air_index_insert(&table->names, &name->node, name->node.key);
    }
    if (air_span_equal(entry->node.key, air_span_of(table->default_id, table->default_id_size))) {
        atomic_store(&table->default_entry, entry);
    }
    struct name *stale = take_stale_names(table, entry);
    if (old != NULL || stale != NULL) {
        air_readers_wait(&table->readers);
        names_free(stale);
        drop_bundle(table, old);
    }
}

/* Take out the entry's names that the present change did not ask for. */
static struct name *take_stale_names(struct air_table *table, struct air_entry *entry) {
    struct name *stale = NULL;
    for (struct name **link = &entry->names; *link != NULL;) {
        struct name *name = *link;
        if (name->change_number == table->change_number) {
            link = &name->next;
            continue;
        }
        *link = name->next;
        name->next = stale;
        stale = name;
        air_index_remove(&table->names, &name->node);
    }
    return stale;
}

static void drop_entry(struct air_table *table, struct air_entry *entry) {
    if (atomic_load(&table->default_entry) == entry) {
        atomic_store(&table->default_entry, NULL);
    }
    for (struct name *name = entry->names; name != NULL; name = name->next) {
        air_index_remove(&table->names, &name->node);
    }
    air_index_remove(&table->ids, &entry->node);
    air_readers_wait(&table->readers);
    free_entry_node(&entry->node, table);
}

/* The table's own reference; nobody finds the bundle any more. */
static void drop_bundle(struct air_table *table, struct air_bundle *bundle) {
    air_issuers_forget(&table->issuers, bundle);
    air_bundle_release(bundle);
}

static struct air_entry *entry_new(air_span id) {
    struct air_entry *entry = air_memory_new(sizeof(*entry) + id.size);
    if (entry != NULL) {
        memcpy(entry->id, id.data, id.size);
        entry->node.key = air_span_of(entry->id, id.size);
    }
    return entry;
}

static void entry_free(struct air_entry *entry) {
    if (entry != NULL) {
        names_free(entry->names);
        air_memory_free(entry, sizeof(*entry) + entry->node.key.size);
    }
}

static void names_free(struct name *names) {
    while (names != NULL) {
        struct name *next = names->next;
        air_memory_free(names, sizeof(*names) + names->node.key.size);
        names = next;
    }
}

static void free_entry_node(struct air_index_node *node, void *context) {
    struct air_entry *entry = (struct air_entry *)node;
    for (size_t i = 0; i < AIR_FAMILIES_COUNT; i++) {
        drop_bundle(context, atomic_load(&entry->bundles[i]));
    }
    entry_free(entry);
}

static void free_challenge_node(struct air_index_node *node, void *context) {
    struct challenge *challenge = (struct challenge *)node;
    (void)context;
    air_bundle_release(atomic_load(&challenge->bundle));
    air_memory_free(challenge, sizeof(*challenge) + challenge->node.key.size);
}
