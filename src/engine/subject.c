/* SPDX-License-Identifier: MIT */
/*
 * The four parts of a subject, which nothing here gives a meaning to: the crypto port writes them
 * into requests. Invariant: a text has no part that csr_create refuses; since no part has control
 * characters, a zero byte ends each.
 */

#include "src/engine/subject.h"

#include "src/base/span.h"

#define CULPRIT_SIZE_MAX 256

static enum air_error check(const struct air_subject *subject, struct air_buffer *reason);
static bool is_country(air_span text);
static bool is_letter(uint8_t byte);
static bool fits(air_span text, size_t count_max);
static enum air_error refuse(struct air_buffer *reason, const char *sentence, air_span culprit);
static air_span take_part(air_span *rest);

enum air_error air_subject_write(
    const struct air_subject *subject, struct air_buffer *out, struct air_buffer *reason) {
    const air_span parts[] = {
        subject->country, subject->state, subject->locality, subject->organization};
    enum air_error error = check(subject, reason);
    if (error != AIR_OK || parts[0].size + parts[1].size + parts[2].size + parts[3].size == 0) {
        return error;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        air_buffer_append_span(out, parts[i]);
        air_buffer_append_byte(out, 0);
    }
    return out->error;
}

void air_subject_read(air_span text, struct air_subject *out) {
    out->country = take_part(&text);
    out->state = take_part(&text);
    out->locality = take_part(&text);
    out->organization = take_part(&text);
}

static enum air_error check(const struct air_subject *subject, struct air_buffer *reason) {
    if (!is_country(subject->country)) {
        return refuse(reason, "a country is two letters: ", subject->country);
    }
    if (!fits(subject->state, AIR_SUBJECT_PLACE_COUNT_MAX)) {
        return refuse(reason, "a state is at most 128 characters of UTF-8: ", subject->state);
    }
    if (!fits(subject->locality, AIR_SUBJECT_PLACE_COUNT_MAX)) {
        return refuse(reason, "a locality is at most 128 characters of UTF-8: ", subject->locality);
    }
    if (!fits(subject->organization, AIR_SUBJECT_ORGANIZATION_COUNT_MAX)) {
        return refuse(
            reason, "an organization is at most 64 characters of UTF-8: ", subject->organization);
    }
    return AIR_OK;
}

/* None, or a country code of PrintableString's letters. */
static bool is_country(air_span text) {
    return text.size == 0 || (text.size == AIR_SUBJECT_COUNTRY_COUNT && is_letter(text.data[0]) &&
                                 is_letter(text.data[1]));
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool fits(air_span text, size_t count_max) {
    size_t count = 0;
    return air_span_characters(text, &count) && count <= count_max;
}

static enum air_error refuse(struct air_buffer *reason, const char *sentence, air_span culprit) {
    if (reason != NULL) {
        air_buffer_append_text(reason, sentence);
        air_buffer_append_span(reason, air_span_take(culprit, CULPRIT_SIZE_MAX));
    }
    return AIR_ERR_ARGUMENT;
}

static air_span take_part(air_span *rest) {
    const air_span part = air_span_take(*rest, air_span_find(*rest, 0));
    *rest = air_span_skip(*rest, part.size + 1);
    return part;
}
