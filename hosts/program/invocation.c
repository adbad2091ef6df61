/* SPDX-License-Identifier: MIT */
/*
 * From a command line to settings and a plan: the same way for every command, and again for every
 * reload. Exit statuses are decided here: what the user can mend by writing something else is wrong
 * use.
 */
#include <stdio.h>
#include <string.h>

#include "hosts/program/command.h"
#include "hosts/program/text.h"
#include "hosts/program/yaml.h"
#include "src/base/span.h"

enum air_error air_invocation_read(const struct air_invocation *invocation,
    struct air_settings *settings, struct air_buffer *reason) {
    enum air_error error = air_options_read(settings, invocation->command, invocation->words_max,
        invocation->count, invocation->arguments, reason);

    if (error != AIR_OK || air_value_is_true(&settings->help)) {
        return error;
    }
    if (invocation->command == AIR_COMMAND_CONFIG) {
        if (settings->words.count == 0) {
            air_text_format(reason, "config: say which file to check: thinair config FILE");
            return AIR_ERR_MALFORMED;
        }
        settings->config = settings->words.items[0];
    }
    if (settings->config.text == NULL) {
        return AIR_OK;
    }
    return air_yaml_read(settings, settings->config.text, reason);
}

enum air_exit air_invocation_plan(
    struct air_invocation *invocation, enum air_purpose purpose, struct air_plan *plan) {
    struct air_buffer reason;
    enum air_error error;

    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX * 2);
    error = air_plan_make(&invocation->settings, purpose, plan, &reason);
    if (error != AIR_OK) {
        air_command_complain(&reason, error);
        air_plan_deinit(plan);
    }
    air_buffer_deinit(&reason);
    if (error == AIR_OK) {
        return AIR_EXIT_DONE;
    }
    return error == AIR_ERR_NO_MEMORY ? AIR_EXIT_FAILED : AIR_EXIT_WRONG_USE;
}

void air_command_complain(const struct air_buffer *reason, enum air_error error) {
    if (reason->size > 0) {
        fprintf(stderr, "thinair: %.*s\n", (int)reason->size, (const char *)reason->data);
    } else {
        fprintf(stderr, "thinair: %s\n", air_error_text(error));
    }
}
