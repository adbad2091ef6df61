/* SPDX-License-Identifier: MIT */
/*
 * Texts and names of the numbers in thinair/thinair.h: errors and key types. The tables are made
 * from the header's own list, so an error cannot lack its text.
 *
 * Invariant: every function answers for every number, also for one that no list knows.
 */

#include "src/base/span.h"

struct error_row {
    enum air_error error;
    enum air_error_class class;
    const char *name;
    const char *text;
};

#define ERROR_ROW(name, number, class_, text) {name, class_, #name, text},
static const struct error_row error_rows[] = {AIR_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

static const struct error_row unknown_error = {
    AIR_ERR_STATE, AIR_CLASS_BUG, "AIR_ERR_UNKNOWN", "unknown error"};

/* Indexed by enum air_key_type. */
static const char *const key_type_texts[] = {
    [AIR_KEY_NONE] = "",
    [AIR_KEY_ECDSA_P256] = "ecdsa-p256",
    [AIR_KEY_ECDSA_P384] = "ecdsa-p384",
    [AIR_KEY_RSA_2048] = "rsa-2048",
    [AIR_KEY_RSA_3072] = "rsa-3072",
    [AIR_KEY_RSA_4096] = "rsa-4096",
};

#define KEY_TYPES_COUNT (sizeof(key_type_texts) / sizeof(key_type_texts[0]))

static const struct error_row *find_error(enum air_error error);

const char *air_error_text(enum air_error error) {
    return find_error(error)->text;
}

const char *air_error_name(enum air_error error) {
    return find_error(error)->name;
}

enum air_error_class air_error_class(enum air_error error) {
    return find_error(error)->class;
}

const char *air_key_type_text(enum air_key_type type) {
    return (size_t)type < KEY_TYPES_COUNT ? key_type_texts[type] : "";
}

enum air_key_type air_key_type_parse(air_span text) {
    for (size_t i = AIR_KEY_NONE + 1; i < KEY_TYPES_COUNT; i++) {
        if (air_span_equal_text(text, key_type_texts[i])) {
            return (enum air_key_type)i;
        }
    }
    return AIR_KEY_NONE;
}

static const struct error_row *find_error(enum air_error error) {
    for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++) {
        if (error_rows[i].error == error) {
            return &error_rows[i];
        }
    }
    return &unknown_error;
}
