/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_HOOK_H
#define AIR_PROGRAM_HOOK_H

/*
 * The on-installed command: run after each new certificate, one at a time, on a thread of its own.
 *
 * The program gets its own arguments, standard input from /dev/null, standard output and error to
 * ours, and exactly these variables: PATH, THINAIR_ID, THINAIR_KEY_TYPE, THINAIR_GENERATION,
 * THINAIR_NAMES (parted by spaces), THINAIR_LIVE (the folder with privkey.pem, fullchain.pem and
 * bundle.pem). No shell is involved. One that takes longer than AIR_HOOK_TIMEOUT_S is killed with
 * its process group.
 */

#include "hosts/program/log.h"

#define AIR_HOOK_TIMEOUT_S 60
#define AIR_HOOK_WAITING_MAX 1024

struct air_hooks;

/* What a command is told. Copied. */
struct air_hook {
    const char *const *command; /* program and arguments, NULL at the end */
    air_span certificate;
    enum air_key_type key_type;
    uint32_t generation;
    const air_span *names;
    size_t names_count;
    const char *state_dir;
};

/* timeout_s  0: AIR_HOOK_TIMEOUT_S. out: yours, air_hooks_free(). AIR_ERR_NO_MEMORY. */
enum air_error air_hooks_new(const struct air_log *log, unsigned timeout_s, struct air_hooks **out);

/* Run a command when those before it have ended. Any thread. AIR_ERR_NO_MEMORY, AIR_ERR_LIMIT. */
enum air_error air_hooks_add(struct air_hooks *hooks, const struct air_hook *hook);

/* Wait for what was added, then free. NULL is accepted. How many failed. */
unsigned air_hooks_free(struct air_hooks *hooks);

#endif
