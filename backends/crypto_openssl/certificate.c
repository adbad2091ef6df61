/* SPDX-License-Identifier: MIT */
/*
 * What a certificate says about itself.
 *
 * Nothing is judged here: acceptance.c does that. Every length is explicit, bytes behind the DER
 * are refused, dates go through OpenSSL's own reader (R-A6), and the serial number keeps its
 * content octets, because RFC 9773 section 4.1 names a certificate by them (R-A10).
 */

#include "backends/crypto_openssl/certificate.h"

#include <openssl/x509v3.h>
#include <string.h>

#include "backends/crypto_openssl/key.h"
#include "backends/crypto_openssl/names.h"
#include "backends/crypto_openssl/pem_block.h"
#include "src/base/name.h"
#include "src/base/pem.h"
#include "src/base/span.h"
#include "src/base/time_text.h"

/* Tag and short length of a DER INTEGER. */
#define INTEGER_HEADER_SIZE 2

static enum air_error read_dates(const X509 *certificate, struct air_certificate_info *info);
static enum air_error read_serial(const X509 *certificate, struct air_certificate_info *info);
static enum air_error read_authority(X509 *certificate, struct air_certificate_info *info);
static enum air_error read_key(X509 *certificate, struct air_certificate_info *info);
static enum air_error visit_names(
    const GENERAL_NAMES *names, void (*visit)(void *context, air_span name), void *context);

enum air_error air_openssl_certificate_parse(air_span block, X509 **out) {
    uint8_t *der = NULL;
    size_t size = 0;
    enum air_error error = air_openssl_pem_decode(block, &der, &size);
    if (error != AIR_OK) {
        return error == AIR_ERR_UNSUPPORTED ? AIR_ERR_MALFORMED : error;
    }
    const unsigned char *end = der;
    X509 *certificate = d2i_X509(NULL, &end, (long)size);
    if (certificate == NULL || end != der + size) {
        X509_free(certificate);
        error = AIR_ERR_MALFORMED;
    } else {
        *out = certificate;
    }
    OPENSSL_clear_free(der, size);
    return error;
}

enum air_error air_openssl_certificate_first(air_span chain, X509 **out) {
    if (chain.size > AIR_CHAIN_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    air_span block;
    air_span label;
    air_span rest = chain;
    while (air_pem_next(&rest, &block, &label, NULL)) {
        if (air_span_equal_text(label, "CERTIFICATE")) {
            return air_openssl_certificate_parse(block, out);
        }
    }
    return AIR_ERR_MALFORMED;
}

enum air_error air_openssl_certificate_time(const ASN1_TIME *time, air_time_ms *out) {
    struct tm fields;
    /* OpenSSL takes a missing time for the present one. */
    if (time == NULL || ASN1_TIME_to_tm(time, &fields) != 1) {
        return AIR_ERR_MALFORMED;
    }
    int64_t second = ((int64_t)fields.tm_hour * 60 + fields.tm_min) * 60 + fields.tm_sec;
    *out = air_time_from_civil((int64_t)fields.tm_year + 1900, (unsigned)fields.tm_mon + 1,
               (unsigned)fields.tm_mday) +
           second * 1000;
    return AIR_OK;
}

enum air_error air_openssl_certificate_read(air_span chain, struct air_certificate_info *out) {
    X509 *certificate = NULL;
    enum air_error error = air_openssl_certificate_first(chain, &certificate);
    if (error != AIR_OK) {
        return error;
    }
    struct air_certificate_info info = {0};
    error = read_dates(certificate, &info);
    if (error == AIR_OK) {
        error = read_serial(certificate, &info);
    }
    if (error == AIR_OK) {
        error = read_authority(certificate, &info);
    }
    if (error == AIR_OK) {
        error = read_key(certificate, &info);
    }
    if (error == AIR_OK) {
        *out = info;
    }
    X509_free(certificate);
    return error;
}

enum air_error air_openssl_certificate_names(
    air_span chain, void (*visit)(void *context, air_span name), void *context) {
    X509 *certificate = NULL;
    GENERAL_NAMES *names = NULL;
    enum air_error error = air_openssl_certificate_first(chain, &certificate);
    if (error == AIR_OK) {
        error = air_openssl_names_read(certificate, &names);
    }
    if (error == AIR_OK) {
        /* Once without visiting, so that a bad name at the end does not come after good ones. */
        error = visit_names(names, NULL, NULL);
    }
    if (error == AIR_OK) {
        error = visit_names(names, visit, context);
    }
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    return error;
}

static enum air_error read_dates(const X509 *certificate, struct air_certificate_info *info) {
    enum air_error error =
        air_openssl_certificate_time(X509_get0_notBefore(certificate), &info->not_before_ms);
    if (error != AIR_OK) {
        return error;
    }
    return air_openssl_certificate_time(X509_get0_notAfter(certificate), &info->not_after_ms);
}

static enum air_error read_serial(const X509 *certificate, struct air_certificate_info *info) {
    uint8_t der[INTEGER_HEADER_SIZE + AIR_SERIAL_SIZE_MAX];
    unsigned char *end = der;
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
    int size = i2d_ASN1_INTEGER(serial, NULL);
    if (size <= INTEGER_HEADER_SIZE) {
        return AIR_ERR_MALFORMED;
    }
    if ((size_t)size > sizeof(der)) {
        return AIR_ERR_LIMIT;
    }
    size = i2d_ASN1_INTEGER(serial, &end);
    info->serial_size = (size_t)size - INTEGER_HEADER_SIZE;
    memcpy(info->serial, der + INTEGER_HEADER_SIZE, info->serial_size);
    return AIR_OK;
}

static enum air_error read_authority(X509 *certificate, struct air_certificate_info *info) {
    const ASN1_OCTET_STRING *id = X509_get0_authority_key_id(certificate);
    if (id == NULL) {
        return AIR_OK;
    }
    size_t size = (size_t)ASN1_STRING_length(id);
    if (size > sizeof(info->authority_key_id)) {
        return AIR_ERR_LIMIT;
    }
    info->authority_key_id_size = size;
    if (size > 0) {
        memcpy(info->authority_key_id, ASN1_STRING_get0_data(id), size);
    }
    return AIR_OK;
}

static enum air_error read_key(X509 *certificate, struct air_certificate_info *info) {
    EVP_PKEY *pkey = X509_get0_pubkey(certificate);
    const struct air_openssl_kind *kind = pkey == NULL ? NULL : air_openssl_kind_of_key(pkey);
    info->key_type = kind == NULL ? AIR_KEY_NONE : kind->type;

    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) {
        return AIR_ERR_CRYPTO;
    }
    enum air_error error = AIR_OK;
    if (EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t)size, info->spki_sha256, NULL) != 1) {
        error = AIR_ERR_CRYPTO;
    }
    OPENSSL_free(der);
    return error;
}

/* Give each DNS name in lower case; with visit NULL only look whether all can be given. */
static enum air_error visit_names(
    const GENERAL_NAMES *names, void (*visit)(void *context, air_span name), void *context) {
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);
    for (int i = 0; i < count; i++) {
        air_span name;
        uint8_t lower[AIR_NAME_SIZE_MAX];
        enum air_error error = air_openssl_names_at(names, i, &name);
        if (error == AIR_ERR_UNSUPPORTED) {
            continue;
        }
        if (error != AIR_OK) {
            return AIR_ERR_MALFORMED;
        }
        for (size_t at = 0; at < name.size; at++) {
            uint8_t byte = name.data[at];
            lower[at] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
        }
        if (visit != NULL) {
            visit(context, air_span_of(lower, name.size));
        }
    }
    return AIR_OK;
}
