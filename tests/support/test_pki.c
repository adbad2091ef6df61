/* SPDX-License-Identifier: MIT */
/*
 * The tests' certification authority, on OpenSSL alone: it shares no code with what it tests.
 *
 * It certifies anything it is told to, also what no CA should; whether that is right is for the
 * test to know. Every failure ends the program (require()).
 */

#include "tests/support/test_pki.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2000-01-01 and 2099-12-31: around every date a test may choose. */
#define CA_NOT_BEFORE_MS INT64_C(946684800000)
#define CA_NOT_AFTER_MS INT64_C(4102358400000)
#define PEM_SIZE_MAX 1048576

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    struct air_buffer pem;
};

struct air_test_pki {
    struct authority root;
    struct authority intermediate;
};

static void require_at(bool holds, const char *what, int line);
#define require(condition) require_at((condition), #condition, __LINE__)

static void authority_make(
    struct authority *authority, const struct authority *issuer, const char *subject);
static void authority_clear(struct authority *authority);
static EVP_PKEY *key_make(enum air_key_type type);
static EVP_PKEY *key_read(air_span pem);
static void key_write(EVP_PKEY *key, struct air_buffer *out);
static X509 *certificate_begin(
    EVP_PKEY *key, air_time_ms not_before_ms, air_time_ms not_after_ms, const char *serial);
static void certificate_subject(X509 *certificate, const char *subject);
static void certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value);
static void certificate_extend_raw(X509 *certificate, int nid, bool is_critical, air_span value);
static void certificate_append(X509 *certificate, struct air_buffer *out);
static void certificate_finish(
    X509 *certificate, const struct air_test_pki *pki, struct air_buffer *chain);
static void time_set(ASN1_TIME *time, air_time_ms ms);

struct air_test_pki *air_test_pki_new(void) {
    struct air_test_pki *pki = calloc(1, sizeof(*pki));
    require(pki != NULL);
    authority_make(&pki->root, NULL, "thinair test root");
    authority_make(&pki->intermediate, &pki->root, "thinair test intermediate");
    return pki;
}

void air_test_pki_free(struct air_test_pki *pki) {
    if (pki == NULL) {
        return;
    }
    authority_clear(&pki->root);
    authority_clear(&pki->intermediate);
    free(pki);
}

air_span air_test_pki_root(const struct air_test_pki *pki) {
    return air_buffer_span(&pki->root.pem);
}

air_span air_test_pki_intermediate(const struct air_test_pki *pki) {
    return air_buffer_span(&pki->intermediate.pem);
}

void air_test_pki_issue(struct air_test_pki *pki, enum air_key_type key_type, const air_span *names,
    size_t names_count, air_time_ms not_before_ms, air_time_ms not_after_ms,
    struct air_buffer *chain, struct air_buffer *key) {
    struct air_buffer text;
    air_buffer_init(&text, PEM_SIZE_MAX);
    for (size_t i = 0; i < names_count; i++) {
        (void)air_buffer_append_text(&text, i == 0 ? "DNS:" : ",DNS:");
        (void)air_buffer_append_span(&text, names[i]);
    }
    require(air_buffer_append_byte(&text, '\0') == AIR_OK);

    size_t key_start = key->size;
    air_test_key_make(key_type, key);
    struct air_test_leaf leaf = {
        .key = {key->data + key_start, key->size - key_start},
        .names = names_count > 0 ? (const char *)text.data : NULL,
        .usage = "serverAuth",
        .constraints = "CA:FALSE",
        .not_before_ms = not_before_ms,
        .not_after_ms = not_after_ms,
    };
    air_test_pki_issue_leaf(pki, &leaf, chain);
    air_buffer_deinit(&text);
}

void air_test_pki_issue_leaf(
    struct air_test_pki *pki, const struct air_test_leaf *leaf, struct air_buffer *chain) {
    EVP_PKEY *key = key_read(leaf->key);
    X509 *certificate =
        certificate_begin(key, leaf->not_before_ms, leaf->not_after_ms, leaf->serial);
    X509 *issuer = pki->intermediate.certificate;
    certificate_extend(certificate, issuer, NID_basic_constraints, leaf->constraints);
    certificate_extend(certificate, issuer, NID_ext_key_usage, leaf->usage);
    certificate_extend(certificate, issuer, NID_subject_alt_name, leaf->names);
    if (leaf->names_der.size > 0) {
        certificate_extend_raw(certificate, NID_subject_alt_name, false, leaf->names_der);
    }
    if (leaf->is_precertificate) {
        static const uint8_t asn1_null[] = {0x05, 0x00};
        certificate_extend_raw(
            certificate, NID_ct_precert_poison, true, (air_span){asn1_null, sizeof(asn1_null)});
    }
    certificate_finish(certificate, pki, chain);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

bool air_test_pki_sign_csr(struct air_test_pki *pki, air_span csr, air_time_ms not_before_ms,
    air_time_ms not_after_ms, struct air_buffer *chain) {
    bool signed_ = false;
    X509 *certificate = NULL;
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    const unsigned char *end = csr.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &end, (long)csr.size);
    EVP_PKEY *key = request == NULL ? NULL : X509_REQ_get0_pubkey(request);
    if (key == NULL || end != csr.data + csr.size || X509_REQ_verify(request, key) != 1) {
        goto done;
    }
    extensions = X509_REQ_get_extensions(request);
    int at = X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1);
    if (at < 0) {
        goto done;
    }
    certificate = certificate_begin(key, not_before_ms, not_after_ms, NULL);
    X509 *issuer = pki->intermediate.certificate;
    certificate_extend(certificate, issuer, NID_basic_constraints, "CA:FALSE");
    certificate_extend(certificate, issuer, NID_ext_key_usage, "serverAuth");
    require(X509_add_ext(certificate, X509v3_get_ext(extensions, at), -1) == 1);
    certificate_finish(certificate, pki, chain);
    signed_ = true;
done:
    X509_free(certificate);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    return signed_;
}

void air_test_key_make(enum air_key_type type, struct air_buffer *key) {
    EVP_PKEY *made = key_make(type);
    key_write(made, key);
    EVP_PKEY_free(made);
}

/* Make an authority that is signed by another, or by itself when issuer is NULL. */
static void authority_make(
    struct authority *authority, const struct authority *issuer, const char *subject) {
    authority->key = key_make(AIR_KEY_ECDSA_P256);
    X509 *certificate = certificate_begin(authority->key, CA_NOT_BEFORE_MS, CA_NOT_AFTER_MS, NULL);
    certificate_subject(certificate, subject);
    X509 *signer = issuer == NULL ? certificate : issuer->certificate;
    require(X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1);
    certificate_extend(certificate, signer, NID_basic_constraints, "critical,CA:TRUE");
    certificate_extend(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    certificate_extend(certificate, signer, NID_subject_key_identifier, "hash");
    certificate_extend(certificate, signer, NID_authority_key_identifier, "keyid");
    EVP_PKEY *key = issuer == NULL ? authority->key : issuer->key;
    require(X509_sign(certificate, key, EVP_sha256()) > 0);
    authority->certificate = certificate;
    air_buffer_init(&authority->pem, PEM_SIZE_MAX);
    certificate_append(certificate, &authority->pem);
}

static void authority_clear(struct authority *authority) {
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
    air_buffer_deinit(&authority->pem);
}

static EVP_PKEY *key_make(enum air_key_type type) {
    EVP_PKEY *key = NULL;
    switch (type) {
    case AIR_KEY_ECDSA_P256:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        break;
    case AIR_KEY_ECDSA_P384:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
        break;
    case AIR_KEY_RSA_2048:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        break;
    case AIR_KEY_RSA_3072:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
        break;
    case AIR_KEY_RSA_4096:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
        break;
    case AIR_KEY_NONE:
        break;
    }
    require(key != NULL);
    return key;
}

static EVP_PKEY *key_read(air_span pem) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    require(bio != NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    require(key != NULL);
    BIO_free(bio);
    return key;
}

static void key_write(EVP_PKEY *key, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    require(bio != NULL);
    require(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);
    require(air_buffer_append(out, text, (size_t)size) == AIR_OK);
    BIO_free(bio);
}

static X509 *certificate_begin(
    EVP_PKEY *key, air_time_ms not_before_ms, air_time_ms not_after_ms, const char *serial) {
    X509 *certificate = X509_new();
    BIGNUM *number = BN_new();
    require(certificate != NULL && number != NULL);
    if (serial != NULL) {
        require(BN_hex2bn(&number, serial) > 0);
    } else {
        require(BN_rand(number, 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
    }
    require(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
    require(X509_set_version(certificate, X509_VERSION_3) == 1);
    require(X509_set_pubkey(certificate, key) == 1);
    time_set(X509_getm_notBefore(certificate), not_before_ms);
    time_set(X509_getm_notAfter(certificate), not_after_ms);
    return certificate;
}

static void certificate_subject(X509 *certificate, const char *subject) {
    X509_NAME *name = X509_NAME_new();
    require(name != NULL);
    require(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                (const unsigned char *)subject, -1, -1, 0) == 1);
    require(X509_set_subject_name(certificate, name) == 1);
    X509_NAME_free(name);
}

/* Add an extension from its OpenSSL text; NULL adds nothing. */
static void certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
    if (value == NULL) {
        return;
    }
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    require(extension != NULL);
    require(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void certificate_extend_raw(X509 *certificate, int nid, bool is_critical, air_span value) {
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    require(octets != NULL && ASN1_OCTET_STRING_set(octets, value.data, (int)value.size) == 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, is_critical, octets);
    require(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
}

/* Name the issuer, sign, and append the leaf and the intermediate. */
static void certificate_finish(
    X509 *certificate, const struct air_test_pki *pki, struct air_buffer *chain) {
    X509 *issuer = pki->intermediate.certificate;
    certificate_extend(certificate, issuer, NID_authority_key_identifier, "keyid");
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    require(X509_sign(certificate, pki->intermediate.key, EVP_sha256()) > 0);
    certificate_append(certificate, chain);
    require(air_buffer_append_span(chain, air_test_pki_intermediate(pki)) == AIR_OK);
}

static void certificate_append(X509 *certificate, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    require(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1);
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);
    require(air_buffer_append(out, text, (size_t)size) == AIR_OK);
    BIO_free(bio);
}

static void time_set(ASN1_TIME *time, air_time_ms ms) {
    require(ASN1_TIME_set(time, (time_t)(ms / 1000)) != NULL);
}

static void require_at(bool holds, const char *what, int line) {
    if (!holds) {
        fprintf(stderr, "test_pki.c:%d: %s\n", line, what);
        abort();
    }
}
