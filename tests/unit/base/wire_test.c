/* SPDX-License-Identifier: MIT */
/*
 * Proven here: numbers and byte strings have the documented bytes and read back; a message cut at
 * any byte is refused, whatever its lengths claim, and after a failure a reader gives nothing; a
 * full or failed buffer is the writer's memory of its failure.
 */

#include "src/base/wire.h"

#include "src/base/base64url.h"
#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void write_sample(struct air_buffer *out) {
    air_wire_put_u8(out, 0xAB);
    air_wire_put_u32(out, 0x01020304);
    air_wire_put_u64(out, UINT64_C(0xF102030405060708));
    air_wire_put_i64(out, -2);
    air_wire_put_span(out, SPAN("a\0b"));
    air_wire_put_span(out, air_span_of(NULL, 0));
    air_wire_put_i64(out, INT64_MIN);
}

static void read_sample(struct air_wire_reader *reader) {
    air_wire_get_u8(reader);
    air_wire_get_u32(reader);
    air_wire_get_u64(reader);
    air_wire_get_i64(reader);
    air_wire_get_span(reader);
    air_wire_get_span(reader);
    air_wire_get_i64(reader);
}

static void writes_big_endian_bytes(void **state) {
    (void)state;
    struct air_buffer out;
    struct air_buffer hex;
    air_buffer_init(&out, 100);
    air_buffer_init(&hex, 200);
    write_sample(&out);
    assert_ok(air_hex_encode(air_buffer_span(&out), &hex));
    assert_span(air_buffer_span(&hex), "ab"
                                       "01020304"
                                       "f102030405060708"
                                       "fffffffffffffffe"
                                       "00000003610062"
                                       "00000000"
                                       "8000000000000000");
    air_buffer_deinit(&hex);
    air_buffer_deinit(&out);
}

static void reads_back_what_it_wrote(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 100);
    write_sample(&out);
    struct air_wire_reader reader = {.rest = air_buffer_span(&out)};
    assert_int_equal(air_wire_get_u8(&reader), 0xAB);
    assert_int_equal(air_wire_get_u32(&reader), 0x01020304);
    assert_true(air_wire_get_u64(&reader) == UINT64_C(0xF102030405060708));
    assert_true(air_wire_get_i64(&reader) == -2);
    assert_true(air_span_equal(air_wire_get_span(&reader), SPAN("a\0b")));
    assert_int_equal(air_wire_get_span(&reader).size, 0);
    assert_true(air_wire_get_i64(&reader) == INT64_MIN);
    assert_ok(reader.error);
    assert_int_equal(reader.rest.size, 0);
    air_buffer_deinit(&out);
}

static void refuses_a_message_cut_at_any_byte(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 100);
    write_sample(&out);
    for (size_t size = 0; size < out.size; size++) {
        struct air_wire_reader reader = {.rest = air_span_of(out.data, size)};
        read_sample(&reader);
        assert_int_equal(reader.error, AIR_ERR_MALFORMED);
        assert_int_equal(air_wire_get_u8(&reader), 0);
    }
    struct air_wire_reader reader = {.rest = air_buffer_span(&out)};
    read_sample(&reader);
    assert_ok(reader.error);
    air_buffer_deinit(&out);
}

static void refuses_a_length_beyond_the_end(void **state) {
    (void)state;
    static const char *const texts[] = {"\0\0\0\4abc",
        "\xFF\xFF\xFF\xFF"
        "abc",
        "\x80\0\0\0abc"};
    for (size_t i = 0; i < 3; i++) {
        struct air_wire_reader reader = {.rest = air_span_of(texts[i], 7)};
        air_span span = air_wire_get_span(&reader);
        assert_null(span.data);
        assert_int_equal(span.size, 0);
        assert_int_equal(reader.error, AIR_ERR_MALFORMED);
    }
}

static void gives_nothing_after_a_failure(void **state) {
    (void)state;
    struct air_wire_reader reader = {.rest = SPAN("\1\2\3")};
    assert_int_equal(air_wire_get_u32(&reader), 0);
    assert_int_equal(reader.error, AIR_ERR_MALFORMED);
    assert_int_equal(reader.rest.size, 3);
    assert_int_equal(air_wire_get_u8(&reader), 0);
    assert_true(air_wire_get_u64(&reader) == 0);
    assert_true(air_wire_get_i64(&reader) == 0);
    assert_null(air_wire_get_span(&reader).data);
    assert_int_equal(reader.rest.size, 3);
}

static void refuses_to_write_a_span_that_its_length_cannot_hold(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, SIZE_MAX);
    /* Never read: the length alone decides. */
    air_wire_put_span(&out, air_span_of("", (size_t)UINT32_MAX + 1));
    assert_int_equal(out.error, AIR_ERR_LIMIT);
    assert_int_equal(out.size, 0);
    out.error = AIR_ERR_NO_MEMORY;
    air_wire_put_span(&out, air_span_of("", (size_t)UINT32_MAX + 1));
    assert_int_equal(out.error, AIR_ERR_NO_MEMORY);
    air_buffer_deinit(&out);
}

static void remembers_a_full_buffer(void **state) {
    (void)state;
    for (size_t size_max = 0; size_max < 44; size_max++) {
        struct air_buffer out;
        air_buffer_init(&out, size_max);
        write_sample(&out);
        assert_int_equal(out.error, size_max < 40 ? AIR_ERR_LIMIT : AIR_OK);
        air_buffer_deinit(&out);
    }
}

static enum air_error write_under_failure(void *context) {
    (void)context;
    struct air_buffer out;
    air_buffer_init(&out, 1000);
    write_sample(&out);
    write_sample(&out);
    enum air_error error = out.error;
    air_buffer_deinit(&out);
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_under_failure, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_big_endian_bytes),
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(refuses_a_message_cut_at_any_byte),
        cmocka_unit_test(refuses_a_length_beyond_the_end),
        cmocka_unit_test(gives_nothing_after_a_failure),
        cmocka_unit_test(refuses_to_write_a_span_that_its_length_cannot_hold),
        cmocka_unit_test(remembers_a_full_buffer),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
