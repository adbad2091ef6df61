/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_JOSE_SIGNER_H
#define AIR_TEST_JOSE_SIGNER_H

/* A fake crypto port with one ECDSA P-256 key, before every test that signs. */

#include "tests/support/fake_crypto.h"

struct air_signer {
    struct air_crypto *crypto;
    uint64_t key;
    struct air_public_key public_key;
};

/* Around every test: state holds the signer; no memory is left. */
int air_signer_begin(void **state);
int air_signer_end(void **state);

#endif
