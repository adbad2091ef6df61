/* SPDX-License-Identifier: MIT */
/*
 * One certificate's settings: names, id, key types, challenges, where to forward. What two
 * certificates must not share is judged when all are known, by sorting: thousands are quick.
 *
 * Invariant: a certificate enters the plan whole or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "hosts/program/hostname.h"
#include "hosts/program/period.h"
#include "hosts/program/plan_parts.h"
#include "hosts/program/text.h"
#include "src/base/span.h"

static enum air_error plan_names(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec);
static enum air_error plan_id(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec);
static enum air_error plan_keys(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec);
static enum air_error plan_challenges(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec);
static enum air_error plan_renewal(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec);
static enum air_error plan_target(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_plan_certificate *certificate);

enum air_error air_plan_certificate(
    struct air_planning *planning, const struct air_certificate_settings *settings) {
    struct air_plan *plan = planning->plan;
    struct air_plan_certificate certificate = {.spec = {.size = sizeof(certificate.spec)}};
    const struct air_values *command = settings->on_installed.place.source != NULL
                                           ? &settings->on_installed
                                           : &planning->settings->on_installed;
    void *items = plan->certificates;
    struct air_plan_certificate *item;
    enum air_error error = plan_names(planning, settings, &certificate.spec);

    certificate.place = settings->place.source != NULL ? settings->place : settings->names.place;
    certificate.place.source = air_pool_text(&plan->pool, air_span_text(certificate.place.source));
    certificate.spec.must_staple = air_value_is_true(&settings->must_staple);
    if (error == AIR_OK) {
        error = plan_id(planning, settings, &certificate.spec);
    }
    if (error == AIR_OK) {
        error = plan_keys(planning, settings, &certificate.spec);
    }
    if (error == AIR_OK) {
        error = plan_challenges(planning, settings, &certificate.spec);
    }
    if (error == AIR_OK) {
        error = plan_renewal(planning, settings, &certificate.spec);
    }
    if (error == AIR_OK) {
        error = plan_target(planning, settings, &certificate);
    }
    if (error == AIR_OK) {
        error = air_plan_command(planning, command, &certificate.on_installed);
    }
    if (error == AIR_OK) {
        error = air_plan_authority(
            planning, &settings->ca, &certificate.spec.directory_url, &certificate.ca);
    }
    if (error != AIR_OK) {
        return error;
    }
    item = air_pool_append(&plan->pool, &items, &plan->certificates_count, sizeof(*item));
    if (item == NULL || certificate.place.source == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    plan->certificates = items;
    *item = certificate;
    return AIR_OK;
}

static enum air_error plan_name(
    struct air_planning *planning, const struct air_value *value, air_span *out) {
    struct air_buffer name;
    struct air_buffer mistake;
    enum air_error error;
    char *copy;

    air_buffer_init(&name, AIR_TEXT_SIZE_MAX);
    air_buffer_init(&mistake, AIR_TEXT_SIZE_MAX);
    error = air_hostname_read(air_span_text(value->text), &name, &mistake);
    if (error == AIR_ERR_BAD_NAME) {
        air_place_complain(
            planning->reason, value->place, "%.*s", (int)mistake.size, (const char *)mistake.data);
    }
    if (error == AIR_OK) {
        copy = air_pool_text(&planning->plan->pool, air_buffer_span(&name));
        *out = air_span_text(copy);
        error = copy == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
    }
    air_buffer_deinit(&name);
    air_buffer_deinit(&mistake);
    return error;
}

static enum air_error plan_names(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec) {
    const struct air_values *given = &settings->names;
    enum air_error error = AIR_OK;
    air_span *names;

    if (given->count == 0) {
        air_place_complain(planning->reason, settings->place,
            "this certificate has no name; give name: or names:");
        return AIR_ERR_MALFORMED;
    }
    if (given->count > AIR_NAMES_MAX) {
        air_place_complain(planning->reason, given->place,
            "a certificate takes at most %d names, here are %zu; make two of it", AIR_NAMES_MAX,
            given->count);
        return AIR_ERR_LIMIT;
    }
    names = air_pool_take(&planning->plan->pool, given->count * sizeof(*names));
    if (names == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < given->count && error == AIR_OK; i++) {
        error = plan_name(planning, &given->items[i], &names[i]);
        for (size_t j = 0; j < i && error == AIR_OK; j++) {
            if (air_span_equal(names[i], names[j])) {
                air_place_complain(planning->reason, given->items[i].place,
                    "%s is there twice; keep one", (const char *)names[i].data);
                error = AIR_ERR_EXISTS;
            }
        }
    }
    spec->names = names;
    spec->names_count = given->count;
    return error;
}

static enum air_error plan_id(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = settings->id.text;
    struct air_place place = settings->id.place;

    if (text == NULL) {
        text = (const char *)spec->names[0].data;
        place = settings->names.place;
    }
    if (strlen(text) > AIR_ID_SIZE_MAX) {
        air_place_complain(planning->reason, place,
            "the id %s is longer than %d bytes; give a shorter one with id", text, AIR_ID_SIZE_MAX);
        return AIR_ERR_LIMIT;
    }
    if (text[0] == '.' || strspn(text, letters) != strlen(text)) {
        air_place_complain(planning->reason, place,
            "%s is no id; it is a folder's name of letters, digits, '-', '_' and '.', and does not "
            "begin with '.'",
            text);
        return AIR_ERR_MALFORMED;
    }
    spec->id = air_span_text(air_pool_text(&planning->plan->pool, air_span_text(text)));
    return spec->id.data == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
}

static bool is_rsa(enum air_key_type type) {
    return type == AIR_KEY_RSA_2048 || type == AIR_KEY_RSA_3072 || type == AIR_KEY_RSA_4096;
}

static enum air_error plan_keys(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec) {
    const struct air_values *given = &settings->keys;
    enum air_key_type *types =
        air_pool_take(&planning->plan->pool, AIR_KEY_TYPES_MAX * sizeof(*types));

    if (types == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    types[0] = AIR_KEY_ECDSA_P256;
    for (size_t i = 0; i < given->count; i++) {
        const struct air_value *key = &given->items[i];
        enum air_key_type type = air_key_type_parse(air_span_text(key->text));

        if (type == AIR_KEY_NONE) {
            air_place_complain(planning->reason, key->place,
                "%s is no key type; there are ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 and "
                "rsa-4096",
                key->text);
            return AIR_ERR_MALFORMED;
        }
        /* Two of one family would never both be chosen: clients tell RSA from ECDSA only. */
        if (i >= AIR_KEY_TYPES_MAX || (i == 1 && is_rsa(type) == is_rsa(types[0]))) {
            air_place_complain(planning->reason, key->place,
                "%s is one too many; a certificate takes one ecdsa and one rsa key", key->text);
            return AIR_ERR_MALFORMED;
        }
        types[i] = type;
    }
    spec->key_types = types;
    spec->key_types_count = given->count > 0 ? given->count : 1;
    return AIR_OK;
}

static enum air_error plan_challenges(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec) {
    const struct air_plan *plan = planning->plan;
    const struct air_values *given = &settings->challenge;
    enum air_challenge_type *types =
        air_pool_take(&planning->plan->pool, AIR_CHALLENGES_MAX * sizeof(*types));
    size_t count = 0;

    if (types == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < given->count; i++) {
        const struct air_value *value = &given->items[i];
        enum air_challenge_type type = air_challenge_type_parse(air_span_text(value->text));
        size_t listeners = type == AIR_HTTP_01 ? plan->http_count : plan->listen_count;

        if (type == AIR_CHALLENGE_NONE || (i == 1 && type == types[0]) || i >= AIR_CHALLENGES_MAX) {
            air_place_complain(planning->reason, value->place,
                "%s: give http-01, tls-alpn-01 or both, each once", value->text);
            return AIR_ERR_MALFORMED;
        }
        if (listeners == 0) {
            air_place_complain(planning->reason, value->place,
                "%s needs an address to answer on; give %s", value->text,
                type == AIR_HTTP_01 ? "http" : "listen");
            return AIR_ERR_MALFORMED;
        }
        types[count] = type;
        count++;
    }
    if (given->count == 0 && plan->listen_count > 0) {
        types[count] = AIR_TLS_ALPN_01;
        count++;
    }
    if (given->count == 0 && plan->http_count > 0) {
        types[count] = AIR_HTTP_01;
        count++;
    }
    if (count == 0) {
        air_place_complain(planning->reason, settings->names.place,
            "the CA cannot check these names: give http, listen or both");
        return AIR_ERR_MALFORMED;
    }
    spec->challenges = types;
    spec->challenges_count = count;
    return AIR_OK;
}

static enum air_error plan_renewal(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_certificate_spec *spec) {
    const struct air_value *value = &settings->renew_before;
    enum air_error error;

    if (value->text == NULL) {
        return AIR_OK;
    }
    error = air_period_read(air_span_text(value->text), &spec->renew_before_ms);
    if (error != AIR_OK) {
        air_place_complain(planning->reason, value->place,
            "%s is no span of time; write a number and one of d, h, m, s: 30d, 12h (at most %dd)",
            value->text, AIR_PERIOD_DAYS_MAX);
    }
    return error;
}

static enum air_error plan_target(struct air_planning *planning,
    const struct air_certificate_settings *settings, struct air_plan_certificate *certificate) {
    const struct air_value *to = &settings->to;
    bool is_served = planning->purpose == AIR_PURPOSE_RUN && planning->plan->listen_count > 0;
    struct air_buffer mistake;
    struct air_address address;
    enum air_error error = AIR_OK;

    if (to->text == NULL && is_served) {
        struct air_place place = {"--to", 0};

        air_place_complain(planning->reason,
            settings->place.source != NULL ? settings->place : place,
            "%s has nowhere to go: say where its requests are forwarded, to 127.0.0.1:8080 for "
            "instance",
            (const char *)certificate->spec.names[0].data);
        return AIR_ERR_MALFORMED;
    }
    if (to->text == NULL) {
        return AIR_OK;
    }
    air_buffer_init(&mistake, AIR_TEXT_SIZE_MAX);
    if (strncmp(to->text, "unix:/", 6) != 0) {
        error = air_address_read(air_span_text(to->text), false, &address, &mistake);
    }
    if (error == AIR_ERR_MALFORMED) {
        air_place_complain(
            planning->reason, to->place, "%.*s", (int)mistake.size, (const char *)mistake.data);
    }
    air_buffer_deinit(&mistake);
    if (error != AIR_OK) {
        return error;
    }
    certificate->to = air_pool_text(&planning->plan->pool, air_span_text(to->text));
    return certificate->to == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
}

enum air_error air_plan_command(
    struct air_planning *planning, const struct air_values *words, const char *const **out) {
    struct air_pool *pool = &planning->plan->pool;
    const char **command;

    *out = NULL;
    if (words->count == 0) {
        return AIR_OK;
    }
    if (words->items[0].text[0] != '/') {
        air_place_complain(planning->reason, words->items[0].place,
            "%s: give the program's whole path; no shell looks for it", words->items[0].text);
        return AIR_ERR_MALFORMED;
    }
    command = air_pool_take(pool, (words->count + 1) * sizeof(*command));
    if (command == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < words->count; i++) {
        command[i] = air_pool_text(pool, air_span_text(words->items[i].text));
        if (command[i] == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
    }
    *out = command;
    return AIR_OK;
}

/* A name or id, and whose it is. */
struct claim {
    air_span text;
    const struct air_plan_certificate *owner;
};

static int compare(const void *a, const void *b) {
    const struct claim *one = a;
    const struct claim *other = b;
    int order = air_span_compare(one->text, other->text);

    if (order != 0 || one->owner == other->owner) {
        return order;
    }
    return one->owner < other->owner ? -1 : 1;
}

static enum air_error find_twice(struct air_planning *planning, struct claim *claims,
    size_t claims_count, const char *what, const char *advice) {
    qsort(claims, claims_count, sizeof(*claims), compare);
    for (size_t i = 1; i < claims_count; i++) {
        if (air_span_equal(claims[i - 1].text, claims[i].text)) {
            air_place_complain(planning->reason, claims[i].owner->place,
                "the %s %s belongs to the certificate on line %u already; %s", what,
                (const char *)claims[i].text.data, claims[i - 1].owner->place.line, advice);
            return AIR_ERR_EXISTS;
        }
    }
    return AIR_OK;
}

enum air_error air_plan_certificates_check(struct air_planning *planning) {
    struct air_plan *plan = planning->plan;
    size_t ids_count = plan->certificates_count;
    size_t names_count = 0;
    struct claim *ids = air_pool_take(&plan->pool, ids_count * sizeof(*ids));
    struct claim *names;
    enum air_error error;

    for (size_t i = 0; i < ids_count; i++) {
        names_count += plan->certificates[i].spec.names_count;
    }
    names = air_pool_take(&plan->pool, names_count * sizeof(*names));
    if (ids == NULL || names == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    names_count = 0;
    for (size_t i = 0; i < ids_count; i++) {
        const struct air_plan_certificate *owner = &plan->certificates[i];

        ids[i] = (struct claim){owner->spec.id, owner};
        for (size_t j = 0; j < owner->spec.names_count; j++) {
            names[names_count] = (struct claim){owner->spec.names[j], owner};
            names_count++;
        }
    }
    error = find_twice(planning, ids, ids_count, "id", "give one of them another with id:");
    if (error != AIR_OK) {
        return error;
    }
    return find_twice(planning, names, names_count, "name", "name it in one of them");
}
