/* SPDX-License-Identifier: MIT */
/*
 * The step table of an authority: read what is stored, fetch the directory, make and store the
 * account key before it is used, register or look up the account, store its URL. Settings and texts
 * are in authority_spec.c. Invariant: newAccount is sent only with a key that is durable (R-E5),
 * and only when the terms are agreed or there are none.
 */

#include "src/engine/authority.h"

#include <string.h>

#include "src/acme/account.h"
#include "src/acme/response.h"
#include "src/acme/url.h"
#include "src/base/json.h"
#include "src/base/memory.h"
#include "src/base/span.h"
#include "src/base/time_text.h"
#include "src/engine/journal.h"

enum step { READ, DIRECTORY, KEY, STORE_KEY, ACCOUNT, STORE_ACCOUNT };

#define STORAGE_LIMIT_MS 60000
#define KEY_LIMIT_MS 120000

static struct air_authority *authority_of(struct air_job *job) {
    return (struct air_authority *)job;
}

static struct air_session *session_of(struct air_job *job) {
    return &authority_of(job)->session;
}

static void finish(struct air_authority *authority, enum air_authority_state state) {
    authority->state = state;
    authority->job.is_over = true;
    air_engine_authority_changed(authority->job.engine, authority);
    if (authority->state == AIR_AUTHORITY_FAILED) {
        authority->state = AIR_AUTHORITY_IDLE;
    }
}

/* End this try. Text of the CA is escaped already. */
static void fail(struct air_authority *authority, enum air_failure failure,
    air_time_ms retry_after_ms, const char *what, air_span why) {
    authority->failure = failure;
    authority->retry_after_ms = retry_after_ms;
    air_buffer_clear(&authority->failure_text);
    air_buffer_append_text(&authority->failure_text, what);
    air_buffer_append_span(&authority->failure_text, why);
    const struct air_event_action event = {.event = AIR_EVENT_AUTHORITY_FAILED,
        .authority = authority->session.directory_url,
        .text = air_buffer_span(&authority->failure_text)};
    air_engine_report(authority->job.engine, &event);
    finish(authority, AIR_AUTHORITY_FAILED);
}

static enum air_error failed(struct air_job *job, enum air_error error, air_span reason) {
    const bool is_retry = air_error_class(error) == AIR_CLASS_RETRY;
    const char *what = "";
    if (job->step == DIRECTORY) {
        what = "cannot get the CA's directory: ";
    } else if (job->step == ACCOUNT) {
        what = "cannot register the account: ";
    }
    fail(authority_of(job), is_retry ? AIR_FAILURE_TRANSIENT : AIR_FAILURE_PERMANENT, -1, what,
        reason);
    return AIR_OK;
}

/* The CA refused: say it in its own words. */
static enum air_error refuse(
    struct air_authority *authority, const struct air_http_result *response, const char *what) {
    struct air_buffer text;
    air_buffer_init(&text, 2 * AIR_PROBLEM_TEXT_SIZE_MAX);
    struct air_problem problem = {0};
    const enum air_error error =
        air_problem_read(response, authority->job.engine->now.wall_ms, &problem, &text);
    if (error == AIR_OK) {
        const bool is_transient =
            problem.remedy == AIR_REMEDY_WAIT || problem.remedy == AIR_REMEDY_REPEAT;
        fail(authority, is_transient ? AIR_FAILURE_TRANSIENT : AIR_FAILURE_PERMANENT,
            problem.retry_after_ms, what, air_buffer_span(&text));
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error path(
    const struct air_authority *authority, const char *name, struct air_buffer *out) {
    air_buffer_append_span(out, authority->folder);
    air_buffer_append_byte(out, '/');
    return air_buffer_append_text(out, name);
}

static enum air_error request_read(struct air_job *job) {
    struct air_authority *authority = authority_of(job);
    struct air_buffer key_path;
    struct air_buffer account_path;
    air_buffer_init(&key_path, AIR_STORAGE_PATH_SIZE_MAX);
    air_buffer_init(&account_path, AIR_STORAGE_PATH_SIZE_MAX);
    path(authority, "key.pem", &key_path);
    enum air_error error = path(authority, "account.json", &account_path);
    error = key_path.error != AIR_OK ? key_path.error : error;
    if (error == AIR_OK) {
        const air_span paths[] = {air_buffer_span(&key_path), air_buffer_span(&account_path)};
        struct air_action action = {.kind = AIR_ACTION_READ};
        action.read.paths = paths;
        action.read.paths_count = 2;
        error = air_job_post(job, &action, STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&key_path);
    air_buffer_deinit(&account_path);
    return error;
}

/* Use this key for the account from now on. On failure it is still the caller's. */
static enum air_error adopt_key(struct air_authority *authority, uint64_t key) {
    struct air_session *session = &authority->session;
    struct air_public_key public_key;
    const struct air_crypto *crypto = session->crypto;
    enum air_error error = crypto->key_public(crypto->self, key, &public_key);
    if (error == AIR_OK) {
        error = air_jwk_thumbprint(crypto, &public_key, authority->thumbprint);
    }
    if (error == AIR_OK) {
        crypto->key_free(crypto->self, session->account_key);
        session->account_key = key;
        session->account_public = public_key;
    }
    return error;
}

static enum air_error adopt_account(struct air_authority *authority, air_span json) {
    json_t *object = NULL;
    enum air_error error = air_json_read(json, &object);
    if (error != AIR_OK) {
        return error == AIR_ERR_NO_MEMORY ? error
                                          : AIR_OK; /* unreadable: look the account up by its key */
    }
    const air_span url = air_json_text(object, "url");
    if (air_time_read_rfc3339(
            air_json_text(object, "registered_again"), &authority->registered_again_ms) != AIR_OK) {
        authority->registered_again_ms = 0;
    }
    air_buffer_clear(&authority->account_url);
    if (air_url_is_within(url, authority->session.directory_url)) {
        error = air_buffer_append_span(&authority->account_url, url);
    }
    authority->session.account_url = air_buffer_span(&authority->account_url);
    json_decref(object);
    return error;
}

static bool is_readable(enum air_error error) {
    return error == AIR_OK || error == AIR_ERR_NOT_FOUND;
}

static enum air_error accept_read(struct air_job *job, const struct air_result *result) {
    struct air_authority *authority = authority_of(job);
    const struct air_crypto *crypto = authority->session.crypto;
    if (result->error != AIR_OK || result->read.records_count != 2 ||
        !is_readable(result->read.records[0].error)) {
        const enum air_error error =
            result->error != AIR_OK ? result->error : result->read.records[0].error;
        fail(authority, AIR_FAILURE_TRANSIENT, -1, "cannot read the account's key: ",
            result->error != AIR_OK && result->explanation.size > 0
                ? result->explanation
                : air_span_text(air_error_text(error)));
        return AIR_OK;
    }
    const struct air_record *records = result->read.records;
    enum air_error error = AIR_OK;
    if (records[0].error == AIR_OK) {
        uint64_t key = 0;
        error = crypto->key_import(crypto->self, records[0].value, &key);
        if (error == AIR_OK) {
            error = adopt_key(authority, key);
            if (error != AIR_OK) {
                crypto->key_free(crypto->self, key);
            }
        }
        if (error == AIR_OK) {
            authority->is_key_stored = true;
            error =
                records[1].error == AIR_OK ? adopt_account(authority, records[1].value) : AIR_OK;
        } else if (error != AIR_ERR_NO_MEMORY) {
            fail(authority, AIR_FAILURE_PERMANENT, -1,
                "the stored account key cannot be used (move it away to have a new account): ",
                authority->folder);
            return AIR_OK;
        }
    }
    if (error == AIR_OK) {
        authority->is_account_loaded = true;
        air_job_enter(job, DIRECTORY);
    }
    return error;
}

static enum air_error request_directory(struct air_job *job) {
    return air_job_exchange(job, AIR_EXCHANGE_GET, session_of(job)->directory_url,
        air_span_text(NULL), AIR_DIRECTORY_SIZE_MAX);
}

/* The CA has terms and nobody agreed: tell where they are, and go no further. */
static bool lacks_agreement(struct air_authority *authority) {
    const air_span terms = authority->directory.terms_of_service;
    if (terms.size == 0 || authority->terms_agreed || authority->session.account_url.size > 0) {
        return false;
    }
    struct air_buffer text;
    air_buffer_init(&text, 600);
    air_text_escape(terms, 480, &text);
    const struct air_event_action event = {.event = AIR_EVENT_TERMS_REQUIRED,
        .authority = authority->session.directory_url,
        .text = air_buffer_span(&text)};
    air_engine_report(authority->job.engine, &event);
    fail(authority, AIR_FAILURE_PERMANENT, -1,
        "the CA's terms of service are not agreed to: ", air_buffer_span(&text));
    air_buffer_deinit(&text);
    return true;
}

static void after_directory(struct air_authority *authority) {
    struct air_job *job = &authority->job;
    if (lacks_agreement(authority)) {
        return;
    }
    if (authority->session.account_url.size > 0) {
        finish(authority, AIR_AUTHORITY_READY);
    } else if (authority->directory.needs_external_account && authority->eab_kid.size == 0) {
        fail(authority, AIR_FAILURE_PERMANENT, -1,
            "the CA wants an external account binding: give its key id and key",
            air_span_text(NULL));
    } else {
        air_job_enter(job, authority->is_key_stored ? ACCOUNT : KEY);
    }
}

static enum air_error answer_directory(
    struct air_job *job, const struct air_http_result *response) {
    struct air_authority *authority = authority_of(job);
    if (response->status != 200) {
        return refuse(authority, response, "the CA's directory: ");
    }
    struct air_buffer reason;
    air_buffer_init(&reason, 256);
    const enum air_error error = air_directory_read(
        response, authority->session.directory_url, &authority->directory, &reason);
    if (error == AIR_OK) {
        authority->session.new_nonce_url = authority->directory.new_nonce;
        authority->directory_boot_ms = job->engine->now.boot_ms;
        after_directory(authority);
    } else if (error != AIR_ERR_NO_MEMORY) {
        fail(authority, AIR_FAILURE_TRANSIENT, -1, "", air_buffer_span(&reason));
    }
    air_buffer_deinit(&reason);
    return error == AIR_ERR_NO_MEMORY ? error : AIR_OK;
}

static enum air_error take_key(struct air_authority *authority, uint64_t key) {
    const struct air_crypto *crypto = authority->session.crypto;
    air_buffer_clear(&authority->new_key);
    enum air_error error = crypto->key_export(crypto->self, key, &authority->new_key);
    if (error == AIR_OK) {
        error = adopt_key(authority, key);
    }
    if (error == AIR_OK) {
        air_job_enter(&authority->job, STORE_KEY);
    }
    return error;
}

static enum air_error make_key(const struct air_authority *authority, uint64_t *key) {
    const struct air_crypto *crypto = authority->session.crypto;
    const air_span given = air_buffer_span(&authority->given_key);
    if (given.size > 0) {
        return crypto->key_import(crypto->self, given, key);
    }
    return crypto->are_accounts_kept
               ? AIR_ERR_LATER
               : crypto->key_generate(crypto->self, authority->account_key_type, key);
}

static enum air_error request_key(struct air_job *job) {
    struct air_authority *authority = authority_of(job);
    const struct air_crypto *crypto = authority->session.crypto;
    uint64_t key = 0;
    enum air_error error = make_key(authority, &key);
    if (error == AIR_OK) {
        error = take_key(authority, key);
        if (error != AIR_OK) {
            crypto->key_free(crypto->self, key);
        }
        return error;
    }
    if (error == AIR_ERR_LATER) {
        struct air_action action = {.kind = AIR_ACTION_GENERATE_KEY};
        action.generate_key.type = authority->account_key_type;
        action.generate_key.is_account = true;
        error = air_job_post(job, &action, KEY_LIMIT_MS);
    }
    return error;
}

static enum air_error accept_key(struct air_job *job, const struct air_result *result) {
    if (result->error != AIR_OK) {
        return result->error;
    }
    const struct air_crypto *crypto = job->engine->crypto;
    const enum air_error error = take_key(authority_of(job), result->generate_key.key);
    if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) { /* else the same result comes again */
        crypto->key_free(crypto->self, result->generate_key.key);
    }
    return error;
}

/* One put, guarded by "no such record yet" when is_new. */
static enum air_error post_put(struct air_job *job, const char *name, air_span value, bool is_new) {
    struct air_buffer text;
    air_buffer_init(&text, AIR_STORAGE_PATH_SIZE_MAX);
    enum air_error error = path(authority_of(job), name, &text);
    if (error == AIR_OK) {
        const struct air_put put = {.path = air_buffer_span(&text), .value = value};
        struct air_action action = {.kind = AIR_ACTION_WRITE};
        action.write.guard.path = is_new ? put.path : air_span_text(NULL);
        action.write.puts = &put;
        action.write.puts_count = 1;
        error = air_job_post(job, &action, STORAGE_LIMIT_MS);
    }
    air_buffer_deinit(&text);
    return error;
}

static enum air_error request_store_key(struct air_job *job) {
    return post_put(job, "key.pem", air_buffer_span(&authority_of(job)->new_key), true);
}

static void fail_storage(struct air_authority *authority, const struct air_result *result) {
    fail(authority, AIR_FAILURE_TRANSIENT, -1, "cannot store the account: ",
        result->explanation.size > 0 ? result->explanation
                                     : air_span_text(air_error_text(result->error)));
}

static enum air_error accept_store_key(struct air_job *job, const struct air_result *result) {
    struct air_authority *authority = authority_of(job);
    air_buffer_clear(&authority->new_key);
    if (result->error == AIR_ERR_CONFLICT) {
        air_job_enter(job, READ); /* another process was first: use its key */
    } else if (result->error != AIR_OK) {
        fail_storage(authority, result);
    } else {
        authority->is_key_stored = true;
        air_job_enter(job, ACCOUNT);
    }
    return AIR_OK;
}

static enum air_error request_account(struct air_job *job) {
    struct air_authority *authority = authority_of(job);
    struct air_buffer binding;
    struct air_buffer payload;
    air_buffer_init(&binding, AIR_JWS_SIZE_MAX);
    air_buffer_init(&payload, AIR_JWS_SIZE_MAX);
    enum air_error error = AIR_OK;
    if (authority->eab_kid.size > 0) {
        error = air_jws_bind_external_account(authority->session.crypto, authority->eab_kid,
            authority->eab_mac_key, authority->directory.new_account,
            &authority->session.account_public, &binding);
    }
    if (error == AIR_OK) {
        const struct air_account_request request = {.contacts = authority->contacts,
            .contacts_count = authority->contacts_count,
            .terms_agreed = authority->terms_agreed,
            .binding = air_buffer_span(&binding)};
        error = air_account_write(&request, &payload);
    }
    if (error == AIR_OK) {
        error = air_job_exchange(job, AIR_EXCHANGE_JWK, authority->directory.new_account,
            air_buffer_span(&payload), AIR_DIRECTORY_SIZE_MAX);
    }
    air_buffer_deinit(&binding);
    air_buffer_deinit(&payload);
    return error;
}

static enum air_error answer_account(struct air_job *job, const struct air_http_result *response) {
    struct air_authority *authority = authority_of(job);
    if (response->status != 200 && response->status != 201) {
        return refuse(authority, response, "the CA refuses the account: ");
    }
    const air_span url = air_response_location(response, authority->session.directory_url);
    if (url.size == 0) {
        fail(authority, AIR_FAILURE_TRANSIENT, -1,
            "the CA's newAccount named no account URL on its own host", air_span_text(NULL));
        return AIR_OK;
    }
    air_buffer_clear(&authority->account_url);
    const enum air_error error = air_buffer_append_span(&authority->account_url, url);
    if (error == AIR_OK) {
        authority->session.account_url = air_buffer_span(&authority->account_url);
        if (authority->is_account_lost) {
            authority->registered_again_ms = job->engine->now.wall_ms;
            authority->is_account_lost = false;
        }
        air_job_enter(job, STORE_ACCOUNT);
    }
    return error;
}

static enum air_error request_store_account(struct air_job *job) {
    struct air_authority *authority = authority_of(job);
    struct air_buffer json;
    air_buffer_init(&json, AIR_RECORD_SIZE_MAX);
    air_json_begin(&json, NULL, '{');
    air_json_put_integer(&json, "version", 1);
    air_json_put_text(&json, "directory", authority->session.directory_url);
    air_json_put_text(&json, "url", authority->session.account_url);
    if (authority->registered_again_ms > 0) {
        air_record_put_time(&json, "registered_again", authority->registered_again_ms);
    }
    air_json_end(&json, '}');
    enum air_error error = air_buffer_append_byte(&json, '\n');
    if (error == AIR_OK) {
        error = post_put(job, "account.json", air_buffer_span(&json), false);
    }
    air_buffer_deinit(&json);
    return error;
}

static enum air_error accept_store_account(struct air_job *job, const struct air_result *result) {
    struct air_authority *authority = authority_of(job);
    if (result->error != AIR_OK) {
        authority->session.account_url = air_span_text(NULL);
        fail_storage(authority, result);
        return AIR_OK;
    }
    const struct air_event_action event = {.event = AIR_EVENT_ACCOUNT_READY,
        .authority = authority->session.directory_url,
        .text = authority->session.account_url};
    air_engine_report(job->engine, &event);
    finish(authority, AIR_AUTHORITY_READY);
    return AIR_OK;
}

#define TO(step) AIR_STEP_BIT(step)

static const struct air_step steps[] = {
    [READ] = {"account-read", request_read, accept_read, NULL, TO(READ) | TO(DIRECTORY)},
    [DIRECTORY] = {"directory", request_directory, NULL, answer_directory,
        TO(READ) | TO(DIRECTORY) | TO(KEY) | TO(ACCOUNT)},
    [KEY] = {"account-key", request_key, accept_key, NULL,
        TO(READ) | TO(DIRECTORY) | TO(STORE_KEY)},
    [STORE_KEY] = {"account-key-store", request_store_key, accept_store_key, NULL,
        TO(READ) | TO(DIRECTORY) | TO(ACCOUNT)},
    [ACCOUNT] = {"account", request_account, NULL, answer_account,
        TO(READ) | TO(DIRECTORY) | TO(STORE_ACCOUNT)},
    [STORE_ACCOUNT] = {"account-store", request_store_account, accept_store_account, NULL,
        TO(READ) | TO(DIRECTORY)},
};

const struct air_job_type air_authority_job = {
    .steps = steps,
    .steps_count = sizeof steps / sizeof steps[0],
    .session = session_of,
    .failed = failed,
};

enum air_authority_state air_authority_want(struct air_authority *authority) {
    const air_time_ms age_ms = authority->job.engine->now.boot_ms - authority->directory_boot_ms;
    if (authority->state == AIR_AUTHORITY_READY && age_ms > AIR_DIRECTORY_AGE_MAX_MS) {
        air_authority_forget_directory(authority);
    }
    if (authority->state == AIR_AUTHORITY_IDLE) {
        authority->state = AIR_AUTHORITY_WORKING;
        authority->job.is_over = false;
        air_job_enter(&authority->job, authority->is_account_loaded ? DIRECTORY : READ);
    }
    return authority->state;
}
