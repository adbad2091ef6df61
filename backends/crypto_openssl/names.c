/* SPDX-License-Identifier: MIT */
/*
 * subjectAltName, written into requests and challenge certificates, read from what a CA sends.
 *
 * Names that are written are in normal form. Names that are read come from outside: only bytes that
 * are safe to compare and to print pass, so a NUL never ends one early (R-A6). Which names are
 * right is for the callers to say.
 */

#include "backends/crypto_openssl/names.h"

#include "src/base/name.h"
#include "src/base/span.h"

static enum air_error check_normal(air_span name);
static bool push_name(GENERAL_NAMES *list, air_span name);
static bool is_host_byte(uint8_t byte);

enum air_error air_openssl_names_write(
    const air_span *names, size_t names_count, X509_EXTENSION **out) {
    if (names_count == 0) {
        return AIR_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < names_count; i++) {
        enum air_error error = check_normal(names[i]);
        if (error != AIR_OK) {
            return error;
        }
    }
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    bool pushed = list != NULL;
    for (size_t i = 0; pushed && i < names_count; i++) {
        pushed = push_name(list, names[i]);
    }
    X509_EXTENSION *extension = pushed ? X509V3_EXT_i2d(NID_subject_alt_name, 0, list) : NULL;
    GENERAL_NAMES_free(list);
    if (extension == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    *out = extension;
    return AIR_OK;
}

enum air_error air_openssl_names_read(const X509 *certificate, GENERAL_NAMES **out) {
    int found = 0;
    *out = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
    /* -1: there is none. -2: it is there twice. */
    return *out != NULL || found == -1 ? AIR_OK : AIR_ERR_MALFORMED;
}

enum air_error air_openssl_names_at(const GENERAL_NAMES *names, int index, air_span *out) {
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    if (type != GEN_DNS) {
        return AIR_ERR_UNSUPPORTED;
    }
    air_span name = air_span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (name.size == 0 || name.size > AIR_NAME_SIZE_MAX) {
        return AIR_ERR_BAD_NAME;
    }
    air_span base = air_name_base(name);
    for (size_t i = 0; i < base.size; i++) {
        if (!is_host_byte(base.data[i])) {
            return AIR_ERR_BAD_NAME;
        }
    }
    *out = name;
    return AIR_OK;
}

/* Whether a name is what air_name_normalize() makes of it. */
static enum air_error check_normal(air_span name) {
    struct air_buffer normal;
    air_buffer_init(&normal, AIR_NAME_SIZE_MAX);
    enum air_error error = air_name_normalize(name, &normal);
    if (error == AIR_OK && !air_span_equal(air_buffer_span(&normal), name)) {
        error = AIR_ERR_BAD_NAME;
    }
    air_buffer_deinit(&normal);
    return error;
}

static bool push_name(GENERAL_NAMES *list, air_span name) {
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (entry == NULL || text == NULL || ASN1_STRING_set(text, name.data, (int)name.size) != 1) {
        GENERAL_NAME_free(entry);
        ASN1_IA5STRING_free(text);
        return false;
    }
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
    if (sk_GENERAL_NAME_push(list, entry) <= 0) {
        GENERAL_NAME_free(entry);
        return false;
    }
    return true;
}

static bool is_host_byte(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.';
}
