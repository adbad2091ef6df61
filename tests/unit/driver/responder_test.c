/* SPDX-License-Identifier: MIT */
/*
 * Proven: only a GET or HEAD for exactly a live token on exactly its host is answered, with exactly
 * the body that was set (R-G2 to R-G5). How: requests that differ in one thing each, random ones,
 * and threads that ask while answers come and go.
 */
#include "thinair/responder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/base/memory.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"
#define BODY TOKEN ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define PREFIX "/.well-known/acme-challenge/"

#define assert_answered(method, path, host)                                                        \
    assert_int_equal(ask(responder, SPAN(method), SPAN(path), SPAN(host), BODY), AIR_OK)
#define assert_refused(method, path, host)                                                         \
    assert_int_equal(ask(responder, SPAN(method), SPAN(path), SPAN(host), ""), AIR_ERR_NOT_FOUND)

static enum air_error ask(struct air_responder *responder, air_span method, air_span path,
    air_span host, const char *expected) {
    struct air_buffer body;
    enum air_error error;

    air_buffer_init(&body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    error = air_responder_answer(responder, method, path, host, &body);
    assert_span(air_buffer_span(&body), expected);
    air_buffer_deinit(&body);
    return error;
}

static struct air_responder *with_answer(void) {
    struct air_responder *responder = NULL;

    assert_ok(air_responder_new(&responder));
    assert_ok(air_responder_set(responder, SPAN("www.example.net"), SPAN(TOKEN), SPAN(BODY)));
    return responder;
}

static void answers_its_token_on_its_host(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    assert_answered("GET", PREFIX TOKEN, "www.example.net");
    assert_answered("HEAD", PREFIX TOKEN, "www.example.net");
    assert_answered("GET", PREFIX TOKEN, "WWW.Example.NET");
    assert_answered("GET", PREFIX TOKEN, "www.example.net:80");
    assert_answered("GET", PREFIX TOKEN, "www.example.net:65535");
    assert_answered("GET", PREFIX TOKEN, "www.example.net:");
    air_responder_free(responder);
}

static void refuses_other_methods(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    assert_refused("POST", PREFIX TOKEN, "www.example.net");
    assert_refused("get", PREFIX TOKEN, "www.example.net");
    assert_refused("GETS", PREFIX TOKEN, "www.example.net");
    assert_refused("GE", PREFIX TOKEN, "www.example.net");
    assert_refused("", PREFIX TOKEN, "www.example.net");
    assert_refused("GET\0", PREFIX TOKEN, "www.example.net");
    air_responder_free(responder);
}

static void refuses_other_paths(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    assert_refused("GET", "", "www.example.net");
    assert_refused("GET", "/", "www.example.net");
    assert_refused("GET", PREFIX, "www.example.net");
    assert_refused("GET", PREFIX "x", "www.example.net");
    assert_refused("GET", PREFIX TOKEN "/", "www.example.net");
    assert_refused("GET", PREFIX TOKEN "?a", "www.example.net");
    assert_refused("GET", PREFIX TOKEN "A", "www.example.net");
    assert_refused("GET", PREFIX TOKEN "\0", "www.example.net");
    assert_refused("GET", PREFIX "/" TOKEN, "www.example.net");
    assert_refused("GET", "/" PREFIX TOKEN, "www.example.net");
    assert_refused("GET", "/.WELL-KNOWN/acme-challenge/" TOKEN, "www.example.net");
    assert_refused("GET", PREFIX "../acme-challenge/" TOKEN, "www.example.net");
    assert_refused("GET", "http://www.example.net" PREFIX TOKEN, "www.example.net");
    assert_refused("GET", TOKEN, "www.example.net");
    air_responder_free(responder);
}

static void refuses_other_hosts(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    assert_refused("GET", PREFIX TOKEN, "");
    assert_refused("GET", PREFIX TOKEN, "example.net");
    assert_refused("GET", PREFIX TOKEN, "www.example.ne");
    assert_refused("GET", PREFIX TOKEN, "www.example.net.");
    assert_refused("GET", PREFIX TOKEN, "www.example.net.example.org");
    assert_refused("GET", PREFIX TOKEN, "a.www.example.net");
    assert_refused("GET", PREFIX TOKEN, "www.example.net:80:80");
    assert_refused("GET", PREFIX TOKEN, "www.example.net:http");
    assert_refused("GET", PREFIX TOKEN, "www.example.net:123456");
    assert_refused("GET", PREFIX TOKEN, "www.example.net@evil.example.org");
    assert_refused("GET", PREFIX TOKEN, "www.example.net\0");
    assert_refused("GET", PREFIX TOKEN, " www.example.net");
    air_responder_free(responder);
}

static void refuses_what_was_removed(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    air_responder_remove(responder, SPAN("other.example.net"), SPAN(TOKEN));
    air_responder_remove(responder, SPAN("www.example.net"), SPAN("other"));
    assert_answered("GET", PREFIX TOKEN, "www.example.net");
    air_responder_remove(responder, SPAN("www.example.net"), SPAN(TOKEN));
    assert_refused("GET", PREFIX TOKEN, "www.example.net");
    air_responder_remove(responder, SPAN("www.example.net"), SPAN(TOKEN));
    air_responder_free(responder);
}

static void keeps_one_token_apart_for_two_names(void **state) {
    struct air_responder *responder = with_answer();

    (void)state;
    assert_ok(air_responder_set(responder, SPAN("b.example.net"), SPAN(TOKEN), SPAN("second")));
    assert_int_equal(
        ask(responder, SPAN("GET"), SPAN(PREFIX TOKEN), SPAN("b.example.net"), "second"), AIR_OK);
    assert_answered("GET", PREFIX TOKEN, "www.example.net");
    air_responder_remove(responder, SPAN("www.example.net"), SPAN(TOKEN));
    assert_refused("GET", PREFIX TOKEN, "www.example.net");
    assert_ok(air_responder_set(responder, SPAN("b.example.net"), SPAN(TOKEN), SPAN("third")));
    assert_int_equal(
        ask(responder, SPAN("GET"), SPAN(PREFIX TOKEN), SPAN("b.example.net"), "third"), AIR_OK);
    air_responder_free(responder);
}

static void refuses_to_hold_what_could_not_be_asked_for(void **state) {
    struct air_responder *responder = with_answer();
    uint8_t longer[AIR_RESPONDER_ANSWER_SIZE_MAX + 1];
    air_span name = SPAN("www.example.net");

    (void)state;
    for (size_t i = 0; i < sizeof(longer); i++) {
        longer[i] = 'a';
    }
    assert_int_equal(
        air_responder_set(responder, name, SPAN("t"), air_span_of(longer, sizeof(longer))),
        AIR_ERR_LIMIT);
    assert_int_equal(
        air_responder_set(responder, name, air_span_of(longer, 257), SPAN("b")), AIR_ERR_LIMIT);
    assert_int_equal(air_responder_set(responder, air_span_of(longer, 254), SPAN("t"), SPAN("b")),
        AIR_ERR_LIMIT);
    assert_int_equal(air_responder_set(responder, name, SPAN(""), SPAN("b")), AIR_ERR_ARGUMENT);
    assert_int_equal(air_responder_set(responder, name, SPAN("a/b"), SPAN("b")), AIR_ERR_ARGUMENT);
    assert_int_equal(air_responder_set(responder, name, SPAN("a\0"), SPAN("b")), AIR_ERR_ARGUMENT);
    assert_int_equal(air_responder_set(responder, name, SPAN("t"), SPAN("")), AIR_ERR_ARGUMENT);
    assert_int_equal(
        air_responder_set(responder, SPAN(""), SPAN("t"), SPAN("b")), AIR_ERR_ARGUMENT);
    air_responder_free(responder);
}

static void refuses_one_answer_too_many(void **state) {
    struct air_responder *responder = NULL;
    char token[16];

    (void)state;
    assert_ok(air_responder_new(&responder));
    for (unsigned i = 0; i < AIR_RESPONDER_ANSWERS_MAX; i++) {
        snprintf(token, sizeof(token), "t%u", i);
        assert_ok(air_responder_set(responder, SPAN("a.example"), air_span_text(token), SPAN("b")));
    }
    assert_int_equal(
        air_responder_set(responder, SPAN("a.example"), SPAN("u"), SPAN("b")), AIR_ERR_LIMIT);
    assert_ok(air_responder_set(responder, SPAN("a.example"), SPAN("t7"), SPAN("new")));
    air_responder_remove(responder, SPAN("a.example"), SPAN("t8"));
    assert_ok(air_responder_set(responder, SPAN("a.example"), SPAN("u"), SPAN("b")));
    assert_int_equal(
        ask(responder, SPAN("GET"), SPAN(PREFIX "t7"), SPAN("a.example"), "new"), AIR_OK);
    air_responder_free(responder);
}

static void leaves_the_buffer_of_a_short_reader_alone(void **state) {
    struct air_responder *responder = with_answer();
    struct air_buffer body;

    (void)state;
    air_buffer_init(&body, 8);
    assert_int_equal(air_responder_answer(responder, SPAN("GET"), SPAN(PREFIX TOKEN),
                         SPAN("www.example.net"), &body),
        AIR_ERR_LIMIT);
    assert_int_equal(body.size, 0);
    air_buffer_deinit(&body);
    air_responder_free(responder);
}

/* R-G3: whatever a request is made of, up to long ones. The seed is fixed: a failure repeats. */
static void survives_random_requests(void **state) {
    static const char alphabet[] = "/.:-_aAzZ09wekn\0\r\n\xff%?#@ ";
    struct air_responder *responder = with_answer();
    size_t size_max = 65536;
    uint8_t *bytes = malloc(size_max);
    uint32_t random = 12345;

    (void)state;
    assert_non_null(bytes);
    for (unsigned round = 0; round < 200; round++) {
        size_t size = round % 10 == 0 ? size_max : round;

        for (size_t i = 0; i < size; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
        }
        assert_int_equal(
            ask(responder, SPAN("GET"), air_span_of(bytes, size), SPAN("www.example.net"), ""),
            AIR_ERR_NOT_FOUND);
        assert_int_equal(
            ask(responder, SPAN("GET"), SPAN(PREFIX TOKEN), air_span_of(bytes, size), ""),
            AIR_ERR_NOT_FOUND);
    }
    free(bytes);
    air_responder_free(responder);
}

static void *ask_often(void *context) {
    for (unsigned i = 0; i < 20000; i++) {
        struct air_buffer body;
        enum air_error error;

        air_buffer_init(&body, AIR_RESPONDER_ANSWER_SIZE_MAX);
        error = air_responder_answer(
            context, SPAN("GET"), SPAN(PREFIX TOKEN), SPAN("www.example.net"), &body);
        assert_true(error == AIR_ERR_NOT_FOUND ||
                    (error == AIR_OK && air_span_equal_text(air_buffer_span(&body), BODY)));
        air_buffer_deinit(&body);
    }
    return NULL;
}

static void answers_whole_while_answers_change(void **state) {
    struct air_responder *responder = with_answer();
    pthread_t threads[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, responder), 0);
    }
    for (unsigned i = 0; i < 20000; i++) {
        air_responder_remove(responder, SPAN("www.example.net"), SPAN(TOKEN));
        assert_ok(air_responder_set(responder, SPAN("www.example.net"), SPAN(TOKEN), SPAN(BODY)));
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    air_responder_free(responder);
}

static enum air_error whole_life(void *context) {
    struct air_responder *responder = NULL;
    struct air_buffer body;
    enum air_error error = air_responder_new(&responder);

    (void)context;
    air_buffer_init(&body, AIR_RESPONDER_ANSWER_SIZE_MAX);
    if (error == AIR_OK) {
        error = air_responder_set(responder, SPAN("a.example"), SPAN("t"), SPAN("b"));
    }
    if (error == AIR_OK) {
        error = air_responder_set(responder, SPAN("a.example"), SPAN("t"), SPAN("c"));
    }
    if (error == AIR_OK) {
        error = air_responder_answer(
            responder, SPAN("GET"), SPAN(PREFIX "t"), SPAN("a.example"), &body);
    }
    air_buffer_deinit(&body);
    air_responder_free(responder);
    return error;
}

static void survives_each_failing_allocation(void **state) {
    (void)state;
    air_test_each_allocation(whole_life, NULL);
    air_responder_free(NULL);
    assert_int_equal(air_memory_live(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_its_token_on_its_host),
        cmocka_unit_test(refuses_other_methods),
        cmocka_unit_test(refuses_other_paths),
        cmocka_unit_test(refuses_other_hosts),
        cmocka_unit_test(refuses_what_was_removed),
        cmocka_unit_test(keeps_one_token_apart_for_two_names),
        cmocka_unit_test(refuses_to_hold_what_could_not_be_asked_for),
        cmocka_unit_test(refuses_one_answer_too_many),
        cmocka_unit_test(leaves_the_buffer_of_a_short_reader_alone),
        cmocka_unit_test(survives_random_requests),
        cmocka_unit_test(answers_whole_while_answers_change),
        cmocka_unit_test(survives_each_failing_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
