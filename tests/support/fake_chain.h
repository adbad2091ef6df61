/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_SUPPORT_FAKE_CHAIN_H
#define AIR_TEST_SUPPORT_FAKE_CHAIN_H

/* certificate_check of the fake crypto port. */

#include "thinair/crypto.h"

/*
 * Decide whether a chain is what was ordered, by the rules of thinair/crypto.h.
 *
 * spki_sha256  Of the ordered key; wish->key is not looked at.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED, AIR_ERR_BAD_CERTIFICATE (the reason is appended) or
 * AIR_ERR_NO_MEMORY.
 */
enum air_error air_fake_chain_check(air_span chain, const struct air_certificate_wish *wish,
    const uint8_t spki_sha256[AIR_SHA256_SIZE], struct air_buffer *reason);

#endif
