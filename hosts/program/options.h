/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_OPTIONS_H
#define AIR_PROGRAM_OPTIONS_H

/*
 * The flags: one table row each, which help, parsing and checks all read.
 */

#include "hosts/program/settings.h"

/* The commands, as bits: a flag names all that take it. */
enum air_command {
    AIR_COMMAND_RUN = 1,
    AIR_COMMAND_ISSUE = 2,
    AIR_COMMAND_RENEW = 4,
    AIR_COMMAND_RELOAD = 8,
    AIR_COMMAND_LIST = 16,
    AIR_COMMAND_STATUS = 32,
    AIR_COMMAND_CONFIG = 64,
    AIR_COMMAND_VERSION = 128,
    AIR_COMMAND_HELP = 256
};

/* How a flag takes its value. */
enum air_option_kind {
    AIR_OPTION_SWITCH, /* none: struct air_value "true" */
    AIR_OPTION_TEXT,   /* one, given once: struct air_value */
    AIR_OPTION_LIST,   /* one each time it is given: struct air_values */
    AIR_OPTION_COMMAS  /* the same, and each may be several parted by commas */
};

struct air_option {
    const char *name;     /* without "--" */
    const char *argument; /* "HOST:PORT", or NULL for a switch */
    const char *help;
    unsigned commands;
    enum air_option_kind kind;
    size_t offset; /* within struct air_settings */
};

/* Every flag, in the order of the help text. */
extern const struct air_option air_options[];
extern const size_t air_options_count;

/*
 * Read the flags of one command into settings. "--flag value" and "--flag=value" mean the same;
 * "--" ends the flags; other words go to settings->words, at most words_max.
 *
 * reason  On failure a sentence that names the flag and what to do.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED or AIR_ERR_NO_MEMORY.
 */
enum air_error air_options_read(struct air_settings *settings, enum air_command command,
    size_t words_max, int count, char *const *arguments, struct air_buffer *reason);

#endif
