/* SPDX-License-Identifier: MIT */
/*
 * The PKCS#10 request that finalizes an order (RFC 2986, RFC 8555 section 7.4).
 *
 * Nothing but what a CA reads: the key, the names, must-staple, and who asks where that is wanted.
 * There is no common name: CAs take names from subjectAltName, and one would have to be short and
 * be repeated there.
 */

#include "backends/crypto_openssl/csr.h"

#include <openssl/x509.h>

#include "backends/crypto_openssl/names.h"
#include "src/base/span.h"

static enum air_error check_subject(const struct air_subject *subject);
static bool is_letter(uint8_t byte);
static bool set_subject(X509_REQ *request, const struct air_subject *subject);
static enum air_error list_extensions(
    const air_span *names, size_t names_count, bool must_staple, STACK_OF(X509_EXTENSION) * list);
static X509_EXTENSION *make_must_staple(void);
static bool push(STACK_OF(X509_EXTENSION) * list, X509_EXTENSION *extension);
static enum air_error append_der(const X509_REQ *request, struct air_buffer *out);

enum air_error air_openssl_csr_create(const struct air_openssl_kind *kind, EVP_PKEY *pkey,
    const struct air_subject *subject, const air_span *names, size_t names_count, bool must_staple,
    struct air_buffer *out) {
    static const struct air_subject nobody;
    subject = subject == NULL ? &nobody : subject;
    X509_REQ *request = NULL;
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    if (list == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = check_subject(subject);
    if (error == AIR_OK) {
        error = list_extensions(names, names_count, must_staple, list);
    }
    if (error != AIR_OK) {
        goto done;
    }
    error = AIR_ERR_CRYPTO;
    request = X509_REQ_new();
    const EVP_MD *digest = EVP_get_digestbyname(kind->digest);
    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        set_subject(request, subject) && X509_REQ_set_pubkey(request, pkey) == 1 &&
        X509_REQ_add_extensions(request, list) == 1 && X509_REQ_sign(request, pkey, digest) > 0) {
        error = append_der(request, out);
    }
done:
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    return error;
}

static enum air_error check_subject(const struct air_subject *subject) {
    size_t state_count = 0;
    size_t locality_count = 0;
    size_t organization_count = 0;
    const air_span country = subject->country;
    bool is_country =
        country.size == 0 || (country.size == AIR_SUBJECT_COUNTRY_COUNT &&
                                 is_letter(country.data[0]) && is_letter(country.data[1]));
    bool is_fine = is_country && air_span_characters(subject->state, &state_count) &&
                   air_span_characters(subject->locality, &locality_count) &&
                   air_span_characters(subject->organization, &organization_count) &&
                   state_count <= AIR_SUBJECT_PLACE_COUNT_MAX &&
                   locality_count <= AIR_SUBJECT_PLACE_COUNT_MAX &&
                   organization_count <= AIR_SUBJECT_ORGANIZATION_COUNT_MAX;
    return is_fine ? AIR_OK : AIR_ERR_ARGUMENT;
}

static bool is_letter(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* The parts' types are given, not chosen by OpenSSL: its choice is a setting of the process. */
static bool set_subject(X509_REQ *request, const struct air_subject *subject) {
    const struct {
        int nid;
        int type;
        air_span value;
    } parts[] = {
        {NID_countryName, V_ASN1_PRINTABLESTRING, subject->country},
        {NID_stateOrProvinceName, V_ASN1_UTF8STRING, subject->state},
        {NID_localityName, V_ASN1_UTF8STRING, subject->locality},
        {NID_organizationName, V_ASN1_UTF8STRING, subject->organization},
    };
    X509_NAME *name = X509_REQ_get_subject_name(request);
    bool is_set = true;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && is_set; i++) {
        is_set = parts[i].value.size == 0 ||
                 X509_NAME_add_entry_by_NID(name, parts[i].nid, parts[i].type, parts[i].value.data,
                     (int)parts[i].value.size, -1, 0) == 1;
    }
    return is_set;
}

static enum air_error list_extensions(
    const air_span *names, size_t names_count, bool must_staple, STACK_OF(X509_EXTENSION) * list) {
    X509_EXTENSION *extension = NULL;
    enum air_error error = air_openssl_names_write(names, names_count, &extension);
    if (error != AIR_OK) {
        return error;
    }
    if (!push(list, extension) || (must_staple && !push(list, make_must_staple()))) {
        return AIR_ERR_NO_MEMORY;
    }
    return AIR_OK;
}

/* RFC 7633: SEQUENCE { INTEGER 5 }, the TLS extension status_request. */
static X509_EXTENSION *make_must_staple(void) {
    static const uint8_t features[] = {0x30, 0x03, 0x02, 0x01, 0x05};
    X509_EXTENSION *extension = NULL;
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    if (value != NULL && ASN1_OCTET_STRING_set(value, features, sizeof(features)) == 1) {
        extension = X509_EXTENSION_create_by_NID(NULL, NID_tlsfeature, 0, value);
    }
    ASN1_OCTET_STRING_free(value);
    return extension;
}

/* Takes the extension over; NULL fails. */
static bool push(STACK_OF(X509_EXTENSION) * list, X509_EXTENSION *extension) {
    if (extension == NULL) {
        return false;
    }
    if (sk_X509_EXTENSION_push(list, extension) <= 0) {
        X509_EXTENSION_free(extension);
        return false;
    }
    return true;
}

static enum air_error append_der(const X509_REQ *request, struct air_buffer *out) {
    unsigned char *der = NULL;
    int size = i2d_X509_REQ(request, &der);
    if (size <= 0) {
        return AIR_ERR_CRYPTO;
    }
    enum air_error error = AIR_ERR_LIMIT;
    if (size <= AIR_CSR_SIZE_MAX) {
        error = air_buffer_append(out, der, (size_t)size);
    }
    OPENSSL_free(der);
    return error;
}
