/* SPDX-License-Identifier: MIT */
/*
 * Proven here: newAccount says what the operator said and nothing else (RFC 8555 section 7.3):
 * members without content are left out, agreement is never claimed unasked, and text is escaped so
 * that a contact cannot add members of its own. How: requests and their payloads, byte for byte.
 */

#include "src/acme/account.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

static void writes(const struct air_account_request *request, const char *expected) {
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    assert_ok(air_account_write(request, &payload));
    assert_span(air_buffer_span(&payload), expected);
    air_buffer_deinit(&payload);
}

static void says_nothing_when_there_is_nothing_to_say(void **state) {
    (void)state;
    const struct air_account_request request = {0};
    writes(&request, "{}");
}

static void never_claims_an_agreement_that_was_not_given(void **state) {
    (void)state;
    const air_span contacts[] = {SPAN("mailto:a@example.net")};
    const struct air_account_request request = {.contacts = contacts, .contacts_count = 1};
    writes(&request, "{\"contact\":[\"mailto:a@example.net\"]}");
}

static void writes_all_that_was_given(void **state) {
    (void)state;
    const air_span contacts[] = {SPAN("mailto:a@example.net"), SPAN("mailto:b@example.net")};
    const struct air_account_request request = {.contacts = contacts,
        .contacts_count = 2,
        .terms_agreed = true,
        .binding = SPAN("{\"protected\":\"e30\"}")};
    writes(&request, "{\"contact\":[\"mailto:a@example.net\",\"mailto:b@example.net\"],"
                     "\"termsOfServiceAgreed\":true,"
                     "\"externalAccountBinding\":{\"protected\":\"e30\"}}");
}

static void writes_the_binding_alone(void **state) {
    (void)state;
    const struct air_account_request request = {.binding = SPAN("{}")};
    writes(&request, "{\"externalAccountBinding\":{}}");
}

static void a_contact_cannot_add_members(void **state) {
    (void)state;
    const air_span contacts[] = {SPAN("mailto:\"],\"termsOfServiceAgreed\":true,\"a\":[\"\n\\\0")};
    const struct air_account_request request = {.contacts = contacts, .contacts_count = 1};
    writes(&request, "{\"contact\":[\"mailto:\\\"],\\\"termsOfServiceAgreed\\\":true,\\\"a\\\":"
                     "[\\\"\\n\\\\\xEF\xBF\xBD\"]}");
}

static void refuses_to_pass_the_buffer_s_limit(void **state) {
    (void)state;
    const struct air_account_request request = {.terms_agreed = true};
    for (size_t size_max = 0; size_max < 29; size_max++) {
        struct air_buffer payload;
        air_buffer_init(&payload, size_max);
        const enum air_error error = air_account_write(&request, &payload);
        assert_int_equal(error, AIR_ERR_LIMIT);
        air_buffer_deinit(&payload);
    }
}

static enum air_error write_once(void *context) {
    (void)context;
    const air_span contacts[] = {SPAN("mailto:somebody.with.a.long.name@a.long.name.example.net")};
    const struct air_account_request request = {.contacts = contacts,
        .contacts_count = 1,
        .terms_agreed = true,
        .binding = SPAN("{\"payload\":\"a value that is long enough to let the buffer grow\"}")};
    struct air_buffer payload;
    air_buffer_init(&payload, 4096);
    const enum air_error error = air_account_write(&request, &payload);
    air_buffer_deinit(&payload);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_nothing_when_there_is_nothing_to_say),
        cmocka_unit_test(never_claims_an_agreement_that_was_not_given),
        cmocka_unit_test(writes_all_that_was_given),
        cmocka_unit_test(writes_the_binding_alone),
        cmocka_unit_test(a_contact_cannot_add_members),
        cmocka_unit_test(refuses_to_pass_the_buffer_s_limit),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
