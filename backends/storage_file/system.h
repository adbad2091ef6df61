/* SPDX-License-Identifier: MIT */
#ifndef AIR_STORAGE_FILE_SYSTEM_H
#define AIR_STORAGE_FILE_SYSTEM_H

/*
 * The system calls that the file storage makes, as a table, so that tests can fail each of them and
 * record their order.
 *
 * Every call answers what the kernel answers, or a negative errno; none touches errno for its
 * caller. A name is one segment; only open_beneath takes a path of several.
 */

#include <stdint.h>
#include <sys/stat.h>

#include "thinair/thinair.h"

struct air_files_system {
    void *context; /* given to every call */

    /* openat(2). folder may be AT_FDCWD. */
    int (*open)(void *context, int folder, const char *name, int flags, mode_t mode);

    /* openat2(2), resolved beneath folder, through no link of any kind. -ENOSYS: not available. */
    int (*open_beneath)(void *context, int folder, const char *path, int flags);

    int (*make_folder)(void *context, int folder, const char *name, mode_t mode);
    int (*rename)(void *context, int folder, const char *from, const char *to);

    /* unlinkat(2): flags 0 or AT_REMOVEDIR. */
    int (*remove)(void *context, int folder, const char *name, int flags);

    /* fstat(2), and fstatat(2) of the name itself, not of what it links to. */
    int (*status)(void *context, int file, struct stat *out);
    int (*status_at)(void *context, int folder, const char *name, struct stat *out);

    /* pread(2), pwrite(2); getdents64(2), which fills data with struct dirent64. */
    int64_t (*read)(void *context, int file, void *data, size_t size, int64_t offset);
    int64_t (*write)(void *context, int file, const void *data, size_t size, int64_t offset);
    int64_t (*entries)(void *context, int folder, void *data, size_t size);

    int (*sync)(void *context, int file);
    int (*close)(void *context, int file);

    /* F_OFD_SETLK of size bytes (0: all that follow) at offset: F_WRLCK or F_UNLCK. */
    int (*lock)(void *context, int file, int type, int64_t offset, int64_t size);

    /* Sleep, while another process ends its write. */
    void (*pause)(void *context, uint32_t pause_ms);
};

/* The kernel's. Static. */
const struct air_files_system *air_files_system_real(void);

#endif
