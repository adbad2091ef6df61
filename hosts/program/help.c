/* SPDX-License-Identifier: MIT */
/*
 * Help texts: printed from the tables that the reading of commands and flags uses too, so that help
 * cannot tell of a flag that is not there. Examples and explanations are in the manual page.
 */
#include "hosts/program/help.h"

static const char examples[] =
    "\nStaging first, then the real thing:\n"
    "  thinair run --name example.net --to 127.0.0.1:8080 --agree-terms --ca letsencrypt-staging\n"
    "  thinair run --name example.net --to 127.0.0.1:8080 --agree-terms\n"
    "\n'thinair help COMMAND' lists a command's flags; thinair(1) explains them.\n";

void air_help_overview(FILE *out, const struct air_help *first, size_t count, size_t stride) {
    fputs("thinair: TLS certificates from thin air, got, served and renewed\n\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct air_help *help =
            (const struct air_help *)(const void *)((const char *)first + i * stride);

        fprintf(out, "  thinair %-8s %s\n", help->name, help->summary);
    }
    fputs(examples, out);
}

void air_help_command(FILE *out, const struct air_help *help) {
    fprintf(out, "thinair %s %s\n  %s\n\n", help->name, help->words, help->summary);
    for (size_t i = 0; i < air_options_count; i++) {
        const struct air_option *option = &air_options[i];

        if ((option->commands & (unsigned)help->command) != 0) {
            fprintf(out, "  --%s%s%s\n      %s\n", option->name,
                option->argument != NULL ? " " : "",
                option->argument != NULL ? option->argument : "", option->help);
        }
    }
}
