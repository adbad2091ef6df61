/* SPDX-License-Identifier: MIT */
/*
 * What a pair is: a PEM text whose certificates all can be read, and the private key of the first.
 * Whether anybody trusts it, or its dates fit, is not asked: the engine did that, or an operator.
 *
 * Invariant: a lack of memory is never taken for a pair that does not match.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "backends/keeper/pair_parts.h"

static enum air_error failure(void);
static int refuse_password(char *out, int size, int is_writing, void *context);
static enum air_error read_chain(air_span chain, X509 **leaf);
static enum air_error read_rest(BIO *bio);

enum air_error air_pair_match(air_span chain, air_span key) {
    X509 *leaf = NULL;
    EVP_PKEY *pkey = NULL;
    BIO *bio = NULL;
    enum air_error error;

    if (chain.size > AIR_CHAIN_SIZE_MAX || key.size > AIR_KEY_PEM_SIZE_MAX) {
        return AIR_ERR_LIMIT;
    }
    if (chain.size == 0 || key.size == 0) {
        return AIR_ERR_BAD_CERTIFICATE;
    }
    (void)ERR_set_mark();
    error = read_chain(chain, &leaf);
    if (error == AIR_OK) {
        bio = BIO_new_mem_buf(key.data, (int)key.size);
        pkey = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL) : NULL;
        error = pkey != NULL && X509_check_private_key(leaf, pkey) == 1 ? AIR_OK : failure();
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    X509_free(leaf);
    (void)ERR_pop_to_mark();
    return error;
}

static enum air_error failure(void) {
    return ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE ? AIR_ERR_NO_MEMORY
                                                                         : AIR_ERR_BAD_CERTIFICATE;
}

static int refuse_password(char *out, int size, int is_writing, void *context) {
    (void)out;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static enum air_error read_chain(air_span chain, X509 **leaf) {
    BIO *bio = BIO_new_mem_buf(chain.data, (int)chain.size);
    enum air_error error = AIR_ERR_NO_MEMORY;

    if (bio != NULL) {
        *leaf = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);
        error = *leaf != NULL ? read_rest(bio) : failure();
    }
    BIO_free(bio);
    return error;
}

/* Servers read them all, and refuse the file for one that is damaged. */
static enum air_error read_rest(BIO *bio) {
    for (;;) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, refuse_password, NULL);

        if (certificate == NULL) {
            return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? AIR_OK
                                                                                : failure();
        }
        X509_free(certificate);
    }
}
