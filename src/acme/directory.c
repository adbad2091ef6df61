/* SPDX-License-Identifier: MIT */
/*
 * Reads the directory. Only URLs on the directory's own host are taken; the rest of the document is
 * the CA's business. Invariant: out is untouched unless everything that issuance needs was found.
 */

#include "src/acme/directory.h"

#include "src/acme/url.h"
#include "src/base/json.h"
#include "src/base/span.h"

/* The terms' address may be a data: URL (Pebble's is); longer ones are not shown. */
#define TERMS_SIZE_MAX 2048

static void complain(
    struct air_buffer *reason, const char *before, const char *member, const char *after) {
    if (reason != NULL) {
        air_buffer_append_text(reason, before);
        air_buffer_append_text(reason, member);
        air_buffer_append_text(reason, after);
    }
}

static bool take_url(const json_t *object, const char *member, air_span directory_url,
    struct air_buffer *text, size_t *end, struct air_buffer *reason) {
    const air_span url = air_json_text(object, member);
    if (url.size == 0) {
        complain(reason, "the directory has no ", member, "");
        return false;
    }
    if (!air_url_is_within(url, directory_url)) {
        complain(
            reason, "the directory's ", member, " is not an https URL on the directory's host");
        return false;
    }
    air_buffer_append_span(text, url);
    *end = text->size;
    return true;
}

enum air_error air_directory_read(const struct air_http_result *response, air_span directory_url,
    struct air_directory *out, struct air_buffer *reason) {
    json_t *object = NULL;
    enum air_error error = air_json_read(response->body, &object);
    if (error != AIR_OK) {
        if (error == AIR_ERR_MALFORMED) {
            complain(reason, "the directory is not a JSON object", "", "");
        }
        return error;
    }
    struct air_buffer text;
    air_buffer_init(&text, 4 * AIR_ACME_URL_SIZE_MAX);
    size_t ends[3] = {0};
    error = AIR_ERR_MALFORMED;
    if (!take_url(object, "newNonce", directory_url, &text, &ends[0], reason) ||
        !take_url(object, "newAccount", directory_url, &text, &ends[1], reason) ||
        !take_url(object, "newOrder", directory_url, &text, &ends[2], reason)) {
        goto done;
    }
    const json_t *meta = air_json_object(object, "meta");
    const air_span terms = air_json_text(meta, "termsOfService");
    if (terms.size <= TERMS_SIZE_MAX) {
        air_buffer_append_span(&text, terms);
    }
    error = text.error;
    if (error != AIR_OK) {
        goto done;
    }
    air_directory_deinit(out);
    out->text = text;
    out->new_nonce = air_span_of(text.data, ends[0]);
    out->new_account = air_span_of(text.data + ends[0], ends[1] - ends[0]);
    out->new_order = air_span_of(text.data + ends[1], ends[2] - ends[1]);
    out->terms_of_service = air_span_of(text.data + ends[2], text.size - ends[2]);
    out->needs_external_account = air_json_true(meta, "externalAccountRequired");
    air_buffer_init(&text, 0);
done:
    air_buffer_deinit(&text);
    json_decref(object);
    return error;
}

void air_directory_deinit(struct air_directory *directory) {
    air_buffer_deinit(&directory->text);
    *directory = (struct air_directory){0};
}
