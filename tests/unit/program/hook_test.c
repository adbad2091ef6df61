/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a command gets its arguments, exactly the documented variables, no descriptor of
 * ours and no blocked signal, without a shell; commands run in order; one that fails, hangs or does
 * not exist is logged and the next one runs. The commands are small sh scripts given as arguments.
 */

#include "hosts/program/hook.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

/* What was logged and what the commands printed: both go to one pipe. */
struct output {
    int ends[2];
    int saved_stderr;
    struct air_log log;
    char text[8192];
};

static void capture(struct output *output) {
    memset(output, 0, sizeof(*output));
    assert_int_equal(pipe2(output->ends, O_CLOEXEC), 0);
    output->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(output->ends[1], STDERR_FILENO), STDERR_FILENO);
    output->log = (struct air_log){AIR_LOG_PHASES, output->ends[1], AIR_INFO};
}

static const char *release(struct output *output) {
    size_t size = 0;
    ssize_t got;
    assert_int_equal(dup2(output->saved_stderr, STDERR_FILENO), STDERR_FILENO);
    close(output->saved_stderr);
    close(output->ends[1]);
    while (
        (got = read(output->ends[0], output->text + size, sizeof(output->text) - 1 - size)) > 0) {
        size += (size_t)got;
    }
    close(output->ends[0]);
    return output->text;
}

static const air_span names[] = {
    {(const uint8_t *)"example.net", 11}, {(const uint8_t *)"www.example.net", 15}};

static struct air_hook make_hook(const char *const *command) {
    return (struct air_hook){.command = command,
        .certificate = names[0],
        .key_type = AIR_KEY_ECDSA_P256,
        .generation = 3,
        .names = names,
        .names_count = 2,
        .state_dir = "/var/lib/thinair"};
}

static unsigned run(struct output *output, unsigned timeout_s, const char *const *const *commands,
    size_t commands_count) {
    struct air_hooks *hooks = NULL;
    assert_ok(air_hooks_new(&output->log, timeout_s, &hooks));
    for (size_t i = 0; i < commands_count; i++) {
        const struct air_hook hook = make_hook(commands[i]);
        assert_ok(air_hooks_add(hooks, &hook));
    }
    return air_hooks_free(hooks);
}

static void gives_the_documented_variables_and_nothing_else(void **state) {
    (void)state;
    static const char *const command[] = {"/usr/bin/env", NULL};
    static const char *const *const commands[] = {command};
    struct output output;
    capture(&output);
    setenv("SECRET", "must not be seen", 1);
    assert_int_equal(run(&output, 0, commands, 1), 0);
    unsetenv("SECRET");
    assert_string_equal(release(&output),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "THINAIR_ID=example.net\nTHINAIR_KEY_TYPE=ecdsa-p256\nTHINAIR_GENERATION=3\n"
        "THINAIR_NAMES=example.net www.example.net\n"
        "THINAIR_LIVE=/var/lib/thinair/live/example.net/ecdsa-p256\n"
        "example.net: on-installed: /usr/bin/env ran\n");
}

static void passes_arguments_without_a_shell(void **state) {
    (void)state;
    static const char *const command[] = {"/bin/echo", "$(id)", ";", "a  b", NULL};
    static const char *const *const commands[] = {command};
    struct output output;
    capture(&output);
    assert_int_equal(run(&output, 0, commands, 1), 0);
    assert_string_equal(
        release(&output), "$(id) ; a  b\nexample.net: on-installed: /bin/echo ran\n");
}

/* The two ignored signals that are let pass are the C library's own, 32 and 33. The shell itself
 * reads which it blocks: while it forks, these are all. */
static void gives_no_descriptor_and_no_blocked_signal(void **state) {
    (void)state;
    static const char *const command[] = {"/bin/sh", "-c",
        "for f in /proc/$$/fd/*; do f=${f##*/}; [ \"$f\" -gt 3 ] && echo fd $f; done;"
        "while IFS= read -r s; do case $s in SigBlk*) echo \"$s\";; esac; done </proc/$$/status;"
        "grep -c 'SigIgn:.*0000000[01][08]0000000' /proc/$$/status;"
        "read line || echo no input",
        NULL};
    static const char *const *const commands[] = {command};
    struct output output;
    sigset_t one;
    int leak = fcntl(STDIN_FILENO, F_DUPFD, 5); /* not closed on exec */
    sigemptyset(&one);
    sigaddset(&one, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    signal(SIGPIPE, SIG_IGN);
    capture(&output);
    assert_int_equal(run(&output, 0, commands, 1), 0);
    assert_string_equal(release(&output), "SigBlk:\t0000000000000000\n1\nno input\n"
                                          "example.net: on-installed: /bin/sh ran\n");
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    close(leak);
}

static void goes_on_after_failures(void **state) {
    (void)state;
    static const char *const fails[] = {"/bin/sh", "-c", "exit 3", NULL};
    static const char *const dies[] = {"/bin/sh", "-c", "kill -9 $$", NULL};
    static const char *const missing[] = {"/nonexistent/program", NULL};
    static const char *const good[] = {"/bin/true", NULL};
    static const char *const *const commands[] = {fails, dies, missing, good};
    struct output output;
    capture(&output);
    assert_int_equal(run(&output, 0, commands, 4), 3);
    assert_string_equal(release(&output),
        "example.net: on-installed: /bin/sh exited with status 3\n"
        "example.net: on-installed: /bin/sh was ended by signal 9\n"
        "example.net: on-installed: /nonexistent/program: No such file or directory\n"
        "example.net: on-installed: /bin/true ran\n");
}

static void kills_what_takes_too_long_with_its_children(void **state) {
    (void)state;
    /* The pipe's end, which every child holds, closes only when all of them are gone. */
    static const char *const hangs[] = {"/bin/sh", "-c", "sleep 1000 & sleep 1000", NULL};
    static const char *const *const commands[] = {hangs};
    struct output output;
    capture(&output);
    assert_int_equal(run(&output, 1, commands, 1), 1);
    assert_string_equal(
        release(&output), "example.net: on-installed: /bin/sh took too long and was killed\n");
}

static enum air_error add_one(void *context) {
    static const char *const command[] = {"/bin/true", "x", NULL};
    const struct air_hook hook = make_hook(command);
    const struct air_log log = {AIR_LOG_PHASES, -1, AIR_ALARM};
    struct air_hooks *hooks = NULL;
    (void)context;
    enum air_error error = air_hooks_new(&log, 0, &hooks);
    if (error == AIR_OK) {
        error = air_hooks_add(hooks, &hook);
    }
    air_hooks_free(hooks);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(add_one, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_documented_variables_and_nothing_else),
        cmocka_unit_test(passes_arguments_without_a_shell),
        cmocka_unit_test(gives_no_descriptor_and_no_blocked_signal),
        cmocka_unit_test(goes_on_after_failures),
        cmocka_unit_test(kills_what_takes_too_long_with_its_children),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
