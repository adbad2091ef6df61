/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: libyaml's events, read against tables of the keys each map may hold. What
 * a value means is left to plan.c.
 *
 * Invariant: between functions, reader->event is the event that is being looked at; a function that
 * reads a value leaves the value's last event there. Events, not documents, because only they know
 * the line of the key itself. Anchors, aliases and tags are refused, so a file cannot grow while it
 * is read.
 */
#include "hosts/program/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "hosts/program/text.h"
#include "src/base/memory.h"
#include "src/base/span.h"

/* No map of the schema has more keys. */
#define KEYS_MAX 32

enum kind {
    KIND_TEXT,         /* struct air_value */
    KIND_TOGGLE,       /* struct air_value, "true" or "false" */
    KIND_LIST,         /* struct air_values: one text or a list of them */
    KIND_CERTIFICATES, /* a list of maps */
    KIND_AUTHORITIES   /* a map of maps */
};

struct key {
    const char *name;
    enum kind kind;
    size_t offset; /* in the struct that the map fills */
};

struct map {
    const struct key *keys;
    size_t keys_count;
    const char *what; /* "a certificate", for complaints */
};

#define TOP(member) offsetof(struct air_settings, member)
#define AUTHORITY(member) offsetof(struct air_authority_settings, member)
#define CERTIFICATE(member) offsetof(struct air_certificate_settings, member)

static const struct key top_keys[] = {
    {"state", KIND_TEXT, TOP(state)},
    {"user", KIND_TEXT, TOP(user)},
    {"admin", KIND_TEXT, TOP(admin)},
    {"listen", KIND_LIST, TOP(listen)},
    {"http", KIND_LIST, TOP(http)},
    {"log-format", KIND_TEXT, TOP(log_format)},
    {"alpn", KIND_LIST, TOP(alpn)},
    {"proxy-protocol", KIND_TOGGLE, TOP(proxy_protocol)},
    {"on-installed", KIND_LIST, TOP(on_installed)},
    {"ca", KIND_TEXT, TOP(authority.directory)},
    {"ca-file", KIND_TEXT, TOP(authority.ca_file)},
    {"contact", KIND_LIST, TOP(authority.contact)},
    {"agree-terms", KIND_TOGGLE, TOP(authority.agree_terms)},
    {"eab-kid", KIND_TEXT, TOP(authority.eab_kid)},
    {"eab-key-file", KIND_TEXT, TOP(authority.eab_key_file)},
    {"authorities", KIND_AUTHORITIES, 0},
    {"certificates", KIND_CERTIFICATES, 0},
};

static const struct key authority_keys[] = {
    {"directory", KIND_TEXT, AUTHORITY(directory)},
    {"ca-file", KIND_TEXT, AUTHORITY(ca_file)},
    {"contact", KIND_LIST, AUTHORITY(contact)},
    {"agree-terms", KIND_TOGGLE, AUTHORITY(agree_terms)},
    {"eab-kid", KIND_TEXT, AUTHORITY(eab_kid)},
    {"eab-key-file", KIND_TEXT, AUTHORITY(eab_key_file)},
};

static const struct key certificate_keys[] = {
    {"name", KIND_LIST, CERTIFICATE(names)},
    {"names", KIND_LIST, CERTIFICATE(names)},
    {"id", KIND_TEXT, CERTIFICATE(id)},
    {"keys", KIND_LIST, CERTIFICATE(keys)},
    {"ca", KIND_TEXT, CERTIFICATE(ca)},
    {"challenge", KIND_LIST, CERTIFICATE(challenge)},
    {"to", KIND_TEXT, CERTIFICATE(to)},
    {"renew-before", KIND_TEXT, CERTIFICATE(renew_before)},
    {"on-installed", KIND_LIST, CERTIFICATE(on_installed)},
    {"must-staple", KIND_TOGGLE, CERTIFICATE(must_staple)},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct map top_map = {top_keys, COUNT(top_keys), "the file's top level"};
static const struct map authority_map = {
    authority_keys, COUNT(authority_keys), "an entry of authorities"};
static const struct map certificate_map = {
    certificate_keys, COUNT(certificate_keys), "an entry of certificates"};

struct reader {
    struct air_settings *settings;
    const char *source;
    struct air_buffer *reason;
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
};

static enum air_error read_document(struct reader *reader);
static enum air_error read_map(struct reader *reader, const struct map *map, void *target);
static enum air_error read_member(
    struct reader *reader, const struct map *map, void *target, unsigned lines[KEYS_MAX]);
static enum air_error read_value(
    struct reader *reader, const struct key *key, struct air_place place, void *target);
static enum air_error read_text(
    struct reader *reader, const struct key *key, struct air_place place, struct air_value *value);
static enum air_error read_list(
    struct reader *reader, const struct key *key, struct air_place place, struct air_values *list);
static enum air_error read_certificates(struct reader *reader, struct air_place place);
static enum air_error read_authorities(struct reader *reader, struct air_place place);
static enum air_error check_scalar(struct reader *reader, const char *name, struct air_place place);
static enum air_error skip_value(struct reader *reader);
static enum air_error next(struct reader *reader);
static struct air_place here(const struct reader *reader);
static const char *found(const struct reader *reader);

enum air_error air_yaml_read(
    struct air_settings *settings, const char *path, struct air_buffer *reason) {
    struct air_place place = {path, 0};
    struct air_buffer text;
    enum air_error error = AIR_OK;
    FILE *file = fopen(path, "re");
    size_t size = 1;

    air_buffer_init(&text, AIR_YAML_FILE_SIZE_MAX);
    if (file == NULL) {
        air_place_complain(reason, place, "cannot be opened: %s", strerror(errno));
        return AIR_ERR_NOT_FOUND;
    }
    while (size > 0 && text.error == AIR_OK) {
        uint8_t piece[4096];

        size = fread(piece, 1, sizeof(piece), file);
        air_buffer_append(&text, piece, size);
    }
    if (ferror(file) != 0) {
        air_place_complain(reason, place, "cannot be read; is it a file?");
        error = AIR_ERR_NOT_FOUND;
    } else if (text.error == AIR_ERR_LIMIT) {
        air_place_complain(
            reason, place, "is longer than %u MiB", AIR_YAML_FILE_SIZE_MAX / 1024 / 1024);
        error = text.error;
    } else if (text.error != AIR_OK) {
        error = text.error;
    } else {
        error = air_yaml_read_text(settings, path, air_buffer_span(&text), reason);
    }
    fclose(file);
    air_buffer_deinit(&text);
    return error;
}

enum air_error air_yaml_read_text(
    struct air_settings *settings, const char *source, air_span text, struct air_buffer *reason) {
    struct reader reader = {.settings = settings, .reason = reason};
    enum air_error error = AIR_ERR_NO_MEMORY;

    reader.source = air_pool_text(&settings->pool, air_span_text(source));
    if (reader.source == NULL || yaml_parser_initialize(&reader.parser) == 0) {
        return AIR_ERR_NO_MEMORY;
    }
    /* An empty text is no text to libyaml: give it the end of a line. */
    if (text.size == 0) {
        text = air_span_text("\n");
    }
    yaml_parser_set_input_string(&reader.parser, text.data, text.size);
    error = read_document(&reader);
    if (reader.has_event) {
        yaml_event_delete(&reader.event);
    }
    yaml_parser_delete(&reader.parser);
    return error;
}

static enum air_error read_document(struct reader *reader) {
    struct air_place whole = {reader->source, 0};
    enum air_error error = next(reader); /* the stream's start */

    if (error == AIR_OK) {
        error = next(reader);
    }
    if (error == AIR_OK && reader->event.type == YAML_STREAM_END_EVENT) {
        air_place_complain(reader->reason, whole, "is empty; it needs at least certificates:");
        return AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK) {
        error = next(reader);
    }
    if (error == AIR_OK && reader->event.type != YAML_MAPPING_START_EVENT) {
        air_place_complain(reader->reason, here(reader),
            "expected keys such as certificates: at the top level, found %s", found(reader));
        return AIR_ERR_MALFORMED;
    }
    if (error == AIR_OK) {
        error = read_map(reader, &top_map, reader->settings);
    }
    if (error == AIR_OK) {
        error = next(reader); /* the document's end */
    }
    if (error == AIR_OK) {
        error = next(reader);
    }
    if (error == AIR_OK && reader->event.type != YAML_STREAM_END_EVENT) {
        air_place_complain(
            reader->reason, here(reader), "a second document begins here; keep one per file");
        return AIR_ERR_MALFORMED;
    }
    return error;
}

static enum air_error read_map(struct reader *reader, const struct map *map, void *target) {
    unsigned lines[KEYS_MAX] = {0};
    enum air_error error = next(reader);

    while (error == AIR_OK && reader->event.type != YAML_MAPPING_END_EVENT) {
        error = read_member(reader, map, target, lines);
        if (error == AIR_OK) {
            error = next(reader);
        }
    }
    return error;
}

static const char *key_name(const void *words, size_t index) {
    const struct key *keys = words;

    return keys[index].name;
}

static enum air_error complain_unknown(
    struct reader *reader, const struct map *map, const char *name) {
    const char *nearest = air_text_nearest(name, key_name, map->keys, map->keys_count);
    struct air_buffer known;
    size_t i;

    if (nearest != NULL) {
        air_place_complain(
            reader->reason, here(reader), "unknown key %s; did you mean %s?", name, nearest);
        return AIR_ERR_MALFORMED;
    }
    air_buffer_init(&known, AIR_TEXT_SIZE_MAX);
    for (i = 0; i < map->keys_count; i++) {
        air_text_format(&known, "%s%s", i > 0 ? ", " : "", map->keys[i].name);
    }
    air_place_complain(reader->reason, here(reader), "unknown key %s; %s takes %.*s", name,
        map->what, (int)known.size, (const char *)known.data);
    air_buffer_deinit(&known);
    return AIR_ERR_MALFORMED;
}

static enum air_error read_member(
    struct reader *reader, const struct map *map, void *target, unsigned lines[KEYS_MAX]) {
    struct air_place place = here(reader);
    enum air_error error = AIR_OK;
    const struct key *key;
    const char *name;
    size_t i = 0;

    if (reader->event.type != YAML_SCALAR_EVENT) {
        air_place_complain(reader->reason, place, "expected a key, found %s", found(reader));
        return AIR_ERR_MALFORMED;
    }
    name = (const char *)reader->event.data.scalar.value;
    while (i < map->keys_count && strcmp(map->keys[i].name, name) != 0) {
        i++;
    }
    if (i == map->keys_count) {
        return complain_unknown(reader, map, name);
    }
    key = &map->keys[i];
    if (lines[i] != 0) {
        air_place_complain(
            reader->reason, place, "%s stands on line %u already; keep one", key->name, lines[i]);
        return AIR_ERR_MALFORMED;
    }
    lines[i] = place.line;
    error = next(reader);
    return error == AIR_OK ? read_value(reader, key, place, target) : error;
}

static enum air_error read_value(
    struct reader *reader, const struct key *key, struct air_place place, void *target) {
    void *member = (char *)target + key->offset;

    switch (key->kind) {
    case KIND_TEXT:
    case KIND_TOGGLE:
        return read_text(reader, key, place, member);
    case KIND_LIST:
        return read_list(reader, key, place, member);
    case KIND_CERTIFICATES:
        return read_certificates(reader, place);
    case KIND_AUTHORITIES:
        return read_authorities(reader, place);
    }
    return AIR_ERR_STATE;
}

static enum air_error read_text(
    struct reader *reader, const struct key *key, struct air_place place, struct air_value *value) {
    const char *text = (const char *)reader->event.data.scalar.value;
    enum air_error error = check_scalar(reader, key->name, place);

    if (error != AIR_OK) {
        return error;
    }
    if (key->kind == KIND_TOGGLE && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        air_place_complain(
            reader->reason, place, "%s: expected true or false, found %s", key->name, text);
        return AIR_ERR_MALFORMED;
    }
    if (value->text != NULL) {
        return AIR_OK; /* a flag has said otherwise */
    }
    return air_settings_assign(reader->settings, value, air_span_text(text), place);
}

static enum air_error read_list(
    struct reader *reader, const struct key *key, struct air_place place, struct air_values *list) {
    enum air_error error = AIR_OK;

    if (list->place.source != NULL && list->place.line > 0) {
        air_place_complain(reader->reason, place,
            "%s says the same as line %u; put everything in one list", key->name, list->place.line);
        return AIR_ERR_MALFORMED;
    }
    if (list->place.source != NULL) {
        return skip_value(reader);
    }
    list->place = place;
    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        error = check_scalar(reader, key->name, place);
        if (error != AIR_OK) {
            return error;
        }
        return air_settings_append(reader->settings, list,
            air_span_text((const char *)reader->event.data.scalar.value), place);
    }
    error = next(reader);
    while (error == AIR_OK && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        error = check_scalar(reader, key->name, here(reader));
        if (error == AIR_OK) {
            error = air_settings_append(reader->settings, list,
                air_span_text((const char *)reader->event.data.scalar.value), here(reader));
        }
        if (error == AIR_OK) {
            error = next(reader);
        }
    }
    return error;
}

static enum air_error read_certificates(struct reader *reader, struct air_place place) {
    struct air_settings *settings = reader->settings;
    enum air_error error = AIR_OK;

    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        air_place_complain(reader->reason, place,
            "certificates: expected a list (lines beginning with -), found %s", found(reader));
        return AIR_ERR_MALFORMED;
    }
    error = next(reader);
    while (error == AIR_OK && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        struct air_certificate_settings certificate = {.place = here(reader)};
        void *items = settings->certificates;
        struct air_certificate_settings *item;

        if (reader->event.type != YAML_MAPPING_START_EVENT) {
            air_place_complain(reader->reason, here(reader),
                "certificates: expected keys such as name:, found %s", found(reader));
            return AIR_ERR_MALFORMED;
        }
        error = read_map(reader, &certificate_map, &certificate);
        if (error != AIR_OK) {
            return error;
        }
        item =
            air_pool_append(&settings->pool, &items, &settings->certificates_count, sizeof(*item));
        if (item == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        settings->certificates = items;
        *item = certificate;
        error = next(reader);
    }
    return error;
}

/* The names of authorities are the user's own: any scalar is a key. */
static enum air_error read_authorities(struct reader *reader, struct air_place place) {
    struct air_settings *settings = reader->settings;
    enum air_error error = AIR_OK;

    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        air_place_complain(reader->reason, place,
            "authorities: expected names with keys below them, found %s", found(reader));
        return AIR_ERR_MALFORMED;
    }
    error = next(reader);
    while (error == AIR_OK && reader->event.type != YAML_MAPPING_END_EVENT) {
        struct air_authority_settings authority = {.name = {NULL, here(reader)}};
        void *items = settings->authorities;
        struct air_authority_settings *item;

        error = check_scalar(reader, "authorities", here(reader));
        if (error == AIR_OK) {
            error = air_settings_assign(settings, &authority.name,
                air_span_text((const char *)reader->event.data.scalar.value), here(reader));
        }
        if (error == AIR_OK) {
            error = next(reader);
        }
        if (error == AIR_OK && reader->event.type != YAML_MAPPING_START_EVENT) {
            air_place_complain(reader->reason, authority.name.place,
                "%s: expected keys such as directory:, found %s", authority.name.text,
                found(reader));
            error = AIR_ERR_MALFORMED;
        }
        if (error == AIR_OK) {
            error = read_map(reader, &authority_map, &authority);
        }
        if (error != AIR_OK) {
            return error;
        }
        item =
            air_pool_append(&settings->pool, &items, &settings->authorities_count, sizeof(*item));
        if (item == NULL) {
            return AIR_ERR_NO_MEMORY;
        }
        settings->authorities = items;
        *item = authority;
        error = next(reader);
    }
    return error;
}

static enum air_error check_scalar(
    struct reader *reader, const char *name, struct air_place place) {
    const yaml_event_t *event = &reader->event;
    const char *text;
    bool is_plain;
    size_t i;

    if (event->type != YAML_SCALAR_EVENT) {
        air_place_complain(
            reader->reason, place, "%s: expected a text, found %s", name, found(reader));
        return AIR_ERR_MALFORMED;
    }
    text = (const char *)event->data.scalar.value;
    is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (text[0] == '\0' || (is_plain && (strcmp(text, "~") == 0 || strcmp(text, "null") == 0))) {
        air_place_complain(reader->reason, place, "%s: has no value; give one or drop it", name);
        return AIR_ERR_MALFORMED;
    }
    for (i = 0; i < event->data.scalar.length; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) {
            air_place_complain(
                reader->reason, place, "%s: holds a line break or control character", name);
            return AIR_ERR_MALFORMED;
        }
    }
    return AIR_OK;
}

/* Read over a list or a text that a flag has replaced, checking its type all the same. */
static enum air_error skip_value(struct reader *reader) {
    enum air_error error = AIR_OK;

    if (reader->event.type != YAML_SEQUENCE_START_EVENT) {
        return check_scalar(reader, "the value", here(reader));
    }
    error = next(reader);
    while (error == AIR_OK && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        error = check_scalar(reader, "the list", here(reader));
        if (error == AIR_OK) {
            error = next(reader);
        }
    }
    return error;
}

static enum air_error next(struct reader *reader) {
    yaml_parser_t *parser = &reader->parser;
    const yaml_event_t *event = &reader->event;

    if (reader->has_event) {
        yaml_event_delete(&reader->event);
        reader->has_event = false;
    }
    if (yaml_parser_parse(parser, &reader->event) == 0) {
        struct air_place place = {reader->source, (unsigned)parser->problem_mark.line + 1};

        if (parser->error == YAML_MEMORY_ERROR) {
            return AIR_ERR_NO_MEMORY;
        }
        air_place_complain(reader->reason, place, "is not YAML: %s%s%s",
            parser->problem != NULL ? parser->problem : "it cannot be read",
            parser->context != NULL ? " " : "", parser->context != NULL ? parser->context : "");
        return AIR_ERR_MALFORMED;
    }
    reader->has_event = true;
    if (event->type == YAML_ALIAS_EVENT ||
        (event->type == YAML_SCALAR_EVENT &&
            (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)) ||
        (event->type == YAML_SEQUENCE_START_EVENT && (event->data.sequence_start.anchor != NULL ||
                                                         event->data.sequence_start.tag != NULL)) ||
        (event->type == YAML_MAPPING_START_EVENT &&
            (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL))) {
        air_place_complain(reader->reason, here(reader),
            "anchors (&), aliases (*) and tags (!) are not taken; write the value out, and quote "
            "a text that begins with such a sign");
        return AIR_ERR_MALFORMED;
    }
    return AIR_OK;
}

static struct air_place here(const struct reader *reader) {
    struct air_place place = {reader->source, (unsigned)reader->event.start_mark.line + 1};

    return place;
}

static const char *found(const struct reader *reader) {
    switch ((int)reader->event.type) {
    case YAML_SCALAR_EVENT:
        return "a text";
    case YAML_SEQUENCE_START_EVENT:
        return "a list";
    case YAML_MAPPING_START_EVENT:
        return "a map";
    default:
        return "nothing";
    }
}
