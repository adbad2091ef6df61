/* SPDX-License-Identifier: MIT */
#ifndef THINAIR_OPENSSL_H
#define THINAIR_OPENSSL_H

/*
 * The crypto port on OpenSSL 3.0 and later.
 */

#include "thinair/crypto.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Make a crypto port. RSA keys answer AIR_ERR_LATER from key_generate; everything else is answered
 * at once.
 *
 * out  Yours: give it back to air_crypto_openssl_free() when no engine uses it. Keys not freed
 * before are wiped.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY or AIR_ERR_CRYPTO (the library gives no random bytes).
 */
AIR_API AIR_MUST_CHECK enum air_error air_crypto_openssl_new(struct air_crypto **out);
AIR_API void air_crypto_openssl_free(struct air_crypto *crypto);

#ifdef __cplusplus
}
#endif

#endif
