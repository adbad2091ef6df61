/* SPDX-License-Identifier: MIT */
/*
 * Counts, fails and watches system calls; see the header. Files and folders are known by their
 * inode. Invariant: apart from the planned trouble a call does what the kernel's does.
 */
#include "tests/unit/keeper/pair_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRTY_MAX 64

static enum air_pair_trouble planned;
static size_t trouble_at;
static size_t calls_count;
static size_t faults_count;
static ino_t dirty[DIRTY_MAX];
static size_t dirty_count;

void air_pair_calls_begin(enum air_pair_trouble trouble, size_t n) {
    planned = trouble;
    trouble_at = n;
    calls_count = 0;
    faults_count = 0;
    dirty_count = 0;
}

size_t air_pair_calls_count(void) {
    return calls_count;
}

size_t air_pair_calls_faults(void) {
    return faults_count;
}

/* True: this call fails. */
static bool step(void) {
    calls_count++;
    if (planned == AIR_PAIR_TROUBLE_NONE || calls_count != trouble_at) {
        return false;
    }
    if (planned == AIR_PAIR_TROUBLE_DEATH) {
        _exit(0);
    }
    errno = ENOSPC;
    return true;
}

static ino_t inode(int file) {
    struct stat status;

    return fstat(file, &status) == 0 ? status.st_ino : 0;
}

static void clean(ino_t number) {
    for (size_t i = 0; i < dirty_count; i++) {
        if (dirty[i] == number) {
            dirty[i] = dirty[--dirty_count];
            return;
        }
    }
}

static void soil(int file) {
    const ino_t number = inode(file);

    clean(number);
    if (dirty_count < DIRTY_MAX) {
        dirty[dirty_count++] = number;
    }
}

int air_test_openat(int folder, const char *name, int flags, ...) {
    va_list arguments;
    mode_t mode = 0;
    int file;

    if ((flags & O_CREAT) == 0) {
        return openat(folder, name, flags);
    }
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    file = step() ? -1 : openat(folder, name, flags, mode);
    if (file >= 0) {
        soil(file);
        soil(folder);
    }
    return file;
}

int air_test_mkdirat(int folder, const char *name, mode_t mode) {
    const int answer = step() ? -1 : mkdirat(folder, name, mode);

    if (answer == 0) {
        soil(folder);
    }
    return answer;
}

int air_test_symlinkat(const char *target, int folder, const char *name) {
    return step() ? -1 : symlinkat(target, folder, name);
}

int air_test_renameat(int from_folder, const char *from, int to_folder, const char *to) {
    int answer;

    faults_count += dirty_count > 0 ? 1 : 0;
    answer = step() ? -1 : renameat(from_folder, from, to_folder, to);
    if (answer == 0) {
        soil(to_folder);
    }
    return answer;
}

int air_test_unlinkat(int folder, const char *name, int flags) {
    return step() ? -1 : unlinkat(folder, name, flags);
}

int air_test_ftruncate(int file, off_t size) {
    soil(file);
    return step() ? -1 : ftruncate(file, size);
}

ssize_t air_test_pwrite(int file, const void *data, size_t size, off_t offset) {
    soil(file);
    if (calls_count + 1 == trouble_at && planned != AIR_PAIR_TROUBLE_NONE) {
        (void)!pwrite(file, data, size / 2, offset);
    }
    return step() ? -1 : pwrite(file, data, size, offset);
}

int air_test_fsync(int file) {
    int answer = step() ? -1 : fsync(file);

    if (answer == 0) {
        clean(inode(file));
    }
    return answer;
}
