/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the reader refuses what would be read differently by two programs (duplicates, NUL,
 * numbers with fraction or exponent) and what would cost more than its size (depth, number of
 * values); what the writer writes, byte for byte, is read back. jansson's own allocations fail in
 * turn, through its hook, which only this test touches.
 */

#include "src/base/json.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void check_accepted(air_span text) {
    json_t *json = NULL;
    enum air_error error = air_json_read(text, &json);
    json_decref(json);
    if (error != AIR_OK) {
        fail_msg("%.*s was refused", (int)text.size, (const char *)text.data);
    }
}

static void check_refused(air_span text) {
    json_t *json = NULL;
    enum air_error error = air_json_read(text, &json);
    json_decref(json);
    if (error != AIR_ERR_MALFORMED || json != NULL) {
        fail_msg("%.*s was not refused", (int)text.size, (const char *)text.data);
    }
}

static void reads_members_of_each_kind(void **state) {
    (void)state;
    json_t *json = NULL;
    assert_ok(air_json_read(SPAN("{\"text\":\"a\\u00e9\",\"number\":-42,\"yes\":true,\"no\":false,"
                                 "\"list\":[1],\"inner\":{\"a\":\"\"},\"nothing\":null}"),
        &json));
    assert_span(air_json_text(json, "text"), "a\xC3\xA9");
    assert_int_equal(air_json_integer(json, "number", 7), -42);
    assert_true(air_json_true(json, "yes"));
    assert_false(air_json_true(json, "no"));
    assert_int_equal(json_array_size(air_json_array(json, "list")), 1);
    air_span empty = air_json_text(air_json_object(json, "inner"), "a");
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    json_decref(json);
}

static void answers_nothing_for_missing_members_and_other_kinds(void **state) {
    (void)state;
    static const char *const keys[] = {"text", "number", "yes", "list", "inner", "nothing", "gone"};
    json_t *json = NULL;
    assert_ok(air_json_read(SPAN("{\"text\":\"a\",\"number\":1,\"yes\":true,\"list\":[],"
                                 "\"inner\":{},\"nothing\":null}"),
        &json));
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(air_json_text(json, keys[i]).data != NULL, i == 0);
        assert_int_equal(air_json_integer(json, keys[i], 7), i == 1 ? 1 : 7);
        assert_int_equal(air_json_true(json, keys[i]), i == 2);
        assert_int_equal(air_json_array(json, keys[i]) != NULL, i == 3);
        assert_int_equal(air_json_object(json, keys[i]) != NULL, i == 4);
    }
    json_decref(json);
    assert_null(air_json_text(NULL, "text").data);
    assert_int_equal(air_json_integer(NULL, "number", 7), 7);
}

static void refuses_what_is_not_one_object(void **state) {
    (void)state;
    static const char *const texts[] = {"", " ", "[]", "\"a\"", "1", "true", "null", "{", "}",
        "{}}", "{}{}", "{}x", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "{\"a\":1,}", "{\"a\":01}",
        "{\"a\":+1}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "{\"a\":NaN}", "{\"a\":tru}", "// {}",
        "\xEF\xBB\xBF{}", "{\"a\":\"", "{\"a\":\"\\", "{\"a\":\"\\\"}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_span_text(texts[i]));
    }
    check_refused(air_span_of(NULL, 0));
}

static void refuses_duplicate_members_at_any_depth(void **state) {
    (void)state;
    check_refused(SPAN("{\"a\":1,\"a\":1}"));
    check_refused(SPAN("{\"a\":1,\"\\u0061\":2}"));
    check_refused(SPAN("{\"b\":[{\"a\":1,\"a\":null}]}"));
    check_accepted(SPAN("{\"a\":{\"a\":1},\"A\":2}"));
}

static void refuses_nul_and_what_is_not_utf8(void **state) {
    (void)state;
    check_refused(SPAN("{\"a\":\"\\u0000\"}"));
    check_refused(SPAN("{\"\\u0000\":1}"));
    check_refused(SPAN("{\"a\":\"\0\"}"));
    check_refused(SPAN("{}\0"));
    check_refused(SPAN("{\"a\":\"\xC0\x80\"}"));
    check_refused(SPAN("{\"a\":\"\xED\xA0\x80\"}"));
    check_refused(SPAN("{\"a\":\"\\ud800\"}"));
    check_refused(SPAN("{\"a\":\"\xFF\"}"));
}

static void refuses_fractions_exponents_and_numbers_too_large(void **state) {
    (void)state;
    static const char *const texts[] = {"{\"a\":1.0}", "{\"a\":1e3}", "{\"a\":1E3}", "{\"a\":-0.5}",
        "{\"a\":[1,2.5]}", "{\"a\":1e+2}", "{\"a\":9223372036854775808}",
        "{\"a\":-9223372036854775809}", "{\"a\":1e999}"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_span_text(texts[i]));
    }
    check_accepted(SPAN("{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":-0}"));
    check_accepted(SPAN("{\"1.5e3\":\"1.5E3 \\\" 1.5\",\"b\":[true,false]}"));
}

/* {"a":[[...]]}: the object is the first level. */
/* RFC 7519 section 2: a date may have a fraction. */
static void reads_reals_where_they_are_asked_for(void **state) {
    (void)state;
    json_t *json = NULL;
    assert_ok(air_json_read_reals(SPAN("{\"a\":1.5,\"b\":-25e-2,\"c\":7}"), &json));
    assert_true(json_real_value(json_object_get(json, "a")) == 1.5);
    assert_true(json_real_value(json_object_get(json, "b")) == -0.25);
    assert_true(json_is_integer(json_object_get(json, "c")));
    json_decref(json);
    static const char *const broken[] = {"{\"a\":1e999}", "{\"a\":1.}", "{\"a\":.5}",
        "{\"a\":01.5}", "{\"a\":1.5,\"a\":1.5}", "{\"a\":18446744073709551616}", "{\"a\":NaN}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        json = NULL;
        assert_int_equal(air_json_read_reals(air_span_text(broken[i]), &json), AIR_ERR_MALFORMED);
        assert_null(json);
    }
}

static void make_nested(struct air_buffer *out, size_t depth) {
    air_buffer_clear(out);
    air_buffer_append_text(out, "{\"a\":");
    for (size_t i = 1; i < depth; i++) {
        air_buffer_append_byte(out, '[');
    }
    for (size_t i = 1; i < depth; i++) {
        air_buffer_append_byte(out, ']');
    }
    assert_ok(air_buffer_append_byte(out, '}'));
}

static void refuses_nesting_below_sixteen_levels(void **state) {
    (void)state;
    struct air_buffer text;
    air_buffer_init(&text, 1 << 20);
    make_nested(&text, 17 + 1);
    check_refused(air_buffer_span(&text));
    make_nested(&text, AIR_JSON_DEPTH_MAX + 1);
    check_refused(air_buffer_span(&text));
    make_nested(&text, AIR_JSON_DEPTH_MAX);
    check_accepted(air_buffer_span(&text));
    make_nested(&text, 100000);
    check_refused(air_buffer_span(&text));
    air_buffer_deinit(&text);
    check_accepted(SPAN("{\"[[[[[[[[[[[[[[[[[[[[\":\"{{{{{{{{{{{{{{{{{{{{{{\\\"[[[[[\"}"));
}

static void refuses_too_many_values(void **state) {
    (void)state;
    struct air_buffer text;
    air_buffer_init(&text, 1 << 20);
    for (size_t extra_count = 0; extra_count <= 1; extra_count++) {
        air_buffer_clear(&text);
        air_buffer_append_text(&text, "{\"a\":[0");
        /* The object, the list and their first values take three. */
        for (size_t i = 3; i < AIR_JSON_VALUES_MAX + extra_count; i++) {
            air_buffer_append_text(&text, ",0");
        }
        assert_ok(air_buffer_append_text(&text, "]}"));
        if (extra_count == 0) {
            check_accepted(air_buffer_span(&text));
        } else {
            check_refused(air_buffer_span(&text));
        }
    }
    air_buffer_deinit(&text);
}

static void write_sample(struct air_buffer *out) {
    air_json_begin(out, NULL, '{');
    air_json_put_text(out, "z", SPAN("\" \\ / \n\r\t\b\x1F\x7F \xC3\xA9 \xF0\x9F\x94\x91"));
    air_json_put_integer(out, "a", INT64_MIN);
    air_json_begin(out, "list", '[');
    air_json_put_bool(out, NULL, true);
    air_json_put_bool(out, NULL, false);
    air_json_begin(out, NULL, '[');
    air_json_end(out, ']');
    air_json_begin(out, NULL, '{');
    air_json_end(out, '}');
    air_json_put_text(out, NULL, SPAN(""));
    air_json_end(out, ']');
    air_json_put_raw(out, "raw", SPAN(" {\"b\":1}\n"));
    air_json_put_integer(out, "last\"", 0);
    air_json_end(out, '}');
}

static void writes_members_in_the_callers_order_byte_for_byte(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    write_sample(&out);
    assert_ok(out.error);
    assert_span(air_buffer_span(&out),
        "{\"z\":\"\\\" \\\\ / \\n\\r\\t\\u0008\\u001f\x7F \xC3\xA9 \xF0\x9F\x94\x91\","
        "\"a\":-9223372036854775808,\"list\":[true,false,[],{},\"\"],\"raw\":{\"b\":1},"
        "\"last\\\"\":0}");
    check_accepted(air_buffer_span(&out));
    air_buffer_append_byte(&out, '\n');
    air_json_begin(&out, NULL, '{');
    air_json_end(&out, '}');
    assert_int_equal(out.data[out.size - 3], '\n');
    air_buffer_deinit(&out);
}

static void reads_back_every_text_of_one_or_two_bytes(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 64);
    for (unsigned value = 0; value < 65536; value++) {
        uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        json_t *json = NULL;
        air_buffer_clear(&out);
        air_json_begin(&out, NULL, '{');
        air_json_put_text(&out, "a", air_span_of(bytes, 2));
        air_json_end(&out, '}');
        assert_ok(air_json_read(air_buffer_span(&out), &json));
        bool is_plain = bytes[0] > 0 && bytes[0] < 128 && bytes[1] > 0 && bytes[1] < 128;
        bool is_pair = bytes[0] >= 0xC2 && bytes[0] <= 0xDF && bytes[1] >= 0x80 && bytes[1] <= 0xBF;
        bool is_same = air_span_equal(air_json_text(json, "a"), air_span_of(bytes, 2));
        assert_int_equal(is_same, is_plain || is_pair);
        json_decref(json);
    }
    air_buffer_deinit(&out);
}

static void replaces_what_is_not_utf8(void **state) {
    (void)state;
    static const struct {
        const char *in;
        size_t replaced_count;
    } cases[] = {{"\xFF", 1}, {"\xC0\x80", 2}, {"\xE0\x80\x80", 3}, {"\xED\xA0\x80", 3},
        {"\xF0\x80\x80\x80", 4}, {"\xF4\x90\x80\x80", 4}, {"\xE2\x82", 2}, {"\xF0\x9F\x94", 3},
        {"\xE2\x82\xAC", 0}, {"\xED\x9F\xBF", 0}, {"\xEE\x80\x80", 0}, {"\xF4\x8F\xBF\xBF", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct air_buffer out;
        air_buffer_init(&out, 64);
        air_json_put_text(&out, NULL, air_span_text(cases[i].in));
        size_t found_count = 0;
        for (size_t at = 0; at + 3 <= out.size; at++) {
            found_count += memcmp(out.data + at, "\xEF\xBF\xBD", 3) == 0;
        }
        assert_int_equal(found_count, cases[i].replaced_count);
        air_buffer_deinit(&out);
    }
}

static void keeps_a_failure_in_the_buffer(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    write_sample(&out);
    size_t whole_size = out.size;
    air_buffer_deinit(&out);
    for (size_t size_max = 0; size_max < whole_size; size_max++) {
        air_buffer_init(&out, size_max);
        write_sample(&out);
        assert_int_equal(out.error, AIR_ERR_LIMIT);
        assert_true(out.size <= size_max);
        air_buffer_deinit(&out);
    }
}

static enum air_error write_under_failure(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    write_sample(&out);
    enum air_error error = out.error;
    air_buffer_deinit(&out);
    return error;
}

static void writer_survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_under_failure, NULL);
    assert_int_equal(air_memory_live(), 0);
}

static size_t jansson_countdown;
static size_t jansson_live;

static void *jansson_new(size_t size) {
    if (jansson_countdown > 0 && --jansson_countdown == 0) {
        return NULL;
    }
    jansson_live++;
    return malloc(size);
}

static void jansson_free(void *memory) {
    jansson_live -= memory != NULL;
    free(memory);
}

/* jansson calls some of its failed allocations a syntax error, so both errors are right here. */
static void leaks_nothing_when_janssons_allocations_fail(void **state) {
    (void)state;
    json_malloc_t old_new = NULL;
    json_free_t old_free = NULL;
    json_get_alloc_funcs(&old_new, &old_free);
    json_set_alloc_funcs(jansson_new, jansson_free);
    enum air_error error = AIR_ERR_NO_MEMORY;
    size_t memory_count = 0;
    size_t n = 0;
    while (error != AIR_OK) {
        json_t *json = NULL;
        jansson_countdown = ++n;
        error =
            air_json_read(SPAN("{\"a\":[1,\"text\",{\"b\":true}],\"\\u00e9\":\"a long text that "
                               "does not fit into the first buffer\",\"c\":-12,\"d\":{}}"),
                &json);
        json_decref(json);
        assert_int_equal(jansson_live, 0);
        assert_true(error == AIR_OK || error == AIR_ERR_NO_MEMORY || error == AIR_ERR_MALFORMED);
        memory_count += error == AIR_ERR_NO_MEMORY;
    }
    jansson_countdown = 0;
    json_set_alloc_funcs(old_new, old_free);
    assert_true(n > 10);
    assert_true(memory_count > n / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_members_of_each_kind),
        cmocka_unit_test(answers_nothing_for_missing_members_and_other_kinds),
        cmocka_unit_test(refuses_what_is_not_one_object),
        cmocka_unit_test(refuses_duplicate_members_at_any_depth),
        cmocka_unit_test(refuses_nul_and_what_is_not_utf8),
        cmocka_unit_test(refuses_fractions_exponents_and_numbers_too_large),
        cmocka_unit_test(reads_reals_where_they_are_asked_for),
        cmocka_unit_test(refuses_nesting_below_sixteen_levels),
        cmocka_unit_test(refuses_too_many_values),
        cmocka_unit_test(writes_members_in_the_callers_order_byte_for_byte),
        cmocka_unit_test(reads_back_every_text_of_one_or_two_bytes),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(keeps_a_failure_in_the_buffer),
        cmocka_unit_test(writer_survives_every_failing_allocation),
        cmocka_unit_test(leaks_nothing_when_janssons_allocations_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
