/* SPDX-License-Identifier: MIT */
/*
 * The commands that ask: `list`, `status`, `reload`, `renew` and `config`. The daemon is asked
 * first; what it does not answer is read from the state directory, or done here.
 *
 * Invariant: none of them changes anything but through the daemon, `renew` without one apart.
 */
#include <stdio.h>
#include <string.h>

#include "hosts/program/client.h"
#include "hosts/program/hostname.h"
#include "hosts/program/inventory.h"
#include "hosts/program/issue.h"
#include "hosts/program/log.h"
#include "hosts/program/report.h"
#include "hosts/program/text.h"
#include "src/base/json.h"
#include "src/base/span.h"

/* A busy daemon answers at once; a reload resolves names. */
#define ASK_TIMEOUT_MS 10000
#define RELOAD_TIMEOUT_MS 60000

#define PATH_SIZE_MAX 512

static enum air_error read_report(
    const struct air_plan *plan, struct air_buffer *json, struct air_buffer *reason);
static enum air_exit show(
    struct air_invocation *invocation, const char *name, enum air_report_style style);
static enum air_exit finish_verb(unsigned status, const struct air_buffer *answer);

/* The id or name that was given, a name in the form of certificates; NULL: none. */
static const char *word_of(struct air_invocation *invocation) {
    struct air_settings *settings = &invocation->settings;
    const char *word = settings->words.count > 0 ? settings->words.items[0].text : NULL;
    struct air_buffer name;

    if (word == NULL) {
        return NULL;
    }
    air_buffer_init(&name, PATH_SIZE_MAX);
    if (air_hostname_read(air_span_text(word), &name, NULL) == AIR_OK) {
        const char *text = air_pool_text(&settings->pool, air_buffer_span(&name));

        word = text != NULL ? text : word;
    }
    air_buffer_deinit(&name);
    return word;
}

enum air_exit air_command_list(struct air_invocation *invocation) {
    return show(invocation, NULL, AIR_REPORT_TABLE);
}

enum air_exit air_command_status(struct air_invocation *invocation) {
    return show(invocation, word_of(invocation), AIR_REPORT_DETAIL);
}

static enum air_exit show(
    struct air_invocation *invocation, const char *name, enum air_report_style style) {
    struct air_plan plan;
    struct air_buffer json;
    struct air_buffer text;
    struct air_buffer reason;
    size_t shown = 0;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_REPORT, &plan);
    enum air_error error;

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    air_buffer_init(&json, AIR_REPORT_SIZE_MAX);
    air_buffer_init(&text, AIR_REPORT_SIZE_MAX);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    error = read_report(&plan, &json, &reason);
    if (error == AIR_OK && air_value_is_true(&invocation->settings.json)) {
        error = air_report_select(air_buffer_span(&json), air_span_text(name), &text, &shown);
        air_buffer_append_text(&text, "\n");
    } else if (error == AIR_OK) {
        error = air_report_show(
            air_buffer_span(&json), air_span_text(name), style, air_log_now(), &text, &shown);
    }
    if (error != AIR_OK) {
        air_command_complain(&reason, error);
        status = AIR_EXIT_FAILED;
    } else if (shown == 0 && name != NULL) {
        air_text_format(
            &reason, "%s has no certificate called %s; see 'thinair list'", plan.state_dir, name);
        air_command_complain(&reason, AIR_ERR_NOT_FOUND);
        status = AIR_EXIT_FAILED;
    } else {
        fwrite(text.data, 1, text.size, stdout);
        if (shown == 0 && !air_value_is_true(&invocation->settings.json)) {
            printf("no certificate in %s yet\n", plan.state_dir);
        }
    }
    air_buffer_deinit(&json);
    air_buffer_deinit(&text);
    air_buffer_deinit(&reason);
    air_plan_deinit(&plan);
    return status;
}

/* A daemon that may not be asked is no reason to show nothing: whoever may read the files sees
 * what is stored. */
static enum air_error read_report(
    const struct air_plan *plan, struct air_buffer *json, struct air_buffer *reason) {
    unsigned status = 0;
    enum air_error error =
        air_client_call(plan->admin_path, "GET", "/status", ASK_TIMEOUT_MS, &status, json, NULL);

    if (error == AIR_OK && status == 200) {
        return AIR_OK;
    }
    air_buffer_clear(json);
    return air_inventory_report(plan->state_dir, json, reason);
}

enum air_exit air_command_reload(struct air_invocation *invocation) {
    struct air_plan plan;
    struct air_buffer answer;
    struct air_buffer reason;
    unsigned code = 0;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_REPORT, &plan);
    enum air_error error;

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    air_buffer_init(&answer, AIR_TEXT_SIZE_MAX * 4);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    error = air_client_call(
        plan.admin_path, "POST", "/reload", RELOAD_TIMEOUT_MS, &code, &answer, &reason);
    if (error != AIR_OK) {
        air_command_complain(&reason, error);
        status = AIR_EXIT_FAILED;
    } else {
        status = finish_verb(code, &answer);
    }
    if (status == AIR_EXIT_DONE) {
        printf("reloaded\n");
    }
    air_buffer_deinit(&answer);
    air_buffer_deinit(&reason);
    air_plan_deinit(&plan);
    return status;
}

/* The daemon's own words when it refused. */
static enum air_exit finish_verb(unsigned status, const struct air_buffer *answer) {
    json_t *json = NULL;
    struct air_buffer reason;

    if (status == 200) {
        return AIR_EXIT_DONE;
    }
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX * 4);
    if (air_json_read(air_buffer_span(answer), &json) == AIR_OK) {
        air_text_put(&reason, air_json_text(json, "error"));
        json_decref(json);
    }
    air_command_complain(&reason, AIR_ERR_REFUSED);
    air_buffer_deinit(&reason);
    return AIR_EXIT_FAILED;
}

/* True when the daemon has answered, with the exit status of its answer. */
static bool ask_to_renew(const struct air_plan *plan, const char *name, enum air_exit *status) {
    struct air_buffer answer;
    struct air_buffer reason;
    char path[PATH_SIZE_MAX];
    unsigned code = 0;
    enum air_error error;

    air_buffer_init(&answer, AIR_TEXT_SIZE_MAX * 4);
    air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
    snprintf(path, sizeof(path), "/renew%s%s", name != NULL ? "/" : "", name != NULL ? name : "");
    error =
        air_client_call(plan->admin_path, "POST", path, ASK_TIMEOUT_MS, &code, &answer, &reason);
    if (error == AIR_OK) {
        *status = finish_verb(code, &answer);
    } else if (error != AIR_ERR_NOT_FOUND) {
        air_command_complain(&reason, error);
        *status = AIR_EXIT_FAILED;
    }
    air_buffer_deinit(&answer);
    air_buffer_deinit(&reason);
    return error != AIR_ERR_NOT_FOUND;
}

enum air_exit air_command_renew(struct air_invocation *invocation) {
    const struct air_settings *settings = &invocation->settings;
    const char *const name_given = word_of(invocation);
    const char *name = name_given;
    struct air_buffer reason;
    struct air_plan plan;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_REPORT, &plan);
    bool is_answered;

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    if (name == NULL && settings->by_flags.names.count > 0) {
        name = settings->by_flags.names.items[0].text;
    }
    if (name != NULL && strcspn(name, " \t\r\n?#%") != strlen(name)) {
        fprintf(stderr, "thinair: renew: give a certificate's id or one of its names\n");
        air_plan_deinit(&plan);
        return AIR_EXIT_WRONG_USE;
    }
    is_answered = ask_to_renew(&plan, name, &status);
    if (is_answered && status == AIR_EXIT_DONE) {
        printf("%s: the daemon renews now; see 'thinair status'\n",
            name != NULL ? name : "every certificate");
    }
    if (!is_answered && settings->config.text == NULL && settings->by_flags.names.count == 0) {
        air_buffer_init(&reason, AIR_TEXT_SIZE_MAX);
        air_text_format(&reason,
            "renew: no daemon answers at %s; to renew without one, say what to "
            "order by --config or --name",
            plan.admin_path);
        air_command_complain(&reason, AIR_ERR_NOT_FOUND);
        air_buffer_deinit(&reason);
        air_plan_deinit(&plan);
        return AIR_EXIT_WRONG_USE;
    }
    air_plan_deinit(&plan);
    return is_answered ? status : air_issue_renewal(invocation, name_given);
}

enum air_exit air_command_config(struct air_invocation *invocation) {
    struct air_plan plan;
    struct air_buffer out;
    enum air_exit status = air_invocation_plan(invocation, AIR_PURPOSE_CONFIG, &plan);

    if (status != AIR_EXIT_DONE) {
        return status;
    }
    air_buffer_init(&out, AIR_REPORT_SIZE_MAX);
    air_plan_write(&plan, &out);
    if (out.error != AIR_OK) {
        air_command_complain(&out, out.error);
        status = AIR_EXIT_FAILED;
    } else {
        fwrite(out.data, 1, out.size, stdout);
    }
    air_buffer_deinit(&out);
    air_plan_deinit(&plan);
    return status;
}
