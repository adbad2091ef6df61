/* SPDX-License-Identifier: MIT */
#ifndef AIR_KEEPER_ACCOUNT_FILE_H
#define AIR_KEEPER_ACCOUNT_FILE_H

#include "thinair/crypto.h"

/* Read the account's private key, JWK or PEM, into the port; make the file when it is missing.
 * Errors as air_keeper_start() says of account_path; reason gets a sentence. */
enum air_error air_account_file_load(
    const char *path, struct air_crypto *crypto, uint64_t *key, struct air_buffer *reason);

#endif
