/* SPDX-License-Identifier: MIT */
/*
 * Signing and verifying as JWS wants it.
 *
 * OpenSSL speaks ECDSA signatures in DER, JWS wants R||S at full width, also when R or S begins
 * with zero octets (R-A13); the two are turned into each other here and nowhere else. A signature
 * of any other width is refused before it is looked at.
 */

#include "backends/crypto_openssl/signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <string.h>

/* An uncompressed point on the widest curve: 04, x, y (SEC 1 section 2.3.3). */
#define POINT_SIZE_MAX (1 + 2 * 48)

static enum air_error widen(
    const uint8_t *der, size_t der_size, size_t width, uint8_t *out, size_t *out_size);
static bool narrow(air_span signature, size_t width, uint8_t *der, size_t *der_size);
static bool is_plausible(const struct air_openssl_kind *kind, const struct air_public_key *key);
static enum air_error import_public(
    const struct air_openssl_kind *kind, const struct air_public_key *key, EVP_PKEY **out);
static bool push_point(
    OSSL_PARAM_BLD *builder, const struct air_public_key *key, uint8_t point[POINT_SIZE_MAX]);
static EVP_PKEY *build(const char *algorithm, OSSL_PARAM_BLD *builder);
static const uint8_t *bytes_of(air_span span);

enum air_error air_openssl_signature_make(const struct air_openssl_kind *kind, EVP_PKEY *pkey,
    enum air_algorithm algorithm, air_span data, uint8_t *out, size_t *out_size) {
    if (algorithm != kind->algorithm) {
        return AIR_ERR_BAD_KEY;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    uint8_t made[AIR_SIGNATURE_SIZE_MAX];
    size_t size = sizeof(made);
    enum air_error error = AIR_ERR_CRYPTO;
    if (EVP_DigestSignInit_ex(context, NULL, kind->digest, NULL, NULL, pkey, NULL) == 1 &&
        EVP_DigestSign(context, made, &size, bytes_of(data), data.size) == 1) {
        error = AIR_OK;
    }
    EVP_MD_CTX_free(context);
    if (error == AIR_OK && kind->group != NULL) {
        error = widen(made, size, kind->width, out, out_size);
    } else if (error == AIR_OK) {
        memcpy(out, made, size);
        *out_size = size;
    }
    return error;
}

enum air_error air_openssl_signature_check(const struct air_public_key *key,
    enum air_algorithm algorithm, air_span data, air_span signature) {
    const struct air_openssl_kind *kind = air_openssl_kind_of(key->type);
    if (kind == NULL || kind->algorithm != algorithm || !is_plausible(kind, key)) {
        return AIR_ERR_BAD_KEY;
    }
    EVP_PKEY *pkey = NULL;
    EVP_MD_CTX *context = NULL;
    uint8_t der[AIR_SIGNATURE_SIZE_MAX];
    size_t der_size = sizeof(der);
    enum air_error error = import_public(kind, key, &pkey);
    if (error != AIR_OK) {
        return error;
    }
    error = AIR_ERR_REFUSED;
    if (kind->group != NULL) {
        if (!narrow(signature, kind->width, der, &der_size)) {
            goto done;
        }
        signature = (air_span){der, der_size};
    } else if (signature.size != kind->width) {
        goto done;
    }
    context = EVP_MD_CTX_new();
    if (context == NULL ||
        EVP_DigestVerifyInit_ex(context, NULL, kind->digest, NULL, NULL, pkey, NULL) != 1) {
        error = AIR_ERR_CRYPTO;
        goto done;
    }
    if (EVP_DigestVerify(context, signature.data, signature.size, bytes_of(data), data.size) == 1) {
        error = AIR_OK;
    }
done:
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return error;
}

/* From DER to R||S. */
static enum air_error widen(
    const uint8_t *der, size_t der_size, size_t width, uint8_t *out, size_t *out_size) {
    const unsigned char *end = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &end, (long)der_size);
    if (signature == NULL) {
        return AIR_ERR_CRYPTO;
    }
    int half = (int)width;
    bool written = BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, half) == half &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + width, half) == half;
    ECDSA_SIG_free(signature);
    if (!written) {
        return AIR_ERR_CRYPTO;
    }
    *out_size = 2 * width;
    return AIR_OK;
}

/* From R||S to DER; false when the width is wrong. */
static bool narrow(air_span signature, size_t width, uint8_t *der, size_t *der_size) {
    if (signature.size != 2 * width) {
        return false;
    }
    bool written = false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.data, (int)width, NULL);
    BIGNUM *s = BN_bin2bn(signature.data + width, (int)width, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        goto done;
    }
    int size = i2d_ECDSA_SIG(pair, NULL);
    if (size > 0 && (size_t)size <= *der_size) {
        unsigned char *end = der;
        *der_size = (size_t)i2d_ECDSA_SIG(pair, &end);
        written = true;
    }
done:
    ECDSA_SIG_free(pair);
    return written;
}

/* Whether the members have the sizes their type says. An RSA exponent of 1, or an even one, would
 * let anybody sign. */
static bool is_plausible(const struct air_openssl_kind *kind, const struct air_public_key *key) {
    if (key->x_or_n_size != kind->width) {
        return false;
    }
    if (kind->group != NULL) {
        return key->y_or_e_size == kind->width;
    }
    size_t e_size = key->y_or_e_size;
    if (e_size == 0 || e_size > 8 || (key->y_or_e[e_size - 1] & 1) == 0) {
        return false;
    }
    bool is_one = e_size == 1 && key->y_or_e[0] == 1;
    return !is_one && key->y_or_e[0] != 0 && (key->x_or_n[0] & 0x80) != 0;
}

static enum air_error import_public(
    const struct air_openssl_kind *kind, const struct air_public_key *key, EVP_PKEY **out) {
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    uint8_t point[POINT_SIZE_MAX];
    bool pushed = false;
    enum air_error error = AIR_ERR_NO_MEMORY;
    if (builder == NULL) {
        goto done;
    }
    if (kind->group != NULL) {
        pushed = OSSL_PARAM_BLD_push_utf8_string(
                     builder, OSSL_PKEY_PARAM_GROUP_NAME, kind->group, 0) == 1 &&
                 push_point(builder, key, point);
    } else {
        n = BN_bin2bn(key->x_or_n, (int)key->x_or_n_size, NULL);
        e = BN_bin2bn(key->y_or_e, (int)key->y_or_e_size, NULL);
        pushed = n != NULL && e != NULL &&
                 OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
                 OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1;
    }
    if (pushed) {
        /* A point that is not on the curve ends here. */
        *out = build(kind->name, builder);
        error = *out == NULL ? AIR_ERR_BAD_KEY : AIR_OK;
    }
done:
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(builder);
    return error;
}

/* The builder borrows point. */
static bool push_point(
    OSSL_PARAM_BLD *builder, const struct air_public_key *key, uint8_t point[POINT_SIZE_MAX]) {
    size_t width = key->x_or_n_size;
    point[0] = 4;
    memcpy(point + 1, key->x_or_n, width);
    memcpy(point + 1 + width, key->y_or_e, width);
    return OSSL_PARAM_BLD_push_octet_string(
               builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) == 1;
}

static EVP_PKEY *build(const char *algorithm, OSSL_PARAM_BLD *builder) {
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    if (parameters != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return pkey;
}

/* OpenSSL takes no NULL for data, not even for none. */
static const uint8_t *bytes_of(air_span span) {
    static const uint8_t nothing[1];
    return span.size > 0 ? span.data : nothing;
}
