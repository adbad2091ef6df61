/* SPDX-License-Identifier: MIT */
/*
 * Proven here: flags fill the settings in both spellings, and every misuse is refused with a
 * sentence that names the flag and what to do: a table of command lines and sentences. The table of
 * flags itself has no two rows of one name.
 */

#include "hosts/program/options.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define WORDS_MAX 8

static int count_of(char *const words[WORDS_MAX]) {
    int count = 0;
    while (count < WORDS_MAX && words[count] != NULL) {
        count++;
    }
    return count;
}

static void reads_flags_in_both_spellings(void **state) {
    (void)state;
    char *const words[] = {"--name", "a.example,b.example", "--listen=:443", "--listen", "[::1]:8",
        "--agree-terms", "--", "--word"};
    struct air_settings settings;
    air_settings_init(&settings);
    assert_ok(air_options_read(&settings, AIR_COMMAND_RUN, 1, 8, words, NULL));
    assert_int_equal(settings.by_flags.names.count, 2);
    assert_string_equal(settings.by_flags.names.items[1].text, "b.example");
    assert_string_equal(settings.by_flags.names.items[1].place.source, "--name");
    assert_int_equal(settings.listen.count, 2);
    assert_string_equal(settings.listen.items[0].text, ":443");
    assert_string_equal(settings.listen.items[1].text, "[::1]:8");
    assert_true(air_value_is_true(&settings.authority.agree_terms));
    assert_string_equal(settings.words.items[0].text, "--word");
    air_settings_deinit(&settings);
}

static const struct {
    enum air_command command;
    char *const words[WORDS_MAX];
    const char *complaint;
} refusals[] = {
    {AIR_COMMAND_RUN, {"--nmae", "a"}, "--nmae: is no flag of thinair; did you mean --name?"},
    {AIR_COMMAND_RUN, {"--lissten=:1"}, "--lissten=:1: is no flag of thinair; see 'thinair help'"},
    {AIR_COMMAND_RUN, {"--frobnicate"}, "--frobnicate: is no flag of thinair; see 'thinair help'"},
    {AIR_COMMAND_RUN, {"-name", "a"}, "-name: flags begin with two dashes: --name"},
    {AIR_COMMAND_RUN, {"-x"}, "-x: is no flag of thinair; see 'thinair help'"},
    {AIR_COMMAND_RUN, {"-"}, "-: is no flag of thinair; see 'thinair help'"},
    {AIR_COMMAND_RUN, {"--name"}, "--name: needs a value: --name NAME[,NAME]"},
    {AIR_COMMAND_RUN, {"--name", "--to", "a:1"}, "--name: needs a value: --name NAME[,NAME]"},
    {AIR_COMMAND_RUN, {"--to="}, "--to=: needs a value: --to HOST:PORT"},
    {AIR_COMMAND_RUN, {"--to", ""}, "--to: needs a value: --to HOST:PORT"},
    {AIR_COMMAND_RUN, {"--to", "a:1", "--to", "b:2"}, "--to: is given twice; keep one"},
    {AIR_COMMAND_RUN, {"--state", "/a", "--state=/b"}, "--state: is given twice; keep one"},
    {AIR_COMMAND_RUN, {"--agree-terms=yes"},
        "--agree-terms=yes: takes no value; write --agree-terms alone"},
    {AIR_COMMAND_RUN, {"--agree-terms", "yes"},
        "yes: is one word too many; flags begin with --, see 'thinair help'"},
    {AIR_COMMAND_RUN, {"name", "a.example"},
        "name: is one word too many; flags begin with --, see 'thinair help'"},
    {AIR_COMMAND_ISSUE, {"--to", "a:1"},
        "--to: does not belong to this command; see 'thinair help'"},
    {AIR_COMMAND_LIST, {"--name", "a"},
        "--name: does not belong to this command; see 'thinair help'"},
    {AIR_COMMAND_CONFIG, {"--json"}, "--json: does not belong to this command; see 'thinair help'"},
    {AIR_COMMAND_VERSION, {"--state", "/a"},
        "--state: does not belong to this command; see 'thinair help'"},
};

static void refuses_misuse_with_a_sentence(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct air_settings settings;
        struct air_buffer reason;
        air_settings_init(&settings);
        air_buffer_init(&reason, 4096);
        assert_int_equal(air_options_read(&settings, refusals[i].command, 0,
                             count_of(refusals[i].words), refusals[i].words, &reason),
            AIR_ERR_MALFORMED);
        assert_span(air_buffer_span(&reason), refusals[i].complaint);
        air_settings_deinit(&settings);
        air_buffer_deinit(&reason);
    }
}

static void has_one_row_for_each_name(void **state) {
    (void)state;
    for (size_t i = 0; i < air_options_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(air_options[i].name, air_options[j].name);
        }
        assert_true(strlen(air_options[i].help) > 0);
        assert_true(
            (air_options[i].argument == NULL) == (air_options[i].kind == AIR_OPTION_SWITCH));
    }
}

static enum air_error read_flags(void *context) {
    (void)context;
    char *const words[] = {"--name", "a.example,b.example", "--state=/s", "--must-staple"};
    struct air_settings settings;
    air_settings_init(&settings);
    enum air_error error = air_options_read(&settings, AIR_COMMAND_ISSUE, 0, 4, words, NULL);
    air_settings_deinit(&settings);
    return error;
}

static void survives_every_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(read_flags, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_flags_in_both_spellings),
        cmocka_unit_test(refuses_misuse_with_a_sentence),
        cmocka_unit_test(has_one_row_for_each_name),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
