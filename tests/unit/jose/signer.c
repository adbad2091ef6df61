/* SPDX-License-Identifier: MIT */
/*
 * The signer of the JWS tests, the same for every test.
 *
 * Invariant: one at a time.
 */

#include "tests/unit/jose/signer.h"

#include "src/base/memory.h"
#include "tests/support/test.h"

int air_signer_begin(void **state) {
    static struct air_signer signer;
    signer.crypto = air_fake_crypto_new(42);
    assert_ok(signer.crypto->key_generate(signer.crypto->self, AIR_KEY_ECDSA_P256, &signer.key));
    assert_ok(signer.crypto->key_public(signer.crypto->self, signer.key, &signer.public_key));
    *state = &signer;
    return 0;
}

int air_signer_end(void **state) {
    struct air_signer *signer = *state;
    air_fake_crypto_free(signer->crypto);
    return air_memory_live() == 0 ? 0 : -1;
}
