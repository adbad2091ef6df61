/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_HELP_H
#define AIR_PROGRAM_HELP_H

/*
 * Help texts, made of the tables of commands and flags.
 */

#include <stdio.h>

#include "hosts/program/options.h"

struct air_help {
    enum air_command command;
    const char *name;
    const char *words; /* what follows the name */
    const char *summary;
};

/* All commands in short: `count` structs that begin with a struct air_help, `stride` bytes
 * apart. */
void air_help_overview(FILE *out, const struct air_help *first, size_t count, size_t stride);

/* One command with its flags. */
void air_help_command(FILE *out, const struct air_help *help);

#endif
