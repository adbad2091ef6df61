/* SPDX-License-Identifier: MIT */
/*
 * Proven here: base64url and hexadecimal agree with RFC 4648's vectors; every input of up to two
 * bytes and every text of up to three characters is tried, so that exactly one strict text exists
 * for each input; what people paste is read; a refused text leaves the buffer as it was.
 */

#include "src/base/base64url.h"

#include <string.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

typedef enum air_error coder(air_span in, struct air_buffer *out);

static void check(coder *code, air_span in, const char *expected) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    assert_ok(code(in, &out));
    assert_span(air_buffer_span(&out), expected);
    air_buffer_deinit(&out);
}

static void check_refused(coder *code, air_span in) {
    struct air_buffer out;
    air_buffer_init(&out, 4096);
    air_buffer_append_text(&out, "before");
    assert_int_equal(code(in, &out), AIR_ERR_MALFORMED);
    assert_int_equal(out.error, AIR_OK);
    assert_span(air_buffer_span(&out), "before");
    air_buffer_deinit(&out);
}

/* RFC 4648 section 10, without padding. */
static void agrees_with_the_rfc_vectors(void **state) {
    (void)state;
    static const char *const vectors[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xFB\xFF", "-_8"},
        {"{}", "e30"}};
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check(air_base64url_encode, air_span_text(vectors[i][0]), vectors[i][1]);
        check(air_base64url_decode, air_span_text(vectors[i][1]), vectors[i][0]);
    }
}

static void round_trips_every_input_of_up_to_two_bytes(void **state) {
    (void)state;
    struct air_buffer text;
    struct air_buffer back;
    air_buffer_init(&text, 16);
    air_buffer_init(&back, 16);
    for (unsigned value = 0; value < 256 + 65536; value++) {
        uint8_t bytes[2] = {(uint8_t)value, (uint8_t)((value - 256) >> 8)};
        air_span in = air_span_of(bytes, value < 256 ? 1 : 2);
        air_buffer_clear(&text);
        air_buffer_clear(&back);
        assert_ok(air_base64url_encode(in, &text));
        assert_int_equal(text.size, in.size + 1);
        assert_ok(air_base64url_decode(air_buffer_span(&text), &back));
        assert_true(air_span_equal(air_buffer_span(&back), in));
    }
    air_buffer_deinit(&text);
    air_buffer_deinit(&back);
}

/* Of all texts of one, two and three bytes exactly none, 256 and 65,536 decode: as many as there
 * are inputs, so none has a second form. */
static void accepts_exactly_one_text_for_each_input(void **state) {
    (void)state;
    struct air_buffer out;
    air_buffer_init(&out, 16);
    unsigned accepted_count[4] = {0};
    for (unsigned value = 0; value < 1u << 24; value++) {
        uint8_t text[3] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16)};
        for (size_t size = value < 256 ? 1 : value < 65536 ? 2 : 3; size <= 3; size++) {
            air_buffer_clear(&out);
            accepted_count[size] += air_base64url_decode(air_span_of(text, size), &out) == AIR_OK;
        }
    }
    air_buffer_deinit(&out);
    assert_int_equal(accepted_count[1], 0);
    assert_int_equal(accepted_count[2], 256);
    assert_int_equal(accepted_count[3], 65536);
}

static void refuses_padding_other_alphabets_and_bits_left_over(void **state) {
    (void)state;
    static const char *const texts[] = {"Zg==", "Zm8=", "=", "Z", "Zm9vY", "Zh", "Zm9", "Zm9vYh",
        "Zm 8", " Zm8", "Zm8\n", "+_8", "-/8", "Zm8\x80", "Zm8\xFF", "Zm.8", "Zm9vYmFy===="};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_base64url_decode, air_span_text(texts[i]));
    }
    check_refused(air_base64url_decode, SPAN("Zm8\0"));
}

static void reads_what_people_paste(void **state) {
    (void)state;
    static const char *const texts[] = {
        "-_8", "+/8", "+/8=", " +_8=\r\n", "-\t/\n8", "-_8 = ", "\n-_\n8"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check(air_base64_decode_lenient, air_span_text(texts[i]), "\xFB\xFF");
    }
    check(air_base64_decode_lenient, SPAN("Zg = ="), "f");
    check(air_base64_decode_lenient, SPAN(" \n"), "");
}

static void refuses_pasted_text_that_is_not_base64(void **state) {
    (void)state;
    static const char *const texts[] = {"=", "Z",
        "Zg=", "Zg===", "Zm8==", "Zm9v=", "Zm9vYmFy====", "Zg==Zg==", "Zm=8", "Zh==", "Zm9=", "Z,",
        "Zm8\x0B", "Zm8\xA0"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_refused(air_base64_decode_lenient, air_span_text(texts[i]));
    }
}

static void writes_and_reads_hexadecimal(void **state) {
    (void)state;
    check(air_hex_encode, SPAN(""), "");
    check(air_hex_encode, SPAN("\x00\x09\xAF\xF0"), "0009aff0");
    check(air_hex_encode_serial, SPAN("\x00\x8F\x01"), "8f01");
    check(air_hex_encode_serial, SPAN("\x7F\x00"), "7f00");
    check(air_hex_encode_serial, SPAN("\x00"), "00");
    check(air_hex_encode_serial, SPAN(""), "");
    check(air_hex_decode, SPAN("666f4F"), "foO");
    check(air_hex_decode, SPAN(""), "");
}

static void refuses_every_other_byte_as_hexadecimal(void **state) {
    (void)state;
    check_refused(air_hex_decode, SPAN("0"));
    check_refused(air_hex_decode, SPAN("000"));
    unsigned accepted_count = 0;
    struct air_buffer out;
    air_buffer_init(&out, 16);
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[2] = {'0', (uint8_t)byte};
        accepted_count += air_hex_decode(air_span_of(text, 2), &out) == AIR_OK;
        uint8_t swapped[2] = {(uint8_t)byte, '0'};
        accepted_count += air_hex_decode(air_span_of(swapped, 2), &out) == AIR_OK;
        air_buffer_clear(&out);
    }
    air_buffer_deinit(&out);
    assert_int_equal(accepted_count, 2 * 22);
}

static void reports_the_buffers_limit(void **state) {
    (void)state;
    static const struct {
        coder *code;
        const char *in;
    } cases[] = {{air_base64url_encode, "abcdef"}, {air_base64url_decode, "Zm9vYmFy"},
        {air_base64_decode_lenient, "Zm9vYmFy"}, {air_hex_encode, "abc"},
        {air_hex_decode, "666f6f666f6f"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct air_buffer out;
        air_buffer_init(&out, 5);
        assert_int_equal(cases[i].code(air_span_text(cases[i].in), &out), AIR_ERR_LIMIT);
        assert_int_equal(out.error, AIR_ERR_LIMIT);
        assert_int_equal(out.size, 0);
        air_buffer_deinit(&out);
    }
}

static enum air_error code_everything(void *context) {
    (void)context;
    static coder *const coders[] = {air_base64url_encode, air_base64url_decode,
        air_base64_decode_lenient, air_hex_encode, air_hex_decode};
    enum air_error error = AIR_OK;
    for (size_t i = 0; i < 5 && error == AIR_OK; i++) {
        struct air_buffer out;
        air_buffer_init(&out, 64);
        error = coders[i](SPAN("abcd"), &out);
        assert_int_equal(error, out.error);
        air_buffer_deinit(&out);
    }
    return error;
}

static void survives_every_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(code_everything, NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_rfc_vectors),
        cmocka_unit_test(round_trips_every_input_of_up_to_two_bytes),
        cmocka_unit_test(accepts_exactly_one_text_for_each_input),
        cmocka_unit_test(refuses_padding_other_alphabets_and_bits_left_over),
        cmocka_unit_test(reads_what_people_paste),
        cmocka_unit_test(refuses_pasted_text_that_is_not_base64),
        cmocka_unit_test(writes_and_reads_hexadecimal),
        cmocka_unit_test(refuses_every_other_byte_as_hexadecimal),
        cmocka_unit_test(reports_the_buffers_limit),
        cmocka_unit_test(survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
