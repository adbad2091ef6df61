/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_SETTINGS_H
#define AIR_PROGRAM_SETTINGS_H

/*
 * What the user said, as he said it: flags and the YAML file both fill this struct. Every value
 * remembers where it stands, so that whoever judges it later can point there. Meaning is given by
 * plan.h; nothing here is checked yet.
 */

#include "hosts/program/pool.h"
#include "thinair/buffer.h"

/* Where a value stands: a line of a file, or (line 0) a flag, "--name". source NULL: not given. */
struct air_place {
    const char *source;
    unsigned line;
};

/* A text; text NULL: not given. A yes-or-no value is "true" or "false". */
struct air_value {
    const char *text;
    struct air_place place;
};

/* A list; place.source NULL: not given, which is not the same as an empty list. */
struct air_values {
    struct air_value *items;
    size_t count;
    struct air_place place;
};

/* A CA. name is empty for the default one, which flags and the file's top level describe. */
struct air_authority_settings {
    struct air_value name;
    struct air_value directory;
    struct air_value ca_file;
    struct air_values contact;
    struct air_value agree_terms;
    struct air_value eab_kid;
    struct air_value eab_key_file;
};

struct air_certificate_settings {
    struct air_place place;
    struct air_values names;
    struct air_value id;
    struct air_values keys;
    struct air_value ca;
    struct air_values challenge;
    struct air_value to;
    struct air_value renew_before;
    struct air_values on_installed; /* program and arguments */
    struct air_value must_staple;
};

struct air_settings {
    struct air_pool pool; /* owns every text and array below */
    struct air_value config;
    struct air_value state;
    struct air_value user;
    struct air_value admin;
    struct air_values listen;
    struct air_values http;
    struct air_value log_format;
    struct air_values alpn;
    struct air_value proxy_protocol;
    struct air_values on_installed;
    struct air_authority_settings authority;  /* the default CA */
    struct air_certificate_settings by_flags; /* the certificate that flags describe */
    struct air_authority_settings *authorities;
    size_t authorities_count;
    struct air_certificate_settings *certificates;
    size_t certificates_count;

    /* Of single commands. */
    struct air_value json;
    struct air_value help;
    struct air_values words; /* what is not a flag, after the command */
};

void air_settings_init(struct air_settings *settings);
void air_settings_deinit(struct air_settings *settings);

/* Append text to a list; its place becomes the list's if the list has none. AIR_ERR_NO_MEMORY. */
enum air_error air_settings_append(struct air_settings *settings, struct air_values *values,
    air_span text, struct air_place place);

/* Give a value a copy of text. AIR_ERR_NO_MEMORY. */
enum air_error air_settings_assign(
    struct air_settings *settings, struct air_value *value, air_span text, struct air_place place);

bool air_value_is_true(const struct air_value *value);

/* Write "place: " and the formatted sentence to reason, in place of what is there. */
__attribute__((format(printf, 3, 4))) void air_place_complain(
    struct air_buffer *reason, struct air_place place, const char *format, ...);

#endif
