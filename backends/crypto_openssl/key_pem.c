/* SPDX-License-Identifier: MIT */
/*
 * Private keys from PEM and to PEM: PKCS#8 (RFC 5958), SEC 1 (RFC 5915), PKCS#1 (RFC 8017).
 *
 * A key that comes in may be wrong in any way: it is believed only when it signs what its own
 * public half verifies. No password is ever asked for. What held private bytes here is wiped; what
 * OpenSSL's coders copy on the way is theirs to wipe.
 */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/pem.h>

#include "backends/crypto_openssl/key.h"
#include "backends/crypto_openssl/pem_block.h"
#include "src/base/pem.h"
#include "src/base/span.h"

/* The forms that are read; any other label is not a private key, or an encrypted one. */
struct form {
    const char *label;
    const char *structure;
    const char *algorithm; /* NULL: the structure says */
};

static const struct form forms[] = {
    {"PRIVATE KEY", "PrivateKeyInfo", NULL},
    {"EC PRIVATE KEY", "type-specific", "EC"},
    {"RSA PRIVATE KEY", "type-specific", "RSA"},
};

static enum air_error find_key(air_span pem, air_span *block, air_span *label);
static const struct form *find_form(air_span label);
static EVP_PKEY *decode(const struct form *form, const uint8_t *der, size_t size);
static int refuse_password(char *out, int size, int is_writing, void *context);
static const struct air_openssl_kind *usable_kind(EVP_PKEY *pkey);
static bool has_short_exponent(const EVP_PKEY *pkey);
static bool signs_for_itself(EVP_PKEY *pkey, const char *digest);

enum air_error air_openssl_key_read(
    air_span pem, EVP_PKEY **out, const struct air_openssl_kind **kind) {
    air_span block;
    air_span label;
    enum air_error error = find_key(pem, &block, &label);
    if (error != AIR_OK) {
        return error;
    }
    const struct form *form = find_form(label);
    if (form == NULL) {
        return AIR_ERR_BAD_KEY;
    }
    uint8_t *der = NULL;
    size_t der_size = 0;
    error = air_openssl_pem_decode(block, &der, &der_size);
    if (error != AIR_OK) {
        /* RFC 1421 headers: encrypted the old way. */
        return error == AIR_ERR_UNSUPPORTED ? AIR_ERR_BAD_KEY : error;
    }
    EVP_PKEY *pkey = decode(form, der, der_size);
    OPENSSL_clear_free(der, der_size);
    const struct air_openssl_kind *found = pkey == NULL ? NULL : usable_kind(pkey);
    if (found == NULL) {
        EVP_PKEY_free(pkey);
        return AIR_ERR_BAD_KEY;
    }
    *out = pkey;
    *kind = found;
    return AIR_OK;
}

enum air_error air_openssl_key_write(const EVP_PKEY *pkey, struct air_buffer *out) {
    /* A memory BIO wipes what it frees. */
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    enum air_error error = AIR_ERR_CRYPTO;
    if (PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        char *text = NULL;
        long size = BIO_get_mem_data(bio, &text);
        error = air_buffer_append(out, text, (size_t)size);
    }
    BIO_free(bio);
    return error;
}

/* Find the one key of a text. `openssl ecparam -genkey` writes the curve's name in a block of its
 * own before the key, which says it again: that one is passed over. */
static enum air_error find_key(air_span pem, air_span *block, air_span *label) {
    if (pem.size > AIR_KEY_PEM_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    bool junk = false;
    air_span rest = pem;
    if (!air_pem_next(&rest, block, label, &junk) || junk) {
        return AIR_ERR_MALFORMED;
    }
    if (air_span_equal_text(*label, "EC PARAMETERS") &&
        (!air_pem_next(&rest, block, label, &junk) || junk)) {
        return AIR_ERR_MALFORMED;
    }
    return air_span_trim(rest).size == 0 ? AIR_OK : AIR_ERR_MALFORMED;
}

static const struct form *find_form(air_span label) {
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (air_span_equal_text(label, forms[i].label)) {
            return &forms[i];
        }
    }
    return NULL;
}

static EVP_PKEY *decode(const struct form *form, const uint8_t *der, size_t size) {
    EVP_PKEY *pkey = NULL;
    OSSL_DECODER_CTX *context = OSSL_DECODER_CTX_new_for_pkey(
        &pkey, "DER", form->structure, form->algorithm, EVP_PKEY_KEYPAIR, NULL, NULL);
    if (context == NULL) {
        return NULL;
    }
    bool whole = OSSL_DECODER_CTX_set_pem_password_cb(context, refuse_password, NULL) == 1 &&
                 OSSL_DECODER_from_data(context, &der, &size) == 1 && size == 0;
    OSSL_DECODER_CTX_free(context);
    if (!whole) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

/* Without this OpenSSL would ask at the terminal. */
static int refuse_password(char *out, int size, int is_writing, void *context) {
    (void)out;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static const struct air_openssl_kind *usable_kind(EVP_PKEY *pkey) {
    const struct air_openssl_kind *kind = air_openssl_kind_of_key(pkey);
    if (kind == NULL || !signs_for_itself(pkey, kind->digest)) {
        return NULL;
    }
    return kind->group != NULL || has_short_exponent(pkey) ? kind : NULL;
}

/* Whether an RSA exponent is one CAs take (CA/B Forum Baseline Requirements 6.1.6): odd, and not so
 * long that checking a signature is slow. */
static bool has_short_exponent(const EVP_PKEY *pkey) {
    BIGNUM *exponent = NULL;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) {
        return false;
    }
    bool fits = BN_is_odd(exponent) && !BN_is_one(exponent) && BN_num_bits(exponent) <= 64;
    BN_free(exponent);
    return fits;
}

/* Quicker than testing primes, and it proves what matters: the halves belong together. */
static bool signs_for_itself(EVP_PKEY *pkey, const char *digest) {
    static const uint8_t probe[] = "thinair";
    uint8_t signature[AIR_SIGNATURE_SIZE_MAX];
    size_t size = sizeof(signature);
    bool good = false;
    EVP_MD_CTX *signer = EVP_MD_CTX_new();
    EVP_MD_CTX *verifier = EVP_MD_CTX_new();
    if (signer == NULL || verifier == NULL) {
        goto done;
    }
    good = EVP_DigestSignInit_ex(signer, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
           EVP_DigestSign(signer, signature, &size, probe, sizeof(probe)) == 1 &&
           EVP_DigestVerifyInit_ex(verifier, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
           EVP_DigestVerify(verifier, signature, size, probe, sizeof(probe)) == 1;
done:
    EVP_MD_CTX_free(signer);
    EVP_MD_CTX_free(verifier);
    return good;
}
