/* SPDX-License-Identifier: MIT */
/*
 * Opening a fresh port for each test, and running all parts on one backend. What a backend has to
 * do is said by the parts.
 *
 * cmocka gives its set-up functions no argument, so the backend is kept here while its suite runs.
 */

#include "tests/contract/crypto/suite.h"

#include "src/base/memory.h"

static const struct air_crypto_backend *current;
static int64_t live_before;

int air_contract_run(const struct air_crypto_backend *backend) {
    int (*const parts[])(void) = {
        air_contract_digest,
        air_contract_key,
        air_contract_key_import,
        air_contract_signature,
        air_contract_csr,
        air_contract_challenge,
        air_contract_certificate,
        air_contract_acceptance,
        air_contract_chain,
        air_contract_threads,
    };
    int failed_count = 0;
    current = backend;
    print_message("crypto contract on %s\n", backend->name);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        failed_count += parts[i]();
    }
    return failed_count;
}

int air_contract_open(void **state) {
    struct air_crypto *crypto = NULL;
    live_before = air_memory_live();
    if (current->open(&crypto) != AIR_OK) {
        return -1;
    }
    *state = crypto;
    return 0;
}

int air_contract_close(void **state) {
    current->close(*state);
    assert_int_equal(air_memory_live(), live_before);
    return 0;
}
