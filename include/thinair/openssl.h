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

/*
 * A key that is made in steps, for a host that has no thread to spare and no time to wait: an RSA
 * key takes 0.2 s (2048 bits) to over a second (4096), in thousands of steps.
 *
 * A step goes from one callback of OpenSSL's key generation to the next. Most take well under a
 * millisecond, so a host makes them in a loop until the time it has is over. The longest is the
 * last, an exponentiation modulo n, which OpenSSL does in one go. Measured, CPU time, OpenSSL 3.0
 * and 3.6: 2.3 ms for RSA-2048, 8 ms for RSA-3072, 15 ms for RSA-4096, and half as much again where
 * other work crowds the core, so 4096 bits can pass 20 ms. All other steps stayed under 7 ms.
 * bench/generation.c measures it.
 *
 * Between steps the computation waits on a stack of its own: 128 KiB of address space. Steps of one
 * generation may be made by different threads, one at a time; different generations at the same
 * time. It is not taken across fork().
 */
struct air_openssl_generation;

/*
 * Begin. Nothing is computed yet.
 *
 * crypto  Of air_crypto_openssl_new(); must outlive the generation. The key will be one of its own.
 * type    Any; an ECDSA key is made in the first step.
 * out     Yours: air_openssl_generation_free(), also when the key is made.
 *
 * Returns AIR_OK, AIR_ERR_NO_MEMORY, or AIR_ERR_UNSUPPORTED: no such type here.
 */
AIR_API AIR_MUST_CHECK enum air_error air_openssl_generation_new(
    const struct air_crypto *crypto, enum air_key_type type, struct air_openssl_generation **out);

/*
 * Make one step.
 *
 * out  With AIR_OK the key's handle; it is as if key_generate_slow had made it: give it back with
 *      key_free.
 *
 * Returns AIR_ERR_LATER until the key is made, then AIR_OK, or AIR_ERR_CRYPTO (the library failed),
 * AIR_ERR_NO_MEMORY. After anything but AIR_ERR_LATER the generation has ended: AIR_ERR_STATE.
 */
AIR_API AIR_MUST_CHECK enum air_error air_openssl_generation_step(
    struct air_openssl_generation *generation, uint64_t *out);

/* Whether both primes of an RSA key are there: what comes next, the check of the key by one
 * exponentiation, is the longest step by far, and better not made behind others. */
AIR_API bool air_openssl_generation_is_ending(const struct air_openssl_generation *generation);

/*
 * Give it back. Before its end the generation is abandoned: OpenSSL is told to stop at its next
 * callback that can, which takes mostly 1 or 2 ms (measured: up to 15 with 4096 bits), and wipes
 * and frees its numbers; the stack is wiped here. A key that was handed out stays.
 */
AIR_API void air_openssl_generation_free(struct air_openssl_generation *generation);

#ifdef __cplusplus
}
#endif

#endif
