/* SPDX-License-Identifier: MIT */
/*
 * The self-signed certificate that answers a tls-alpn-01 challenge (RFC 8737 section 3).
 *
 * Let's Encrypt's validator is stricter than the RFC: issuer and subject have the same bytes, the
 * signature fits, subjectAltName is compared byte for byte, no extension is there twice. So there
 * are exactly two extensions. Serving it on the right connection only is the TLS side's work.
 */

#include "backends/crypto_openssl/challenge.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "backends/crypto_openssl/key.h"
#include "backends/crypto_openssl/names.h"
#include "src/base/name.h"

/* Validators look at no dates; a day back and a week ahead please anybody whose clock is not ours.
 */
#define DAYS_BACK 1
#define DAYS_AHEAD 7

/* Positive and beyond guessing; RFC 5280 section 4.1.2.2 allows 20 octets. */
#define SERIAL_BITS 120

static bool fill(X509 *certificate, EVP_PKEY *pkey);
static bool set_serial(X509 *certificate);
static bool set_names(X509 *certificate);
static bool set_dates(X509 *certificate, air_time_ms now_wall_ms);
static enum air_error add_extensions(
    X509 *certificate, air_span name, const uint8_t digest[AIR_SHA256_SIZE]);
static X509_EXTENSION *make_identifier(const uint8_t digest[AIR_SHA256_SIZE]);
static enum air_error add(X509 *certificate, X509_EXTENSION *extension);
static enum air_error append_pem(X509 *certificate, struct air_buffer *out);

enum air_error air_openssl_challenge_create(air_span name, const uint8_t digest[AIR_SHA256_SIZE],
    air_time_ms now_wall_ms, struct air_buffer *certificate, struct air_buffer *key) {
    if (air_name_is_wildcard(name)) {
        return AIR_ERR_BAD_NAME;
    }
    EVP_PKEY *pkey = NULL;
    size_t key_start = key->size;
    X509 *made = X509_new();
    enum air_error error = AIR_ERR_NO_MEMORY;
    if (made == NULL) {
        goto done;
    }
    error = air_openssl_key_generate(air_openssl_kind_of(AIR_KEY_ECDSA_P256), &pkey);
    if (error != AIR_OK) {
        goto done;
    }
    if (!set_dates(made, now_wall_ms)) {
        error = AIR_ERR_ARGUMENT;
        goto done;
    }
    error = add_extensions(made, name, digest);
    if (error != AIR_OK) {
        goto done;
    }
    if (!fill(made, pkey) || X509_sign(made, pkey, EVP_sha256()) <= 0) {
        error = AIR_ERR_CRYPTO;
        goto done;
    }
    error = air_openssl_key_write(pkey, key);
    if (error != AIR_OK) {
        goto done;
    }
    error = append_pem(made, certificate);
    if (error != AIR_OK) {
        air_buffer_truncate(key, key_start);
    }
done:
    X509_free(made);
    EVP_PKEY_free(pkey);
    return error;
}

static bool fill(X509 *certificate, EVP_PKEY *pkey) {
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           set_names(certificate) && X509_set_pubkey(certificate, pkey) == 1;
}

static bool set_serial(X509 *certificate) {
    BIGNUM *number = BN_new();
    bool set = number != NULL &&
               BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

/* One fixed name for both: the identifier may be longer than a common name can be. */
static bool set_names(X509 *certificate) {
    static const unsigned char text[] = "thinair tls-alpn-01";
    X509_NAME *name = X509_NAME_new();
    bool set =
        name != NULL &&
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, text, -1, -1, 0) == 1 &&
        X509_set_subject_name(certificate, name) == 1 &&
        X509_set_issuer_name(certificate, name) == 1;
    X509_NAME_free(name);
    return set;
}

static bool set_dates(X509 *certificate, air_time_ms now_wall_ms) {
    time_t now_s = (time_t)(now_wall_ms / 1000);
    return ASN1_TIME_adj(X509_getm_notBefore(certificate), now_s, -DAYS_BACK, 0) != NULL &&
           ASN1_TIME_adj(X509_getm_notAfter(certificate), now_s, DAYS_AHEAD, 0) != NULL;
}

static enum air_error add_extensions(
    X509 *certificate, air_span name, const uint8_t digest[AIR_SHA256_SIZE]) {
    X509_EXTENSION *extension = NULL;
    enum air_error error = air_openssl_names_write(&name, 1, &extension);
    if (error != AIR_OK) {
        return error;
    }
    error = add(certificate, extension);
    if (error != AIR_OK) {
        return error;
    }
    return add(certificate, make_identifier(digest));
}

/* Critical id-pe-acmeIdentifier: an OCTET STRING with the digest. */
static X509_EXTENSION *make_identifier(const uint8_t digest[AIR_SHA256_SIZE]) {
    uint8_t content[2 + AIR_SHA256_SIZE] = {V_ASN1_OCTET_STRING, AIR_SHA256_SIZE};
    memcpy(content + 2, digest, AIR_SHA256_SIZE);
    X509_EXTENSION *extension = NULL;
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    if (id != NULL && value != NULL &&
        ASN1_OCTET_STRING_set(value, content, sizeof(content)) == 1) {
        extension = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value);
    }
    ASN1_OBJECT_free(id);
    ASN1_OCTET_STRING_free(value);
    return extension;
}

/* Takes the extension over; NULL fails. */
static enum air_error add(X509 *certificate, X509_EXTENSION *extension) {
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added ? AIR_OK : AIR_ERR_NO_MEMORY;
}

static enum air_error append_pem(X509 *certificate, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = AIR_ERR_CRYPTO;
    if (PEM_write_bio_X509(bio, certificate) == 1) {
        char *text = NULL;
        long size = BIO_get_mem_data(bio, &text);
        error = air_buffer_append(out, text, (size_t)size);
    }
    BIO_free(bio);
    return error;
}
