/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL as the second opinion on what a backend makes.
 *
 * Nothing here is shared with the backends: a mistake would have to be made twice, in different
 * words, to pass.
 */

#include "tests/contract/crypto/oracle.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <string.h>

#include "tests/support/test.h"

static void append_bio(BIO *bio, struct air_buffer *out);
static void append_header(uint8_t tag, size_t size, struct air_buffer *out);
static size_t jws_to_der(enum air_algorithm algorithm, air_span jws, uint8_t *der);

uint64_t air_oracle_generate(const struct air_crypto *port, enum air_key_type type) {
    uint64_t key = 0;
    assert_ok(port->key_generate_slow(port->self, type, &key));
    assert_int_not_equal(key, 0);
    return key;
}

EVP_PKEY *air_oracle_key(const struct air_crypto *port, uint64_t key) {
    struct air_buffer pem;
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    assert_ok(port->key_export(port->self, key, &pem));
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *read = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(read);
    BIO_free(bio);
    air_buffer_deinit(&pem);
    return read;
}

void air_oracle_pem(const char *label, air_span der, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio(bio, label, "", der.data, (long)der.size) > 0);
    append_bio(bio, out);
}

void air_oracle_pkcs8(EVP_PKEY *key, const char *password, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password == NULL ? NULL : EVP_aes_256_cbc();
    int size = password == NULL ? 0 : (int)strlen(password);
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, password, size, NULL, NULL), 1);
    append_bio(bio, out);
}

void air_oracle_traditional(EVP_PKEY *key, const char *password, struct air_buffer *out) {
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = password == NULL ? NULL : EVP_aes_256_cbc();
    int size = password == NULL ? 0 : (int)strlen(password);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(
                         bio, key, cipher, (const unsigned char *)password, size, NULL, NULL),
        1);
    append_bio(bio, out);
}

bool air_oracle_verify(EVP_PKEY *key, enum air_algorithm algorithm, air_span data, air_span jws) {
    uint8_t der[AIR_SIGNATURE_SIZE_MAX];
    const EVP_MD *digest = algorithm == AIR_ES384 ? EVP_sha384() : EVP_sha256();
    if (algorithm != AIR_RS256) {
        jws = air_span_of(der, jws_to_der(algorithm, jws, der));
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, digest, NULL, key), 1);
    bool fits = EVP_DigestVerify(context, jws.data, jws.size, data.data, data.size) == 1;
    EVP_MD_CTX_free(context);
    return fits;
}

X509 *air_oracle_certificate(air_span pem) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(certificate);
    BIO_free(bio);
    return certificate;
}

void air_oracle_names(const air_span *names, size_t names_count, struct air_buffer *out) {
    struct air_buffer list;
    air_buffer_init(&list, 100000);
    for (size_t i = 0; i < names_count; i++) {
        append_header(0x82, names[i].size, &list); /* [2] IMPLICIT IA5String */
        assert_ok(air_buffer_append_span(&list, names[i]));
    }
    append_header(0x30, list.size, out);
    assert_ok(air_buffer_append_span(out, air_buffer_span(&list)));
    air_buffer_deinit(&list);
}

void air_oracle_assert_extension(
    const X509_EXTENSION *extension, air_span oid, bool is_critical, air_span value) {
    struct air_buffer content;
    struct air_buffer expected;
    unsigned char *der = NULL;
    air_buffer_init(&content, 100000);
    air_buffer_init(&expected, 100000);
    append_header(0x06, oid.size, &content);
    assert_ok(air_buffer_append_span(&content, oid));
    if (is_critical) {
        assert_ok(air_buffer_append_span(&content, SPAN("\x01\x01\xff")));
    }
    append_header(0x04, value.size, &content);
    assert_ok(air_buffer_append_span(&content, value));
    append_header(0x30, content.size, &expected);
    assert_ok(air_buffer_append_span(&expected, air_buffer_span(&content)));

    int size = i2d_X509_EXTENSION(extension, &der);
    assert_int_equal(size, expected.size);
    assert_memory_equal(der, expected.data, expected.size);
    OPENSSL_free(der);
    air_buffer_deinit(&content);
    air_buffer_deinit(&expected);
}

/* Append what a memory BIO holds, and free it. */
static void append_bio(BIO *bio, struct air_buffer *out) {
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);
    assert_ok(air_buffer_append(out, text, (size_t)size));
    BIO_free(bio);
}

/* Tag and length of a DER value (X.690 section 8.1.3). */
static void append_header(uint8_t tag, size_t size, struct air_buffer *out) {
    assert_true(size < 65536);
    assert_ok(air_buffer_append_byte(out, tag));
    if (size >= 256) {
        assert_ok(air_buffer_append_byte(out, 0x82));
        assert_ok(air_buffer_append_byte(out, (uint8_t)(size >> 8)));
    } else if (size >= 128) {
        assert_ok(air_buffer_append_byte(out, 0x81));
    }
    assert_ok(air_buffer_append_byte(out, (uint8_t)(size & 0xff)));
}

/* R||S as DER; the test fails when it has not the algorithm's width. */
static size_t jws_to_der(enum air_algorithm algorithm, air_span jws, uint8_t *der) {
    int width = algorithm == AIR_ES384 ? 48 : 32;
    assert_int_equal(jws.size, 2 * width);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(jws.data, width, NULL);
    BIGNUM *s = BN_bin2bn(jws.data + width, width, NULL);
    assert_int_equal(ECDSA_SIG_set0(signature, r, s), 1);
    int size = i2d_ECDSA_SIG(signature, &der);
    assert_true(size > 0);
    ECDSA_SIG_free(signature);
    return (size_t)size;
}
