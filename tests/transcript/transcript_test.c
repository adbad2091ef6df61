/* SPDX-License-Identifier: MIT */
/*
 * What is proven: whole conversations between the engine, a CA and a host go as the texts in this
 * folder say. How: each *.txt is a script; lines that begin with "> " are carried out, and what the
 * host did follows them, compared line by line. With AIR_TRANSCRIPT_WRITE=1 the texts are written
 * anew: read the difference before you commit it.
 *
 * Commands: ca KEY=VALUE..., answer KEY=VALUE..., add NAME [KEY-TYPES], run, pass SECONDS, kill,
 * start, renew NAME, front broken|fine, disk full|fine, status, requests.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/span.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/fake_host.h"
#include "tests/support/memory_storage.h"
#include "tests/support/test.h"

struct play {
    struct air_crypto *crypto;
    struct air_storage *storage;
    struct air_fake_host host;
    size_t told; /* of the transcript */
    size_t requests_told;
    struct air_buffer out;
    char texts[64][300]; /* what scripted answers point to */
    size_t texts_count;
};

static const char *keep(struct play *play, air_span value) {
    char *text = play->texts[play->texts_count++];
    (void)snprintf(text, sizeof play->texts[0], "%.*s", (int)value.size, (const char *)value.data);
    return text;
}

static unsigned number(air_span value) {
    int64_t result = 0;
    assert_true(air_span_number(value, &result));
    return (unsigned)result;
}

static void set_ca(
    struct air_fake_ca_config *config, air_span key, air_span value, struct play *play) {
    if (air_span_equal_text(key, "lifetime-s")) {
        config->lifetime_ms = (air_time_ms)number(value) * 1000;
    } else if (air_span_equal_text(key, "nonce-reject")) {
        config->nonce_reject_percent = number(value);
    } else if (air_span_equal_text(key, "reuse")) {
        config->authorization_reuse_percent = number(value);
    } else if (air_span_equal_text(key, "validation-polls")) {
        config->validation_polls = number(value);
    } else if (air_span_equal_text(key, "processing-polls")) {
        config->processing_polls = number(value);
    } else if (air_span_equal_text(key, "ready-at-once")) {
        config->is_ready_at_once = number(value) != 0;
    } else if (air_span_equal_text(key, "retry-after")) {
        config->retry_after = keep(play, value);
    } else {
        fail_msg("unknown setting");
    }
}

static void set_answer(
    struct air_fake_answer *answer, air_span key, air_span value, struct play *play) {
    if (air_span_equal_text(key, "path")) {
        answer->path = keep(play, value);
    } else if (air_span_equal_text(key, "skip")) {
        answer->skip = number(value);
    } else if (air_span_equal_text(key, "status")) {
        answer->status = number(value);
    } else if (air_span_equal_text(key, "header")) {
        answer->header_name = keep(play, value);
    } else if (air_span_equal_text(key, "value")) {
        char *text = (char *)keep(play, value); /* a date has spaces: written with '_' */
        for (; *text != 0; text++) {
            *text = *text == '_' ? ' ' : *text;
        }
        answer->header_value = play->texts[play->texts_count - 1];
    } else if (air_span_equal_text(key, "body")) {
        answer->body = keep(play, value);
    } else if (air_span_equal_text(key, "lost")) {
        answer->error = AIR_ERR_NETWORK;
        answer->is_after = air_span_equal_text(value, "after");
    } else {
        fail_msg("unknown part of an answer");
    }
}

static void start(struct play *play) {
    assert_ok(air_fake_host_start(&play->host));
}

static void add(struct play *play, air_span rest) {
    static const enum air_key_type both[] = {AIR_KEY_ECDSA_P256, AIR_KEY_RSA_2048};
    const size_t space = air_span_find(rest, ' ');
    char name[256];
    (void)snprintf(name, sizeof name, "%.*s", (int)space, (const char *)rest.data);
    assert_ok(air_fake_host_add(&play->host, name, both, space < rest.size ? 2 : 1));
}

static void show_status(struct play *play) {
    for (size_t i = 0; i < air_engine_lineages_count(play->host.engine); i++) {
        struct air_status status;
        char line[900];
        assert_ok(air_engine_status(play->host.engine, i, &status));
        (void)snprintf(line, sizeof line,
            "%.*s %s: %s, generation %u, %s, failures %u, next in %lld s%s%.*s\n",
            (int)status.certificate.size, (const char *)status.certificate.data,
            air_key_type_text(status.key_type), air_state_text(status.state), status.generation,
            status.is_current ? "as asked for" : "not as asked for", status.failures_count,
            (long long)(status.next_ms > 0 ? (status.next_ms - play->host.now.wall_ms) / 1000 : 0),
            status.last_error.size > 0 ? ", last error: " : "", (int)status.last_error.size,
            (const char *)status.last_error.data);
        air_buffer_append_text(&play->out, line);
    }
}

static void each_setting(struct play *play, air_span rest, bool is_answer) {
    struct air_fake_answer answer = {.status = 500};
    air_span piece;
    while (rest.size > 0 && air_span_next(&rest, ' ', &piece)) {
        const size_t equals = air_span_find(piece, '=');
        const air_span key = air_span_take(piece, equals);
        const air_span value = air_span_skip(piece, equals + 1);
        if (is_answer) {
            set_answer(&answer, key, value, play);
        } else {
            set_ca(air_fake_ca_settings(play->host.cas[0]), key, value, play);
        }
    }
    if (is_answer) {
        air_fake_ca_answer(play->host.cas[0], &answer);
    }
}

static void kill_engine(struct play *play) {
    struct air_storage *left = air_memory_storage_copy(play->storage);
    air_fake_host_kill(&play->host);
    air_memory_storage_free(play->storage);
    play->storage = left;
    play->host.storage = left;
}

static void command(struct play *play, air_span line) {
    const size_t space = air_span_find(line, ' ');
    const air_span word = air_span_take(line, space);
    const air_span rest = air_span_skip(line, space + 1);
    if (air_span_equal_text(word, "ca") || air_span_equal_text(word, "answer")) {
        each_setting(play, rest, air_span_equal_text(word, "answer"));
    } else if (air_span_equal_text(word, "add")) {
        add(play, rest);
    } else if (air_span_equal_text(word, "run")) {
        air_fake_host_run(&play->host);
    } else if (air_span_equal_text(word, "pass")) {
        air_fake_host_pass(&play->host, (air_time_ms)number(rest) * 1000);
    } else if (air_span_equal_text(word, "kill")) {
        kill_engine(play);
    } else if (air_span_equal_text(word, "start")) {
        start(play);
    } else if (air_span_equal_text(word, "renew")) {
        assert_ok(air_engine_certificate_renew(play->host.engine, rest));
    } else if (air_span_equal_text(word, "front")) {
        play->host.install_error =
            air_span_equal_text(rest, "broken") ? AIR_ERR_NOT_PROVEN : AIR_OK;
    } else if (air_span_equal_text(word, "disk")) {
        air_memory_storage_stop_at_put(
            play->storage, air_span_equal_text(rest, "full") ? 1 : 0, AIR_ERR_STORAGE_FULL);
    } else if (air_span_equal_text(word, "status")) {
        show_status(play);
    } else if (air_span_equal_text(word, "requests")) {
        const air_span log = air_fake_ca_counts(play->host.cas[0]).log;
        air_buffer_append_span(&play->out, air_span_skip(log, play->requests_told));
        play->requests_told = log.size;
    } else {
        fail_msg("unknown command: %.*s", (int)line.size, (const char *)line.data);
    }
    if (!air_span_equal_text(word, "requests")) {
        const air_span all = air_buffer_span(&play->host.transcript);
        air_buffer_append_span(&play->out, air_span_skip(all, play->told));
        play->told = all.size;
    }
}

static void begin(struct play *play) {
    *play = (struct play){0};
    play->crypto = air_fake_crypto_new(3);
    play->storage = air_memory_storage_new();
    air_fake_host_init(&play->host, play->crypto, play->storage);
    const struct air_fake_ca_config config = {.host = "ca.test",
        .seed = 3,
        .lifetime_ms = INT64_C(90) * 24 * 3600 * 1000,
        .has_terms = true,
        .validate = air_fake_host_validate,
        .context = &play->host};
    play->host.cas[0] = air_fake_ca_new(play->crypto, &config);
    air_buffer_init(&play->out, 16u << 20);
    start(play);
}

static void end(struct play *play) {
    air_fake_host_deinit(&play->host);
    air_fake_ca_free(play->host.cas[0]);
    air_memory_storage_free(play->storage);
    assert_int_equal(air_fake_crypto_keys_count(play->crypto), 0);
    air_fake_crypto_free(play->crypto);
    air_buffer_deinit(&play->out);
}

/* Comments and commands are kept; everything else is what they bring about. */
static void perform(struct play *play, air_span script) {
    air_span line;
    while (script.size > 0 && air_span_next(&script, '\n', &line)) {
        const bool is_command = air_span_starts_with(line, "> ");
        if (!is_command && !air_span_starts_with(line, "#")) {
            continue;
        }
        air_buffer_append_span(&play->out, line);
        air_buffer_append_text(&play->out, "\n");
        if (is_command) {
            command(play, air_span_skip(line, 2));
        }
    }
}

static void read_file(const char *path, struct air_buffer *out) {
    char piece[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (size_t size = fread(piece, 1, sizeof piece, file); size > 0;
         size = fread(piece, 1, sizeof piece, file)) {
        assert_ok(air_buffer_append(out, piece, size));
    }
    (void)fclose(file);
}

static void complain(air_span want, air_span got, const char *path) {
    air_span want_line;
    air_span got_line;
    for (unsigned line = 1; air_span_next(&want, '\n', &want_line); line++) {
        const bool has_got = air_span_next(&got, '\n', &got_line);
        if (!has_got || !air_span_equal(want_line, got_line)) {
            print_message("%s:%u\n  want %.*s\n  got  %.*s\n", path, line, (int)want_line.size,
                (const char *)want_line.data, has_got ? (int)got_line.size : 0,
                has_got ? (const char *)got_line.data : "");
            return;
        }
    }
}

static void goes_as_written(void **state) {
    const char *path = *state;
    struct play play;
    struct air_buffer script;
    air_buffer_init(&script, 16u << 20);
    begin(&play);
    read_file(path, &script);
    perform(&play, air_buffer_span(&script));
    const bool is_same = air_span_equal(air_buffer_span(&script), air_buffer_span(&play.out));
    if (!is_same && getenv("AIR_TRANSCRIPT_WRITE") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        (void)fwrite(play.out.data, 1, play.out.size, file);
        (void)fclose(file);
    } else if (!is_same) {
        complain(air_buffer_span(&script), air_buffer_span(&play.out), path);
        fail();
    }
    air_buffer_deinit(&script);
    end(&play);
}

int main(int argc, char **argv) {
    assert_true(argc == 2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(goes_as_written, argv[1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
