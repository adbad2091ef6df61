/* SPDX-License-Identifier: MIT */
/*
 * Proven here: the server's side takes an answer in any number of pieces, and believes only the one
 * to its oldest action; anything else ends the keeper for it, and every open action is told. How:
 * the socket of a keeper is exchanged for one whose other end is ours.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/keeper/channel.h"
#include "src/base/memory.h"
#include "src/base/wire.h"
#include "tests/unit/keeper/keeper_scene.h"

static struct air_keeper_scene scene;
static int other_end;
static int64_t live_before;

static int begin(void **state) {
    int sockets[2];

    (void)state;
    live_before = air_memory_live();
    air_keeper_scene_init(&scene);
    air_keeper_scene_start(&scene);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    assert_true(dup2(sockets[0], air_keeper_socket(scene.keeper)) >= 0);
    assert_int_equal(close(sockets[0]), 0);
    other_end = sockets[1];
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_int_equal(close(other_end), 0);
    air_keeper_scene_deinit(&scene);
    return air_memory_live() == live_before ? 0 : -1;
}

/* Two actions are open: a key that is to be made, and a list. */
static void submit_two(void) {
    struct air_action action = {.id = 1, .kind = AIR_ACTION_GENERATE_KEY};

    action.generate_key.type = AIR_KEY_ECDSA_P256;
    assert_ok(air_keeper_submit(scene.keeper, &action));
    action = (struct air_action){.id = 2, .kind = AIR_ACTION_LIST};
    assert_ok(air_keeper_submit(scene.keeper, &action));
}

/* An answer's frame. */
static void make(struct air_buffer *frame, const char *text, uint64_t id, enum air_action_kind kind,
    enum air_error error) {
    const struct air_result result = {.error = error};

    air_buffer_clear(frame);
    air_frame_begin(frame);
    air_wire_put_span(frame, air_span_text(text));
    assert_ok(air_result_encode(id, kind, &result, frame));
    assert_ok(air_frame_end(frame));
}

static void say(air_span bytes) {
    assert_int_equal(send(other_end, bytes.data, bytes.size, MSG_NOSIGNAL), (ssize_t)bytes.size);
}

static void both_are_told_that_it_has_ended(void) {
    assert_int_equal(air_keeper_scene_wait(&scene), AIR_ERR_STATE);
    assert_int_equal(scene.results_count, 2);
    assert_int_equal(scene.id, 2);
    assert_int_equal(scene.error, AIR_ERR_STORAGE);
    assert_true(scene.explanation.size > 0);
}

static void takes_an_answer_byte_by_byte(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    submit_two();
    make(&frame, "", 1, AIR_ACTION_GENERATE_KEY, AIR_ERR_CRYPTO);
    for (size_t i = 0; i < frame.size; i++) {
        assert_int_equal(scene.results_count, 0);
        say(air_span_of(frame.data + i, 1));
        assert_ok(i + 1 < frame.size ? air_keeper_service(scene.keeper, NULL, NULL)
                                     : air_keeper_scene_wait(&scene));
    }
    assert_int_equal(scene.results_count, 1);
    assert_int_equal(scene.error, AIR_ERR_CRYPTO);
    air_buffer_deinit(&frame);
}

static void a_key_that_is_none_is_an_error_of_its_action(void **state) {
    (void)state;
    static const char *const texts[] = {"", "no key", "thinair-keeper-key 1 0 {}",
        "thinair-keeper-key 1 1 {}", "thinair-keeper-key 1 1 "};
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct air_action action = {.id = 1, .kind = AIR_ACTION_GENERATE_KEY};

        action.generate_key.type = AIR_KEY_ECDSA_P256;
        make(&frame, texts[i], 1, AIR_ACTION_GENERATE_KEY, AIR_OK);
        say(air_buffer_span(&frame));
        assert_int_not_equal(air_keeper_scene_run(&scene, &action), AIR_OK);
        assert_int_equal(scene.key, 0);
    }
    air_buffer_deinit(&frame);
}

static void refuses_an_answer_that_nobody_asked_for(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    make(&frame, "", 1, AIR_ACTION_LIST, AIR_OK);
    say(air_buffer_span(&frame));
    assert_int_equal(air_keeper_scene_wait(&scene), AIR_ERR_STATE);
    assert_int_equal(scene.results_count, 0);
    air_buffer_deinit(&frame);
}

static void refuses_an_answer_to_another_action(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    submit_two();
    make(&frame, "", 2, AIR_ACTION_LIST, AIR_OK);
    say(air_buffer_span(&frame));
    both_are_told_that_it_has_ended();
    air_buffer_deinit(&frame);
}

static void refuses_an_answer_of_another_kind(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    submit_two();
    make(&frame, "", 1, AIR_ACTION_READ, AIR_OK);
    say(air_buffer_span(&frame));
    both_are_told_that_it_has_ended();
    air_buffer_deinit(&frame);
}

static void refuses_a_frame_that_is_too_long(void **state) {
    (void)state;

    submit_two();
    say(SPAN("\x00\x40\x00\x01"));
    both_are_told_that_it_has_ended();
}

static void refuses_an_empty_frame(void **state) {
    (void)state;

    submit_two();
    say(SPAN("\0\0\0\0"));
    both_are_told_that_it_has_ended();
}

static void refuses_an_answer_with_bytes_left_over(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    submit_two();
    make(&frame, "", 1, AIR_ACTION_GENERATE_KEY, AIR_ERR_CRYPTO);
    assert_ok(air_buffer_append_byte(&frame, 0));
    frame.data[3]++;
    say(air_buffer_span(&frame));
    both_are_told_that_it_has_ended();
    air_buffer_deinit(&frame);
}

static void an_end_in_the_middle_of_an_answer_is_an_end(void **state) {
    (void)state;
    struct air_buffer frame;

    air_buffer_init(&frame, 1024);
    submit_two();
    make(&frame, "", 1, AIR_ACTION_GENERATE_KEY, AIR_ERR_CRYPTO);
    say(air_span_take(air_buffer_span(&frame), frame.size - 1));
    assert_ok(air_keeper_service(scene.keeper, NULL, NULL));
    assert_int_equal(shutdown(other_end, SHUT_RDWR), 0);
    both_are_told_that_it_has_ended();
    air_buffer_deinit(&frame);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(takes_an_answer_byte_by_byte),
        TEST(a_key_that_is_none_is_an_error_of_its_action),
        TEST(refuses_an_answer_that_nobody_asked_for),
        TEST(refuses_an_answer_to_another_action),
        TEST(refuses_an_answer_of_another_kind),
        TEST(refuses_a_frame_that_is_too_long),
        TEST(refuses_an_empty_frame),
        TEST(refuses_an_answer_with_bytes_left_over),
        TEST(an_end_in_the_middle_of_an_answer_is_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
