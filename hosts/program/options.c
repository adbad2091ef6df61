/* SPDX-License-Identifier: MIT */
/*
 * The flags: the table, and the reader that fills the settings from it. What a value means is left
 * to plan.c; here is only judged whether the flag exists, belongs to the command and has a value.
 *
 * Invariant: settings point into their own pool, never into argv.
 */
#include "hosts/program/options.h"

#include <string.h>

#include "hosts/program/text.h"
#include "src/base/span.h"

#define WISH (AIR_COMMAND_RUN | AIR_COMMAND_ISSUE | AIR_COMMAND_RENEW)
#define REPORT (AIR_COMMAND_LIST | AIR_COMMAND_STATUS)
#define EVERY                                                                                      \
    (WISH | REPORT | AIR_COMMAND_RELOAD | AIR_COMMAND_CONFIG | AIR_COMMAND_VERSION |               \
        AIR_COMMAND_HELP)
#define AT(member) offsetof(struct air_settings, member)

const struct air_option air_options[] = {
    {"name", "NAME[,NAME]", "DNS names of the certificate, the first gives its id", WISH,
        AIR_OPTION_COMMAS, AT(by_flags.names)},
    {"to", "HOST:PORT", "where to forward what clients send", AIR_COMMAND_RUN, AIR_OPTION_TEXT,
        AT(by_flags.to)},
    {"key", "TYPE[,TYPE]", "key types: ecdsa-p256 (default), ecdsa-p384, rsa-2048, -3072, -4096",
        WISH, AIR_OPTION_COMMAS, AT(by_flags.keys)},
    {"id", "ID", "the certificate's id in storage, default its first name", WISH, AIR_OPTION_TEXT,
        AT(by_flags.id)},
    {"ca", "CA", "letsencrypt (default), letsencrypt-staging, or the https URL of a directory",
        WISH, AIR_OPTION_TEXT, AT(authority.directory)},
    {"ca-file", "PEM", "roots to believe for that CA's own https, instead of the system's", WISH,
        AIR_OPTION_TEXT, AT(authority.ca_file)},
    {"contact", "MAIL", "where the CA may write about problems", WISH, AIR_OPTION_COMMAS,
        AT(authority.contact)},
    {"agree-terms", NULL, "you have read the CA's terms of service and agree", WISH,
        AIR_OPTION_SWITCH, AT(authority.agree_terms)},
    {"eab-kid", "ID", "external account binding: key id, from the CA", WISH, AIR_OPTION_TEXT,
        AT(authority.eab_kid)},
    {"eab-key-file", "FILE", "external account binding: file with the MAC key, base64url", WISH,
        AIR_OPTION_TEXT, AT(authority.eab_key_file)},
    {"challenge", "TYPE[,TYPE]",
        "how the CA checks: tls-alpn-01 (on --listen), http-01 (on --http)", WISH,
        AIR_OPTION_COMMAS, AT(by_flags.challenge)},
    {"renew-before", "SPAN", "renew when less than this is left: 30d, 12h; default a third of life",
        WISH, AIR_OPTION_TEXT, AT(by_flags.renew_before)},
    {"must-staple", NULL, "ask for the TLS feature extension (RFC 7633)", WISH, AIR_OPTION_SWITCH,
        AT(by_flags.must_staple)},
    {"on-installed", "PROGRAM", "run this after each new certificate; no shell, 60 s", WISH,
        AIR_OPTION_LIST, AT(on_installed)},
    {"listen", "[ADDR]:PORT", "TLS addresses, default :443; may be given more than once", WISH,
        AIR_OPTION_LIST, AT(listen)},
    {"http", "[ADDR]:PORT", "plain HTTP addresses, default :80; may be given more than once", WISH,
        AIR_OPTION_LIST, AT(http)},
    {"alpn", "PROTO[,PROTO]", "protocols offered to clients, default http/1.1", AIR_COMMAND_RUN,
        AIR_OPTION_COMMAS, AT(alpn)},
    {"proxy-protocol", NULL, "send PROXY protocol v2 to --to, so that it sees clients' addresses",
        AIR_COMMAND_RUN, AIR_OPTION_SWITCH, AT(proxy_protocol)},
    {"config", "FILE", "read certificates and settings from a YAML file; flags win", WISH | REPORT,
        AIR_OPTION_TEXT, AT(config)},
    {"state", "DIR", "where keys and certificates are kept, default /var/lib/thinair",
        WISH | REPORT | AIR_COMMAND_RELOAD, AIR_OPTION_TEXT, AT(state)},
    {"user", "NAME", "drop to this user once the ports are bound", WISH, AIR_OPTION_TEXT, AT(user)},
    {"admin", "PATH", "the daemon's unix socket, default <state>/admin.sock",
        WISH | REPORT | AIR_COMMAND_RELOAD, AIR_OPTION_TEXT, AT(admin)},
    {"log-format", "text|json", "how the log on standard error looks, default text", WISH,
        AIR_OPTION_TEXT, AT(log_format)},
    {"json", NULL, "answer in JSON", REPORT, AIR_OPTION_SWITCH, AT(json)},
    {"help", NULL, "explain the command and end", EVERY, AIR_OPTION_SWITCH, AT(help)},
};
const size_t air_options_count = sizeof(air_options) / sizeof(air_options[0]);

static enum air_error read_flag(struct air_settings *settings, enum air_command command,
    const char *word, const char *next, bool *takes_next, struct air_buffer *reason);
static enum air_error read_value(struct air_settings *settings, const struct air_option *option,
    const char *value, struct air_buffer *reason);
static const struct air_option *find(air_span name);
static enum air_error complain_unknown(
    enum air_command command, const char *word, struct air_buffer *reason);

enum air_error air_options_read(struct air_settings *settings, enum air_command command,
    size_t words_max, int count, char *const *arguments, struct air_buffer *reason) {
    bool are_flags = true;
    int i;

    for (i = 0; i < count; i++) {
        const char *word = arguments[i];
        bool takes_next = false;
        enum air_error error;

        if (are_flags && strcmp(word, "--") == 0) {
            are_flags = false;
            continue;
        }
        if (are_flags && word[0] == '-') {
            const char *next = i + 1 < count ? arguments[i + 1] : NULL;

            error = read_flag(settings, command, word, next, &takes_next, reason);
        } else if (settings->words.count >= words_max) {
            air_place_complain(reason, (struct air_place){word, 0},
                "is one word too many; flags begin with --, see 'thinair help'");
            error = AIR_ERR_MALFORMED;
        } else {
            error = air_settings_append(
                settings, &settings->words, air_span_text(word), (struct air_place){word, 0});
        }
        if (error != AIR_OK) {
            return error;
        }
        i += takes_next ? 1 : 0;
    }
    return AIR_OK;
}

static enum air_error read_flag(struct air_settings *settings, enum air_command command,
    const char *word, const char *next, bool *takes_next, struct air_buffer *reason) {
    air_span name = air_span_text(word[1] == '-' ? word + 2 : word + 1);
    size_t equals = air_span_find(name, '=');
    const char *value = equals < name.size ? (const char *)name.data + equals + 1 : NULL;
    const struct air_option *option = find(air_span_take(name, equals));
    struct air_place place = {word, 0};

    if (strcmp(word, "-h") == 0) {
        option = find(air_span_text("help"));
    } else if (word[1] != '-' || option == NULL || (option->commands & (unsigned)command) == 0) {
        return complain_unknown(command, word, reason);
    }
    if (option->argument == NULL && value != NULL) {
        air_place_complain(reason, place, "takes no value; write --%s alone", option->name);
        return AIR_ERR_MALFORMED;
    }
    if (option->argument == NULL) {
        return read_value(settings, option, "true", reason);
    }
    if (value == NULL) {
        value = next;
        *takes_next = true;
    }
    if (value == NULL || value[0] == '\0' || (*takes_next && strncmp(value, "--", 2) == 0)) {
        air_place_complain(reason, place, "needs a value: --%s %s", option->name, option->argument);
        return AIR_ERR_MALFORMED;
    }
    return read_value(settings, option, value, reason);
}

/* The place of every value is the flag's row in the table, not the memory of argv. */
static const char *flag_text(struct air_settings *settings, const struct air_option *option) {
    char *text = air_pool_take(&settings->pool, strlen(option->name) + 3);

    if (text != NULL) {
        memcpy(text, "--", 2);
        memcpy(text + 2, option->name, strlen(option->name));
    }
    return text;
}

static enum air_error read_value(struct air_settings *settings, const struct air_option *option,
    const char *value, struct air_buffer *reason) {
    void *member = (char *)settings + option->offset;
    struct air_place place = {flag_text(settings, option), 0};
    air_span rest = air_span_text(value);
    air_span piece;
    enum air_error error = AIR_OK;

    if (place.source == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    if (option->kind == AIR_OPTION_LIST) {
        return air_settings_append(settings, member, rest, place);
    }
    if (option->kind == AIR_OPTION_COMMAS) {
        while (error == AIR_OK && air_span_next(&rest, ',', &piece)) {
            error = air_settings_append(settings, member, air_span_trim(piece), place);
        }
        return error;
    }
    if (option->kind == AIR_OPTION_TEXT && ((struct air_value *)member)->text != NULL) {
        air_place_complain(reason, place, "is given twice; keep one");
        return AIR_ERR_MALFORMED;
    }
    return air_settings_assign(settings, member, rest, place);
}

static const struct air_option *find(air_span name) {
    size_t i;

    for (i = 0; i < air_options_count; i++) {
        if (air_span_equal_text(name, air_options[i].name)) {
            return &air_options[i];
        }
    }
    return NULL;
}

static const char *option_name(const void *words, size_t index) {
    const struct air_option *options = words;

    return options[index].name;
}

static enum air_error complain_unknown(
    enum air_command command, const char *word, struct air_buffer *reason) {
    air_span name = air_span_text(word + strspn(word, "-"));
    const struct air_option *option = find(air_span_take(name, air_span_find(name, '=')));
    struct air_place place = {word, 0};
    const char *nearest = NULL;

    if (option != NULL && (option->commands & (unsigned)command) != 0) {
        air_place_complain(reason, place, "flags begin with two dashes: --%s", option->name);
        return AIR_ERR_MALFORMED;
    }
    if (option != NULL) {
        air_place_complain(reason, place, "does not belong to this command; see 'thinair help'");
        return AIR_ERR_MALFORMED;
    }
    nearest =
        air_text_nearest((const char *)name.data, option_name, air_options, air_options_count);
    if (nearest != NULL) {
        air_place_complain(reason, place, "is no flag of thinair; did you mean --%s?", nearest);
    } else {
        air_place_complain(reason, place, "is no flag of thinair; see 'thinair help'");
    }
    return AIR_ERR_MALFORMED;
}
