/* SPDX-License-Identifier: MIT */
/*
 * Public keys from PEM, with OpenSSL. Whether a key is plausible is for the crypto port to say, at
 * the first signature that is checked with it.
 *
 * Invariant: OpenSSL's error queue is left as it was: it is the host's.
 */

#include "hosts/haproxy/jose_pem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "src/base/pem.h"
#include "src/base/span.h"

static const struct {
    enum air_key_type type;
    const char *name;
    const char *group; /* NULL: not EC */
    int bits;
    size_t width; /* of a coordinate, of the modulus */
} kinds[] = {
    {AIR_KEY_ECDSA_P256, "EC", "prime256v1", 256, 32},
    {AIR_KEY_ECDSA_P384, "EC", "secp384r1", 384, 48},
    {AIR_KEY_RSA_2048, "RSA", NULL, 2048, 256},
    {AIR_KEY_RSA_3072, "RSA", NULL, 3072, 384},
    {AIR_KEY_RSA_4096, "RSA", NULL, 4096, 512},
};

static enum air_error read_key(air_span block, struct air_public_key *out);
static enum air_error take(const EVP_PKEY *pkey, struct air_public_key *out);
static bool has_group(const EVP_PKEY *pkey, const char *group);
static bool take_number(
    const EVP_PKEY *pkey, const char *name, size_t width, size_t room, uint8_t *out, size_t *size);

enum air_error air_jose_pem_read(air_span pem, struct air_public_key *out) {
    size_t count = 0;
    if (pem.size > AIR_KEY_PEM_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (!air_pem_is_only(pem, "PUBLIC KEY", &count) || count != 1) {
        return AIR_ERR_MALFORMED;
    }
    (void)ERR_set_mark();
    enum air_error error = read_key(pem, out);
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error read_key(air_span block, struct air_public_key *out) {
    BIO *bio = BIO_new_mem_buf(block.data, (int)block.size);
    if (bio == NULL) {
        return AIR_ERR_CRYPTO;
    }
    enum air_error error = AIR_ERR_MALFORMED;
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (pkey != NULL) {
        error = take(pkey, out);
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return error;
}

static enum air_error take(const EVP_PKEY *pkey, struct air_public_key *out) {
    struct air_public_key key = {0};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t width = kinds[i].width;
        if (!EVP_PKEY_is_a(pkey, kinds[i].name) || EVP_PKEY_get_bits(pkey) != kinds[i].bits ||
            (kinds[i].group != NULL && !has_group(pkey, kinds[i].group))) {
            continue;
        }
        key.type = kinds[i].type;
        bool is_ec = kinds[i].group != NULL;
        bool is_taken = take_number(pkey, is_ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_N,
                            width, sizeof(key.x_or_n), key.x_or_n, &key.x_or_n_size) &&
                        take_number(pkey, is_ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_E,
                            is_ec ? width : 0, sizeof(key.y_or_e), key.y_or_e, &key.y_or_e_size);
        *out = key;
        return is_taken ? AIR_OK : AIR_ERR_UNSUPPORTED;
    }
    return AIR_ERR_UNSUPPORTED;
}

static bool has_group(const EVP_PKEY *pkey, const char *group) {
    char name[64];
    size_t size = 0;
    return EVP_PKEY_get_group_name(pkey, name, sizeof(name), &size) == 1 &&
           strcmp(name, group) == 0;
}

/* Big-endian, padded to width; width 0: as short as the number is. */
static bool take_number(
    const EVP_PKEY *pkey, const char *name, size_t width, size_t room, uint8_t *out, size_t *size) {
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1) {
        return false;
    }
    if (width == 0) {
        width = (size_t)BN_num_bytes(number);
    }
    bool is_taken = width <= room && BN_bn2binpad(number, out, (int)width) == (int)width;
    *size = is_taken ? width : 0;
    BN_free(number);
    return is_taken;
}
