/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_CONTRACT_STORAGE_RIG_H
#define AIR_TEST_CONTRACT_STORAGE_RIG_H

/* What the contract suite needs of a backend, and the suite's parts. */

#include "tests/support/test.h"
#include "thinair/storage.h"

/* A fresh, empty state; the first storage on it. */
struct air_storage *air_rig_open(void);

/* One more storage on the same state, as another process would open it. */
struct air_storage *air_rig_open_again(struct air_storage *first);

/* Whether two storages can look at one state; if not, sharing_test.c does not apply. */
extern const bool air_rig_is_shared;

/* Close one storage. */
void air_rig_close(struct air_storage *storage);

/* Remove the state; all storages are closed. */
void air_rig_remove(void);

/* ---- short forms for the tests ---- */

enum air_error air_rig_put(struct air_storage *storage, const char *path, air_span value);
enum air_error air_rig_delete(struct air_storage *storage, const char *path);

/* The record at path has this value; its version, for guards. */
uint64_t air_rig_expect(struct air_storage *storage, const char *path, air_span value);
void air_rig_expect_absent(struct air_storage *storage, const char *path);

/* contract_test.c, sharing_test.c */
extern const struct CMUnitTest air_storage_contract_tests[];
extern const size_t air_storage_contract_tests_count;
extern const struct CMUnitTest air_storage_sharing_tests[];
extern const size_t air_storage_sharing_tests_count;

/* Around every test: state holds the first storage. */
int air_rig_test_begin(void **state);
int air_rig_test_end(void **state);

#endif
