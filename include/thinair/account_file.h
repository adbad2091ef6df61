/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_ACCOUNT_FILE_H
#define THINAIR_ACCOUNT_FILE_H

/*
 * A file with an account's private key: a JWK (RFC 7517) or PEM, as other ACME clients leave it.
 */

#include "thinair/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Read the key into a crypto port. A file that is missing is made: ECDSA P-256, JWK, mode 0600, in
 * a directory that must be there. One that is there is never written.
 *
 * path    Terminated, absolute.
 * key     Yours: key_free of the port.
 * reason  On failure a sentence that names the path and says what to change; may be NULL.
 *
 * Returns AIR_OK, AIR_ERR_BAD_KEY (no key that can serve), AIR_ERR_PERMISSION (the file is open to
 * others, or others may write its directory), AIR_ERR_NOT_FOUND (there is no such directory),
 * AIR_ERR_STORAGE, AIR_ERR_STORAGE_FULL or AIR_ERR_NO_MEMORY.
 */
AIR_API AIR_MUST_CHECK enum air_error air_account_file_load(
    const char *path, struct air_crypto *crypto, uint64_t *key, struct air_buffer *reason);

#ifdef __cplusplus
}
#endif

#endif
