/* SPDX-License-Identifier: MIT */
/*
 * Proven here: a report that was written can be shown as table and in detail, chosen by id or name,
 * and read as JSON; what a CA said reaches no terminal raw; what is no report is refused.
 */

#include "hosts/program/report.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/test.h"

static const air_time_ms now_ms = 1795446245000; /* 2026-11-23T15:04:05Z */
static const air_time_ms day_ms = 86400000;

static void write_two(struct air_buffer *out) {
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net")};
    struct air_status status = {.certificate = SPAN("example.net"),
        .key_type = AIR_KEY_ECDSA_P256,
        .names = names,
        .names_count = 2,
        .directory_url = SPAN("https://ca.example:14000/dir"),
        .state = AIR_STATE_WAITING,
        .step = "",
        .is_current = true,
        .generation = 2,
        .serial = {0x0a, 0xff},
        .serial_size = 2,
        .not_before_ms = now_ms - 30 * day_ms,
        .not_after_ms = now_ms + 60 * day_ms,
        .next_ms = now_ms + 30 * day_ms};
    air_report_begin(out, true);
    air_report_put(out, &status, NULL);
    status = (struct air_status){.certificate = SPAN("other"),
        .key_type = AIR_KEY_RSA_2048,
        .names = names + 1,
        .names_count = 1,
        .directory_url = SPAN("https://ca.example/dir"),
        .state = AIR_STATE_RETRYING,
        .step = "directory",
        .failures_count = 3,
        .last_error = SPAN("refused:\n\x1b[2Jno")};
    air_report_put(out, &status, NULL);
    air_report_end(out);
    assert_ok(out->error);
}

static void shows_a_table(void **state) {
    (void)state;
    struct air_buffer json;
    struct air_buffer out;
    size_t shown;
    air_buffer_init(&json, 65536);
    air_buffer_init(&out, 65536);
    write_two(&json);
    assert_ok(air_report_show(
        air_buffer_span(&json), (air_span){NULL, 0}, AIR_REPORT_TABLE, now_ms, &out, &shown));
    assert_int_equal(shown, 2);
    assert_span(air_buffer_span(&out),
        "CERTIFICATE                  KEY        STATE        EXPIRES          NEXT             CA "
        "                          SERIAL\n"
        "example.net                  ecdsa-p256 waiting      2027-01-22 15:04 2026-12-23 15:04 "
        "ca.example:14000             0aff\n"
        "other                        rsa-2048   retrying     -                -                "
        "ca.example                   -\n"
        "  last error: refused:\\x0a\\x1b[2Jno\n");
    air_buffer_deinit(&json);
    air_buffer_deinit(&out);
}

static void shows_detail_of_the_one_that_is_named(void **state) {
    (void)state;
    struct air_buffer json;
    struct air_buffer out;
    size_t shown;
    air_buffer_init(&json, 65536);
    air_buffer_init(&out, 65536);
    write_two(&json);
    assert_ok(air_report_show(
        air_buffer_span(&json), SPAN("example.net"), AIR_REPORT_DETAIL, now_ms, &out, &shown));
    assert_int_equal(shown, 1);
    assert_span(air_buffer_span(&out),
        "example.net (ecdsa-p256)\n"
        "  names         example.net, www.example.net\n"
        "  CA            https://ca.example:14000/dir\n"
        "  serial        0aff\n"
        "  valid         2026-10-24T15:04:05Z to 2027-01-22T15:04:05Z, 60 days left\n"
        "  next renewal  2026-12-23T15:04:05Z\n"
        "  state         waiting\n");
    air_buffer_clear(&out);
    assert_ok(air_report_show(
        air_buffer_span(&json), SPAN("www.example.net"), AIR_REPORT_DETAIL, now_ms, &out, &shown));
    assert_int_equal(shown, 2);
    assert_ok(air_report_show(
        air_buffer_span(&json), SPAN("nobody"), AIR_REPORT_DETAIL, now_ms, &out, &shown));
    assert_int_equal(shown, 0);
    air_buffer_deinit(&json);
    air_buffer_deinit(&out);
}

static void says_how_long_is_left(void **state) {
    (void)state;
    static const struct {
        air_time_ms left_ms;
        const char *text;
    } lives[] = {{-1, ", EXPIRED\n"}, {90 * 60000, ", 90 minutes left\n"},
        {3 * 3600000, ", 3 hours left\n"}, {49 * 3600000, ", 2 days left\n"}};
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        struct air_buffer json;
        struct air_buffer out;
        size_t shown;
        air_buffer_init(&json, 65536);
        air_buffer_init(&out, 65536);
        write_two(&json);
        assert_ok(air_report_show(air_buffer_span(&json), SPAN("example.net"), AIR_REPORT_DETAIL,
            now_ms + 60 * day_ms - lives[i].left_ms, &out, &shown));
        assert_non_null(memmem(out.data, out.size, lives[i].text, strlen(lives[i].text)));
        air_buffer_deinit(&json);
        air_buffer_deinit(&out);
    }
}

static void selects_as_json(void **state) {
    (void)state;
    struct air_buffer json;
    struct air_buffer out;
    size_t shown;
    air_buffer_init(&json, 65536);
    air_buffer_init(&out, 65536);
    write_two(&json);
    assert_ok(air_report_select(air_buffer_span(&json), SPAN("other"), &out, &shown));
    assert_int_equal(shown, 1);
    assert_span(air_buffer_span(&out),
        "{\"version\":\"0.1.0\",\"daemon\":true,\"certificates\":[{\"id\":\"other\",\"key_type\":"
        "\"rsa-2048\",\"names\":[\"www.example.net\"],\"ca\":\"https://ca.example/dir\",\"state\":"
        "\"retrying\",\"step\":\"directory\",\"current\":false,\"failures\":3,\"last_error\":"
        "\"refused:\\n\\u001B[2Jno\"}]}");
    air_buffer_deinit(&json);
    air_buffer_deinit(&out);
}

static void refuses_what_is_no_report(void **state) {
    (void)state;
    static const char *const texts[] = {"", "x", "{}", "[]", "{\"certificates\": {}}",
        "{\"certificates\": []", "{\"certificates\": [], \"certificates\": []}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct air_buffer out;
        size_t shown;
        air_buffer_init(&out, 65536);
        assert_int_equal(air_report_show(air_span_text(texts[i]), (air_span){NULL, 0},
                             AIR_REPORT_TABLE, now_ms, &out, &shown),
            AIR_ERR_MALFORMED);
        assert_int_equal(
            air_report_select(air_span_text(texts[i]), (air_span){NULL, 0}, &out, &shown),
            AIR_ERR_MALFORMED);
        air_buffer_deinit(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_a_table),
        cmocka_unit_test(shows_detail_of_the_one_that_is_named),
        cmocka_unit_test(says_how_long_is_left),
        cmocka_unit_test(selects_as_json),
        cmocka_unit_test(refuses_what_is_no_report),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return air_memory_live() == 0 ? failed : 1;
}
