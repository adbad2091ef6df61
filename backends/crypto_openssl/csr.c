/* SPDX-License-Identifier: MIT */
/*
 * The PKCS#10 request that finalizes an order (RFC 2986, RFC 8555 section 7.4).
 *
 * Nothing but what a CA reads: the key, the names, must-staple. The subject is empty: CAs take
 * names from subjectAltName, and a common name would have to be short and be repeated there.
 */

#include "backends/crypto_openssl/csr.h"

#include <openssl/x509.h>

#include "backends/crypto_openssl/names.h"

static enum air_error list_extensions(
    const air_span *names, size_t names_count, bool must_staple, STACK_OF(X509_EXTENSION) * list);
static X509_EXTENSION *make_must_staple(void);
static bool push(STACK_OF(X509_EXTENSION) * list, X509_EXTENSION *extension);
static enum air_error append_der(const X509_REQ *request, struct air_buffer *out);

enum air_error air_openssl_csr_create(const struct air_openssl_kind *kind, EVP_PKEY *pkey,
    const air_span *names, size_t names_count, bool must_staple, struct air_buffer *out) {
    X509_REQ *request = NULL;
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    if (list == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = list_extensions(names, names_count, must_staple, list);
    if (error != AIR_OK) {
        goto done;
    }
    error = AIR_ERR_CRYPTO;
    request = X509_REQ_new();
    const EVP_MD *digest = EVP_get_digestbyname(kind->digest);
    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(request, pkey) == 1 && X509_REQ_add_extensions(request, list) == 1 &&
        X509_REQ_sign(request, pkey, digest) > 0) {
        error = append_der(request, out);
    }
done:
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    X509_REQ_free(request);
    return error;
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
