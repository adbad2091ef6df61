/* SPDX-License-Identifier: MIT */
/*
 * Which CA a certificate is ordered from: names, aliases and URLs, and the files that go with them.
 * Files are read now, while the program may still be root; nothing is sent.
 *
 * Invariant: an authority of the plan is known by its directory URL, and no two have the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts/program/plan_parts.h"
#include "hosts/program/text.h"
#include "src/base/base64url.h"
#include "src/base/pem.h"
#include "src/base/span.h"

/* A file of roots: the system's own has about 220 KiB. */
#define CA_FILE_SIZE_MAX (1024U * 1024)
#define EAB_FILE_SIZE_MAX 4096U
#define TRUST_SIZE_MAX 1024

static const struct {
    const char *name;
    const char *url;
} aliases[] = {
    {"letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"},
    {"letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"},
};
#define ALIASES_COUNT (sizeof(aliases) / sizeof(aliases[0]))

/* A CA, with what falls back to the file's top level filled in. */
struct choice {
    const char *name;
    const struct air_value *directory; /* whose place complaints name */
    const char *url;
    const struct air_authority_settings *from; /* ca-file and EAB; NULL: none */
    const struct air_values *contact;
    const struct air_value *agree_terms;
};

static enum air_error choose(
    struct air_planning *planning, const struct air_value *ca, struct choice *out);
static enum air_error check_url(struct air_planning *planning, const struct choice *choice);
static enum air_error add(struct air_planning *planning, const struct choice *choice);
static enum air_error add_trust(
    struct air_planning *planning, const struct air_value *file, struct air_authority_spec *spec);
static enum air_error add_contacts(struct air_planning *planning, const struct air_values *contacts,
    struct air_authority_spec *spec);
static enum air_error add_eab(struct air_planning *planning,
    const struct air_authority_settings *from, struct air_authority_spec *spec);
static enum air_error read_file(struct air_planning *planning, const struct air_value *file,
    bool is_secret, struct air_buffer *out);

enum air_error air_plan_authority(
    struct air_planning *planning, const struct air_value *ca, air_span *url, const char **name) {
    struct air_plan *plan = planning->plan;
    struct choice choice;
    enum air_error error = choose(planning, ca, &choice);

    if (error == AIR_OK) {
        error = check_url(planning, &choice);
    }
    for (size_t i = 0; error == AIR_OK && i <= plan->authorities_count; i++) {
        if (i == plan->authorities_count) {
            error = add(planning, &choice);
            if (error != AIR_OK) {
                break;
            }
        }
        if (air_span_equal_text(plan->authorities[i].directory_url, choice.url)) {
            *url = plan->authorities[i].directory_url;
            *name = air_pool_text(&plan->pool, air_span_text(choice.name));
            return *name == NULL ? AIR_ERR_NO_MEMORY : AIR_OK;
        }
    }
    return error;
}

static const char *alias_name(const void *words, size_t index) {
    (void)words;
    return aliases[index].name;
}

static bool same_text(const struct air_value *a, const char *b) {
    return a->text != NULL && strcmp(a->text, b) == 0;
}

/* A name of authorities:, an alias or a URL, in that order. */
static enum air_error choose(
    struct air_planning *planning, const struct air_value *ca, struct choice *out) {
    const struct air_settings *settings = planning->settings;
    const struct air_authority_settings *top = &settings->authority;
    const char *name = ca->text != NULL              ? ca->text
                       : top->directory.text != NULL ? top->directory.text
                                                     : AIR_PLAN_CA_DEFAULT;
    bool is_default = same_text(&top->directory, name) || top->directory.text == NULL;
    const char *nearest;

    memset(out, 0, sizeof(*out));
    out->name = name;
    out->directory = ca->text != NULL ? ca : &top->directory;
    out->contact = &top->contact;
    out->agree_terms = &top->agree_terms;
    out->from = is_default ? top : NULL;
    for (size_t i = 0; i < settings->authorities_count; i++) {
        const struct air_authority_settings *authority = &settings->authorities[i];

        if (same_text(&authority->name, name)) {
            out->directory = &authority->directory;
            out->url = authority->directory.text;
            out->from = authority;
            if (authority->contact.place.source != NULL) {
                out->contact = &authority->contact;
            }
            if (authority->agree_terms.text != NULL) {
                out->agree_terms = &authority->agree_terms;
            }
            return AIR_OK;
        }
    }
    for (size_t i = 0; i < ALIASES_COUNT; i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            out->url = aliases[i].url;
            return AIR_OK;
        }
    }
    out->url = name;
    if (strstr(name, "://") != NULL) {
        return AIR_OK;
    }
    nearest = air_text_nearest(name, alias_name, NULL, ALIASES_COUNT);
    air_place_complain(planning->reason, out->directory->place,
        "%s is no known CA; %s%s%sgive letsencrypt, letsencrypt-staging, the https URL of a "
        "directory, or a name under authorities:",
        name, nearest != NULL ? "did you mean " : "", nearest != NULL ? nearest : "",
        nearest != NULL ? "? Else " : "");
    return AIR_ERR_NOT_FOUND;
}

static enum air_error check_url(struct air_planning *planning, const struct choice *choice) {
    struct air_place place = choice->directory->place;
    air_span url = air_span_text(choice->url);
    air_span host = air_span_skip(url, sizeof("https://") - 1);
    size_t host_size = air_span_find(host, '/');
    const char *mistake = NULL;

    if (!air_span_starts_with(url, "https://")) {
        mistake = "must begin with https://: certificates are never ordered in the clear";
    } else if (air_span_find(air_span_take(host, host_size), '@') < host_size) {
        mistake = "must hold no user name or password";
    } else if (host_size == 0 || host.data[0] == ':') {
        mistake = "names no host";
    } else if (air_span_find(url, '#') < url.size || air_span_find(url, ' ') < url.size) {
        mistake = "must hold no # and no space";
    } else if (url.size > AIR_URL_SIZE_MAX) {
        mistake = "is too long";
    }
    if (mistake != NULL) {
        air_place_complain(
            planning->reason, place, "the CA's directory %s %s", choice->url, mistake);
        return AIR_ERR_MALFORMED;
    }
    return AIR_OK;
}

static enum air_error add(struct air_planning *planning, const struct choice *choice) {
    struct air_plan *plan = planning->plan;
    struct air_authority_spec spec = {.size = sizeof(spec)};
    void *items = plan->authorities;
    struct air_authority_spec *item;
    enum air_error error = AIR_OK;
    const char *url = air_pool_text(&plan->pool, air_span_text(choice->url));

    if (url == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    spec.directory_url = air_span_text(url);
    spec.terms_agreed = air_value_is_true(choice->agree_terms);
    error = add_contacts(planning, choice->contact, &spec);
    if (error == AIR_OK && choice->from != NULL) {
        error = add_trust(planning, &choice->from->ca_file, &spec);
    }
    if (error == AIR_OK && choice->from != NULL) {
        error = add_eab(planning, choice->from, &spec);
    }
    if (error != AIR_OK) {
        return error;
    }
    item = air_pool_append(&plan->pool, &items, &plan->authorities_count, sizeof(*item));
    if (item == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    plan->authorities = items;
    *item = spec;
    return AIR_OK;
}

static enum air_error add_trust(
    struct air_planning *planning, const struct air_value *file, struct air_authority_spec *spec) {
    struct air_buffer pem;
    air_span rest;
    air_span block;
    air_span label = {NULL, 0};
    enum air_error error;
    const char *path;

    if (file->text == NULL) {
        return AIR_OK;
    }
    air_buffer_init(&pem, CA_FILE_SIZE_MAX);
    error = read_file(planning, file, false, &pem);
    rest = air_buffer_span(&pem);
    if (error == AIR_OK && (!air_pem_next(&rest, &block, &label, NULL) ||
                               !air_span_equal_text(label, "CERTIFICATE"))) {
        air_place_complain(planning->reason, file->place,
            "%s holds no certificate; it must be PEM, beginning with BEGIN CERTIFICATE",
            file->text);
        error = AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK && strlen(file->text) > TRUST_SIZE_MAX) {
        air_place_complain(planning->reason, file->place, "the path is too long");
        error = AIR_ERR_LIMIT;
    }
    path = error == AIR_OK ? air_pool_text(&planning->plan->pool, air_span_text(file->text)) : NULL;
    if (error == AIR_OK && path == NULL) {
        error = AIR_ERR_NO_MEMORY;
    }
    spec->trust = air_span_text(path);
    air_buffer_deinit(&pem);
    return error;
}

static bool is_mail(air_span mail) {
    size_t at = air_span_find(mail, '@');

    for (size_t i = 0; i < mail.size; i++) {
        /* RFC 8555 section 7.3: one address, no header fields after '?'. */
        if (mail.data[i] <= ' ' || mail.data[i] >= 0x7f || strchr(",?<>\"", mail.data[i]) != NULL) {
            return false;
        }
    }
    return at > 0 && at + 1 < mail.size &&
           air_span_find(air_span_skip(mail, at + 1), '@') == mail.size - at - 1;
}

static enum air_error add_contacts(struct air_planning *planning, const struct air_values *contacts,
    struct air_authority_spec *spec) {
    struct air_plan *plan = planning->plan;
    air_span *spans;

    if (contacts->count == 0) {
        return AIR_OK;
    }
    if (contacts->count > AIR_CONTACTS_MAX) {
        air_place_complain(
            planning->reason, contacts->place, "at most %d are taken", AIR_CONTACTS_MAX);
        return AIR_ERR_LIMIT;
    }
    spans = air_pool_take(&plan->pool, contacts->count * sizeof(*spans));
    if (spans == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < contacts->count; i++) {
        static const char scheme[] = "mailto:";
        const struct air_value *contact = &contacts->items[i];
        air_span mail = air_span_text(contact->text);
        char *text;

        if (air_span_starts_with(mail, scheme)) {
            mail = air_span_skip(mail, sizeof(scheme) - 1);
        }
        if (!is_mail(mail)) {
            air_place_complain(planning->reason, contact->place,
                "%s is no mail address; write somebody@example.net", contact->text);
            return AIR_ERR_MALFORMED;
        }
        text = air_pool_take(&plan->pool, sizeof(scheme) + mail.size);
        if (text == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        memcpy(text, scheme, sizeof(scheme) - 1);
        memcpy(text + sizeof(scheme) - 1, mail.data, mail.size);
        spans[i] = air_span_text(text);
    }
    spec->contacts = spans;
    spec->contacts_count = contacts->count;
    return AIR_OK;
}

static enum air_error add_eab(struct air_planning *planning,
    const struct air_authority_settings *from, struct air_authority_spec *spec) {
    const struct air_value *kid = &from->eab_kid;
    const struct air_value *file = &from->eab_key_file;
    struct air_buffer text;
    struct air_buffer bytes;
    enum air_error error;

    if (kid->text == NULL && file->text == NULL) {
        return AIR_OK;
    }
    if (kid->text == NULL || file->text == NULL) {
        air_place_complain(planning->reason, kid->text == NULL ? file->place : kid->place,
            "needs its other half: give both eab-kid and eab-key-file, as the CA told them");
        return AIR_ERR_MALFORMED;
    }
    air_buffer_init(&text, EAB_FILE_SIZE_MAX);
    air_buffer_init(&bytes, EAB_FILE_SIZE_MAX);
    error = read_file(planning, file, true, &text);
    if (error == AIR_OK) {
        air_span key = air_span_trim(air_buffer_span(&text));

        error = air_base64_decode_lenient(key, &bytes);
        if (error == AIR_ERR_MALFORMED || (error == AIR_OK && bytes.size == 0)) {
            air_place_complain(planning->reason, file->place,
                "%s holds no base64url key; it must hold the MAC key alone, as the CA told it",
                file->text);
            error = AIR_ERR_MALFORMED;
        }
        if (error == AIR_OK) {
            spec->eab_mac_key = air_span_text(air_pool_text(&planning->plan->pool, key));
            spec->eab_kid =
                air_span_text(air_pool_text(&planning->plan->pool, air_span_text(kid->text)));
            error = spec->eab_mac_key.data == NULL || spec->eab_kid.data == NULL ? AIR_ERR_NO_MEMORY
                                                                                 : AIR_OK;
        }
    }
    air_buffer_deinit(&text);
    air_buffer_deinit(&bytes);
    return error;
}

static const char *mistake_in(const struct stat *found, bool is_secret) {
    if (!S_ISREG(found->st_mode)) {
        return "is no regular file";
    }
    if (is_secret && found->st_uid != geteuid() && found->st_uid != 0) {
        return "belongs to another user; chown it to the user that starts thinair";
    }
    if (is_secret && (found->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return "is open to others; chmod it to 0600";
    }
    return NULL;
}

/* Secrets are read straight into a buffer that is wiped, and only from files closed to others. */
static enum air_error read_file(struct air_planning *planning, const struct air_value *file,
    bool is_secret, struct air_buffer *out) {
    int handle = open(file->text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum air_error error = AIR_ERR_NOT_FOUND;
    const char *mistake = NULL;
    ssize_t size = 1;
    struct stat found;

    if (handle < 0 || fstat(handle, &found) != 0) {
        air_place_complain(
            planning->reason, file->place, "%s cannot be opened: %s", file->text, strerror(errno));
        goto done;
    }
    mistake = mistake_in(&found, is_secret);
    if (mistake != NULL) {
        air_place_complain(planning->reason, file->place, "%s %s", file->text, mistake);
        error = AIR_ERR_PERMISSION;
        goto done;
    }
    while (size > 0 && out->error == AIR_OK) {
        size_t before = out->size;
        uint8_t *room = air_buffer_extend(out, 1024);

        size = room != NULL ? read(handle, room, 1024) : 0;
        air_buffer_truncate(out, room == NULL ? out->size : before + (size > 0 ? (size_t)size : 0));
    }
    error = out->error;
    if (size < 0) {
        air_place_complain(
            planning->reason, file->place, "%s cannot be read: %s", file->text, strerror(errno));
        error = AIR_ERR_NOT_FOUND;
    } else if (error == AIR_ERR_LIMIT) {
        air_place_complain(planning->reason, file->place, "%s is too long", file->text);
    }
done:
    if (handle >= 0) {
        close(handle);
    }
    return error;
}

enum air_error air_plan_authorities_check(struct air_planning *planning) {
    const struct air_settings *settings = planning->settings;

    for (size_t i = 0; i < settings->authorities_count; i++) {
        const struct air_authority_settings *one = &settings->authorities[i];

        if (one->directory.text == NULL) {
            air_place_complain(planning->reason, one->name.place,
                "%s has no directory; give its https URL", one->name.text);
            return AIR_ERR_MALFORMED;
        }
        for (size_t j = 0; j < i; j++) {
            const struct air_authority_settings *other = &settings->authorities[j];

            if (strcmp(one->name.text, other->name.text) == 0) {
                air_place_complain(planning->reason, one->name.place,
                    "%s stands on line %u already; keep one", one->name.text,
                    other->name.place.line);
                return AIR_ERR_EXISTS;
            }
            if (strcmp(one->directory.text, other->directory.text) == 0) {
                air_place_complain(planning->reason, one->directory.place,
                    "%s has the directory of %s on line %u; a CA has one account here, keep one",
                    one->name.text, other->name.text, other->directory.place.line);
                return AIR_ERR_EXISTS;
            }
        }
    }
    return AIR_OK;
}
