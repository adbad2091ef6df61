/* SPDX-License-Identifier: MIT */
/*
 * Proven here: secrets of named members leave the document, wherever they stand, and are decoded as
 * JSON says; a document in which one could hide is refused before the parser sees it.
 */

#include "hosts/haproxy/json_secrets.h"

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static const char *const members[] = {"key", "other", NULL};
static struct air_json_secrets secrets;

static void check_taken(const char *json, const char *expected) {
    struct air_buffer redacted;
    air_buffer_init(&redacted, strlen(json) + AIR_JSON_SECRETS_ROOM);
    assert_ok(air_json_secrets_take(air_span_text(json), members, &secrets, &redacted));
    assert_span(air_buffer_span(&redacted), expected);
    air_buffer_deinit(&redacted);
}

static void check_secret(const char *number, const char *value) {
    air_span secret;
    assert_true(air_json_secrets_find(&secrets, air_span_text(number), &secret));
    assert_span(secret, value);
}

static void takes_secrets_wherever_they_stand(void **state) {
    (void)state;
    check_taken("{\"key\" :\r\n \"a\", \"x\": [{\"other\":\"b\"}, \"key\", {\"key\":\"\"}]}",
        "{\"key\":\"0\", \"x\": [{\"other\":\"1\"}, \"key\", {\"key\":\"2\"}]}");
    check_secret("0", "a");
    check_secret("1", "b");
    check_secret("2", "");
    air_json_secrets_deinit(&secrets);
}

static void decodes_every_escape_of_pem(void **state) {
    (void)state;
    check_taken("{\"key\":\"-\\u002D\\/\\\\\\\"\\r\\n\\t\\u000a~\"}", "{\"key\":\"0\"}");
    check_secret("0", "--/\\\"\r\n\t\n~");
    air_json_secrets_deinit(&secrets);
}

static void leaves_everything_else_alone(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"keys\":\"a\"}", "{\"key\":1}", "{\"key\":null}",
        "{\"key\":{\"x\":\"y\"}}", "[\"key\",\"a\"]", "{\"x\":\"key\"}",
        "{\"x\":\"\\\"key\\\":\\\"a\\\"\"}", "nothing", "{\"key\"}", "\"key\":"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_taken(texts[i], texts[i]);
        air_span secret;
        assert_false(air_json_secrets_find(&secrets, SPAN("0"), &secret));
        air_json_secrets_deinit(&secrets);
    }
}

static void check_refused(const char *json, enum air_error error) {
    struct air_buffer redacted;
    air_buffer_init(&redacted, strlen(json) + AIR_JSON_SECRETS_ROOM);
    if (air_json_secrets_take(air_span_text(json), members, &secrets, &redacted) != error) {
        fail_msg("taken: %s", json);
    }
    air_buffer_deinit(&redacted);
    air_json_secrets_deinit(&secrets);
    assert_int_equal(air_memory_live(), 0);
}

static void refuses_what_could_hide_a_secret(void **state) {
    (void)state;
    static const char *const texts[] = {"", "{\"k\\u0065y\":\"a\"}", "{\"a\\nb\":1}",
        "{\"key\":\"a", "{\"key\":\"a\\\"}", "{\"x\":\"a", "{\"x", "\"", "{\"key\":\"",
        "{\"key\":\"\\\\\\\""};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(texts[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_what_no_key_has(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"key\":\"\\u0000\"}", "{\"key\":\"\\u00e4\"}",
        "{\"key\":\"\xC3\xA4\"}", "{\"key\":\"\\u20ac\"}", "{\"key\":\"\\b\"}",
        "{\"key\":\"\\x41\"}", "{\"key\":\"\\u00\"}", "{\"key\":\"\\u00g1\"}", "{\"key\":\"a\nb\"}",
        "{\"key\":\"\x7F\"}", "{\"key\":\"\\u007f\"}", "{\"key\":\"\\\\\\f\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(texts[i], AIR_ERR_MALFORMED);
    }
}

static void refuses_too_many_secrets(void **state) {
    (void)state;
    static char json[(AIR_JSON_SECRETS_MAX + 1) * 9 + 1];
    for (size_t i = 0; i <= AIR_JSON_SECRETS_MAX; i++) {
        (void)snprintf(json + i * 9, 10, "\"key\":\"\",");
    }
    check_refused(json, AIR_ERR_LIMIT);
    json[(size_t)AIR_JSON_SECRETS_MAX * 9] = '\0';
    struct air_buffer redacted;
    air_buffer_init(&redacted, strlen(json) + AIR_JSON_SECRETS_ROOM);
    assert_ok(air_json_secrets_take(air_span_text(json), members, &secrets, &redacted));
    air_buffer_deinit(&redacted);
    check_secret("511", "");
    air_json_secrets_deinit(&secrets);
}

static void finds_only_numbers_of_secrets(void **state) {
    (void)state;
    air_span secret;
    check_taken("{\"key\":\"a\"}", "{\"key\":\"0\"}");
    assert_false(air_json_secrets_find(&secrets, SPAN("1"), &secret));
    assert_false(air_json_secrets_find(&secrets, SPAN("-1"), &secret));
    assert_false(air_json_secrets_find(&secrets, SPAN(""), &secret));
    assert_false(air_json_secrets_find(&secrets, SPAN("99999999999999999999"), &secret));
    air_json_secrets_deinit(&secrets);
}

static enum air_error take_once(void *context) {
    struct air_buffer redacted;
    (void)context;
    air_buffer_init(&redacted, 4096);
    enum air_error error = air_json_secrets_take(
        SPAN("{\"key\":\"a\",\"x\":\"some text that makes the buffer grow, and grow again\"}"),
        members, &secrets, &redacted);
    air_buffer_deinit(&redacted);
    air_json_secrets_deinit(&secrets);
    return error;
}

static void survives_each_allocation_failing(void **state) {
    (void)state;
    air_test_each_allocation(take_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_secrets_wherever_they_stand),
        cmocka_unit_test(decodes_every_escape_of_pem),
        cmocka_unit_test(leaves_everything_else_alone),
        cmocka_unit_test(refuses_what_could_hide_a_secret),
        cmocka_unit_test(refuses_what_no_key_has),
        cmocka_unit_test(refuses_too_many_secrets),
        cmocka_unit_test(finds_only_numbers_of_secrets),
        cmocka_unit_test(survives_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
