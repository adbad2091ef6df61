/* SPDX-License-Identifier: MIT */
/*
 * `thinair`: the table of commands, and what happens before any of them: flags, the file of
 * --config, help. What a command does stands in its own file.
 *
 * Invariant: a command runs only with settings that were read whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hosts/program/command.h"
#include "hosts/program/help.h"
#include "hosts/program/text.h"
#include "hosts/program/yaml.h"
#include "src/base/span.h"

static enum air_exit print_version(struct air_invocation *invocation);
static enum air_exit print_help(struct air_invocation *invocation);

static const struct command {
    struct air_help help;
    size_t words_max;
    enum air_exit (*run)(struct air_invocation *invocation);
} commands[] = {
    {{AIR_COMMAND_RUN, "run", "--name NAME --to HOST:PORT --agree-terms | --config FILE",
         "get, serve and renew certificates, and forward what clients send"},
        0, air_command_run},
    {{AIR_COMMAND_ISSUE, "issue", "--name NAME --agree-terms | --config FILE",
         "get certificates once, unless they are there, and end"},
        0, air_command_issue},
    {{AIR_COMMAND_RENEW, "renew", "[NAME]", "order anew now: by the daemon, or without one"}, 1,
        air_command_renew},
    {{AIR_COMMAND_RELOAD, "reload", "", "let the daemon read its configuration again"}, 0,
        air_command_reload},
    {{AIR_COMMAND_LIST, "list", "", "one line for each certificate"}, 0, air_command_list},
    {{AIR_COMMAND_STATUS, "status", "[NAME]", "all there is to know about certificates"}, 1,
        air_command_status},
    {{AIR_COMMAND_CONFIG, "config", "FILE", "check a configuration file and show what it means"}, 1,
        air_command_config},
    {{AIR_COMMAND_VERSION, "version", "", "print the version"}, 0, print_version},
    {{AIR_COMMAND_HELP, "help", "[COMMAND]", "explain a command, or all of them in short"}, 1,
        print_help},
};
#define COMMANDS_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name);
static enum air_exit complain_unknown(const char *word);
static enum air_exit run(const struct command *command, int count, char *const *arguments);

int main(int count, char **arguments) {
    const struct command *command;
    const char *word = count > 1 ? arguments[1] : NULL;

    if (word == NULL) {
        air_help_overview(stderr, &commands[0].help, COMMANDS_COUNT, sizeof(commands[0]));
        return AIR_EXIT_WRONG_USE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        word = "help";
    } else if (strcmp(word, "--version") == 0) {
        word = "version";
    }
    command = find(word);
    if (command == NULL) {
        return (int)complain_unknown(word);
    }
    return (int)run(command, count - 2, arguments + 2);
}

static enum air_exit run(const struct command *command, int count, char *const *arguments) {
    struct air_invocation invocation = {.command = command->help.command,
        .words_max = command->words_max,
        .count = count,
        .arguments = arguments};
    struct air_buffer reason;
    enum air_exit status = AIR_EXIT_WRONG_USE;
    enum air_error error;

    air_settings_init(&invocation.settings);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX * 2);
    error = air_invocation_read(&invocation, &invocation.settings, &reason);
    if (air_value_is_true(&invocation.settings.help)) {
        air_help_command(stdout, &command->help);
        status = AIR_EXIT_DONE;
    } else if (error != AIR_OK) {
        air_command_complain(&reason, error);
        status = error == AIR_ERR_NO_MEMORY ? AIR_EXIT_FAILED : AIR_EXIT_WRONG_USE;
    } else {
        status = command->run(&invocation);
    }
    air_buffer_deinit(&reason);
    air_settings_deinit(&invocation.settings);
    /* What could not be printed was not done. */
    if (fflush(stdout) != 0 && status == AIR_EXIT_DONE) {
        status = AIR_EXIT_FAILED;
    }
    return status;
}

static const struct command *find(const char *name) {
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(commands[i].help.name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static const char *command_name(const void *words, size_t index) {
    const struct command *list = words;

    return list[index].help.name;
}

static enum air_exit complain_unknown(const char *word) {
    const char *nearest = air_text_nearest(word, command_name, commands, COMMANDS_COUNT);
    struct air_buffer reason;

    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    if (nearest != NULL) {
        air_text_format(&reason, "%s is no command; did you mean %s?", word, nearest);
    } else {
        air_text_format(&reason, "%s is no command; see 'thinair help'", word);
    }
    air_command_complain(&reason, AIR_ERR_NOT_FOUND);
    air_buffer_deinit(&reason);
    return AIR_EXIT_WRONG_USE;
}

static enum air_exit print_version(struct air_invocation *invocation) {
    (void)invocation;
    puts("thinair " AIR_VERSION_TEXT);
    return AIR_EXIT_DONE;
}

static enum air_exit print_help(struct air_invocation *invocation) {
    const struct command *command;

    if (invocation->settings.words.count == 0) {
        air_help_overview(stdout, &commands[0].help, COMMANDS_COUNT, sizeof(commands[0]));
        return AIR_EXIT_DONE;
    }
    command = find(invocation->settings.words.items[0].text);
    if (command == NULL) {
        return complain_unknown(invocation->settings.words.items[0].text);
    }
    air_help_command(stdout, &command->help);
    return AIR_EXIT_DONE;
}
