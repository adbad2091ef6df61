/* SPDX-License-Identifier: MIT */
/*
 * From PEM to what a handshake needs, once, off the handshake's path. Whether the certificate is
 * what was ordered is not judged here: only that it is whole and that key and leaf are a pair.
 *
 * Invariant: what a bundle points to does not change after air_bundle_new() but by
 * air_issuers_share(), which runs before any other thread sees the bundle.
 */

#include "tls/bundle.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "src/base/memory.h"
#include "src/base/pem.h"
#include "thinair/crypto.h"

static enum air_error check_pair(
    struct air_bundle *bundle, enum air_key_type key_type, struct air_buffer *reason);
static enum air_error parse_certificates(BIO *pem, size_t count, STACK_OF(X509) * chain);
static enum air_error parse_key(
    air_span pem, const X509 *leaf, struct air_buffer *reason, EVP_PKEY **out);
static EVP_PKEY *read_key_like(air_span pem, const X509 *leaf);
static EVP_PKEY *read_any_key(air_span pem);
static enum air_key_type key_type_of(const EVP_PKEY *key);
static int no_password(char *out, int size, int is_write, void *context);

bool air_family_of(enum air_key_type key_type, enum air_family *out) {
    switch (key_type) {
    case AIR_KEY_ECDSA_P256:
    case AIR_KEY_ECDSA_P384:
        *out = AIR_FAMILY_EC;
        return true;
    case AIR_KEY_RSA_2048:
    case AIR_KEY_RSA_3072:
    case AIR_KEY_RSA_4096:
        *out = AIR_FAMILY_RSA;
        return true;
    case AIR_KEY_NONE:
        break;
    }
    return false;
}

enum air_error air_bundle_new(air_span chain, air_span key, enum air_key_type key_type,
    struct air_buffer *reason, struct air_bundle **out) {
    struct air_bundle *bundle = air_memory_new(sizeof(*bundle));
    if (bundle == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    atomic_init(&bundle->references, 1);
    ERR_set_mark();
    enum air_error error = air_chain_parse(chain, reason, &bundle->chain);
    if (error == AIR_OK) {
        bundle->leaf = sk_X509_shift(bundle->chain);
        error = parse_key(key, bundle->leaf, reason, &bundle->key);
    }
    if (error == AIR_OK) {
        error = check_pair(bundle, key_type, reason);
    }
    ERR_pop_to_mark();
    if (error != AIR_OK) {
        air_bundle_release(bundle);
        return error;
    }
    *out = bundle;
    return AIR_OK;
}

void air_bundle_retain(struct air_bundle *bundle) {
    if (bundle != NULL) {
        atomic_fetch_add_explicit(&bundle->references, 1, memory_order_relaxed);
    }
}

void air_bundle_release(struct air_bundle *bundle) {
    if (bundle == NULL ||
        atomic_fetch_sub_explicit(&bundle->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    X509_free(bundle->leaf);
    EVP_PKEY_free(bundle->key);
    sk_X509_pop_free(bundle->chain, X509_free);
    air_memory_free(bundle, sizeof(*bundle));
}

bool air_bundle_load(const struct air_bundle *bundle, SSL *ssl) {
    /* What is left in the error queue would make SSL_get_error() lie about the next call. */
    ERR_set_mark();
    bool is_loaded = SSL_use_cert_and_key(ssl, bundle->leaf, bundle->key, bundle->chain, 1) == 1;
    ERR_pop_to_mark();
    return is_loaded;
}

enum air_error air_chain_parse(air_span pem, struct air_buffer *reason, STACK_OF(X509) * *out) {
    size_t count = 0;
    if (pem.size > AIR_CHAIN_SIZE_MAX) {
        air_reason_add(reason, "the chain is larger than a chain may be");
        return AIR_ERR_LIMIT;
    }
    if (!air_pem_is_only(pem, "CERTIFICATE", &count)) {
        air_reason_add(reason, "the chain is not a sequence of PEM certificates");
        return AIR_ERR_MALFORMED;
    }
    if (count > AIR_CHAIN_COUNT_MAX) {
        air_reason_add(reason, "the chain has more certificates than a chain may have");
        return AIR_ERR_LIMIT;
    }
    ERR_set_mark();
    enum air_error error = AIR_ERR_NO_MEMORY;
    BIO *source = BIO_new_mem_buf(pem.data, (int)pem.size);
    STACK_OF(X509) *chain = sk_X509_new_reserve(NULL, (int)count);
    if (source != NULL && chain != NULL) {
        error = parse_certificates(source, count, chain);
    }
    if (error == AIR_ERR_MALFORMED) {
        air_reason_add(reason, "a certificate of the chain cannot be read");
    }
    BIO_free(source);
    ERR_pop_to_mark();
    if (error != AIR_OK) {
        sk_X509_pop_free(chain, X509_free);
        return error;
    }
    *out = chain;
    return AIR_OK;
}

void air_reason_add(struct air_buffer *reason, const char *text) {
    if (reason != NULL) {
        (void)air_buffer_append_text(reason, text);
    }
}

static enum air_error parse_certificates(BIO *pem, size_t count, STACK_OF(X509) * chain) {
    for (size_t i = 0; i < count; i++) {
        X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
        if (certificate == NULL) {
            return AIR_ERR_MALFORMED;
        }
        if (sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);
            return AIR_ERR_NO_MEMORY;
        }
        /* OpenSSL parses extensions when they are first asked for, under a lock of the
         * certificate: not in a handshake. */
        (void)X509_check_purpose(certificate, -1, 0);
    }
    return AIR_OK;
}

static enum air_error parse_key(
    air_span pem, const X509 *leaf, struct air_buffer *reason, EVP_PKEY **out) {
    if (pem.size > AIR_KEY_PEM_SIZE_MAX) {
        air_reason_add(reason, "the private key is larger than a key may be");
        return AIR_ERR_LIMIT;
    }
    *out = read_key_like(pem, leaf);
    if (*out == NULL) {
        *out = read_any_key(pem);
    }
    if (*out == NULL) {
        air_reason_add(reason, "the private key cannot be read");
        return AIR_ERR_MALFORMED;
    }
    return AIR_OK;
}

/* PKCS#8 of the leaf's algorithm, which is what we write: a fraction of the time that OpenSSL takes
 * to try every form of key it knows, and a table may be filled with tens of thousands. */
static EVP_PKEY *read_key_like(air_span pem, const X509 *leaf) {
    const EVP_PKEY *wanted = X509_get0_pubkey(leaf);
    const unsigned char *data = pem.data;
    size_t size = pem.size;
    EVP_PKEY *key = NULL;
    if (wanted == NULL || size == 0) {
        return NULL;
    }
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", "PrivateKeyInfo",
        EVP_PKEY_get0_type_name(wanted), EVP_PKEY_KEYPAIR, NULL, NULL);
    if (decoder != NULL && OSSL_DECODER_from_data(decoder, &data, &size) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    OSSL_DECODER_CTX_free(decoder);
    return key;
}

/* Any form of private key in PEM that OpenSSL knows, without a password. */
static EVP_PKEY *read_any_key(air_span pem) {
    BIO *source = BIO_new_mem_buf(pem.size > 0 ? (const void *)pem.data : "", (int)pem.size);
    if (source == NULL) {
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(source, NULL, no_password, NULL);
    BIO_free(source);
    return key;
}

static enum air_error check_pair(
    struct air_bundle *bundle, enum air_key_type key_type, struct air_buffer *reason) {
    if (X509_check_private_key(bundle->leaf, bundle->key) != 1) {
        air_reason_add(reason, "the private key does not belong to the leaf certificate");
        return AIR_ERR_BAD_CERTIFICATE;
    }
    bundle->key_type = key_type_of(bundle->key);
    if (bundle->key_type == AIR_KEY_NONE) {
        air_reason_add(reason, "the key is of a type that is not supported");
        return AIR_ERR_BAD_CERTIFICATE;
    }
    if (key_type != AIR_KEY_NONE && bundle->key_type != key_type) {
        air_reason_add(reason, "the key is not of type ");
        air_reason_add(reason, air_key_type_text(key_type));
        return AIR_ERR_BAD_CERTIFICATE;
    }
    return AIR_OK;
}

static enum air_key_type key_type_of(const EVP_PKEY *key) {
    if (EVP_PKEY_is_a(key, "RSA")) {
        int bits = EVP_PKEY_get_bits(key);
        return bits == 2048   ? AIR_KEY_RSA_2048
               : bits == 3072 ? AIR_KEY_RSA_3072
               : bits == 4096 ? AIR_KEY_RSA_4096
                              : AIR_KEY_NONE;
    }
    char group[32] = "";
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME,
                                        group, sizeof(group), NULL) == 1) {
        return strcmp(group, "prime256v1") == 0  ? AIR_KEY_ECDSA_P256
               : strcmp(group, "secp384r1") == 0 ? AIR_KEY_ECDSA_P384
                                                 : AIR_KEY_NONE;
    }
    return AIR_KEY_NONE;
}

/* Without this OpenSSL asks the terminal for the password of an encrypted key. */
static int no_password(char *out, int size, int is_write, void *context) {
    (void)out;
    (void)size;
    (void)is_write;
    (void)context;
    return -1;
}
