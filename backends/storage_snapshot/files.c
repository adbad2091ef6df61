/* SPDX-License-Identifier: MIT */
/*
 * The two files: which one is the newest whole image, and writing the next one over the other.
 *
 * Invariant: while the storage is open, `current` holds the last image that was answered for and is
 * not written to; the other file may hold anything.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/storage_snapshot/image.h"
#include "backends/storage_snapshot/snapshot.h"

/* So many damaged files of one name are kept. */
#define BAD_COUNT_MAX 9
#define BAD_NAME_SIZE 32

static const char *const names[AIR_SNAPSHOT_FILES_COUNT] = {"snapshot-a", "snapshot-b"};

static enum air_error take_lock(struct air_snapshot *snapshot);
static enum air_error load(struct air_snapshot *snapshot, size_t index);
static enum air_error read_file(
    struct air_snapshot *snapshot, size_t index, struct air_buffer *out);
static enum air_error set_aside(struct air_snapshot *snapshot, size_t index);
static void write_image(int file, air_span image, int *number);
static bool is_again(int64_t answer);

enum air_error air_snapshot_files_open(struct air_snapshot *snapshot) {
    enum air_error error = take_lock(snapshot);
    snapshot->current = 1;
    for (size_t i = 0; i < AIR_SNAPSHOT_FILES_COUNT && error == AIR_OK; i++) {
        error = air_snapshot_folder_file(snapshot, names[i], &snapshot->files[i]);
    }
    /* Both are whole or told apart before one is renamed. */
    for (size_t i = 0; i < AIR_SNAPSHOT_FILES_COUNT && error == AIR_OK; i++) {
        error = load(snapshot, i);
    }
    for (size_t i = 0; i < AIR_SNAPSHOT_FILES_COUNT && error == AIR_OK; i++) {
        error = (snapshot->damaged & 1u << i) != 0 ? set_aside(snapshot, i) : AIR_OK;
    }
    return error == AIR_OK ? air_snapshot_folder_sync(snapshot) : error;
}

enum air_error air_snapshot_files_write(struct air_snapshot *snapshot, air_span image) {
    const size_t index = 1 - snapshot->current;
    const int file = snapshot->files[index];
    struct stat status;
    int number = 0;
    write_image(file, image, &number);
    if (number == 0 && fstat(file, &status) != 0) {
        number = errno;
    }
    if (number != 0) {
        /* What was not answered for must not come back, and a full disk is given its room. Where
         * that fails too, the checksum tells. */
        const int cut = ftruncate(file, 0);
        (void)cut;
        return air_snapshot_fail(snapshot, names[index], "cannot be written", number);
    }
    if (status.st_nlink == 0) {
        return air_snapshot_refuse(snapshot, names[index],
            "was removed, so nothing can be kept: start the server again", AIR_ERR_STORAGE);
    }
    snapshot->current = index;
    return AIR_OK;
}

void air_snapshot_files_close(struct air_snapshot *snapshot) {
    for (size_t i = 0; i < AIR_SNAPSHOT_FILES_COUNT; i++) {
        if (snapshot->files[i] >= 0) {
            (void)close(snapshot->files[i]);
        }
    }
    if (snapshot->lock >= 0) {
        (void)close(snapshot->lock);
    }
}

/* An open file description's lock: the kernel releases it when its last descriptor is closed. */
static enum air_error take_lock(struct air_snapshot *snapshot) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    enum air_error error = air_snapshot_folder_file(snapshot, "lock", &snapshot->lock);
    if (error != AIR_OK) {
        return error;
    }
    if (fcntl(snapshot->lock, F_OFD_SETLK, &all) == 0) {
        return AIR_OK;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return air_snapshot_refuse(snapshot, "",
            "is in use by another server: stop it, or use another folder", AIR_ERR_BUSY);
    }
    return air_snapshot_fail(snapshot, "lock", "cannot be locked", errno);
}

/* Keep what the file holds if it is newer than what there is. An empty file holds nothing yet. */
static enum air_error load(struct air_snapshot *snapshot, size_t index) {
    struct air_snapshot_records records;
    struct air_buffer image;
    uint64_t number = 0;
    air_buffer_init(&image, AIR_SNAPSHOT_SIZE_MAX);
    enum air_error error = read_file(snapshot, index, &image);
    if (error == AIR_OK && image.size > 0) {
        error = air_snapshot_image_read(air_buffer_span(&image), &records, &number);
        if (error == AIR_OK && number > snapshot->number) {
            air_snapshot_records_deinit(&snapshot->records);
            snapshot->records = records;
            snapshot->number = number;
            snapshot->current = index;
        } else if (error == AIR_OK) {
            air_snapshot_records_deinit(&records);
        }
    }
    air_buffer_deinit(&image);
    if (error == AIR_ERR_UNSUPPORTED) {
        return air_snapshot_refuse(snapshot, names[index],
            "was written by a later thinair: use that one, or another folder", error);
    }
    if (error == AIR_ERR_MALFORMED) {
        snapshot->damaged |= 1u << index;
        return AIR_OK;
    }
    return error;
}

/* AIR_ERR_MALFORMED: larger than any image. */
static enum air_error read_file(
    struct air_snapshot *snapshot, size_t index, struct air_buffer *out) {
    struct stat status;
    if (fstat(snapshot->files[index], &status) != 0) {
        return air_snapshot_fail(snapshot, names[index], "cannot be examined", errno);
    }
    if (status.st_size > AIR_SNAPSHOT_SIZE_MAX) {
        return AIR_ERR_MALFORMED;
    }
    const size_t size = (size_t)status.st_size;
    uint8_t *place = size == 0 ? NULL : air_buffer_extend(out, size);
    if (place == NULL) {
        return out->error;
    }
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(snapshot->files[index], place + done, size - done, (off_t)done);
        if (got == 0) {
            return AIR_ERR_MALFORMED; /* shorter than it said */
        }
        if (got < 0 && !is_again(got)) {
            return air_snapshot_fail(snapshot, names[index], "cannot be read", errno);
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return AIR_OK;
}

/* Keep a damaged file under another name, and begin an empty one. */
static enum air_error set_aside(struct air_snapshot *snapshot, size_t index) {
    char name[BAD_NAME_SIZE];
    for (int i = 1; i <= BAD_COUNT_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%s.bad.%d", names[index], i);
        if (faccessat(snapshot->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
            break;
        }
    }
    if (renameat(snapshot->folder, names[index], snapshot->folder, name) != 0) {
        return air_snapshot_fail(snapshot, names[index], "cannot be set aside", errno);
    }
    (void)close(snapshot->files[index]);
    snapshot->files[index] = -1;
    return air_snapshot_folder_file(snapshot, names[index], &snapshot->files[index]);
}

/* number: errno of what failed; it stays 0 when the image is durable. */
static void write_image(int file, air_span image, int *number) {
    size_t done = 0;
    int answer = -1;
    do {
        answer = ftruncate(file, 0);
    } while (is_again(answer));
    while (answer == 0 && done < image.size) {
        ssize_t put = pwrite(file, image.data + done, image.size - done, (off_t)done);
        answer = put < 0 && !is_again(put) ? -1 : 0;
        done += put > 0 ? (size_t)put : 0;
    }
    if (answer == 0) {
        /* Not repeated: a failed flush is forgotten by the kernel, and a second one lies. */
        answer = fsync(file);
    }
    *number = answer == 0 ? 0 : errno;
}

static bool is_again(int64_t answer) {
    return answer < 0 && errno == EINTR;
}
