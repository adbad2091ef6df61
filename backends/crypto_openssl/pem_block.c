/* SPDX-License-Identifier: MIT */
/*
 * From one PEM block to its DER, by OpenSSL's reader.
 *
 * Where blocks begin and end, and what stands around them, is src/base/pem.h's. OpenSSL sees
 * exactly the bytes of the block, and is told to wipe what it used (R-A6).
 */

#include "backends/crypto_openssl/pem_block.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>

enum air_error air_openssl_pem_decode(air_span block, uint8_t **der, size_t *der_size) {
    if (block.size == 0 || block.size > INT_MAX) {
        return AIR_ERR_MALFORMED;
    }
    BIO *bio = BIO_new_mem_buf(block.data, (int)block.size);
    if (bio == NULL) {
        return AIR_ERR_NO_MEMORY;
    }
    char *label = NULL;
    char *headers = NULL;
    unsigned char *data = NULL;
    long size = 0;
    enum air_error error = AIR_ERR_MALFORMED;
    if (PEM_read_bio_ex(bio, &label, &headers, &data, &size, PEM_FLAG_SECURE) == 1 && size > 0) {
        error = headers[0] == '\0' ? AIR_OK : AIR_ERR_UNSUPPORTED;
    }
    if (error == AIR_OK) {
        *der = data;
        *der_size = (size_t)size;
    } else {
        OPENSSL_clear_free(data, size > 0 ? (size_t)size : 0);
    }
    OPENSSL_free(label);
    OPENSSL_free(headers);
    BIO_free(bio);
    return error;
}
