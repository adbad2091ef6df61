/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_CRYPTO_SUITE_H
#define AIR_TEST_CONTRACT_CRYPTO_SUITE_H

/*
 * The contract of the crypto port: what every backend has to do, whatever library it stands on.
 *
 * A backend's program names the backend and runs the suite. OpenSSL is the second opinion on all
 * that a backend makes, see oracle.h.
 */

#include "tests/support/test.h"
#include "thinair/crypto.h"

struct air_crypto_backend {
    const char *name;
    enum air_error (*open)(struct air_crypto **out);
    void (*close)(struct air_crypto *crypto);
};

/* Run everything; returns the number of tests that failed. */
int air_contract_run(const struct air_crypto_backend *backend);

/* Set up and tear down one test: *state is a fresh struct air_crypto. Closing it asserts that no
 * block of memory is left. */
int air_contract_open(void **state);
int air_contract_close(void **state);

#define CONTRACT_TEST(test)                                                                        \
    cmocka_unit_test_setup_teardown(test, air_contract_open, air_contract_close)

/* The parts of the suite, one for each file. */
int air_contract_acceptance(void);
int air_contract_certificate(void);
int air_contract_chain(void);
int air_contract_challenge(void);
int air_contract_csr(void);
int air_contract_digest(void);
int air_contract_key(void);
int air_contract_key_import(void);
int air_contract_signature(void);
int air_contract_threads(void);

#endif
