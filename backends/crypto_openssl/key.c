/* SPDX-License-Identifier: MIT */
/*
 * Making keys, telling their kind, giving their public half.
 *
 * The table of kinds is the whole list of keys this backend knows; every other file asks it. PEM is
 * key_pem.c's, handles are keys.c's.
 */

#include "backends/crypto_openssl/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <string.h>

static const struct air_openssl_kind kinds[] = {
    {AIR_KEY_ECDSA_P256, AIR_ES256, "EC", "P-256", "prime256v1", "SHA256", 32},
    {AIR_KEY_ECDSA_P384, AIR_ES384, "EC", "P-384", "secp384r1", "SHA384", 48},
    {AIR_KEY_RSA_2048, AIR_RS256, "RSA", NULL, NULL, "SHA256", 256},
    {AIR_KEY_RSA_3072, AIR_RS256, "RSA", NULL, NULL, "SHA256", 384},
    {AIR_KEY_RSA_4096, AIR_RS256, "RSA", NULL, NULL, "SHA256", 512},
};
static const size_t kinds_count = sizeof(kinds) / sizeof(kinds[0]);

static bool is_of_kind(const EVP_PKEY *pkey, const struct air_openssl_kind *kind);
static bool has_explicit_curve(const EVP_PKEY *pkey);
static bool write_number(
    const EVP_PKEY *pkey, const char *parameter, size_t width, uint8_t *out, size_t *out_size);

const struct air_openssl_kind *air_openssl_kind_of(enum air_key_type type) {
    for (size_t i = 0; i < kinds_count; i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return NULL;
}

const struct air_openssl_kind *air_openssl_kind_of_key(const EVP_PKEY *pkey) {
    for (size_t i = 0; i < kinds_count; i++) {
        if (is_of_kind(pkey, &kinds[i])) {
            return &kinds[i];
        }
    }
    return NULL;
}

enum air_error air_openssl_key_generate(const struct air_openssl_kind *kind, EVP_PKEY **out) {
    EVP_PKEY *pkey = kind->group != NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind->group)
                                         : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", kind->width * 8);
    if (pkey == NULL) {
        return AIR_ERR_CRYPTO;
    }
    *out = pkey;
    return AIR_OK;
}

enum air_error air_openssl_key_public(
    const struct air_openssl_kind *kind, const EVP_PKEY *pkey, struct air_public_key *out) {
    struct air_public_key key = {.type = kind->type};
    bool written = false;
    if (kind->group != NULL) {
        written =
            write_number(
                pkey, OSSL_PKEY_PARAM_EC_PUB_X, kind->width, key.x_or_n, &key.x_or_n_size) &&
            write_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, kind->width, key.y_or_e, &key.y_or_e_size);
    } else {
        key.y_or_e_size = sizeof(key.y_or_e);
        written =
            write_number(pkey, OSSL_PKEY_PARAM_RSA_N, kind->width, key.x_or_n, &key.x_or_n_size) &&
            write_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0, key.y_or_e, &key.y_or_e_size);
    }
    if (!written) {
        return AIR_ERR_CRYPTO;
    }
    *out = key;
    return AIR_OK;
}

static bool is_of_kind(const EVP_PKEY *pkey, const struct air_openssl_kind *kind) {
    if (!EVP_PKEY_is_a(pkey, kind->name)) {
        return false;
    }
    if (kind->group == NULL) {
        return EVP_PKEY_get_bits(pkey) == (int)(kind->width * 8);
    }
    char group[64];
    size_t size = 0;
    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &size) != 1) {
        return false;
    }
    bool named = strcmp(group, kind->group) == 0 || strcmp(group, kind->alias) == 0;
    return named && !has_explicit_curve(pkey);
}

static bool has_explicit_curve(const EVP_PKEY *pkey) {
    int is_explicit = 0;
    const char *parameter = OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS;
    return EVP_PKEY_get_int_param(pkey, parameter, &is_explicit) == 1 && is_explicit != 0;
}

/* Write a number of the key big-endian: padded to width, or, when width is 0, as short as it is. */
static bool write_number(
    const EVP_PKEY *pkey, const char *parameter, size_t width, uint8_t *out, size_t *out_size) {
    bool written = false;
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, parameter, &number) != 1) {
        return false;
    }
    size_t size = (size_t)BN_num_bytes(number);
    if (width == 0 && size <= *out_size) {
        width = size;
    }
    if (width > 0 && BN_bn2binpad(number, out, (int)width) == (int)width) {
        *out_size = width;
        written = true;
    }
    BN_free(number);
    return written;
}
