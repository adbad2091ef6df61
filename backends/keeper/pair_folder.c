/* SPDX-License-Identifier: MIT */
/*
 * The durable steps on pair files: a numbered pair is written and synced before anything links to
 * it, and a link is replaced by one rename, whose directory is synced. In which order that is done
 * is said in pair_files.c.
 *
 * Invariant: no file that something links to is ever written again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/keeper/pair_parts.h"
#include "src/base/span.h"

#define CURRENT "current"
#define CHAIN "chain.pem"
#define KEY "key.pem"

/* Nobody has set aside more. */
#define ASIDE_MAX 10000

static int replace_link(int folder, const char *target, const char *fresh, const char *name);
static uint32_t parse(const char *name);
static void remove_pair(const struct air_pair_files *files, const char *name);

void air_pair_init(struct air_pair *pair) {
    air_buffer_init(&pair->chain, AIR_CHAIN_SIZE_MAX);
    air_buffer_init(&pair->key, AIR_KEY_PEM_SIZE_MAX);
}

void air_pair_deinit(struct air_pair *pair) {
    air_buffer_deinit(&pair->chain);
    air_buffer_deinit(&pair->key);
}

static enum air_error error_of(int number) {
    switch (number) {
    case ENOENT:
        return AIR_ERR_NOT_FOUND;
    case ENOMEM:
        return AIR_ERR_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
        return AIR_ERR_STORAGE_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return AIR_ERR_PERMISSION;
    default:
        return AIR_ERR_STORAGE;
    }
}

enum air_error air_pair_fail(
    const struct air_pair_files *files, const char *path, const char *what, int number) {
    (void)air_pair_refuse(files, path, what, AIR_OK);
    if (files->reason != NULL) {
        air_buffer_append_text(files->reason, ": ");
        air_buffer_append_text(files->reason, strerror(number));
    }
    return error_of(number);
}

enum air_error air_pair_refuse(
    const struct air_pair_files *files, const char *path, const char *what, enum air_error error) {
    if (files->reason != NULL) {
        air_buffer_append_text(files->reason, path);
        air_buffer_append_byte(files->reason, ' ');
        air_buffer_append_text(files->reason, what);
    }
    return error;
}

enum air_error air_pair_file_read(
    int folder, const char *name, size_t size_max, struct air_buffer *out) {
    const int handle = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const size_t begin = out->size;
    struct stat status;
    enum air_error error = AIR_OK;
    ssize_t size = 1;

    if (handle < 0 || fstat(handle, &status) != 0 || !S_ISREG(status.st_mode)) {
        error = handle < 0 ? error_of(errno) : AIR_ERR_EXISTS;
    } else if (status.st_size < 0 || (uint64_t)status.st_size > size_max) {
        error = AIR_ERR_LIMIT;
    } else if (status.st_size > 0) {
        uint8_t *data = air_buffer_extend(out, (size_t)status.st_size);

        error = data != NULL ? AIR_OK : out->error;
        for (size_t done = 0; error == AIR_OK && done < (size_t)status.st_size;) {
            size = pread(handle, data + done, (size_t)status.st_size - done, (off_t)done);
            error = size > 0 || (size < 0 && errno == EINTR) ? AIR_OK : AIR_ERR_STORAGE;
            done += size > 0 ? (size_t)size : 0;
        }
    }
    if (error != AIR_OK) {
        air_buffer_truncate(out, begin);
    }
    if (handle >= 0) {
        (void)close(handle);
    }
    return error;
}

int air_pair_write_all(int handle, air_span value) {
    size_t done = 0;

    while (done < value.size) {
        const ssize_t size = pwrite(handle, value.data + done, value.size - done, (off_t)done);

        if (size < 0 && errno != EINTR) {
            return errno;
        }
        done += size > 0 ? (size_t)size : 0;
    }
    return 0;
}

int air_pair_file_write(int folder, const char *name, air_span value) {
    const int handle = openat(
        folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int number = handle < 0 ? errno : air_pair_write_all(handle, value);

    if (number == 0 && fsync(handle) != 0) {
        number = errno;
    }
    if (handle >= 0 && close(handle) != 0 && number == 0) {
        number = errno;
    }
    return number;
}

static uint32_t parse(const char *name) {
    int64_t number = 0;
    const size_t size = strlen(name);

    if (size < 6 || size >= AIR_PAIR_NAME_SIZE - 1 ||
        !air_span_number(air_span_text(name), &number)) {
        return 0;
    }
    return (uint32_t)number;
}

void air_pair_name(uint32_t number, char out[AIR_PAIR_NAME_SIZE]) {
    (void)snprintf(out, AIR_PAIR_NAME_SIZE, "%06u", (unsigned)number);
}

uint32_t air_pair_current(const struct air_pair_files *files) {
    char name[AIR_PAIR_NAME_SIZE];
    const ssize_t size = readlinkat(files->pairs, CURRENT, name, sizeof(name));

    if (size < 0 || (size_t)size >= sizeof(name)) {
        return 0;
    }
    name[size] = '\0';
    return parse(name);
}

/* The folder's entries, for as long as it is read. */
static DIR *begin_entries(const struct air_pair_files *files) {
    const int handle = openat(files->pairs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = handle >= 0 ? fdopendir(handle) : NULL;

    if (handle >= 0 && folder == NULL) {
        (void)close(handle);
    }
    return folder;
}

enum air_error air_pair_count(struct air_pair_files *files) {
    DIR *folder = begin_entries(files);

    if (folder == NULL) {
        return air_pair_fail(files, files->pairs_path, "cannot be read", errno);
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const uint32_t number = parse(entry->d_name);

        files->number = number > files->number ? number : files->number;
    }
    (void)closedir(folder);
    return AIR_OK;
}

enum air_error air_pair_load(
    const struct air_pair_files *files, const char *name, struct air_pair *pair) {
    const int folder = openat(files->pairs, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum air_error error = folder >= 0 ? AIR_OK : error_of(errno);

    air_buffer_clear(&pair->chain);
    air_buffer_clear(&pair->key);
    if (error == AIR_OK) {
        error = air_pair_file_read(folder, CHAIN, AIR_CHAIN_SIZE_MAX, &pair->chain);
    }
    if (error == AIR_OK) {
        error = air_pair_file_read(folder, KEY, AIR_KEY_PEM_SIZE_MAX, &pair->key);
    }
    if (folder >= 0) {
        error = error == AIR_ERR_NOT_FOUND ? AIR_ERR_BAD_CERTIFICATE : error;
        (void)close(folder);
    }
    return error == AIR_OK
               ? air_pair_match(air_buffer_span(&pair->chain), air_buffer_span(&pair->key))
               : error;
}

enum air_error air_pair_add(struct air_pair_files *files, air_span chain, air_span key) {
    char name[AIR_PAIR_NAME_SIZE];
    int folder = -1;
    int number = 0;

    do {
        files->number++;
        air_pair_name(files->number, name);
        number = mkdirat(files->pairs, name, S_IRWXU) == 0 ? 0 : errno;
    } while (number == EEXIST);
    if (number == 0) {
        folder = openat(files->pairs, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        number = folder >= 0 ? air_pair_file_write(folder, CHAIN, chain) : errno;
    }
    if (number == 0) {
        number = air_pair_file_write(folder, KEY, key);
    }
    if (number == 0 && (fsync(folder) != 0 || fsync(files->pairs) != 0)) {
        number = errno;
    }
    if (folder >= 0) {
        (void)close(folder);
    }
    if (number != 0) {
        remove_pair(files, name);
        return air_pair_fail(files, files->pairs_path, "cannot take a pair", number);
    }
    return AIR_OK;
}

static int replace_link(int folder, const char *target, const char *fresh, const char *name) {
    (void)unlinkat(folder, fresh, 0); /* of a process that died here */
    if (symlinkat(target, folder, fresh) != 0 || renameat(folder, fresh, folder, name) != 0 ||
        fsync(folder) != 0) {
        return errno;
    }
    return 0;
}

enum air_error air_pair_point(const struct air_pair_files *files, uint32_t number) {
    char name[AIR_PAIR_NAME_SIZE];
    int failed;

    air_pair_name(number, name);
    failed = replace_link(files->pairs, name, "current.new", CURRENT);
    return failed == 0 ? AIR_OK
                       : air_pair_fail(files, files->pairs_path, "cannot be changed", failed);
}

enum air_error air_pair_forget(const struct air_pair_files *files) {
    if (unlinkat(files->pairs, CURRENT, 0) != 0) {
        return errno == ENOENT
                   ? AIR_OK
                   : air_pair_fail(files, files->pairs_path, "cannot be changed", errno);
    }
    return fsync(files->pairs) == 0
               ? AIR_OK
               : air_pair_fail(files, files->pairs_path, "cannot be made durable", errno);
}

bool air_pair_is_linked(const struct air_pair_path *path) {
    char target[AIR_PAIR_TEXT_SIZE];
    const ssize_t size = readlinkat(path->folder, path->name, target, sizeof(target));

    return size > 0 && air_span_equal_text(air_span_of(target, (size_t)size), path->target);
}

enum air_error air_pair_link(const struct air_pair_files *files, const struct air_pair_path *path) {
    char fresh[AIR_PAIR_TEXT_SIZE];
    int number;

    if (air_pair_is_linked(path)) {
        return AIR_OK;
    }
    (void)snprintf(fresh, sizeof(fresh), "%s.pairs-link", path->name);
    number = replace_link(path->folder, path->target, fresh, path->name);
    return number == 0 ? AIR_OK : air_pair_fail(files, path->path, "cannot be made a link", number);
}

enum air_error air_pair_set_aside(
    const struct air_pair_files *files, const struct air_pair_path *path) {
    char name[AIR_PAIR_TEXT_SIZE];
    struct stat status;

    for (unsigned i = 0; i < ASIDE_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%s.old.%u", path->name, i);
        if (fstatat(path->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            continue; /* nobody else makes one meanwhile: only we and root may write here */
        }
        if (renameat(path->folder, path->name, path->folder, name) == 0) {
            return fsync(path->folder) == 0
                       ? AIR_OK
                       : air_pair_fail(files, path->path, "cannot be set aside", errno);
        }
        return errno == ENOENT ? AIR_OK
                               : air_pair_fail(files, path->path, "cannot be set aside", errno);
    }
    return air_pair_refuse(
        files, path->path, "has too many old copies: remove some", AIR_ERR_STORAGE_FULL);
}

static void remove_pair(const struct air_pair_files *files, const char *name) {
    const int folder = openat(files->pairs, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (folder >= 0) {
        (void)unlinkat(folder, CHAIN, 0);
        (void)unlinkat(folder, KEY, 0);
        (void)close(folder);
        (void)unlinkat(files->pairs, name, AT_REMOVEDIR);
    }
}

void air_pair_prune(const struct air_pair_files *files) {
    const uint32_t current = air_pair_current(files);
    DIR *folder = begin_entries(files);

    if (folder == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const uint32_t number = parse(entry->d_name);

        if (number != 0 && number != current && number + AIR_PAIR_KEPT_MAX <= files->number) {
            remove_pair(files, entry->d_name);
        }
    }
    (void)closedir(folder);
}
