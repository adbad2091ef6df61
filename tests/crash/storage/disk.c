/* SPDX-License-Identifier: MIT */
/*
 * The recording half of the disk: which file descriptor stands for what, and what was done, in
 * order. The calls themselves are carried out by the kernel in a folder of the test.
 *
 * Only what succeeded is recorded: a call that failed changed nothing. The lock file is left out,
 * but for its note: nothing it holds has to survive, so an image has the note of its moment.
 */

#include "tests/crash/storage/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "tests/support/test.h"

static int before_call(void *owner, const struct air_fake_call *call);
static void after_call(void *owner, const struct air_fake_call *call);
static void record_open(struct air_disk *disk, const struct air_fake_call *call);
static void record_write(struct air_disk *disk, const struct air_fake_call *call);
static struct air_disk_operation *record(struct air_disk *disk, enum air_disk_kind kind);
static void record_set(struct air_disk *disk, int folder, const char *name, int node);
static struct air_disk_entry *find(struct air_disk *disk, int folder, const char *name);
static void set_entry(struct air_disk *disk, int folder, const char *name, int node);
static int resolve(struct air_disk *disk, int folder, const char *path);
static int add_node(struct air_disk *disk, bool is_folder);
static int node_of(const struct air_disk *disk, int file);
static void set_name(char to[AIR_DISK_NAME_SIZE], const char *name);

void air_disk_init(struct air_disk *disk) {
    memset(disk, 0, sizeof(*disk));
    air_fake_system_init(&disk->system, disk, before_call, after_call);
    disk->system.is_swift = true;
    for (size_t i = 0; i < AIR_DISK_FILES_MAX; i++) {
        disk->node_of_file[i] = AIR_DISK_NONE;
    }
    disk->note_file = AIR_DISK_NONE;
    assert_int_equal(add_node(disk, true), AIR_DISK_ROOT);
}

static int before_call(void *owner, const struct air_fake_call *call) {
    struct air_disk *disk = owner;
    disk->calls++;
    disk->is_dead = disk->is_dead || disk->calls == disk->die_at;
    if (disk->is_dead) {
        return -EIO;
    }
    if (call->kind == AIR_FAKE_SYNC) {
        disk->syncs++;
        if (disk->syncs == disk->fail_sync_at) {
            return -EIO;
        }
    }
    bool is_note = call->kind == AIR_FAKE_WRITE && call->file == disk->note_file;
    return is_note && disk->forgets_notes ? -EIO : 0;
}

static void after_call(void *owner, const struct air_fake_call *call) {
    struct air_disk *disk = owner;
    if (call->kind == AIR_FAKE_CLOSE) {
        disk->node_of_file[call->file] = AIR_DISK_NONE;
        disk->note_file = call->file == disk->note_file ? AIR_DISK_NONE : disk->note_file;
        return;
    }
    if (call->answer < 0) {
        return;
    }
    int node = node_of(disk, call->file);
    if (call->kind == AIR_FAKE_OPEN || call->kind == AIR_FAKE_OPEN_BENEATH) {
        record_open(disk, call);
    } else if (call->kind == AIR_FAKE_WRITE) {
        record_write(disk, call);
    } else if (call->kind == AIR_FAKE_MAKE_FOLDER && node != AIR_DISK_NONE) {
        record_set(disk, node, call->name, add_node(disk, true));
    } else if (call->kind == AIR_FAKE_REMOVE) {
        record_set(disk, node, call->name, AIR_DISK_NONE);
    } else if (call->kind == AIR_FAKE_RENAME) {
        struct air_disk_operation *operation = record(disk, AIR_DISK_RENAME);
        operation->entry.folder = node;
        operation->entry.node = find(disk, node, call->name)->node;
        set_name(operation->entry.name, call->to);
        set_name(operation->from, call->name);
        set_entry(disk, node, call->to, operation->entry.node);
        set_entry(disk, node, call->name, AIR_DISK_NONE);
    } else if (call->kind == AIR_FAKE_SYNC && node != AIR_DISK_NONE) {
        bool is_forgotten =
            disk->is_folder[node] ? disk->forgets_folder_syncs : disk->forgets_file_syncs;
        if (!is_forgotten) {
            record(disk, AIR_DISK_SYNC)->entry.node = node;
        }
    }
}

static void record_open(struct air_disk *disk, const struct air_fake_call *call) {
    int file = (int)call->answer;
    int node = AIR_DISK_NONE;
    assert_in_range(file, 0, AIR_DISK_FILES_MAX - 1);
    int folder = call->file == AT_FDCWD ? AIR_DISK_NONE : node_of(disk, call->file);
    if (strcmp(call->name, "lock") == 0) {
        disk->note_file = file;
    } else if (call->file == AT_FDCWD && (call->flags & O_NOFOLLOW) != 0) {
        node = AIR_DISK_ROOT; /* the state directory itself is the only one opened so */
    } else if ((call->flags & O_CREAT) != 0) {
        node = add_node(disk, false);
        record_set(disk, folder, call->name, node);
    } else if (folder != AIR_DISK_NONE) {
        node = resolve(disk, folder, call->name);
    }
    disk->node_of_file[file] = node;
}

static void record_write(struct air_disk *disk, const struct air_fake_call *call) {
    size_t size = (size_t)call->answer;
    if (call->file == disk->note_file) {
        assert_true(call->offset == 0 && size < sizeof(disk->note));
        memcpy(disk->note, call->data, size);
        return;
    }
    struct air_disk_operation *operation = record(disk, AIR_DISK_WRITE);
    assert_true(size <= sizeof(disk->data) - disk->data_size);
    operation->entry.node = node_of(disk, call->file);
    operation->data_start = disk->data_size;
    operation->data_size = size;
    memcpy(disk->data + disk->data_size, call->data, size);
    disk->data_size += size;
}

static struct air_disk_operation *record(struct air_disk *disk, enum air_disk_kind kind) {
    assert_true(disk->operations_count < AIR_DISK_OPERATIONS_MAX);
    struct air_disk_operation *operation = &disk->operations[disk->operations_count++];
    operation->kind = kind;
    memcpy(operation->note, disk->note, sizeof(operation->note));
    operation->promised_count = disk->promised_count;
    operation->started_count = disk->started_count;
    return operation;
}

static void record_set(struct air_disk *disk, int folder, const char *name, int node) {
    struct air_disk_operation *operation = record(disk, AIR_DISK_SET);
    operation->entry.folder = folder;
    operation->entry.node = node;
    set_name(operation->entry.name, name);
    set_entry(disk, folder, name, node);
}

static struct air_disk_entry *find(struct air_disk *disk, int folder, const char *name) {
    for (size_t i = 0; i < disk->entries_count; i++) {
        if (disk->entries[i].folder == folder && strcmp(disk->entries[i].name, name) == 0) {
            return &disk->entries[i];
        }
    }
    return NULL;
}

static void set_entry(struct air_disk *disk, int folder, const char *name, int node) {
    struct air_disk_entry *entry = find(disk, folder, name);
    if (entry == NULL) {
        assert_true(disk->entries_count < AIR_DISK_NODES_MAX);
        entry = &disk->entries[disk->entries_count++];
        entry->folder = folder;
        set_name(entry->name, name);
    }
    entry->node = node;
}

/* What a path of several segments names; "." is the folder itself. */
static int resolve(struct air_disk *disk, int folder, const char *path) {
    int node = folder;
    while (path[0] != '\0' && node != AIR_DISK_NONE && strcmp(path, ".") != 0) {
        char name[AIR_DISK_NAME_SIZE] = "";
        size_t size = strcspn(path, "/");
        assert_true(size < sizeof(name));
        memcpy(name, path, size);
        path += size + (path[size] == '/' ? 1 : 0);
        const struct air_disk_entry *entry = find(disk, node, name);
        node = entry == NULL ? AIR_DISK_NONE : entry->node;
    }
    return node;
}

static int add_node(struct air_disk *disk, bool is_folder) {
    assert_true(disk->nodes_count < AIR_DISK_NODES_MAX);
    disk->is_folder[disk->nodes_count] = is_folder;
    return disk->nodes_count++;
}

static int node_of(const struct air_disk *disk, int file) {
    return file < 0 || file >= AIR_DISK_FILES_MAX ? AIR_DISK_NONE : disk->node_of_file[file];
}

static void set_name(char to[AIR_DISK_NAME_SIZE], const char *name) {
    size_t size = strlen(name);
    assert_true(size < AIR_DISK_NAME_SIZE);
    memcpy(to, name, size + 1);
}
