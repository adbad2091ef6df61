/* SPDX-License-Identifier: MIT */
/*
 * Proven here: whatever a CA answers to any request of a conversation, once or six times in a row,
 * the engine goes on, asks no host but the CA's, asks not too often, and serves the certificate in
 * the end (R-A11, R-A3, R-B1). How: the cross product of every request with a table of odd answers,
 * each played until the certificate is there.
 */

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/engine/world.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define PROBLEM(type) "{\"type\":\"urn:ietf:params:acme:error:" type "\",\"detail\":\"odd\"}"
#define IDENTIFIER "\"identifier\":{\"type\":\"dns\",\"value\":\"example.net\"}"
#define ORDER_URL "https://ca.test/order/1"
#define CHALLENGE                                                                                  \
    "{\"type\":\"http-01\",\"url\":\"https://ca.test/chall/1/0/http-01\",\"token\":\"tok\"}"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* More requests than a directory, a nonce, an account, an order and its end need. */
#define REQUESTS_MAX 12

static const struct {
    enum air_error error;
    uint32_t status;
    const char *header_name;
    const char *header_value;
    const char *body;
} odds[] = {
    {AIR_ERR_NETWORK, 0, NULL, NULL, NULL},
    {AIR_ERR_TIMEOUT, 0, NULL, NULL, NULL},
    {AIR_ERR_TLS, 0, NULL, NULL, NULL},
    {AIR_ERR_LIMIT, 0, NULL, NULL, NULL},
    {AIR_ERR_MALFORMED, 0, NULL, NULL, NULL},
    {AIR_OK, 0, NULL, NULL, ""},
    {AIR_OK, 100, NULL, NULL, ""},
    {AIR_OK, 204, NULL, NULL, ""},
    {AIR_OK, 301, "location", "https://evil.test/", ""},
    {AIR_OK, 307, "location", "http://ca.test/", ""},
    {AIR_OK, 401, NULL, NULL, ""},
    {AIR_OK, 403, NULL, NULL, "<html>"},
    {AIR_OK, 404, NULL, NULL, ""},
    {AIR_OK, 405, NULL, NULL, "{}"},
    {AIR_OK, 409, NULL, NULL, "[]"},
    {AIR_OK, 429, NULL, NULL, ""},
    {AIR_OK, 429, "retry-after", "99999999999999999999", ""},
    {AIR_OK, 429, "retry-after", "-1", PROBLEM("rateLimited")},
    {AIR_OK, 429, "retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", PROBLEM("rateLimited")},
    {AIR_OK, 429, "retry-after", "0", PROBLEM("rateLimited")},
    {AIR_OK, 500, NULL, NULL, PROBLEM("serverInternal")},
    {AIR_OK, 502, NULL, NULL, "<html><head><title>502 Bad Gateway</title></head></html>"},
    {AIR_OK, 503, "retry-after", "120", ""},
    {AIR_OK, 599, NULL, NULL, "\xff\xfe"},
    {AIR_OK, 4294967295u, NULL, NULL, "{}"},
    {AIR_OK, 400, NULL, NULL, PROBLEM("accountDoesNotExist")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("badNonce")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("badCSR")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("badSignatureAlgorithm")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("malformed")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("rejectedIdentifier")},
    {AIR_OK, 400, NULL, NULL, PROBLEM("onTuesdays")},
    {AIR_OK, 403, NULL, NULL, PROBLEM("orderNotReady")},
    {AIR_OK, 403, NULL, NULL, PROBLEM("unauthorized")},
    {AIR_OK, 403, NULL, NULL, PROBLEM("externalAccountRequired")},
    {AIR_OK, 403, "link", "<https://ca.test/terms>;rel=\"terms-of-service\"",
        PROBLEM("userActionRequired")},
    {AIR_OK, 200, NULL, NULL, ""},
    {AIR_OK, 200, NULL, NULL, "{}"},
    {AIR_OK, 200, NULL, NULL, "[]"},
    {AIR_OK, 200, NULL, NULL, "null"},
    {AIR_OK, 200, NULL, NULL, "<html></html>"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":null}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":7,\"authorizations\":7}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"pending\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"pending\",\"authorizations\":[null]}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"pending\",\"authorizations\":[\"https://evil.test\"]}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"pending\",\"authorizations\":[\"https://ca.test/authz/1/0\"]}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"ready\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"ready\",\"finalize\":\"http://ca.test/f\"}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"ready\",\"finalize\":\"https://ca.test/order/1/finalize\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"processing\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"tomorrow\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"valid\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"valid\",\"certificate\":\"https://evil.test/c\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"valid\",\"certificate\":\"https://ca.test/cert/1\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"invalid\"}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"invalid\",\"error\":" PROBLEM("rejectedIdentifier") "}"},
    {AIR_OK, 201, "location", "https://evil.test/order/1", "{\"status\":\"pending\"}"},
    {AIR_OK, 201, "location", ORDER_URL, "{\"status\":\"pending\"}"},
    {AIR_OK, 201, "location", ORDER_URL, "{\"status\":\"invalid\"}"},
    {AIR_OK, 201, "location", ORDER_URL,
        "{\"status\":\"valid\",\"certificate\":\"https://ca.test/cert/1\"}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"pending\"," IDENTIFIER "}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[" CHALLENGE "]}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"pending\"," IDENTIFIER ",\"challenges\":[{\"type\":\"dns-01\"}]}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"valid\"," IDENTIFIER "}"},
    {AIR_OK, 200, NULL, NULL, "{\"status\":\"revoked\"," IDENTIFIER ",\"challenges\":null}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"invalid\"," IDENTIFIER ",\"challenges\":[{\"error\":{\"detail\":7}}]}"},
    {AIR_OK, 200, NULL, NULL,
        "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"evil.test\"},"
        "\"challenges\":[" CHALLENGE "]}"},
    {AIR_OK, 200, NULL, NULL, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
    {AIR_OK, 200, "replay-nonce", "not a nonce", "{}"},
};

static bool has(const struct air_engine_world *world, const char *text) {
    const air_span transcript = air_buffer_span(&world->host.transcript);
    return memmem(transcript.data, transcript.size, text, strlen(text)) != NULL;
}

/* Play a conversation whose request number `at`, and those behind it, get this odd answer. */
static void play(size_t odd, unsigned at, unsigned times, bool is_after) {
    static struct air_engine_world world;
    air_engine_world_init(&world);
    assert_ok(air_fake_host_start(&world.host));
    for (unsigned i = 0; i < times; i++) {
        const struct air_fake_answer answer = {.path = "/",
            .skip = i == 0 ? at : 0,
            .is_after = is_after,
            .error = odds[odd].error,
            .status = odds[odd].status,
            .header_name = odds[odd].header_name,
            .header_value = odds[odd].header_value,
            .body = odds[odd].body};
        air_fake_ca_answer(world.host.cas[0], &answer);
    }
    assert_ok(air_fake_host_add(&world.host, "example.net", NULL, 0));
    struct air_status status = {0};
    const air_time_ms end_ms = world.host.now.boot_ms + 8 * DAY_MS;
    while (world.host.now.boot_ms < end_ms &&
           (status.generation == 0 || status.state != AIR_STATE_WAITING)) {
        air_fake_host_pass(&world.host, HOUR_MS);
        assert_ok(air_engine_status(world.host.engine, 0, &status));
    }
    const struct air_fake_ca_counts counts = air_fake_ca_counts(world.host.cas[0]);
    if (status.generation == 0 || status.failures_count > 0 || counts.requests > 150 ||
        counts.orders > 1 + times || world.host.published_count > 0 || has(&world, "evil.test") ||
        world.host.events_count[AIR_EVENT_BUG] > 0) {
        fail_msg("odd answer %zu to request %u, %u times%s: generation %u, %zu requests\n%.*s", odd,
            at, times, is_after ? ", after it was carried out" : "", (unsigned)status.generation,
            counts.requests, (int)world.host.transcript.size,
            (const char *)world.host.transcript.data);
    }
    air_engine_world_deinit(&world);
}

static void serves_after_every_odd_answer_to_every_request(void **state) {
    (void)state;
    for (size_t odd = 0; odd < COUNT(odds); odd++) {
        for (unsigned at = 0; at < REQUESTS_MAX; at++) {
            play(odd, at, 1, false);
        }
    }
}

static void serves_when_what_was_done_is_answered_oddly(void **state) {
    (void)state;
    for (size_t odd = 0; odd < COUNT(odds); odd++) {
        for (unsigned at = 0; at < REQUESTS_MAX; at++) {
            play(odd, at, 1, true);
        }
    }
}

static void serves_after_six_odd_answers_in_a_row(void **state) {
    (void)state;
    for (size_t odd = 0; odd < COUNT(odds); odd++) {
        for (unsigned at = 0; at < REQUESTS_MAX; at++) {
            play(odd, at, 6, false);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_after_every_odd_answer_to_every_request),
        cmocka_unit_test(serves_when_what_was_done_is_answered_oddly),
        cmocka_unit_test(serves_after_six_odd_answers_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
