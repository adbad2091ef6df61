/* SPDX-License-Identifier: MIT */
#ifndef AIR_TEST_KEEPER_PAIR_CALLS_H
#define AIR_TEST_KEEPER_PAIR_CALLS_H

/*
 * The system calls of the pair files that change something, as the test wants them: counted, and
 * the n-th one failing or the last one that the process makes. The sources are compiled with these
 * names in place of the C library's.
 *
 * They also watch durability: what was written and not yet synced is remembered, and a rename that
 * makes it visible is a fault.
 */

#include <stddef.h>
#include <sys/types.h>

enum air_pair_trouble {
    AIR_PAIR_TROUBLE_NONE,
    AIR_PAIR_TROUBLE_DEATH, /* _exit before the call; in the middle of a write */
    AIR_PAIR_TROUBLE_ERROR  /* ENOSPC; a write of half the bytes first */
};

/* Begin to count; the n-th call, from 1, has the trouble; 0: none. */
void air_pair_calls_begin(enum air_pair_trouble trouble, size_t n);

/* How many calls were made since. */
size_t air_pair_calls_count(void);

/* How often something became visible that was not durable. */
size_t air_pair_calls_faults(void);

int air_test_openat(int folder, const char *name, int flags, ...);
int air_test_mkdirat(int folder, const char *name, mode_t mode);
int air_test_symlinkat(const char *target, int folder, const char *name);
int air_test_renameat(int from_folder, const char *from, int to_folder, const char *to);
int air_test_unlinkat(int folder, const char *name, int flags);
int air_test_ftruncate(int file, off_t size);
ssize_t air_test_pwrite(int file, const void *data, size_t size, off_t offset);
int air_test_fsync(int file);

#endif
