/* SPDX-License-Identifier: MIT */
/*
 * The keeper's work: storage actions with references in place of account keys, keys, signatures of
 * account keys, and the pairs of files that follow a write to live/.
 *
 * Invariant: the private half of an account's key never gets into an answer.
 */
#include "backends/keeper/duty.h"

#include <stdio.h>
#include <string.h>

#include "backends/keeper/reference.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/wire.h"

/* Texts that take the place of values, one for each path of an action. */
struct texts {
    struct air_buffer buffers[AIR_STORAGE_PUTS_MAX];
};

static bool answer_with(const struct air_action *action, const struct air_result *result,
    air_span key_text, struct air_buffer *answer);
static bool answer_error(const struct air_action *action, enum air_error error,
    const char *sentence, struct air_buffer *answer);
static bool carry_storage(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer);
static bool carry_write(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer);
static bool carry_generate(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer);
static bool carry_sign(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer);

bool air_duty_carry_out(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer) {
    switch (action->kind) {
    case AIR_ACTION_READ:
    case AIR_ACTION_LIST:
    case AIR_ACTION_LOCK:
    case AIR_ACTION_UNLOCK:
        return carry_storage(duty, action, answer);
    case AIR_ACTION_WRITE:
        return carry_write(duty, action, answer);
    case AIR_ACTION_GENERATE_KEY:
        return carry_generate(duty, action, answer);
    case AIR_ACTION_SIGN:
        return carry_sign(duty, action, answer);
    case AIR_ACTION_HTTP:
    case AIR_ACTION_PUBLISH:
    case AIR_ACTION_WITHDRAW:
    case AIR_ACTION_PROVE:
    case AIR_ACTION_INSTALL:
    case AIR_ACTION_EVENT:
    case AIR_ACTION_CANCEL:
        return false;
    }
    return false;
}

static bool answer_with(const struct air_action *action, const struct air_result *result,
    air_span key_text, struct air_buffer *answer) {
    const size_t begin = answer->size;

    air_wire_put_span(answer, key_text);
    if (air_result_encode(action->id, action->kind, result, answer) == AIR_OK) {
        return true;
    }
    if (result->error != AIR_OK) {
        return false;
    }
    /* A result that is too large, or for which there is no memory: the error is small. */
    const enum air_error error = answer->error;
    air_buffer_truncate(answer, begin);
    answer->error = AIR_OK;
    return answer_error(action, error, "the result is too large for the keeper's socket", answer);
}

static bool answer_error(const struct air_action *action, enum air_error error,
    const char *sentence, struct air_buffer *answer) {
    const struct air_result result = {.error = error, .explanation = air_span_text(sentence)};

    return answer_with(action, &result, air_span_text(NULL), answer);
}

static void texts_init(struct texts *texts) {
    for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
        air_buffer_init(&texts->buffers[i], AIR_KEY_PEM_SIZE_MAX);
    }
}

static void texts_deinit(struct texts *texts) {
    for (size_t i = 0; i < AIR_STORAGE_PUTS_MAX; i++) {
        air_buffer_deinit(&texts->buffers[i]);
    }
}

/* A key that cannot be read is not shown either: nobody knows what it is. */
static void hide_keys(struct air_duty *duty, const struct air_read_action *read,
    struct air_carried *carried, struct texts *texts) {
    for (size_t i = 0; i < read->paths_count; i++) {
        struct air_record *record = &carried->records[i];
        uint32_t number = 0;

        if (record->error != AIR_OK || !air_reference_is_path(read->paths[i])) {
            continue;
        }
        record->error = air_vault_import(&duty->vault, record->value, &number);
        if (record->error == AIR_OK) {
            record->error = air_vault_refer(&duty->vault, number, &texts->buffers[i]);
        }
        record->value = air_buffer_span(&texts->buffers[i]);
    }
}

static bool carry_storage(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer) {
    struct air_carried carried;
    struct texts texts;
    bool is_answered;

    texts_init(&texts);
    air_storage_carry_out(duty->storage, action, &carried);
    if (action->kind == AIR_ACTION_READ && carried.result.error == AIR_OK) {
        hide_keys(duty, &action->read, &carried, &texts);
    }
    is_answered = answer_with(action, &carried.result, air_span_text(NULL), answer);
    air_carried_deinit(&carried);
    texts_deinit(&texts);
    return is_answered;
}

/* Put the private keys where there are references to them. */
static enum air_error show_keys(const struct air_duty *duty, const struct air_write_action *write,
    struct air_put *puts, struct texts *texts) {
    for (size_t i = 0; i < write->puts_count; i++) {
        puts[i] = write->puts[i];
        if (!puts[i].is_delete && air_reference_is_path(puts[i].path)) {
            const enum air_error error =
                air_vault_resolve(&duty->vault, puts[i].value, &texts->buffers[i]);

            if (error != AIR_OK) {
                return error;
            }
            puts[i].value = air_buffer_span(&texts->buffers[i]);
        }
    }
    return AIR_OK;
}

/* The value that a write puts to folder + name; empty: none. */
static air_span find_put(
    const struct air_write_action *write, const char *folder, const char *name) {
    for (size_t i = 0; i < write->puts_count; i++) {
        const struct air_put *put = &write->puts[i];

        if (!put->is_delete && air_span_starts_with(put->path, folder) &&
            air_span_equal_text(air_span_skip(put->path, strlen(folder)), name)) {
            return put->value;
        }
    }
    return air_span_text(NULL);
}

/* What other programs read follows what was stored. */
static enum air_error put_pairs(
    struct air_duty *duty, const struct air_write_action *write, struct air_buffer *reason) {
    enum air_error error = AIR_OK;

    for (size_t i = 0; i < duty->pairs_count && error == AIR_OK; i++) {
        const air_span chain = find_put(write, duty->pairs[i].folder, "fullchain.pem");
        const air_span key = find_put(write, duty->pairs[i].folder, "privkey.pem");

        if (chain.size > 0 && key.size > 0) {
            error = air_pair_files_put(duty->pairs[i].files, chain, key, reason);
        }
    }
    return error;
}

static bool carry_write(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer) {
    struct air_put puts[AIR_STORAGE_PUTS_MAX];
    struct air_action shown = *action;
    struct air_carried carried;
    struct air_buffer reason;
    struct texts texts;
    enum air_error error;
    bool is_answered;

    texts_init(&texts);
    error = show_keys(duty, &action->write, puts, &texts);
    if (error != AIR_OK) {
        texts_deinit(&texts);
        return answer_error(
            action, error, "the keeper has no such account key to put there", answer);
    }
    air_buffer_init(&reason, sizeof(carried.explanation));
    shown.write.puts = puts;
    air_storage_carry_out(duty->storage, &shown, &carried);
    if (carried.result.error == AIR_OK) {
        error = put_pairs(duty, &shown.write, &reason);
    }
    if (error != AIR_OK) {
        carried.result.error = error;
        carried.result.explanation = air_buffer_span(&reason);
    }
    is_answered = answer_with(action, &carried.result, air_span_text(NULL), answer);
    air_buffer_deinit(&reason);
    air_carried_deinit(&carried);
    texts_deinit(&texts);
    return is_answered;
}

static bool carry_generate(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer) {
    const struct air_crypto *crypto = duty->crypto;
    const struct air_result result = {.error = AIR_OK};
    struct air_buffer text;
    uint64_t key = 0;
    uint32_t number = 0;
    bool is_answered;
    enum air_error error = crypto->key_generate_slow(crypto->self, action->generate_key.type, &key);

    air_buffer_init(&text, AIR_KEY_PEM_SIZE_MAX);
    if (error == AIR_OK && action->generate_key.is_account) {
        error = air_vault_add(&duty->vault, key, &number);
        error = error == AIR_OK ? air_vault_refer(&duty->vault, number, &text) : error;
    } else if (error == AIR_OK) {
        error = crypto->key_export(crypto->self, key, &text);
        crypto->key_free(crypto->self, key);
    }
    is_answered = error == AIR_OK ? answer_with(action, &result, air_buffer_span(&text), answer)
                                  : answer_error(action, error, NULL, answer);
    air_buffer_deinit(&text);
    return is_answered;
}

static bool carry_sign(
    struct air_duty *duty, const struct air_action *action, struct air_buffer *answer) {
    const struct air_crypto *crypto = duty->crypto;
    const struct air_sign_action *sign = &action->sign;
    const struct air_vault_key *key = air_vault_find(&duty->vault, sign->key);
    struct air_result result = {.error = AIR_ERR_ARGUMENT};
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = 0;

    if (key != NULL) {
        result.error = crypto->key_sign_slow(
            crypto->self, key->handle, sign->algorithm, sign->data, signature, &size);
    }
    result.sign.signature = air_span_of(signature, size);
    return result.error == AIR_OK ? answer_with(action, &result, air_span_text(NULL), answer)
                                  : answer_error(action, result.error, NULL, answer);
}

/* As the engine names it: '*' is no character of a path. */
static bool name_folder(const struct air_keeper_pair *pair, char *out, size_t size) {
    const int written = snprintf(out, size, "live/%.*s/%s/", (int)pair->certificate.size,
        (const char *)pair->certificate.data, air_key_type_text(pair->key_type));

    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '*' ? '_' : *c;
    }
    return pair->certificate.size > 0 && pair->certificate.size < size && written > 0 &&
           (size_t)written < size;
}

/* The storage was written and the pair was not, when a process died between the two. */
static enum air_error catch_up(
    struct air_duty *duty, const struct air_duty_pair *pair, struct air_buffer *reason) {
    char paths[2][AIR_STORAGE_PATH_SIZE_MAX + 16];
    struct air_action action = {.id = 1, .kind = AIR_ACTION_READ};
    air_span spans[2];
    struct air_carried carried;
    enum air_error error = AIR_OK;

    (void)snprintf(paths[0], sizeof(paths[0]), "%sfullchain.pem", pair->folder);
    (void)snprintf(paths[1], sizeof(paths[1]), "%sprivkey.pem", pair->folder);
    spans[0] = air_span_text(paths[0]);
    spans[1] = air_span_text(paths[1]);
    action.read = (struct air_read_action){.paths = spans, .paths_count = 2};
    air_storage_carry_out(duty->storage, &action, &carried);
    if (carried.records[0].error == AIR_OK && carried.records[1].error == AIR_OK) {
        error = air_pair_files_put(
            pair->files, carried.records[0].value, carried.records[1].value, reason);
        error = error == AIR_ERR_BAD_CERTIFICATE ? AIR_OK : error; /* not both were written */
    }
    air_carried_deinit(&carried);
    return error;
}

enum air_error air_duty_add_pair(
    struct air_duty *duty, const struct air_keeper_pair *pair, struct air_buffer *reason) {
    struct air_duty_pair *fresh = &duty->pairs[duty->pairs_count];
    enum air_error error;

    if (duty->pairs_count == AIR_DUTY_PAIRS_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (!name_folder(pair, fresh->folder, sizeof(fresh->folder))) {
        return AIR_ERR_ARGUMENT;
    }
    error = air_pair_files_open(pair->chain_path, pair->key_path, 0, &fresh->files, reason);
    if (error == AIR_OK) {
        duty->pairs_count++;
        error = catch_up(duty, fresh, reason);
    }
    return error;
}
