/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a line is one line whatever it tells, as text and as JSON; JSON lines can be read
 * again; what is below the level is dropped.
 */

#include "hosts/program/log.h"

#include <string.h>
#include <unistd.h>

#include "src/base/json.h"
#include "src/base/memory.h"
#include "tests/support/test.h"

static const air_time_ms moment_ms = 1795446245000; /* 2026-11-23T15:04:05Z */

static struct air_event_action make_event(void) {
    return (struct air_event_action){.event = AIR_EVENT_ISSUED,
        .certificate = SPAN("example.net"),
        .key_type = AIR_KEY_RSA_2048,
        .generation = 3,
        .authority = SPAN("https://ca.example/dir"),
        .text = SPAN("line\nbreak \x1b[31m\x7f"),
        .not_after_ms = moment_ms + 1000};
}

static void writes_an_event_as_one_line_of_text(void **state) {
    (void)state;
    const struct air_event_action event = make_event();
    struct air_log log = {AIR_LOG_TEXT, -1, AIR_INFO};
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_log_compose_event(&log, moment_ms, &event, &out);
    assert_span(air_buffer_span(&out), "2026-11-23T15:04:05Z info example.net (rsa-2048): issued: "
                                       "line\\x0abreak \\x1b[31m\\x7f\n");
    air_buffer_clear(&out);
    log.format = AIR_LOG_PHASES;
    air_log_compose_event(&log, moment_ms, &event, &out);
    assert_span(
        air_buffer_span(&out), "example.net (rsa-2048): issued: line\\x0abreak \\x1b[31m\\x7f\n");
    air_buffer_deinit(&out);
}

static void writes_json_that_can_be_read_again(void **state) {
    (void)state;
    const struct air_event_action event = make_event();
    const struct air_log log = {AIR_LOG_JSON, -1, AIR_INFO};
    struct air_buffer out;
    json_t *json = NULL;
    air_buffer_init(&out, 4096);
    air_log_compose_event(&log, moment_ms, &event, &out);
    assert_int_equal(air_span_find(air_buffer_span(&out), '\n'), out.size - 1);
    assert_ok(air_json_read(air_buffer_span(&out), &json));
    assert_span(air_json_text(json, "time"), "2026-11-23T15:04:05Z");
    assert_span(air_json_text(json, "level"), "info");
    assert_span(air_json_text(json, "event"), "issued");
    assert_span(air_json_text(json, "certificate"), "example.net");
    assert_span(air_json_text(json, "key_type"), "rsa-2048");
    assert_int_equal(air_json_integer(json, "generation", 0), 3);
    assert_span(air_json_text(json, "not_after"), "2026-11-23T15:04:06Z");
    assert_span(air_json_text(json, "text"), "line\nbreak \x1b[31m\x7f");
    json_decref(json);
    air_buffer_clear(&out);
    air_log_compose(&log, AIR_ALARM, moment_ms, SPAN("\"quoted\""), &out);
    assert_ok(air_json_read(air_buffer_span(&out), &json));
    assert_span(air_json_text(json, "text"), "\"quoted\"");
    json_decref(json);
    air_buffer_deinit(&out);
}

static void drops_what_is_below_the_level(void **state) {
    (void)state;
    int ends[2];
    char text[64] = "";
    assert_int_equal(pipe(ends), 0);
    const struct air_log log = {AIR_LOG_PHASES, ends[1], AIR_WARNING};
    const struct air_event_action event = make_event();
    air_log_event(&log, &event);
    air_log_line(&log, AIR_INFO, "no");
    air_log_line(&log, AIR_WARNING, "%s", "yes");
    close(ends[1]);
    assert_int_equal(read(ends[0], text, sizeof(text) - 1), 4);
    assert_string_equal(text, "yes\n");
    close(ends[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_an_event_as_one_line_of_text),
        cmocka_unit_test(writes_json_that_can_be_read_again),
        cmocka_unit_test(drops_what_is_below_the_level),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
