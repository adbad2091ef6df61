/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_COMMAND_H
#define AIR_PROGRAM_COMMAND_H

/*
 * The commands: each gets its settings, says what happened on standard output or error, and returns
 * an exit status.
 */

#include "hosts/program/options.h"
#include "hosts/program/plan.h"

enum air_exit {
    AIR_EXIT_DONE = 0,
    AIR_EXIT_FAILED = 1,   /* the CA, the network or the machine said no */
    AIR_EXIT_WRONG_USE = 2 /* flags or configuration must change first */
};

/* What a command was started with. */
struct air_invocation {
    enum air_command command;
    size_t words_max;
    int count; /* of arguments after the command's name */
    char *const *arguments;
    struct air_settings settings; /* flags, and the file of --config */
};

enum air_exit air_command_run(struct air_invocation *invocation);
enum air_exit air_command_issue(struct air_invocation *invocation);
enum air_exit air_command_renew(struct air_invocation *invocation);
enum air_exit air_command_reload(struct air_invocation *invocation);
enum air_exit air_command_list(struct air_invocation *invocation);
enum air_exit air_command_status(struct air_invocation *invocation);
enum air_exit air_command_config(struct air_invocation *invocation);

/* Read flags and file again into fresh settings: what a reload starts with. */
enum air_error air_invocation_read(const struct air_invocation *invocation,
    struct air_settings *settings, struct air_buffer *reason);

/* Make the command's plan, or complain on standard error. AIR_EXIT_DONE: made. */
enum air_exit air_invocation_plan(
    struct air_invocation *invocation, enum air_purpose purpose, struct air_plan *plan);

/* Say on standard error, "thinair: sentence", why the command ends: reason, or the error's text
 * when it is empty. */
void air_command_complain(const struct air_buffer *reason, enum air_error error);

#endif
