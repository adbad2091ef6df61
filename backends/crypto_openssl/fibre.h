/* SPDX-License-Identifier: MIT */
#ifndef AIR_CRYPTO_OPENSSL_FIBRE_H
#define AIR_CRYPTO_OPENSSL_FIBRE_H

/*
 * A function that runs in slices: it has a stack of its own, and pauses where it likes.
 *
 * It runs within air_openssl_fibre_resume(), on the caller's thread: there is no other. The next
 * slice may run on another thread, one at a time. The function must not hold across a pause what
 * belongs to a thread: a lock, an entry of OpenSSL's error queue, the address of a thread-local.
 */

#include "thinair/thinair.h"

struct air_openssl_fibre;

/* Prepare run(context); nothing of it runs yet. AIR_ERR_NO_MEMORY. */
enum air_error air_openssl_fibre_new(
    void (*run)(void *context), void *context, struct air_openssl_fibre **out);

/* Run it until it pauses (false) or ends (true). Not called again once it has ended. */
bool air_openssl_fibre_resume(struct air_openssl_fibre *fibre);

/* Called by the function itself: return from resume, and go on here with the next one. */
void air_openssl_fibre_pause(struct air_openssl_fibre *fibre);

/* Wipe the stack and free it. The function has ended or never begun: one that has paused is brought
 * to its end first, by its owner, for what it holds is on its stack. */
void air_openssl_fibre_free(struct air_openssl_fibre *fibre);

#endif
