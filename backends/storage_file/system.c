/* SPDX-License-Identifier: MIT */
/*
 * The table of system calls, made by the kernel. Each function is one call and turns errno into its
 * value; policy (what is retried, what is refused) is left to the callers.
 *
 * Invariant: no function here makes two calls, so a test that fails the n-th call reaches all.
 */

#include "backends/storage_file/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int answer(int result);
static int64_t answer_size(ssize_t result);

static int real_open(void *context, int folder, const char *name, int flags, mode_t mode) {
    (void)context;
    return answer(openat(folder, name, flags, mode));
}

static int real_open_beneath(void *context, int folder, const char *path, int flags) {
    (void)context;
    struct open_how how = {
        .flags = (unsigned)flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return answer((int)syscall(SYS_openat2, folder, path, &how, sizeof(how)));
}

static int real_make_folder(void *context, int folder, const char *name, mode_t mode) {
    (void)context;
    return answer(mkdirat(folder, name, mode));
}

static int real_rename(void *context, int folder, const char *from, const char *to) {
    (void)context;
    return answer(renameat(folder, from, folder, to));
}

static int real_remove(void *context, int folder, const char *name, int flags) {
    (void)context;
    return answer(unlinkat(folder, name, flags));
}

static int real_status(void *context, int file, struct stat *out) {
    (void)context;
    return answer(fstat(file, out));
}

static int real_status_at(void *context, int folder, const char *name, struct stat *out) {
    (void)context;
    return answer(fstatat(folder, name, out, AT_SYMLINK_NOFOLLOW));
}

static int64_t real_read(void *context, int file, void *data, size_t size, int64_t offset) {
    (void)context;
    return answer_size(pread(file, data, size, (off_t)offset));
}

static int64_t real_write(void *context, int file, const void *data, size_t size, int64_t offset) {
    (void)context;
    return answer_size(pwrite(file, data, size, (off_t)offset));
}

static int64_t real_entries(void *context, int folder, void *data, size_t size) {
    (void)context;
    return answer_size(getdents64(folder, data, size));
}

static int real_sync(void *context, int file) {
    (void)context;
    return answer(fsync(file));
}

static int real_close(void *context, int file) {
    (void)context;
    return answer(close(file));
}

static int real_lock(void *context, int file, int type, int64_t offset, int64_t size) {
    (void)context;
    struct flock range = {
        .l_type = (short)type, .l_whence = SEEK_SET, .l_start = offset, .l_len = size};
    return answer(fcntl(file, F_OFD_SETLK, &range));
}

static void real_pause(void *context, uint32_t pause_ms) {
    (void)context;
    struct timespec time = {
        .tv_sec = pause_ms / 1000, .tv_nsec = (long)(pause_ms % 1000) * 1000000};
    (void)nanosleep(&time, NULL); /* shorter is harmless: the caller asks again */
}

const struct air_files_system *air_files_system_real(void) {
    static const struct air_files_system real = {
        .open = real_open,
        .open_beneath = real_open_beneath,
        .make_folder = real_make_folder,
        .rename = real_rename,
        .remove = real_remove,
        .status = real_status,
        .status_at = real_status_at,
        .read = real_read,
        .write = real_write,
        .entries = real_entries,
        .sync = real_sync,
        .close = real_close,
        .lock = real_lock,
        .pause = real_pause,
    };
    return &real;
}

static int answer(int result) {
    return result < 0 ? -errno : result;
}

static int64_t answer_size(ssize_t result) {
    return result < 0 ? -errno : result;
}
