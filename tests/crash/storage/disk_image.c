/* SPDX-License-Identifier: MIT */
/*
 * The other half of the disk: what may be left after a cut. The record is replayed up to the cut;
 * then every combination of lost changes and torn files is built.
 *
 * A combination is a number in mixed radix: one digit per change of an entry that is not synced
 * (kept or lost), one per file whose data is not synced (how much is left).
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/storage/disk.h"
#include "tests/support/test.h"

#define ENTRIES_MAX 512
#define PENDING_MAX 12
#define SEEN_MAX 65536

/* How the data of an unsynced file may look. */
enum tear { TEAR_NONE, TEAR_EMPTY, TEAR_HALF, TEAR_ZEROES, TEARS };

/* What is certain at a cut, and what is not. */
struct replay {
    const struct air_disk *disk;
    struct air_disk_entry durable[ENTRIES_MAX];
    size_t durable_count;
    const struct air_disk_operation *pending[PENDING_MAX]; /* changes of entries, in order */
    size_t pending_count;
    int unsynced[PENDING_MAX]; /* files */
    size_t unsynced_count;
    size_t cut;
};

struct image {
    struct air_disk_entry entries[ENTRIES_MAX];
    size_t entries_count;
    enum tear tears[AIR_DISK_NODES_MAX];
    uint64_t hash; /* of what it is, whatever the order it was built in */
};

struct seen {
    uint64_t hashes[SEEN_MAX];
    size_t count;
};

static void replay_to(struct replay *replay, const struct air_disk *disk, size_t cut);
static void replay_sync(struct replay *replay, int node);
static size_t combinations(const struct replay *replay);
static void combine(const struct replay *replay, size_t number, struct image *image);
static void apply(
    struct air_disk_entry *entries, size_t *count, const struct air_disk_operation *operation);
static void set(
    struct air_disk_entry *entries, size_t *count, int folder, const char *name, int node);
static void build(
    const struct replay *replay, struct image *image, int folder, const char *path, bool is_real);
static void build_file(
    const struct replay *replay, struct image *image, int node, const char *path, bool is_real);
static void build_note(const struct air_disk *disk, size_t cut, const char *path);
static void write_file(const char *path, const void *data, size_t size);
static void mix(struct image *image, const char *path, const void *data, size_t size);
static bool is_new(struct seen *seen, uint64_t hash);

void air_disk_cut(const struct air_disk *disk, size_t first, size_t last,
    bool (*holds)(void *context, const char *path, size_t promised_count, size_t started_count),
    void *context, struct air_disk_count *count) {
    static struct replay replay;
    static struct image image;
    static struct seen seen;
    char folder[AIR_TEST_PATH_SIZE];
    char path[AIR_TEST_PATH_SIZE];
    air_test_folder_make(folder);
    air_test_path(path, folder, "state");
    seen.count = 0;
    for (size_t cut = first; cut <= last; cut++) {
        bool is_end = cut == disk->operations_count;
        size_t promised = is_end ? disk->promised_count : disk->operations[cut].promised_count;
        size_t started = is_end ? disk->started_count : disk->operations[cut].started_count;
        replay_to(&replay, disk, cut);
        count->cuts++;
        for (size_t number = 0; number < combinations(&replay); number++) {
            count->images++;
            combine(&replay, number, &image);
            image.hash = promised * UINT64_C(1000003) + started;
            build(&replay, &image, AIR_DISK_ROOT, path, false);
            if (!is_new(&seen, image.hash)) {
                continue;
            }
            count->checked++;
            build(&replay, &image, AIR_DISK_ROOT, path, true);
            build_note(disk, cut, path);
            count->breaches += holds(context, path, promised, started) ? 0 : 1;
            air_test_folder_remove(path);
        }
    }
    air_test_folder_remove(folder);
}

static void replay_to(struct replay *replay, const struct air_disk *disk, size_t cut) {
    memset(replay, 0, sizeof(*replay));
    replay->disk = disk;
    replay->cut = cut;
    for (size_t i = 0; i < cut; i++) {
        const struct air_disk_operation *operation = &disk->operations[i];
        switch (operation->kind) {
        case AIR_DISK_SET:
        case AIR_DISK_RENAME:
            assert_true(replay->pending_count < PENDING_MAX);
            replay->pending[replay->pending_count++] = operation;
            break;
        case AIR_DISK_WRITE:
            replay_sync(replay, operation->entry.node); /* once is enough in the list */
            assert_true(replay->unsynced_count < PENDING_MAX);
            replay->unsynced[replay->unsynced_count++] = operation->entry.node;
            break;
        case AIR_DISK_SYNC:
            replay_sync(replay, operation->entry.node);
            break;
        }
    }
}

/* What is pending for this node, a folder or a file, is certain from now on. */
static void replay_sync(struct replay *replay, int node) {
    size_t kept = 0;
    for (size_t i = 0; i < replay->pending_count; i++) {
        if (replay->pending[i]->entry.folder == node) {
            apply(replay->durable, &replay->durable_count, replay->pending[i]);
        } else {
            replay->pending[kept++] = replay->pending[i];
        }
    }
    replay->pending_count = kept;
    kept = 0;
    for (size_t i = 0; i < replay->unsynced_count; i++) {
        if (replay->unsynced[i] != node) {
            replay->unsynced[kept++] = replay->unsynced[i];
        }
    }
    replay->unsynced_count = kept;
}

static size_t combinations(const struct replay *replay) {
    size_t count = (size_t)1 << replay->pending_count;
    for (size_t i = 0; i < replay->unsynced_count; i++) {
        count *= TEARS;
    }
    return count;
}

static void combine(const struct replay *replay, size_t number, struct image *image) {
    memset(image->tears, 0, sizeof(image->tears));
    memcpy(image->entries, replay->durable, replay->durable_count * sizeof(image->entries[0]));
    image->entries_count = replay->durable_count;
    for (size_t i = 0; i < replay->pending_count; i++) {
        if (number % 2 == 1) {
            apply(image->entries, &image->entries_count, replay->pending[i]);
        }
        number /= 2;
    }
    for (size_t i = 0; i < replay->unsynced_count; i++) {
        image->tears[replay->unsynced[i]] = (enum tear)(number % TEARS);
        number /= TEARS;
    }
}

static void apply(
    struct air_disk_entry *entries, size_t *count, const struct air_disk_operation *operation) {
    const struct air_disk_entry *entry = &operation->entry;
    set(entries, count, entry->folder, entry->name, entry->node);
    if (operation->kind == AIR_DISK_RENAME) {
        set(entries, count, entry->folder, operation->from, AIR_DISK_NONE);
    }
}

static void set(
    struct air_disk_entry *entries, size_t *count, int folder, const char *name, int node) {
    size_t i = 0;
    while (i < *count && (entries[i].folder != folder || strcmp(entries[i].name, name) != 0)) {
        i++;
    }
    if (i == *count) {
        assert_true(i < ENTRIES_MAX);
        entries[i].folder = folder;
        memcpy(entries[i].name, name, strlen(name) + 1);
        (*count)++;
    }
    entries[i].node = node;
}

/* Make a folder with all that is in it, or only work out the image's hash. */
static void build(
    const struct replay *replay, struct image *image, int folder, const char *path, bool is_real) {
    char below[AIR_TEST_PATH_SIZE];
    if (is_real) {
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < image->entries_count; i++) {
        const struct air_disk_entry *entry = &image->entries[i];
        if (entry->folder != folder || entry->node == AIR_DISK_NONE) {
            continue;
        }
        air_test_path(below, path, entry->name);
        if (replay->disk->is_folder[entry->node]) {
            mix(image, below, "/", 1);
            build(replay, image, entry->node, below, is_real);
        } else {
            build_file(replay, image, entry->node, below, is_real);
        }
    }
}

static void build_file(
    const struct replay *replay, struct image *image, int node, const char *path, bool is_real) {
    static uint8_t data[AIR_DISK_DATA_SIZE];
    size_t size = 0;
    for (size_t i = 0; i < replay->cut; i++) {
        const struct air_disk_operation *operation = &replay->disk->operations[i];
        if (operation->kind == AIR_DISK_WRITE && operation->entry.node == node) {
            memcpy(data + size, replay->disk->data + operation->data_start, operation->data_size);
            size += operation->data_size;
        }
    }
    if (image->tears[node] == TEAR_EMPTY) {
        size = 0;
    } else if (image->tears[node] == TEAR_HALF) {
        size /= 2;
    } else if (image->tears[node] == TEAR_ZEROES) {
        memset(data, 0, size);
    }
    mix(image, path, data, size);
    if (is_real) {
        write_file(path, data, size);
    }
}

/* The lock file with the note of this moment, as if it alone had reached the disk. */
static void build_note(const struct air_disk *disk, size_t cut, const char *path) {
    char lock_path[AIR_TEST_PATH_SIZE];
    bool is_end = cut == disk->operations_count;
    const char *note = is_end ? disk->note : disk->operations[cut].note;
    air_test_path(lock_path, path, "lock");
    write_file(lock_path, note, strcspn(note, "\n") + 1);
}

static void write_file(const char *path, const void *data, size_t size) {
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, data, size), size);
    assert_int_equal(close(file), 0);
}

/* Add one thing to the image's hash; FNV-1a of each, summed, so that order does not matter. */
static void mix(struct image *image, const char *path, const void *data, size_t size) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i <= strlen(path); i++) {
        hash = (hash ^ (uint8_t)path[i]) * UINT64_C(1099511628211);
    }
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(1099511628211);
    }
    image->hash += hash;
}

static bool is_new(struct seen *seen, uint64_t hash) {
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->hashes[i] == hash) {
            return false;
        }
    }
    assert_true(seen->count < SEEN_MAX);
    seen->hashes[seen->count++] = hash;
    return true;
}
