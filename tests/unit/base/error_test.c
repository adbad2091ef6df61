/* SPDX-License-Identifier: MIT */
/*
 * Proven here: every error of the header's list has its own name and text and the class its number
 * range promises; every number outside it has an answer too; key types and their names map onto
 * each other and nothing else. Numbers are checked one by one, because the wire encoding and stored
 * records carry them.
 */

#include <string.h>

#include "tests/support/test.h"
#include "thinair/thinair.h"

#define LISTED(name, number, class_, text) {name, number, #name},
static const struct {
    enum air_error error;
    int number;
    const char *name;
} listed[] = {AIR_ERRORS(LISTED)};
#undef LISTED

#define LISTED_COUNT (sizeof(listed) / sizeof(listed[0]))

static void names_every_error(void **state) {
    (void)state;
    for (size_t i = 0; i < LISTED_COUNT; i++) {
        assert_int_equal(listed[i].error, listed[i].number);
        assert_string_equal(air_error_name(listed[i].error), listed[i].name);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(listed[i].number, listed[j].number);
            assert_string_not_equal(
                air_error_text(listed[i].error), air_error_text(listed[j].error));
        }
    }
}

static void keeps_the_numbers_of_errors(void **state) {
    (void)state;
    assert_int_equal(AIR_OK, 0);
    assert_int_equal(AIR_ERR_NO_MEMORY, 1);
    assert_int_equal(AIR_ERR_LATER, 2);
    assert_int_equal(AIR_ERR_MALFORMED, 20);
    assert_int_equal(AIR_ERR_LIMIT, 21);
    assert_int_equal(AIR_ERR_REFUSED, 26);
    assert_int_equal(AIR_ERR_ARGUMENT, 40);
}

static void classes_follow_the_numbers(void **state) {
    (void)state;
    for (size_t i = 0; i < LISTED_COUNT; i++) {
        int number = listed[i].number;
        enum air_error_class expected = number == 0   ? AIR_CLASS_OK
                                        : number < 20 ? AIR_CLASS_RETRY
                                        : number < 40 ? AIR_CLASS_GIVE_UP
                                                      : AIR_CLASS_BUG;
        assert_int_equal(air_error_class(listed[i].error), expected);
    }
}

static void answers_for_unknown_numbers(void **state) {
    (void)state;
    static const int numbers[] = {-1, 12, 19, 39, 42, 1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        enum air_error error;
        memcpy(&error, &numbers[i], sizeof(error));
        assert_string_equal(air_error_text(error), "unknown error");
        assert_string_equal(air_error_name(error), "AIR_ERR_UNKNOWN");
        assert_int_equal(air_error_class(error), AIR_CLASS_BUG);
    }
}

static void maps_key_types_to_their_names_and_back(void **state) {
    (void)state;
    static const char *const names[] = {
        "", "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"};
    for (unsigned type = AIR_KEY_NONE; type <= AIR_KEY_RSA_4096; type++) {
        assert_string_equal(air_key_type_text((enum air_key_type)type), names[type]);
        assert_int_equal(air_key_type_parse(air_span_text(names[type])), type);
    }
    assert_string_equal(air_key_type_text((enum air_key_type)6), "");
    assert_string_equal(air_key_type_text((enum air_key_type)UINT32_MAX), "");
}

static void refuses_other_names_of_key_types(void **state) {
    (void)state;
    static const char *const names[] = {"ecdsa", "ECDSA-P256", "ecdsa-p256 ", "ecdsa-p521", "rsa",
        "rsa-1024", "rsa-20480", "p256", "ed25519", "rsa-204"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(air_key_type_parse(air_span_text(names[i])), AIR_KEY_NONE);
    }
    assert_int_equal(air_key_type_parse(air_span_of(NULL, 0)), AIR_KEY_NONE);
    assert_int_equal(air_key_type_parse(SPAN("rsa-2048\0")), AIR_KEY_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_every_error),
        cmocka_unit_test(keeps_the_numbers_of_errors),
        cmocka_unit_test(classes_follow_the_numbers),
        cmocka_unit_test(answers_for_unknown_numbers),
        cmocka_unit_test(maps_key_types_to_their_names_and_back),
        cmocka_unit_test(refuses_other_names_of_key_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
