/* SPDX-License-Identifier: MIT */
/*
 * From names and values to what is asked for. One table says which options there are; values are
 * copied, because the list is gone once its vhost is there.
 *
 * Invariant: what is read is complete, or refused with a sentence that says what to write.
 */

#include "hosts/lws/options.h"

#include <stdio.h>
#include <string.h>

#include "src/base/span.h"

#define TEXT_SIZE_MAX 65536
#define SENTENCE_SIZE 512
#define DAY_MS (24 * 60 * 60 * INT64_C(1000))

enum option {
    AUTH_PATH,
    CERT_PATH,
    KEY_PATH,
    DIRECTORY_URL,
    COMMON_NAME,
    EMAIL,
    COUNTRY,
    STATE,
    LOCALITY,
    ORGANIZATION,
    SUBJECT_ALT_NAME,
    KEY_TYPE,
    CHALLENGE,
    HTTP_PORT,
    CA_FILE,
    AGREE_TERMS,
    STATE_DIR,
    RENEW_BEFORE,
    KEEPER,
    OPTIONS_COUNT
};

/* What to write where a required one is missing; NULL: it is not required. */
static const struct {
    const char *name;
    const char *missing;
} known[OPTIONS_COUNT] = {
    [AUTH_PATH] = {"auth-path", "the file of the account's key, as /etc/lwsws/acme/auth.jwk"},
    [CERT_PATH] = {"cert-path", "the file that the vhost's host-ssl-cert names"},
    [KEY_PATH] = {"key-path", "the file that the vhost's host-ssl-key names"},
    [DIRECTORY_URL] = {"directory-url",
        "the CA's directory, as https://acme-v02.api.letsencrypt.org/directory"},
    [COMMON_NAME] = {"common-name", "the server's DNS name"},
    [EMAIL] = {"email", "an address for the CA's notices"},
    [COUNTRY] = {"country", NULL},
    [STATE] = {"state", NULL},
    [LOCALITY] = {"locality", NULL},
    [ORGANIZATION] = {"organization", NULL},
    [SUBJECT_ALT_NAME] = {"subject-alt-name", NULL},
    [KEY_TYPE] = {"key-type", NULL},
    [CHALLENGE] = {"challenge", NULL},
    [HTTP_PORT] = {"http-port", NULL},
    [CA_FILE] = {"ca-file", NULL},
    [AGREE_TERMS] = {"agree-terms", "1, when you have read the CA's terms of service and agree"},
    [STATE_DIR] = {"state-dir", NULL},
    [RENEW_BEFORE] = {"renew-before", NULL},
    [KEEPER] = {"keeper", NULL},
};

struct reading {
    const char *values[OPTIONS_COUNT];
    struct air_lws_options *out;
    struct air_buffer *reason;
};

static enum air_error collect(
    const struct lws_protocol_vhost_options *list, struct reading *reading);
static enum air_error read_paths(struct reading *reading);
static enum air_error read_names(struct reading *reading);
static enum air_error add_name(struct reading *reading, air_span name);
static enum air_error read_key_types(struct reading *reading);
static enum air_error read_challenge(struct reading *reading);
static enum air_error read_numbers(struct reading *reading);
static void read_subject(struct reading *reading);
static enum air_error refuse(
    struct reading *reading, enum option option, const char *value, const char *wanted);
static const char *keep(struct reading *reading, const char *before, const char *value);
static bool read_flag(const char *value, bool unset, bool *out);
static bool read_number(const char *value, int64_t max, int64_t *out);

enum air_error air_lws_options_read(const struct lws_protocol_vhost_options *list,
    struct air_lws_options *out, struct air_buffer *reason) {
    static enum air_error (*const steps[])(struct reading *) = {
        read_paths, read_names, read_key_types, read_challenge, read_numbers};
    struct reading reading = {.out = out, .reason = reason};
    *out = (struct air_lws_options){.names_count = 0};
    air_buffer_init(&out->text, TEXT_SIZE_MAX);
    if (air_buffer_extend(&out->text, TEXT_SIZE_MAX) != NULL) {
        air_buffer_truncate(&out->text, 0); /* room first: what points to it must not move */
    }
    enum air_error error = collect(list, &reading);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && error == AIR_OK; i++) {
        error = steps[i](&reading);
    }
    if (error == AIR_OK) {
        read_subject(&reading);
        error = out->text.error == AIR_OK ? AIR_OK : AIR_ERR_NO_MEMORY;
    }
    return error;
}

void air_lws_options_deinit(struct air_lws_options *options) {
    air_buffer_deinit(&options->text);
}

void air_lws_options_pair(const struct air_lws_options *options, size_t index,
    char chain_path[AIR_LWS_PATH_SIZE], char key_path[AIR_LWS_PATH_SIZE]) {
    const bool is_rsa = options->key_types[index] >= AIR_KEY_RSA_2048;
    const char *suffix = index == 0 ? "" : is_rsa ? ".rsa" : ".ecdsa";
    (void)snprintf(chain_path, AIR_LWS_PATH_SIZE, "%s%s", options->cert_path, suffix);
    (void)snprintf(key_path, AIR_LWS_PATH_SIZE, "%s%s", options->key_path, suffix);
}

static enum air_error collect(
    const struct lws_protocol_vhost_options *list, struct reading *reading) {
    for (; list != NULL; list = list->next) {
        size_t option = 0;
        while (option < OPTIONS_COUNT && strcmp(known[option].name, list->name) != 0) {
            option++;
        }
        if (option == OPTIONS_COUNT) {
            /* What lwsws itself passes on: "status": "ok". */
            if (strcmp(list->name, "status") == 0 || strcmp(list->name, "default") == 0 ||
                strcmp(list->name, "raw") == 0) {
                continue;
            }
            char sentence[SENTENCE_SIZE];
            (void)snprintf(sentence, sizeof(sentence),
                "\"%s\": there is no such option: see hosts/lws/README.md for those there are",
                list->name);
            (void)air_buffer_append_text(reading->reason, sentence);
            return AIR_ERR_ARGUMENT;
        }
        reading->values[option] =
            list->value != NULL && list->value[0] != '\0' ? list->value : NULL;
    }
    for (size_t option = 0; option < OPTIONS_COUNT; option++) {
        if (reading->values[option] == NULL && known[option].missing != NULL) {
            return refuse(reading, (enum option)option, NULL, known[option].missing);
        }
    }
    return AIR_OK;
}

static enum air_error read_paths(struct reading *reading) {
    static const enum option paths[] = {AUTH_PATH, CERT_PATH, KEY_PATH, CA_FILE, STATE_DIR};
    struct air_lws_options *out = reading->out;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *value = reading->values[paths[i]];
        if (value == NULL) {
            continue;
        }
        const size_t size = strlen(value);
        if (value[0] != '/' || value[size - 1] == '/' || size > AIR_LWS_PATH_SIZE / 2) {
            return refuse(reading, paths[i], value, "an absolute path of a file");
        }
    }
    if (strcmp(reading->values[CERT_PATH], reading->values[KEY_PATH]) == 0) {
        return refuse(reading, KEY_PATH, reading->values[KEY_PATH],
            "another file than cert-path: chain and key are stored apart");
    }
    out->auth_path = keep(reading, "", reading->values[AUTH_PATH]);
    out->cert_path = keep(reading, "", reading->values[CERT_PATH]);
    out->key_path = keep(reading, "", reading->values[KEY_PATH]);
    out->ca_file =
        reading->values[CA_FILE] != NULL ? keep(reading, "", reading->values[CA_FILE]) : NULL;
    if (reading->values[STATE_DIR] != NULL) {
        out->state_dir = keep(reading, "", reading->values[STATE_DIR]);
    } else {
        char beside[AIR_LWS_PATH_SIZE];
        const char *last = strrchr(reading->values[AUTH_PATH], '/');
        (void)snprintf(beside, sizeof(beside), "%.*s/thinair",
            (int)(last - reading->values[AUTH_PATH]), reading->values[AUTH_PATH]);
        out->state_dir = keep(reading, "", beside);
    }
    return AIR_OK;
}

static enum air_error read_names(struct reading *reading) {
    struct air_lws_options *out = reading->out;
    const char *url = reading->values[DIRECTORY_URL];
    const char *email = reading->values[EMAIL];
    if (strncmp(url, "https://", 8) != 0) {
        return refuse(reading, DIRECTORY_URL, url, known[DIRECTORY_URL].missing);
    }
    if (strchr(email, '@') == NULL || strchr(email, ' ') != NULL) {
        return refuse(reading, EMAIL, email, known[EMAIL].missing);
    }
    out->directory_url = keep(reading, "", url);
    out->contact = keep(reading, "mailto:", email);
    enum air_error error =
        add_name(reading, air_span_text(keep(reading, "", reading->values[COMMON_NAME])));
    const char *more = reading->values[SUBJECT_ALT_NAME];
    air_span rest = more != NULL ? air_span_text(keep(reading, "", more)) : air_span_of(NULL, 0);
    air_span name;
    while (error == AIR_OK && rest.size > 0 && air_span_next(&rest, ',', &name)) {
        error = add_name(reading, name);
    }
    return error;
}

/* Blanks around it do not count; a name twice is one. */
static enum air_error add_name(struct reading *reading, air_span name) {
    struct air_lws_options *out = reading->out;
    name = air_span_trim(name);
    if (name.size > 0 && name.data[0] == '*') {
        return refuse(
            reading, SUBJECT_ALT_NAME, "*", "names without wildcards, which need a dns challenge");
    }
    for (size_t i = 0; i < out->names_count; i++) {
        if (air_span_equal_nocase(out->names[i], name)) {
            return AIR_OK;
        }
    }
    if (out->names_count == AIR_NAMES_MAX) {
        return refuse(reading, SUBJECT_ALT_NAME, NULL, "at most 100 names in all");
    }
    if (name.size > 0) {
        out->names[out->names_count++] = name;
    }
    return AIR_OK;
}

static enum air_error read_key_types(struct reading *reading) {
    struct air_lws_options *out = reading->out;
    const char *value =
        reading->values[KEY_TYPE] != NULL ? reading->values[KEY_TYPE] : "ecdsa-p256";
    air_span rest = air_span_text(value);
    air_span part;
    while (rest.size > 0 && air_span_next(&rest, ',', &part)) {
        const enum air_key_type type = air_key_type_parse(air_span_trim(part));
        const bool is_second_of_family =
            out->key_types_count == 1 &&
            (out->key_types[0] >= AIR_KEY_RSA_2048) == (type >= AIR_KEY_RSA_2048);
        if (type == AIR_KEY_NONE || out->key_types_count == AIR_KEY_TYPES_MAX ||
            is_second_of_family) {
            return refuse(reading, KEY_TYPE, value,
                "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, or one ECDSA and one RSA, "
                "parted by a comma");
        }
        out->key_types[out->key_types_count++] = type;
    }
    return AIR_OK;
}

static enum air_error read_challenge(struct reading *reading) {
    struct air_lws_options *out = reading->out;
    const char *value =
        reading->values[CHALLENGE] != NULL ? reading->values[CHALLENGE] : "tls-alpn-01";
    out->challenge = air_challenge_type_parse(air_span_text(value));
    return out->challenge != AIR_CHALLENGE_NONE
               ? AIR_OK
               : refuse(reading, CHALLENGE, value, "tls-alpn-01 or http-01");
}

static enum air_error read_numbers(struct reading *reading) {
    struct air_lws_options *out = reading->out;
    const char *const *values = reading->values;
    int64_t port = 0;
    int64_t days = 0;
    if (!read_number(values[HTTP_PORT], UINT16_MAX, &port) ||
        (port != 0 && out->challenge != AIR_HTTP_01)) {
        return refuse(reading, HTTP_PORT, values[HTTP_PORT],
            "a port that is opened for \"challenge\": \"http-01\", 80 where a CA looks");
    }
    if (!read_number(values[RENEW_BEFORE], 365, &days)) {
        return refuse(reading, RENEW_BEFORE, values[RENEW_BEFORE],
            "how many days before the end to renew; leave it out: the CA's wish, or a third of "
            "the lifetime");
    }
    if (!read_flag(values[AGREE_TERMS], false, &out->has_agreed) || !out->has_agreed) {
        return refuse(reading, AGREE_TERMS, values[AGREE_TERMS], known[AGREE_TERMS].missing);
    }
    if (!read_flag(values[KEEPER], true, &out->has_keeper)) {
        return refuse(reading, KEEPER, values[KEEPER], "0 or 1");
    }
    out->http_port = (uint16_t)port;
    out->renew_before_ms = days * DAY_MS;
    return AIR_OK;
}

static void read_subject(struct reading *reading) {
    struct air_subject *subject = &reading->out->subject;
    const struct {
        enum option option;
        air_span *place;
    } parts[] = {{COUNTRY, &subject->country}, {STATE, &subject->state},
        {LOCALITY, &subject->locality}, {ORGANIZATION, &subject->organization}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const char *value = reading->values[parts[i].option];
        if (value != NULL) {
            *parts[i].place = air_span_text(keep(reading, "", value));
        }
    }
}

static enum air_error refuse(
    struct reading *reading, enum option option, const char *value, const char *wanted) {
    char sentence[SENTENCE_SIZE];
    if (value == NULL) {
        (void)snprintf(sentence, sizeof(sentence), "the option \"%s\" is missing: give %s",
            known[option].name, wanted);
    } else {
        (void)snprintf(sentence, sizeof(sentence), "the option \"%s\" is \"%.64s\": give %s",
            known[option].name, value, wanted);
    }
    (void)air_buffer_append_text(reading->reason, sentence);
    return AIR_ERR_ARGUMENT;
}

/* A copy with its terminator; "" when there is no room, which the buffer remembers. */
static const char *keep(struct reading *reading, const char *before, const char *value) {
    struct air_buffer *text = &reading->out->text;
    const size_t begin = text->size;
    (void)air_buffer_append_text(text, before);
    (void)air_buffer_append_text(text, value);
    return air_buffer_append_byte(text, '\0') == AIR_OK ? (const char *)text->data + begin : "";
}

static bool read_flag(const char *value, bool unset, bool *out) {
    *out = value == NULL ? unset : strcmp(value, "1") == 0;
    return value == NULL || strcmp(value, "0") == 0 || strcmp(value, "1") == 0;
}

static bool read_number(const char *value, int64_t max, int64_t *out) {
    *out = 0;
    return value == NULL ||
           (air_span_number(air_span_text(value), out) && *out >= 0 && *out <= max);
}
