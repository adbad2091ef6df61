/* SPDX-License-Identifier: MIT */
/*
 * Proven here: what the journal writes it reads back, and a record that was cut at any byte, or has
 * any one bit turned, is read as a consistent record or refused, never more (R-D3, figure 8 of the
 * scoreboard); paths are made of our own words only. How: every record written, read, damaged and
 * read again.
 */

#include <string.h>

#include "src/base/memory.h"
#include "src/base/name.h"
#include "src/base/path.h"
#include "src/engine/core.h"
#include "src/engine/journal.h"
#include "tests/support/allocation.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/test.h"

#define URL "https://ca.test/dir"
#define NOW_MS INT64_C(1795446245000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct bench {
    struct air_crypto *crypto;
    struct air_engine *engine;
};

static struct bench bench;

/* Ask for these names; the lineage of the first key type. */
static struct air_lineage *ask(const air_span *names, size_t count, bool must_staple) {
    struct air_certificate_spec spec = {.size = sizeof spec,
        .id = SPAN("shop"),
        .names = names,
        .names_count = count,
        .directory_url = SPAN(URL),
        .must_staple = must_staple};
    assert_ok(air_engine_certificate_set(bench.engine, &spec, NULL));
    return bench.engine->certificates[0]->lineages;
}

static struct air_lineage *ask_usual(void) {
    const air_span names[] = {SPAN("example.net"), SPAN("www.example.net")};
    return ask(names, 2, false);
}

static int set_up(void **state) {
    (void)state;
    bench.crypto = air_fake_crypto_new(1);
    const struct air_engine_config config = {.size = sizeof config, .crypto = bench.crypto};
    struct air_authority_spec authority = {.size = sizeof authority, .directory_url = SPAN(URL)};
    assert_ok(air_engine_new(&config, &bench.engine));
    assert_ok(air_engine_authority_set(bench.engine, &authority));
    authority.directory_url = SPAN("https://other.test/dir");
    assert_ok(air_engine_authority_set(bench.engine, &authority));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    air_engine_free(bench.engine);
    air_fake_crypto_free(bench.crypto);
    return air_memory_live() == 0 ? 0 : -1;
}

static void paths_are_made_of_our_own_words(void **state) {
    (void)state;
    const struct air_lineage *lineage = ask_usual();
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    assert_ok(air_path_lineage(lineage, NULL, &path));
    assert_span(air_buffer_span(&path), "certificates/shop/ecdsa-p256");
    air_buffer_clear(&path);
    assert_ok(air_path_lineage(lineage, "order.json", &path));
    assert_span(air_buffer_span(&path), "certificates/shop/ecdsa-p256/order.json");
    air_buffer_clear(&path);
    assert_ok(air_path_live(lineage, "bundle.pem", &path));
    assert_span(air_buffer_span(&path), "live/shop/ecdsa-p256/bundle.pem");
    air_buffer_deinit(&path);
}

static void generations_sort_as_text(void **state) {
    (void)state;
    static const struct {
        uint32_t number;
        const char *path;
    } rows[] = {
        {1, "certificates/shop/ecdsa-p256/generations/000001/key.pem"},
        {99999, "certificates/shop/ecdsa-p256/generations/099999/key.pem"},
        {100000, "certificates/shop/ecdsa-p256/generations/100000/key.pem"},
        {AIR_GENERATION_MAX, "certificates/shop/ecdsa-p256/generations/999999999/key.pem"},
    };
    const struct air_lineage *lineage = ask_usual();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct air_buffer path;
        air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
        assert_ok(air_path_generation(lineage, rows[i].number, "key.pem", &path));
        assert_span(air_buffer_span(&path), rows[i].path);
        air_span segment = air_span_skip(air_buffer_span(&path), 41);
        segment = air_span_take(segment, air_span_find(segment, '/'));
        assert_int_equal(air_generation_parse(segment), rows[i].number);
        air_buffer_deinit(&path);
    }
}

static void the_longest_id_gives_paths_that_storages_take(void **state) {
    (void)state;
    static char id[AIR_ID_SIZE_MAX];
    const air_span names[] = {SPAN("example.net")};
    memset(id, 'i', sizeof id);
    struct air_certificate_spec spec = {.size = sizeof spec,
        .id = air_span_of(id, sizeof id),
        .names = names,
        .names_count = 1,
        .directory_url = SPAN(URL)};
    assert_ok(air_engine_certificate_set(bench.engine, &spec, NULL));
    struct air_buffer path;
    air_buffer_init(&path, AIR_STORAGE_PATH_SIZE_MAX);
    assert_ok(air_path_generation(
        bench.engine->certificates[0]->lineages, AIR_GENERATION_MAX, "fullchain.pem", &path));
    assert_true(air_path_is_valid(air_buffer_span(&path)));
    air_buffer_deinit(&path);
}

static void other_names_are_no_generations(void **state) {
    (void)state;
    static const char *const names[] = {"", "1", "00001", "0000000000", "1234567890", "00000a",
        "-00001", "+00001", " 00001", "00001 ", "0x0001", "000000", "000001.tmp", "current", "..",
        "\xc2\xb2\xc2\xb2\xc2\xb2"};
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(air_generation_parse(air_span_text(names[i])), 0);
    }
}

static void current_comes_back_as_it_was(void **state) {
    (void)state;
    static const uint32_t numbers[] = {1, 3, 999999, AIR_GENERATION_MAX};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint8_t digest[AIR_SHA256_SIZE];
        uint8_t read[AIR_SHA256_SIZE] = {0};
        uint32_t number = 0;
        struct air_buffer text;
        memset(digest, (int)(0xa0 + i), sizeof digest);
        air_buffer_init(&text, 200);
        assert_ok(air_current_write(numbers[i], digest, &text));
        assert_ok(air_current_read(air_buffer_span(&text), &number, read));
        assert_int_equal(number, numbers[i]);
        assert_memory_equal(read, digest, sizeof digest);
        air_buffer_deinit(&text);
    }
}

#define HEX32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void refuses_a_current_that_names_nothing(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n", "3", "3 ", "sha256:" HEX32 HEX32,
        "0 sha256:" HEX32 HEX32, "-1 sha256:" HEX32 HEX32, "+1 sha256:" HEX32 HEX32,
        "3  sha256:" HEX32 HEX32, "3 SHA256:" HEX32 HEX32, "3 sha256:" HEX32,
        "3 sha256:" HEX32 HEX32 "aa", "3 sha256:" HEX32 HEX32 "a",
        "3 sha256:" HEX32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaag", "3 sha256: " HEX32 HEX32,
        "1000000000 sha256:" HEX32 HEX32, "99999999999999999999 sha256:" HEX32 HEX32,
        "3 sha256:" HEX32 HEX32 " 4", "../../etc sha256:" HEX32 HEX32, "3\nsha256:" HEX32 HEX32};
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint32_t number = 77;
        uint8_t digest[AIR_SHA256_SIZE];
        assert_int_equal(
            air_current_read(air_span_text(texts[i]), &number, digest), AIR_ERR_MALFORMED);
    }
}

static void sample_history(struct air_history *history) {
    *history = (struct air_history){.attempts_count = 7,
        .failures_count = 3,
        .next_ms = NOW_MS + 5000,
        .wish = 0xfedcba9876543210u,
        .last_error_size = 21};
    memcpy(history->last_error, "a \"quoted\" sentence\\\n", 21);
    air_history_seal(history, 1, NOW_MS - 9000);
    air_history_seal(history, 4, NOW_MS - 1000);
}

static void a_history_comes_back_as_it_was(void **state) {
    (void)state;
    struct air_history history;
    struct air_history read;
    struct air_buffer text;
    sample_history(&history);
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_history_write(&history, &text));
    assert_ok(air_history_read(air_buffer_span(&text), &read));
    assert_int_equal(read.attempts_count, 7);
    assert_int_equal(read.failures_count, 3);
    assert_int_equal(read.next_ms, NOW_MS + 5000);
    assert_true(read.wish == history.wish);
    assert_span(air_span_of(read.last_error, read.last_error_size), "a \"quoted\" sentence\\\n");
    assert_int_equal(read.generations_count, 2);
    assert_int_equal(read.generations[1].number, 4);
    assert_int_equal(read.generations[1].sealed_ms, NOW_MS - 1000);
    air_buffer_deinit(&text);
}

static void an_empty_history_comes_back_as_it_was(void **state) {
    (void)state;
    const struct air_history history = {0};
    struct air_history read;
    struct air_buffer text;
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_history_write(&history, &text));
    assert_ok(air_history_read(air_buffer_span(&text), &read));
    assert_memory_equal(&read, &history, sizeof read);
    air_buffer_deinit(&text);
}

static void a_last_error_that_grows_in_writing_is_cut_not_lost(void **state) {
    (void)state;
    struct air_history history = {.last_error_size = sizeof history.last_error};
    struct air_history read;
    struct air_buffer text;
    memset(history.last_error, 0xff, sizeof history.last_error); /* written as U+FFFD each */
    history.last_error[0] = 'x';
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_history_write(&history, &text));
    assert_ok(air_history_read(air_buffer_span(&text), &read));
    assert_int_equal(read.last_error_size, sizeof read.last_error);
    assert_int_equal(read.last_error[0], 'x');
    air_buffer_deinit(&text);
}

static void members_of_a_history_that_make_no_sense_count_as_missing(void **state) {
    (void)state;
    struct air_history read;
    assert_ok(air_history_read(
        SPAN("{\"version\":9,\"attempts\":-1,\"failures\":9999999999999,\"next\":\"soon\","
             "\"wish\":\"zz\",\"last_error\":7,\"generations\":[7,null,{},{\"generation\":0,"
             "\"sealed\":\"2026-11-23T15:04:05Z\"},{\"generation\":5},{\"generation\":2000000000,"
             "\"sealed\":\"2026-11-23T15:04:05Z\"},{\"generation\":6,"
             "\"sealed\":\"2026-11-23T15:04:05Z\"}]}"),
        &read));
    assert_int_equal(read.attempts_count, 0);
    assert_int_equal(read.failures_count, INT32_MAX);
    assert_int_equal(read.next_ms, 0);
    assert_true(read.wish == 0);
    assert_int_equal(read.last_error_size, 0);
    assert_int_equal(read.generations_count, 1);
    assert_int_equal(read.generations[0].number, 6);
}

static void keeps_two_generations_and_a_week(void **state) {
    (void)state;
    struct air_history history = {0};
    assert_int_equal(air_history_expire(&history, NOW_MS), 0);
    air_history_seal(&history, 1, NOW_MS - AIR_GENERATION_AGE_MAX_MS - 2);
    air_history_seal(&history, 2, NOW_MS - AIR_GENERATION_AGE_MAX_MS - 1);
    assert_int_equal(air_history_expire(&history, NOW_MS), 0);
    air_history_seal(&history, 3, NOW_MS);
    assert_int_equal(air_history_expire(&history, NOW_MS), 1);
    assert_int_equal(air_history_expire(&history, NOW_MS), 0);
    air_history_seal(&history, 0, NOW_MS); /* no generation */
    assert_int_equal(history.generations_count, 2);
    air_history_seal(&history, 4, NOW_MS);
    air_history_seal(&history, 5, NOW_MS - 2 * AIR_GENERATION_AGE_MAX_MS);
    assert_int_equal(air_history_expire(&history, NOW_MS), 2);
    assert_int_equal(air_history_expire(&history, NOW_MS), 0); /* the oldest is young */
}

static void notes_of_generations_have_a_limit(void **state) {
    (void)state;
    struct air_history history = {0};
    for (uint32_t i = 1; i <= 40; i++) {
        air_history_seal(&history, i, NOW_MS);
        assert_true(history.generations_count <= AIR_GENERATIONS_MAX);
    }
    assert_int_equal(history.generations[AIR_GENERATIONS_MAX - 1].number, 40);
    assert_int_equal(air_history_expire(&history, NOW_MS), 40 - AIR_GENERATIONS_MAX + 1);
}

static void fill(struct air_order_record *record, enum air_order_step step) {
    *record = (struct air_order_record){.step = step, .generation = 12};
    air_buffer_init(&record->url, AIR_URL_SIZE_MAX);
    air_buffer_init(&record->csr, AIR_CSR_SIZE_MAX);
    if (step >= AIR_ORDER_STEP_PLACED) {
        air_buffer_append_text(&record->url, "https://ca.test/order/1");
    }
    air_buffer_append_span(&record->csr, SPAN("\x30\x00\xff"));
}

static void write_order(enum air_order_step step, struct air_buffer *text) {
    struct air_order_record record;
    fill(&record, step);
    air_buffer_init(text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_order_record_write(bench.engine->certificates[0]->lineages, &record, text));
    air_order_record_deinit(&record);
}

static void an_order_comes_back_as_it_was_in_every_step(void **state) {
    (void)state;
    const struct air_lineage *lineage = ask_usual();
    for (int step = AIR_ORDER_STEP_CREATING; step <= AIR_ORDER_STEP_PLACED; step++) {
        struct air_order_record read = {0};
        struct air_buffer text;
        write_order((enum air_order_step)step, &text);
        assert_ok(air_order_record_read(lineage, air_buffer_span(&text), &read));
        assert_int_equal(read.step, step);
        assert_int_equal(read.generation, 12);
        assert_true(read.is_ours);
        assert_span(air_buffer_span(&read.url),
            step >= AIR_ORDER_STEP_PLACED ? "https://ca.test/order/1" : "");
        assert_int_equal(read.csr.size, 3);
        air_order_record_deinit(&read);
        air_buffer_deinit(&text);
    }
}

static void an_order_for_another_wish_is_not_ours(void **state) {
    (void)state;
    const air_span fewer[] = {SPAN("example.net")};
    const air_span others[] = {SPAN("example.net"), SPAN("wwx.example.net")};
    const air_span turned[] = {SPAN("www.example.net"), SPAN("example.net")};
    struct air_order_record read = {0};
    struct air_buffer text;
    (void)ask_usual();
    write_order(AIR_ORDER_STEP_PLACED, &text);
    const air_span record = air_buffer_span(&text);
    assert_ok(air_order_record_read(ask(turned, 2, false), record, &read));
    assert_true(read.is_ours);
    assert_ok(air_order_record_read(ask(fewer, 1, false), record, &read));
    assert_false(read.is_ours);
    assert_ok(air_order_record_read(ask(others, 2, false), record, &read));
    assert_false(read.is_ours);
    assert_ok(air_order_record_read(ask(turned, 2, true), record, &read));
    assert_false(read.is_ours);
    struct air_certificate_spec spec = {.size = sizeof spec,
        .id = SPAN("shop"),
        .names = turned,
        .names_count = 2,
        .directory_url = SPAN("https://other.test/dir")};
    assert_ok(air_engine_certificate_set(bench.engine, &spec, NULL));
    assert_ok(air_order_record_read(bench.engine->certificates[0]->lineages, record, &read));
    assert_false(read.is_ours);
    air_order_record_deinit(&read);
    air_buffer_deinit(&text);
}

static void refuses_orders_that_contradict_themselves(void **state) {
    (void)state;
    static const char *const heads[] = {"{", "{\"step\":null,\"generation\":1,\"csr\":\"MAA\"",
        "{\"step\":\"none\",\"generation\":1,\"csr\":\"MAA\"",
        "{\"step\":\"later\",\"generation\":1,\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":0,\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":-1,\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":\"1\",\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":1000000000,\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":4294967297,\"csr\":\"MAA\"",
        "{\"step\":\"creating\",\"generation\":1",
        "{\"step\":\"creating\",\"generation\":1,\"csr\":\"MAA\",\"url\":\"https://ca.test/o\"",
        "{\"step\":\"placed\",\"generation\":1,\"csr\":\"MAA\"",
        "{\"step\":\"placed\",\"generation\":1,\"csr\":\"MAA\",\"url\":7",
        "{\"step\":\"placed\",\"generation\":1,\"csr\":\"MAA\",\"url\":\"http://ca.test/o\"",
        "{\"step\":\"placed\",\"generation\":1,\"csr\":\"MAA\",\"url\":\"https://evil.test/o\"",
        "{\"step\":\"placed\",\"generation\":1,\"url\":\"https://ca.test/o\"",
        "{\"step\":\"placed\",\"generation\":1,\"url\":\"https://ca.test/o\",\"csr\":7",
        "{\"step\":\"placed\",\"generation\":1,\"url\":\"https://ca.test/o\",\"csr\":\"M\"",
        "{\"step\":\"placed\",\"generation\":1,\"url\":\"https://ca.test/o\",\"csr\":\"MA==\""};
    const struct air_lineage *lineage = ask_usual();
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct air_order_record read = {0};
        struct air_buffer text;
        air_buffer_init(&text, 1000);
        air_buffer_append_text(&text, heads[i]);
        air_buffer_append_text(&text, heads[i][1] != '\0' ? "," : "");
        assert_ok(air_buffer_append_text(
            &text, "\"names\":[\"example.net\",\"www.example.net\"],\"directory\":\"" URL "\"}"));
        if (air_order_record_read(lineage, air_buffer_span(&text), &read) != AIR_ERR_MALFORMED) {
            fail_msg("read: %s", heads[i]);
        }
        air_buffer_deinit(&text);
    }
}

static void refuses_an_order_whose_url_is_too_long(void **state) {
    (void)state;
    const struct air_lineage *lineage = ask_usual();
    struct air_order_record read = {0};
    struct air_buffer text;
    air_buffer_init(&text, 10000);
    air_buffer_append_text(
        &text, "{\"step\":\"pending\",\"generation\":1,\"url\":\"https://ca.test/");
    for (int i = 0; i < 2048; i++) {
        air_buffer_append_byte(&text, 'a');
    }
    assert_ok(air_buffer_append_text(&text, "\"}"));
    assert_int_equal(
        air_order_record_read(lineage, air_buffer_span(&text), &read), AIR_ERR_MALFORMED);
    air_buffer_deinit(&text);
}

static void a_manifest_tells_whether_the_wish_is_the_same(void **state) {
    (void)state;
    const air_span fewer[] = {SPAN("example.net")};
    const struct air_lineage *lineage = ask_usual();
    struct air_manifest manifest = {.generation = 3, .info = {.serial_size = AIR_SERIAL_SIZE_MAX}};
    struct air_buffer text;
    manifest.info.not_before_ms = NOW_MS;
    manifest.info.not_after_ms = INT64_C(253402300799000);
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_manifest_write(lineage, &manifest, SPAN("https://ca.test/order/1"), &text));
    assert_ok(air_manifest_read(lineage, air_buffer_span(&text), &manifest));
    assert_true(manifest.is_wish);
    assert_ok(air_manifest_read(ask(fewer, 1, false), air_buffer_span(&text), &manifest));
    assert_false(manifest.is_wish);
    assert_ok(air_manifest_read(ask_usual(), SPAN("{}"), &manifest));
    assert_false(manifest.is_wish);
    assert_int_equal(air_manifest_read(ask_usual(), SPAN("[]"), &manifest), AIR_ERR_MALFORMED);
    assert_int_equal(air_manifest_read(ask_usual(), SPAN(""), &manifest), AIR_ERR_MALFORMED);
    air_buffer_deinit(&text);
}

/* Read a damaged text of each kind of record: consistent, or refused. */
static void read_damaged_current(air_span text) {
    uint32_t number = 0;
    uint8_t digest[AIR_SHA256_SIZE];
    const enum air_error error = air_current_read(text, &number, digest);
    assert_true(error == AIR_ERR_MALFORMED ||
                (error == AIR_OK && number >= 1 && number <= AIR_GENERATION_MAX));
}

static void read_damaged_history(air_span text) {
    struct air_history history;
    const enum air_error error = air_history_read(text, &history);
    assert_true(error == AIR_ERR_MALFORMED ||
                (error == AIR_OK && history.generations_count <= AIR_GENERATIONS_MAX &&
                    history.last_error_size <= sizeof history.last_error));
}

static void read_damaged_order(air_span text) {
    struct air_order_record record = {0};
    const enum air_error error =
        air_order_record_read(bench.engine->certificates[0]->lineages, text, &record);
    assert_true(error == AIR_OK || error == AIR_ERR_MALFORMED);
    if (error == AIR_OK) {
        assert_in_range(record.generation, 1, AIR_GENERATION_MAX);
        assert_int_equal(record.url.size > 0, record.step >= AIR_ORDER_STEP_PLACED);
        assert_true(record.csr.size > 0);
    }
    air_order_record_deinit(&record);
}

static void read_damaged_manifest(air_span text) {
    struct air_manifest manifest = {0};
    const enum air_error error =
        air_manifest_read(bench.engine->certificates[0]->lineages, text, &manifest);
    assert_true(error == AIR_OK || error == AIR_ERR_MALFORMED);
}

static void damage(struct air_buffer *text, void (*read)(air_span text)) {
    for (size_t size = 0; size <= text->size; size++) {
        read(air_span_of(text->data, size));
    }
    for (size_t bit = 0; bit < 8 * text->size; bit++) {
        text->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read(air_buffer_span(text));
        text->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    air_buffer_deinit(text);
}

static void damaged_records_are_read_consistently_or_refused(void **state) {
    (void)state;
    static const uint8_t digest[AIR_SHA256_SIZE] = {1, 2, 3};
    struct air_history history;
    const struct air_manifest manifest = {.generation = 3, .info = {.serial_size = 8}};
    struct air_buffer text;
    (void)ask_usual();
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    assert_ok(air_current_write(12, digest, &text));
    damage(&text, read_damaged_current);
    sample_history(&history);
    assert_ok(air_history_write(&history, &text));
    damage(&text, read_damaged_history);
    assert_ok(air_manifest_write(
        bench.engine->certificates[0]->lineages, &manifest, SPAN("https://ca.test/o"), &text));
    damage(&text, read_damaged_manifest);
    for (int step = AIR_ORDER_STEP_CREATING; step <= AIR_ORDER_STEP_PLACED; step++) {
        write_order((enum air_order_step)step, &text);
        damage(&text, read_damaged_order);
    }
}

static enum air_error write_and_read_once(void *context) {
    const struct air_lineage *lineage = context;
    static const uint8_t digest[AIR_SHA256_SIZE] = {1, 2, 3};
    uint8_t read_digest[AIR_SHA256_SIZE];
    uint32_t number = 0;
    struct air_history history;
    struct air_order_record record = {0};
    struct air_order_record read = {0};
    struct air_buffer text;
    sample_history(&history);
    air_buffer_init(&text, AIR_RECORD_SIZE_MAX);
    fill(&record, AIR_ORDER_STEP_PLACED);
    enum air_error error = record.url.error != AIR_OK ? record.url.error : record.csr.error;
    if (error == AIR_OK) {
        error = air_order_record_write(lineage, &record, &text);
    }
    if (error == AIR_OK) {
        error = air_order_record_read(lineage, air_buffer_span(&text), &read);
    }
    air_buffer_clear(&text);
    if (error == AIR_OK) {
        error = air_history_write(&history, &text);
    }
    if (error == AIR_OK) {
        error = air_history_read(air_buffer_span(&text), &history);
        assert_true(error != AIR_OK || history.wish == 0xfedcba9876543210u);
    }
    air_buffer_clear(&text);
    if (error == AIR_OK) {
        error = air_current_write(7, digest, &text);
    }
    if (error == AIR_OK) {
        error = air_current_read(air_buffer_span(&text), &number, read_digest);
    }
    air_order_record_deinit(&record);
    air_order_record_deinit(&read);
    air_buffer_deinit(&text);
    return error;
}

static void survives_each_failed_allocation(void **state) {
    (void)state;
    air_test_each_allocation(write_and_read_once, ask_usual());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(paths_are_made_of_our_own_words),
        TEST(generations_sort_as_text),
        TEST(the_longest_id_gives_paths_that_storages_take),
        TEST(other_names_are_no_generations),
        TEST(current_comes_back_as_it_was),
        TEST(refuses_a_current_that_names_nothing),
        TEST(a_history_comes_back_as_it_was),
        TEST(an_empty_history_comes_back_as_it_was),
        TEST(a_last_error_that_grows_in_writing_is_cut_not_lost),
        TEST(members_of_a_history_that_make_no_sense_count_as_missing),
        TEST(keeps_two_generations_and_a_week),
        TEST(notes_of_generations_have_a_limit),
        TEST(an_order_comes_back_as_it_was_in_every_step),
        TEST(an_order_for_another_wish_is_not_ours),
        TEST(refuses_orders_that_contradict_themselves),
        TEST(refuses_an_order_whose_url_is_too_long),
        TEST(a_manifest_tells_whether_the_wish_is_the_same),
        TEST(damaged_records_are_read_consistently_or_refused),
        TEST(survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
