/* SPDX-License-Identifier: MIT */
/*
 * Proven here: every kind of action and result comes through the wire encoding as it was, and bytes
 * that are no encoding of this version are refused: cut at every byte, with bytes left over, of
 * another version or kind, with counts over their limits. How: one sample of each kind, encoded,
 * decoded and encoded again.
 */

#include <stdio.h>
#include <string.h>

#include "src/base/memory.h"
#include "src/base/wire.h"
#include "tests/support/allocation.h"
#include "tests/support/test.h"
#include "thinair/action.h"

#define KINDS_COUNT AIR_ACTION_CANCEL

static air_span names[] = {{(const uint8_t *)"example.net", 11}, {(const uint8_t *)"", 0},
    {(const uint8_t *)"www.example.net", 15}};

static void sample_publish(struct air_publish_action *publish) {
    publish->type = AIR_TLS_ALPN_01;
    publish->name = names[0];
    publish->token = SPAN("token");
    publish->key_authorization = SPAN("token.thumbprint");
    memset(publish->digest, 0xd1, sizeof publish->digest);
}

static void sample_install(struct air_install_action *install) {
    install->target = SPAN("front");
    install->certificate = SPAN("example.net");
    install->key_type = AIR_KEY_RSA_4096;
    install->generation = 4000000000u;
    install->names = names;
    install->names_count = 3;
    install->chain = SPAN("chain");
    install->key = SPAN("key");
}

static void sample_event(struct air_event_action *event) {
    event->event = AIR_EVENT_BUG;
    event->certificate = SPAN("example.net");
    event->key_type = AIR_KEY_ECDSA_P256;
    event->generation = 3;
    event->authority = SPAN("https://ca.test/dir");
    event->text = SPAN("a sentence");
    event->not_after_ms = INT64_MIN;
    event->next_ms = INT64_MAX;
}

static void sample_http(struct air_http_action *http) {
    http->method = SPAN("POST");
    http->url = SPAN("https://ca.test/new-order");
    http->trust = SPAN("roots");
    http->body = SPAN("{\"a\":\"\0\xff\"}");
    http->body_max = UINT32_MAX;
    http->deadline_ms = 60000;
}

/* An action of this kind with every member set. */
static struct air_action sample(enum air_action_kind kind) {
    static struct air_put puts[2];
    struct air_action action = {.id = UINT64_MAX - 1, .kind = kind};
    puts[0] = (struct air_put){.path = SPAN("a/b"), .value = SPAN("v\0v")};
    puts[1] = (struct air_put){.path = SPAN("a/c"), .is_delete = true};
    switch (kind) {
    case AIR_ACTION_HTTP:
        sample_http(&action.http);
        break;
    case AIR_ACTION_READ:
        action.read = (struct air_read_action){names, 3};
        break;
    case AIR_ACTION_WRITE:
        action.write = (struct air_write_action){{SPAN("a/b"), UINT64_MAX}, puts, 2};
        break;
    case AIR_ACTION_LIST:
        action.list = (struct air_list_action){SPAN("a"), SPAN("b"), 1024};
        break;
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        action.lock.path = SPAN("certificates/example.net");
        break;
    case AIR_ACTION_GENERATE_KEY:
        action.generate_key =
            (struct air_generate_key_action){.type = AIR_KEY_RSA_2048, .is_account = true};
        break;
    case AIR_ACTION_SIGN:
        action.sign = (struct air_sign_action){UINT64_MAX, AIR_RS256, SPAN("data")};
        break;
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
        sample_publish(&action.publish);
        break;
    case AIR_ACTION_PROVE:
        action.prove =
            (struct air_prove_action){AIR_KEY_ECDSA_P384, names, 3, SPAN("chain"), SPAN("key")};
        break;
    case AIR_ACTION_INSTALL:
        sample_install(&action.install);
        break;
    case AIR_ACTION_EVENT:
        sample_event(&action.event);
        break;
    case AIR_ACTION_CANCEL:
        action.cancel.cancelled_id = UINT64_MAX;
        break;
    }
    return action;
}

static void encode(const struct air_action *action, struct air_buffer *wire) {
    air_buffer_init(wire, AIR_WIRE_SIZE_MAX);
    assert_ok(air_action_encode(action, wire));
}

static void every_kind_of_action_comes_back_as_it_was(void **state) {
    (void)state;
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        const struct air_action action = sample((enum air_action_kind)kind);
        struct air_action *decoded = NULL;
        struct air_buffer first;
        struct air_buffer second;
        encode(&action, &first);
        assert_ok(air_action_decode(air_buffer_span(&first), &decoded));
        assert_int_equal(decoded->id, action.id);
        assert_int_equal(decoded->kind, kind);
        air_buffer_deinit(&first); /* what was decoded lives on its own */
        encode(&action, &first);
        encode(decoded, &second);
        assert_true(air_span_equal(air_buffer_span(&first), air_buffer_span(&second)));
        air_action_free(decoded);
        air_buffer_deinit(&first);
        air_buffer_deinit(&second);
    }
}

static void every_member_of_an_action_is_carried(void **state) {
    (void)state;
    struct air_action action = sample(AIR_ACTION_INSTALL);
    struct air_action *copy = NULL;
    assert_ok(air_action_copy(&action, &copy));
    assert_span(copy->install.target, "front");
    assert_span(copy->install.certificate, "example.net");
    assert_int_equal(copy->install.key_type, AIR_KEY_RSA_4096);
    assert_int_equal(copy->install.generation, 4000000000u);
    assert_int_equal(copy->install.names_count, 3);
    assert_span(copy->install.names[0], "example.net");
    assert_span(copy->install.names[1], "");
    assert_span(copy->install.names[2], "www.example.net");
    assert_span(copy->install.chain, "chain");
    assert_span(copy->install.key, "key");
    air_action_free(copy);
    action = sample(AIR_ACTION_WRITE);
    assert_ok(air_action_copy(&action, &copy));
    assert_span(copy->write.guard.path, "a/b");
    assert_true(copy->write.guard.version == UINT64_MAX);
    assert_int_equal(copy->write.puts_count, 2);
    assert_int_equal(copy->write.puts[0].value.size, 3);
    assert_false(copy->write.puts[0].is_delete);
    assert_span(copy->write.puts[1].path, "a/c");
    assert_true(copy->write.puts[1].is_delete);
    air_action_free(copy);
    action = sample(AIR_ACTION_EVENT);
    assert_ok(air_action_copy(&action, &copy));
    assert_true(copy->event.not_after_ms == INT64_MIN && copy->event.next_ms == INT64_MAX);
    assert_int_equal(copy->event.event, AIR_EVENT_BUG);
    air_action_free(copy);
    action = sample(AIR_ACTION_PUBLISH);
    assert_ok(air_action_copy(&action, &copy));
    assert_memory_equal(copy->publish.digest, action.publish.digest, AIR_SHA256_SIZE);
    assert_int_equal(copy->publish.type, AIR_TLS_ALPN_01);
    air_action_free(copy);
}

static void an_action_without_content_comes_back_too(void **state) {
    (void)state;
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        const struct air_action action = {.kind = (enum air_action_kind)kind};
        struct air_action *copy = NULL;
        assert_ok(air_action_copy(&action, &copy));
        assert_int_equal(copy->kind, kind);
        assert_int_equal(copy->id, 0);
        air_action_free(copy);
    }
    air_action_free(NULL);
    air_result_free(NULL);
}

static enum air_error decode(air_span wire) {
    struct air_action *action = NULL;
    const enum air_error error = air_action_decode(wire, &action);
    assert_int_equal(action != NULL, error == AIR_OK);
    air_action_free(action);
    return error;
}

static void refuses_actions_cut_at_any_byte_or_with_bytes_left_over(void **state) {
    (void)state;
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        const struct air_action action = sample((enum air_action_kind)kind);
        struct air_buffer wire;
        encode(&action, &wire);
        const size_t size = wire.size;
        assert_ok(air_buffer_append_byte(&wire, 0));
        for (size_t cut = 0; cut <= size + 1; cut++) {
            const enum air_error error = decode(air_span_of(wire.data, cut));
            assert_int_equal(error, cut == size ? AIR_OK : AIR_ERR_MALFORMED);
        }
        air_buffer_deinit(&wire);
    }
}

static void refuses_other_versions_and_kinds(void **state) {
    (void)state;
    const struct air_action action = sample(AIR_ACTION_CANCEL);
    struct air_buffer wire;
    encode(&action, &wire);
    for (unsigned byte = 0; byte < 256; byte++) {
        wire.data[0] = (uint8_t)byte;
        assert_int_equal(decode(air_buffer_span(&wire)),
            byte == AIR_WIRE_VERSION ? AIR_OK : AIR_ERR_UNSUPPORTED);
    }
    wire.data[0] = AIR_WIRE_VERSION;
    for (unsigned byte = 0; byte < 256; byte++) {
        wire.data[1] = (uint8_t)byte;
        const enum air_error error = decode(air_buffer_span(&wire));
        if (byte == 0 || byte > KINDS_COUNT) {
            assert_int_equal(error, AIR_ERR_MALFORMED);
        }
    }
    air_buffer_deinit(&wire);
}

static void a_flipped_bit_gives_an_action_or_a_refusal(void **state) {
    (void)state;
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        const struct air_action action = sample((enum air_action_kind)kind);
        struct air_buffer wire;
        encode(&action, &wire);
        for (size_t bit = 0; bit < 8 * wire.size; bit++) {
            wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const enum air_error error = decode(air_buffer_span(&wire));
            assert_true(error == AIR_OK || error == AIR_ERR_MALFORMED ||
                        (error == AIR_ERR_UNSUPPORTED && bit < 8));
            wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        air_buffer_deinit(&wire);
    }
}

/* An encoding of this kind whose one array claims `count` elements of `element_size` zero bytes. */
static enum air_error decode_counted(enum air_action_kind kind, size_t before_size, uint32_t count,
    size_t element_size, size_t after_size) {
    static const uint8_t zeros[64];
    struct air_buffer wire;
    air_buffer_init(&wire, AIR_WIRE_SIZE_MAX);
    air_wire_put_u8(&wire, AIR_WIRE_VERSION);
    air_wire_put_u8(&wire, (uint8_t)kind);
    air_wire_put_u64(&wire, 1);
    air_buffer_append(&wire, zeros, before_size);
    air_wire_put_u32(&wire, count);
    for (uint32_t i = 0; i < count && i < 10000; i++) {
        air_buffer_append(&wire, zeros, element_size);
    }
    assert_ok(air_buffer_append(&wire, zeros, after_size));
    const enum air_error error = decode(air_buffer_span(&wire));
    air_buffer_deinit(&wire);
    return error;
}

static void refuses_counts_over_their_limits(void **state) {
    (void)state;
    static const uint32_t absurd[] = {101, 1000, 0x7fffffff, 0x80000000, 0xffffffff};
    assert_ok(decode_counted(AIR_ACTION_READ, 0, AIR_STORAGE_PUTS_MAX, 4, 0));
    assert_int_equal(
        decode_counted(AIR_ACTION_READ, 0, AIR_STORAGE_PUTS_MAX + 1, 4, 0), AIR_ERR_MALFORMED);
    assert_ok(decode_counted(AIR_ACTION_WRITE, 12, AIR_STORAGE_PUTS_MAX, 9, 0));
    assert_int_equal(
        decode_counted(AIR_ACTION_WRITE, 12, AIR_STORAGE_PUTS_MAX + 1, 9, 0), AIR_ERR_MALFORMED);
    assert_ok(decode_counted(AIR_ACTION_PROVE, 1, 100, 4, 8));
    assert_ok(decode_counted(AIR_ACTION_INSTALL, 13, 100, 4, 8));
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        const uint32_t count = absurd[i];
        assert_int_equal(decode_counted(AIR_ACTION_READ, 0, count, 4, 0), AIR_ERR_MALFORMED);
        assert_int_equal(decode_counted(AIR_ACTION_WRITE, 12, count, 9, 0), AIR_ERR_MALFORMED);
        assert_int_equal(decode_counted(AIR_ACTION_PROVE, 1, count, 4, 8), AIR_ERR_MALFORMED);
        assert_int_equal(decode_counted(AIR_ACTION_INSTALL, 13, count, 4, 8), AIR_ERR_MALFORMED);
    }
}

static void refuses_to_pass_the_buffer_s_limit(void **state) {
    (void)state;
    const struct air_action action = sample(AIR_ACTION_HTTP);
    struct air_buffer wire;
    encode(&action, &wire);
    const size_t size = wire.size;
    air_buffer_deinit(&wire);
    for (size_t size_max = 0; size_max < size; size_max++) {
        air_buffer_init(&wire, size_max);
        assert_int_equal(air_action_encode(&action, &wire), AIR_ERR_LIMIT);
        air_buffer_deinit(&wire);
    }
}

/* A result of this kind with every member set. */
static struct air_result sample_result(enum air_action_kind kind) {
    static const struct air_http_header headers[] = {
        {{(const uint8_t *)"link", 4}, {(const uint8_t *)"<a>", 3}},
        {{(const uint8_t *)"x", 1}, {NULL, 0}}};
    static const struct air_record records[] = {
        {AIR_OK, UINT64_MAX, {(const uint8_t *)"v", 1}}, {AIR_ERR_NOT_FOUND, 0, {NULL, 0}}};
    struct air_result result = {.explanation = SPAN("a sentence")};
    switch (kind) {
    case AIR_ACTION_HTTP:
        result.http = (struct air_http_result){599, headers, 2, SPAN("body\0")};
        break;
    case AIR_ACTION_READ:
        result.read = (struct air_read_result){records, 2};
        break;
    case AIR_ACTION_LIST:
        result.list = (struct air_list_result){names, 3, true};
        break;
    case AIR_ACTION_LOCK:
        result.lock.fence = UINT64_MAX;
        break;
    case AIR_ACTION_GENERATE_KEY:
        result.generate_key.key = UINT64_MAX - 7;
        break;
    case AIR_ACTION_SIGN:
        result.sign.signature = SPAN("signature");
        break;
    case AIR_ACTION_WRITE:
    case AIR_ACTION_UNLOCK:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        break;
    }
    return result;
}

static void every_kind_of_result_comes_back_as_it_was(void **state) {
    (void)state;
    static const enum air_error errors[] = {AIR_OK, AIR_ERR_NETWORK, AIR_ERR_NOT_PROVEN};
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        for (size_t i = 0; i < 3; i++) {
            struct air_result result = sample_result((enum air_action_kind)kind);
            struct air_result *decoded = NULL;
            enum air_action_kind decoded_kind = AIR_ACTION_EVENT;
            uint64_t id = 0;
            struct air_buffer first;
            struct air_buffer second;
            result.error = errors[i];
            air_buffer_init(&first, AIR_WIRE_SIZE_MAX);
            air_buffer_init(&second, AIR_WIRE_SIZE_MAX);
            assert_ok(air_result_encode(17, (enum air_action_kind)kind, &result, &first));
            assert_ok(air_result_decode(air_buffer_span(&first), &id, &decoded_kind, &decoded));
            assert_int_equal(id, 17);
            assert_int_equal(decoded_kind, kind);
            assert_int_equal(decoded->error, errors[i]);
            assert_span(decoded->explanation, "a sentence");
            assert_ok(air_result_encode(id, decoded_kind, decoded, &second));
            assert_true(air_span_equal(air_buffer_span(&first), air_buffer_span(&second)));
            air_result_free(decoded);
            air_buffer_deinit(&first);
            air_buffer_deinit(&second);
        }
    }
}

static enum air_error decode_result(air_span wire) {
    struct air_result *result = NULL;
    enum air_action_kind kind = AIR_ACTION_EVENT;
    uint64_t id = 0;
    const enum air_error error = air_result_decode(wire, &id, &kind, &result);
    assert_int_equal(result != NULL, error == AIR_OK);
    air_result_free(result);
    return error;
}

static void refuses_results_cut_at_any_byte_or_with_bytes_left_over(void **state) {
    (void)state;
    for (int kind = 1; kind <= KINDS_COUNT; kind++) {
        const struct air_result result = sample_result((enum air_action_kind)kind);
        struct air_buffer wire;
        air_buffer_init(&wire, AIR_WIRE_SIZE_MAX);
        assert_ok(air_result_encode(1, (enum air_action_kind)kind, &result, &wire));
        const size_t size = wire.size;
        assert_ok(air_buffer_append_byte(&wire, 0));
        for (size_t cut = 0; cut <= size + 1; cut++) {
            const enum air_error error = decode_result(air_span_of(wire.data, cut));
            assert_int_equal(error, cut == size ? AIR_OK : AIR_ERR_MALFORMED);
        }
        for (size_t bit = 0; bit < 8 * size; bit++) {
            wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)decode_result(air_span_of(wire.data, size));
            wire.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        wire.data[0] = AIR_WIRE_VERSION + 1;
        assert_int_equal(decode_result(air_span_of(wire.data, size)), AIR_ERR_UNSUPPORTED);
        wire.data[0] = AIR_WIRE_VERSION;
        wire.data[1] = KINDS_COUNT + 1;
        assert_int_equal(decode_result(air_span_of(wire.data, size)), AIR_ERR_MALFORMED);
        air_buffer_deinit(&wire);
    }
}

static void refuses_results_with_counts_over_their_limits(void **state) {
    (void)state;
    static const struct {
        enum air_action_kind kind;
        size_t count_at;
        uint32_t count_max;
    } rows[] = {{AIR_ACTION_HTTP, 22, 256}, {AIR_ACTION_READ, 18, AIR_STORAGE_PUTS_MAX},
        {AIR_ACTION_LIST, 18, 4096}};
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t over[] = {1, 1000000, 0x7fffffff};
        for (size_t k = 0; k < 3; k++) {
            struct air_buffer wire;
            air_buffer_init(&wire, AIR_WIRE_SIZE_MAX);
            air_wire_put_u8(&wire, AIR_WIRE_VERSION);
            air_wire_put_u8(&wire, (uint8_t)rows[i].kind);
            while (wire.size < rows[i].count_at) {
                air_wire_put_u8(&wire, 0);
            }
            air_wire_put_u32(&wire, rows[i].count_max + over[k]);
            for (int n = 0; n < 100000; n++) {
                air_wire_put_u32(&wire, 0);
            }
            assert_ok(wire.error);
            assert_int_equal(decode_result(air_buffer_span(&wire)), AIR_ERR_MALFORMED);
            air_buffer_deinit(&wire);
        }
    }
}

static enum air_error copy_once(void *context) {
    const enum air_action_kind *kind = context;
    const struct air_action action = sample(*kind);
    const struct air_result result = sample_result(*kind);
    struct air_action *copy = NULL;
    struct air_result *answer = NULL;
    struct air_buffer wire;
    uint64_t id = 0;
    enum air_action_kind answered = AIR_ACTION_EVENT;
    air_buffer_init(&wire, AIR_WIRE_SIZE_MAX);
    enum air_error error = air_action_copy(&action, &copy);
    if (error == AIR_OK) {
        error = air_result_encode(1, *kind, &result, &wire);
    }
    if (error == AIR_OK) {
        error = air_result_decode(air_buffer_span(&wire), &id, &answered, &answer);
    }
    air_action_free(copy);
    air_result_free(answer);
    air_buffer_deinit(&wire);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    for (int number = 1; number <= KINDS_COUNT; number++) {
        enum air_action_kind kind = (enum air_action_kind)number;
        air_test_each_allocation(copy_once, &kind);
    }
}

static int leaves_nothing(void **state) {
    (void)state;
    return air_memory_live() == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_action_comes_back_as_it_was),
        cmocka_unit_test(every_member_of_an_action_is_carried),
        cmocka_unit_test(an_action_without_content_comes_back_too),
        cmocka_unit_test(refuses_actions_cut_at_any_byte_or_with_bytes_left_over),
        cmocka_unit_test(refuses_other_versions_and_kinds),
        cmocka_unit_test(a_flipped_bit_gives_an_action_or_a_refusal),
        cmocka_unit_test(refuses_counts_over_their_limits),
        cmocka_unit_test(refuses_to_pass_the_buffer_s_limit),
        cmocka_unit_test(every_kind_of_result_comes_back_as_it_was),
        cmocka_unit_test(refuses_results_cut_at_any_byte_or_with_bytes_left_over),
        cmocka_unit_test(refuses_results_with_counts_over_their_limits),
        cmocka_unit_test(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, leaves_nothing);
}
