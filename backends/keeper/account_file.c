/* SPDX-License-Identifier: MIT */
/*
 * The file with an account's private key, as other ACME clients leave it or as we make it: a JWK
 * (RFC 7517) of one ECDSA P-256 key.
 *
 * Invariant: a file that is there is never written, whatever is in it: it may be the only copy of
 * the key of an account.
 */
#include "thinair/account_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/base64url.h"
#include "src/base/span.h"
#include "thinair/jose.h"

/* Largest file: a JWK of an RSA key of 4096 bits has 3300 bytes. */
#define FILE_SIZE_MAX 65536
#define SCALAR_SIZE 32
#define PATH_SIZE 1200

static enum air_error say(struct air_buffer *reason, const char *path, const char *what, int number,
    enum air_error error);
static enum air_error open_folder(
    const char *path, int *folder, const char **name, struct air_buffer *reason);
static enum air_error read_file(int folder, const char *name, const char *path,
    struct air_buffer *text, struct air_buffer *reason);
static enum air_error import(
    air_span text, struct air_crypto *crypto, uint64_t *key, struct air_buffer *pem);
static enum air_error make(int folder, const char *name, const char *path,
    struct air_crypto *crypto, uint64_t *key, struct air_buffer *reason);

enum air_error air_account_file_load(
    const char *path, struct air_crypto *crypto, uint64_t *key, struct air_buffer *reason) {
    struct air_buffer text;
    struct air_buffer pem;
    const char *name = NULL;
    int folder = -1;
    enum air_error error = open_folder(path, &folder, &name, reason);

    air_buffer_init(&text, FILE_SIZE_MAX);
    air_buffer_init(&pem, AIR_KEY_PEM_SIZE_MAX);
    if (error == AIR_OK) {
        error = read_file(folder, name, path, &text, reason);
        if (error == AIR_ERR_NOT_FOUND) {
            error = make(folder, name, path, crypto, key, reason);
        } else if (error == AIR_OK) {
            error = import(air_buffer_span(&text), crypto, key, &pem);
            if (error != AIR_OK && error != AIR_ERR_NO_MEMORY) {
                error = say(reason, path,
                    "holds no private key that can serve: a JWK or an unencrypted PEM of an RSA or "
                    "ECDSA key is wanted",
                    0, AIR_ERR_BAD_KEY);
            }
        }
    }
    air_buffer_deinit(&text);
    air_buffer_deinit(&pem);
    if (folder >= 0) {
        (void)close(folder);
    }
    return error;
}

static enum air_error say(struct air_buffer *reason, const char *path, const char *what, int number,
    enum air_error error) {
    air_buffer_append_text(reason, path);
    air_buffer_append_byte(reason, ' ');
    air_buffer_append_text(reason, what);
    if (number != 0) {
        air_buffer_append_text(reason, ": ");
        air_buffer_append_text(reason, strerror(number));
    }
    return error;
}

static bool is_safe(const struct stat *status, mode_t forbidden) {
    return (status->st_uid == 0 || status->st_uid == geteuid()) &&
           (status->st_mode & forbidden) == 0;
}

static enum air_error open_folder(
    const char *path, int *folder, const char **name, struct air_buffer *reason) {
    char text[PATH_SIZE];
    struct stat status;
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash[1] == '\0' || strlen(path) >= sizeof(text)) {
        return say(reason, path, "is not the absolute path of a file", 0, AIR_ERR_ARGUMENT);
    }
    *name = slash + 1;
    (void)snprintf(text, sizeof(text), "%.*s", (int)(*name - path), path);
    *folder = open(text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder < 0 && errno == ENOENT) {
        return say(reason, text, "does not exist: make it, with mode 0700", 0, AIR_ERR_NOT_FOUND);
    }
    if (*folder < 0 || fstat(*folder, &status) != 0) {
        return say(reason, text, "cannot be opened", errno, AIR_ERR_PERMISSION);
    }
    if (!is_safe(&status, S_IWGRP | S_IWOTH)) {
        return say(reason, text,
            "is open to others, who could replace the key: make it root's, with mode 0700", 0,
            AIR_ERR_PERMISSION);
    }
    return AIR_OK;
}

static enum air_error read_file(int folder, const char *name, const char *path,
    struct air_buffer *text, struct air_buffer *reason) {
    const int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    enum air_error error = AIR_OK;

    if (file < 0 && errno == ENOENT) {
        return AIR_ERR_NOT_FOUND;
    }
    if (file < 0 || fstat(file, &status) != 0) {
        error = say(reason, path, "cannot be opened", errno, AIR_ERR_PERMISSION);
    } else if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX) {
        error = say(reason, path, "is no file of a key's size", 0, AIR_ERR_BAD_KEY);
    } else if (!is_safe(&status, S_IRWXG | S_IRWXO)) {
        error = say(reason, path, "is open to others: give it mode 0600", 0, AIR_ERR_PERMISSION);
    } else if (status.st_size > 0) {
        uint8_t *data = air_buffer_extend(text, (size_t)status.st_size);

        if (data == NULL) {
            error = AIR_ERR_NO_MEMORY;
        } else if (pread(file, data, (size_t)status.st_size, 0) != status.st_size) {
            error = say(reason, path, "cannot be read", errno, AIR_ERR_STORAGE);
        }
    }
    if (file >= 0) {
        (void)close(file);
    }
    return error;
}

static enum air_error import(
    air_span text, struct air_crypto *crypto, uint64_t *key, struct air_buffer *pem) {
    const air_span trimmed = air_span_trim(text);
    enum air_error error = AIR_OK;

    if (air_span_starts_with(trimmed, "{")) {
        error = air_jwk_private_read(trimmed, pem);
    } else {
        error = air_buffer_append_span(pem, text);
    }
    return error == AIR_OK ? crypto->key_import(crypto->self, air_buffer_span(pem), key) : error;
}

/* The private scalar of a P-256 key (RFC 7518 section 6.2.2.1), at full width. */
static enum air_error scalar(air_span pem, uint8_t out[SCALAR_SIZE]) {
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIGNUM *number = NULL;
    enum air_error error = AIR_ERR_CRYPTO;

    if (key != NULL && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
        BN_bn2binpad(number, out, SCALAR_SIZE) == SCALAR_SIZE) {
        error = AIR_OK;
    }
    BN_clear_free(number);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return error;
}

/* A private JWK is the public one with d in it. */
static enum air_error write_jwk(
    const struct air_crypto *crypto, uint64_t key, struct air_buffer *out) {
    struct air_public_key public_key;
    struct air_buffer text;
    uint8_t d[SCALAR_SIZE];
    enum air_error error = crypto->key_public(crypto->self, key, &public_key);

    air_buffer_init(&text, AIR_KEY_PEM_SIZE_MAX);
    if (error == AIR_OK) {
        error = crypto->key_export(crypto->self, key, &text);
    }
    if (error == AIR_OK) {
        error = scalar(air_buffer_span(&text), d);
    }
    air_buffer_clear(&text);
    if (error == AIR_OK) {
        error = air_jwk_write(&public_key, &text);
    }
    if (error == AIR_OK) {
        air_buffer_append_text(out, "{\"d\":\"");
        air_base64url_encode(air_span_of(d, sizeof(d)), out);
        air_buffer_append_text(out, "\",");
        air_buffer_append_span(out, air_span_skip(air_buffer_span(&text), 1));
        error = air_buffer_append_byte(out, '\n');
    }
    OPENSSL_cleanse(d, sizeof(d));
    air_buffer_deinit(&text);
    return error;
}

/* Nobody else can write in the folder; a link that is there already is not replaced. */
static int write_file(int folder, const char *name, air_span value) {
    char fresh[PATH_SIZE];
    int file;
    int number = 0;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", name);
    (void)unlinkat(folder, fresh, 0);
    file = openat(
        folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0 || write(file, value.data, value.size) != (ssize_t)value.size ||
        fsync(file) != 0) {
        number = errno != 0 ? errno : EIO;
    }
    if (file >= 0 && close(file) != 0 && number == 0) {
        number = errno;
    }
    if (number == 0 &&
        (renameat2(folder, fresh, folder, name, RENAME_NOREPLACE) != 0 || fsync(folder) != 0)) {
        number = errno;
    }
    return number;
}

static enum air_error make(int folder, const char *name, const char *path,
    struct air_crypto *crypto, uint64_t *key, struct air_buffer *reason) {
    struct air_buffer jwk;
    int number = 0;
    enum air_error error = crypto->key_generate_slow(crypto->self, AIR_KEY_ECDSA_P256, key);

    air_buffer_init(&jwk, AIR_KEY_PEM_SIZE_MAX);
    if (error == AIR_OK) {
        error = write_jwk(crypto, *key, &jwk);
    }
    if (error == AIR_OK) {
        number = write_file(folder, name, air_buffer_span(&jwk));
    }
    if (number != 0) {
        error = say(reason, path, "cannot be made", number, AIR_ERR_STORAGE);
    }
    air_buffer_deinit(&jwk);
    return error;
}
